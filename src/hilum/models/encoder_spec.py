"""What a report encoder predicts: its heads, its text mode and what turns outputs into labels. No torch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError, UnknownNameError
from hilum.core.vocabulary import COLUMN_ORDERS, SHIPPED, State, Vocabulary
from hilum.models._spec_checks import check_calibration, check_findings, check_vocabulary, parsed
from hilum.models._spec_json import OPTIONAL, REQUIRED, spec_fields
from hilum.text.bert_text import FOLDED, TEXT_MODES

CHEXBERT, VISUALCHEXBERT, MINI = "chexbert", "visualchexbert", "mini"
KINDS: tuple[str, ...] = (CHEXBERT, VISUALCHEXBERT, MINI)
"""Kinds of report encoders: one for each labeler that uses one."""

HEAD_SIZES: tuple[int, ...] = (1, 2, 4)
"""4: one class per `State` by its number; 2: blank and positive; 1: the logit of positive."""

FORMAT, FORMAT_VERSION = "hilum report encoder", 1
"""The first two fields of hilum_encoder.json; a reader refuses other versions."""

_MOST_TOKENS = 100_000


@dataclass(frozen=True)
class Head:
    """One linear head: its finding and its number of outputs, one of `HEAD_SIZES`.

    The classes of a head of 4 or 2 are the `State`s of these numbers, in order.
    """

    finding: str
    classes: int

    @property
    def states(self) -> tuple[State, ...]:
        """The state of each class; of a head of 1, the state its logit is for."""
        return (State.POSITIVE,) if self.classes == 1 else tuple(State)[: self.classes]


@dataclass(frozen=True)
class LogReg:
    """One logistic regression per finding on the probabilities of all `inputs` (VisualCheXbert, section 4.6).

    `coefficients` has one row per finding in the order of `inputs`.
    """

    inputs: tuple[str, ...]
    findings: tuple[str, ...]
    coefficients: tuple[tuple[float, ...], ...]
    intercepts: tuple[float, ...]

    def log_odds(self, probabilities_NK: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Log odds of positive, float64 [N, F], from probabilities of positive [N, K] in the order of `inputs`."""
        values_NK = np.asarray(probabilities_NK, dtype=np.float64)
        return np.asarray(values_NK @ np.array(self.coefficients).T + np.array(self.intercepts))

    def apply(self, probabilities_NK: npt.ArrayLike) -> npt.NDArray[np.int8]:
        """0/1, int8 [N, F]; 1 is a probability above 0.5, as scikit-learn's `predict` has it."""
        return (self.log_odds(probabilities_NK) > 0).astype(np.int8)


@dataclass(frozen=True)
class EncoderSpec:
    """The heads of a report encoder in order, and how text goes in and labels come out.

    `text` is a mode of `text.bert_text.TEXT_MODES`, `max_tokens` the longest input with its special tokens;
    what has more than `window_tokens`, or `max_tokens` without it, is read in windows of that size.
    Optional: `temperatures`, one per head, by which logits are divided; `thresholds`, finding -> probability from
    which on it is positive; `logreg`, the mapping over all probabilities.
    """

    kind: str
    vocabulary: str
    heads: tuple[Head, ...]
    text: str = FOLDED
    max_tokens: int = 512
    window_tokens: int | None = None
    temperatures: tuple[float, ...] | None = None
    thresholds: Mapping[str, float] | None = None
    logreg: LogReg | None = None

    def __post_init__(self) -> None:
        _check(self)

    @cached_property
    def findings(self) -> tuple[str, ...]:
        """The finding of each head, in order."""
        return tuple(head.finding for head in self.heads)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """The number of outputs of each head, in order."""
        return tuple(head.classes for head in self.heads)

    @property
    def outputs(self) -> int:
        """C: the number of logits of one text."""
        return sum(self.sizes)

    @cached_property
    def columns(self) -> tuple[slice, ...]:
        """Where each head's logits stand among the C columns."""
        ends = np.cumsum(self.sizes).tolist()
        return tuple(slice(end - size, end) for end, size in zip(ends, self.sizes, strict=True))

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values; `from_json` gives the same spec back."""
        fields: dict[str, Any] = {
            "kind": self.kind,
            "vocabulary": self.vocabulary,
            "heads": [{"finding": head.finding, "classes": head.classes} for head in self.heads],
            "text": self.text,
            "max_tokens": self.max_tokens,
        }
        if self.window_tokens is not None:
            fields["window_tokens"] = self.window_tokens
        if self.temperatures is not None:
            fields["temperatures"] = list(self.temperatures)
        if self.thresholds is not None:
            fields["thresholds"] = dict(self.thresholds)
        if self.logreg is not None:
            fields["logreg"] = {
                "inputs": list(self.logreg.inputs),
                "findings": list(self.logreg.findings),
                "coefficients": [list(row) for row in self.logreg.coefficients],
                "intercepts": list(self.logreg.intercepts),
            }
        return fields

    @classmethod
    def from_json(cls, fields: Mapping[str, Any] | str, *, where: str = "the spec") -> EncoderSpec:
        """The spec that `to_json` gave, as a mapping or as JSON text.

        Raises InputError, with `where` and the field, for a field that is missing, unknown or of a wrong form.
        """
        values = spec_fields(parsed(fields, where, required=REQUIRED, optional=OPTIONAL), where)
        values["heads"] = tuple(Head(*head) for head in values["heads"])
        if "logreg" in values:
            values["logreg"] = LogReg(*values["logreg"])
        try:
            return cls(**values)
        except InputError as error:
            raise InputError(f"{where}: {error}") from error


def chexbert_spec() -> EncoderSpec:
    """CheXbert: a head of 4 per finding, of 2 for the one that is never negative; its own column order.

    Source: Smit et al. 2020, section 3.2; order of CONDITIONS in src/constants.py of the public program.
    """
    return _spec("chexpert14", CHEXBERT, COLUMN_ORDERS["chexbert"])


def visualchexbert_spec() -> EncoderSpec:
    """VisualCheXbert: a head of 1 per finding, in CheXbert's order (src/constants.py of the public program)."""
    return _spec("chexpert14", VISUALCHEXBERT, COLUMN_ORDERS["chexbert"])


