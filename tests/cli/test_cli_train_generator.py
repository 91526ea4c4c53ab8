"""The command `hilum train generator`, as the program runs it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import runner

from hilum.cli.train_generator import train_generator_command

sys.path.insert(0, str(Path(__file__).parents[1] / "train"))
import tiny_classifier as tiny
from tiny_generator import write_reports
from whole_runs import one_thread

run = runner(train_generator_command)
OPTIONS = (
    "--size", "32", "--epochs", "1", "--batch-size", "8", "--threads", "1", "--workers", "1", "--device", "cpu",
    "--dev-share", "0.3", "--width", "12", "--hidden", "16", "--most-words", "8", "--most-sentences", "5",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The small recipe with a model of a few hundred weights."""
    monkeypatch.setattr("hilum.recipes.generator.SMALL_DENSENET", tiny.TINY)
    with one_thread():
        yield


def test_both_stages_say_how_it_went_and_where_everything_is(tmp_path: Path) -> None:
    table = write_reports(tmp_path, n=40)
    (tmp_path / "images" / "i0-3.png").write_bytes(b"nothing")
    code, out, err = run("--images", table, "--out", tmp_path / "a", *OPTIONS)
    assert code == 0, err
    assert "Dev reports of the model that was kept" in out
    assert "most frequent sentences" in out
    assert "1 image could not be read" in out
    assert "generated:" in out
    assert "the report 'empty' earns" in err
    code, out, err = run(
        "--images", table, "-o", tmp_path / "b", "--stage", "reinforce", "--init", tmp_path / "a" / "model",
        "--freeze-encoder", "--reward", "mix", "--weight", "0.3", "--beta-u", "0.4", "--decay", "0.9", *OPTIONS,
    )  # fmt: skip
    assert code == 0, err
    assert "of their time working out rewards" in out
    config = json.loads((tmp_path / "b" / "config.json").read_text(encoding="utf-8"))["config"]
    assert (config["weight"], config["beta_uncertain"], config["decay"]) == (0.3, 0.4, 0.9)
    code, _, err = run(
        "--images", table, "-o", tmp_path / "b", "--stage", "reinforce", "--init", tmp_path / "a" / "model",
        "--freeze-encoder", "--reward", "mix", "--weight", "0.3", "--beta-u", "0.4", "--decay", "0.9", *OPTIONS,
    )  # fmt: skip
    assert code == 0
    assert "is finished; nothing was done" in err


def test_the_phantom_trains_by_name(tmp_path: Path) -> None:
    code, _, err = run(
        "--data",
        "phantom",
        "--data-option",
        "n=12",
        "--data-option",
        "size=64",
        "-o",
        tmp_path / "run",
        *OPTIONS,
    )
    assert code == 0, err


@pytest.mark.parametrize("package", ["torch", "cv2"])
def test_without_the_extras_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    code, _, err = run("--data", "phantom", "-o", tmp_path / "run")
    assert code == 2
    assert "pip install 'hilum[neural,images]'" in " ".join(err.split())


def test_what_cannot_be_is_told_with_the_next_step(tmp_path: Path) -> None:
    table = write_reports(tmp_path, n=8)
    code, _, err = run("--images", table, "-o", tmp_path / "run", "--stage", "reinforce")
    assert code != 0
    assert "--init DIR" in err
    code, _, err = run("-o", tmp_path / "run")
    assert code != 0
    assert "--data NAME:ROOT" in err
    code, _, err = run("--images", table, "-o", tmp_path / "run", "--init", tmp_path / "nowhere")
    assert code != 0
    assert "nowhere" in err
