"""Tables of data sets: columns by name, bad rows counted, cells as labels; images held against tables."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from hilum.core.errors import InputError
from hilum.core.vocabulary import CHEXPERT14, NIH14, State
from hilum.datasets import Dropped, ItemStatus
from hilum.datasets._files import image_files, image_items
from hilum.datasets._tables import (
    BAD_LABELS,
    BAD_ROW,
    LabelColumns,
    TableFile,
    labels_by_key,
    labels_from_names,
)


def table(path: Path, text: str, **options: object) -> TableFile:
    path.write_text(text, encoding="utf-8")
    return TableFile(path, **options)  # type: ignore[arg-type]


def test_columns_are_found_by_name_in_any_case_and_order(tmp_path: Path) -> None:
    found = table(
        tmp_path / "a.csv",
        "\ufeffstudy_id,Age ,note\n7, 61 ,x\n",
        needed=("Study ID", "Age"),
        optional=("Sex",),
    )
    (row,) = found
    assert (row["Study ID"], row["Age"], row["Sex"], row.number) == ("7", "61", "", 1)
    assert (found.has("Age"), found.has("Sex")) == (True, False)
    assert (row.real("Age"), row.real("Sex")) == (61.0, None)
    assert row.at(2) == "x"


def test_a_missing_column_names_file_got_and_needed(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"a\.csv: no column 'Path'\. Needed: Path, Sex\. Columns there are: Sex, x"
    ):
        table(tmp_path / "a.csv", "Sex,x\nF,1\n", needed=("Path", "Sex"))
    with pytest.raises(InputError, match="is empty"):
        table(tmp_path / "b.csv", "")
    with pytest.raises(InputError, match="There is no file"):
        TableFile(tmp_path / "c.csv")


def test_rows_without_the_cells_of_the_header_are_counted_and_cost_no_other(tmp_path: Path) -> None:
    dropped = Dropped()
    text = 'id,a,b\n1,x,y\n2,x\n3,"two\nlines",y\n4,x,y,z\n5,x,y\n'
    found = table(tmp_path / "a.csv", text, needed=("id",), dropped=dropped)
    assert [row["id"] for row in found] == ["1", "3", "5"]
    assert (dropped.counts[BAD_ROW], dropped.wrong) == (2, {BAD_ROW})
    assert dropped.lines() == [f"2 {BAD_ROW}: a.csv row 2, a.csv row 4"]
    assert dropped.lines(marked=False) == []


def test_gzip_tabs_and_other_encodings_are_read(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "a.csv.gz", "wt") as file:
        file.write("id,x\n1,2\n")
    assert [row["x"] for row in TableFile(tmp_path / "a.csv.gz", needed=("x",))] == ["2"]
    (tmp_path / "a.tsv").write_bytes("id\tx\n1\tdébil, no\n".encode("latin-1"))
    assert [row["x"] for row in TableFile(tmp_path / "a.tsv", needed=("x",))] == ["débil, no"]


def test_labels_are_matched_by_name_and_a_bad_cell_costs_its_row_alone(tmp_path: Path) -> None:
    dropped = Dropped()
    text = "id,Edema,Effusion,note\na,1.0,-1,\nb,0,,\nc,2,1,\nd,, 1,\n"
    found = table(tmp_path / "a.csv", text, needed=("id",))
    columns = LabelColumns(found, CHEXPERT14, dropped=dropped)
    assert columns.findings == ("Edema", "Pleural Effusion")
    labels = {row["id"]: columns.of(row) for row in found}
    assert labels["a"] is not None
    assert (labels["a"]["Edema"], labels["a"]["Pleural Effusion"]) == (State.POSITIVE, State.UNCERTAIN)
    assert labels["b"] is not None
    assert (labels["b"]["Edema"], labels["b"]["Fracture"]) == (State.NEGATIVE, State.BLANK)
    assert labels["c"] is None
    assert labels["d"] is not None
    assert labels["d"]["Pleural Effusion"] is State.POSITIVE
    assert dropped.examples == {BAD_LABELS: ["a.csv row 3"]}
    with pytest.raises(InputError, match="2 of the 14 findings of chexpert14 have a column, at least 5"):
        LabelColumns(found, CHEXPERT14, at_least=5)


def test_of_a_repeated_key_the_first_row_counts(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,Edema,Mass\n1,1,0\n1,0,0\n,1,1\n2,0,1\n")
    dropped = Dropped()
    found = labels_by_key(
        tmp_path / "a.csv", key="id", vocabulary=NIH14, dropped=dropped, form=lambda k: k and f"S{k}"
    )
    assert list(found) == ["S1", "S2"]
    assert found["S1"]["Edema"] is State.POSITIVE
    assert dropped.counts.total() == 2
    assert len(dropped.wrong) == 2


def test_findings_that_are_not_named_are_negative() -> None:
    labels, foreign = labels_from_names(NIH14, ("Edema", "Infiltrate", "Goblin"))
    assert [name for name, state in labels.as_dict().items() if state is State.POSITIVE] == [
        "Infiltration",
        "Edema",
    ]
    assert set(labels.states) == {State.POSITIVE, State.NEGATIVE}
    assert foreign == ("Goblin",)


def test_images_are_found_once_and_held_against_a_table(tmp_path: Path) -> None:
    for name in ("b/x.png", "a/x.png", "a/y.JPG", ".hidden/z.png", "a/.w.png", "a/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = image_files(tmp_path)
    assert found == {"x.png": tmp_path / "a/x.png", "y.JPG": tmp_path / "a/y.JPG"}
    assert image_files(tmp_path / "none") == {}
    here, strangers = image_items(["x.png", "gone.png", "x.png"], found, table="the table")
    assert (here.status, here.found, here.expected, here.note) == (
        ItemStatus.PART,
        1,
        2,
        "1 are not here: gone.png",
    )
    assert (strangers.status, strangers.found) == (ItemStatus.PART, 1)
    assert [item.status for item in image_items(["q.png"], {}, table="t")] == [ItemStatus.ABSENT]
    assert [item.status for item in image_items(["q.png"], {}, table="t", required=True)] == [
        ItemStatus.MISSING
    ]
