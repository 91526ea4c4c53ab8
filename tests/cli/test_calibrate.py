from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))

from tiny_report_encoder import REPORTS, tiny_folder

from hilum.cli.main import app
from hilum.core.vocabulary import CHEXPERT14


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("calibrate")
    tiny_folder(folder / "weights")
    lines = [",".join(["study_id", "Report Impression", *CHEXPERT14.names])]
    for number in range(60):
        text = REPORTS[number % len(REPORTS)].replace('"', "'")
        states = ",".join(
            "" if name == "No Finding" else str((1, 0, -1, "")[number % 4]) for name in CHEXPERT14.names
        )
        lines.append(f'{number},"{text} {number}",{states}')
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "weights", folder / "labels.csv"


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["calibrate", *map(str, arguments)])
    return done.exit_code, done.output


def test_temperatures_are_fitted_written_and_used(files: tuple[Path, Path], tmp_path: Path) -> None:
    weights, labels = files
    out = tmp_path / "c.json"
    code, told = run("--weights", weights, "--reports", labels, "--labels", labels, "-o", out)
    assert code == 0, told
    fields = json.loads(out.read_text(encoding="utf-8"))
    before, after = fields["negative_log_likelihood"]["Edema"]
    assert after <= before
    assert "Temperature" in told
    done = CliRunner().invoke(
        app,
        ["label", str(labels), "--labeler", "chexbert", "--weights", str(weights), "--probabilities",
         "--calibration", str(out), "-o", str(tmp_path / "l.csv")],
    )  # fmt: skip
    assert done.exit_code == 0, done.output


def test_rules_have_nothing_to_calibrate(files: tuple[Path, Path], tmp_path: Path) -> None:
    weights, labels = files
    code, told = run(
        "--labeler",
        "rules",
        "--weights",
        weights,
        "--reports",
        labels,
        "--labels",
        labels,
        "-o",
        tmp_path / "c.json",
    )
    assert code == 2
    assert "weights" in told
