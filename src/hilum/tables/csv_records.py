"""Lines to csv records, so that a fault in one record never costs another one."""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from hilum.tables.csv_lenient import split_plain, split_record

MAX_RECORD = 32 << 20
"""Characters that a record of several lines may have; a longer one is taken for an unbalanced quote."""

_MIN_LOOK_AHEAD = 512
_LINE_COST = 16
"""A line looked at in vain counts as so many characters more."""

_CELL_LIMIT = 2**31 - 1
_HEADER_LINES = 20
_MEND_LINES = 50
_MEND_CHARS = 16 << 10


class Fault(NamedTuple):
    """What is wrong with a record.

    `fatal`: its cells could not be told apart, only `raw` is known. `cut`: the file ends inside it.
    """

    problem: str
    raw: str = ""
    fatal: bool = False
    cut: bool = False


Outcome = tuple[list[str], Fault | None]
"""The cells of a record, and its fault or None. There may be fewer cells than the header has."""


class _Feeder:
    """Lines that can be given back, and how far a quote may still look ahead.

    What is looked at in vain is weighed against what was read, which keeps the time linear.
    """

    def __init__(self, lines: Iterator[str]) -> None:
        self.lines = lines
        self.backlog: deque[str] = deque()
        self.record: list[str] = []
        self.fresh_lines = 0
        self.fresh_chars = 0
        self.wasted = 0
        self.ended = False

    def feed(self) -> Iterator[str]:
        """Lines for csv.reader, kept in `record`; stops in a record that is longer than it may be."""
        record, backlog, length = self.record, self.backlog, 0
        while True:
            length = length + len(record[-1]) + _LINE_COST if record else 0
            if length > _MIN_LOOK_AHEAD and length > self.allowance():
                return
            line = backlog.popleft() if backlog else self._fresh()
            if not line:
                self.ended = True
                return
            record.append(line)
            yield line

    def _fresh(self) -> str:
        line = next(self.lines, "")
        if line:
            self.fresh_lines += 1
            self.fresh_chars += len(line)
        return line

    def allowance(self) -> int:
        """Characters that the next look ahead may take."""
        return min(MAX_RECORD, max(_MIN_LOOK_AHEAD, MAX_RECORD + 16 * self.fresh_chars - 8 * self.wasted))

    def take(self) -> str:
        """The next line, "" at the end."""
        return self.backlog.popleft() if self.backlog else self._fresh()

    def give_back(self, lines: list[str]) -> None:
        """Put lines that were looked at in vain back before those to come."""
        self.backlog.extendleft(reversed(lines))
        self.wasted += sum(map(len, lines)) + _LINE_COST * len(lines)
        self.ended = False

    def line_number(self, held: int) -> int:
        """Number, from 1, of the first of the last `held` lines."""
        return self.fresh_lines - len(self.backlog) - held + 1


