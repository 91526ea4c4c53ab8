"""Whole trainings of report generators, both stages: repeated, stopped, refused, and what is logged."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_classifier import tiny_classifier
from tiny_generator import files_of, of_stage, second, tiny_generator, write_reports
from whole_runs import Killed, killed_at

from hilum.core.errors import InputError, ResumeError
from hilum.models.report_generator import load_generator
from hilum.train._generator_results import always_the_same
from hilum.train.classifier import train_classifier
from hilum.train.generator import GeneratorResult, train_generator
from hilum.train.loop import Progress

HERE = Path(__file__).parent
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with images and reports, one finished run of each stage, and a classifier."""
    folder = tmp_path_factory.mktemp("generator")
    train_generator(tiny_generator(folder, "likelihood"))
    train_generator(second(folder, folder / "reinforce"))
    train_classifier(tiny_classifier(folder, "classifier", epochs=1))
    return folder


def lines_of(run: Path, kind: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line["kind"] == kind]


@pytest.mark.parametrize("stage", ["likelihood", "reinforce"])
def test_two_runs_give_the_same_bytes(shared: Path, tmp_path: Path, stage: str) -> None:
    torch.manual_seed(12345)
    random = torch.get_rng_state()
    train_generator(of_stage(stage, shared, tmp_path / "again", workers=1))
    assert files_of(tmp_path / "again") == files_of(shared / stage)
    assert torch.equal(torch.get_rng_state(), random)


@pytest.mark.parametrize("stage", ["likelihood", "reinforce"])
@pytest.mark.parametrize(
    "when",
    [
        pytest.param(lambda p: p.done == 1 and p.doing == "training", id="first step"),
        pytest.param(lambda p: p.scored and p.epoch == 2, id="after the last epoch"),
    ],
)
def test_a_run_that_ended_anywhere_goes_on_to_the_same_end(
    shared: Path, tmp_path: Path, stage: str, when: Callable[[Progress], bool]
) -> None:
    config = of_stage(stage, shared, tmp_path / "run")
    with pytest.raises(Killed):
        train_generator(config, progress=killed_at(when))
    assert train_generator(config).finished
    assert files_of(tmp_path / "run") == files_of(shared / stage)


def test_runs_that_were_killed_between_two_saves_go_on_to_the_same_bytes(
    shared: Path, tmp_path: Path
) -> None:
    """Killed as by kill -9, in processes of their own beside each other."""
    stages = ("likelihood", "reinforce")
    killed = [
        subprocess.Popen(
            [sys.executable, HERE / "kill_generator.py", stage, shared, tmp_path / stage],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )
        for stage in stages
    ]  # fmt: skip
    for process in killed:
        _, said = process.communicate(timeout=120)
        assert process.returncode == -signal.SIGKILL, said.decode()
    for stage in stages:
        assert not (tmp_path / stage / "model").exists()
        result = train_generator(of_stage(stage, shared, tmp_path / stage))
        assert (result.finished, result.resumed_at) == (True, 4)
        assert files_of(tmp_path / stage) == files_of(shared / stage)


def test_a_frozen_encoder_resumes_too_and_its_weights_stay(shared: Path, tmp_path: Path) -> None:
    whole = train_generator(second(shared, tmp_path / "whole", freeze_encoder=True, judge="rules"))
    config = second(shared, tmp_path / "run", freeze_encoder=True)
    with pytest.raises(Killed):
        train_generator(config, progress=killed_at(lambda p: p.done == 7))
    assert train_generator(config).resumed_at == 6
    assert files_of(tmp_path / "run") == files_of(tmp_path / "whole")
    before = load_generator(shared / "likelihood" / "model").model.state_dict()
    after = load_generator(whole.model).model.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert not any(name.startswith("encoder.backbone") for name in changed)
    assert any(name.startswith("encoder.project") for name in changed)
    assert not list((tmp_path / "run" / "state").glob("*.f32"))


