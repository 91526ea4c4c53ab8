"""Odds ratios by logistic regression with an L1 penalty, with all that can go wrong named per column."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError, MissingExtraError
from hilum.stats._odds_checks import independent_columns, separated_columns
from hilum.stats._threads import one_thread

Array = npt.NDArray[np.float64]
Status = Literal["estimated", "zero", "separated", "constant", "collinear", "no interval", "not converged"]
"""What became of a column; only an estimated one has an interval and a P value that mean what they say."""

_ZERO = 1e-4  # statsmodels' size_trim_tol: SLSQP ends near 0, not at it
_KKT = 0.03  # statsmodels' qc_tol, there in units of the slope
_SINGULAR = 1e12


class OddsRatio(NamedTuple):
    """One column. `odds_ratio`, `low`, `high` and `p` are NaN where `status` and `note` say why.

    `n` rows have the column (a value other than 0), `n_positive` of them are of class 1. `crude_p`, for a
    separated column, is Fisher's exact test of these counts, which knows nothing of the other columns.
    """

    name: str
    status: Status
    n: int
    n_positive: int
    odds_ratio: float = math.nan
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    note: str = ""
    crude_p: float = math.nan


@dataclass(frozen=True)
class OddsRatios:
    """Odds ratios of all columns for one outcome, in the order given, and what is needed to read them.

    `rows` is one OddsRatio per column; `n` and `positives` count the rows of the fit and those of class 1.
    """

    rows: tuple[OddsRatio, ...]
    intercept: float
    alpha: float
    level: float
    n: int
    positives: int
    converged: bool
    notes: tuple[str, ...]

    def row(self, name: str) -> OddsRatio:
        """The column called `name`. Raises KeyError when there is none."""
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(name)

    def shown(self, *, p_below: float = 0.05) -> tuple[OddsRatio, ...]:
        """Columns that are estimated with P below `p_below`: those of VisualCheXbert's Figure 2."""
        return tuple(row for row in self.rows if row.status == "estimated" and row.p < p_below)


@one_thread()
def odds_ratios(
    X_NK: npt.ArrayLike,
    y_N: npt.ArrayLike,
    *,
    names: Sequence[str],
    alpha: float = 0.5,
    level: float = 0.95,
    max_iter: int = 1000,
) -> OddsRatios:
    """exp(coefficients) of the columns of X for y = 1, with P values and intervals (VisualCheXbert, 4.3).

    Minimises -log likelihood + alpha * sum |coefficient| (statsmodels `Logit.fit_regularized(method="l1")`).
    The intercept is not penalised: the paper does not say, and a penalty on it would shrink every odds
    towards 1:1. P values are two-sided and intervals Wald's, both normal, from the information matrix at the
    penalised estimate over the coefficients that are not 0. The paper names a t test; with hundreds of rows
    the two agree. Neither accounts for the choice that the penalty makes (Hastie, Tibshirani and Wainwright
    2015, chapter 6), so they describe and do not prove.

    What is said per column, never done silently: `constant` and `collinear` columns are left out of the fit
    and have no odds ratio; `zero` was set to 0 by the penalty (odds ratio 1, no interval); `separated` has an
    estimate that is finite only because of the penalty (Albert and Anderson 1984), found by linear
    programming (Konis 2007), and gets neither interval nor P value, but Fisher's exact test of its counts;
    `no interval` where the information matrix is singular; `not converged` where the conditions of a minimum
    do not hold at the end.

    Raises InputError for one class only, values that are not finite, or shapes that do not fit.
    """
    if not (alpha > 0 and 0 < level < 1):
        raise InputError(f"alpha must be above 0 and level between 0 and 1, got {alpha} and {level}.")
    X, y = _checked(X_NK, y_N, names)
    kept = independent_columns(X, names)
    design = np.column_stack([np.ones(len(y)), X[:, kept.places]])
    separated, complete = separated_columns(design, y)
    beta, converged = _penalised(design, y, alpha=alpha, max_iter=max_iter)
    errors = _standard_errors(design, beta)
    at = {place: number for number, place in enumerate(kept.places, start=1)}
    rows = []
    for place, name in enumerate(names):
        counted = _counted(name, X[:, place], y)
        if place in kept.dropped:
            status, note = kept.dropped[place]
            rows.append(counted._replace(status=status, note=note))
        elif not converged:
            rows.append(counted._replace(status="not converged", note="the fit did not converge"))
        elif separated[at[place]]:
            rows.append(_apart(counted, float(beta[at[place]]), X[:, place], y))
        else:
            rows.append(_estimated(counted, float(beta[at[place]]), float(errors[at[place]]), level=level))
    notes = _notes(rows, converged=converged, complete=complete)
    return OddsRatios(tuple(rows), float(beta[0]), alpha, level, len(y), int(y.sum()), converged, notes)


