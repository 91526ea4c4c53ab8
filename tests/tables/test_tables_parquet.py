"""Parquet: in slices, with types kept."""

from __future__ import annotations

import datetime
from pathlib import Path

import polars as pl
import pytest

from hilum.core.errors import InputError
from hilum.core.records import RowStatus
from hilum.tables import open_reports


def test_rows_in_order_over_many_slices(tmp_path: Path) -> None:
    path = tmp_path / "in[1].parquet"
    frame = pl.DataFrame({"id": range(35_000), "Report": [f"Report {i}" for i in range(35_000)]})
    frame.write_parquet(path, row_group_size=7_000)
    source = open_reports(path)
    assert source.text_column == "Report"
    assert source.row_count_hint() == 35_000
    assert [r.cells[0] for r in source.rows()] == list(range(35_000))
    assert [r.text for r in source.rows(34_998)] == ["Report 34998", "Report 34999"]


def test_types_of_cells(tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"
    when = datetime.datetime(2020, 1, 2, 3, 4, 5, 6)
    pl.DataFrame(
        {
            "text": pl.Series(["Clear", None], dtype=pl.Categorical),
            "when": pl.Series([when, None], dtype=pl.Datetime("ns")),
            "views": [["PA", "LAT"], []],
            "x": [1.5, float("nan")],
        }
    ).write_parquet(path)
    source = open_reports(path)
    rows = list(source.rows())
    assert rows[0].cells[:3] == ("Clear", when, ["PA", "LAT"])
    assert rows[1].text is None
    assert rows[1].status is None
    assert source.notes == ["kept to the microsecond: 'when'"]


def test_numbers_and_nulls_instead_of_text(tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"
    pl.DataFrame({"text": [1.0, None, float("nan")]}).write_parquet(path)
    rows = list(open_reports(path).rows())
    assert [r.status for r in rows] == [RowStatus.UNREADABLE, None, None]
    pl.DataFrame({"text": pl.Series([None, None], dtype=pl.Null)}).write_parquet(path)
    assert [r.text for r in open_reports(path).rows()] == [None, None]


def test_binary_text(tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"
    pl.DataFrame({"text": ["Größe".encode(), b"\xff"]}).write_parquet(path)
    assert [r.text for r in open_reports(path).rows()] == ["Größe", "\ufffd"]


@pytest.mark.parametrize("data", [b"", b"id,report\n", b"PAR1" + b"\0" * 50 + b"PAR1"])
def test_damaged_file(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "in.parquet"
    path.write_bytes(data)
    with pytest.raises(InputError, match="not a readable parquet file"):
        open_reports(path)


def test_file_damaged_in_its_data_is_an_input_error(tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"
    pl.DataFrame({"text": [f"Report {i * 7919}" for i in range(5000)]}).write_parquet(path)
    data = bytearray(path.read_bytes())
    data[200:2000] = b"\xaa" * 1800
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match="not a readable parquet file from row 1 on"):
        list(open_reports(path).rows())
