"""Whole trainings: repeated, stopped, killed, refused."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from tiny_training import FINDINGS, tiny_config, weights, write_csv, write_files, write_soft
from whole_runs import ENDS_OF_FIRST_TASK, Killed, killed_at

from hilum.core.errors import InputError, OutputError, ResumeError
from hilum.models.report_encoder import load_encoder
from hilum.train import checkpoints
from hilum.train.config import LabelerTraining
from hilum.train.labeler import TrainingResult, train_labeler
from hilum.train.loop import Progress

HERE = Path(__file__).parent
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files of reports and labels, expert ones too, and one finished run of two steps."""
    folder = tmp_path_factory.mktemp("training")
    write_files(folder)
    write_files(folder, n=40, seed=1)
    train_labeler(two_steps(folder, "whole"))
    return folder


def two_steps(folder: Path, output: str, **choices: Any) -> LabelerTraining:
    return tiny_config(
        folder,
        output,
        expert_reports=folder / "reports1.csv",
        expert_labels=folder / "labels1.csv",
        **choices,
    )


def log_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]


def test_a_run_leaves_all_that_was_promised(shared: Path) -> None:
    run = shared / "whole"
    loaded = load_encoder(run / "model")
    assert (loaded.spec.kind, loaded.spec.findings, loaded.spec.sizes) == ("mini", FINDINGS, (4, 4, 4))
    config = json.loads((run / "config.json").read_text(encoding="utf-8"))
    assert config["config"]["seed"] == config["seed"] == 0
    assert set(config["data"]) == {"reports", "labels", "expert_reports", "expert_labels"}
    assert config["versions"]["torch"] == torch.__version__
    assert config["machine"] == {"device": "cpu", "threads": 1, "processes": 1}
    lines = log_of(run)
    steps = [line for line in lines if line["kind"] == "step"]
    assert [line["step"] for line in steps] == list(range(1, len(steps) + 1))
    assert all(line["loss"] == pytest.approx(sum(line["losses"].values())) for line in steps)
    assert [(x["task"], x["epoch"]) for x in lines if x["kind"] == "epoch"] == [
        ("labels", 1), ("labels", 2), ("experts", 0), ("experts", 1), ("experts", 2),
    ]  # fmt: skip
    assert len(list((run / "tensorboard").iterdir())) == 1
    assert not list((run / "state").glob("*.pt"))


def test_the_second_step_begins_with_the_best_of_the_first(shared: Path, tmp_path: Path) -> None:
    still = {"expert_learning_rate": 1e-30, "expert_epochs": 1, "epochs": 3}
    config = replace(two_steps(shared, "x", **still), output=tmp_path / "run")
    with pytest.raises(Killed):
        train_labeler(config, progress=killed_at(lambda p: p.task == "experts"))
    best = safetensors.torch.load_file(config.output / "state" / "best-0.safetensors")
    result = train_labeler(config)
    kept = load_encoder(result.model).model.state_dict()
    assert all(torch.equal(kept[name], tensor) for name, tensor in best.items())
    assert result.steps[1].best_epoch == 0


def test_two_runs_give_the_same_bytes(shared: Path, tmp_path: Path) -> None:
    torch.manual_seed(12345)
    random = torch.get_rng_state()
    result = train_labeler(replace(two_steps(shared, "x"), output=tmp_path / "again"))
    assert weights(tmp_path / "again") == weights(shared / "whole")
    assert log_of(tmp_path / "again") == log_of(shared / "whole")
    assert torch.equal(torch.get_rng_state(), random)
    assert not torch.are_deterministic_algorithms_enabled()
    other = train_labeler(replace(two_steps(shared, "x", seed=1), output=tmp_path / "other"))
    assert weights(tmp_path / "other") != weights(shared / "whole")
    assert result.finished
    assert other.finished


@pytest.mark.parametrize(
    "when",
    [
        *ENDS_OF_FIRST_TASK,
        pytest.param(lambda p: p.task == "experts" and p.epoch == 2, id="second task"),
        pytest.param(lambda p: p.task == "experts" and p.epoch == 2 and p.scored, id="after the last epoch"),
    ],
)
def test_a_run_that_ended_anywhere_goes_on_to_the_same_end(
    shared: Path, tmp_path: Path, when: Callable[[Progress], bool]
) -> None:
    config = replace(two_steps(shared, "x"), output=tmp_path / "run")
    with pytest.raises(Killed):
        train_labeler(config, progress=killed_at(when))
    result = train_labeler(config)
    assert result.finished
    assert weights(tmp_path / "run") == weights(shared / "whole")
    assert log_of(tmp_path / "run") == log_of(shared / "whole")


