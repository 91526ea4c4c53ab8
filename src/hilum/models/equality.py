"""How far two ways to work out the same encoder give the same labels. NumPy alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError
from hilum.core.vocabulary import State
from hilum.models.encoder_spec import EncoderSpec

NEAR = 1e-4
"""Logits of the two best classes that differ by less are a tie, which float noise may decide."""

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Equality:
    """Shares of labels that two predictions of S sequences have in common; None where there was none to compare.

    `labels` is over all S x F, `said` over those of which either side says anything but blank, `reports` over
    sequences with all labels equal. `least` and `least_finding` are the worst finding. `clear_differences` counts
    labels that differ although the reference's two best classes are more than `NEAR` apart.
    """

    sequences: int
    labels: float | None
    reports: float | None
    said: float | None
    said_labels: int
    least: float | None
    least_finding: str | None
    clear_differences: int
    largest_difference: float

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return asdict(self)


def states(logits_SC: Floats, spec: EncoderSpec) -> npt.NDArray[np.int8]:
    """The state of each head, int8 [S, F], by its best class; of a head of 1 POSITIVE from its threshold on."""
    found = [_by_head(logits_SC[:, columns], spec, i) for i, columns in enumerate(spec.columns)]
    return np.stack(found, axis=1) if found else np.zeros((len(logits_SC), 0), dtype=np.int8)


def margins(logits_SC: Floats, spec: EncoderSpec) -> npt.NDArray[np.float64]:
    """How far the two best classes of each head are apart, float64 [S, F]; of a head of 1, from its threshold."""
    found = np.empty((len(logits_SC), len(spec.heads)))
    for i, columns in enumerate(spec.columns):
        part = np.sort(logits_SC[:, columns].astype(np.float64), axis=1)
        single = spec.heads[i].classes == 1
        found[:, i] = np.abs(part[:, 0] - _bound(spec, i)) if single else part[:, -1] - part[:, -2]
    return found


def label_equality(reference_SC: Floats, other_SC: Floats, spec: EncoderSpec) -> Equality:
    """What two predictions of the same sequences have in common.

    Raises InputError when they are not of the same shape.
    """
    if reference_SC.shape != other_SC.shape:
        raise InputError(f"Predictions of {reference_SC.shape} and {other_SC.shape} cannot be compared.")
    a_SF, b_SF = states(reference_SC, spec), states(other_SC, spec)
    same_SF = a_SF == b_SF
    said_SF = (a_SF != State.BLANK) | (b_SF != State.BLANK)
    by_finding = same_SF.mean(axis=0) if same_SF.size else np.zeros(0)
    worst = int(by_finding.argmin()) if by_finding.size else None
    return Equality(
        sequences=len(a_SF),
        labels=_share(same_SF),
        reports=_share(same_SF.all(axis=1)),
        said=_share(same_SF[said_SF]),
        said_labels=int(said_SF.sum()),
        least=None if worst is None else float(by_finding[worst]),
        least_finding=None if worst is None else spec.findings[worst],
        clear_differences=int((~same_SF & (margins(reference_SC, spec) > NEAR)).sum()),
        largest_difference=float(np.abs(reference_SC - other_SC).max(initial=0)),
    )


def _share(same: npt.NDArray[np.bool_]) -> float | None:
    return float(same.mean()) if same.size else None


def _by_head(logits_SK: Floats, spec: EncoderSpec, place: int) -> npt.NDArray[np.int8]:
    head = spec.heads[place]
    if head.classes == 1:
        positive = logits_SK[:, 0] >= _bound(spec, place)
        return np.where(positive, State.POSITIVE, State.BLANK).astype(np.int8)
    return np.asarray(np.array(head.states, dtype=np.int8)[logits_SK.argmax(axis=1)])


def _bound(spec: EncoderSpec, place: int) -> float:
    """The logit from which on a head of 1 is positive."""
    chance = (spec.thresholds or {}).get(spec.findings[place], 0.5)
    with np.errstate(divide="ignore"):
        return float(np.log(chance) - np.log1p(-chance))
