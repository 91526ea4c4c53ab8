"""Tests of whether two labelers differ, and Holm's correction for several tests. Needs scipy (extra `study`)."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError, MissingExtraError, UnknownNameError
from hilum.core.matrix import LEFT_OUT

Floats = npt.NDArray[np.float64]

MCNEMAR_EXACT_BELOW = 25
"""`mcnemar(exact="auto")` is exact below this number of discordant pairs (Edwards 1948 as usually taught)."""


WILCOXON_METHODS = ("auto", "exact", "approx")
"""How `wilcoxon` finds its P value."""


class Test(NamedTuple):
    """Result of one two-sided test: its statistic, P value, the pairs that it used, and how it was worked out."""

    statistic: float
    p: float
    n: int
    method: str = ""


def paired_t(a: npt.ArrayLike, b: npt.ArrayLike) -> Test:
    """Student's paired t-test of a - b.

    Pairs with a NaN are left out; `n` says how many stayed. No difference anywhere gives statistic 0 and p 1;
    the same difference everywhere gives an infinite statistic and p 0. Raises InputError below 2 pairs.
    """
    difference = _differences(a, b, "A paired t-test")
    n = len(difference)
    if not difference.any():
        return Test(0.0, 1.0, n, "paired t, all differences 0")
    mean, deviation = float(difference.mean()), float(difference.std(ddof=1))
    if deviation == 0:
        return Test(float(np.copysign(np.inf, mean)), 0.0, n, "paired t, all differences equal")
    statistic = mean / (deviation / n**0.5)
    p = 2 * float(_scipy("special").stdtr(n - 1, -abs(statistic)))
    return Test(statistic, p, n, f"paired t, {n - 1} degrees of freedom")


def wilcoxon(
    a: npt.ArrayLike, b: npt.ArrayLike, *, method: Literal["auto", "exact", "approx"] = "auto"
) -> Test:
    """Wilcoxon's signed-rank test of a - b, zero differences left out (his own rule), no continuity correction.

    `auto` is exact up to 50 pairs when no difference is 0 or tied, else the normal approximation with
    correction for ties; `.method` says which. Differences equal to 12 decimals are tied. The statistic is the
    smaller rank sum. Pairs with a NaN are left out. No difference anywhere gives statistic 0 and p 1. Raises
    InputError below 2 pairs.
    """
    if method not in WILCOXON_METHODS:
        raise UnknownNameError("method of Wilcoxon's test", method, WILCOXON_METHODS)
    difference = np.round(_differences(a, b, "Wilcoxon's test"), 12)
    n = len(difference)
    if not difference.any():
        return Test(0.0, 1.0, n, "Wilcoxon, all differences 0")
    sizes = np.abs(difference)
    plain = n <= 50 and bool(np.all(sizes > 0)) and len(np.unique(sizes)) == n
    exact = plain if method == "auto" else method == "exact"
    stats = _scipy("stats")
    done = stats.wilcoxon(
        difference[difference != 0],
        zero_method="wilcox",
        correction=False,
        method="exact" if exact else "approx",
    )
    zeros = n - int(np.count_nonzero(difference))
    return Test(
        float(done.statistic),
        float(done.pvalue),
        n,
        f"Wilcoxon, {'exact' if exact else 'normal approximation'}"
        + (f", {zeros} zero left out" if zeros else ""),
    )


def mcnemar(
    correct_a_N: npt.ArrayLike, correct_b_N: npt.ArrayLike, *, exact: bool | Literal["auto"] = True
) -> Test:
    """McNemar's test (1947) of whether A is right as often as B on the same studies.

    Arrays say where each is right (0/1 or bool; LEFT_OUT in either leaves the study out). Exact: two-sided
    binomial, statistic the smaller discordant count; else chi square with continuity correction; `"auto"` is
    exact below 25 discordant pairs. `n` counts all compared studies; `discordant` gives the two counts.
    """
    if exact not in (True, False, "auto"):
        raise InputError(f"McNemar's test is exact=True, False or 'auto', got {exact!r}.")
    only_a, only_b, n = _discordant(correct_a_N, correct_b_N)
    pairs = only_a + only_b
    if pairs == 0:
        return Test(0.0, 1.0, n, "McNemar, no discordant study")
    if exact is True or (exact == "auto" and pairs < MCNEMAR_EXACT_BELOW):
        fewer = min(only_a, only_b)
        p = min(1.0, 2 * float(_scipy("stats").binom.cdf(fewer, pairs, 0.5)))
        return Test(float(fewer), p, n, "McNemar, exact binomial")
    statistic = (abs(only_a - only_b) - 1) ** 2 / pairs
    return Test(
        statistic,
        float(_scipy("stats").chi2.sf(statistic, 1)),
        n,
        "McNemar, chi square with continuity correction",
    )


def discordant(correct_a_N: npt.ArrayLike, correct_b_N: npt.ArrayLike) -> tuple[int, int]:
    """How many studies only A has right, and how many only B."""
    only_a, only_b, _ = _discordant(correct_a_N, correct_b_N)
    return only_a, only_b


def holm(ps: npt.ArrayLike) -> Floats:
    """P values adjusted for their number by Holm's step-down rule (1979), in the order given, at most 1.

    A NaN (a test that could not be made) stays NaN and does not count. Raises InputError outside 0 to 1.
    """
    given = np.asarray(ps, dtype=np.float64)
    if given.ndim != 1:
        raise InputError(f"Holm's rule takes a list of P values, got the shape {given.shape}.")
    if np.any((given < 0) | (given > 1)):
        raise InputError(f"P values lie between 0 and 1, got {given.tolist()}.")
    places = np.flatnonzero(~np.isnan(given))
    order = places[np.argsort(given[places], kind="stable")]
    adjusted = np.full(len(given), np.nan)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(given[order] * np.arange(len(order), 0, -1)))
    return adjusted


def _differences(a: npt.ArrayLike, b: npt.ArrayLike, what: str) -> Floats:
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.ndim != 1 or first.shape != second.shape:
        raise InputError(
            f"{what} needs two lists of one length, got the shapes {first.shape} and {second.shape}."
        )
    difference = first - second
    difference = difference[~np.isnan(difference)]
    if len(difference) < 2:
        raise InputError(
            f"{what} needs at least 2 pairs of defined values, got {len(difference)} of {len(first)}. "
            "Next step: compare over more findings."
        )
    return difference


def _discordant(correct_a_N: npt.ArrayLike, correct_b_N: npt.ArrayLike) -> tuple[int, int, int]:
    a, b = np.asarray(correct_a_N), np.asarray(correct_b_N)
    if a.ndim != 1 or a.shape != b.shape:
        raise InputError(
            f"McNemar's test needs the same studies twice, got the shapes {a.shape} and {b.shape}."
        )
    if not np.isin(np.concatenate([a, b]), (LEFT_OUT, 0, 1)).all():
        raise InputError(f"McNemar's test takes 0 (wrong), 1 (right) and {LEFT_OUT} (left out) only.")
    kept = (a != LEFT_OUT) & (b != LEFT_OUT)
    if not kept.any():
        raise InputError("McNemar's test needs at least 1 study that both labeled, got 0.")
    return int(np.sum((a == 1) & (b == 0) & kept)), int(np.sum((a == 0) & (b == 1) & kept)), int(kept.sum())


def _scipy(part: str) -> ModuleType:
    try:
        return import_module(f"scipy.{part}")
    except ImportError as error:
        raise MissingExtraError("scipy", "study") from error
