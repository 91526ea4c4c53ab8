"""Rows to bytes of the output format, and parts of a job to one file."""

from __future__ import annotations

import contextlib
import csv
import datetime
import errno
import json
import math
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from hilum.core.errors import OutputError
from hilum.tables.columns import ColumnType
from hilum.tables.source import Cell, json_text

OUTPUT_FORMATS: Mapping[str, str] = {".csv": "csv", ".tsv": "tsv", ".parquet": "parquet", ".jsonl": "jsonl"}
"""File extension -> output format."""

_DELIMITERS = {"csv": ",", "tsv": "\t"}
_PLAIN = frozenset({str, int, type(None)})
_COPY_BYTES = 1 << 20


def output_format(path: str | Path) -> str:
    """The format of an output file by its extension. Raises OutputError for any other extension."""
    suffix = Path(path).suffix.lower()
    if suffix not in OUTPUT_FORMATS:
        raise OutputError(
            f"{path}: the output format is chosen by the extension, and {suffix or 'none'!r} is not one of "
            f"{', '.join(OUTPUT_FORMATS)}. Next step: name the output with one of them."
        )
    return OUTPUT_FORMATS[suffix]


def encode_header(columns: Sequence[str], fmt: str) -> bytes:
    """The bytes that stand before the first row: a header line for csv and tsv, nothing for the others."""
    return _delimited([tuple(columns)], _DELIMITERS[fmt]) if fmt in _DELIMITERS else b""


def encode_rows(
    columns: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    fmt: str,
    *,
    schema: Mapping[str, ColumnType] | None = None,
) -> bytes:
    """One part of an output in its final format, without header; for parquet, one small parquet file.

    csv and tsv follow RFC 4180 with "\\n" as line end. `schema` (column -> type, "str" where it is silent)
    is used by parquet alone. None becomes an empty cell or null. Lone surrogates become U+FFFD.
    """
    if fmt in _DELIMITERS:
        return _delimited(rows, _DELIMITERS[fmt])
    if fmt == "jsonl":
        return "".join(_json_line(dict(zip(columns, row, strict=True))) for row in rows).encode()
    if fmt == "parquet":
        from hilum.tables.parquet_write import encode_part  # noqa: PLC0415 - loads polars

        return encode_part(columns, rows, schema=schema or {})
    raise OutputError(f"There is no output format {fmt!r}. Known: {', '.join(OUTPUT_FORMATS.values())}.")


class _Lines(list[str]):
    """Where csv.writer puts its records: it quotes both "\\r" and "\\n" only when its line end has both."""

    def write(self, record: str) -> None:
        self.append(record[:-2] + "\n")


def _delimited(rows: Iterable[Sequence[Cell]], delimiter: str) -> bytes:
    lines = _Lines()
    writer = csv.writer(lines, delimiter=delimiter, lineterminator="\r\n")
    for row in rows:
        if _PLAIN.issuperset(map(type, row)):
            writer.writerow(row)
        else:
            writer.writerow([cell_text(cell) for cell in row])
    return utf8("".join(lines))


def _json_line(record: dict[str, Cell]) -> str:
    try:
        line = json.dumps(record, ensure_ascii=False, default=cell_text, allow_nan=False)
    except ValueError:
        line = json.dumps(_without_nan(record), ensure_ascii=False, default=cell_text)
    return utf8(line).decode() + "\n"


def _without_nan(value: Cell) -> Cell:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    return [_without_nan(item) for item in value] if isinstance(value, list) else value


def cell_text(value: Cell) -> str:
    """A value as the text of a csv cell: "" for None, true/false, ISO dates, JSON for lists and objects."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (list, dict, tuple)):
        return json_text(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)


def utf8(text: str) -> bytes:
    """UTF-8 bytes of a text; lone surrogates, which UTF-8 cannot hold, become U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def check_writable(dest: str | Path) -> None:
    """Raises OutputError, before any work is done, when a file cannot be made at `dest`."""
    path = Path(dest)
    folder = path.parent
    if path.is_dir():
        raise OutputError(f"{path} is a folder. Next step: give the name of a file.")
    if not folder.is_dir():
        raise OutputError(
            f"{path}: the folder {folder} does not exist. Next step: make it, or choose another."
        )
    if not os.access(folder, os.W_OK) and not _is_device(path):
        raise OutputError(f"{path}: the folder {folder} is not writable. Next step: choose another folder.")


def _is_device(path: Path) -> bool:
    return path.exists() and not stat.S_ISREG(path.stat().st_mode)


def assemble(
    parts: Iterable[Path],
    dest: Path,
    columns: Sequence[str],
    fmt: str,
    *,
    schema: Mapping[str, ColumnType] | None = None,
) -> None:
    """Write the parts, in their order, as one file at `dest`; constant memory, same parts give same bytes.

    The file appears whole or not at all: it is written beside `dest`, synced and renamed. A device such as
    /dev/stdout is written directly (not parquet). Raises OutputError when the folder is missing or not
    writable or when the disk is full; no half file is left, and the parts stay for the next run.
    """
    files = [Path(p) for p in parts]
    dest = Path(os.path.realpath(dest))
    check_writable(dest)
    device = _is_device(dest)
    if device and fmt == "parquet":
        raise OutputError(
            f"{dest} is a device, and parquet needs a file. Next step: name a file, or use .csv."
        )
    target = dest if device else dest.with_name(f".{dest.name}.hilum-unfinished")
    try:
        with _whole_or_not_at_all(target, dest):
            if fmt == "parquet":
                from hilum.tables.parquet_write import join_parts  # noqa: PLC0415 - loads polars

                join_parts(files, target, columns, schema=schema or {})
            else:
                _join_bytes(files, target, header=encode_header(columns, fmt))
    except OSError as error:
        raise output_error(error, dest, needed=_total_size(files)) from error


@contextlib.contextmanager
def _whole_or_not_at_all(target: Path, dest: Path) -> Iterator[None]:
    """`target` becomes `dest` when the block succeeds and goes when it fails, if they are not the same."""
    if target == dest:
        yield
        return
    target.unlink(missing_ok=True)
    try:
        yield
        target.replace(dest)
    finally:
        target.unlink(missing_ok=True)


def _join_bytes(files: Sequence[Path], target: Path, *, header: bytes) -> None:
    with target.open("wb") as out:
        out.write(header)
        for path in files:
            with path.open("rb") as part:
                _copy(part, out)
        out.flush()
        if not _is_device(target):
            os.fsync(out.fileno())


def _copy(source: BinaryIO, out: BinaryIO) -> None:
    while block := source.read(_COPY_BYTES):
        out.write(block)


def _total_size(files: Sequence[Path]) -> int | None:
    try:
        return sum(path.stat().st_size for path in files)
    except OSError:
        return None


def output_error(error: OSError, dest: Path, *, needed: int | None = None) -> OutputError:
    """An OutputError that says what could not be written, where, why, and what to do next."""
    resume = "Run the same command again: it goes on from here (standard input starts again from zero)."
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        size = f" It needs about {needed / 1e6:,.1f} MB;" if needed is not None else ""
        free = f" {_free_mb(dest)} MB are free there." if size else ""
        return OutputError(f"{dest}: no space left while writing.{size}{free} Next step: make room. {resume}")
    why = error.strerror or str(error)
    return OutputError(f"{dest} cannot be written: {why}. Next step: mend that, or choose another. {resume}")


def _free_mb(dest: Path) -> str:
    try:
        return f"{shutil.disk_usage(dest.parent).free / 1e6:,.1f}"
    except OSError:
        return "an unknown number of"
