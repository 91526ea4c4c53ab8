"""Output: formats, parts to one file, and what happens when it cannot be written."""

from __future__ import annotations

import datetime
import errno
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import psutil  # type: ignore[import-untyped, unused-ignore]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.core.errors import OutputError
from hilum.tables import (
    assemble,
    check_writable,
    encode_header,
    encode_rows,
    open_reports,
    output_format,
)
from hilum.tables import write as write_module

COLUMNS = ("id", "text", "Edema")
SCHEMA = {"Edema": "int8"}
FORMATS = ("csv", "tsv", "jsonl", "parquet")


def _parts(folder: Path, fmt: str, rows: Sequence[Sequence[Any]], *, size: int = 3) -> list[Path]:
    paths = []
    for i in range(0, len(rows), size):
        path = folder / f"part-{i:06}"
        path.write_bytes(encode_rows(COLUMNS, rows[i : i + size], fmt, schema=SCHEMA))
        paths.append(path)
    return paths


def _rows(count: int) -> list[tuple[str, str, int | None]]:
    return [(f"id{i}", f'Report "{i}",\nline', (1, 0, -1, None)[i % 4]) for i in range(count)]


def test_csv_bytes() -> None:
    rows = [("a,b", 'say "x"', 1), (None, "two\nlines\r", None), ("", "ü", -1)]
    assert encode_header(COLUMNS, "csv") == b"id,text,Edema\n"
    assert encode_rows(COLUMNS, rows, "csv").decode() == '"a,b","say ""x""",1\n,"two\nlines\r",\n,ü,-1\n'
    assert encode_rows(COLUMNS, [("a\tb", "c", 0)], "tsv") == b'"a\tb"\tc\t0\n'


def test_jsonl_bytes() -> None:
    rows = [
        ("1", "ü\n", None),
        (2, float("nan"), 1),
        ([1, {"a": float("inf")}], datetime.date(2020, 1, 2), True),
    ]
    lines = [json.loads(line) for line in encode_rows(COLUMNS, rows, "jsonl").splitlines()]
    assert encode_header(COLUMNS, "jsonl") == b""
    assert lines[0] == {"id": "1", "text": "ü\n", "Edema": None}
    assert lines[1] == {"id": 2, "text": None, "Edema": 1}
    assert lines[2] == {"id": [1, {"a": None}], "text": "2020-01-02", "Edema": True}


def test_other_values_as_csv_text() -> None:
    when = datetime.datetime(2020, 1, 2, 3, 4)
    rows = [(True, [1, "ü"], 1.5), (when, b"\xff\xc3\xbc", {"a": None})]
    assert encode_rows(COLUMNS, rows, "csv").decode() == (
        'true,"[1, ""ü""]",1.5\n2020-01-02T03:04:00,\\xffü,"{""a"": null}"\n'
    )


@pytest.mark.parametrize("fmt", FORMATS)
def test_lone_surrogates_never_crash(fmt: str) -> None:
    data = encode_rows(("text",), [("a \ud800 b",), (None,)], fmt)
    if fmt == "parquet":
        assert pl.read_parquet(io.BytesIO(data))["text"].to_list() == ["a \ufffd b", None]
    else:
        assert "a \ufffd b" in data.decode()


@pytest.mark.parametrize("fmt", FORMATS)
def test_output_can_be_read_again(tmp_path: Path, fmt: str) -> None:
    rows = _rows(11)
    dest = tmp_path / f"out.{fmt}"
    assemble(_parts(tmp_path, fmt, rows), dest, COLUMNS, fmt, schema=SCHEMA)
    source = open_reports(dest)
    assert source.columns == COLUMNS
    assert [r.text for r in source.rows()] == [r[1] for r in rows]
    assert [r.cells[2] for r in source.rows()] == (
        [r[2] for r in rows]
        if fmt in ("jsonl", "parquet")
        else ["" if r[2] is None else str(r[2]) for r in rows]
    )


