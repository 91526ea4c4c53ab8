"""Logistic regression with an L2 penalty: one fit, and predictions for rows that were held out.

The settings are those of the LogReg Baseline of VisualCheXbert (section 4.5.2): L2, C = 1, 500 iterations, class
weights by inverse prevalence, leave-one-out. `odds_ratios`, with an L1 penalty, is that of its section 4.3.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError, MissingExtraError
from hilum.stats._odds import OddsRatio, OddsRatios, odds_ratios
from hilum.stats._threads import one_thread

__all__ = [
    "HeldOut",
    "LogisticFit",
    "OddsRatio",
    "OddsRatios",
    "cross_validate",
    "fit_logistic",
    "leave_one_out",
    "odds_ratios",
]

Array = npt.NDArray[np.float64]
Progress = Callable[[int, int], object]
"""Called with the number of fits done and of all fits."""


@dataclass(frozen=True, eq=False)
class LogisticFit:
    """A fitted model: log odds = intercept + X @ coefficients_K. `converged` is whether the solver said so."""

    intercept: float
    coefficients_K: Array
    converged: bool

    def log_odds(self, X_NK: npt.ArrayLike) -> Array:
        """Log odds of class 1 under the class weights of the fit, float64 [N]; above 0 is class 1."""
        return np.asarray(np.asarray(X_NK, dtype=np.float64) @ self.coefficients_K + self.intercept)


class HeldOut(NamedTuple):
    """Predictions for rows that the model which made them did not see.

    `predictions_N` int8 0/1, `log_odds_N` float64; `fits` models were fitted, of which `unconverged` stopped
    at the greatest number of iterations.
    """

    predictions_N: npt.NDArray[np.int8]
    log_odds_N: Array
    fits: int
    unconverged: int


class _Patterns(NamedTuple):
    """The distinct rows of (X, y), how often each occurs, and which one each row is."""

    X_PK: Array
    y_P: npt.NDArray[np.int8]
    count_P: Array
    of_N: npt.NDArray[np.intp]


@one_thread()
def fit_logistic(
    X_NK: npt.ArrayLike, y_N: npt.ArrayLike, *, C: float = 1.0, max_iter: int = 500
) -> LogisticFit:
    """Logistic regression with L2 penalty 1/(2C) on the coefficients and none on the intercept.

    Each row of class c counts n / (2 * n_c) ("balanced"), so that the log odds are those of a world in which
    both classes are equally frequent. Solver: scikit-learn's lbfgs, tolerance 1e-4. Identical rows are fitted
    as one with a weight, which changes nothing but the time.

    Raises InputError for one class only, values that are not finite, or shapes that do not fit.
    """
    patterns = _patterns(X_NK, y_N, least=1)
    return _fit(patterns, patterns.count_P, C=C, max_iter=max_iter)


@one_thread()
def leave_one_out(
    X_NK: npt.ArrayLike,
    y_N: npt.ArrayLike,
    *,
    C: float = 1.0,
    max_iter: int = 500,
    progress: Progress | None = None,
) -> HeldOut:
    """Each row predicted by `fit_logistic` on all other rows (VisualCheXbert, section 4.5.2).

    Rows with the same X and y leave the same rows behind, so there is one fit per distinct pair, not per row.
    Raises InputError as `fit_logistic` does, and when a class has a single row: without it one class is left.
    """
    patterns = _patterns(X_NK, y_N, least=2)
    total = len(patterns.y_P)
    log_odds_P = np.empty(total)
    unconverged = 0
    for place in range(total):
        weights = patterns.count_P.copy()
        weights[place] -= 1
        fit = _fit(patterns, weights, C=C, max_iter=max_iter)
        log_odds_P[place] = fit.log_odds(patterns.X_PK[place : place + 1])[0]
        unconverged += not fit.converged
        if progress:
            progress(place + 1, total)
    log_odds_N = log_odds_P[patterns.of_N]
    return HeldOut((log_odds_N > 0).astype(np.int8), log_odds_N, total, unconverged)


@one_thread()
def cross_validate(
    X_NK: npt.ArrayLike,
    y_N: npt.ArrayLike,
    *,
    folds: int,
    rng: np.random.Generator,
    C: float = 1.0,
    max_iter: int = 500,
    progress: Progress | None = None,
) -> HeldOut:
    """Each row predicted by `fit_logistic` on the other folds: what stands in for leave-one-out on many rows.

    Folds are drawn within each class, so that all have both. Raises InputError as `fit_logistic` does, and
    when a class has fewer rows than there are folds.
    """
    if folds < 2:
        raise InputError(f"folds must be 2 or more, got {folds}.")
    patterns = _patterns(X_NK, y_N, least=folds)
    y_of_N = patterns.y_P[patterns.of_N]
    fold_N = np.empty(len(y_of_N), dtype=np.intp)
    for label in (0, 1):
        rows = rng.permutation(np.flatnonzero(y_of_N == label))
        fold_N[rows] = np.arange(len(rows)) % folds
    log_odds_N = np.empty(len(y_of_N))
    unconverged = 0
    for fold in range(folds):
        held = fold_N == fold
        weights = np.bincount(patterns.of_N[~held], minlength=len(patterns.y_P)).astype(np.float64)
        fit = _fit(patterns, weights, C=C, max_iter=max_iter)
        log_odds_N[held] = fit.log_odds(patterns.X_PK)[patterns.of_N[held]]
        unconverged += not fit.converged
        if progress:
            progress(fold + 1, folds)
    return HeldOut((log_odds_N > 0).astype(np.int8), log_odds_N, folds, unconverged)


def _patterns(X_NK: npt.ArrayLike, y_N: npt.ArrayLike, *, least: int) -> _Patterns:
    X, y = np.asarray(X_NK, dtype=np.float64), np.asarray(y_N)
    if X.ndim != 2 or y.shape != X.shape[:1]:
        raise InputError(f"X must be [rows, columns] and y [rows], got {X.shape} and {y.shape}.")
    if not np.isfinite(X).all():
        raise InputError("X has values that are NaN or infinite. Next step: leave those rows out.")
    if not np.isin(y, (0, 1)).all():
        raise InputError(f"y must be 0 or 1, got {np.unique(y).tolist()[:5]}. Next step: leave others out.")
    ones = int(np.count_nonzero(y))
    if min(ones, len(y) - ones) < least:
        raise InputError(
            f"A regression needs {least} or more rows of each class, got {ones} of class 1 and "
            f"{len(y) - ones} of class 0. Next step: leave this finding out."
        )
    both, of_N, count = np.unique(np.column_stack([X, y]), axis=0, return_inverse=True, return_counts=True)
    return _Patterns(
        both[:, :-1], both[:, -1].astype(np.int8), count.astype(np.float64), np.asarray(of_N).reshape(-1)
    )


def _fit(patterns: _Patterns, weight_P: Array, *, C: float, max_iter: int) -> LogisticFit:
    try:
        from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415 - optional package
        from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "study") from error
    positive = patterns.y_P == 1
    ones, total = weight_P[positive].sum(), weight_P.sum()
    balanced_P = weight_P * np.where(positive, total / (2 * ones), total / (2 * (total - ones)))
    model = LogisticRegression(C=C, max_iter=max_iter)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(patterns.X_PK, patterns.y_P, sample_weight=balanced_P)
    unconverged = any(issubclass(w.category, ConvergenceWarning) for w in caught)
    return LogisticFit(float(model.intercept_[0]), model.coef_[0].astype(np.float64), not unconverged)
