from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from hilum.cli.main import told
from hilum.cli.phantom import phantom
from hilum.core.errors import InputError
from hilum.core.imaging import Study
from hilum.core.vocabulary import State
from hilum.datasets._phantom.causes import multiplied
from hilum.datasets.phantom import CAUSES, PhantomOptions, build, causes_of


def run(*arguments: object, code: int = 0) -> str:
    app = typer.Typer()
    app.command()(told(phantom))
    done = CliRunner().invoke(app, [str(one) for one in arguments])
    assert done.exit_code == code, done.output
    return done.output


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def plain(study: Study) -> tuple[object, ...]:
    states = {source: labels.states for source, labels in study.labels.items()}
    return study.id, study.patient, study.report and study.report.text, states, study.meta


def test_a_folder_is_written_told_and_the_same_for_any_number_of_workers(tmp_path: Path) -> None:
    said = run("-o", tmp_path / "one", "--n", 9, "--size", 64, "--seed", 5)
    assert "9  studies" in said
    assert "patients" in said
    assert "of no patient" in said
    build(seed=5, n=9, size=64).write(tmp_path / "two")
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    assert b"times" not in (tmp_path / "one" / "phantom.json").read_bytes()
    run("-o", tmp_path / "three", "--n", 9, "--size", 64, "--seed", 5, "--workers", 2)
    assert digests(tmp_path / "three") == digests(tmp_path / "two")


def test_causes_can_be_chosen_and_another_phantom_is_not_written_over(tmp_path: Path) -> None:
    run("-o", tmp_path / "p", "--n", 30, "--no-images", "--causes", "hierarchy,hedging")
    found = {cause for study in build(tmp_path / "p").studies() for _, cause in causes_of(study).values()}
    assert found <= {"hierarchy", "hedging", "follows"}
    assert "hierarchy" in found
    assert "--fresh" not in run(
        "-o", tmp_path / "p", "--n", 30, "--no-images", "--causes", "hierarchy,hedging"
    )
    said = run("-o", tmp_path / "p", "--n", 30, "--no-images", "--causes", "none", code=2)
    assert "other options: causes was ['hedging', 'hierarchy'] and is now []. Next step" in " ".join(
        said.split()
    )
    assert "--fresh" in said
    run("-o", tmp_path / "p", "--n", 30, "--no-images", "--causes", "none", "--fresh")
    assert not any(causes_of(study) for study in build(tmp_path / "p").studies())
    assert "Did you mean 'hedging'" in run("-o", tmp_path / "q", "--causes", "hedgin", code=2)


def test_what_cannot_be_written_is_told_before_anything_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("mine")
    for place in ("a.txt", "a.txt/deeper"):
        said = run("-o", tmp_path / place, "--n", 3, "--no-images", code=2)
        assert "is a file, no folder" in " ".join(said.split())
    assert "1 or more" in run("-o", tmp_path / "p", "--n", 0, code=2)
    monkeypatch.setitem(sys.modules, "cv2", None)
    said = run("-o", tmp_path / "p", "--n", 3, "--workers", 2, code=2)
    assert said.count("pip install 'hilum") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_times_0_is_no_disagreement_and_1_the_frozen_rates() -> None:
    made = {
        times: [plain(s) for s in build(seed=3, n=150, draw=False, times=times).studies()] for times in (0, 1)
    }
    assert made[0] == [plain(s) for s in build(seed=3, n=150, draw=False, causes=()).studies()]
    assert made[1] == [plain(s) for s in build(seed=3, n=150, draw=False).studies()]
    assert PhantomOptions(times=1.0) == PhantomOptions()


def test_more_times_is_more_disagreement_and_hedging_on_the_same_images() -> None:
    disagree, uncertain, images = [], [], []
    for times in (0.0, 0.5, 1.0, 2.0):
        studies = list(build(seed=4, n=300, draw=False, times=times).studies())
        disagree.append(sum(len(causes_of(s)) for s in studies))
        uncertain.append(sum(s is State.UNCERTAIN for one in studies for s in one.labels["report"].states))
        none = studies[0].labels["image"].vocabulary.no_finding
        images.append(
            [
                (one.id, {n: s for n, s in one.labels["image"].as_dict().items() if n != none})
                for one in studies
            ]
        )
    assert disagree == sorted(set(disagree))
    assert uncertain == sorted(set(uncertain))
    assert images[0] == images[1] == images[2] == images[3]
    half = next(build(seed=4, n=1, size=64, times=0.5).studies()).images[0].pixels
    whole = next(build(seed=4, n=1, size=64).studies()).images[0].pixels
    assert half is not None
    assert whole is not None
    assert half.tobytes() == whole.tobytes()


@pytest.mark.parametrize(
    ("rate", "times", "expected"),
    [
        (0.2, 0.0, 0.0),
        (0.2, 2.0, 0.4),
        (0.6, 2.0, 0.95),
        (0.97, 2.0, 0.97),
        (0.97, 0.5, 0.485),
        (1.4, 1.0, 1.4),
    ],
)
def test_a_rate_is_multiplied_up_to_a_cap(rate: float, times: float, expected: float) -> None:
    assert multiplied(rate, times) == pytest.approx(expected)


@pytest.mark.parametrize("times", [-1.0, float("nan"), float("inf")])
def test_times_that_cannot_be_are_refused(times: float) -> None:
    with pytest.raises(InputError, match="times"):
        PhantomOptions(times=times)


def test_all_causes_are_known() -> None:
    assert len(CAUSES) == len(set(CAUSES))
