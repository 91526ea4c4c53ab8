from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from program import environment
from typer.testing import CliRunner

from hilum.cli.main import told
from hilum.cli.study import COMMANDS
from hilum.datasets.phantom import build


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    build(seed=6, n=150, size=64).write(folder / "p")
    return folder


def run(*arguments: object, code: int = 0) -> str:
    app = typer.Typer()
    app.command()(told(COMMANDS["visualchexbert"]))
    done = CliRunner().invoke(app, [str(one) for one in arguments], env={"COLUMNS": "200"})
    assert done.exit_code == code, done.output
    return done.output


def of(sets: Path, **parts: int) -> list[str]:
    """The four options, each a part of one phantom by patient."""
    return [
        word
        for name, part in parts.items()
        for word in (f"--{name.replace('_', '-')}", f"phantom:{sets / 'p'}@{part}/4")
    ]


def test_the_command_prints_the_tables_and_writes_the_page(sets: Path, tmp_path: Path) -> None:
    said = run(
        *of(sets, image_train=1, report_train=2, valid=3, test=4), "-o", tmp_path / "out", "--size", 32,
        "--image-epochs", 1, "--report-epochs", 1, "--device", "cpu", "--threads", 1, "--workers", 1,
        "--replicates", 20, "--findings", "Lung Opacity,Support Devices",
    )  # fmt: skip
    for title in ("Table 4", "Table 5", "Table 6", "rank the image truth", "they use truth of the test set"):
        assert title in said
    assert "Page:" in said
    record = json.loads((tmp_path / "out" / "tables.json").read_bytes())
    assert {"auroc", "table_4", "table_5", "table_6", "differences", "readers", "sets"} <= record[
        "tables"
    ].keys()
    assert record["stamp"]["uncertain"] == "ones"
    assert (tmp_path / "out" / "index.html").read_text(encoding="utf-8").count("<table") >= 8


def test_shared_patients_are_refused(sets: Path, tmp_path: Path) -> None:
    said = run(*of(sets, image_train=1, report_train=1, valid=3, test=4), "-o", tmp_path / "out", code=2)
    assert "share" in said
    assert "@1/2" in said
    assert not (tmp_path / "out").exists()


def test_a_wrong_source_of_truth_names_those_there_are(sets: Path, tmp_path: Path) -> None:
    said = run(
        *of(sets, image_train=1, report_train=2, valid=3, test=4),
        "-o",
        tmp_path / "out",
        "--truth",
        "images",
        code=2,
    )
    assert "labels of image, report, whole report" in said


def test_without_any_extra_it_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "for name in 'torch transformers safetensors accelerate cv2 PIL sklearn matplotlib'.split():\n"
        "    sys.modules[name] = None\n"
        "from hilum.cli.main import main\n"
        "main()\n"
    )
    sets = [
        word
        for name in ("image-train", "report-train", "valid", "test")
        for word in (f"--{name}", "phantom:p")
    ]
    done = subprocess.run(
        [sys.executable, "-c", code, "study", "visualchexbert", *sets, "-o", str(tmp_path / "out")],
        env=environment(), capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    said = " ".join(done.stderr.decode().split())
    assert done.returncode == 2, said
    assert "Traceback" not in said
    assert "pip install 'hilum[neural,images,study]'" in said
