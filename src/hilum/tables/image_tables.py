"""Tables with one image in each row: where it is, whose it is, and columns that are carried along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hilum.core.errors import InputError
from hilum.tables._label_cells import key_text
from hilum.tables._label_columns import find_named, listed
from hilum.tables._label_rows import Table, open_table
from hilum.tables.columns import column_key
from hilum.tables.source import Cell

PATH_COLUMNS = (
    "path",
    "image_path",
    "image path",
    "file",
    "filename",
    "file_name",
    "image",
    "image index",
    "image_file",
)
"""Names under which the column of image files is found by itself, the first of them that is there."""

PATIENT_COLUMNS = ("patient", "patient_id", "patient id", "patientid", "subject_id", "subject")
"""Names under which the column of patients is found by itself."""


@dataclass(frozen=True)
class ImageTable:
    """The rows of a table of images. A path is "" where a row names none, and so is a patient.

    `patients` is None without such a column. `more` has the cells of each further column that was asked for, and ()
    for one that is not there.
    """

    paths: tuple[str, ...]
    patients: tuple[str, ...] | None
    path_column: str
    patient_column: str | None
    more: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()


def read_image_table(
    path: str | Path,
    *,
    path_column: str | None = None,
    patient_column: str | None = None,
    more: Sequence[str] = (),
) -> ImageTable:
    """The images that a csv, tsv, jsonl (also .gz) or parquet file names, row by row.

    Columns are those asked for, else the first of PATH_COLUMNS and PATIENT_COLUMNS that are there.
    Raises InputError when there is no column of images or it is empty.
    """
    table = open_table(path)
    place = _path_place(table, path, path_column)
    patient = _first(table, PATIENT_COLUMNS) if patient_column is None else find_named(table, patient_column)
    further = [_first(table, [name]) for name in more]
    wanted = [i for i in (place, patient, *further) if i is not None]
    rows = [tuple(map(key_text, cells)) for cells in table.rows(wanted)]
    if not rows:
        raise InputError(f"{path} has a header ({listed(table.columns)}) but no rows.")
    if not any(row[0] for row in rows):
        raise InputError(
            f"{path}: the column {table.columns[place]!r} is empty. Next step: name the column of image files with "
            "--path-column COLUMN."
        )
    columns = {place: tuple(row[n] for row in rows) for n, place in enumerate(wanted)}
    return ImageTable(
        columns[place],
        None if patient is None else columns[patient],
        table.columns[place],
        None if patient is None else table.columns[patient],
        tuple(() if i is None else columns[i] for i in further),
        tuple(table.notes),
    )


def image_rows(
    path: str | Path, *, path_column: str | None = None
) -> tuple[tuple[str, ...], int, list[tuple[Cell, ...]]]:
    """Columns of a table, the place of that of image files, and all rows as they are.

    Raises InputError when there is no column of images.
    """
    table = open_table(path)
    place = _path_place(table, path, path_column)
    return tuple(table.columns), place, list(table.rows(range(len(table.columns))))


def _first(table: Table, names: Sequence[str]) -> int | None:
    """Place of the first column that has the first of these names."""
    keys = [column_key(header) for header in table.headers]
    return next((keys.index(column_key(n)) for n in names if column_key(n) in keys), None)


def _path_place(table: Table, path: str | Path, wanted: str | None) -> int:
    place = _first(table, PATH_COLUMNS) if wanted is None else find_named(table, wanted)
    if place is None:
        raise InputError(
            f"{path} has no column of image files. Columns there are: {listed(table.columns)}. Next step: name it with "
            "--path-column COLUMN."
        )
    return place
