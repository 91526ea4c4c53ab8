"""AUROC and average precision of many findings at once, with bootstrap intervals by patient."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.core.matrix import LEFT_OUT
from hilum.core.results import Estimate
from hilum.metrics.labels import macro
from hilum.metrics.ranking_replicates import auroc_replicates, average_precision_replicates
from hilum.stats.intervals import bootstrap, estimate

Floats = npt.NDArray[np.float64]


class FindingRank(NamedTuple):
    """How well one finding is ranked; None where the truth has one class only."""

    finding: str
    positives: int
    negatives: int
    auroc: Estimate | None
    average_precision: Estimate | None


class Ranks(NamedTuple):
    """Each finding, and the means over the findings that have both classes (None when there is none)."""

    findings: tuple[FindingRank, ...]
    auroc: Estimate | None
    average_precision: Estimate | None


def auroc_by_finding(truth_NF: npt.ArrayLike, score_NF: npt.ArrayLike) -> tuple[Floats, Floats]:
    """AUROC and average precision of each finding, float64 [F] each; NaN where the truth has one class only.

    `truth_NF` is 0, 1 or LEFT_OUT (not counted). As `metrics.ranking`, without scikit-learn.
    """
    truth, score = np.asarray(truth_NF), np.asarray(score_NF, dtype=np.float64)
    values_2F = _replicates(truth, score, np.ones((1, len(truth))))[0]
    return values_2F[: truth.shape[1]], values_2F[truth.shape[1] :]


def rank_findings(
    truth_NF: npt.ArrayLike,
    score_NF: npt.ArrayLike,
    findings: Sequence[str],
    *,
    rng: np.random.Generator,
    groups: Sequence[object] | None = None,
    replicates: int = 1000,
    level: float = 0.95,
    progress: Callable[[int, int], None] | None = None,
) -> Ranks:
    """AUROC and average precision of each finding and their means, with percentile intervals.

    `groups` are patients: whole patients are drawn. A replicate in which a finding has one class only is not in its
    interval; the mean goes over the findings that a replicate has.
    """
    truth, score = np.asarray(truth_NF), np.asarray(score_NF, dtype=np.float64)
    width = len(findings)
    points = np.concatenate(auroc_by_finding(truth, score))
    values_BV = bootstrap(
        lambda weights_BN: _replicates(truth, score, weights_BN),
        len(truth),
        replicates=replicates,
        rng=rng,
        groups=groups,
        progress=progress,
    )
    ranks = tuple(
        FindingRank(
            name,
            int((truth[:, f] == 1).sum()),
            int((truth[:, f] == 0).sum()),
            _estimate(points[f], values_BV[:, f], level),
            _estimate(points[width + f], values_BV[:, width + f], level),
        )
        for f, name in enumerate(findings)
    )
    known = np.flatnonzero(~np.isnan(points[:width]))
    means = [_mean(points[start + known], values_BV[:, start + known], level) for start in (0, width)]
    return Ranks(ranks, *means)


def _estimate(point: float, values_B: Floats, level: float) -> Estimate | None:
    return None if math.isnan(point) else estimate(float(point), values_B, level=level)


def _mean(points_F: Floats, values_BF: Floats, level: float) -> Estimate | None:
    return estimate(float(points_F.mean()), macro(values_BF), level=level) if len(points_F) else None


def _replicates(truth_NF: npt.NDArray[np.generic], score_NF: Floats, weights_BN: Floats) -> Floats:
    """AUROC of each finding and then average precision of each, float64 [B, 2F]."""
    width = truth_NF.shape[1]
    found_BV = np.full((len(weights_BN), 2 * width), np.nan)
    for f in range(width):
        kept = truth_NF[:, f] != LEFT_OUT
        truth_N = truth_NF[kept, f]
        if len(np.unique(truth_N)) == 2:
            part = (truth_N, score_NF[kept, f], weights_BN[:, kept])
            found_BV[:, f] = auroc_replicates(*part)
            found_BV[:, width + f] = average_precision_replicates(*part)
    return found_BV
