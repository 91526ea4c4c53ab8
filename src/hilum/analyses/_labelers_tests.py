"""Do two labelers differ? Tests over findings (LLM labeler paper, Table 3) and, per finding, over reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

from hilum.analyses._labelers_values import Compared, Resampled
from hilum.core.results import Column, Estimate, ResultTable, Value
from hilum.metrics.labels import macro
from hilum.stats.compare import Test, discordant, holm, mcnemar, paired_t, wilcoxon
from hilum.stats.intervals import estimates

Floats = npt.NDArray[np.float64]

MINUS = "\N{MINUS SIGN}"

_TESTS_NOTE = (
    "Paired t-test and Wilcoxon's signed-rank test, two-sided, over the findings: the two tests of Table 3 of the "
    "LLM labeler paper. They take the findings for a sample of independent findings, which they hardly are, and do "
    "not see how many reports stand behind each score. Extension, not in the paper: Holm's adjustment, over the "
    "{pairs} of one test and one score."
)

_NO_TEST = " A dash: fewer than 2 findings where both labelers have the score, so there is no test."
_TESTS = (
    Column("pair", "Labelers", "text"),
    Column("findings", "Findings", "count"),
    Column("mean_difference", "Mean difference"),
    Column("t_p", "P, paired t", "p"),
    Column("wilcoxon_p", "P, Wilcoxon", "p"),
    Column("t_p_holm", "Holm, t", "p"),
    Column("wilcoxon_p_holm", "Holm, Wilcoxon", "p"),
)
_DETAILS = (
    Column("score", "Score", "text"),
    Column("pair", "Labelers", "text"),
    Column("t", "t"),
    Column("wilcoxon_w", "Smaller rank sum"),
    Column("how", "Wilcoxon worked out", "text"),
)


def pair_name(names: Sequence[str], pair: tuple[int, int]) -> str:
    """How a difference between two labelers is written."""
    return f"{names[pair[0]]} {MINUS} {names[pair[1]]}"


def tests_tables(names: Sequence[str], scores: Mapping[str, Floats]) -> tuple[ResultTable, ...]:
    """Table 3: per score [L, F] one table with both tests of each pair of labelers and their Holm adjustment.

    The first is called "tests", further ones "tests_2" and so on; the last, "tests_details", has the statistics
    behind all of them. A test that cannot be made (fewer than two findings where both labelers are defined) is
    None, and the note says so.
    """
    pairs = list(combinations(range(len(names)), 2))
    note = _TESTS_NOTE.format(pairs=f"{len(pairs)} pair{'' if len(pairs) == 1 else 's'}")
    tables: list[ResultTable] = []
    details: list[tuple[Value, ...]] = []
    for number, (score, values_LF) in enumerate(scores.items(), start=1):
        differences = [values_LF[a] - values_LF[b] for a, b in pairs]
        ts = [_test(paired_t, d) for d in differences]
        ws = [_test(wilcoxon, d) for d in differences]
        adjusted = [_holm([_p(test) for test in tests]) for tests in (ts, ws)]
        rows: list[tuple[Value, ...]] = []
        for place, pair in enumerate(pairs):
            t, w, who = ts[place], ws[place], pair_name(names, pair)
            findings = int(np.count_nonzero(~np.isnan(differences[place])))
            ps = (_p(t), _p(w), adjusted[0][place], adjusted[1][place])
            rows.append((who, findings, float(macro(differences[place])), *ps))
            details.append((score, who, t and t.statistic, w and w.statistic, w.method if w else None))
        dash = "" if all(ts) else _NO_TEST
        name = "tests" if number == 1 else f"tests_{number}"
        tables.append(ResultTable(name, f"Tests over findings: {score}", _TESTS, tuple(rows), note + dash))
    behind = (
        "Wilcoxon leaves out findings where both labelers have the same score; the method is told per row."
    )
    tables.append(ResultTable("tests_details", "Statistics of these tests", _DETAILS, tuple(details), behind))
    return tuple(tables)


def _test(test: Callable[[Floats, Floats], Test], difference_F: Floats) -> Test | None:
    defined = difference_F[~np.isnan(difference_F)]
    return test(defined, np.zeros(len(defined))) if len(defined) >= 2 else None


def _p(test: Test | None) -> float | None:
    return None if test is None else test.p


def _holm(ps: Sequence[float | None]) -> list[float | None]:
    adjusted = holm([np.nan if p is None else p for p in ps])
    return [None if np.isnan(p) else float(p) for p in adjusted]


def mcnemar_table(compared: Compared) -> ResultTable:
    """McNemar's exact test per finding and pair: which labeler alone gives the gold's label how often."""
    right = [compared.correct(labeler) for labeler in range(len(compared.labelers))]
    cells = [(pair, place) for pair in compared.pairs for place in range(len(compared.findings))]
    found = [mcnemar(right[a][:, place], right[b][:, place]) for (a, b), place in cells]
    adjusted = holm([test.p for test in found])
    rows: list[tuple[Value, ...]] = []
    for (pair, place), test, p in zip(cells, found, adjusted, strict=True):
        first, second = right[pair[0]][:, place], right[pair[1]][:, place]
        only = discordant(first, second)
        rows.append(
            (
                pair_name(compared.names, pair), compared.findings[place], int((first & second).sum()), *only,
                int((~first & ~second).sum()), test.p, float(p),
            )
        )  # fmt: skip
    columns = (
        Column("pair", "Labelers", "text"),
        Column("finding", "Finding", "text"),
        Column("both_right", "Both right", "count"),
        Column("first_right", "Only the first right", "count"),
        Column("second_right", "Only the second right", "count"),
        Column("none_right", "Both wrong", "count"),
        Column("p", "P", "p"),
        Column("p_holm", "P, Holm", "p"),
    )
    what = "the gold's label" if compared.policy is None else "the gold's 0 or 1"
    note = (
        f"Extension, not in the paper. McNemar's exact test, two-sided: right means {what} of a report. "
        f"Holm's adjustment over all {len(rows)} tests of this table."
    )
    return ResultTable("mcnemar", "Tests per finding over reports", columns, tuple(rows), note)


def difference_table(compared: Compared, resampled: Resampled, *, note: str) -> ResultTable:
    """Differences of one score between each pair of labelers, with paired bootstrap intervals."""
    names = compared.names
    columns = [Column("finding", "Finding", "text")]
    parts: list[tuple[Estimate, ...]] = []
    for pair in compared.pairs:
        columns.append(Column(f"{names[pair[0]]} minus {names[pair[1]]}", pair_name(names, pair)))
        parts.append(estimates(*resampled.difference(*pair)))
    rows: tuple[tuple[Value, ...], ...] = tuple(
        (name, *(part[place] for part in parts)) for place, name in enumerate((*compared.findings, "Average"))
    )
    return ResultTable("differences", f"Differences in {resampled.label}", tuple(columns), rows, note)