def _checked(X_NK: npt.ArrayLike, y_N: npt.ArrayLike, names: Sequence[str]) -> tuple[Array, Array]:
    X, y = np.asarray(X_NK, dtype=np.float64), np.asarray(y_N)
    if X.ndim != 2 or y.shape != X.shape[:1] or len(names) != X.shape[1]:
        raise InputError(
            f"X must be [rows, columns], y [rows] and names one per column, got {X.shape}, {y.shape} and "
            f"{len(names)} names."
        )
    if len(set(names)) != len(names):
        raise InputError("Two columns have the same name. Next step: give each column a name of its own.")
    if not np.isfinite(X).all():
        raise InputError("X has values that are NaN or infinite. Next step: leave those rows out.")
    if not np.isin(y, (0, 1)).all():
        raise InputError(f"y must be 0 or 1, got {np.unique(y).tolist()[:5]}. Next step: leave others out.")
    ones = int(np.count_nonzero(y))
    if ones in (0, len(y)):
        raise InputError(
            f"Odds ratios need rows of both classes, got {ones} of class 1 and {len(y) - ones} of class 0. "
            f"Next step: leave this finding out."
        )
    return X, y.astype(np.float64)


def _penalised(design: Array, y: Array, *, alpha: float, max_iter: int) -> tuple[Array, bool]:
    """The penalised coefficients, and whether they are a minimum."""
    try:
        from statsmodels.discrete.discrete_model import Logit  # noqa: PLC0415 - optional package
    except ImportError as error:
        raise MissingExtraError("statsmodels", "study") from error
    penalty = np.full(design.shape[1], alpha)
    penalty[0] = 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # whether it converged is checked below, for each column
        fitted = Logit(y, design).fit_regularized(
            method="l1", alpha=penalty, maxiter=max_iter, disp=0, trim_mode="size", size_trim_tol=_ZERO
        )
    beta = np.asarray(fitted.params, dtype=np.float64)
    return beta, bool(np.isfinite(beta).all()) and _is_minimum(design, y, beta, penalty)


def _is_minimum(design: Array, y: Array, beta: Array, penalty: Array) -> bool:
    """The conditions of Karush, Kuhn and Tucker, to a small part of the score's standard deviation."""
    chance = _logistic(design @ beta)
    slope = design.T @ (y - chance)
    spread = np.sqrt((design**2).T @ (chance * (1 - chance)))
    off = np.where(beta != 0, np.abs(slope - penalty * np.sign(beta)), np.maximum(np.abs(slope) - penalty, 0))
    return bool((off <= _KKT * np.maximum(spread, 1)).all())


def _standard_errors(design: Array, beta: Array) -> Array:
    """Standard errors of the coefficients that are not 0; NaN for the others and for a singular matrix."""
    errors = np.full(len(beta), np.nan)
    fitted = np.flatnonzero(beta != 0)
    if not len(fitted):
        return errors
    chance = _logistic(design @ beta)
    chosen = design[:, fitted]
    information = chosen.T @ (chosen * (chance * (1 - chance))[:, None])
    if not np.isfinite(information).all() or np.linalg.cond(information) > _SINGULAR:
        return errors
    errors[fitted] = np.sqrt(np.diag(np.linalg.inv(information)))
    return errors


def _logistic(log_odds: Array) -> Array:
    return 1 / (1 + np.exp(-np.clip(log_odds, -700, 700)))


def _counted(name: str, column: Array, y: Array) -> OddsRatio:
    has = column != 0
    return OddsRatio(name, "estimated", int(has.sum()), int(y[has].sum()))


def _apart(counted: OddsRatio, b: float, column: Array, y: Array) -> OddsRatio:
    from scipy.stats import fisher_exact  # noqa: PLC0415 - optional package

    has = column != 0
    counts = [[int((has & (y == c)).sum()), int((~has & (y == c)).sum())] for c in (1, 0)]
    why = "with others, tells some rows apart completely"
    if 0 in counts[0] or 0 in counts[1]:
        why = "its rows, or the rows without it, are of one class"
    status: Status = "separated" if b else "zero"
    end = "finite only by the penalty" if b else "set to 0 by the penalty"
    return counted._replace(
        status=status,
        odds_ratio=math.exp(b),
        note=f"{why}: {end}",
        crude_p=float(fisher_exact(counts).pvalue),
    )


def _estimated(counted: OddsRatio, b: float, error: float, *, level: float) -> OddsRatio:
    from scipy.stats import norm  # noqa: PLC0415 - optional package

    if b == 0:
        return counted._replace(status="zero", odds_ratio=1.0, note="set to 0 by the penalty")
    if not math.isfinite(error):
        note = "the information matrix is singular"
        return counted._replace(status="no interval", odds_ratio=math.exp(b), note=note)
    reach = float(norm.ppf((1 + level) / 2)) * error
    p = float(2 * norm.sf(abs(b) / error))
    return counted._replace(odds_ratio=math.exp(b), low=math.exp(b - reach), high=math.exp(b + reach), p=p)


def _notes(rows: Sequence[OddsRatio], *, converged: bool, complete: bool) -> tuple[str, ...]:
    notes = []
    if not converged:
        notes.append("The fit did not converge: no odds ratio is given.")
    if complete:
        notes.append("The columns together tell the two classes apart completely.")
    words: dict[Status, str] = {
        "separated": "finite only by the penalty, so without interval and P value",
        "no interval": "without interval, since the information matrix is singular",
        "zero": "set to 0 by the penalty",
        "collinear": "left out, since columns before them say the same",
        "constant": "left out, since they are the same in every row",
    }
    for status, text in words.items():
        named = [row.name for row in rows if row.status == status]
        if named:
            notes.append(f"{len(named)} of {len(rows)} columns {text}: {', '.join(named)}.")
    return tuple(notes)
