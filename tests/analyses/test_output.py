from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest

from hilum.analyses import _output
from hilum.analyses._output import check_folder, write_page
from hilum.core.errors import OutputError
from hilum.core.results import (
    Column,
    Estimate,
    Example,
    ResultExamples,
    ResultFigure,
    ResultPage,
    ResultSection,
    ResultTable,
    Value,
)  # fmt: skip

NAN = math.nan


def study(*tables: ResultTable, figures: tuple[str, ...] = ("bars",)) -> ResultPage:
    drawn = tuple(
        ResultFigure(name, f"Title of {name}", "Bars.", "<svg>é</svg>", b"\x89PNG") for name in figures
    )
    examples = ResultExamples("examples", "Examples", (Example("study 1", "Invented text."),))
    return ResultPage(
        "An invented study", ("Lead.",), (ResultSection("Agreement", (), (*tables, *drawn, examples)),),
        ("A warning.",), {"hilum": "0.0.0"},
    )  # fmt: skip


def table(name: str = "agreement", *rows: tuple[Value, ...]) -> ResultTable:
    columns = (Column("finding", "Finding", "text"), Column("n", "n", "count"), Column("f1", "F1"))
    return ResultTable(
        name, "Agreement", columns,
        rows or (("Edema", 12, Estimate(0.1 + 0.2, 0.2, 0.5)), ('say "é", twice\n', 0, Estimate(NAN, NAN, NAN))),
        "A note.",
    )  # fmt: skip


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_study_is_a_page_tables_and_figures(tmp_path: Path) -> None:
    written = write_page(study(table()), tmp_path / "out")
    assert [str(path.relative_to(tmp_path / "out")) for path in written] == [
        "index.html", "tables/agreement.csv", "figures/bars.svg", "figures/bars.png", "tables.json",
    ]  # fmt: skip
    assert set(contents(tmp_path / "out")) == {str(path.relative_to(tmp_path / "out")) for path in written}
    assert (tmp_path / "out/figures/bars.svg").read_text("utf-8") == "<svg>é</svg>"
    assert "An invented study" in (tmp_path / "out/index.html").read_text("utf-8")


def test_tables_json_is_strict_and_whole(tmp_path: Path) -> None:
    odd = table("odd", ("x", 1, math.inf), ("y", None, NAN), ("z", 2, Estimate(3.0, -math.inf, 4.0)))
    write_page(study(table(), odd), tmp_path)

    def refuse(word: str) -> None:
        raise AssertionError(word)

    record = json.loads((tmp_path / "tables.json").read_text("utf-8"), parse_constant=refuse)
    assert record["stamp"] == {"hilum": "0.0.0"}
    assert record["warnings"] == ["A warning."]
    assert record["tables"]["agreement"]["note"] == "A note."
    assert record["tables"]["agreement"]["columns"][1] == {"key": "n", "heading": "n", "kind": "count"}
    assert record["tables"]["agreement"]["rows"] == [
        {"finding": "Edema", "n": 12, "f1": {"value": 0.1 + 0.2, "low": 0.2, "high": 0.5}},
        {"finding": 'say "é", twice\n', "n": 0, "f1": {"value": None, "low": None, "high": None}},
    ]
    assert [row["f1"] for row in record["tables"]["odd"]["rows"]] == [
        "Infinity", None, {"value": 3.0, "low": "-Infinity", "high": 4.0},
    ]  # fmt: skip
    assert record["figures"]["bars"] == {"title": "Title of bars", "alt": "Bars."}


def test_numbers_of_numpy_are_numbers(tmp_path: Path) -> None:
    np = pytest.importorskip("numpy")
    write_page(
        study(table("t", ("x", np.int64(3), np.float32(0.5)), ("y", np.int8(1), np.float64(NAN)))), tmp_path
    )
    rows = json.loads((tmp_path / "tables.json").read_text("utf-8"))["tables"]["t"]["rows"]
    assert rows == [{"finding": "x", "n": 3, "f1": 0.5}, {"finding": "y", "n": 1, "f1": None}]
    assert (tmp_path / "tables/t.csv").read_text("utf-8") == "finding,n,f1\nx,3,0.5\ny,1,\n"


