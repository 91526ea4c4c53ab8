"""Reference and candidate reports from one or two files, joined by key or by position."""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from hilum.core.errors import InputError
from hilum.tables._label_cells import key_text
from hilum.tables._label_rows import open_table
from hilum.tables.columns import TEXT_COLUMNS, column_key
from hilum.tables.labels import KEY_COLUMNS
from hilum.tables.source import MISSING_WORDS, Cell, report_text

Role = Literal["references", "candidates"]
How = Literal["auto", "key", "position"]

ROLE_COLUMNS: Mapping[Role, tuple[str, ...]] = {
    "references": ("reference", "references", "ground_truth", "gt", "gts", "target"),
    "candidates": (
        "candidate", "candidates", "prediction", "predictions", "generated", "generated_report",
        "hypothesis", "hyp", "output",
    ),
}  # fmt: skip
"""Names under which the texts of a role are found by themselves, before those of TEXT_COLUMNS."""

_SHOWN = 3


@dataclass(frozen=True)
class TextFile:
    """Texts of one role: `texts` has the texts of each row (none where the cell is empty), `keys` one each.

    `keys` is () for a file without keys; `key` and `column` name where keys and texts were found.
    """

    where: str
    texts: tuple[tuple[str, ...], ...]
    keys: tuple[str, ...] = ()
    key: str = ""
    column: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pairs:
    """N samples: an id each, one or more references each, one candidate each ("" when it is empty).

    `joined` says how they were brought together, `notes` what was left out or unusual.
    """

    ids: tuple[str, ...]
    references: tuple[tuple[str, ...], ...]
    candidates: tuple[str, ...]
    joined: str
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.candidates)

    @property
    def several(self) -> bool:
        """Whether any sample has more than one reference."""
        return any(len(texts) > 1 for texts in self.references)


class _Rows(NamedTuple):
    keys: list[Cell] | None
    cells: list[Cell]
    key: str
    column: str
    notes: list[str]


def read_texts(
    path: str | Path, role: Role, *, column: str | None = None, key: str | None = None
) -> TextFile:
    """The texts in a csv, tsv, jsonl (also .gz), parquet or json file.

    A json file is {id: text}, {id: [text, ...]}, a list of texts, or a list of objects. The text column is
    `column`, else found by name (ROLE_COLUMNS, TEXT_COLUMNS); the keys come from `key`, else from the first of
    KEY_COLUMNS that is there. A list of texts is several references. Raises InputError for what cannot be read.
    """
    is_json = Path(path).name.lower().endswith(".json")
    rows = _read_json(Path(path), role, column, key) if is_json else _read_table(path, role, column, key)
    texts, bad = [], []
    for number, cell in enumerate(rows.cells, start=1):
        read, problem = _texts(cell)
        texts.append(read)
        if problem:
            bad.append(f"row {number:,}: {problem}")
    _raise_if(bad, f"{path}: {len(bad):,} of {len(texts):,} rows hold no text", "mend these rows")
    if not texts:
        raise InputError(f"{path} has no row with a report. Next step: check how it was written.")
    keys = () if rows.keys is None else tuple(map(key_text, rows.keys))
    found = tuple(note for note in (*rows.notes, _found(path, role, rows)) if note)
    return TextFile(str(path), tuple(texts), keys, rows.key, rows.column, found)


def join_texts(references: TextFile, candidates: TextFile, *, how: How = "auto") -> Pairs:
    """The pairs of two files, in the order of the references.

    "auto" joins by key when both have keys, else by position. Raises InputError for keys that stand twice or
    in one file only, for unequal numbers of rows by position, and for a candidate that is several texts.
    """
    several = [i for i, texts in enumerate(candidates.texts, start=1) if len(texts) > 1]
    if several:
        raise InputError(
            f"{candidates.where}: {len(several):,} candidates are lists of several texts, first in row "
            f"{several[0]:,}. Next step: give one text each; only references may be several."
        )
    if how not in ("auto", "key", "position"):
        raise InputError(f"There is no way of joining {how!r}; allowed: auto, key, position.")
    by_key = how == "key" or (how == "auto" and bool(references.keys) and bool(candidates.keys))
    places, note = _by_key(references, candidates) if by_key else _by_position(references, candidates)
    rows = [(i, place) for i, place in enumerate(places) if any(t.strip() for t in references.texts[i])]
    left = len(places) - len(rows)
    said = [t for _, place in rows for t in (candidates.texts[place] or ("",))]
    notes = [*references.notes, *candidates.notes, note]
    notes.append(f"{left:,} pairs were left out because the reference is empty" if left else "")
    empty = sum(not text.strip() for text in said)
    notes.append(f"{empty:,} candidates are empty; they are scored as they are" if empty else "")
    if not rows:
        raise InputError(f"{references.where}: every reference is empty. Next step: choose another column.")
    ids = references.keys or candidates.keys or tuple(str(i) for i in range(len(places)))
    return Pairs(
        ids=tuple(ids[i] for i, _ in rows),
        references=tuple(tuple(t for t in references.texts[i] if t.strip()) for i, _ in rows),
        candidates=tuple(said),
        joined="key" if by_key else "position",
        notes=tuple(note for note in notes if note),
    )


