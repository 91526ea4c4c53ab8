"""Whole trainings of image classifiers: repeated, stopped, killed, refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from tiny_classifier import FINDINGS, files_of, into, tiny_classifier, write_images
from whole_runs import ENDS_OF_FIRST_TASK, Killed, killed_at

from hilum.core.errors import InputError, OutputError, ResumeError
from hilum.core.matrix import LEFT_OUT
from hilum.core.results import Estimate
from hilum.models.classifier import load_classifier
from hilum.models.classifier_spec import BINARY, THREE
from hilum.models.classify import predict_images
from hilum.train.classifier import ClassifierResult, train_classifier
from hilum.train.loop import Progress

HERE = Path(__file__).parent
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with images, and one finished run of two tasks."""
    folder = tmp_path_factory.mktemp("classifier")
    train_classifier(tiny_classifier(folder, "whole", uncertain="self-training"))
    return folder


def trained(folder: Path, output: Path, **choices: Any) -> ClassifierResult:
    return train_classifier(into(tiny_classifier(folder, "x", **choices), output))


def test_a_run_leaves_all_that_was_promised(shared: Path) -> None:
    run = shared / "whole"
    loaded = load_classifier(run / "model")
    assert (loaded.spec.findings, loaded.spec.outputs, loaded.spec.size_px) == (FINDINGS, BINARY, 32)
    assert loaded.spec.temperatures == (1.0, 1.0, 1.0)  # fewer than 20 labels on the dev set
    assert set(loaded.spec.thresholds or {}) == set(FINDINGS)
    config = json.loads((run / "config.json").read_text(encoding="utf-8"))
    assert config["config"]["uncertain"] == "self-training"
    assert config["machine"] == {"device": "cpu", "threads": 1, "processes": 1}
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    epochs = [line for line in lines if line["kind"] == "epoch"]
    assert [(x["task"], x["epoch"]) for x in epochs] == [
        ("labels", 1), ("labels", 2), ("self-training", 1), ("self-training", 2),
    ]  # fmt: skip
    known = [v for v in epochs[-1]["dev_scores"].values() if v is not None]
    assert epochs[-1]["score"] == pytest.approx(np.mean(known))
    assert set(epochs[-1]["dev_average_precision"]) == set(FINDINGS)
    assert not [p.name for p in (run / "state").iterdir() if p.suffix in (".pt", ".u8", ".safetensors")]
    speeds = [json.loads(line) for line in (run / "speed.jsonl").read_text(encoding="utf-8").splitlines()]
    assert all(0 <= line["waiting_share"] < 1 and line["images_per_second"] > 0 for line in speeds)


def test_the_dev_scores_are_those_of_the_model_that_was_written(shared: Path) -> None:
    result = train_classifier(tiny_classifier(shared, "whole", uncertain="self-training"))
    assert result.finished
    assert result.dev is not None
    assert result.tables[0].name == "dev"
    files = [shared / one for one in result.dev.ids]
    found = predict_images(load_classifier(result.model), files)
    assert not found.failed
    np.testing.assert_allclose(found.logits, result.dev.log_odds_NF, atol=2e-4)
    cells = [row[3] for row in result.tables[0].rows]
    assert all(isinstance(one, Estimate) and one.low <= one.value <= one.high for one in cells)
    assert len(set(result.dev.patients)) < len(result.dev.ids)  # whole patients are on one side


def test_two_runs_give_the_same_bytes(shared: Path, tmp_path: Path) -> None:
    torch.manual_seed(12345)
    random = torch.get_rng_state()
    trained(shared, tmp_path / "again", uncertain="self-training", workers=1)
    assert files_of(tmp_path / "again") == files_of(shared / "whole")
    assert torch.equal(torch.get_rng_state(), random)
    trained(shared, tmp_path / "other", uncertain="self-training", seed=1)
    assert files_of(tmp_path / "other") != files_of(shared / "whole")


@pytest.mark.parametrize(
    "when",
    [
        *ENDS_OF_FIRST_TASK,
        pytest.param(lambda p: p.task == "self-training" and p.done == 8, id="second task"),
        pytest.param(
            lambda p: p.task == "self-training" and p.scored and p.epoch == 2, id="after the last epoch"
        ),
    ],
)
def test_a_run_that_ended_anywhere_goes_on_to_the_same_end(
    shared: Path, tmp_path: Path, when: Callable[[Progress], bool]
) -> None:
    config = into(tiny_classifier(shared, "x", uncertain="self-training"), tmp_path / "run")
    with pytest.raises(Killed):
        train_classifier(config, progress=killed_at(when))
    assert train_classifier(config).finished
    assert files_of(tmp_path / "run") == files_of(shared / "whole")


@pytest.mark.parametrize(
    ("step", "number"), [(9, signal.SIGKILL), (5, signal.SIGTERM)], ids=["kill -9", "SIGTERM"]
)
def test_a_process_that_is_killed_goes_on_to_the_same_end(
    shared: Path, tmp_path: Path, step: int, number: int
) -> None:
    def process(at: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, HERE / "kill_classifier.py", shared, tmp_path / "run", str(at), str(int(number))],
            capture_output=True, text=True, cwd=HERE, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip

    ended = process(step)
    assert (ended.returncode, ended.stdout) in ((-signal.SIGKILL, ""), (0, f"stopped at {step}")), (
        ended.stderr
    )
    assert train_classifier(
        into(tiny_classifier(shared, "x", uncertain="self-training"), tmp_path / "run")
    ).finished
    assert files_of(tmp_path / "run") == files_of(shared / "whole")