@pytest.mark.parametrize("fmt", FORMATS)
def test_same_parts_give_same_bytes(tmp_path: Path, fmt: str) -> None:
    parts = _parts(tmp_path, fmt, _rows(2000), size=90)
    outputs = set()
    for i in range(4):
        dest = tmp_path / f"out{i}.{fmt}"
        assemble(parts, dest, COLUMNS, fmt, schema=SCHEMA)
        outputs.add(dest.read_bytes())
    assert len(outputs) == 1


@pytest.mark.parametrize("fmt", FORMATS)
def test_no_parts_give_a_file_without_rows(tmp_path: Path, fmt: str) -> None:
    dest = tmp_path / f"out.{fmt}"
    assemble([], dest, COLUMNS, fmt, schema=SCHEMA)
    if fmt == "parquet":
        assert pl.read_parquet(dest).schema == {"id": pl.String, "text": pl.String, "Edema": pl.Int8}
    else:
        assert dest.read_bytes() == encode_header(COLUMNS, fmt)
    part = tmp_path / "part"
    part.write_bytes(encode_rows(COLUMNS, [], fmt, schema=SCHEMA))
    assemble([part], dest, COLUMNS, fmt, schema=SCHEMA)
    assert dest.exists()


def test_parquet_input_keeps_its_types_through_parquet_and_csv(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "text": ["Clear", "Edema"],
            "when": pl.Series([datetime.datetime(2020, 1, 2), None], dtype=pl.Datetime("ms", "UTC")),
            "dose": pl.Series([1.5, None], dtype=pl.Float32),
            "views": [["PA"], None],
            "who": [{"age": 3}, {"age": None}],
            "kind": pl.Series(["a", None], dtype=pl.Categorical),
        }
    )
    frame.write_parquet(tmp_path / "in.parquet")
    source = open_reports(tmp_path / "in.parquet")
    rows = [(*r.cells, 1) for r in source.rows()]
    columns = (*source.columns, "Edema")
    schema = {**source.schema, "Edema": "int8"}
    part = tmp_path / "part"
    part.write_bytes(encode_rows(columns, rows, "parquet", schema=schema))
    assemble([part], tmp_path / "out.parquet", columns, "parquet", schema=schema)
    back = pl.read_parquet(tmp_path / "out.parquet")
    assert back.drop("Edema").equals(frame.with_columns(pl.col("kind").cast(pl.String)))
    assert back.schema["Edema"] == pl.Int8
    text = encode_rows(columns, rows, "csv").decode().splitlines()
    assert text[0] == 'Clear,2020-01-02T00:00:00+00:00,1.5,"[""PA""]","{""age"": 3}",a,1'


def test_jsonl_input_with_mixed_types_to_parquet(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(
        '{"text": "a", "x": 1, "f": 1}\n{"text": 7, "x": "y", "f": 2.5}\nbroken\n'
    )
    source = open_reports(tmp_path / "in.jsonl")
    data = encode_rows(source.columns, [r.cells for r in source.rows()], "parquet", schema=source.schema)
    frame = pl.read_parquet(io.BytesIO(data))
    assert frame.to_dict(as_series=False) == {
        "text": ["a", "7", "broken"], "x": ["1", "y", None], "f": [1.0, 2.5, None],
    }  # fmt: skip


def test_formats_by_extension(tmp_path: Path) -> None:
    assert output_format("a/b.CSV") == "csv"
    with pytest.raises(OutputError, match=r"'\.xlsx' is not one of \.csv"):
        output_format(tmp_path / "out.xlsx")
    with pytest.raises(OutputError, match="no output format"):
        encode_rows(COLUMNS, [], "xml")


def test_missing_folder_and_folder_as_name(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="does not exist"):
        assemble([], tmp_path / "gone" / "out.csv", COLUMNS, "csv")
    with pytest.raises(OutputError, match="is a folder"):
        check_writable(tmp_path)


def test_folder_that_is_not_writable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OutputError, match="not writable"):
        check_writable(tmp_path / "out.csv")


class _FullFile(io.BytesIO):
    def write(self, data: Any) -> int:
        if self.tell() > 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


