"""How well scores rank the truth: ROC and precision-recall curves, areas, and Youden's threshold.

The rule of prediction is `score >= threshold`. Rows whose truth is LEFT_OUT are not used. Needs scikit-learn
(extra `study`).
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError, MissingExtraError
from hilum.core.matrix import LEFT_OUT

Floats = npt.NDArray[np.float64]


class Curve(NamedTuple):
    """Points of a curve and the threshold of each, three float64 arrays of one length.

    An infinite threshold is the point where nothing is predicted positive.
    """

    x: Floats
    y: Floats
    thresholds: Floats


class Threshold(NamedTuple):
    """A threshold, and sensitivity and specificity of `score >= value`."""

    value: float
    sensitivity: float
    specificity: float


def roc(truth_N: npt.ArrayLike, score_N: npt.ArrayLike) -> Curve:
    """ROC curve: x is 1 - specificity, y sensitivity, from (0, 0) to (1, 1); points on straight lines left out.

    Raises InputError when the truth has no positive or no negative.
    """
    truth, score = _checked(truth_N, score_N)
    x, y, thresholds = _sklearn().roc_curve(truth, score)
    return Curve(x, y, np.asarray(thresholds, dtype=np.float64))


def precision_recall(truth_N: npt.ArrayLike, score_N: npt.ArrayLike) -> Curve:
    """Precision-recall curve: x is recall falling from 1 to 0, y precision; the last point is (0, 1) by rule.

    Raises InputError when the truth has no positive or no negative.
    """
    truth, score = _checked(truth_N, score_N)
    y, x, thresholds = _sklearn().precision_recall_curve(truth, score)
    return Curve(x, y, np.append(np.asarray(thresholds, dtype=np.float64), np.inf))


def auroc(truth_N: npt.ArrayLike, score_N: npt.ArrayLike) -> float:
    """Area under the ROC curve, 0 to 1, 0.5 by chance. Raises InputError when the truth has one class only."""
    truth, score = _checked(truth_N, score_N)
    return float(_sklearn().roc_auc_score(truth, score))


def average_precision(truth_N: npt.ArrayLike, score_N: npt.ArrayLike) -> float:
    """Mean of precision weighted by the steps of recall, 0 to 1; by chance the share of positives.

    Raises InputError when the truth has one class only.
    """
    truth, score = _checked(truth_N, score_N)
    return float(_sklearn().average_precision_score(truth, score))


def youden_threshold(truth_N: npt.ArrayLike, score_N: npt.ArrayLike) -> Threshold:
    """The score that makes sensitivity + specificity - 1 largest (Youden 1950); of equal ones the highest.

    The threshold is always one of the scores. Raises InputError when the truth has one class only.
    """
    truth, score = _checked(truth_N, score_N)
    values, last = np.unique(-score, return_index=False, return_inverse=True)
    hits = np.cumsum(np.bincount(last, weights=truth)).astype(np.int64)
    false = np.cumsum(np.bincount(last, weights=1 - truth)).astype(np.int64)
    positives, negatives = int(hits[-1]), int(false[-1])
    best = int(np.argmax(hits * negatives - false * positives))
    return Threshold(
        float(-values[best]), float(hits[best]) / positives, float(negatives - false[best]) / negatives
    )


def _checked(truth_N: npt.ArrayLike, score_N: npt.ArrayLike) -> tuple[npt.NDArray[np.int64], Floats]:
    given, score = np.asarray(truth_N), np.asarray(score_N, dtype=np.float64)
    if given.ndim != 1 or given.shape != score.shape:
        raise InputError(
            f"Truth and scores must be two lists of one length, got {given.shape} and {score.shape}."
        )
    if not np.isin(given, (LEFT_OUT, 0, 1)).all():
        raise InputError(
            f"The truth may be 0, 1 and {LEFT_OUT} (left out), got {np.unique(given)[:8].tolist()}."
        )
    kept = given != LEFT_OUT
    truth, score = given[kept].astype(np.int64), score[kept]
    if not np.isfinite(score).all():
        raise InputError(
            f"{int((~np.isfinite(score)).sum())} of {len(score)} scores are empty or infinite; "
            "leave those studies out or give them a score."
        )
    for what, number in (("positive", int(truth.sum())), ("negative", int((1 - truth).sum()))):
        if number == 0:
            raise InputError(
                f"The truth has no {what} among {len(truth)} studies, so nothing can be ranked. "
                "Next step: leave this finding out."
            )
    return truth, score


def _sklearn() -> ModuleType:
    try:
        return import_module("sklearn.metrics")
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "study") from error
