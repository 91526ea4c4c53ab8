"""Label files, probability files and files of reports by key; columns are matched by name, never by place."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hilum.core.errors import InputError
from hilum.core.matrix import LEFT_OUT, LabelMatrix, ProbabilityMatrix
from hilum.core.vocabulary import CSV_CODES, Vocabulary
from hilum.tables._label_cells import BAD, BadCells, StateCodes, as_number, key_text
from hilum.tables._label_columns import (
    KEY_COLUMNS,
    Layout,
    find_findings,
    find_key,
    find_text,
    listed,
    shipped_matches,
)
from hilum.tables._label_own import OwnColumns
from hilum.tables._label_rows import Table, counted, open_table
from hilum.tables.columns import column_key
from hilum.tables.detect import open_reports

__all__ = [
    "ALLOWED_LABELS",
    "KEY_COLUMNS",
    "LabelFile",
    "ProbabilityFile",
    "ReportTexts",
    "read_label_files",
    "read_labels",
    "read_probabilities",
    "read_reports_by_key",
]

ALLOWED_LABELS = ", ".join(
    f"{'empty' if code is None else code} {state.name.lower()}" for state, code in CSV_CODES.items()
)
"""What a cell of a label file may hold, in words."""

_EXAMPLES = 3


@dataclass(frozen=True, eq=False)
class LabelFile:
    """A label file as read: `key` names the column of the ids, `texts` are the reports of its rows, if there.

    `notes` say what was found, left out or mended.
    """

    matrix: LabelMatrix
    key: str | None
    notes: tuple[str, ...] = ()
    texts: tuple[str | None, ...] | None = None


@dataclass(frozen=True, eq=False)
class ProbabilityFile:
    """A file of probabilities as read; `key` names the column of the ids."""

    matrix: ProbabilityMatrix
    key: str | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class ReportTexts:
    """Reports and their ids, row by row; a text is None where there is none, `ids` is () without a key."""

    ids: tuple[str, ...]
    texts: tuple[str | None, ...]
    key: str | None
    notes: tuple[str, ...] = ()


def read_labels(
    path: str | Path,
    *,
    name: str | None = None,
    vocabulary: Vocabulary | str | None = None,
    key: str | None = None,
    text_column: str | None = None,
    texts: bool = True,
    suffix: str = "",
    left_out: bool = False,
) -> LabelFile:
    """The labels in a csv, tsv, jsonl (also .gz) or parquet file.

    Columns are matched to findings by name or alias; without `vocabulary` the shipped one that matches most
    columns is taken. A cell is 1 positive, 0 negative, -1 uncertain or empty blank ("1.0", true, NaN and null
    are understood). The ids come from column `key`, else from the first of KEY_COLUMNS that is there; texts,
    unless `texts` is False, from `text_column`, else from the first of TEXT_COLUMNS. `suffix` reads columns
    called finding + suffix. Findings are in the order of the file; ids may repeat, which is noted.

    What `hilum label` left empty is no blank: rows whose status says that they have no labels, and cells that are
    named in the column `abstained`. They are noted, and LEFT_OUT in place of blank with `left_out`.

    Raises InputError, with row, column and value, for any cell that is no label, and when the columns cannot
    be told for sure.
    """
    table = open_table(path)
    layout = find_findings(table, vocabulary, suffix=suffix)
    place = find_key(table, key, findings=layout.places)
    text = (
        find_text(table, text_column, taken=(*layout.places, -1 if place is None else place))
        if texts
        else None
    )
    own = OwnColumns(table)
    extras: dict[int, list[Any]] = {i: [] for i in (place, text, *own.places) if i is not None}
    states_NF, notes = _read_states(table, layout, extras)
    ids = _ids(extras[place]) if place is not None else ()
    empty_NF, told = own.empty(extras, layout.findings, states_NF)
    notes = [*table.notes, *layout.notes, *notes, *_key_notes(table, place, ids), *told]
    if left_out:
        states_NF = np.where(empty_NF, LEFT_OUT, states_NF).astype(np.int8)
    return LabelFile(
        LabelMatrix(name or Path(path).name, layout.vocabulary, layout.findings, ids, states_NF),
        table.columns[place] if place is not None and ids else None,
        tuple(notes),
        tuple(_text(cell) for cell in extras[text]) if text is not None else None,
    )


def _read_states(table: Table, layout: Layout, extras: Mapping[int, list[Any]]) -> tuple[Any, list[str]]:
    """States int8 [N, F] and notes; the cells of the columns in `extras` are appended to its lists."""
    codes = StateCodes()
    bad = BadCells(table.where, table.columns)
    width = len(layout.places)
    data = bytearray()
    keep = [kept.append for kept in extras.values()]
    for row, cells in enumerate(table.rows([*layout.places, *extras]), start=1):
        states = bytes(map(codes.__getitem__, cells[:width]))
        if BAD in states:
            for i, code in enumerate(states):
                if code == BAD:
                    bad.add(layout.places[i], cells[i], row=row, line=table.line)
        data += states
        for append, cell in zip(keep, cells[width:], strict=True):
            append(cell)
    if bad.total:
        raise bad.error("label", ALLOWED_LABELS)
    _check_rows(table, len(data))
    states_NF = np.frombuffer(bytes(data), dtype=np.int8).reshape(-1, width)
    return states_NF, ["true and false were read as positive and negative"] if codes.booleans else []


def read_probabilities(
    path: str | Path,
    *,
    name: str | None = None,
    vocabulary: Vocabulary | str | None = None,
    key: str | None = None,
    suffix: str = "",
) -> ProbabilityFile:
    """The probabilities in a csv, tsv, jsonl (also .gz) or parquet file, float64 in [0, 1].

    Columns and keys are found as `read_labels` finds them; hard 0/1 labels are probabilities too.
    Raises InputError, with row, column and value, for a cell that is empty, NaN or outside [0, 1].
    """
    table = open_table(path)
    layout = find_findings(table, vocabulary, suffix=suffix)
    place = find_key(table, key, findings=layout.places)
    ids_read: list[Any] = []
    bad = BadCells(table.where, table.columns)
    width = len(layout.places)
    data = array("d")
    for row, cells in enumerate(table.rows([*layout.places, *([] if place is None else [place])]), start=1):
        for i in range(width):
            number = as_number(cells[i])
            if number is None or not 0.0 <= number <= 1.0:
                bad.add(layout.places[i], cells[i], row=row, line=table.line)
                number = 0.0
            data.append(number)
        if place is not None:
            ids_read.append(cells[width])
    if bad.total:
        raise bad.error("probability", "numbers from 0 to 1")
    _check_rows(table, len(data))
    ids = _ids(ids_read)
    values_NF = np.frombuffer(data, dtype=np.float64).reshape(-1, width).copy()
    return ProbabilityFile(
        ProbabilityMatrix(name or Path(path).name, layout.vocabulary, layout.findings, ids, values_NF),
        table.columns[place] if place is not None and ids else None,
        (*table.notes, *layout.notes, *_key_notes(table, place, ids)),
    )


def read_label_files(
    paths: Mapping[str, str | Path],
    *,
    vocabulary: Vocabulary | str | None = None,
    key: str | Sequence[str | None] | None = None,
    texts: bool = False,
) -> list[LabelFile]:
    """Several label files, name -> path, that are to be compared: with one vocabulary and, if there is, one key.

    Without `vocabulary` the shipped one with most findings that ALL files have is taken. Without `key` the
    first of KEY_COLUMNS that ALL files have is taken, else each file's own. `key` may also name one column
    (or None) per file. Raises InputError as `read_labels` does.
    """
    headers = [open_table(path).headers for path in paths.values()]
    if vocabulary is None:
        vocabulary = _common_vocabulary(headers)
    if key is None:
        common = set.intersection(*({column_key(h) for h in one} for one in headers)) if headers else set()
        key = next((name for name in KEY_COLUMNS if column_key(name) in common), None)
    keys = [key] * len(paths) if key is None or isinstance(key, str) else list(key)
    return [
        read_labels(path, name=name, vocabulary=vocabulary, key=one, texts=texts)
        for (name, path), one in zip(paths.items(), keys, strict=True)
    ]


def _common_vocabulary(headers: Sequence[Sequence[str]]) -> str | None:
    matches = [shipped_matches(one) for one in headers]
    if not matches:
        return None
    shared = {name: set.intersection(*(m[name] for m in matches)) for name in matches[0]}
    best = max(shared, key=lambda name: len(shared[name]))
    return best if shared[best] else None


def read_reports_by_key(
    path: str | Path, *, key: str | None = None, column: str | None = None
) -> ReportTexts:
    """The reports of any input that `open_reports` opens, with their ids.

    Raises InputError when `key` is not there or when there is no column of reports.
    """
    source = open_reports(path, column=column)
    names = [column_key(c) for c in source.columns]
    wanted = [key] if key is not None else KEY_COLUMNS
    place = next((names.index(column_key(k)) for k in wanted if column_key(k) in names), None)
    if key is not None and place is None:
        raise InputError(f"{path}: there is no column {key!r}. Columns there are: {listed(source.columns)}.")
    ids: list[Any] = []
    texts: list[str | None] = []
    for row in source.rows():
        texts.append(_text(row.text))
        ids.append(row.cells[place] if place is not None else None)
    return ReportTexts(
        _ids(ids), tuple(texts), source.columns[place] if place is not None else None, tuple(source.notes)
    )


def _check_rows(table: Table, cells: int) -> None:
    if not cells:
        raise InputError(
            f"{table.where} has a header ({listed(table.columns)}) but no rows. "
            "Next step: check how it was written."
        )


def _ids(cells: Sequence[Any]) -> tuple[str, ...]:
    """Keys as text; () when all are empty."""
    ids = tuple(map(key_text, cells))
    return ids if any(ids) else ()


def _key_notes(table: Table, place: int | None, ids: Sequence[str]) -> list[str]:
    if place is None:
        return ["no key column was found; rows can be compared by position alone"]
    name = table.columns[place]
    if not ids:
        return [f"the key column {name!r} is empty; rows can be compared by position alone"]
    notes = [f"the key is the column {name!r}"]
    empty = ids.count("")
    if empty:
        notes.append(f"{counted(empty, 'row has', 'rows have')} no key")
    repeated = [(one, n) for one, n in Counter(ids).items() if n > 1 and one]
    if repeated:
        some = ", ".join(f"{one!r} {n} times" for one, n in repeated[:_EXAMPLES])
        notes.append(f"{counted(len(repeated), 'key occurs', 'keys occur')} more than once ({some})")
    return notes


def _text(cell: Any) -> str | None:
    return cell if isinstance(cell, str) and cell.strip() else None