@pytest.mark.parametrize("name", ["resume.pt", "best-0.safetensors", "best-1.safetensors", "result.json"])
@pytest.mark.parametrize("written", [False, True])
def test_a_run_that_ended_while_it_saved(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, written: bool
) -> None:
    config = replace(two_steps(shared, "x"), output=tmp_path / "run")
    real = Path.replace

    def torn(self: Path, target: Path) -> Path:
        if Path(target).name != name:
            return real(self, target)
        if written:
            real(self, target)
        else:
            self.write_bytes(self.read_bytes()[:100])
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", torn)
        with pytest.raises(Killed):
            train_labeler(config)
    assert train_labeler(config).finished
    assert weights(tmp_path / "run") == weights(shared / "whole")
    assert log_of(tmp_path / "run") == log_of(shared / "whole")


def test_kill_9_and_ctrl_c_in_processes_of_their_own(shared: Path, tmp_path: Path) -> None:
    script = HERE / "kill_training.py"
    run = tmp_path / "run"
    ends = []
    for step, number in ((4, signal.SIGKILL), (16, signal.SIGINT)):
        done = subprocess.run(
            [sys.executable, script, shared, run, str(step), str(int(number))],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        ends.append((done.returncode, done.stdout.strip()))
        assert "Traceback" not in done.stderr, done.stderr
    assert ends == [(-9, ""), (0, "stopped at 16")]
    assert train_labeler(replace(two_steps(shared, "x"), output=run)).resumed_at == 16
    assert weights(run) == weights(shared / "whole")
    assert log_of(run) == log_of(shared / "whole")


def test_a_finished_run_is_not_done_again(shared: Path) -> None:
    before = weights(shared / "whole")
    told: list[str] = []
    result = train_labeler(two_steps(shared, "whole"), tell=told.append)
    assert result.finished
    assert told == [f"{shared / 'whole'} is finished; nothing was done"]
    assert [step.name for step in result.steps] == ["labels", "experts"]
    assert result.table is not None
    assert [row[0] for row in result.table.rows] == list(FINDINGS)
    assert weights(shared / "whole") == before


def test_the_folder_of_another_run_is_refused(shared: Path) -> None:
    with pytest.raises(ResumeError, match=r"training\.seed was 0 and is now 1.*--fresh"):
        train_labeler(two_steps(shared, "whole", seed=1))


def test_fresh_begins_again(shared: Path, tmp_path: Path) -> None:
    config = replace(two_steps(shared, "x"), output=tmp_path / "run")
    with pytest.raises(Killed):
        train_labeler(replace(config, seed=3), progress=killed_at(lambda p: p.done == 5))
    train_labeler(config, fresh=True)
    assert weights(tmp_path / "run") == weights(shared / "whole")
    assert log_of(tmp_path / "run") == log_of(shared / "whole")


def test_changed_data_are_refused(tmp_path: Path) -> None:
    config = tiny_config(tmp_path)
    with pytest.raises(Killed):
        train_labeler(config, progress=killed_at(lambda p: p.done == 4))
    write_files(tmp_path, n=61)
    with pytest.raises(ResumeError, match=r"data\.reports was"):
        train_labeler(config)


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    config = tiny_config(tmp_path)
    config.output.mkdir()
    (config.output / "thesis.txt").write_text("mine", encoding="utf-8")
    for fresh in (False, True):
        with pytest.raises(OutputError, match=r"holds other files.*-o"):
            train_labeler(config, fresh=fresh)
    assert [p.name for p in config.output.iterdir()] == ["thesis.txt"]


def test_a_broken_state_is_told(tmp_path: Path) -> None:
    config = tiny_config(tmp_path)
    with pytest.raises(Killed):
        train_labeler(config, progress=killed_at(lambda p: p.done == 5))
    state = config.output / "state" / "resume.pt"
    state.write_bytes(state.read_bytes()[:-200])
    with pytest.raises(ResumeError, match=r"resume\.pt cannot be read.*--fresh"):
        train_labeler(config)


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints.torch, "save", full)
    with pytest.raises(OutputError, match=r"No space left on device.*run the same command again"):
        train_labeler(tiny_config(tmp_path))


def finished(config: LabelerTraining) -> TrainingResult:
    result = train_labeler(config)
    assert result.finished
    return result


def test_soft_labels_keep_the_least_cross_entropy(tmp_path: Path) -> None:
    soft = write_soft(tmp_path)
    config = tiny_config(
        tmp_path, name="visualchexbert", soft_labels=soft, learning_rate=0.01, epochs=6, patience=6
    )
    result = finished(config)
    losses = [line["dev_loss"] for line in log_of(config.output) if line["kind"] == "epoch"]
    assert result.steps[0].best == pytest.approx(min(losses) / len(FINDINGS))
    assert result.steps[0].best < losses[0] / len(FINDINGS)
    assert load_encoder(result.model).spec.sizes == (1, 1, 1)


