"""Names of columns: made unique, the text column found, new columns that collide renamed."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from hilum.core.errors import InputError

ColumnType = Any
"""Type of a column: "str", "int8", "int64", "float64", "bool", or a polars data type of a parquet input."""

TEXT_COLUMNS = ("Report Impression", "Reports", "report", "text", "impression", "findings")
"""Names under which the text column is found by itself, the first of them that is there."""

NAMED_FOR_A_SECTION = {"impression": "impression", "reportimpression": "impression", "findings": "findings"}
"""Key of a text column -> the section that its texts are."""


def column_key(name: str) -> str:
    """A column name without case, spaces, underscores and byte order mark."""
    return "".join(name.replace("\ufeff", "").replace("_", " ").casefold().split())


def section_of_column(column: str) -> str | None:
    """The section that a text column is named for ("Report Impression" is "impression"), or None."""
    return NAMED_FOR_A_SECTION.get(column_key(column))


def unique_headers(headers: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    """Unique, non-empty names for the headers of a file, and a note for each that was changed.

    An empty header of the third column becomes "column_3"; a second "report" becomes "report_2".
    """
    taken = set(headers)
    seen: set[str] = set()
    names: list[str] = []
    notes: list[str] = []
    for place, header in enumerate(headers, start=1):
        name = header
        if not header.strip():
            name = _free(f"column_{place}", taken)
            notes.append(f"column {place} has no name and is called {name!r}")
        elif header in seen:
            name = _free(header, taken)
            notes.append(f"column {place} repeats the name {header!r} and is called {name!r}")
        seen.add(name)
        taken.add(name)
        names.append(name)
    return tuple(names), notes


def _free(name: str, taken: set[str]) -> str:
    if name not in taken:
        return name
    number = 2
    while f"{name}_{number}" in taken:
        number += 1
    return f"{name}_{number}"


def unique_columns(existing: Sequence[str], new: Sequence[str]) -> list[str]:
    """Names for `new` columns that do not collide with `existing` ones: "Edema" becomes "Edema_hilum".

    Taken again, "Edema_hilum_2" and so on. Order and number are those of `new`.
    """
    taken = set(existing)
    names: list[str] = []
    for column in new:
        name = column if column not in taken else _free(f"{column}_hilum", taken)
        taken.add(name)
        names.append(name)
    return names


def find_text_column(
    columns: Sequence[str], *, wanted: str | None, where: str, headers: Sequence[str] | None = None
) -> str:
    """The column that holds the reports: `wanted`, else one with a name of TEXT_COLUMNS.

    `headers` are the names as they stand in the file, before they were made unique. Raises InputError, with
    the columns there are, when there is no such column or when two columns fit equally well.
    """
    listed = ", ".join(repr(c) for c in columns[:60]) + (" ..." if len(columns) > 60 else "")
    if wanted is not None:
        return _named_column(columns, wanted=wanted, where=where, listed=listed)
    keys = [column_key(h) for h in (headers if headers is not None else columns)]
    for name in TEXT_COLUMNS:
        places = [i for i, key in enumerate(keys) if key == column_key(name)]
        if len(places) > 1:
            both = " and ".join(repr(columns[i]) for i in places)
            raise InputError(
                f"{where}: {len(places)} columns could hold the reports: {both}. "
                f"Next step: choose one with --column {columns[places[0]]!r}."
            )
        if places:
            return columns[places[0]]
    raise InputError(
        f"{where}: no column is called {', '.join(TEXT_COLUMNS[:-1])} or {TEXT_COLUMNS[-1]} (in any case). "
        f"Columns there are: {listed}. Next step: name the one with the reports: --column NAME."
    )


def _named_column(columns: Sequence[str], *, wanted: str, where: str, listed: str) -> str:
    if wanted in columns:
        return wanted
    same = [c for c in columns if column_key(c) == column_key(wanted)]
    if len(same) == 1:
        return same[0]
    near = same or difflib.get_close_matches(wanted, columns, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise InputError(f"{where}: there is no column {wanted!r}.{hint} Columns there are: {listed}.")