def test_disk_full_leaves_nothing_and_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = _parts(tmp_path, "csv", _rows(9))
    dest = tmp_path / "out.csv"
    dest.write_text("old")
    original = Path.open

    def full(self: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        return _FullFile() if mode == "wb" else original(self, mode, *args, **kwargs)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(OutputError, match=r"out\.csv: no space left.*MB.*Run the same command again"):
        assemble(parts, dest, COLUMNS, "csv")
    monkeypatch.undo()
    assert dest.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*(p.name for p in parts), "out.csv"])


def test_disk_full_while_parquet_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise pl.exceptions.ComputeError("No space left on device (os error 28)")

    monkeypatch.setattr(pl.LazyFrame, "sink_parquet", full)
    with pytest.raises(OutputError, match="no space left"):
        assemble([], tmp_path / "out.parquet", COLUMNS, "parquet")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_full_device(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no space left while writing"):
        assemble(_parts(tmp_path, "csv", _rows(9)), Path("/dev/full"), COLUMNS, "csv")
    with pytest.raises(OutputError, match="parquet needs a file"):
        assemble([], Path("/dev/full"), COLUMNS, "parquet")
    assert Path("/dev/full").is_char_device()


def test_error_that_is_not_about_space(tmp_path: Path) -> None:
    error = write_module.output_error(OSError(errno.EACCES, "Permission denied"), tmp_path / "out.csv")
    assert "Permission denied" in str(error)


def test_lost_part_is_an_output_error(tmp_path: Path) -> None:
    for fmt in FORMATS:
        with pytest.raises(OutputError, match="cannot be written"):
            assemble([tmp_path / "gone"], tmp_path / f"out.{fmt}", COLUMNS, fmt)
    assert list(tmp_path.iterdir()) == []


def test_interrupt_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(write_module, "_copy", stop)
    parts = _parts(tmp_path, "csv", _rows(3))
    with pytest.raises(KeyboardInterrupt):
        assemble(parts, tmp_path / "out.csv", COLUMNS, "csv")
    assert list(tmp_path.iterdir()) == parts


def test_symbolic_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "out.csv").symlink_to(tmp_path / "real" / "file.csv")
    assemble([], tmp_path / "out.csv", COLUMNS, "csv")
    assert (tmp_path / "out.csv").is_symlink()
    assert (tmp_path / "real" / "file.csv").read_bytes() == b"id,text,Edema\n"


def test_parquet_of_many_parts_needs_little_memory(tmp_path: Path) -> None:
    body = "Heart size is normal and the lungs are clear. " * 20
    parts = []
    for i in range(40):
        rows = [(f"id{i}-{j}", f"{body}{i * 7919 + j * 104729}", j % 2) for j in range(5000)]
        path = tmp_path / f"part-{i:03}"
        path.write_bytes(encode_rows(COLUMNS, rows, "parquet", schema=SCHEMA))
        parts.append(path)
    before = psutil.Process().memory_info().rss
    assemble(parts, tmp_path / "out.parquet", COLUMNS, "parquet", schema=SCHEMA)
    grown = psutil.Process().memory_info().rss - before
    assert grown < 400e6
    frame = pl.scan_parquet(tmp_path / "out.parquet")
    assert frame.select(pl.len()).collect().item() == 200_000
    ids = frame.select("id").collect()["id"]
    assert [ids[0], ids[5000], ids[199_999]] == ["id0-0", "id1-0", "id39-4999"]


_CELL = st.none() | st.text(max_size=15) | st.text('a",\n\r\t', max_size=8) | st.integers(-1, 1)


@given(st.lists(st.tuples(_CELL, _CELL, _CELL), max_size=6), st.sampled_from(["csv", "tsv"]))
@settings(max_examples=200, deadline=None)
def test_cells_survive_writing_and_reading(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Any, ...]], fmt: str
) -> None:
    path = tmp_path_factory.mktemp("w") / f"in.{fmt}"
    rows = [("x", *row[1:]) for row in rows]
    path.write_bytes(encode_header(COLUMNS, fmt) + encode_rows(COLUMNS, rows, fmt))
    assert [r.cells for r in open_reports(path).rows()] == [
        tuple("" if c is None else str(c) for c in row) for row in rows
    ]