def _by_key(references: TextFile, candidates: TextFile) -> tuple[list[int], str]:
    for file in (references, candidates):
        if not file.keys:
            raise InputError(
                f"{file.where} has no key column ({', '.join(KEY_COLUMNS[:6])}, ...). Next step: name it with "
                "--key, or join by the order of rows with --align position."
            )
        empty = [f"row {i:,}" for i, key in enumerate(file.keys, start=1) if not key]
        _raise_if(
            empty,
            f"{file.where}: {len(empty):,} keys of column {file.key!r} are empty",
            "name another key column with --key, or join by the order of rows with --align position",
        )
        twice = [key for key, n in Counter(file.keys).items() if n > 1]
        _raise_if(
            [repr(key) for key in twice],
            f"{file.where}: {len(twice):,} keys of column {file.key!r} stand more than once",
            "name another key column with --key, or join by the order of rows with --align position",
        )
    place_of = {key: place for place, key in enumerate(candidates.keys)}
    missing = [key for key in references.keys if key not in place_of]
    extra = sorted(set(place_of) - set(references.keys), key=place_of.__getitem__)
    if missing or extra:
        raise InputError(
            f"Keys do not match: {len(missing):,} of {len(references.keys):,} references have no candidate"
            f"{_shown(missing)}, and {len(extra):,} of {len(candidates.keys):,} candidates have no reference"
            f"{_shown(extra)}. Next step: give both files the same keys, name the key column with --key, or "
            "join by the order of rows with --align position."
        )
    places = [place_of[key] for key in references.keys]
    moved = sum(place != i for i, place in enumerate(places))
    return places, f"{moved:,} rows stand at another place in the two files; joined by key" if moved else ""


def _by_position(references: TextFile, candidates: TextFile) -> tuple[list[int], str]:
    numbers = len(references.texts), len(candidates.texts)
    if numbers[0] != numbers[1]:
        raise InputError(
            f"{references.where} has {numbers[0]:,} rows and {candidates.where} {numbers[1]:,}, and they have no "
            "keys in common to join by. Next step: give files with the same rows, or with a key column (--key)."
        )
    note = ""
    if references.keys and candidates.keys:
        apart = sum(a != b for a, b in zip(references.keys, candidates.keys, strict=True))
        note = f"joined by position, but {apart:,} rows have another key in the two files" if apart else ""
    elif references.keys or candidates.keys:
        note = "only one file has keys, so rows were joined by position"
    return list(range(numbers[0])), note


def _read_table(path: str | Path, role: Role, column: str | None, key: str | None) -> _Rows:
    table = open_table(path)
    text = _text_place(table.columns, role, column, str(path))
    keyed = _key_place(table.columns, key, text, str(path))
    places = [text] if keyed is None else [text, keyed]
    rows = list(table.rows(places))
    keys = None if keyed is None else [row[1] for row in rows]
    name = "" if keyed is None else table.columns[keyed]
    return _Rows(keys, [row[0] for row in rows], name, table.columns[text], list(table.notes))


def _read_json(path: Path, role: Role, column: str | None, key: str | None) -> _Rows:
    try:
        data = json.loads(path.read_bytes(), object_pairs_hook=_unique)
    except FileNotFoundError:
        raise InputError(f"There is no file {path}. Next step: check the path.") from None
    except ValueError as error:  # also UnicodeDecodeError
        raise InputError(f"{path} is not JSON: {error}. Next step: check how it was written.") from error
    if isinstance(data, Mapping):
        return _Rows(list(data), list(data.values()), "the keys of the object", "", [])
    if not isinstance(data, list):
        raise InputError(
            f"{path} holds a JSON {type(data).__name__}. Next step: write {{id: text}}, {{id: [texts]}}, a list of "
            "texts or a list of objects."
        )
    if not any(isinstance(row, Mapping) for row in data):
        return _Rows(None, data, "", "", [])
    return _read_objects(data, role, column, key, str(path))


