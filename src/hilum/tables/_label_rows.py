"""Any table file as plain rows of chosen columns: what the readers of labels and probabilities stand on."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

from hilum.core.errors import InputError
from hilum.tables._text_file import CsvFile, TextFile
from hilum.tables.binary import ByteInput, GzipFile, PlainFile
from hilum.tables.columns import unique_headers
from hilum.tables.csv_records import CsvRecords, Fault
from hilum.tables.source import Cell, json_text

_SLICE_ROWS = 50_000
_SHOWN = 5
_EMPTY = "check how it was written"
KINDS = ".csv, .tsv and .jsonl (also with .gz) and .parquet"
"""What can be opened as a table, in words."""


class Table(ABC):
    """A file of rows and named columns. `headers` are the names as they stand in the file."""

    def __init__(self, where: str, headers: Sequence[str], notes: Sequence[str]) -> None:
        self.where = where
        self.headers = tuple(headers)
        self.columns, renamed = unique_headers(self.headers)
        self.line: int | None = None
        self._notes = [*notes, *renamed]

    @property
    def notes(self) -> list[str]:
        """What a user should know of the file; complete only after all rows were read."""
        return list(self._notes)

    @abstractmethod
    def rows(self, places: Sequence[int]) -> Iterator[tuple[Cell, ...]]:
        """The cells of the columns at `places`, row by row; `line` is the line of the row, where there are lines.

        Raises InputError when rows cannot be told apart into cells.
        """


def open_table(path: str | Path) -> Table:
    """A csv, tsv, jsonl (also .gz) or parquet file as a table.

    Raises InputError when it is not there, empty, damaged or of another kind.
    """
    place = Path(path)
    name = place.name.lower()
    if place.is_dir():
        raise InputError(f"{path} is a folder. Next step: name a file; hilum reads tables from {KINDS}.")
    if name.endswith(".parquet"):
        return _ParquetTable(PlainFile(place))
    stem = name.removesuffix(".gz")
    if not stem.endswith((".csv", ".tsv", ".jsonl", ".ndjson")):
        PlainFile(place)
        raise InputError(
            f"{path}: hilum does not read tables from files ending in {place.suffix or 'nothing'!r}. "
            f"It reads {KINDS}."
        )
    data: ByteInput = GzipFile(place) if name.endswith(".gz") else PlainFile(place)
    if stem.endswith((".csv", ".tsv")):
        return _CsvTable(data, "\t" if stem.endswith(".tsv") else ",")
    return _JsonlTable(data)


class _TextTable(Table):
    """A table in a text file."""

    def __init__(self, data: ByteInput, file: TextFile, headers: Sequence[str]) -> None:
        super().__init__(data.where, headers, file.notes)
        self._data = data

    @property
    def notes(self) -> list[str]:
        """See Table; also what became of damaged gzip files."""
        return [*self._data.notes, *super().notes]

    def _counted(self, file: io.TextIOWrapper) -> Iterator[str]:
        for self.line, line in enumerate(file, start=1):
            yield line


class _CsvTable(_TextTable):
    """A csv or tsv file. A row with another number of cells than the header is an error: labels would shift."""

    def __init__(self, data: ByteInput, delimiter: str) -> None:
        self._file = CsvFile(data, delimiter=delimiter, next_step=_EMPTY)
        super().__init__(data, self._file, self._file.headers)

    def rows(self, places: Sequence[int]) -> Iterator[tuple[Cell, ...]]:
        """See Table."""
        pick = _picker(places)
        mended = bad = 0
        first: list[str] = []
        with self._file.open() as file:
            records = CsvRecords(self._counted(file), self._file.delimiter)
            records.header()
            for row, (cells, fault) in enumerate(records, start=1):
                if fault is not None:
                    if fault.fatal or len(cells) != records.width:
                        bad += 1
                        first += [f"data row {row:,}, {_problem(cells, fault, records.width)}"]
                        first = first[:_SHOWN]
                        continue
                    mended += 1
                yield pick(cells)
            if bad:
                raise self._ragged(bad, first, records.width)
            if records.blank_lines:
                self._notes.append(f"{counted(records.blank_lines, 'blank line', 'blank lines')} left out")
        if mended:
            self._notes.append(
                f"{counted(mended, 'row', 'rows')} had a quote or an empty extra cell out of place ; mended"
            )

    def _ragged(self, bad: int, first: list[str], width: int) -> InputError:
        more = f"; and {bad - len(first):,} more" if bad > len(first) else ""
        return InputError(
            f"{self.where}: {counted(bad, 'row does', 'rows do')} not have the {width} cells of the header, and "
            f"nobody can tell which cell is which: {'; '.join(first)}{more}. Next step: mend these rows."
        )


def _problem(cells: Sequence[str], fault: Fault, width: int) -> str:
    return fault.problem or f"{len(cells)} of {width} cells"


class _JsonlTable(_TextTable):
    """JSON lines; a missing key is an empty cell. A line that is no JSON object is an error."""

    def __init__(self, data: ByteInput) -> None:
        self._file = TextFile(data, next_step=_EMPTY)
        self._where = data.where
        keys: dict[str, None] = {}
        for record in self._records():
            keys.update(dict.fromkeys(record))
        if not keys:
            raise InputError(f"{data.where} has only blank lines. Next step: write one JSON object a line.")
        self._keys = tuple(keys)
        super().__init__(data, self._file, self._keys)

    def _records(self) -> Iterator[dict[str, Any]]:
        from hilum.tables.jsonl import parse_line  # noqa: PLC0415 - loads only what is needed

        bad = 0
        first: list[str] = []
        with self._file.open() as file:
            for line in self._counted(file):
                if line.isspace():
                    continue
                record, problem = parse_line(line)
                if problem:
                    bad += 1
                    first = [*first, f"line {self.line:,}: {problem}"][:_SHOWN]
                else:
                    yield record
        if bad:
            raise InputError(
                f"{self._where}: {counted(bad, 'line is', 'lines are')} no JSON object: {'; '.join(first)}. "
                "Next step: write one object a line."
            )

    def rows(self, places: Sequence[int]) -> Iterator[tuple[Cell, ...]]:
        """See Table."""
        keys = [self._keys[place] for place in places]
        for record in self._records():
            yield tuple([_plain(record.get(key)) for key in keys])


def _plain(value: Any) -> Cell:
    return json_text(value) if isinstance(value, (list, dict)) else value


class _ParquetTable(Table):
    """A parquet file; NaN is an empty cell."""

    def __init__(self, data: PlainFile) -> None:
        import polars as pl  # noqa: PLC0415 - only parquet needs it

        try:
            self._frame = pl.scan_parquet(data.path, glob=False)
            columns = self._frame.collect_schema().names()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise _damaged(data.where, error) from error
        if not columns:
            raise InputError(f"{data.where} has no columns. Next step: check how it was written.")
        super().__init__(data.where, columns, [])

    def rows(self, places: Sequence[int]) -> Iterator[tuple[Cell, ...]]:
        """See Table."""
        import polars as pl  # noqa: PLC0415 - only parquet needs it
        import polars.selectors as cs  # noqa: PLC0415

        names = [self.headers[place] for place in places]
        start = 0
        while True:
            try:
                frame = self._frame.select(names).slice(start, _SLICE_ROWS)
                batch = frame.with_columns(cs.float().fill_nan(None)).collect()
            except (pl.exceptions.PolarsError, OSError) as error:
                raise _damaged(self.where, error) from error
            yield from batch.iter_rows()
            start += len(batch)
            if len(batch) < _SLICE_ROWS:
                return


def _damaged(where: str, error: Exception) -> InputError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return InputError(f"{where} is not a readable parquet file: {reason}. Next step: write or copy it again.")


def _picker(places: Sequence[int]) -> Any:
    """A function from the cells of a row to a tuple of those at `places`."""
    if len(places) == 1:
        only = places[0]
        return lambda cells: (cells[only],)
    return itemgetter(*places) if places else (lambda _cells: ())


def counted(number: int, one: str, many: str) -> str:
    """A number with its noun: "1 row", "1,200 rows"."""
    return f"{number:,} {one if number == 1 else many}"