class CsvRecords:
    """The records of some lines. Call `header()` first; then iterate.

    Records are read by `csv` in strict mode. One that fails, or that spans lines and has another number of
    cells than the header, is looked at again from its first line: a line that is a record by itself is not
    swallowed by the quote of an earlier one. Where csv gives the right number of cells it is believed, unless
    a line in the record starts another one with quotes of its own.
    """

    def __init__(self, lines: Iterator[str], delimiter: str) -> None:
        if csv.field_size_limit() < _CELL_LIMIT:
            csv.field_size_limit(_CELL_LIMIT)  # global to the process, and 128 KiB unless somebody raises it
        self.blank_lines = 0
        self.width = 0
        self._delimiter = delimiter
        self._opening = re.compile(rf'{re.escape(delimiter)}"[^"{re.escape(delimiter)}\r\n]')
        self._feeder = _Feeder(lines)

    def header(self) -> list[str]:
        """The cells of the first record that is not blank; [] when there is none. Sets `width`."""
        feeder = self._feeder
        cells: list[str] = []
        try:
            for found in csv.reader(feeder.feed(), delimiter=self._delimiter, strict=True):
                if any(cell.strip() for cell in found) or len(found) > 1:
                    cells = found
                    break
                feeder.record.clear()
        except csv.Error:
            cells = []
        lines = list(feeder.record)
        feeder.record.clear()
        if lines and (not cells or len(lines) > _HEADER_LINES):
            cells = split_record(lines[0], self._delimiter).cells
            feeder.give_back(lines[1:])
        self.width = len(cells)
        return cells

    def __iter__(self) -> Iterator[Outcome]:
        feeder, record, width = self._feeder, self._feeder.record, self.width
        while True:
            try:
                for cells in csv.reader(feeder.feed(), delimiter=self._delimiter, strict=True):
                    if len(cells) != width or (len(record) > 1 and self._swallows(record)):
                        break
                    record.clear()
                    yield cells, None
                else:
                    return
                lines = list(record)
                record.clear()
                if not any(line.strip() for line in lines):
                    self.blank_lines += len(lines)
                    continue
                yield self._misfit(cells, lines)
            except csv.Error:
                lines = list(record)
                record.clear()
                yield self._mend(lines, at_end=feeder.ended)

    def _misfit(self, cells: list[str], lines: list[str]) -> Outcome:
        """A record that csv could read, but not believably: too few or too many cells, or lines swallowed."""
        if len(cells) == self.width or any(map(self._starts_record, lines[1:])):
            return self._mend(lines, at_end=False)
        place = f"line {self._feeder.line_number(len(lines))}: "
        raw = "".join(lines).rstrip("\r\n")
        got = f"{len(cells)} of {self.width} cells"
        if len(cells) < self.width:
            cut = not lines[-1].endswith(("\n", "\r"))
            return cells, Fault(f"{place}{'the file ends here, with ' if cut else ''}{got}", raw, cut=cut)
        if self.width == 1 and len(lines) == 1 and not raw.startswith('"'):
            return [raw], Fault(f"{place}a delimiter outside quotes; the whole line is the text")
        if not any(cells[self.width :]):
            return cells[: self.width], Fault(f"{place}{len(cells) - self.width} empty extra cells left out")
        return [], Fault(f"{place}{len(cells)} cells where the header has {self.width}", raw, fatal=True)

    def _mend(self, lines: list[str], *, at_end: bool) -> Outcome:
        """The best reading of a record whose quotes do not fit; lines after it are given back."""
        place = f"line {self._feeder.line_number(len(lines))}: "
        first = lines[0]
        alone = split_record(first, self._delimiter)
        if alone.closed and len(alone.cells) == self.width:
            self._feeder.give_back(lines[1:])
            return alone.cells, Fault(
                f"{place}a quote or line end stands where csv allows none; kept as text"
            )
        if at_end and not any(map(self._starts_record, lines[1:])):
            cells = split_record("".join(lines), self._delimiter).cells
            if len(cells) <= self.width:
                return cells, Fault(f"{place}the file ends inside a quoted cell", "".join(lines), cut=True)
        longer = self._several_lines(lines)
        if longer:
            return longer, Fault(f"{place}quotes inside a quoted cell are not doubled; kept as text")
        self._feeder.give_back(lines[1:])
        plain = split_plain(first, self._delimiter)
        if len(plain) == self.width:
            return plain, Fault(f"{place}unbalanced quote; kept as text")
        return [], Fault(f"{place}unbalanced quote", first.rstrip("\r\n"), fatal=True)

    def _several_lines(self, lines: list[str]) -> list[str] | None:
        """Cells of a record of several lines with bare quotes inside; None when lines would be swallowed.

        On success the lines after the record are given back, else `lines` is as it was.
        """
        if self.width < 2 or self._feeder.allowance() <= _MIN_LOOK_AHEAD:
            return None
        ahead: deque[str] = deque(lines[1 : _MEND_LINES + 1])
        extra: list[str] = []
        text, used = lines[0], 1
        cells: list[str] | None = None
        while used <= _MEND_LINES and len(text) <= _MEND_CHARS:
            if ahead:
                line = ahead.popleft()
            else:
                line = self._feeder.take()
                extra.append(line)
            if not line or self._starts_record(line):
                break
            text, used = text + line, used + 1
            if '"' in line:
                self._feeder.wasted += len(text)
                split = split_record(text, self._delimiter)
                if split.closed:
                    cells = split.cells if len(split.cells) == self.width else None
                    break
        extra = [line for line in extra if line]
        if cells is None:
            self._feeder.give_back(extra)
            return None
        self._feeder.give_back((lines + extra)[used:])
        return cells

    def _starts_record(self, line: str) -> bool:
        """Whether one line is a faultless record, or the faultless start of one that spans lines.

        A quote right before a delimiter or the line end ends a cell, so it starts no record.
        """
        if line.startswith(('"' + self._delimiter, '"\n', '"\r')):
            return False
        if '"' not in line:
            return line.count(self._delimiter) == self.width - 1
        split = split_record(line, self._delimiter)
        if split.closed:
            return split.clean and len(split.cells) == self.width
        return split.clean and len(split.cells) <= self.width

    def _swallows(self, lines: list[str]) -> bool:
        """Whether a record that csv believes holds a line that would be a record with quotes of its own.

        Never so in valid csv: inside a quoted cell no single quote can stand between a delimiter (or the
        start of the line) and an ordinary character.
        """
        opening = self._delimiter + '"'
        return any(
            (opening in line or line.startswith('"'))
            and self._opening.search(self._delimiter + line)
            and self._starts_record(line)
            for line in lines[1:]
        )