def _read_objects(data: Sequence[Any], role: Role, column: str | None, key: str | None, where: str) -> _Rows:
    bad = [f"row {i:,}: a {type(r).__name__}" for i, r in enumerate(data, 1) if not isinstance(r, Mapping)]
    _raise_if(bad, f"{where}: {len(bad):,} of {len(data):,} rows are no object", "write objects only")
    columns = tuple(dict.fromkeys(name for row in data for name in row))
    text = columns[_text_place(columns, role, column, where)]
    place = _key_place(columns, key, columns.index(text), where)
    keys = None if place is None else [row.get(columns[place]) for row in data]
    name = "" if place is None else columns[place]
    return _Rows(keys, [row.get(text) for row in data], name, text, [])


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    twice = [name for name, n in Counter(name for name, _ in pairs).items() if n > 1]
    if twice:
        raise ValueError(f"{len(twice):,} keys stand twice in one object{_shown(twice)}")
    return dict(pairs)


def _text_place(columns: Sequence[str], role: Role, wanted: str | None, where: str) -> int:
    names = (wanted,) if wanted is not None else (*ROLE_COLUMNS[role], *TEXT_COLUMNS)
    for name in names:
        places = [i for i, column in enumerate(columns) if column_key(column) == column_key(name)]
        if len(places) > 1:
            exact = [i for i in places if columns[i] == name]
            if len(exact) != 1:
                raise InputError(
                    f"{where}: {len(places)} columns could be {name!r}. Next step: name one exactly with "
                    f"--{role[:-1]}-column."
                )
            return exact[0]
        if places:
            return places[0]
    near = difflib.get_close_matches(wanted or "", columns, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    asked = f"no column {wanted!r}" if wanted is not None else f"no column for the {role} found by its name"
    raise InputError(
        f"{where}: there is {asked}.{hint} Columns there are: {', '.join(map(repr, columns[:40]))}. Next step: "
        f"name the one with the texts: --{role[:-1]}-column NAME."
    )


def _key_place(columns: Sequence[str], wanted: str | None, text: int, where: str) -> int | None:
    for name in (wanted,) if wanted is not None else KEY_COLUMNS:
        for place, column in enumerate(columns):
            if place != text and column_key(column) == column_key(name):
                return place
    if wanted is not None:
        raise InputError(
            f"{where}: there is no key column {wanted!r}. Columns there are: "
            f"{', '.join(map(repr, columns[:40]))}."
        )
    return None


def _texts(cell: Cell) -> tuple[tuple[str, ...], str]:
    """The texts of one cell and "", or what is wrong with it."""
    if isinstance(cell, str) and cell.startswith('["') and cell.endswith('"]'):
        try:
            cell = json.loads(cell)
        except ValueError:
            return (cell,), ""
    if isinstance(cell, list):
        texts = [t for t in cell if isinstance(t, str)]
        return tuple(texts), "" if len(texts) == len(cell) else "a list that holds other values than texts"
    if isinstance(cell, str):
        return () if cell.strip().lower() in MISSING_WORDS else (cell,), ""
    text, status, problem = report_text(cell)
    if status is not None:
        return (), problem
    return () if text is None else (text,), ""


def _found(path: str | Path, role: Role, rows: _Rows) -> str:
    texts = f"column {rows.column!r}" if rows.column else "its texts"
    keys = f", keys from {rows.key!r}" if rows.column and rows.key else ""
    return f"{role}: {texts} of {Path(path).name}{keys}"


def _shown(keys: Sequence[str]) -> str:
    return (
        f" ({', '.join(repr(k) for k in keys[:_SHOWN])}{', ...' if len(keys) > _SHOWN else ''})"
        if keys
        else ""
    )


def _raise_if(bad: Sequence[str], what: str, step: str) -> None:
    if bad:
        more = f" and {len(bad) - _SHOWN:,} more" if len(bad) > _SHOWN else ""
        raise InputError(f"{what}: {'; '.join(bad[:_SHOWN])}{more}. Next step: {step}.")
