"""The command `hilum train llm`, as the program runs it."""

from __future__ import annotations

import builtins
import io
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from commands import runner
from rich.console import Console

from hilum.cli.train_llm import LlmMeter, scores_of, train_llm_command
from hilum.train.llm_config import LlmProgress

sys.path.insert(0, str(Path(__file__).parents[1] / "train"))
import tiny_llm as tiny
from tiny_training import write_files
from whole_runs import one_thread

run = runner(train_llm_command)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The small architecture with a few thousand weights."""
    monkeypatch.setattr("hilum.api.train_llm.ARCHITECTURES", MappingProxyType({"small": tiny.TINY}))
    with one_thread():
        yield


def options(folder: Path) -> list[Any]:
    reports, labels = write_files(folder, n=40)
    return ["--reports", reports, "--labels", labels, "--vocabulary", tiny.three_findings(folder)]


@pytest.mark.usefixtures("small")
def test_a_whole_run_says_how_it_went_and_where_everything_is(tmp_path: Path) -> None:
    command = [
        "--recipe", "mini", "--architecture", "small", "--out", tmp_path / "run", *options(tmp_path),
        "--epochs", "2", "--batch-size", "8", "--dev-share", "0.2", "--device", "cpu", "--threads", "1",
    ]  # fmt: skip
    code, said, progress = run(*command)
    assert code == 0, progress
    assert "32 reports to learn from, 8 to score by" in said
    assert re.search(r"kept: epoch [12], dev loss \d\.\d{4}, right states 0\.\d{4}, weighted F1", said)
    assert "effective batch: 8 reports x 1 passes x 1 devices = 8 reports a step" in progress
    assert str(tmp_path / "run" / "model") in said
    config = json.loads((tmp_path / "run" / "config.json").read_text(encoding="utf-8"))["config"]
    assert (config["recipe"], config["batch_size"], config["prompt"]) == ("mini", 8, "brief")
    code, _, progress = run(*command)
    assert code == 0
    assert "is finished; nothing was done" in progress


def test_instances_for_other_trainers(tmp_path: Path) -> None:
    code, said, progress = run(
        *options(tmp_path), "--write-instances", tmp_path / "i.jsonl", "--dev-share", "0"
    )
    assert code == 0, progress
    assert "40 instances" in said
    lines = (tmp_path / "i.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 40
    assert json.loads(lines[0])["completion"][0]["content"].count("\n") == 3


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--out", "run"], "needs an instruction-tuned model"),
        (["--out", "run", "--architecture", "big"], "There is no architecture 'big'"),
        (["--out", "run", "--recipe", "papers", "--model", "m"], "Did you mean 'paper'"),
        (["--out", "run", "--model", "m", "--vocabulary", "nothing.toml"], "cannot be read"),
        (["--out", "run", "--model", "m", "--labels", "nowhere.csv"], "no file nowhere.csv"),
        (["--out", "run", "--recipe", "mini", "--lora"], "from scratch"),
        (["--model", "m"], "--output"),
    ],
)
def test_what_cannot_be_done_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, problem = run(*options(tmp_path), *more)
    assert code == 2
    assert said in " ".join(problem.replace("│", " ").split())


def test_a_missing_package_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load = builtins.__import__

    def without(name: str, *args: Any, **choices: Any) -> Any:
        if name == "peft":
            raise ImportError("no peft", name="peft")
        return load(name, *args, **choices)

    monkeypatch.setattr(builtins, "__import__", without)
    code, _, problem = run(*options(tmp_path), "--model", "m", "--out", tmp_path / "run")
    assert code == 2
    assert "'peft'" in problem
    assert "hilum[llm]" in problem


def test_a_line_of_progress_says_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(file=io.StringIO(), width=200)
    with LlmMeter(console) as meter:
        monkeypatch.setattr(meter, "line_is_due", lambda _: True)
        meter.update(LlmProgress(1, 2, 6, 20, None, None, {}, scored=False))
        meter.update(LlmProgress(1, 2, 7, 20, 0.5, 900.0, {}, scored=False))
    lines = [line.strip() for line in console.file.getvalue().splitlines() if "step" in line]  # type: ignore[attr-defined]
    assert lines[0] == "epoch 1 of 2, step 6 of 20"
    assert re.fullmatch(r"epoch 1 of 2, step 7 of 20: loss 0.5000, 900 tokens a second, .* left", lines[1])


def test_an_undefined_score_is_a_dash() -> None:
    assert scores_of({"dev_loss": 1.0, "accuracy": 0.5, "weighted_f1": None}).endswith("without blank -")