def spec_for(vocabulary: str | Vocabulary, kind: str = MINI) -> EncoderSpec:
    """Heads for all findings of a shipped vocabulary: of 1 for the kind visualchexbert, else of 4 and 2.

    The order is CheXbert's for the kinds chexbert and visualchexbert, else the vocabulary's.
    """
    known = vocabulary if isinstance(vocabulary, Vocabulary) else _vocabulary(vocabulary)
    order = COLUMN_ORDERS["chexbert"] if kind in (CHEXBERT, VISUALCHEXBERT) else known.names
    fits = set(order) == set(known.names)
    return _spec(known.name, kind, order if fits else known.names)


def _spec(vocabulary: str, kind: str, order: Sequence[str]) -> EncoderSpec:
    none = _vocabulary(vocabulary).no_finding
    sizes = [1 if kind == VISUALCHEXBERT else 2 if name == none else 4 for name in order]
    heads = tuple(Head(name, size) for name, size in zip(order, sizes, strict=True))
    return EncoderSpec(kind, vocabulary, heads)


def _vocabulary(name: str) -> Vocabulary:
    if name not in SHIPPED:
        raise UnknownNameError("vocabulary", name, SHIPPED)
    return SHIPPED[name]


def _check(spec: EncoderSpec) -> None:
    """Raises InputError for a spec that contradicts itself."""
    if spec.kind not in KINDS:
        raise InputError(f"There is no kind of encoder {spec.kind!r}. Known: {', '.join(KINDS)}.")
    check_vocabulary(spec.vocabulary)
    names = SHIPPED[spec.vocabulary].names
    check_findings("heads", spec.findings, names)
    wrong = [head for head in spec.heads if head.classes not in HEAD_SIZES]
    if wrong:
        raise InputError(
            f"The head of {wrong[0].finding!r} has {wrong[0].classes} classes; allowed: 1, 2 or 4."
        )
    if spec.text not in TEXT_MODES:
        raise InputError(f"There is no text mode {spec.text!r}. Known: {', '.join(TEXT_MODES)}.")
    if not 3 <= spec.max_tokens <= _MOST_TOKENS:
        raise InputError(f"max_tokens is {spec.max_tokens}; allowed: 3 to {_MOST_TOKENS}.")
    if spec.window_tokens is not None and not 3 <= spec.window_tokens <= spec.max_tokens:
        raise InputError(
            f"window_tokens is {spec.window_tokens}; allowed: 3 to max_tokens, {spec.max_tokens}."
        )
    check_calibration(spec.temperatures, spec.thresholds, spec.findings, each="head")
    if spec.logreg is not None:
        _check_logreg(spec.logreg, spec.findings)


def _check_logreg(logreg: LogReg, findings: Sequence[str]) -> None:
    check_findings("logreg inputs", logreg.inputs, findings)
    check_findings("logreg findings", logreg.findings, findings)
    rows, columns = len(logreg.findings), len(logreg.inputs)
    shaped = len(logreg.coefficients) == len(logreg.intercepts) == rows
    if not shaped or any(len(row) != columns for row in logreg.coefficients):
        raise InputError(f"logreg must have {rows} rows of {columns} coefficients and {rows} intercepts.")
    if not all(math.isfinite(v) for row in (*logreg.coefficients, logreg.intercepts) for v in row):
        raise InputError("logreg has a coefficient that is not finite.")
