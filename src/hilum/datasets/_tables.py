"""Tables of data sets: columns by name, rows that cannot be read counted and left out, cells as labels."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from hilum.core.errors import InputError
from hilum.core.records import Labels
from hilum.core.vocabulary import State, Vocabulary, state_from_csv
from hilum.datasets._base import Dropped
from hilum.tables.binary import ByteInput, GzipFile, PlainFile
from hilum.tables.columns import column_key
from hilum.tables.csv_records import CsvRecords
from hilum.tables.encoding import find_encoding

_HEAD = 1 << 20
_KNOWN = 50_000

BAD_ROW = "rows of tables that have not the cells of their header"
"""The reason under which such rows are counted in `Dropped`."""

BAD_LABELS = "rows of labels with a cell that is no label (1, 0, -1 or empty); their labels are left out"
"""The reason under which such rows are counted in `Dropped`."""


class Row:
    """One row of a table: cells by the name under which the column was asked for, without spaces around them."""

    __slots__ = ("_cells", "_places", "number")

    def __init__(self, cells: Sequence[str], places: Mapping[str, int], number: int) -> None:
        self._cells = cells
        self._places = places
        self.number = number
        """Number of the row below the header, from 1."""

    def __getitem__(self, name: str) -> str:
        """The cell of a column; "" when the file has no such (optional) column."""
        place = self._places.get(name)
        return "" if place is None else self._cells[place].strip()

    def at(self, place: int) -> str:
        """The cell at a place, from 0, as it stands."""
        return self._cells[place]

    def real(self, name: str) -> float | None:
        """The cell as a number; None when it is empty or no finite number."""
        try:
            value = float(self[name])
        except ValueError:
            return None
        return value if abs(value) < float("inf") else None


class TableFile:
    """A csv, tsv (by extension) or .gz of one, as often iterable as wished; rows are read one by one.

    Columns are found by name, in any case and with spaces or underscores, never by place. Rows with too few or
    too many cells are counted in `dropped`, under BAD_ROW, and left out. Raises InputError when the file cannot
    be read, is empty, or lacks a column of `needed`: the message names file, columns got and columns needed.
    """

    def __init__(
        self,
        path: Path,
        *,
        needed: Sequence[str] = (),
        optional: Sequence[str] = (),
        dropped: Dropped | None = None,
    ) -> None:
        self.path = path
        name = path.name.lower()
        self._delimiter = "\t" if name.removesuffix(".gz").endswith(".tsv") else ","
        self._data: ByteInput = GzipFile(path) if name.endswith(".gz") else PlainFile(path)
        self._encoding = find_encoding(self._data.open)
        self._dropped = dropped if dropped is not None else Dropped()
        self._newline: str = "\n"
        with self._text() as file:
            head = file.read(_HEAD)
        self._newline = "\n" if "\n" in head or "\r" not in head else "\r"
        with self._text() as file:
            headers = CsvRecords(iter(file), self._delimiter).header()
        self.headers = tuple(h.replace("\ufeff", "").strip() for h in headers)
        if not self.headers:
            raise InputError(f"{path} is empty. Next step: get it again.")
        found = {name: self._place(name) for name in (*needed, *optional)}
        self._places = {name: place for name, place in found.items() if place is not None}
        missing = [name for name in needed if name not in self._places]
        if missing:
            raise InputError(
                f"{path}: no column {', '.join(map(repr, missing))}. Needed: {', '.join(needed)}. "
                f"Columns there are: {', '.join(self.headers[:60])}. "
                "Next step: check that this is the published file; if it is a copy, get it again."
            )

    def _place(self, name: str) -> int | None:
        if name in self.headers:
            return self.headers.index(name)
        keys = [column_key(header) for header in self.headers]
        return keys.index(column_key(name)) if column_key(name) in keys else None

    def _text(self) -> io.TextIOWrapper:
        return io.TextIOWrapper(self._data.open(), encoding=self._encoding.name, errors="replace", newline="")

    def has(self, name: str) -> bool:
        """Whether the file has the column asked for as `name`."""
        return name in self._places

    def __iter__(self) -> Iterator[Row]:
        with self._text() as file:
            records = CsvRecords(iter(file), self._delimiter)
            records.header()
            for number, (cells, fault) in enumerate(records, start=1):
                if len(cells) != records.width or (fault is not None and fault.fatal):
                    self._dropped.add(BAD_ROW, f"{self.path.name} row {number:,}", wrong=True)
                else:
                    yield Row(cells, self._places, number)


class LabelColumns:
    """The columns of a table that are findings of a vocabulary, matched by name or alias.

    Findings without a column are BLANK. Raises InputError when fewer than `at_least` findings have one.
    """

    def __init__(
        self, table: TableFile, vocabulary: Vocabulary, *, at_least: int = 1, dropped: Dropped | None = None
    ) -> None:
        self.vocabulary = vocabulary
        self._table = table
        self._dropped = dropped if dropped is not None else Dropped()
        self._states: dict[str, State | None] = {}
        self._known: dict[tuple[str, ...], Labels | None] = {}
        matched = vocabulary.match_columns(table.headers)
        self.findings = tuple(name for name in vocabulary.names if name in matched)
        """Findings that have a column, in the order of the vocabulary."""
        if len(matched) < at_least:
            raise InputError(
                f"{table.path}: {len(matched)} of the {len(vocabulary)} findings of {vocabulary.name} have a "
                f"column, at least {at_least} must have. Columns there are: {', '.join(table.headers[:60])}. "
                f"Findings: {', '.join(vocabulary.names)}. Next step: check that this is the published file."
            )
        self._places = [table.headers.index(matched[n]) if n in matched else None for n in vocabulary.names]

    def of(self, row: Row) -> Labels | None:
        """The labels of a row; None, counted under BAD_LABELS, when a cell is no label."""
        cells = tuple(["" if place is None else row.at(place) for place in self._places])
        if cells not in self._known and len(self._known) < _KNOWN:
            self._known[cells] = self._labels(cells)
        labels = self._known[cells] if cells in self._known else self._labels(cells)
        if labels is None:
            self._dropped.add(BAD_LABELS, f"{self._table.path.name} row {row.number:,}", wrong=True)
        return labels

    def _labels(self, cells: Sequence[str]) -> Labels | None:
        states = [self._state(cell) for cell in cells]
        known = tuple(state for state in states if state is not None)
        return Labels(self.vocabulary, known) if len(known) == len(states) else None

    def _state(self, cell: str) -> State | None:
        if cell not in self._states:
            try:
                self._states[cell] = state_from_csv(cell.strip())
            except ValueError:
                self._states[cell] = None
        return self._states[cell]


def labels_by_key(
    path: Path,
    *,
    key: str,
    vocabulary: Vocabulary,
    dropped: Dropped | None = None,
    form: Callable[[str], str] = str,
    at_least: int = 2,
) -> dict[str, Labels]:
    """Key -> Labels of a table with one row per key and a column per finding, in the order of the table.

    `form` makes the key of the studies of what stands in the column `key`. Of a repeated key the first row
    counts; empty and repeated keys are counted in `dropped`. Raises InputError as TableFile and LabelColumns do.
    """
    dropped = dropped if dropped is not None else Dropped()
    table = TableFile(path, needed=(key,), dropped=dropped)
    columns = LabelColumns(table, vocabulary, at_least=at_least, dropped=dropped)
    found: dict[str, Labels] = {}
    for row in table:
        name = form(row[key])
        if not name or name in found:
            reason = (
                "rows of labels with a key that occurred before" if name else "rows of labels without a key"
            )
            dropped.add(reason, f"{path.name} row {row.number:,} {name}".strip(), wrong=True)
            continue
        labels = columns.of(row)
        if labels is not None:
            found[name] = labels
    return found


def labels_from_names(vocabulary: Vocabulary, named: Sequence[str]) -> tuple[Labels, tuple[str, ...]]:
    """Labels of a list of positive findings, all others NEGATIVE, and the names that the vocabulary has not.

    For tables that list what is there ("Edema|Effusion"). A finding with the role `none` is POSITIVE exactly
    when it is named.
    """
    known = {vocabulary.index(name) for name in named if name in vocabulary}
    states = tuple(State.POSITIVE if i in known else State.NEGATIVE for i in range(len(vocabulary)))
    return Labels(vocabulary, states), tuple(name for name in named if name not in vocabulary)
