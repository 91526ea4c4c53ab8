from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_study import page_bytes, stage_bytes, tiny_study, write_sets

from hilum.api.study_visualchexbert import study_visualchexbert
from hilum.core.errors import InputError, OutputError, ResumeError, UnknownNameError
from hilum.core.results import Estimate, ResultPage
from hilum.datasets.phantom import build
from hilum.models import classify
from hilum.recipes import _visualchexbert_models
from hilum.recipes._visualchexbert_models import Learner
from hilum.recipes._visualchexbert_stages import opened, read_values
from hilum.recipes._visualchexbert_tables import paper
from hilum.recipes.visualchexbert import read_sets, visualchexbert_study

HERE = Path(__file__).parent
DONE = {
    "mappings", "classifier-on-image-train", "soft-labels-of-report-train", "test-images-by-image-train",
    "encoder-on-report-train", "valid-reports-by-report-train", "test-reports-by-report-train",
    "answers-of-report-train",
}  # fmt: skip


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sets(tmp_path_factory.mktemp("sets"))


@pytest.fixture(scope="module")
def whole(sets: Path) -> tuple[ResultPage, Path, list[str]]:
    """The study, run once without a break: its page, its folder, and what was told."""
    told: list[str] = []
    page, _ = study_visualchexbert(tiny_study(sets), sets / "whole", progress=told.append)
    return page, sets / "whole", told


def test_the_page_has_tables_4_5_and_6_with_intervals_beside_the_paper(
    whole: tuple[ResultPage, Path, list[str]],
) -> None:
    page, folder, _ = whole
    for name in ("table_4", "table_5", "table_6"):
        table = page.table(name)
        assert [row[0] for row in table.rows] == [
            "Cardiomegaly", "Lung Opacity", "Support Devices", "Average", "Weighted average",
        ]  # fmt: skip
        assert any(isinstance(cell, Estimate) for cell in table.rows[0])
        assert any(column.heading.startswith("Paper: ") for column in table.columns)
    heads = [column.heading for column in page.table("table_5").columns]
    assert "BERT+LogReg on report-train" in heads
    assert "BERT+LogReg on report-train, fitted on valid" in heads
    assert "BERT+LogReg on image-train" not in heads
    pairs = {(row[0], row[1]) for row in page.table("differences_average").rows}
    assert ("BERT+LogReg on report-train", "Zero-One with parents") in pairs
    assert ("BERT+LogReg on report-train", "Perfect reader, uncertain to one") in pairs
    assert page.table("auroc").rows[-1][0] == "Mean"
    assert (folder / "index.html").is_file()
    html = (folder / "index.html").read_text(encoding="utf-8")
    assert "they use truth of the test set" in html
    assert "The caption of the paper" in html
    assert "Synthetic data" in html


def test_a_finished_study_is_not_learned_again(sets: Path, whole: tuple[ResultPage, Path, list[str]]) -> None:
    _, folder, told = whole
    assert {line[6:] for line in told if line.startswith("stage ")} == DONE
    before, again = page_bytes(folder), []
    study_visualchexbert(tiny_study(sets), folder, progress=again.append)
    assert [line for line in again if line.startswith("stage ")] == []
    assert page_bytes(folder) == before


