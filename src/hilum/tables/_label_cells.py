"""Cells of label files to states and probabilities, and what to say of those that are neither."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any

from hilum.core.errors import InputError
from hilum.core.vocabulary import CHEXBERT_CLASS_IDS, State, state_from_csv
from hilum.tables.source import MISSING_WORDS

BAD = 255
"""What `StateCodes` gives for a cell that is no label."""

_SHOWN = 5
_WORDS = {"true": State.POSITIVE, "false": State.NEGATIVE}


class StateCodes(dict[Hashable, int]):
    """Cell -> state code, or BAD; every spelling is worked out once and kept."""

    def __init__(self) -> None:
        super().__init__()
        self.booleans = False

    def __missing__(self, cell: Hashable) -> int:
        code = self._code(cell)
        if code == BAD or len(self) > 10_000:
            return code
        self[cell] = code
        return code

    def _code(self, cell: Hashable) -> int:
        value: Any = cell.strip().lower() if isinstance(cell, str) else cell
        if value in MISSING_WORDS:
            return int(State.BLANK)
        if value in _WORDS or isinstance(value, bool):
            self.booleans = True
            return int(_WORDS[str(value).lower()])
        try:
            return int(state_from_csv(value))
        except (ValueError, TypeError, OverflowError):
            return BAD


class BadCells:
    """Cells of a file that cannot be used: all counted, the first ones kept."""

    def __init__(self, where: str, columns: Sequence[str]) -> None:
        self.where = where
        self.columns = tuple(columns)
        self.total = 0
        self.first: list[str] = []
        self._numbers: set[float] = set()
        self._words = False

    def add(self, place: int, value: Any, *, row: int, line: int | None) -> None:
        """Note the value of the column at `place` of data row `row` (from 1)."""
        self.total += 1
        number = as_number(value)
        if number is None:
            self._words = True
        elif len(self._numbers) < 1000:
            self._numbers.add(number)
        if len(self.first) < _SHOWN:
            at = f"data row {row:,}" + (f" (line {line:,})" if line is not None else "")
            shown = value if isinstance(value, str) else str(value)
            self.first.append(f"{at}, column {self.columns[place]!r}: {shown[:40]!r}")

    def error(self, what: str, allowed: str) -> InputError:
        """The error: how many cells are no `what`, the first of them, and what is allowed."""
        cells = "1 cell is" if self.total == 1 else f"{self.total:,} cells are"
        more = f"; and {self.total - len(self.first):,} more" if self.total > len(self.first) else ""
        return InputError(
            f"{self.where}: {cells} no {what}. {'; '.join(self.first)}{more}. "
            f"Allowed: {allowed}.{self._hint(what)} Next step: mend the cells."
        )

    def _hint(self, what: str) -> str:
        if self._words or not self._numbers:
            return ""
        if what == "label" and all(0 <= n <= 1 for n in self._numbers):
            return " These look like probabilities, which are given as such or cut at a threshold first."
        classes = {float(code) for code in CHEXBERT_CLASS_IDS.values()}
        if what == "label" and self.total > 1 and self._numbers <= classes:  # one cell is no evidence
            listed = ", ".join(f"{int(code)} {s.name.lower()}" for s, code in CHEXBERT_CLASS_IDS.items())
            return f" These look like CheXbert's class ids ({listed}), which are another code."
        if what == "probability" and all(0 <= n <= 100 for n in self._numbers):
            return " These look like percentages: divide them by 100."
        return ""


def as_number(value: Any) -> float | None:
    """A cell as a finite number; None for anything else."""
    if isinstance(value, bool):
        return float(value)
    try:
        number = float(value)
    except (ValueError, TypeError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def key_text(value: Any) -> str:
    """A key as text without spaces around it: 7 and 7.0 are "7", a missing value is ""."""
    if isinstance(value, str):
        return value.strip()
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