def test_it_learns(tmp_path: Path) -> None:
    write_files(tmp_path, n=300)
    config = tiny_config(
        tmp_path, epochs=25, learning_rate=0.01, batch_size=16, patience=25, dev_share=0.2,
    )  # fmt: skip
    result = finished(config)
    assert result.steps[0].best > 0.6
    assert result.table is not None
    assert result.table.rows[0][4] is not None


def test_training_stops_when_nothing_gets_better(tmp_path: Path) -> None:
    config = tiny_config(tmp_path, epochs=30, learning_rate=1e-9, schedule="constant", patience=2)
    result = finished(config)
    assert result.steps[0].epochs == 3
    assert result.steps[0].best_epoch == 1


def test_parts_and_buckets_change_no_labels_of_rows(tmp_path: Path) -> None:
    first = log_of(finished(tiny_config(tmp_path, "a", epochs=1, bucketed=True)).folder)
    second = log_of(finished(tiny_config(tmp_path, "b", epochs=1, bucketed=False, parts=3)).folder)
    assert sum(x.get("rows", 0) for x in first) == sum(x.get("rows", 0) for x in second) == 51


def test_from_a_checkpoint_and_from_its_encoder_alone(shared: Path, tmp_path: Path) -> None:
    model = shared / "whole" / "model"
    on = finished(replace(tiny_config(shared, "x", checkpoint=model, epochs=1), output=tmp_path / "on"))
    scores = [x["score"] for x in log_of(on.folder) if x["kind"] == "epoch"]
    assert len(scores) == 2  # as it came, and after the epoch
    assert on.steps[0].best == max(scores)
    two = {"findings": FINDINGS[:2], "epochs": 1}
    with pytest.raises(InputError, match=r"has other heads.*--init"):
        train_labeler(replace(tiny_config(shared, "x", checkpoint=model, **two), output=tmp_path / "no"))
    new = finished(replace(tiny_config(shared, "x", pretrained=str(model), **two), output=tmp_path / "new"))
    assert load_encoder(new.model).spec.findings == FINDINGS[:2]
    assert load_encoder(new.model).tokenizer.get_vocab() == load_encoder(model).tokenizer.get_vocab()


def test_paraphrases_are_kept_for_a_run_that_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def made(texts: tuple[str, ...], _: LabelerTraining) -> list[list[str]]:
        calls.append(len(texts))
        return [[f"again {text}"] for text in texts]

    monkeypatch.setattr("hilum.train.augmentation.paraphrases", made)
    config = tiny_config(tmp_path, paraphrase="offline", epochs=1)
    with pytest.raises(Killed):
        train_labeler(config, progress=killed_at(lambda p: p.done == 5))
    result = finished(config)
    assert calls == [51]
    assert result.steps[0].train_rows == 102
    assert result.steps[0].dev_rows == 9
    assert "labels: 51 paraphrases were added to 51 training rows" in result.notes


def test_a_run_that_runs_away_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"training has run away.*--lr"):
        train_labeler(tiny_config(tmp_path, learning_rate=1e30, clip_norm=None, warmup=0.0, epochs=20))


def test_a_dev_set_without_labels_is_told(tmp_path: Path) -> None:
    rows = [[str(i), f"text number {i}", "1" if i == 3 else "", "", ""] for i in range(40)]
    path = write_csv(tmp_path / "rare.csv", ["id", "text", *FINDINGS], rows)
    with pytest.raises(InputError, match="no label but blank"):
        train_labeler(tiny_config(tmp_path, reports=path, labels=path))


def test_no_gpu_is_told(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(InputError, match="no GPU"):
        train_labeler(tiny_config(tmp_path, device="cuda"))
    with pytest.raises(InputError, match="fp16 needs a GPU"):
        train_labeler(tiny_config(tmp_path, precision="fp16"))


def test_accelerate_that_another_library_has_set_up_is_told(tmp_path: Path) -> None:
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    Accelerator(cpu=True)
    try:
        with pytest.raises(InputError, match="in a process of its own"):
            finished(tiny_config(tmp_path, precision="bf16", epochs=1))
    finally:
        AcceleratorState._reset_state(reset_partial_state=True)


def test_mixed_precision_keeps_float32_weights(tmp_path: Path) -> None:
    result = finished(tiny_config(tmp_path, precision="bf16", epochs=1))
    assert {p.dtype for p in load_encoder(result.model).model.parameters()} == {torch.float32}