def test_a_stopped_run_of_other_choices_is_refused_and_fresh_forgets_it(shared: Path, tmp_path: Path) -> None:
    config = into(tiny_classifier(shared, "x"), tmp_path / "run")
    with pytest.raises(Killed):
        train_classifier(config, progress=killed_at(lambda p: p.done == 3))
    with pytest.raises(ResumeError, match="learning_rate"):
        train_classifier(replace(config, learning_rate=1e-3))
    told: list[str] = []
    assert train_classifier(replace(config, learning_rate=1e-3), fresh=True, tell=told.append).resumed_at == 0
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match="other files"):
        train_classifier(replace(config, output=tmp_path / "taken"))


@pytest.mark.parametrize("uncertain", ["ignore", "zeros", "ones", "multiclass"])
def test_every_way_with_uncertain_labels_trains(shared: Path, tmp_path: Path, uncertain: str) -> None:
    result = trained(shared, tmp_path / "run", uncertain=uncertain, epochs=4)
    spec = load_classifier(result.model).spec
    assert spec.outputs == (THREE if uncertain == "multiclass" else BINARY)
    assert result.steps[0].best > 0.75  # bright corners are easy
    assert result.dev is not None
    assert result.dev.log_odds_NF.shape[1] == len(FINDINGS)


def test_the_second_model_learns_probabilities_where_labels_were_uncertain(
    shared: Path, tmp_path: Path
) -> None:
    config = into(tiny_classifier(shared, "x", uncertain="self-training"), tmp_path / "run")
    with pytest.raises(Killed):
        train_classifier(config, progress=killed_at(lambda p: p.task == "self-training"))
    state = tmp_path / "run" / "state"
    values = safetensors.torch.load_file(state / "self-training.safetensors")["probabilities"]
    assert values.shape == (42, 3)
    assert 0 < float(values.min()) < float(values.max()) < 1


def test_blank_labels_can_be_masked(shared: Path, tmp_path: Path) -> None:
    negative = trained(shared, tmp_path / "a").dev
    masked = trained(shared, tmp_path / "b", blank="ignore").dev
    assert negative is not None
    assert masked is not None
    assert (masked.truth_NF == LEFT_OUT).sum() > (negative.truth_NF == LEFT_OUT).sum()


def test_the_average_of_the_weights_is_what_is_kept(shared: Path, tmp_path: Path) -> None:
    slow = trained(shared, tmp_path / "slow", average=0.999, epochs=1)
    none = trained(shared, tmp_path / "none", average=0.0, epochs=1)
    one, other = (load_classifier(r.model).model.state_dict() for r in (slow, none))
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_mixed_precision_trains_and_its_scores_are_of_the_written_model(shared: Path, tmp_path: Path) -> None:
    result = trained(shared, tmp_path / "run", precision="bf16", average=0.0)
    assert result.dev is not None
    found = predict_images(load_classifier(result.model), [shared / one for one in result.dev.ids])
    np.testing.assert_allclose(found.logits, result.dev.log_odds_NF, atol=2e-4)


def test_a_run_begins_with_an_earlier_classifier(shared: Path, tmp_path: Path) -> None:
    model = shared / "whole" / "model"
    going_on = trained(shared, tmp_path / "on", checkpoint=model, epochs=1, architecture={})
    assert going_on.steps[0].best >= 0.5
    new_head = trained(shared, tmp_path / "head", pretrained=str(model), findings=FINDINGS[:2], epochs=1)
    assert load_classifier(new_head.model).spec.findings == FINDINGS[:2]
    with pytest.raises(InputError, match="three outputs"):
        trained(shared, tmp_path / "no", checkpoint=model, uncertain="multiclass")


def test_a_loss_that_is_no_number_ends_the_run(shared: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="run away"):
        trained(shared, tmp_path / "run", learning_rate=1e30, average=0.0)
    with pytest.raises(InputError, match="fp16 needs a GPU"):
        trained(shared, tmp_path / "fp16", precision="fp16")


def test_one_class_only_is_told_for_some_and_refused_for_all(tmp_path: Path) -> None:
    table = write_images(tmp_path, n=24)
    lines = table.read_text(encoding="utf-8").splitlines()
    one = [lines[0], *(line.rsplit(",", 1)[0] + ",0" for line in lines[1:])]
    table.write_text("\n".join(one), encoding="utf-8")
    result = trained(tmp_path, tmp_path / "run", epochs=1)
    assert any("Fracture: one class only among the images to choose by" in note for note in result.notes)
    assert result.tables[0].rows[2][3:] == (None, None)
    assert load_classifier(result.model).spec.temperatures is not None
    with pytest.raises(InputError, match="Every finding has one class only"):
        trained(tmp_path, tmp_path / "none", findings=("Fracture",))


def test_a_start_that_failed_on_its_input_does_not_keep_the_output(tmp_path: Path) -> None:
    table = write_images(tmp_path)
    good = table.read_text(encoding="utf-8")
    table.write_text(good.replace(".png", ".gone"), encoding="utf-8")
    config = tiny_classifier(tmp_path)
    with pytest.raises(InputError):
        train_classifier(config)
    table.write_text(good, encoding="utf-8")
    assert train_classifier(config).finished