def test_the_moving_averages_survive_a_stop(shared: Path, tmp_path: Path) -> None:
    config = second(shared, tmp_path / "run")
    with pytest.raises(Killed):
        train_generator(config, progress=killed_at(lambda p: p.done == 7))
    kept = torch.load(tmp_path / "run" / "state" / "resume.pt", weights_only=True)["model"]
    baseline = lines_of(shared / "reinforce", "step")[kept_step(tmp_path / "run")]["findings_baseline"]
    assert bool(kept["average.started"])
    assert kept["average.average_T"].tolist() == list(baseline.values())
    assert not any(
        name.startswith("average")
        for name in load_generator(shared / "reinforce" / "model").model.state_dict()
    )


def kept_step(run: Path) -> int:
    """Number of steps when the run was saved last: the line of the next step has the averages of then."""
    return int(torch.load(run / "state" / "resume.pt", weights_only=True)["position"]["total"])


def test_every_step_logs_every_part(shared: Path) -> None:
    steps = lines_of(shared / "reinforce", "step")
    assert len(steps) == 12
    for line in steps:
        assert set(line["losses"]) == {"overlap", "findings", "likelihood"}
        assert line["losses"]["likelihood"] == 0.0
        assert set(line["reward"]) == {"total", "overlap", "findings"}
        assert set(line["baseline"]) == set(line["advantage"]) == {"overlap", "findings"}
        assert len(line["findings_reward"]) == len(line["findings_baseline"]) == 13
        assert {"words", "sentences", "empty"} <= set(line["length"])
        assert set(line["positives"]) == {"recall", "precision"}
        assert set(line["entropy"]) == {"word", "stop"}
        assert line["weight"] == {"overlap": 1.0, "findings": 1.0, "likelihood": 0.0}
    for now, after in pairwise(steps):  # equation 2
        for name, value in now["findings_baseline"].items():
            moved = 0.95 * value + 0.05 * now["findings_reward"][name]
            assert after["findings_baseline"][name] == pytest.approx(moved, abs=1e-12)
    epochs = lines_of(shared / "reinforce", "epoch")
    assert [line["epoch"] for line in epochs] == [0, 1, 2]
    assert {"reward", "overlap", "findings"} == set(epochs[0]["dev_scores"])
    assert epochs[0]["score"] == pytest.approx(epochs[0]["dev_scores"]["reward"])
    speeds = [
        json.loads(x) for x in (shared / "reinforce" / "speed.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert all(0 < line["reward_seconds"] < line["seconds"] for line in speeds)


def test_a_result_shows_silence_and_templates_beside_the_model(shared: Path) -> None:
    result = train_generator(second(shared, shared / "reinforce"))
    assert result.finished
    assert [row[0] for row in result.tables[0].rows] == [
        "the model", "empty", "most frequent report", "most frequent sentences",
    ]  # fmt: skip
    empty = result.tables[0].rows[1]
    assert empty[1] == 0.0
    assert float(str(empty[2])) > 10  # silence is nearly right
    assert sum("'empty' earns" in note for note in result.notes) == 1
    assert result.speed is not None
    assert 0 < result.speed.reward_share < 1
    assert result.examples
    assert result.examples == tuple(
        (x["image"], x["report"], x["generated"])
        for x in map(
            json.loads, (shared / "reinforce" / "examples.jsonl").read_text(encoding="utf-8").splitlines()
        )
    )
    assert (result.steps[0].metric, result.steps[0].train_rows, result.steps[0].dev_rows) == (
        "reward",
        42,
        18,
    )


@pytest.mark.parametrize(
    ("choices", "lost"),
    [
        ({"reward": "overlap"}, {"findings"}),
        ({"reward": "findings"}, {"overlap"}),
        ({"weight": 3.0, "likelihood_weight": 0.5}, set()),
    ],
)
def test_rewards_are_chosen_and_weighted(shared: Path, tmp_path: Path, choices: Any, lost: set[str]) -> None:
    train_generator(second(shared, tmp_path / "run", epochs=1, epoch_steps=2, **choices))
    steps = lines_of(tmp_path / "run", "step")
    assert len(steps) == 2
    assert {name for name, value in steps[1]["losses"].items() if value == 0} - {"likelihood"} == lost
    assert steps[1]["reward"]["findings"] > 0  # what is not learned from is logged
    if "weight" in choices:
        assert steps[0]["weight"] == {"overlap": 1.0, "findings": 3.0, "likelihood": 0.5}
        assert steps[0]["losses"]["likelihood"] > 0


def test_a_classifier_starts_the_encoder(shared: Path, tmp_path: Path) -> None:
    classifier = shared / "classifier" / "model"
    result = train_generator(
        tiny_generator(
            shared, tmp_path / "run", classifier=classifier, freeze_encoder=True, choose_by="cider"
        )
    )
    model = load_generator(result.model).model
    from hilum.models.classifier import load_classifier

    own = load_classifier(classifier).model.backbone.state_dict()
    assert model.encoder is not None
    for name, tensor in model.encoder.backbone.state_dict().items():
        assert torch.equal(tensor, own[name]), name
    assert result.steps[0].metric == "CIDEr-D"
    assert result.steps[0].best == pytest.approx(float(str(result.tables[0].rows[0][1])))


def test_it_learns(shared: Path, tmp_path: Path) -> None:
    result: GeneratorResult = train_generator(
        tiny_generator(shared, tmp_path / "run", epochs=6, width=24, hidden=32, learning_rate=2e-2)
    )
    losses = [line["dev_loss"] for line in lines_of(tmp_path / "run", "epoch")]
    assert min(losses) < losses[0] - 0.5
    assert result.left_out == 0


def test_folders_of_the_other_kind_are_named(shared: Path, tmp_path: Path) -> None:
    classifier, generator = shared / "classifier" / "model", shared / "likelihood" / "model"
    with pytest.raises(InputError, match=r"is an image classifier.*--classifier"):
        train_generator(tiny_generator(shared, tmp_path / "run", init=classifier))
    with pytest.raises(InputError, match=r"is a report generator.*--init"):
        train_generator(tiny_generator(shared, tmp_path / "run", classifier=generator))


def test_reports_that_are_always_the_same_are_told() -> None:
    assert always_the_same(["", "", ""]).startswith("all 3 generated reports are empty")
    assert "are the same" in always_the_same(["no edema."] * 3)
    assert always_the_same(["no edema.", "", ""]) == ""


def test_a_vocabulary_that_does_not_fit_is_refused(shared: Path, tmp_path: Path) -> None:
    table = write_reports(tmp_path, n=20)
    text = table.read_text(encoding="utf-8")
    for word in ("pulmonary edema", "rib fracture", "Heart size", "enlarged"):
        text = text.replace(word, "zonk blip")
    table.write_text(text, encoding="utf-8")
    told: list[str] = []
    with pytest.raises(InputError, match=r"does not fit these reports.*--most-unknown"):
        train_generator(second(shared, tmp_path / "run", images=table), tell=told.append)
    assert not any("decoding" in line for line in told)
    result = train_generator(
        second(shared, tmp_path / "run", images=table, most_unknown=1.0, epochs=1), fresh=True
    )
    assert any("are not in the vocabulary" in note for note in result.notes)


def test_reports_that_are_all_alike_have_no_cider(shared: Path, tmp_path: Path) -> None:
    table = write_reports(tmp_path, n=20)
    lines = table.read_text(encoding="utf-8").splitlines()
    rows = [",".join(line.split(",")[:2]) + ",No edema." for line in lines if line.startswith("images/")]
    table.write_text("\n".join([lines[0], *rows]) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match="CIDEr-D is not defined"):
        train_generator(second(shared, tmp_path / "no", images=table))
    result = train_generator(tiny_generator(tmp_path, "yes", images=table, epochs=1))
    assert [row[1] for row in result.tables[0].rows] == [None] * 4


def test_another_run_in_the_folder_is_refused(shared: Path, tmp_path: Path) -> None:
    config = second(shared, tmp_path / "run")
    with pytest.raises(Killed):
        train_generator(config, progress=killed_at(lambda p: p.done == 3))
    with pytest.raises(ResumeError, match="weight"):
        train_generator(replace(config, weight=2.0))
    assert train_generator(replace(config, weight=2.0), fresh=True).resumed_at == 0
