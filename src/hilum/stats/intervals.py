"""Intervals: bootstrap of whole tables at once, percentiles that say what was undefined, Wilson's interval.

A replicate is a row of weights: how often each study was drawn. A statistic that can be worked out from
weighted counts is then one matrix product for all replicates. The draws come from `rng` one replicate after
the other, so the result does not depend on how many replicates are held in memory at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError
from hilum.core.results import Estimate

Floats = npt.NDArray[np.float64]

CHUNK_CELLS = 8_000_000
"""Weights held at one time, 64 MB as float64; a statistic may need as much again."""


def resample_counts(
    n: int,
    *,
    replicates: int,
    rng: np.random.Generator,
    groups: Sequence[object] | npt.NDArray[np.generic] | None = None,
    multiplicity: npt.ArrayLike | None = None,
) -> Floats:
    """How often each of `n` rows is in each bootstrap replicate, float64 [replicates, n].

    `groups` (one id per row) draws whole groups, as many as there are: rows of one patient stay together
    (Davison and Hinkley 1997, section 3.8). `multiplicity` says that row i stands for that many equal rows
    (see `distinct_rows`); then their sum is drawn. Raises InputError when nothing can be drawn.
    """
    draw = _drawer(n, rng, groups, multiplicity)
    counts_BN = np.empty((replicates, n))
    for replicate in range(replicates):
        counts_BN[replicate] = draw()
    return counts_BN


def bootstrap(
    statistic: Callable[[Floats], npt.ArrayLike],
    n: int,
    *,
    replicates: int = 1000,
    rng: np.random.Generator,
    groups: Sequence[object] | npt.NDArray[np.generic] | None = None,
    multiplicity: npt.ArrayLike | None = None,
    chunk_cells: int = CHUNK_CELLS,
    progress: Callable[[int, int], None] | None = None,
) -> Floats:
    """Values of `statistic` on bootstrap replicates of `n` rows, float64 [replicates, ...].

    `statistic(weights_BN)` gives [B, ...] for any number of replicates. The same `rng` state gives the same
    bytes for any `chunk_cells` (rows x replicates held at once) as long as the statistic works on each
    replicate alone and sums whole weights. `groups` and `multiplicity` as in `resample_counts`;
    `progress(done, replicates)` is called after each chunk.
    """
    if replicates < 1:
        raise InputError(f"A bootstrap needs at least 1 replicate, got {replicates}; usual are 1000.")
    draw = _drawer(n, rng, groups, multiplicity)
    size = max(1, min(replicates, chunk_cells // n))
    weights_BN = np.empty((size, n))
    parts = []
    for start in range(0, replicates, size):
        chunk_BN = weights_BN[: min(size, replicates - start)]
        for row in chunk_BN:
            row[:] = draw()
        values = np.array(statistic(chunk_BN), dtype=np.float64)
        if values.ndim == 0 or len(values) != len(chunk_BN):
            raise InputError(
                f"The statistic gave the shape {values.shape} for {len(chunk_BN)} replicates; "
                "its first axis must be the replicates."
            )
        parts.append(values)
        if progress is not None:
            progress(start + len(chunk_BN), replicates)
    return np.concatenate(parts)


def distinct_rows(*arrays: npt.NDArray[np.generic]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int64]]:
    """Places of one row of each kind, and how many rows are equal to it in all `arrays` (all [N] or [N, F]).

    A bootstrap over these rows with `multiplicity` has the same distribution as one over all rows, and is far
    faster for millions of rows of a few kinds. The places are in ascending order.
    """
    table = np.concatenate([np.asarray(array).reshape(len(array), -1) for array in arrays], axis=1)
    _, places, counts = np.unique(table, axis=0, return_index=True, return_counts=True)
    order = np.argsort(places)
    return places[order], counts[order].astype(np.int64)


def percentile_interval(values_B: npt.ArrayLike, *, level: float = 0.95) -> tuple[Floats, Floats]:
    """Lower and upper percentile along axis 0 (Efron 1979), each of shape [...]; linear between replicates.

    Replicates where the statistic is NaN are ignored (`ignored_replicates` counts them, and a table should
    say so); both ends are NaN when all are.
    """
    _check_level(level)
    values = np.asarray(values_B, dtype=np.float64)
    if values.ndim == 0:
        raise InputError("An interval needs an axis of replicates, got one number.")
    ordered = np.sort(values, axis=0)  # NaN comes last
    defined = len(ordered) - ignored_replicates(ordered)
    return _percentile(ordered, defined, (1 - level) / 2), _percentile(ordered, defined, (1 + level) / 2)


def ignored_replicates(values_B: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """How many replicates (axis 0) are NaN and so not in the interval, int64 [...]."""
    return np.asarray(np.isnan(np.asarray(values_B, dtype=np.float64)).sum(axis=0), dtype=np.int64)


def estimate(point: float, values_B: npt.ArrayLike, *, level: float = 0.95) -> Estimate:
    """One value with the percentile interval of its replicates [B]; all NaN when the point is not defined."""
    if np.isnan(point):
        return Estimate(float("nan"), float("nan"), float("nan"))
    low, high = percentile_interval(values_B, level=level)
    if np.ndim(low):
        raise InputError(
            f"One value needs replicates of shape [B], got {np.shape(values_B)}; use estimates()."
        )
    return Estimate(float(point), float(low), float(high))


def estimates(
    points_F: npt.ArrayLike, values_BF: npt.ArrayLike, *, level: float = 0.95
) -> tuple[Estimate, ...]:
    """`estimate` of each of F values with its column of replicates."""
    points, values = np.asarray(points_F, dtype=np.float64), np.asarray(values_BF, dtype=np.float64)
    if points.ndim != 1 or values.ndim != 2 or values.shape[1] != len(points):
        raise InputError(f"{points.shape} values do not fit replicates of shape {values.shape}.")
    return tuple(estimate(float(point), values[:, place], level=level) for place, point in enumerate(points))


def wilson_interval(
    successes: npt.ArrayLike, n: npt.ArrayLike, *, level: float = 0.95
) -> tuple[Floats, Floats]:
    """Wilson's score interval (1927) of a proportion, two arrays of the common shape; NaN where n is 0.

    Raises InputError unless 0 <= successes <= n.
    """
    _check_level(level)
    hits, total = np.broadcast_arrays(np.asarray(successes, np.float64), np.asarray(n, np.float64))
    if not np.all((hits >= 0) & (hits <= total)):
        raise InputError(f"A proportion needs 0 <= successes <= n, got {hits.tolist()} of {total.tolist()}.")
    z = NormalDist().inv_cdf((1 + level) / 2)
    trials = np.where(total > 0, total, np.nan)
    share = hits / trials
    centre = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    low = np.where(hits == 0, trials * 0, centre - half)
    high = np.where(hits == total, trials * 0 + 1, centre + half)
    return np.asarray(low), np.asarray(high)


def _drawer(
    n: int,
    rng: np.random.Generator,
    groups: Sequence[object] | npt.NDArray[np.generic] | None,
    multiplicity: npt.ArrayLike | None,
) -> Callable[[], npt.NDArray[np.int64]]:
    if n < 1:
        raise InputError(f"A bootstrap needs at least 1 row, got {n}.")
    if groups is not None and multiplicity is not None:
        raise InputError("A bootstrap takes groups or multiplicity, not both.")
    if multiplicity is not None:
        return _multinomial(n, rng, np.asarray(multiplicity, dtype=np.float64))
    if groups is None:
        return lambda: np.bincount(rng.integers(n, size=n), minlength=n)
    group_N, number = _group_places(n, groups)
    return lambda: np.bincount(rng.integers(number, size=number), minlength=number)[group_N]


def _multinomial(n: int, rng: np.random.Generator, many_N: Floats) -> Callable[[], npt.NDArray[np.int64]]:
    whole = many_N.shape == (n,) and bool(np.all((many_N >= 0) & (many_N % 1 == 0)))
    if not whole or many_N.sum() < 1:
        raise InputError(
            f"Multiplicity must be {n} whole numbers from 0, not all 0; got the shape {many_N.shape}"
            f" and values from {np.min(many_N, initial=np.inf)}."
        )
    total = int(many_N.sum())
    shares = many_N / total
    return lambda: np.asarray(rng.multinomial(total, shares), dtype=np.int64)


def _group_places(
    n: int, groups: Sequence[object] | npt.NDArray[np.generic]
) -> tuple[npt.NDArray[np.intp], int]:
    if len(groups) != n:
        raise InputError(f"Groups name {len(groups)} rows, not {n}; one id per row is needed.")
    first_seen: dict[object, int] = {}
    places = np.empty(n, dtype=np.intp)
    for row, group in enumerate(groups):
        if group is None or group == "" or (isinstance(group, float) and math.isnan(group)):
            raise InputError(f"Row {row} has no group id; give every row one, or leave groups away.")
        places[row] = first_seen.setdefault(group, len(first_seen))
    return places, len(first_seen)


def _percentile(ordered: Floats, defined: npt.NDArray[np.int64], share: float) -> Floats:
    place = np.maximum(defined - 1, 0) * share
    below = np.floor(place).astype(np.intp)
    above = np.minimum(below + 1, np.maximum(defined - 1, 0))
    low = (
        np.take_along_axis(ordered, below[None], axis=0)[0]
        if len(ordered)
        else np.full(defined.shape, np.nan)
    )
    high = np.take_along_axis(ordered, above[None], axis=0)[0] if len(ordered) else low
    part = place - below
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(part == 0, low, low * (1 - part) + high * part))


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise InputError(f"The level of an interval lies between 0 and 1, got {level}; usual is 0.95.")
