"""Which columns of a table hold findings, keys and texts: by name alone, and never two for one."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import NamedTuple

from hilum.core.errors import InputError, UnknownNameError
from hilum.core.vocabulary import SHIPPED, Vocabulary
from hilum.tables._label_rows import Table
from hilum.tables.columns import TEXT_COLUMNS, column_key

KEY_COLUMNS = (
    "Study", "study_id", "StudyInstanceUID", "report_id", "uid", "id", "key", "dicom_id", "image_id",
    "Path", "image_path", "report_path", "Image Index", "image", "filename", "file", "accession",
    "accession_number", "name", "subject_id", "patient_id", "subject", "patient",
)  # fmt: skip
"""Names under which the key column is found by itself, the first of them that is there."""

_ADDED = "_hilum"
_MOST_LISTED = 60


class Layout(NamedTuple):
    """Findings in the order of the file, with the places of their columns; what else was noticed."""

    vocabulary: Vocabulary
    findings: tuple[str, ...]
    places: tuple[int, ...]
    notes: list[str]


def find_findings(table: Table, wanted: Vocabulary | str | None, *, suffix: str = "") -> Layout:
    """The columns of a table that are findings.

    Raises InputError when there is none, or when two columns are the same finding.
    """
    stems = [_stem(header, suffix) for header in table.headers]
    vocabulary, notes = _choose(wanted, stems)
    places: dict[str, int] = {}
    for place, stem in enumerate(stems):
        if stem is None or stem not in vocabulary:
            continue
        finding = vocabulary.names[vocabulary.index(stem)]
        if finding in places:
            both = f"{table.headers[places[finding]]!r} and {table.headers[place]!r}"
            raise InputError(
                f"{table.where}: the columns {both} are both {finding} in {vocabulary.name}, and nobody can tell "
                "which is meant. Next step: leave one of them out, or rename it."
            )
        places[finding] = place
    if not places:
        raise _no_findings(table, vocabulary, suffix)
    notes += _missing(table, vocabulary, places)
    if not suffix and any(_stem(c, _ADDED) in vocabulary for c in table.headers if _stem(c, _ADDED)):
        notes.append(f"there are also columns called NAME{_ADDED}; the ones without {_ADDED} were read")
    return Layout(vocabulary, tuple(places), tuple(places.values()), notes)


def _stem(header: str, suffix: str) -> str | None:
    name = header.replace("\ufeff", "").strip()
    return name.removesuffix(suffix) if name.endswith(suffix) else None


def shipped_matches(headers: Sequence[str]) -> dict[str, set[str]]:
    """Name of each shipped vocabulary -> the findings of it that these headers name."""
    return {
        name: set(v.match_columns([h.replace("\ufeff", "") for h in headers])) for name, v in SHIPPED.items()
    }


def _choose(wanted: Vocabulary | str | None, stems: Sequence[str | None]) -> tuple[Vocabulary, list[str]]:
    if isinstance(wanted, Vocabulary):
        return wanted, []
    if wanted is not None:
        if wanted not in SHIPPED:
            raise UnknownNameError("vocabulary", wanted, SHIPPED)
        return SHIPPED[wanted], []
    matches = shipped_matches([stem for stem in stems if stem])
    best = max(matches, key=lambda name: len(matches[name]))
    others = [f"{name} {len(found)}" for name, found in matches.items() if name != best]
    note = f"read as {best}, which has {len(matches[best])} of its columns ({', '.join(others)})"
    return SHIPPED[best], [note]


def _no_findings(table: Table, vocabulary: Vocabulary, suffix: str) -> InputError:
    near = [
        f"{column!r} ({found[0]}?)"
        for column in table.columns
        if (found := difflib.get_close_matches(column, vocabulary.names, n=1, cutoff=0.6))
    ]
    hint = f" Nearest: {', '.join(near[:5])}." if near else ""
    ending = f" ending in {suffix!r}" if suffix else ""
    return InputError(
        f"{table.where}: no column{ending} is a finding of {vocabulary.name}. Columns there are: "
        f"{listed(table.columns)}.{hint} Findings: {', '.join(vocabulary.names)}. "
        "Next step: give a file with one column per finding, or name another vocabulary."
    )


def _missing(table: Table, vocabulary: Vocabulary, places: dict[str, int]) -> list[str]:
    missing = [name for name in vocabulary.names if name not in places]
    if not missing:
        return []
    notes = [f"no column for {', '.join(missing)}"]
    others = [c for i, c in enumerate(table.columns) if i not in places.values()]
    for name in missing:
        near = difflib.get_close_matches(name, others, n=1, cutoff=0.8)
        notes += [f"the column {near[0]!r} was not read; was {name} meant?"] if near else []
    return notes


def find_key(table: Table, wanted: str | None, *, findings: Sequence[int] = ()) -> int | None:
    """Place of the key column: `wanted`, else the first of KEY_COLUMNS; None when there is none.

    Raises InputError when `wanted` is not there, or when two columns have that name.
    """
    return _first_named(table, KEY_COLUMNS, taken=findings) if wanted is None else find_named(table, wanted)


def find_named(table: Table, wanted: str) -> int:
    """Place of the column called `wanted`, in any case. Raises InputError, with the nearest, when there is none."""
    if wanted in table.columns:
        return table.columns.index(wanted)
    same = [i for i, c in enumerate(table.columns) if column_key(c) == column_key(wanted)]
    if len(same) == 1:
        return same[0]
    near = difflib.get_close_matches(wanted, table.columns, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise InputError(
        f"{table.where}: there is no column {wanted!r}.{hint} Columns there are: {listed(table.columns)}."
    )


def find_text(table: Table, wanted: str | None, *, taken: Sequence[int]) -> int | None:
    """Place of the column of reports: `wanted`, else the first of TEXT_COLUMNS that is no other column."""
    return _first_named(table, TEXT_COLUMNS, taken=taken) if wanted is None else find_named(table, wanted)


def _first_named(table: Table, names: Sequence[str], *, taken: Sequence[int]) -> int | None:
    """Place of the first column that has the first of these names, and is not taken."""
    keys = [column_key(header) for header in table.headers]
    for name in names:
        found = [i for i, key in enumerate(keys) if key == column_key(name) and i not in taken]
        if found:
            return found[0]
    return None


def listed(columns: Sequence[str]) -> str:
    """Names of columns for a message, the first sixty of them."""
    return ", ".join(map(repr, columns[:_MOST_LISTED])) + (" ..." if len(columns) > _MOST_LISTED else "")
