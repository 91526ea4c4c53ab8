from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
from tiny_report_encoder import tiny_folder

from hilum.cli.export import export_model
from hilum.cli.main import told

LOOSE = ("--least-equal", "0.5")
"""The tiny encoder has random weights, and int8 changes more of its labels than those of a trained one."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny_folder(tmp_path / "weights")
    rows = "\n".join(
        f"{i},Large left effusion. {word} lung." for i, word in enumerate(["clear", "small"] * 4)
    )
    (tmp_path / "reports.csv").write_text(f"id,report\n{rows}\n9,\n")
    return tmp_path


def run(*arguments: object, code: int = 0) -> str:
    app = typer.Typer()
    app.command()(told(export_model))
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == code, done.output
    return " ".join(done.output.split())


def test_models_and_the_comparison_are_written(folder: Path) -> None:
    weights = folder / "weights"
    said = run(weights, "--reports", folder / "reports.csv", *LOOSE)
    assert "Labels equal to torch float32 on the first 8 texts of reports.csv" in said
    assert "float32 100.00%" in said
    record = json.loads((weights / "onnx_export.json").read_text())
    assert record["models"]["float32"]["labels"] == 1
    assert record["models"]["int8"]["kept"]
    assert record["models"]["int8"]["sequences"] == 8
    assert record["versions"]["onnxruntime"]
    assert {"model.onnx", "model.int8.onnx"} < {path.name for path in weights.iterdir()}
    assert not list(weights.glob(".export*"))


def test_without_reports_the_self_test_is_compared(folder: Path) -> None:
    said = run(folder / "weights", *LOOSE)
    assert "sentences and reports of the self-test" in said


def test_another_folder_gets_all_that_the_models_need(folder: Path) -> None:
    run(folder / "weights", "-o", folder / "out", "--reports", folder / "reports.csv", "--limit", 2, *LOOSE)
    names = {path.name for path in (folder / "out").iterdir()}
    assert names == {
        "model.onnx", "model.int8.onnx", "onnx_export.json", "hilum_encoder.json", "tokenizer.json",
    }  # fmt: skip
    assert not (folder / "weights" / "model.onnx").exists()


def test_too_few_equal_labels_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hilum.models import onnx_model

    whole = onnx_model.OnnxEncoder.__call__
    monkeypatch.setattr(
        onnx_model.OnnxEncoder,
        "__call__",
        lambda self, s: whole(self, s) * (-1 if self.precision == "int8" else 1),
    )
    weights = folder / "weights"
    said = run(weights, "--reports", folder / "reports.csv", code=2)
    assert "Too few labels equal" in said
    assert "this model was not kept" in said
    assert (weights / "model.onnx").exists()
    assert not (weights / "model.int8.onnx").exists()
    record = json.loads((weights / "onnx_export.json").read_text())
    assert not record["models"]["int8"]["kept"]


def test_bad_options_and_weights_are_told(folder: Path) -> None:
    assert "--least-equal is a share" in run(folder / "weights", "--least-equal", 2, code=2)
    assert "--limit is at least 1" in run(folder / "weights", "--limit", 0, code=2)
    assert "8 or 7 bits" in run(folder / "weights", "--weight-bits", 3, code=2)
    assert "There is no folder" in run(folder / "none", code=2)
    (folder / "empty.csv").write_text("id,report\n1,\n")
    assert "no text to compare" in run(folder / "weights", "--reports", folder / "empty.csv", code=2)
