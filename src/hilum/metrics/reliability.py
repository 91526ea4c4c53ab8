"""Are probabilities honest: reliability by bins, calibration error, and the temperature that mends them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError
from hilum.core.matrix import LEFT_OUT

Floats = npt.NDArray[np.float64]

LOWEST, HIGHEST = 0.05, 20.0
"""Ends of the temperatures that are tried; separable logits would go to zero."""

_GOLDEN = (math.sqrt(5) - 1) / 2
_STEPS = 60


class Reliability(NamedTuple):
    """What was predicted and what came true, bin by bin, lowest first: three arrays of one length, no bin empty."""

    predicted: Floats
    happened: Floats
    rows: npt.NDArray[np.int64]


def reliability(truth_N: npt.ArrayLike, probability_N: npt.ArrayLike, *, bins: int = 10) -> Reliability:
    """Mean probability and share of positives in bins of equal width (DeGroot and Fienberg 1983).

    `truth_N` is 0, 1 or LEFT_OUT (not counted). Bins without rows are left out.
    """
    truth, probability = _known(truth_N, probability_N)
    bin_N = np.minimum((probability * bins).astype(np.intp), bins - 1)
    rows = np.bincount(bin_N, minlength=bins)
    used = rows > 0
    predicted = np.bincount(bin_N, weights=probability, minlength=bins)[used] / rows[used]
    happened = np.bincount(bin_N, weights=truth, minlength=bins)[used] / rows[used]
    return Reliability(predicted, happened, rows[used].astype(np.int64))


def calibration_error(truth_N: npt.ArrayLike, probability_N: npt.ArrayLike, *, bins: int = 10) -> float:
    """Mean distance of predicted and happened over bins, weighted by their rows; NaN without rows.

    Source: Guo et al. 2017, equation 3, for the probability of positive.
    """
    found = reliability(truth_N, probability_N, bins=bins)
    total = int(found.rows.sum())
    return float(np.abs(found.predicted - found.happened) @ found.rows / total) if total else math.nan


def log_loss(truth_N: npt.ArrayLike, log_odds_N: npt.ArrayLike, *, temperature: float = 1.0) -> float:
    """Mean negative log-likelihood of log odds divided by a temperature; NaN without rows."""
    truth, odds = _known(truth_N, log_odds_N)
    if not len(truth):
        return math.nan
    return float(np.logaddexp(0.0, np.where(truth == 1, -odds, odds) / temperature).mean())


def fit_temperature(truth_N: npt.ArrayLike, log_odds_N: npt.ArrayLike) -> float:
    """The number that log odds are divided by for the least log loss (Guo et al. 2017, section 4.2).

    Between LOWEST and HIGHEST. Raises InputError when the truth has one class only.
    """
    truth, odds = _known(truth_N, log_odds_N)
    if len(np.unique(truth)) < 2:
        raise InputError(
            "A temperature needs positives and negatives. Next step: leave this finding as it is."
        )
    return least_temperature(lambda t: log_loss(truth, odds, temperature=t))


def least_temperature(loss: Callable[[float], float]) -> float:
    """The temperature of the least loss, by golden sections of its logarithm: in 1/T the loss is convex."""
    low, high = math.log(LOWEST), math.log(HIGHEST)
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = loss(math.exp(left)), loss(math.exp(right))
    for _ in range(_STEPS):
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = loss(math.exp(left))
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = loss(math.exp(right))
    return math.exp((low + high) / 2)


def _known(truth_N: npt.ArrayLike, value_N: npt.ArrayLike) -> tuple[npt.NDArray[np.int64], Floats]:
    truth, value = np.asarray(truth_N), np.asarray(value_N, dtype=np.float64)
    if truth.ndim != 1 or truth.shape != value.shape:
        raise InputError(
            f"Truth and values must be two lists of one length, got {truth.shape}, {value.shape}."
        )
    kept = truth != LEFT_OUT
    return truth[kept].astype(np.int64), value[kept]
