"""Parquet output: one part, and the parts of a job as one file."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from hilum.tables.columns import ColumnType
from hilum.tables.source import Cell
from hilum.tables.write import cell_text, utf8

_TYPES: Mapping[str, Any] = {
    "str": pl.String,
    "int8": pl.Int8,
    "int64": pl.Int64,
    "float64": pl.Float64,
    "bool": pl.Boolean,
}
_ROW_GROUP = 50_000


def polars_type(kind: ColumnType) -> Any:
    """The polars data type of a column type; polars types stay as they are."""
    return _TYPES[kind] if isinstance(kind, str) else kind


def encode_part(
    columns: Sequence[str], rows: Iterable[Sequence[Cell]], *, schema: Mapping[str, ColumnType]
) -> bytes:
    """One small parquet file with these rows."""
    cells = list(zip(*rows, strict=True)) or [()] * len(columns)
    series = [
        _series(name, values, schema.get(name, "str")) for name, values in zip(columns, cells, strict=True)
    ]
    out = io.BytesIO()
    pl.DataFrame(series).write_parquet(out, compression="zstd", row_group_size=_ROW_GROUP)
    return out.getvalue()


def _series(name: str, values: Sequence[Cell], kind: ColumnType) -> pl.Series:
    if kind != "str":
        return pl.Series(name, values, dtype=polars_type(kind), strict=True)
    texts = [v if v is None or type(v) is str else cell_text(v) for v in values]
    try:
        return pl.Series(name, texts, dtype=pl.String)
    except UnicodeEncodeError:
        return pl.Series(name, [None if t is None else utf8(t).decode() for t in texts], dtype=pl.String)


def join_parts(
    files: Sequence[Path], target: Path, columns: Sequence[str], *, schema: Mapping[str, ColumnType]
) -> None:
    """Write the rows of all parts, in order, to one parquet file and sync it. Raises OSError."""
    types = {name: polars_type(schema.get(name, "str")) for name in columns}
    frame = pl.scan_parquet(list(files), glob=False) if files else pl.LazyFrame(schema=types)
    try:
        frame.sink_parquet(target, compression="zstd", row_group_size=_ROW_GROUP, maintain_order=True)
    except pl.exceptions.ComputeError as error:
        full = "os error 28" in str(error) or "No space left" in str(error)
        raise OSError(errno.ENOSPC if full else errno.EIO, str(error)) from error
    with target.open("rb+") as out:
        os.fsync(out.fileno())
