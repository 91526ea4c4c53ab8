from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from hilum.cli.main import told
from hilum.cli.study_retrieval import study_retrieval
from hilum.datasets.phantom import build

app = typer.Typer()
app.command()(told(study_retrieval))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    build(seed=4, n=30, draw=False).write(tmp_path / "phantom")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


BOTH = ("--test", "phantom:phantom@1/2", "--datastore", "phantom:phantom@2/2", "--gold", "whole report")
FEW = ("--k", "2", "--replicates", "20")


def test_the_study_writes_a_page_and_shows_what_changed(folder: Path) -> None:
    done = run(*BOTH, "--labeler", "rules", "--text", *FEW, "-o", "out")
    assert done.exit_code == 0, done.output
    assert "Average weighted F1 and its change" in done.output
    assert "Among the neighbours" in done.output
    page = (folder / "out" / "index.html").read_text(encoding="utf-8")
    assert "Similar report 1:" in page
    record = json.loads((folder / "out" / "tables.json").read_text(encoding="utf-8"))
    tests = record["tables"]["sets"]["rows"][0]["studies"]
    rows = (folder / "out" / "neighbours.csv").read_text(encoding="utf-8").splitlines()
    assert rows[0] == "study,number,neighbour,similarity"
    assert len(rows) == 1 + 2 * tests


def test_the_same_command_gives_the_same_bytes(folder: Path) -> None:
    for name in ("one", "two", "two"):
        done = run(*BOTH, "--labeler", "rules", "--text", *FEW, "-o", name)
        assert done.exit_code == 0, done.output
    for name in ("index.html", "tables.json", "neighbours.csv"):
        assert (folder / "one" / name).read_bytes() == (folder / "two" / name).read_bytes()


def test_errors_say_what_to_do(folder: Path) -> None:
    same = run(
        "--test",
        "phantom:phantom",
        "--datastore",
        "phantom:phantom",
        "--gold",
        "labeler",
        "--labeler",
        "rules",
        "--text",
    )
    assert same.exit_code == 2
    assert "are the same set" in same.output
    neither = run(*BOTH, "--labeler", "rules")
    assert neither.exit_code == 2
    assert "--images FOLDER" in neither.output
    images = run(*BOTH, "--labeler", "rules", "--images", "phantom", "-o", "out")
    assert images.exit_code == 2
    (folder / "full").mkdir()
    (folder / "full" / "other").write_text("x")
    held = run(*BOTH, "--labeler", "rules", "--text", *FEW, "-o", "full")
    assert held.exit_code == 2
    assert "--force" in held.output