def test_csv_has_three_columns_for_an_estimate_and_all_digits(tmp_path: Path) -> None:
    mixed = table("mixed", ("Edema", 12, Estimate(0.1 + 0.2, 0.2, 0.5)), ("a\rb\n", 1, 0.25), ("c", 0, None))
    write_page(study(mixed), tmp_path)
    with (tmp_path / "tables/mixed.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["finding", "n", "f1", "f1_low", "f1_high"], ["Edema", "12", repr(0.1 + 0.2), "0.2", "0.5"],
        ["a\rb\n", "1", "0.25", "", ""], ["c", "0", "", "", ""],
    ]  # fmt: skip


def test_the_same_study_gives_the_same_bytes(tmp_path: Path) -> None:
    write_page(study(table()), tmp_path / "a")
    write_page(study(table()), tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_an_earlier_study_is_replaced_and_its_other_files_go(tmp_path: Path) -> None:
    write_page(study(table(), table("old"), figures=("old",)), tmp_path)
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    write_page(study(table()), tmp_path)
    names = set(contents(tmp_path))
    assert "tables/old.csv" not in names
    assert "figures/old.png" not in names
    assert {"tables/agreement.csv", "figures/bars.png", "notes.txt"} <= names


def test_a_folder_of_somebody_else_is_refused_unless_forced(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("mine", encoding="utf-8")
    (tmp_path / "thesis.tex").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match=r"not empty.*index\.html, thesis\.tex.*--force"):
        write_page(study(table()), tmp_path)
    assert (tmp_path / "index.html").read_text("utf-8") == "mine"
    write_page(study(table()), tmp_path, force=True)
    assert (tmp_path / "thesis.tex").read_text("utf-8") == "mine"
    assert "An invented study" in (tmp_path / "index.html").read_text("utf-8")


@pytest.mark.parametrize("mark", ['{"format": "other"}', "[]", "no json", "\udcff"])
def test_a_tables_json_of_something_else_does_not_count(tmp_path: Path, mark: str) -> None:
    (tmp_path / "tables.json").write_bytes(mark.encode("utf-8", "surrogateescape"))
    with pytest.raises(OutputError, match="holds no earlier study"):
        check_folder(tmp_path)


def test_files_that_an_altered_record_names_outside_the_study_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("mine", encoding="utf-8")
    out = tmp_path / "out"
    write_page(study(table()), out)
    record = json.loads((out / "tables.json").read_text("utf-8"))
    record["files"] += ["../mine.csv", "tables/../../mine.csv", str(tmp_path / "mine.csv"), 7]
    (out / "tables.json").write_text(json.dumps(record), encoding="utf-8")
    write_page(study(table()), out)
    assert (tmp_path / "mine.csv").exists()


def test_a_broken_write_leaves_no_half_file_and_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = _output.write_whole

    def breaks(dest: Path, content: bytes) -> None:
        if dest.name == "bars.svg":
            raise OSError(28, "No space left on device")
        real(dest, content)

    monkeypatch.setattr(_output, "write_whole", breaks)
    with pytest.raises(OutputError, match="no space left"):
        write_page(study(table()), tmp_path / "out")
    monkeypatch.undo()
    write_page(study(table()), tmp_path / "out")
    write_page(study(table()), tmp_path / "again")
    assert contents(tmp_path / "out") == contents(tmp_path / "again")


def test_an_unfinished_file_goes_when_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("os.fsync", fails)
    with pytest.raises(OutputError, match="Input/output error"):
        write_page(study(table()), tmp_path / "out")
    assert contents(tmp_path / "out") == {}


def test_a_leftover_of_a_killed_run_does_not_stand_in_the_way(tmp_path: Path) -> None:
    write_page(study(table()), tmp_path / "clean")
    left = tmp_path / "left"
    left.mkdir()
    (left / ".tables.json.hilum-unfinished").write_bytes(b"{")
    write_page(study(table()), left)
    assert contents(left) == contents(tmp_path / "clean")


def test_a_file_or_a_missing_parent_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match="is a file"):
        check_folder(tmp_path / "file")
    with pytest.raises(OutputError, match="does not exist"):
        check_folder(tmp_path / "no" / "out")


def test_two_blocks_of_one_name_and_names_with_paths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="have this name"):
        write_page(study(table(), table("Agreement")), tmp_path / "out")
    for name in ("../x", "a/b", "", ".hidden", "nul\x00"):
        with pytest.raises(ValueError, match="no file name"):
            write_page(study(table(name)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_two_columns_of_one_key_are_refused(tmp_path: Path) -> None:
    twice = ResultTable("t", "t", (Column("a", "A"), Column("a_low", "B")), ((Estimate(1, 2, 3), 4),))
    with pytest.raises(ValueError, match="two columns have one key"):
        write_page(study(twice), tmp_path / "out")
