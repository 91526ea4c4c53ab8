"""The columns that `hilum label` writes beside the labels: which empty cells of a label file are no blank."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hilum.core.records import RowStatus
from hilum.core.vocabulary import State
from hilum.tables._label_rows import Table, counted

ABSTAINED_JOIN = "; "
"""What stands between the findings of a cell of the column `abstained`."""

_STATUSES = frozenset(status.value for status in RowStatus)
_WITHOUT = _STATUSES - {RowStatus.LABELED, RowStatus.CUT}
"""What became of a row that has no labels."""


class OwnColumns:
    """Places of the columns `status` and `abstained` in a table, None where there is none; the last one counts."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._status, self._abstained = self.places = _place(table, "status"), _place(table, "abstained")

    def empty(
        self, cells: Mapping[int, Sequence[Any]], findings: Sequence[str], states_NF: npt.NDArray[np.int8]
    ) -> tuple[npt.NDArray[np.bool_], list[str]]:
        """Cells, bool [N, F], that are empty because no label was given, and notes; `cells` are by place."""
        blank_NF = states_NF == State.BLANK
        empty_NF, notes = np.zeros(states_NF.shape, dtype=bool), []
        if self._status is not None:
            statuses = cells[self._status]
            without_N = np.array([status in _WITHOUT for status in statuses], dtype=bool)
            empty_NF |= (without_N & blank_NF.all(axis=1))[:, None]
            notes += _status_notes(statuses)
        if self._abstained is not None:
            doubtful_NF = _named(cells[self._abstained], findings) & blank_NF
            empty_NF |= doubtful_NF
            if n := int(doubtful_NF.sum()):
                column = self._table.columns[self._abstained]
                notes.append(
                    f"{counted(n, 'label was', 'labels were')} too doubtful to be given (column {column!r})"
                )
        return empty_NF, notes


def _place(table: Table, name: str) -> int | None:
    places = [i for i, header in enumerate(table.headers) if header in (name, f"{name}_hilum")]
    return places[-1] if places else None


def _status_notes(cells: Sequence[Any]) -> list[str]:
    counts = Counter(cell for cell in cells if cell in _STATUSES and cell != RowStatus.LABELED)
    return [
        f"{counted(n, 'row has', 'rows have')} the status {status!r}" for status, n in sorted(counts.items())
    ]


def _named(cells: Sequence[Any], findings: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Findings, bool [N, F], that the cells of a column name."""
    named_NF = np.zeros((len(cells), len(findings)), dtype=bool)
    places = {name: place for place, name in enumerate(findings)}
    for row, cell in enumerate(cells):
        names = cell.split(ABSTAINED_JOIN) if isinstance(cell, str) else ()
        named_NF[row, [places[name] for name in names if name in places]] = True
    return named_NF
