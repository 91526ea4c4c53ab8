"""Parquet files, read in slices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from hilum.core.errors import InputError
from hilum.tables.binary import PlainFile
from hilum.tables.columns import ColumnType, find_text_column
from hilum.tables.source import InputRow, ReportSource

_SLICE_ROWS = 20_000


class ParquetSource(ReportSource):
    """A parquet file. Cells are Python values; categories become text, times are kept to the microsecond."""

    def __init__(self, data: PlainFile, *, column: str | None) -> None:
        self._data = data
        try:
            self._frame = pl.scan_parquet(data.path, glob=False)
            stored = self._frame.collect_schema()
            self._rows = int(self._frame.select(pl.len()).collect().item())
        except (pl.exceptions.PolarsError, OSError) as error:
            raise self._damaged(error) from error
        columns = tuple(stored.names())
        if not columns:
            raise InputError(f"{data.where} has no columns. Next step: give a file with a column of reports.")
        text_column = find_text_column(columns, wanted=column, where=data.where)
        super().__init__(format_name="parquet", columns=columns, text_column=text_column)
        self._schema = {name: _carried(dtype) for name, dtype in stored.items()}
        fine = [name for name, dtype in stored.items() if getattr(dtype, "time_unit", "") == "ns"]
        if fine:
            self._opening_notes.append(f"kept to the microsecond: {', '.join(map(repr, fine))}")

    def _damaged(self, error: Exception, *, rows: str = "") -> InputError:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return InputError(
            f"{self._data.where} is not a readable parquet file{rows}: {reason}. "
            "Next step: write or copy it again."
        )

    @property
    def schema(self) -> Mapping[str, ColumnType]:
        """The polars data type of each column as its cells are handed out."""
        return self._schema

    def _read(self) -> Iterator[InputRow]:
        frame = self._frame.with_columns(pl.col(name).cast(dtype) for name, dtype in self._schema.items())
        for start in range(0, self._rows, _SLICE_ROWS):
            try:
                batch = frame.slice(start, _SLICE_ROWS).collect()
            except (pl.exceptions.PolarsError, OSError) as error:
                raise self._damaged(error, rows=f" from row {start + 1:,} on") from error
            for cells in batch.iter_rows():
                yield self._row(cells)

    def fingerprint(self) -> str:
        """See ReportSource."""
        return self._data.fingerprint()

    def row_count_hint(self) -> int | None:
        """The exact number of rows."""
        return self._rows


def _carried(dtype: Any) -> Any:
    if isinstance(dtype, (pl.Categorical, pl.Enum)):
        return pl.String()
    if isinstance(dtype, (pl.Datetime, pl.Duration)) and dtype.time_unit == "ns":
        return pl.Datetime("us", dtype.time_zone) if isinstance(dtype, pl.Datetime) else pl.Duration("us")
    return dtype
