"""Differences in F1 between label sources, with paired bootstrap intervals (VisualCheXbert, Table 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from hilum.core.results import Column, Estimate, ResultTable, Value
from hilum.core.rng import rng_for
from hilum.metrics.labels import confusion, f1, macro
from hilum.stats.intervals import bootstrap, estimate

AVERAGE, WEIGHTED = "Average", "Weighted average"
"""Names of the two rows under the findings."""


@dataclass(frozen=True)
class Compared:
    """F1 of several sources against one truth on the same studies and the same resamples.

    `points` has one [F + 2] array per source: the findings, then the average and the average weighted by the
    truth's positives. `replicates` has [B, F + 2]. A finding that a source does not have is NaN, and its
    averages go over the others.
    """

    findings: tuple[str, ...]
    positives: tuple[int, ...]
    points: Mapping[str, npt.NDArray[np.float64]]
    replicates: Mapping[str, npt.NDArray[np.float64]]

    @property
    def row_names(self) -> tuple[str, ...]:
        """The findings and the two averages."""
        return (*self.findings, AVERAGE, WEIGHTED)

    def own(self, source: str) -> list[Estimate]:
        """F1 of one source with its interval, in the order of `row_names`."""
        return _estimates(self.points[source], self.replicates[source])

    def difference(self, first: str, second: str) -> list[Estimate]:
        """F1 of `first` minus F1 of `second`, per finding that both have and averaged over these."""
        weights = np.asarray(self.positives, dtype=np.float64)
        sides = []
        for values in (self.points, self.replicates):
            a, b = values[first][..., :-2], values[second][..., :-2]
            sides.append(_with_averages(a - b, weights))
        return _estimates(sides[0], sides[1])


def _with_averages(
    values_F: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    averages = np.stack([macro(values_F), macro(values_F, weights=weights)], axis=-1)
    return np.concatenate([values_F, averages], axis=-1)


def _estimates(point: npt.NDArray[np.float64], values_B: npt.NDArray[np.float64]) -> list[Estimate]:
    return [estimate(float(point[place]), values_B[:, place]) for place in range(len(point))]


def compare_sources(
    truth_NF: npt.NDArray[np.int8],
    predictions: Mapping[str, npt.NDArray[np.int8]],
    *,
    findings: Sequence[str],
    replicates: int = 1000,
    seed: int = 0,
    groups: Sequence[str] | None = None,
) -> Compared:
    """F1 of every source (0/1 arrays [N, F], LEFT_OUT where it has no label) on shared resamples of the rows.

    The intervals are percentiles of the paired differences over the replicates (VisualCheXbert, section 4.6.3).
    `groups`, one id per row, resamples whole groups (patients).
    """
    positives = np.array([(column == 1).sum() for column in truth_NF.T], dtype=np.float64)
    names = list(predictions)

    def statistic(weights_BN: npt.NDArray[np.float64] | None) -> npt.NDArray[np.float64]:
        parts = [
            _with_averages(f1(confusion(truth_NF, predictions[name], weights_BN=weights_BN)), positives)
            for name in names
        ]
        return np.stack(parts, axis=-2)

    rng = rng_for(seed, "differences")
    values = bootstrap(statistic, len(truth_NF), replicates=replicates, rng=rng, groups=groups)
    points = statistic(None)
    return Compared(
        tuple(findings),
        tuple(int(n) for n in positives),
        {name: points[place] for place, name in enumerate(names)},
        {name: values[:, place] for place, name in enumerate(names)},
    )


def f1_table(
    compared: Compared, sources: Sequence[str], *, name: str, title: str, note: str = ""
) -> ResultTable:
    """F1 with intervals: a row per finding and average, a column per source."""
    columns = (Column("finding", "Finding", "text"), Column("positives", "Positive", "count"))
    own = {source: compared.own(source) for source in sources}
    counts: list[Value] = [*compared.positives, None, None]
    rows = [
        (row_name, counts[place], *(own[source][place] for source in sources))
        for place, row_name in enumerate(compared.row_names)
    ]
    heads = tuple(Column(key_of(source), source) for source in sources)
    return ResultTable(name, title, (*columns, *heads), tuple(rows), note)


def difference_table(
    compared: Compared, pairs: Sequence[tuple[str, str]], *, name: str, title: str, note: str = ""
) -> ResultTable:
    """Differences with intervals, a row per pair and finding; `shared` says over how many findings an average goes."""
    rows: list[tuple[Value, ...]] = []
    for first, second in pairs:
        estimates = compared.difference(first, second)
        shared = sum(1 for one in estimates[:-2] if not np.isnan(one.value))
        for row_name, one in zip(compared.row_names, estimates, strict=True):
            is_average = row_name in (AVERAGE, WEIGHTED)
            excludes_zero = "yes" if one.low > 0 or one.high < 0 else "no"
            if not np.isnan(one.value):
                rows.append((first, second, row_name, shared if is_average else None, one, excludes_zero))
    columns = (
        Column("first", "Source", "text"),
        Column("second", "minus", "text"),
        Column("finding", "Finding", "text"),
        Column("findings", "Findings averaged", "count"),
        Column("difference", "Difference in F1"),
        Column("excludes_zero", "Interval excludes 0", "text"),
    )
    return ResultTable(name, title, columns, tuple(rows), note)


def average_table(
    compared: Compared, pairs: Sequence[tuple[str, str]], *, name: str, title: str, note: str = ""
) -> ResultTable:
    """The averages of `difference_table` alone: a row per pair."""
    rows: list[tuple[Value, ...]] = []
    for first, second in pairs:
        *findings, plain, weighted = compared.difference(first, second)
        rows.append((first, second, sum(not np.isnan(one.value) for one in findings), plain, weighted))
    columns = (
        Column("first", "Source", "text"),
        Column("second", "minus", "text"),
        Column("findings", "Findings averaged", "count"),
        Column("average", AVERAGE),
        Column("weighted", WEIGHTED),
    )
    return ResultTable(name, title, columns, tuple(rows), note)


def all_pairs(sources: Sequence[str]) -> list[tuple[str, str]]:
    """Every two sources, the later one first: what was added minus what it is compared with."""
    return [(second, first) for first, second in combinations(sources, 2)]


def key_of(source: str) -> str:
    """A source's name as a key in json and csv."""
    return "_".join("".join(c if c.isalnum() else " " for c in source.casefold()).split())
