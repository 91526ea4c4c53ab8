"""JSON lines: one object a line; the columns are all keys, in the order in which they first occur."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from hilum.core.errors import InputError
from hilum.core.records import RowStatus
from hilum.tables._text_file import TextFile
from hilum.tables.binary import ByteInput
from hilum.tables.columns import ColumnType, find_text_column, unique_headers
from hilum.tables.source import Cell, InputRow, ReportSource, json_text

MAX_COLUMNS = 10_000
"""More different keys than this are taken for data in the place of keys."""

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_INT64 = range(-(2**63), 2**63)


class JsonlSource(ReportSource):
    """A file of JSON lines, read once for its keys and then row by row.

    A line that is no JSON object is an unreadable row with the raw line in the text column. Lists and objects
    inside a row become JSON text. Blank lines are left out and counted.
    """

    def __init__(self, data: ByteInput, *, column: str | None, resumable: bool = True) -> None:
        self._data = data
        self._file = TextFile(data, next_step="give a file with one JSON object a line")
        self._keys: dict[str, ColumnType] = {}
        self._lines = 0
        first_problem = self._survey()
        if not self._keys:
            raise InputError(
                f"{data.where} has no line with a JSON object ({first_problem or 'only blank lines'}). "
                "Next step: write one object a line, not one array for the whole file."
            )
        columns, renamed = unique_headers(tuple(self._keys))
        text_column = find_text_column(columns, wanted=column, where=data.where, headers=tuple(self._keys))
        super().__init__(format_name="jsonl", columns=columns, text_column=text_column, resumable=resumable)
        self._opening_notes = [*self._file.notes, *renamed]

    @property
    def notes(self) -> list[str]:
        """See ReportSource; also what became of damaged gzip files."""
        return [*self._data.notes, *super().notes]

    @property
    def schema(self) -> Mapping[str, ColumnType]:
        """Type of each column: of all its values when they agree, else "str"; the text column is "str"."""
        kinds = dict(zip(self.columns, (kind or "str" for kind in self._keys.values()), strict=True))
        return {**kinds, self.text_column: "str"}

    def _survey(self) -> str:
        """Collect keys, types and the number of lines; returns the first problem, "" when there is none."""
        first_problem = ""
        with self._file.open() as file:
            for number, line in enumerate(file, start=1):
                if line.isspace():
                    continue
                self._lines += 1
                record, problem = parse_line(line)
                first_problem = first_problem or (problem and f"line {number}: {problem}")
                for key, value in record.items():
                    self._keys[key] = _merge_kinds(self._keys.get(key), value)
                if len(self._keys) > MAX_COLUMNS:
                    raise InputError(
                        f"{self._data.where} has more than {MAX_COLUMNS:,} different keys by line {number}. "
                        "Next step: write the same keys in every line."
                    )
        return first_problem

    def _read(self) -> Iterator[InputRow]:
        keys = tuple(self._keys)
        text_key = keys[self.text_index]
        with self._file.open() as file:
            for number, line in enumerate(file, start=1):
                if line.isspace():
                    self._reading_notes["blank lines left out"] += 1
                    continue
                record, problem = parse_line(line)
                if problem:
                    self._reading_notes["lines are no JSON object"] += 1
                    yield self._unreadable(line.rstrip("\r\n"), f"line {number}: {problem}")
                else:
                    row = self._row(tuple([_cell(record.get(key)) for key in keys]))
                    nested = isinstance(record.get(text_key), (list, dict))
                    yield self._not_text(row, number) if nested else row

    @staticmethod
    def _not_text(row: InputRow, number: int) -> InputRow:
        problem = f"line {number}: a list or object instead of text"
        return row._replace(text=None, status=RowStatus.UNREADABLE, problem=problem)

    def fingerprint(self) -> str:
        """See ReportSource."""
        return self._data.fingerprint()

    def row_count_hint(self) -> int | None:
        """The exact number of rows."""
        return self._lines


class _RepeatedKeyError(ValueError):
    pass


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        raise _RepeatedKeyError("the same key stands twice in one object")
    return record


def parse_line(line: str) -> tuple[dict[str, Any], str]:
    """The object of one line and "", or an empty object and what is wrong."""
    try:
        value = json.loads(line.lstrip("\ufeff"), object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        return {}, f"not JSON ({error.msg} at character {error.pos + 1})"
    except (ValueError, RecursionError) as error:
        return {}, f"not usable JSON ({error})"
    if not isinstance(value, dict):
        return {}, f"a JSON {type(value).__name__} where an object belongs"
    return (_mend_surrogates(value) if "\\u" in line else value), ""


def _mend_surrogates(value: Any) -> Any:
    """The value with U+FFFD for each lone surrogate: no output format can hold one."""
    if isinstance(value, str):
        return _LONE_SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_mend_surrogates(key): _mend_surrogates(item) for key, item in value.items()}
    return [_mend_surrogates(item) for item in value] if isinstance(value, list) else value


def _cell(value: Any) -> Cell:
    return json_text(value) if isinstance(value, (list, dict)) else value


def _merge_kinds(known: ColumnType | None, value: Any) -> ColumnType | None:
    """The type of a column whose values so far are `known` (None: only nulls) and that meets `value`."""
    if value is None or known == "str":
        return known
    if isinstance(value, bool):
        kind = "bool"
    elif isinstance(value, int):
        kind = "int64" if value in _INT64 else "str"
    else:
        kind = "float64" if isinstance(value, float) else "str"
    if known is None or known == kind:
        return kind
    return "float64" if {known, kind} == {"int64", "float64"} else "str"
