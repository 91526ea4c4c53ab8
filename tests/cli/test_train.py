"""The command `hilum train labeler`, as the program runs it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import runner

from hilum.cli.train import train_labeler_command
from hilum.train import loop

sys.path.insert(0, str(Path(__file__).parents[1] / "train"))
import tiny_training as tiny
from whole_runs import one_thread

run = runner(train_labeler_command)
OPTIONS = (
    "--findings", ",".join(tiny.FINDINGS), "--max-tokens", "32", "--threads", "1", "--epochs", "2",
    "--batch-size", "8", "--device", "cpu", "--section", "both",
)  # fmt: skip


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The mini recipe with a model of a few thousand weights."""
    monkeypatch.setattr("hilum.recipes.labeler.MINI_ARCHITECTURE", tiny.TINY)
    with one_thread():
        yield


@pytest.mark.usefixtures("small")
def test_a_whole_run_says_how_it_went_and_where_everything_is(tmp_path: Path) -> None:
    reports, labels = tiny.write_files(tmp_path)
    out = tmp_path / "run"
    command = ("--recipe", "mini", "--reports", reports, "--labels", labels, "-o", out, *OPTIONS)
    code, said, progress = run(*command)
    assert code == 0, progress
    assert "Dev scores of the model that was kept" in said
    assert re.search(
        r"labels: 51 rows to learn from, 9 to choose by; 2 epochs, best weighted F1 0\.\d{4}", said
    )
    for name in ("model", "log.jsonl", "tensorboard", "config.json"):
        assert str(out / name) in said
        assert (out / name).exists()
    assert "60 reports were joined with labels by 'id'" in progress
    assert re.search(r"labels, epoch 2: loss \d+\.\d+, dev 0\.\d+, best 0\.\d+", progress)
    config = json.loads((out / "config.json").read_text(encoding="utf-8"))["config"]
    assert config["recipe"] == "mini"
    assert config["batch_size"] == 8
    code, again, progress = run(*command)
    assert code == 0
    assert "is finished; nothing was done" in progress
    assert again.splitlines()[:-1] == said.splitlines()[:-1]


@pytest.mark.usefixtures("small")
def test_a_stopped_run_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reports, labels = tiny.write_files(tmp_path)
    command = ("--recipe", "mini", "--reports", reports, "--labels", labels, "-o", tmp_path / "run", *OPTIONS)
    with monkeypatch.context() as patched:
        patched.setattr(loop.Stop, "asked", True, raising=False)
        patched.setattr(loop.Stop, "__init__", lambda self: None)
        code, said, progress = run(*command)
    assert code == 130
    assert said == ""
    assert f"stopped after step 1; everything is saved in {tmp_path / 'run'}" in progress
    assert "Run the same command again to go on." in progress
    code, said, progress = run(*command)
    assert code == 0
    assert "going on after step 1" in progress
    assert "Model: " in said


@pytest.mark.parametrize(
    ("wrong", "told_of"),
    [
        (("--recipe", "minni"), "There is no recipe 'minni'. Did you mean 'mini'?"),
        (("--recipe", "chexbert"), "needs one of: a pretrained encoder (--init DIR or hub id)"),
        (("--recipe", "visualchexbert", "--init", "x"), "--recipe visualchexbert with --soft-labels"),
        (("--recipe", "mini", "--soft-labels", "x.csv"), "and not both"),
        (("--recipe", "mini", "--dev-share", "0.001"), "too few to put 0% of them aside"),
        (("--recipe", "mini", "--paraphrase", "magic"), "'magic' is no paraphrase"),
        (("--recipe", "mini", "--section", "middle"), "There is no section choice 'middle'"),
        (("--recipe", "mini", "--from", "nowhere"), "There is no folder nowhere"),
        (("--recipe", "mini", "--findings", "Edma"), "Did you mean 'Edema'?"),
    ],
)
@pytest.mark.usefixtures("small")
def test_bad_input_is_told(tmp_path: Path, wrong: tuple[str, ...], told_of: str) -> None:
    reports, labels = tiny.write_files(tmp_path)
    code, _, error = run("--reports", reports, "--labels", labels, "-o", tmp_path / "run", *OPTIONS, *wrong)
    assert code == 2
    assert told_of in " ".join(error.split())
    assert "Traceback" not in error


def test_a_terminal_has_a_bar_and_a_line_per_epoch() -> None:
    import io

    from rich.console import Console

    from hilum.cli._train_view import Meter

    screen = io.StringIO()
    meter = Meter(Console(file=screen, force_terminal=True, width=120, highlight=False))
    with meter:
        meter.update(loop.Progress("labels", 1, 2, 5, 20, 1.5, None, None))
        meter._bar.refresh()
        assert "labels, epoch 1 of 2" in screen.getvalue()
        assert "loss 1.5000" in screen.getvalue()
        meter.update(loop.Progress("labels", 1, 2, 1, 4, None, None, None, "scoring"))
        meter.update(loop.Progress("labels", 1, 2, 1, 1, 1.4, 0.5, 0.5, "scoring", True))
    assert "labels, epoch 1: loss 1.4000, dev 0.5000, best 0.5000" in screen.getvalue()
