"""A study's page to a folder: tables as json and csv, figures, and the HTML page."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
from collections.abc import Mapping
from numbers import Integral, Real
from pathlib import Path

from hilum.core.errors import OutputError
from hilum.core.results import Estimate, ResultFigure, ResultPage, ResultTable, Value
from hilum.pages.result_page import render_page
from hilum.tables.source import Cell
from hilum.tables.write import encode_header, encode_rows, output_error, utf8

_JSON = "tables.json"
_UNFINISHED = ".hilum-unfinished"
_FORMAT = "hilum study 1"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def write_page(page: ResultPage, folder: str | Path, *, force: bool = False) -> list[Path]:
    """Write a study into `folder` (made when it is not there) and return its files, `index.html` first.

    `index.html` is the page; `tables.json` has all tables, the warnings and the stamp; `tables/NAME.csv` has one
    table, `figures/NAME.svg` and `.png` one figure. Each file appears whole or not at all; the same page gives the
    same bytes. Tables and figures of an earlier study in this folder that this one has not are removed.

    Raises OutputError when the folder holds anything but an earlier study (unless `force`, which leaves all other
    files alone) or cannot be written, ValueError when two tables or figures have one name.
    """
    path = Path(folder)
    contents = page_files(page)
    check_folder(path, force=force)
    try:
        for name in _earlier_files(path) - contents.keys():
            (path / name).unlink(missing_ok=True)
        for name in (_JSON, *contents):  # the mark of a study first, so that a broken run can be repeated
            write_whole(path / name, contents[name])
    except OSError as error:
        raise output_error(error, path / _JSON, needed=sum(map(len, contents.values()))) from error
    return [path / name for name in contents]


def page_files(page: ResultPage) -> dict[str, bytes]:
    """Relative name -> bytes of every file of a study. Raises ValueError when a name is taken or is no file name."""
    files = {"index.html": utf8(render_page(page))}
    for block in page.blocks():
        if isinstance(block, ResultTable):
            _add(files, f"tables/{_safe(block.name)}.csv", _table_csv(block))
        elif isinstance(block, ResultFigure):
            _add(files, f"figures/{_safe(block.name)}.svg", utf8(block.svg))
            _add(files, f"figures/{_safe(block.name)}.png", block.png)
    files[_JSON] = utf8(tables_json(page, sorted([*files, _JSON])))
    return files


def _add(files: dict[str, bytes], name: str, content: bytes) -> None:
    if name.lower() in {taken.lower() for taken in files}:
        raise ValueError(f"{name}: two tables or figures of one page have this name")
    files[name] = content


def _safe(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no file name; allowed: letters, digits, dot, dash and underscore")
    return name


def _table_csv(table: ResultTable) -> bytes:
    """A column that holds an Estimate becomes KEY, KEY_low and KEY_high; what is not defined is an empty cell."""
    wide = [
        any(isinstance(row[place], Estimate) for row in table.rows) for place in range(len(table.columns))
    ]
    keys = [
        f"{column.key}{end}"
        for column, is_wide in zip(table.columns, wide, strict=True)
        for end in (("", "_low", "_high") if is_wide else ("",))
    ]
    if len(set(keys)) < len(keys):
        raise ValueError(f"{table.name}: two columns have one key: {keys}")
    rows = [
        [cell for value, is_wide in zip(row, wide, strict=True) for cell in _csv_cells(value, wide=is_wide)]
        for row in table.rows
    ]
    return encode_header(keys, "csv") + encode_rows(keys, rows, "csv")


def _csv_cells(value: Value, *, wide: bool) -> list[Cell]:
    parts = [*value] if isinstance(value, Estimate) else [value, None, None] if wide else [value]
    return [None if part is None or _is_nan(part) else part for part in parts]


def _is_nan(value: object) -> bool:
    return isinstance(value, Real) and math.isnan(value)


def _plain(value: Value) -> object:
    """A value that strict JSON can hold: None for NaN, "Infinity" and "-Infinity", numbers of Python."""
    if isinstance(value, Estimate):
        return {end: _plain(part) for end, part in value._asdict().items()}
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, Integral):
        return int(value)
    if math.isfinite(value):
        return float(value)
    return None if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def tables_json(page: ResultPage, files: list[str]) -> str:
    """All tables of a page, its stamp, warnings and `files` as strict JSON (null where not defined)."""
    tables = {
        block.name: {
            "title": block.title,
            "columns": [column._asdict() for column in block.columns],
            "rows": [
                {column.key: _plain(value) for column, value in zip(block.columns, row, strict=True)}
                for row in block.rows
            ],
            "note": block.note,
        }
        for block in page.blocks()
        if isinstance(block, ResultTable)
    }
    figures = {
        block.name: {"title": block.title, "alt": block.alt}
        for block in page.blocks()
        if isinstance(block, ResultFigure)
    }
    record = {
        "format": _FORMAT, "title": page.title, "stamp": dict(page.stamp), "warnings": list(page.warnings),
        "tables": tables, "figures": figures, "files": files,
    }  # fmt: skip
    return json.dumps(record, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def check_folder(folder: str | Path, *, force: bool = False) -> None:
    """Raises OutputError, before any work is done, when a study cannot be written into `folder`."""
    path = Path(folder)
    if path.exists() and not path.is_dir():
        raise OutputError(f"{path} is a file, and a study needs a folder. Next step: name another folder.")
    parent = path if path.exists() else path.resolve().parent
    if not parent.is_dir():
        raise OutputError(f"{path}: the folder {parent} does not exist. Next step: make it, or name another.")
    if not os.access(parent, os.W_OK):
        raise OutputError(f"{path}: the folder {parent} is not writable. Next step: name another folder.")
    if force or not path.exists() or _earlier_record(path) is not None:
        return
    held = sorted(entry.name for entry in path.iterdir() if not entry.name.endswith(_UNFINISHED))
    if held:
        more = f" and {len(held) - 3} more" if len(held) > 3 else ""
        raise OutputError(
            f"{path} is not empty and holds no earlier study of hilum (it has {', '.join(held[:3])}{more}). "
            "Next step: name a new folder, or write into this one with --force (force=True in Python); "
            "its other files stay."
        )


def _earlier_record(folder: Path) -> Mapping[str, object] | None:
    try:
        record = json.loads((folder / _JSON).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and record.get("format") == _FORMAT else None


def _earlier_files(folder: Path) -> set[str]:
    record = _earlier_record(folder) or {}
    files = record.get("files")
    names = [name for name in files if isinstance(name, str)] if isinstance(files, list) else []
    return {name for name in names if re.fullmatch(r"(tables|figures)/[A-Za-z0-9][A-Za-z0-9._-]*", name)}


def write_whole(dest: Path, content: bytes) -> None:
    """Write a file that appears whole or not at all, making its folder. Raises OSError when it cannot."""
    dest.parent.mkdir(parents=True, exist_ok=True)
    target = dest.with_name(f".{dest.name}{_UNFINISHED}")
    try:
        with target.open("wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        target.replace(dest)
    finally:
        with contextlib.suppress(OSError):
            target.unlink(missing_ok=True)
