"""Words that say what a figure shows, made from its data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

_MOST_NAMED = 20

Cell = tuple[str, float | None]
"""A name for a value, and the value; None and NaN mean that it is not defined."""


def listed(names: Sequence[str], *, most: int = _MOST_NAMED) -> str:
    """Names as a list in a sentence; beyond `most`, the number of the rest."""
    shown = list(names[:most])
    if len(names) > most:
        shown.append(f"{len(names) - most} more")
    mark = "; " if any(", " in name for name in shown) else ", "
    return f"{mark.join(shown[:-1])} and {shown[-1]}" if len(shown) > 1 else "".join(shown)


def counted(number: int, one: str, many: str = "") -> str:
    """The number with its noun: `1 finding`, `8 findings`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def extremes(cells: Iterable[Cell], pattern: str) -> str:
    """Sentences with the largest and the smallest value, and with the names of those that are not defined."""
    cells = list(cells)
    known = [(name, value) for name, value in cells if value is not None and math.isfinite(value)]
    said = []
    if known:
        top, low = max(known, key=lambda cell: cell[1]), min(known, key=lambda cell: cell[1])
        said.append(f"Largest: {pattern.format(top[1])}, {top[0]}.")
        if len(known) > 1:
            said.append(f"Smallest: {pattern.format(low[1])}, {low[0]}.")
    missing = [name for name, value in cells if value is None or math.isnan(value)]
    if missing:
        said.append(f"Not defined: {listed(missing, most=6)}.")
    return " ".join(said)


def joined(*parts: str) -> str:
    """Sentences with one space between them; empty ones are left out."""
    return " ".join(part for part in parts if part)
