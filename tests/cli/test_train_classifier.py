"""The command `hilum train classifier`, as the program runs it."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from commands import runner
from rich.console import Console

from hilum.cli._train_view import Meter
from hilum.cli.train_classifier import train_classifier_command
from hilum.models.classifier import load_classifier
from hilum.train import loop

sys.path.insert(0, str(Path(__file__).parents[1] / "train"))
import tiny_classifier as tiny
from whole_runs import one_thread

run = runner(train_classifier_command)
OPTIONS = (
    "--size", "32", "--epochs", "2", "--batch-size", "8", "--threads", "1", "--workers", "1", "--device", "cpu",
    "--dev-share", "0.3", "--lr", "0.01", "--ema", "0.9",
)  # fmt: skip


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The mini recipe with a model of a few hundred weights."""
    monkeypatch.setattr("hilum.recipes.classifier.SMALL_DENSENET", tiny.TINY)
    with one_thread():
        yield


@pytest.mark.usefixtures("small")
def test_a_whole_run_says_how_it_went_and_where_everything_is(tmp_path: Path) -> None:
    table = tiny.write_images(tmp_path)
    (tmp_path / "images" / "i0-3.png").write_bytes(b"nothing")
    code, out, err = run("--images", table, "-o", tmp_path / "run", *OPTIONS)
    assert code == 0, err
    assert "AUROC" in out
    assert "Average precision" in out
    assert "Temperature" in out
    assert "1 image could not be read" in out
    assert "time waiting for images" in out
    assert "images of 21 patients to learn from" in err or "to learn from" in err
    page = (tmp_path / "run" / "page" / "index.html").read_text(encoding="utf-8")
    assert "Reliability on the dev set" in page
    again, _, err = run("--images", table, "-o", tmp_path / "run", *OPTIONS)
    assert again == 0
    assert "is finished; nothing was done" in err


@pytest.mark.usefixtures("small")
def test_the_phantom_trains_by_name_and_source(tmp_path: Path) -> None:
    code, _, err = run(
        "--data", "phantom", "--data-option", "n=40", "--data-option", "size=64", "--labels", "image",
        "-o", tmp_path / "run", "--findings", "Lung Opacity,Support Devices,Cardiomegaly", *OPTIONS, "--epochs", "1",
    )  # fmt: skip
    assert code == 0, err
    assert load_classifier(tmp_path / "run" / "model").spec.findings == (
        "Lung Opacity", "Support Devices", "Cardiomegaly",
    )  # fmt: skip
    config = json.loads((tmp_path / "run" / "config.json").read_text(encoding="utf-8"))
    assert config["config"]["data_options"] == {"n": 40, "size": 64}


@pytest.mark.usefixtures("small")
def test_a_label_file_takes_the_place_of_the_labels_of_a_table(tmp_path: Path) -> None:
    table = tiny.write_images(tmp_path)
    lines = table.read_text(encoding="utf-8").splitlines()
    labels = tmp_path / "labels.csv"
    labels.write_text("\n".join([lines[0], *lines[:20:-1]]) + "\n", encoding="utf-8")
    code, _, err = run("--images", table, "--labels", labels, "-o", tmp_path / "run", *OPTIONS)
    assert code == 0, err
    assert "20 images have no labels and were left out" in " ".join(err.split())


@pytest.mark.usefixtures("small")
def test_a_stopped_run_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tiny.write_images(tmp_path)
    monkeypatch.setattr(loop, "_anybody", lambda stop, machine: True)
    code, _, err = run("--images", table, "-o", tmp_path / "run", *OPTIONS)
    assert code == 130
    assert "stopped after step 1; everything is saved" in " ".join(err.split())
    monkeypatch.undo()
    torch.set_num_threads(1)
    monkeypatch.setattr("hilum.recipes.classifier.SMALL_DENSENET", tiny.TINY)
    code, _, err = run("--images", table, "-o", tmp_path / "run", *OPTIONS)
    assert code == 0, err
    assert "going on after step 1" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "no images to learn from"),
        (["--images", "x.csv", "--data", "nih"], "not both"),
        (["--data", "nih"], "--root DIR"),
        (["--data", "hin"], "There is no data_set 'hin'"),
        (["--images", "x.csv", "--uncertain", "ignor"], "Did you mean 'ignore'?"),
        (["--images", "x.csv", "--recipe", "chexnex"], "Did you mean 'chexnet'?"),
        (["--images", "x.csv", "--dev-split", "valid"], "belong to a data set"),
        (["--images", "none.csv"], "none.csv"),
    ],
)
def test_what_cannot_be_done_is_told(tmp_path: Path, options: list[str], message: str) -> None:
    code, _, err = run("-o", tmp_path / "run", "--device", "cpu", *options)
    assert code == 2
    assert message in " ".join(err.split())
    assert "Traceback" not in err


def test_the_first_step_tells_no_speed() -> None:
    console = Console(file=io.StringIO(), width=200)
    meter = Meter(console)
    meter._last -= 60
    meter.update(loop.Progress("labels", 1, 3, 1, 30, 0.5, None, None))
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert "step 1 of 30" in said
    assert "a second" not in said
