from __future__ import annotations

from pathlib import Path

import pytest

from hilum.core.errors import InputError
from hilum.tables._text_file import CsvFile, TextFile
from hilum.tables.binary import PlainFile


def csv_file(path: Path, content: bytes, delimiter: str = ",") -> CsvFile:
    path.write_bytes(content)
    return CsvFile(PlainFile(path), delimiter=delimiter, next_step="write it again")


@pytest.mark.parametrize(
    ("content", "delimiter", "found", "notes"),
    [
        (b"id,text\na,x\n", ",", ",", []),
        (b"\n id;text\na;x\n", ",", ";", ["cells are separated by semicolons"]),
        (b"id\ttext\na\tx\n", ",", "\t", ["cells are separated by tabs"]),
        (b"id\ttext\na\tx\n", "\t", "\t", []),
        (b"id,text;more\na,x\n", ",", ",", []),
        (b"text\nx\n", ",", ",", []),
    ],
)
def test_the_delimiter_is_the_one_told_or_the_one_of_the_header(
    tmp_path: Path, content: bytes, delimiter: str, found: str, notes: list[str]
) -> None:
    file = csv_file(tmp_path / "a.csv", content, delimiter)
    assert (file.delimiter, file.notes) == (found, notes)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_they_do_in_the_file(tmp_path: Path, end: str) -> None:
    file = csv_file(tmp_path / "a.csv", end.join(["\ufeffid,text", "a,é", ""]).encode("utf-16-le"))
    assert [header.strip() for header in file.headers] == ["id", "text"]
    with file.open() as lines:
        assert [line.strip() for line in lines] == ["id,text", "a,é"]
    assert file.notes == ["the file is UTF-16"]


def test_what_has_no_header_is_refused_with_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is empty\. Next step: write it again\.$"):
        csv_file(tmp_path / "a.csv", b"")
    with pytest.raises(InputError, match="only blank lines"):
        csv_file(tmp_path / "b.csv", b"\n \n")
    with pytest.raises(InputError, match=r"is empty\. Next step: give lines\.$"):
        TextFile(PlainFile(tmp_path / "a.csv"), next_step="give lines")
