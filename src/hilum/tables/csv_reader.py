"""csv and tsv files as rows."""

from __future__ import annotations

import io
from collections.abc import Iterator

from hilum.core.records import RowStatus
from hilum.tables._text_file import CsvFile
from hilum.tables.binary import ByteInput
from hilum.tables.columns import find_text_column, unique_headers
from hilum.tables.csv_records import CsvRecords, Fault
from hilum.tables.source import Cell, InputRow, ReportSource

_SAMPLE_ROWS = 500


class CsvSource(ReportSource):
    """A csv or tsv file.

    A row with too few cells is padded with None; one with too many is unreadable, because nobody can tell
    which cell is which (empty extra cells are left out). Of an unreadable row the raw line stands in the text
    column. Times linear and memory constant in the length of the file.
    """

    def __init__(
        self, data: ByteInput, *, format_name: str, column: str | None, resumable: bool = True
    ) -> None:
        self._data = data
        self._file = CsvFile(
            data,
            delimiter="," if format_name == "csv" else "\t",
            next_step="give a file with a header line and reports",
        )
        headers = self._file.headers
        columns, renamed = unique_headers(headers)
        text_column = find_text_column(columns, wanted=column, where=data.where, headers=headers)
        super().__init__(
            format_name=format_name, columns=columns, text_column=text_column, resumable=resumable
        )
        self._opening_notes = [*self._file.notes, *renamed]

    @property
    def notes(self) -> list[str]:
        """See ReportSource; also what became of damaged gzip files."""
        return [*self._data.notes, *super().notes]

    def _read(self) -> Iterator[InputRow]:
        place = self.text_index
        with self._file.open() as file:
            records = CsvRecords(iter(file), self._file.delimiter)
            records.header()
            for cells, fault in records:
                if fault is None:
                    text = cells[place]
                    yield InputRow(tuple(cells), text) if len(text) > 40 else self._row(tuple(cells))
                else:
                    self._reading_notes["rows had a fault; each says which"] += 1
                    yield self._faulty(cells, fault)
            if records.blank_lines:
                self._reading_notes["blank lines left out"] = records.blank_lines

    def _faulty(self, cells: list[str], fault: Fault) -> InputRow:
        if fault.fatal:
            return self._unreadable(fault.raw, fault.problem)
        missing: list[Cell] = [None] * (len(self.columns) - len(cells))
        row = self._row((*cells, *missing), fault.problem)
        if fault.cut:
            return row._replace(status=RowStatus.CUT)
        if len(cells) <= self.text_index:
            return row._replace(
                status=RowStatus.UNREADABLE, problem=f"{fault.problem}, none of them the text"
            )
        return row

    def fingerprint(self) -> str:
        """See ReportSource."""
        return self._data.fingerprint()

    def row_count_hint(self) -> int | None:
        """An estimate from the first rows."""
        size = self._data.size()
        if size is None:
            return None
        with self._file.open() as file:
            read = [0]
            records = CsvRecords(_counted(file, read), self._file.delimiter)
            records.header()
            start = read[0]
            rows = 0
            for rows, _ in enumerate(records, start=1):
                if rows == _SAMPLE_ROWS:
                    break
            else:
                return rows
        width = 2 if self._file.encoding.startswith("utf-16") else 1
        return max(rows, round(rows * size / width / max(read[0] - start, 1)))


def _counted(lines: io.TextIOWrapper, read: list[int]) -> Iterator[str]:
    for line in lines:
        read[0] += len(line)
        yield line
