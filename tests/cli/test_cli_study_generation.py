from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from hilum.cli.main import told
from hilum.cli.study_generation import study_generation
from hilum.datasets.phantom import build


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    build(seed=8, n=90, size=64).write(folder / "p")
    return folder


def run(*arguments: object, code: int = 0) -> str:
    app = typer.Typer()
    app.command()(told(study_generation))
    done = CliRunner().invoke(app, [str(one) for one in arguments], env={"COLUMNS": "200"})
    assert done.exit_code == code, done.output
    return done.output


def of(sets: Path, **parts: str) -> list[str]:
    return [word for role, part in parts.items() for word in (f"--{role}", f"phantom:{sets / 'p'}@{part}")]


def test_the_command_prints_the_tables_and_writes_pages_and_reports(sets: Path, tmp_path: Path) -> None:
    said = run(
        *of(sets, train="1/3", valid="2/3", test="3/3"), "-o", tmp_path / "out", "--size", 64, "--width", 12,
        "--hidden", 12, "--image-epochs", 1, "--epochs", 1, "--reward-epochs", 1, "--reward-steps", 1,
        "--systems", "major,nn,likelihood,ccr", "--device", "cpu", "--threads", 1, "--workers", 1,
        "--replicates", 20, "--examples", 2,
    )  # fmt: skip
    for title in ("How alike are the words?", "Are the findings right?", "wrong polarity", "Page:"):
        assert title in said
    record = json.loads((tmp_path / "out" / "tables.json").read_bytes())
    assert {
        "wording",
        "clinical",
        "shape",
        "rewards",
        "differences",
        "polarity",
        "attention",
        "sets",
    } <= record["tables"].keys()
    assert (tmp_path / "out" / "examples.html").is_file()
    assert {path.name for path in (tmp_path / "out" / "reports").iterdir()} == {
        "nn.csv", "likelihood.csv", "ccr.csv",
    }  # fmt: skip


def test_shared_patients_and_unknown_systems_are_refused(sets: Path, tmp_path: Path) -> None:
    said = run(*of(sets, train="1/3", valid="1/3", test="3/3"), "-o", tmp_path / "out", code=2)
    assert "share" in said
    said = run(
        *of(sets, train="1/3", valid="2/3", test="3/3"), "-o", tmp_path / "out", "--systems", "mine", code=2
    )
    assert "mine" in said
    assert not (tmp_path / "out").exists()
