from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hilum.core.errors import InputError
from hilum.tables.scores_table import read_scores

GOOD = "Finding,A,B\nEdema,0.9,0.8\nFracture,0.7,0.75\n"


def table(tmp_path: Path, text: str, name: str = "scores.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_are_findings_and_columns_labelers(tmp_path: Path) -> None:
    read = read_scores(table(tmp_path, GOOD))
    assert read.findings == ("Edema", "Fracture")
    assert read.labelers == ("A", "B")
    np.testing.assert_array_equal(read.values_FL, [[0.9, 0.8], [0.7, 0.75]])
    assert read.notes == ()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("scores.tsv", GOOD.replace(",", "\t")),
        ("scores.csv", GOOD.replace(",", ";")),
        ("scores.csv", "\ufeff" + GOOD.replace("\n", "\r\n")),
        ("scores.csv", GOOD + "\n,,\n"),
        ("scores.jsonl", '{"Finding":"Edema","A":0.9,"B":0.8}\n{"Finding":"Fracture","A":0.7,"B":0.75}\n'),
    ],
)
def test_common_forms_of_a_table_are_read_the_same(tmp_path: Path, name: str, text: str) -> None:
    read = read_scores(table(tmp_path, text, name))
    assert (read.findings, read.labelers) == (("Edema", "Fracture"), ("A", "B"))
    np.testing.assert_array_equal(read.values_FL, [[0.9, 0.8], [0.7, 0.75]])


@pytest.mark.parametrize("name", ["Average", "mean", " AVG. ", "Macro average", "Weighted avg", "Overall"])
def test_a_row_that_sums_up_the_others_is_left_out_and_told(tmp_path: Path, name: str) -> None:
    read = read_scores(table(tmp_path, f"{GOOD}{name},0.8,0.78\n"))
    assert read.findings == ("Edema", "Fracture")
    assert len(read.notes) == 1
    assert name.strip() in read.notes[0]


def test_an_average_that_is_not_filled_in_does_no_harm(tmp_path: Path) -> None:
    assert len(read_scores(table(tmp_path, f"{GOOD}Average,,\n")).findings) == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (GOOD.replace("0.75", ""), "'Fracture' has no score for 'B'"),
        (GOOD.replace("0.75", "n/a"), "'n/a' is no number"),
        (GOOD.replace("0.75", "nan"), "'nan' is no number"),
        (GOOD.replace("0.75", "inf"), "'inf' is no number"),
        (GOOD.replace("0.75", "0.75*"), "is no number"),
        (GOOD.replace("0.75", "-0.1"), "-0.1 is no F1 score"),
        (GOOD.replace("0.75", "101"), "101 is no F1 score"),
        (
            "Finding,A,B\nEdema,0.9,80\nFracture,0.7,75\n",
            "different scales: B has values above 1, A has none",
        ),
        (GOOD.replace("Finding,A,B", "Finding,A,a "), "labeler 'a' stands twice"),
        (GOOD.replace("Finding,A,B", "Finding,A,"), "column 3 has no name"),
        (GOOD.replace("Fracture", "edema"), "finding 'edema' stands in two rows"),
        (GOOD.replace("Fracture", ""), "no finding in its first cell"),
        ("Finding,A\nEdema,0.9\nFracture,0.7\n", "1 column of scores (A)"),
        ("Finding\nEdema\nFracture\n", "0 columns of scores (none)"),
        ("Finding,A,B\nEdema,0.9,0.8\n", "1 finding (Edema)"),
        ("Finding,A,B\nEdema,0.9,0.8\nAverage,0.9,0.8\n", "1 finding (Edema)"),
        ("Finding,A,B\n", "0 findings (none)"),
        ("Finding,A,B\nEdema,0.9\nFracture,0.7,0.75\n", "the 3 cells of the header"),
        ("", "is empty"),
    ],
)
def test_what_cannot_be_compared_is_an_error_with_a_next_step(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(InputError) as caught:
        read_scores(table(tmp_path, text))
    assert told in str(caught.value)
    assert "Next step:" in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.csv"):
        read_scores(tmp_path / "nowhere.csv")
