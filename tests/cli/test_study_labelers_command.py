from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from hilum.cli.main import told
from hilum.cli.study_labelers import study_labelers

app = typer.Typer()
app.command()(told(study_labelers))

GOLD = "id,Edema,Fracture,Pneumonia\na,1,0,\nb,0,1,-1\nc,,0,1\nd,-1,,0\ne,1,1,\nf,0,,1\n"
GOOD = "id,Edema,Fracture,Pneumonia\na,1,0,\nb,0,1,-1\nc,,0,1\nd,1,,0\ne,1,1,\nf,0,,1\n"
POOR = "id,Edema,Fracture,Pneumonia\na,0,0,1\nb,0,,1\nc,1,0,1\nd,1,,\ne,1,0,\nf,,1,1\n"
SCORES = "Finding,A,B\nEdema,0.9,0.8\nFracture,0.7,0.75\nPneumonia,0.8,0.6\nAverage,0.8,0.72\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in (("gold", GOLD), ("good", GOOD), ("poor", POOR), ("scores", SCORES)):
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


BOTH = ("--gold", "gold.csv", "--labels", "good=good.csv", "--labels", "poor=poor.csv", "--replicates", "20")


def test_the_study_writes_a_page_and_shows_its_two_main_tables(folder: Path) -> None:
    done = run(*BOTH, "-o", "out")
    assert done.exit_code == 0, done.output
    assert "Weighted F1, all certainty levels" in done.output
    assert "Tests over findings" in done.output
    page = (folder / "out" / "index.html").read_text(encoding="utf-8")
    assert "Labelers against gold labels: good, poor" in page
    assert str(folder) not in page
    tables = json.loads((folder / "out" / "tables.json").read_text(encoding="utf-8"))["tables"]
    assert {
        "sources",
        "gold",
        "weighted_f1_all",
        "presets",
        "extraction_uncertain",
        "tests",
        "mcnemar",
    } <= set(tables)
    with (folder / "out" / "tables" / "differences.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["finding"] for row in rows] == ["Edema", "Fracture", "Pneumonia", "Average"]
    assert (folder / "out" / "figures" / "differences.png").stat().st_size > 1000


def test_the_same_command_gives_the_same_bytes(folder: Path) -> None:
    assert run(*BOTH, "-o", "one").exit_code == run(*BOTH, "-o", "two").exit_code == 0
    files = sorted(path.relative_to(folder / "one") for path in (folder / "one").rglob("*") if path.is_file())
    assert len(files) > 15
    for file in files:
        assert (folder / "one" / file).read_bytes() == (folder / "two" / file).read_bytes(), file


def test_a_policy_shows_f1_of_positive_labels(folder: Path) -> None:
    done = run(*BOTH, "--policy", "uncertain-to-one", "-o", "out")
    assert done.exit_code == 0, done.output
    assert "F1 of positive labels" in done.output


def test_findings_and_preset_are_taken(folder: Path) -> None:
    done = run(*BOTH, "--findings", "Fracture, edema", "--preset", "task-mean", "-o", "out")
    assert done.exit_code == 0, done.output
    tables = json.loads((folder / "out" / "tables.json").read_text(encoding="utf-8"))["tables"]
    assert "task-mean (primary)" in json.dumps(tables["presets"])
    assert "Pneumonia" not in json.dumps(tables["weighted_f1_all"])


def test_published_scores_alone_give_tests_and_figures(folder: Path) -> None:
    done = run("--scores", "scores.csv", "-o", "out")
    assert done.exit_code == 0, done.output
    assert "Scores as given" in done.output
    assert "'Average' sums up the others" in done.output
    assert sorted(path.name for path in (folder / "out" / "figures").iterdir()) == [
        "differences.png", "differences.svg", "scores.png", "scores.svg",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "told_words"),
    [
        ((), "Gold and labels are needed"),
        (("--gold", "gold.csv"), "Gold and labels are needed"),
        (("--scores", "scores.csv", "--gold", "gold.csv"), "instead of labels"),
        ((*BOTH, "--preset", "blank"), "There is no preset 'blank'"),
        ((*BOTH, "--policy", "uncertain-ignored"), "uncertain-to-one, uncertain-to-zero"),
        ((*BOTH, "--findings", "Edemas"), "Did you mean 'Edema'?"),
        ((*BOTH, "--labels", "none=nowhere.csv"), "nowhere.csv"),
        ((*BOTH, "--align", "rows"), "way to align"),
        (("--scores", "gold.csv"), "has no score"),
    ],
)
def test_errors_are_one_message_with_exit_code_2(
    folder: Path, arguments: tuple[str, ...], told_words: str
) -> None:
    done = run(*arguments, "-o", "out")
    assert done.exit_code == 2
    assert "error: " in done.output
    assert told_words in done.output
    assert "Traceback" not in done.output
    assert not (folder / "out").exists()


def test_a_label_file_without_a_finding_of_the_gold_names_it(folder: Path) -> None:
    (folder / "short.csv").write_text("id,Edema,Fracture\na,1,0\nb,0,1\nc,,0\n", encoding="utf-8")
    done = run("--gold", "gold.csv", "--labels", "short=short.csv", "-o", "out")
    assert done.exit_code == 2
    assert "short has no column for Pneumonia" in done.output
    assert "--findings 'Edema,Fracture'" in done.output
