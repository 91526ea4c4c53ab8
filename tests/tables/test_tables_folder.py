"""A folder of text files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hilum.core.errors import InputError
from hilum.core.records import RowStatus
from hilum.tables import folder as folder_module
from hilum.tables import open_reports


def test_files_in_natural_order_with_their_names(tmp_path: Path) -> None:
    for name, text in (("s10", "Ten"), ("s2", "Two"), ("p1/s3", "Below"), (".hidden", "x")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.txt").write_text(text)
    (tmp_path / "notes.md").write_text("x")
    source = open_reports(tmp_path)
    assert (source.format, source.columns, source.text_column) == ("txt-folder", ("id", "text"), "text")
    assert [r.cells for r in source.rows()] == [("p1/s3", "Below"), ("s2", "Two"), ("s10", "Ten")]
    assert source.notes == ["1 files of other kinds in the folder are not read"]
    assert source.row_count_hint() == 3


def test_each_file_has_its_own_encoding(tmp_path: Path) -> None:
    (tmp_path / "1.txt").write_bytes("Größe".encode("utf-16"))
    (tmp_path / "2.txt").write_bytes("Größe".encode("latin-1"))
    (tmp_path / "3.txt").write_bytes("Größe".encode())
    (tmp_path / "4.txt").write_bytes(b"")
    rows = list(open_reports(tmp_path).rows())
    assert [r.text for r in rows] == ["Größe", "Größe", "Größe", ""]
    assert "UTF-16" in rows[0].problem
    assert "Windows-1252" in rows[1].problem
    assert rows[2].problem == ""


def test_unreadable_and_too_large_files_keep_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "1.txt").symlink_to(tmp_path / "gone")
    (tmp_path / "2.txt").write_text("Clear lungs")
    (tmp_path / "3.txt").write_text("Edema")
    monkeypatch.setattr(folder_module, "MAX_FILE", 8)
    source = open_reports(tmp_path)
    rows = list(source.rows())
    assert [(r.cells[0], r.status) for r in rows] == [
        ("1", RowStatus.UNREADABLE), ("2", RowStatus.UNREADABLE), ("3", None),
    ]  # fmt: skip
    assert "cannot be read" in rows[0].problem
    assert source.notes == ["2 files are unreadable; each row says why"]


def test_fingerprint_sees_names_and_bytes(tmp_path: Path) -> None:
    (tmp_path / "1.txt").write_text("Clear")
    first = open_reports(tmp_path).fingerprint()
    assert open_reports(tmp_path).fingerprint() == first
    (tmp_path / "1.txt").write_text("Cleer")
    second = open_reports(tmp_path).fingerprint()
    (tmp_path / "1.txt").rename(tmp_path / "2.txt")
    assert len({first, second, open_reports(tmp_path).fingerprint()}) == 3


def test_file_name_that_is_no_utf8(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.txt"
    try:
        with open(path, "wb") as file:  # noqa: PTH123 - the name is bytes
            file.write(b"Clear")
    except OSError:
        pytest.skip("this file system holds UTF-8 names only")
    source = open_reports(tmp_path)
    assert next(source.rows()).text == "Clear"
    assert source.fingerprint().startswith("sha256:")


def test_folder_without_reports_and_mixed_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no \.txt and no \.xml"):
        open_reports(tmp_path)
    (tmp_path / "1.txt").write_text("x")
    (tmp_path / "1.xml").write_text("<a/>")
    with pytest.raises(InputError, match="folder of their own"):
        open_reports(tmp_path)
