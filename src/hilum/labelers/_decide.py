"""Logits of a report encoder to states and probabilities: arithmetic alone, no model.

Windows of one report are combined by one named rule, `WINDOW_RULE`: states by precedence, as mentions are; the
probability of a state is the largest of any window. The finding of the role `none` is positive only when all
windows say so, and its probability of positive is the smallest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError, UnknownNameError
from hilum.core.vocabulary import PRECEDENCE, SHIPPED, State
from hilum.models.encoder_spec import EncoderSpec

Floats = npt.NDArray[np.float64]

WINDOW_RULE = "precedence, max"
"""What the stamp calls the rule above."""

LOGREG, THRESHOLDS, HALF = "logreg", "thresholds", "half"
MAPPINGS = (LOGREG, THRESHOLDS, HALF)
"""How the probability of a head of one logit becomes 1 or 0, the first that the weights have by default."""

_RANK = np.array([len(PRECEDENCE) - 1 - PRECEDENCE.index(state) for state in State])
_STATE = np.array(tuple(reversed(PRECEDENCE)), dtype=np.int8)


class Answers(NamedTuple):
    """Of N texts by F heads: `states_NF` (codes) and `positive_NF` (probability of POSITIVE, over windows).

    `deciding_NFS` has the probability of each `State` by what decides it: the head, or with the mapping logreg the
    regression; `chosen_NF` is that of the state that was given.
    """

    states_NF: npt.NDArray[np.int8]
    positive_NF: Floats
    deciding_NFS: Floats
    chosen_NF: Floats


@dataclass(frozen=True)
class Decider:
    """Turns logits into answers for one spec.

    `temperatures` (one per head) divide the logits of the probabilities; they change no state. `mapping` is one
    of MAPPINGS for heads of one logit.
    """

    spec: EncoderSpec
    temperatures: tuple[float, ...]
    mapping: str

    def answers(self, logits: Sequence[npt.NDArray[np.floating]]) -> Answers:
        """What logits ([W, C] for each of N texts) say."""
        counts = np.array([len(one) for one in logits], dtype=np.intp)
        heads, codes = len(self.spec.heads), len(State)
        if not len(counts):
            empty = np.zeros((0, heads))
            return Answers(empty.astype(np.int8), empty, np.zeros((0, heads, codes)), empty)
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        logits_WC = np.concatenate(list(logits)).astype(np.float64)
        plain_WFS = head_probabilities(logits_WC, self.spec, np.ones(heads))
        none = self._none()
        values_NFS = combined(self._calibrated(logits_WC, plain_WFS), starts, none=none)
        states_NF = combined_states(plain_WFS, starts, none=none)
        positive_NF = values_NFS[..., State.POSITIVE].copy()
        self._map(combined(plain_WFS, starts, none=none)[..., State.POSITIVE], states_NF, values_NFS)
        chosen_NF = np.take_along_axis(values_NFS, states_NF[..., None].astype(np.intp), axis=2)[..., 0]
        return Answers(states_NF, positive_NF, values_NFS, chosen_NF)

    def _calibrated(self, logits_WC: Floats, plain_WFS: Floats) -> Floats:
        if all(t == 1.0 for t in self.temperatures):
            return plain_WFS
        return head_probabilities(logits_WC, self.spec, np.array(self.temperatures))

    def _none(self) -> int | None:
        name = SHIPPED[self.spec.vocabulary].no_finding
        return self.spec.findings.index(name) if name in self.spec.findings else None

    def _map(self, positive_NF: Floats, states_NF: npt.NDArray[np.int8], deciding_NFS: Floats) -> None:
        """Write the states of the heads of one logit, which may come from all probabilities together."""
        ones = [f for f, head in enumerate(self.spec.heads) if head.classes == 1]
        if not ones:
            return
        deciding_NFS[:, ones, State.NEGATIVE] = 1 - deciding_NFS[:, ones, State.POSITIVE]
        said_NF = positive_NF >= self._thresholds()
        if self.mapping == LOGREG and self.spec.logreg is not None:
            places = [self.spec.findings.index(name) for name in self.spec.logreg.findings]
            inputs = [self.spec.findings.index(name) for name in self.spec.logreg.inputs]
            odds = self.spec.logreg.log_odds(positive_NF[:, inputs])
            said_NF[:, places] = odds > 0
            deciding_NFS[:, places, State.POSITIVE] = _logistic(odds)
            deciding_NFS[:, places, State.NEGATIVE] = _logistic(-odds)
        states_NF[:, ones] = np.where(said_NF[:, ones], State.POSITIVE, State.NEGATIVE)

    def _thresholds(self) -> Floats:
        known = {} if self.mapping == HALF else dict(self.spec.thresholds or {})
        return np.array([known.get(name, 0.5) for name in self.spec.findings])


def combined(values_WFS: Floats, starts: npt.NDArray[np.intp], *, none: int | None) -> Floats:
    """Probabilities [N, F, 4] of N texts from those of their windows, W in all, by `WINDOW_RULE`.

    `starts` has the place of each text's first window; `none` that of the finding with the role `none`.
    """
    most = np.maximum.reduceat(values_WFS, starts, axis=0)
    if none is not None:
        most[:, none, State.POSITIVE] = np.minimum.reduceat(values_WFS[:, none, State.POSITIVE], starts)
    return np.asarray(most)


def combined_states(
    values_WFS: Floats, starts: npt.NDArray[np.intp], *, none: int | None
) -> npt.NDArray[np.int8]:
    """State codes [N, F] of N texts from the probabilities of their windows, by `WINDOW_RULE`."""
    ranks_WF = _RANK[values_WFS.argmax(axis=2)]
    best_NF = np.maximum.reduceat(ranks_WF, starts, axis=0)
    if none is not None:
        best_NF[:, none] = np.minimum.reduceat(ranks_WF[:, none], starts)
    return _STATE[best_NF]


def head_probabilities(logits_WC: Floats, spec: EncoderSpec, temperatures_F: Floats) -> Floats:
    """Probability of each `State`, float64 [W, F, 4]; 0 for states that a head does not know.

    Softmax for heads of 4 and 2, the logistic function for heads of one logit (POSITIVE and NEGATIVE).
    """
    values_WFS = np.zeros((len(logits_WC), len(spec.heads), len(State)))
    for f, (head, columns) in enumerate(zip(spec.heads, spec.columns, strict=True)):
        z = logits_WC[:, columns] / temperatures_F[f]
        if head.classes == 1:
            values_WFS[:, f, State.POSITIVE] = _logistic(z[:, 0])
            values_WFS[:, f, State.NEGATIVE] = _logistic(-z[:, 0])
        else:
            powers = np.exp(z - z.max(axis=1, keepdims=True))
            values_WFS[:, f, list(head.states)] = powers / powers.sum(axis=1, keepdims=True)
    return values_WFS


def _logistic(odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -500, 500))))


def choose_mapping(spec: EncoderSpec, wanted: str | None) -> tuple[str, tuple[str, ...]]:
    """The mapping for these weights, and notes on findings that it does not know; "" without heads of one logit.

    Raises UnknownNameError for another name, InputError for a mapping that the weights do not have.
    """
    if wanted is not None and wanted not in MAPPINGS:
        raise UnknownNameError("mapping", wanted, MAPPINGS)
    ones = [head.finding for head in spec.heads if head.classes == 1]
    if not ones:
        if wanted is not None:
            raise InputError(
                f"--mapping {wanted} is for models of image labels (visualchexbert), and these weights are of "
                f"{spec.kind}. Next step: leave it out."
            )
        return "", ()
    has = {LOGREG: spec.logreg is not None, THRESHOLDS: bool(spec.thresholds), HALF: True}
    if wanted is not None and not has[wanted]:
        there = ", ".join(name for name in MAPPINGS if has[name])
        raise InputError(
            f"These weights have no {wanted} in hilum_encoder.json; they have: {there}. Next step: --mapping with "
            "one of these, or convert the weights again together with that file."
        )
    chosen = wanted or next(name for name in MAPPINGS if has[name])
    return chosen, _mapping_notes(spec, chosen, ones, wanted)


def _mapping_notes(
    spec: EncoderSpec, chosen: str, ones: Sequence[str], wanted: str | None
) -> tuple[str, ...]:
    if chosen == HALF:
        if wanted is not None:
            return ()
        return ("the weights have neither thresholds nor logreg: a finding is 1 from probability 0.5 on",)
    known = set(spec.thresholds or ())
    if chosen == LOGREG and spec.logreg is not None:
        known |= set(spec.logreg.findings)
    left = [name for name in ones if name not in known]
    return (f"no {chosen} for {', '.join(left)}: 1 from probability 0.5 on",) if left else ()