def test_killed_twice_it_ends_with_the_same_bytes(
    sets: Path, whole: tuple[ResultPage, Path, list[str]], tmp_path: Path
) -> None:
    """A SIGKILL while the encoder learns; then what a kill in the middle of a later stage leaves."""
    output = tmp_path / "study"
    done = subprocess.run(
        [sys.executable, HERE / "kill_study.py", sets, output, "soft labels", "1", str(int(signal.SIGKILL))],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not (output / "index.html").exists()

    class KilledError(Exception):
        pass

    def tell(line: str) -> None:
        if line == "stage test-reports-by-report-train":
            raise KilledError

    with pytest.raises(KilledError):
        study_visualchexbert(tiny_study(sets), output, progress=tell)
    half = output / "stages" / "test-reports-by-report-train"
    half.mkdir()
    (half / "probabilities.csv").write_text("study,half")
    study_visualchexbert(tiny_study(sets), output)
    assert page_bytes(output) == page_bytes(whole[1])
    assert stage_bytes(output) == stage_bytes(whole[1])


def test_probabilities_go_on_where_they_were_killed(
    sets: Path, whole: tuple[ResultPage, Path, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two parts of three are done, then a kill; an image that cannot be read is listed and costs itself alone."""
    study = tiny_study(sets)
    model = whole[1] / "stages" / "classifier-on-image-train" / "run" / "model"
    target = read_sets(study, tell=str)["report-train"]
    broken = replace(target.studies[0].images[0], path=tmp_path / "no.png")
    target = replace(target, studies=(replace(target.studies[0], images=(broken,)), *target.studies[1:]))
    monkeypatch.setattr(_visualchexbert_models, "PART", 20)
    real, asked, killed_at = classify.predict_images, [], 3

    def predict(*arguments: object, **options: object) -> object:
        asked.append(1)
        if len(asked) == killed_at:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    monkeypatch.setattr(classify, "predict_images", predict)
    folders = []
    for name in ("killed", "whole"):
        with opened(tmp_path / name, fresh=False, tell=str) as stages:
            learner = Learner(study, stages, str, str)
            if name == "killed":
                with pytest.raises(KeyboardInterrupt):
                    learner.image_probabilities(model, target, name="soft")
            folders.append(learner.image_probabilities(model, target, name="soft").parent)
    assert len(asked) == 4 + 3
    for file in ("probabilities.csv", "failed.csv"):
        assert (folders[0] / file).read_bytes() == (folders[1] / file).read_bytes()
    assert not (folders[0] / "parts").exists()
    assert target.ids[0] not in (folders[0] / "probabilities.csv").read_text()
    assert "no.png" in (folders[0] / "failed.csv").read_text()


def test_ctrl_c_saves_and_says_that_it_stopped(sets: Path, tmp_path: Path) -> None:
    def look(progress: object) -> None:
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        study_visualchexbert(tiny_study(sets), tmp_path / "study", meter=look)
    assert (tmp_path / "study" / "stages" / "classifier-on-image-train" / "run" / "state").is_dir()


def test_other_tables_need_no_new_training_and_another_training_is_refused(
    sets: Path, whole: tuple[ResultPage, Path, list[str]], tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(whole[1], folder)
    told: list[str] = []
    study = tiny_study(sets, findings=("Cardiomegaly",), replicates=20)
    study_visualchexbert(replace(study, classifier={**study.classifier}), folder, progress=told.append)
    assert {line[6:] for line in told if line.startswith("stage ")} == {"mappings", "answers-of-report-train"}
    with pytest.raises(ResumeError, match="--fresh"):
        study_visualchexbert(tiny_study(sets, uncertain="zeros"), folder)


def test_swap_gives_the_four_models(
    sets: Path, whole: tuple[ResultPage, Path, list[str]], tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(whole[1], folder)
    told: list[str] = []
    page, _ = study_visualchexbert(tiny_study(sets, swap=True), folder, progress=told.append)
    stages = {line[6:] for line in told if line.startswith("stage ")}
    assert stages == {
        "classifier-on-report-train", "soft-labels-of-image-train", "test-images-by-report-train",
        "encoder-on-image-train", "valid-reports-by-image-train", "test-reports-by-image-train",
        "answers-of-image-train",
    }  # fmt: skip
    heads = [column.heading for column in page.table("table_5").columns]
    assert heads[2:6] == [
        "BERT+Thresholding on report-train", "BERT+LogReg on report-train",
        "BERT+Thresholding on image-train", "BERT+LogReg on image-train",
    ]  # fmt: skip
    assert "Paper: BERT+LogReg on CheXpert" in heads


def test_the_control_learns_from_reports_alone(
    sets: Path, whole: tuple[ResultPage, Path, list[str]], tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(whole[1], folder)
    page, _ = study_visualchexbert(tiny_study(sets, control=True), folder)
    pairs = {(row[0], row[1]) for row in page.table("differences_average").rows}
    assert ("BERT+LogReg on report-train", "BERT+LogReg on reports alone") in pairs
    assert "BERT+Thresholding on reports alone" in [
        column.heading for column in page.table("table_5").columns
    ]
    _, _, taught_NF = read_values(folder / "stages" / "labels-of-report-train" / "probabilities.csv")
    assert set(taught_NF.ravel()) == {0.0, 1.0}


def test_without_image_truth_labels_of_reports_stand_in_and_the_page_says_so(
    sets: Path, whole: tuple[ResultPage, Path, list[str]], tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(whole[1], folder)
    page, _ = study_visualchexbert(tiny_study(sets, truth="labeler"), folder)
    assert any("There is no image truth here" in warning for warning in page.warnings)
    zero_one = [row[2] for row in page.table("table_4").rows]
    assert all(isinstance(one, Estimate) and one.value == 1.0 for one in zero_one)


def test_soft_labels_are_of_the_other_set_alone(
    sets: Path, whole: tuple[ResultPage, Path, list[str]]
) -> None:
    ids, columns, values_NF = read_values(
        whole[1] / "stages" / "soft-labels-of-report-train" / "probabilities.csv"
    )
    assert set(ids) == {study.id for study in build(sets / "b").studies()}
    assert len(columns) == 14
    assert ((values_NF >= 0) & (values_NF <= 1)).all()


# ---- what cannot be ------------------------------------------------------------------------------------------------


def test_shared_patients_are_refused_before_anything_is_learned(sets: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--image-train .* and --report-train .* share \d+ patients .*@1/2"):
        visualchexbert_study(tiny_study(sets, report_train=f"phantom:{sets / 'a'}"), tmp_path / "x")
    with pytest.raises(InputError, match=r"--valid .* and --test .* share"):
        visualchexbert_study(tiny_study(sets, valid=f"phantom:{sets / 't'}"), tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_missing_labels_and_reports_are_named(sets: Path, tmp_path: Path) -> None:
    def fails(match: str, **choices: object) -> None:
        with pytest.raises(InputError, match=match):
            visualchexbert_study(tiny_study(sets, **choices), tmp_path / "x")

    fails(r"without labels of 'radiologist'.*labels of image, report, whole report", truth="radiologist")
    fails(r"without labels of 'chexpert'", image_labels="chexpert")
    bare = sets / "bare"
    if not bare.exists():
        build(seed=30, n=6, size=64, draw=False).write(bare)
    fails("6 studies without an image that can be used", report_train=f"phantom:{bare}")
    silent = sets / "silent"
    if not silent.exists():
        shutil.copytree(sets / "v", silent)
        shutil.rmtree(silent / "reports")
    fails("without a report", valid=f"phantom:{silent}")
    fails("Pneumothorax: .* positive", findings=("Pneumothorax",), test=f"phantom:{sets / 't'}@1/4")
    fails("cannot be trained so", classifier={"depth": 3})


def test_names_of_sets_and_choices_are_checked(sets: Path, tmp_path: Path) -> None:
    for wrong, match in (
        ("phantom", "NAME:ROOT"),
        (f"phantom:{sets / 'nowhere'}", "there is no folder"),
        (f"phantom:{sets / 'a'}@3/2", "part 3 of 2"),
    ):
        with pytest.raises(InputError, match=match):
            visualchexbert_study(tiny_study(sets, image_train=wrong), tmp_path / "x")
    for wrong, match in (
        (f"phantoms:{sets / 'a'}", "phantom"),
        (f"phantom:{sets / 'a'}:tset", "split"),
    ):
        with pytest.raises(UnknownNameError, match=match):
            visualchexbert_study(tiny_study(sets, image_train=wrong), tmp_path / "x")
    with pytest.raises(UnknownNameError, match="labeler"):
        tiny_study(sets, labeler="rulse")


def test_a_folder_of_something_else_is_left_alone(sets: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="not empty"):
        visualchexbert_study(tiny_study(sets), tmp_path)


def test_the_numbers_of_the_paper_fit_together() -> None:
    """The printed averages are those of the printed findings, to the last digit."""
    f1 = {name: row for name, row in paper()["f1"].items() if "n" in row}
    assert len(f1) == 8
    total = sum(row["n"] for row in f1.values())
    for key in f1["Edema"].keys() - {"n"}:
        plain = sum(row[key] for row in f1.values()) / 8
        weighted = sum(row[key] * row["n"] for row in f1.values()) / total
        assert plain == pytest.approx(paper()["f1"]["Average"][key], abs=0.0101)
        assert weighted == pytest.approx(paper()["f1"]["Weighted average"][key], abs=0.0101)
    for row, values in paper()["improvement"].items():
        assert all(low <= value <= high for value, low, high in values.values()), row
        printed = paper()["f1"][row]
        gain = printed["bert_logreg"] - printed["zero_one"]
        assert values["zero_one"][0] == pytest.approx(gain, abs=0.0101), row


def test_the_stages_say_what_decides_them(whole: tuple[ResultPage, Path, list[str]]) -> None:
    for name in DONE:
        record = json.loads((whole[1] / "stages" / name / "stage.json").read_bytes())
        assert record["decides"]["hilum"]
        assert all(len(digest) == 64 for digest in record["files"].values())
