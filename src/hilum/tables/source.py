"""What every reader yields: rows that keep all input cells, and the source that they come from."""

from __future__ import annotations

import json
import math
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from hilum.core.records import RowStatus
from hilum.tables.columns import ColumnType

Cell = Any
"""One original value of an input column: text in csv and tsv, any value in jsonl and parquet."""

MISSING_WORDS = frozenset({"nan", "null", "none", "<na>", "n/a", "#n/a", "<null>"})
"""Whole texts, in any case, that other programs write for a missing value; such a text counts as empty."""

_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")


class InputRow(NamedTuple):
    """One input row.

    `cells` holds one original value per input column. `text` is the report, or None when there is none (then
    `status` says why, or the cell was empty). `status` is None for a row that was read as it should be, else
    UNREADABLE or CUT. `problem` says what was wrong with the row, also when it could be
    mended; "" when nothing.
    """

    cells: tuple[Cell, ...]
    text: str | None
    status: RowStatus | None = None
    problem: str = ""


class ReportSource(ABC):
    """An opened input: its columns, and its rows in order, as often as asked.

    `format` is one of csv, tsv, parquet, jsonl, txt-folder, openi-xml. `schema` gives the type of each column
    for `encode_rows` and `assemble`. `resumable` is False for standard input.
    """

    def __init__(
        self, *, format_name: str, columns: tuple[str, ...], text_column: str, resumable: bool = True
    ) -> None:
        self.format = format_name
        self.columns = columns
        self.text_column = text_column
        self.resumable = resumable
        self.text_index = columns.index(text_column)
        self._opening_notes: list[str] = []
        self._reading_notes: Counter[str] = Counter()

    @property
    def schema(self) -> Mapping[str, ColumnType]:
        """Column name -> type of its cells; "str" unless the format knows better."""
        return dict.fromkeys(self.columns, "str")

    @property
    def notes(self) -> list[str]:
        """What a user should know of this input: encoding, renamed headers, what was mended or refused.

        Complete only after `rows()` has been read to its end: some things are counted while reading.
        """
        return [*self._opening_notes, *(f"{n:,} {what}" for what, n in self._reading_notes.items())]

    def rows(self, start: int = 0) -> Iterator[InputRow]:
        """All rows in input order, from the row with index `start` (0 is the first) on."""
        self._reading_notes.clear()
        iterator = self._read()
        for _ in range(start):
            if next(iterator, None) is None:
                return
        yield from iterator

    @abstractmethod
    def _read(self) -> Iterator[InputRow]:
        """All rows in input order."""

    @abstractmethod
    def fingerprint(self) -> str:
        """SHA-256 over the bytes of the input (and file names, for folders), as "sha256:<hex>"."""

    @abstractmethod
    def row_count_hint(self) -> int | None:
        """Number of rows, exact or estimated, for a progress bar; None when unknown."""

    def _row(self, cells: tuple[Cell, ...], problem: str = "") -> InputRow:
        text, status, reason = report_text(cells[self.text_index])
        return InputRow(cells, text, status, "; ".join(filter(None, (problem, reason))))

    def _unreadable(self, raw: str, problem: str) -> InputRow:
        """A row that keeps its raw text in the text column; the other cells are None."""
        cells: list[Cell] = [None] * len(self.columns)
        cells[self.text_index] = raw
        return InputRow(tuple(cells), None, RowStatus.UNREADABLE, problem)


def report_text(value: Cell) -> tuple[str | None, RowStatus | None, str]:
    """The report in one cell, as (text, status, problem).

    Missing values (None, NaN and words for them) give None with status None: an empty report. Numbers, lists
    and other values that are no text give None and UNREADABLE. Bytes are decoded as UTF-8.
    """
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        if len(value) > 40:
            return value, None, ""
        word = value.strip()
        if word.lower() in MISSING_WORDS:
            return None, None, f"the text is {word!r}, taken as missing"
        if _NUMBER.fullmatch(word):
            return None, RowStatus.UNREADABLE, f"number instead of text: {word}"
        return value, None, ""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None, None, ""
    kind = "number" if isinstance(value, (int, float)) else type(value).__name__
    return None, RowStatus.UNREADABLE, f"{kind} instead of text: {str(value)[:40]}"


def json_text(value: Cell) -> str:
    """A value as JSON text, for lists and objects inside a cell."""
    return json.dumps(value, ensure_ascii=False, default=str)


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key in which "2.txt" stands before "10.txt"."""
    parts = re.findall(r"\d+|\D+", name, re.ASCII)
    return (*((0, int(p), p) if p.isdecimal() and len(p) < 4000 else (1, 0, p) for p in parts), (2, 0, name))
