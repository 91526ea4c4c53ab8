"""Published per-finding scores without labels: rows are findings, columns are labelers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError
from hilum.tables._label_rows import open_table
from hilum.tables.columns import column_key

SUMMARY_ROWS = frozenset(
    column_key(name)
    for name in (
        "Average", "Avg", "Avg.", "Mean", "Macro", "Macro average", "Macro avg", "Macro F1", "Micro",
        "Micro average", "Micro avg", "Micro F1", "Weighted", "Weighted average", "Weighted avg",
        "Weighted mean", "Overall", "Total",
    )
)  # fmt: skip
"""First cells of rows that sum up the others: they are no findings and are left out, which is told."""


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """Scores as a paper prints them: float64 `values_FL`, one row per finding, one column per labeler.

    `notes` tell what was left out.
    """

    source: str
    findings: tuple[str, ...]
    labelers: tuple[str, ...]
    values_FL: npt.NDArray[np.float64]
    notes: tuple[str, ...] = ()


def read_scores(path: str | Path) -> ScoreTable:
    """The scores of a table: its first column names the findings, every other column is one labeler.

    Rows called Average, Mean, Macro average and the like (`SUMMARY_ROWS`) are left out with a note: an
    average among its own parts would be counted twice by every test.

    Raises InputError for a cell that is empty or no finite number, a labeler or finding that stands twice, a
    row with too few or too many cells, values below 0 or above 100, columns on different scales, and fewer
    than two labelers or findings.
    """
    table = open_table(path)
    where = Path(path).name
    labelers = _labelers(where, table.headers)
    notes: list[str] = []
    findings: list[str] = []
    values: list[list[float]] = []
    for cells in table.rows(range(len(table.headers))):
        texts = ["" if cell is None else str(cell).strip() for cell in cells]
        name = texts[0]
        if not any(texts):
            continue
        if not name:
            raise InputError(
                f"{where}: row {len(findings) + 1} has no finding in its first cell. "
                "Next step: name the finding, or remove the row."
            )
        if column_key(name) in SUMMARY_ROWS:
            notes.append(f"the row {name!r} sums up the others and was left out")
            continue
        values.append([_number(where, name, *pair) for pair in zip(labelers, texts[1:], strict=True)])
        findings.append(name)
    _check_findings(where, findings)
    values_FL = np.array(values, dtype=np.float64)
    _check_scales(where, labelers, values_FL)
    return ScoreTable(where, tuple(findings), labelers, values_FL, (*table.notes, *notes))


def _labelers(where: str, header: Sequence[str]) -> tuple[str, ...]:
    names = [name.strip() for name in header[1:]]
    if len(names) < 2:
        raise InputError(
            f"{where}: {len(names)} column{'' if len(names) == 1 else 's'} of scores "
            f"({', '.join(names) or 'none'}); labelers are compared in pairs, so at least 2 are needed. "
            "Next step: one column per labeler after the column of findings, separated by commas, "
            "semicolons or tabs."
        )
    if "" in names:
        raise InputError(
            f"{where}: column {names.index('') + 2} has no name. Next step: name its labeler, or remove it."
        )
    twice = _twice(names)
    if twice:
        raise InputError(
            f"{where}: the labeler {twice!r} stands twice in the header. Next step: give each its own name."
        )
    return tuple(names)


def _check_findings(where: str, findings: Sequence[str]) -> None:
    twice = _twice(findings)
    if twice:
        raise InputError(
            f"{where}: the finding {twice!r} stands in two rows. Next step: keep one row per finding."
        )
    if len(findings) < 2:
        raise InputError(
            f"{where}: {len(findings)} finding{'' if len(findings) == 1 else 's'} "
            f"({', '.join(findings) or 'none'}); the tests are paired over findings, so at least 2 are "
            "needed. Next step: one row per finding, without counting the average."
        )


def _twice(names: Sequence[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if column_key(name) in seen:
            return name
        seen.add(column_key(name))
    return None


def _number(where: str, finding: str, labeler: str, cell: str) -> float:
    if not cell:
        raise InputError(
            f"{where}: {finding!r} has no score for {labeler!r}. Next step: fill the cell, or remove the "
            "row: the tests are paired, and a missing score has no pair."
        )
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(
            f"{where}: {finding!r}, {labeler!r}: {cell!r} is no number. Allowed: plain numbers with a "
            "decimal point, such as 0.902. Next step: mend the cell, or remove a column that holds no scores."
        )
    return value


def _check_scales(where: str, labelers: Sequence[str], values_FL: npt.NDArray[np.float64]) -> None:
    if values_FL.min() < 0 or values_FL.max() > 100:
        worst = values_FL.min() if values_FL.min() < 0 else values_FL.max()
        raise InputError(
            f"{where}: {worst:g} is no F1 score. Allowed: 0 to 1, or 0 to 100 in every column. "
            "Next step: mend the cell, or remove a column that holds no scores."
        )
    percent = [name for name, most in zip(labelers, values_FL.max(axis=0), strict=True) if most > 1]
    if percent and len(percent) < len(labelers):
        raise InputError(
            f"{where}: the columns are on different scales: {', '.join(percent)} has values above 1, "
            f"{', '.join(name for name in labelers if name not in percent)} has none. "
            "Next step: bring all to 0 to 1, or all to 0 to 100."
        )
