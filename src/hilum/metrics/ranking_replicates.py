"""AUROC and average precision of all bootstrap replicates at once (what `ranking` gives for one)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def auroc_replicates(truth_N: npt.ArrayLike, score_N: npt.ArrayLike, weights_BN: Floats) -> Floats:
    """AUROC of each replicate, float64 [B]; NaN where a replicate has one class only.

    The share of pairs of a positive and a negative in which the positive has the higher score, ties as half
    (Hanley and McNeil 1982), each study counted `weights_BN` times. `truth_N` is 0 or 1.
    """
    positive_BG, negative_BG = _by_score(truth_N, score_N, weights_BN)
    below_BG = np.cumsum(negative_BG, axis=1) - negative_BG
    pairs_B = positive_BG.sum(axis=1) * negative_BG.sum(axis=1)
    won_B = (positive_BG * (below_BG + negative_BG / 2)).sum(axis=1)
    return _ratio(won_B, pairs_B)


def average_precision_replicates(
    truth_N: npt.ArrayLike, score_N: npt.ArrayLike, weights_BN: Floats
) -> Floats:
    """Average precision of each replicate, float64 [B]; NaN where a replicate has no positive.

    Sum over thresholds of precision there times the step of recall, as scikit-learn's; `truth_N` is 0 or 1.
    """
    positive_BG, negative_BG = (part[:, ::-1] for part in _by_score(truth_N, score_N, weights_BN))
    hits_BG = np.cumsum(positive_BG, axis=1)
    called_BG = hits_BG + np.cumsum(negative_BG, axis=1)
    precision_BG = np.divide(hits_BG, called_BG, out=np.zeros_like(hits_BG), where=called_BG > 0)
    total_B = hits_BG[:, -1]
    area_B = (precision_BG * positive_BG).sum(axis=1)
    return _ratio(area_B, total_B)


def _ratio(part_B: Floats, whole_B: Floats) -> Floats:
    return np.asarray(np.divide(part_B, whole_B, out=np.full(len(whole_B), np.nan), where=whole_B > 0))


def _by_score(truth_N: npt.ArrayLike, score_N: npt.ArrayLike, weights_BN: Floats) -> tuple[Floats, Floats]:
    """Weights of positives and of negatives per distinct score, lowest first, each float64 [B, G]."""
    truth, score = np.asarray(truth_N), np.asarray(score_N, dtype=np.float64)
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=-np.inf) > 0)
    sorted_BN, positive_N = weights_BN[:, order], (truth[order] == 1).astype(np.float64)
    return (
        np.add.reduceat(sorted_BN * positive_N, starts, axis=1),
        np.add.reduceat(sorted_BN * (1 - positive_N), starts, axis=1),
    )
