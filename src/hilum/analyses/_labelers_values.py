"""What is measured of a labeler: weighted F1 under named presets, extraction F1, right and wrong cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from hilum.core.errors import UnknownNameError
from hilum.core.matrix import LabelMatrix
from hilum.core.rng import rng_for
from hilum.core.vocabulary import State
from hilum.metrics.labels import Confusion, confusion, extraction_f1, f1, macro, weighted_state_f1
from hilum.metrics.labels import weighted_f1 as weighted_task_f1
from hilum.stats.intervals import bootstrap, distinct_rows

Floats = npt.NDArray[np.float64]
States = npt.NDArray[np.int8]

PRESETS: Mapping[str, str] = MappingProxyType(
    {
        "blank-as-class": (
            "blank counts as a class: the F1 of each certainty level and of blank, one against the rest, "
            "averaged with the gold's counts as weights"
        ),
        "blank-excluded": (
            "blank is no class: the F1 of each certainty level, one against the rest (a blank beside a label "
            "is still a miss or a false alarm), averaged with the gold's counts of these levels as weights; "
            "as in CheXbert's public code"
        ),
        "task-mean": (
            "each certainty level is a yes-or-no task: the F1 of yes and of no averaged with the gold's counts "
            "as weights, then the plain mean of the tasks"
        ),
    }
)
"""Named readings of "weighted F1" (LLM labeler paper, Evaluation, which does not say how blank is counted)."""

TASKS: tuple[State, ...] = (State.POSITIVE, State.NEGATIVE, State.UNCERTAIN)
"""The three extraction tasks of the LLM labeler paper."""

LEVELS: Mapping[str, tuple[State, ...]] = MappingProxyType(
    {"all certainty levels": TASKS, "positive and negative only": TASKS[:2]}
)
"""Which certainty levels go into a weighted F1: those of Table 1 and those of Table 2 of that paper."""

BINARY = "F1 of positive labels"
"""The one score left when a policy has made 0/1 of all labels."""


@dataclass(frozen=True, eq=False)
class Compared:
    """Gold and labelers on the same rows and findings; `policy` is set when they are reduced to 0/1."""

    gold: LabelMatrix
    labelers: tuple[LabelMatrix, ...]
    policy: str | None = None

    @property
    def findings(self) -> tuple[str, ...]:
        """The findings of all of them, in the order of the gold file."""
        return self.gold.findings

    @property
    def names(self) -> tuple[str, ...]:
        """The labelers' names in the order they were given."""
        return tuple(labeler.source for labeler in self.labelers)

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Places of each pair of labelers, the earlier one first."""
        return tuple(combinations(range(len(self.labelers)), 2))

    def cells(self, matrix: LabelMatrix) -> States:
        """What is compared: states, or 0/1 under the policy; int8 [N, F]."""
        return matrix.states_NF if self.policy is None else matrix.binary(self.policy)

    def correct(self, labeler: int) -> npt.NDArray[np.bool_]:
        """Whether a labeler gives the gold's label, bool [N, F]."""
        return np.asarray(self.cells(self.labelers[labeler]) == self.cells(self.gold))

    def levels(self) -> tuple[str, ...]:
        """Names of the scores there are, the primary one first."""
        return (BINARY,) if self.policy is not None else tuple(LEVELS)


def weighted_f1(
    gold_NF: States,
    said_NF: States,
    *,
    preset: str,
    states: Sequence[State],
    weights_BN: Floats | None = None,
) -> Floats:
    """Weighted F1 per finding under a preset of `PRESETS`, float64 [F], or [B, F] with weights of rows.

    `states` are the certainty levels that count. NaN where the gold has none of them (and, for "task-mean",
    never). Raises UnknownNameError for another preset.
    """
    if preset not in PRESETS:
        raise UnknownNameError("preset", preset, PRESETS)
    if preset == "task-mean":
        tasks = [weighted_task_f1(extraction_f1(gold_NF, said_NF, s, weights_BN=weights_BN)) for s in states]
        return np.asarray(np.mean(tasks, axis=0), dtype=np.float64)
    counted = (State.BLANK, *states) if preset == "blank-as-class" else tuple(states)
    return weighted_state_f1(gold_NF, said_NF, counted, weights_BN=weights_BN)


def scores(compared: Compared, *, preset: str, level: str, weights_BN: Floats | None = None) -> Floats:
    """The score called `level` of every labeler and finding, float64 [L, F] or [B, L, F]."""
    gold_NF = compared.cells(compared.gold)
    said = [compared.cells(labeler) for labeler in compared.labelers]
    if compared.policy is not None:
        parts = [f1(confusion(gold_NF, said_NF, weights_BN=weights_BN)) for said_NF in said]
    else:
        parts = [
            weighted_f1(gold_NF, said_NF, preset=preset, states=LEVELS[level], weights_BN=weights_BN)
            for said_NF in said
        ]
    return np.stack(parts, axis=-2)


@dataclass(frozen=True, eq=False)
class Resampled:
    """One score of all labelers: `point_LF`, and `values_BLF` of the same score in B resamples of the rows."""

    level: str
    point_LF: Floats
    values_BLF: Floats

    @property
    def label(self) -> str:
        """What the score is, in words for headings and sentences."""
        return self.level if self.level == BINARY else f"weighted F1, {self.level}"

    def average(self, labeler: int, *, places: Sequence[int] | None = None) -> tuple[float, Floats]:
        """The mean over the findings (all, or those at `places`) that are defined, and its replicates [B]."""
        chosen = slice(None) if places is None else list(places)
        return float(macro(self.point_LF[labeler, chosen])), macro(self.values_BLF[:, labeler, chosen])

    def difference(self, first: int, second: int) -> tuple[Floats, Floats]:
        """Score of `first` minus that of `second` per finding, the mean of these last: [F + 1] and [B, F + 1].

        The mean goes over the findings where both are defined. Both come from the same resamples.
        """
        point_F = self.point_LF[first] - self.point_LF[second]
        values_BF = self.values_BLF[:, first] - self.values_BLF[:, second]
        return (
            np.append(point_F, macro(point_F)),
            np.concatenate([values_BF, macro(values_BF)[:, None]], axis=1),
        )


def resample(
    compared: Compared,
    *,
    preset: str,
    replicates: int,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Resampled, ...]:
    """Every score of `compared.levels()` with its bootstrap over the rows, all on the same resamples."""
    levels = compared.levels()
    matrices = (compared.gold, *compared.labelers)
    places, counts = distinct_rows(*(matrix.states_NF for matrix in matrices))
    kinds = replace(
        compared, gold=compared.gold.take(places), labelers=tuple(m.take(places) for m in compared.labelers)
    )

    def statistic(weights_BN: Floats) -> Floats:
        return np.stack(
            [scores(kinds, preset=preset, level=level, weights_BN=weights_BN) for level in levels], axis=1
        )

    values = bootstrap(
        statistic,
        len(places),
        replicates=replicates,
        rng=rng_for(seed, "study-labelers", "rows"),
        multiplicity=counts,
        progress=progress,
    )
    return tuple(
        Resampled(level, scores(compared, preset=preset, level=level), values[:, place])
        for place, level in enumerate(levels)
    )


def extraction(compared: Compared, state: State, labeler: int) -> Confusion:
    """Counts of one extraction task of one labeler: a state against the rest, or 1 against 0 under a policy; [F]."""
    gold_NF, said_NF = compared.cells(compared.gold), compared.cells(compared.labelers[labeler])
    if compared.policy is not None:
        return confusion(gold_NF, said_NF)
    return extraction_f1(gold_NF, said_NF, state)
