"""What the similar reports change: weighted F1 of each labeler before and after, resampled by patient together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hilum.analyses._labelers_inputs import shared_findings
from hilum.analyses._labelers_values import LEVELS, Compared, Resampled, scores
from hilum.analyses._retrieval_inputs import PRESETS, RetrievalStudy
from hilum.analyses._retrieval_labels import Labeled
from hilum.core.matrix import LEFT_OUT, LabelMatrix
from hilum.core.results import Estimate
from hilum.core.rng import rng_for
from hilum.stats.intervals import bootstrap, estimate, estimates

Floats = npt.NDArray[np.float64]
LEVEL = next(iter(LEVELS))
"""All certainty levels count, as in Table 1 of the LLM labeler paper."""


@dataclass(frozen=True, eq=False)
class Changes:
    """Gold and labels on shared findings, and the scores of every preset, before and after in turn."""

    compared: Compared
    names: tuple[str, ...]
    by_preset: Mapping[str, Resampled]
    told: tuple[str, ...]

    @property
    def findings(self) -> tuple[str, ...]:
        """The findings that are compared."""
        return self.compared.findings

    def pair(self, labeler: int) -> tuple[LabelMatrix, LabelMatrix]:
        """Labels of a labeler alone and with similar reports."""
        return self.compared.labelers[2 * labeler], self.compared.labelers[2 * labeler + 1]

    def average(self, preset: str, labeler: int) -> tuple[Estimate, Estimate, Estimate]:
        """Mean over the findings alone, with similar reports, and the change."""
        found = self.by_preset[preset]
        point, values = found.difference(2 * labeler + 1, 2 * labeler)
        return (
            estimate(*found.average(2 * labeler)),
            estimate(*found.average(2 * labeler + 1)),
            estimate(float(point[-1]), values[:, -1]),
        )

    def change(self, preset: str, labeler: int) -> tuple[Estimate, ...]:
        """The change per finding, and of their mean, last."""
        return estimates(*self.by_preset[preset].difference(2 * labeler + 1, 2 * labeler))


def measure(
    study: RetrievalStudy, gold: LabelMatrix, labeled: Sequence[Labeled], groups: Sequence[str]
) -> Changes:
    """Scores under each preset with bootstrap replicates of patients (`groups`, one per report).

    All labelers, before and after, are scored on the same resamples. Raises InputError when gold and labelers share
    no finding.
    """
    matrices = [matrix for one in labeled for matrix in (one.before, one.after)]
    findings, told = shared_findings(gold, matrices[::2], wanted=study.findings)
    truth = gold.select(findings)
    said = tuple(one.translated(truth.vocabulary).select(findings) for one in matrices)
    compared = Compared(truth, said)

    def statistic(weights_BN: Floats | None) -> Floats:
        parts = [scores(compared, preset=p, level=LEVEL, weights_BN=weights_BN) for p in PRESETS]
        return np.stack(parts, axis=-3)

    point_PLF = statistic(None)
    values_BPLF = bootstrap(
        statistic, len(truth), replicates=study.replicates, rng=rng_for(study.seed, "study-retrieval", "patients"),
        groups=groups,
    )  # fmt: skip
    by_preset = {
        preset: Resampled(LEVEL, point_PLF[place], values_BPLF[:, place])
        for place, preset in enumerate(PRESETS)
    }
    return Changes(compared, tuple(one.name for one in labeled), by_preset, tuple(told))


def moves(changes: Changes, labeler: int) -> tuple[int, ...]:
    """Cells of a labeler: compared, changed, right to wrong, wrong to right, wrong to otherwise wrong."""
    before, after = (one.states_NF for one in changes.pair(labeler))
    gold, counted = changes.compared.gold.states_NF, before != LEFT_OUT
    changed = counted & (before != after)
    was, now = before == gold, after == gold
    return (
        int(counted.sum()),
        int(changed.sum()),
        int((changed & was).sum()),
        int((changed & now).sum()),
        int((changed & ~was & ~now).sum()),
    )
