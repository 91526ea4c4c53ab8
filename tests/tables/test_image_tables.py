"""Tables with one image in each row."""

from __future__ import annotations

from pathlib import Path

import pytest

from hilum.core.errors import InputError
from hilum.tables.image_tables import image_rows, read_image_table


def write(folder: Path, text: str) -> Path:
    path = folder / "t.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_columns_are_found_by_name(tmp_path: Path) -> None:
    found = read_image_table(
        write(tmp_path, "Patient ID,Image Path,study\n7,a.png,s1\n,,s2\n"), more=("study", "no")
    )
    assert (found.path_column, found.patient_column) == ("Image Path", "Patient ID")
    assert found.paths == ("a.png", "")
    assert found.patients == ("7", "")
    assert found.more == (("s1", "s2"), ())


def test_columns_can_be_named(tmp_path: Path) -> None:
    path = write(tmp_path, "who,where\np,a.png\n")
    found = read_image_table(path, path_column="where", patient_column="WHO")
    assert (found.paths, found.patients) == (("a.png",), ("p",))
    assert read_image_table(path, path_column="where").patients is None
    assert image_rows(path, path_column="where") == (("who", "where"), 1, [("p", "a.png")])


@pytest.mark.parametrize(
    ("text", "told"),
    [("a,b\n1,2\n", "no column of image files"), ("path\n", "no rows"), ("path,x\n,1\n", "is empty")],
)
def test_no_images_are_an_error(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        read_image_table(write(tmp_path, text))
