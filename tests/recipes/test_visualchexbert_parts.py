from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from hilum.core.errors import InputError
from hilum.core.imaging import Image, Study, View
from hilum.core.matrix import LEFT_OUT, LabelMatrix
from hilum.core.records import Labels
from hilum.core.rng import rng_for
from hilum.core.vocabulary import CHEXPERT14, NIH14, State
from hilum.datasets.phantom import build
from hilum.metrics.ranking import youden_threshold
from hilum.recipes._visualchexbert_answers import (
    BERT_LOGREG,
    BERT_LOGREG_V,
    LOGREG_V,
    THRESHOLDING,
    Judged,
    answer,
    map_reports,
)
from hilum.recipes._visualchexbert_sets import (
    Needs,
    StudySet,
    check_apart,
    choose_findings,
    parse_source,
    read_set,
    soft_of,
    truth_of,
)
from hilum.recipes._visualchexbert_stages import Stages, opened, read_values, write_values

FINDINGS = ("Cardiomegaly", "Edema")


def noisy(n: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities [n, 3] and the truth [n, 2] that they tell of, not without error."""
    draws = rng_for(0, name)
    truth_NF = (draws.random((n, 2)) < 0.4).astype(np.int8)
    scores = np.concatenate([truth_NF * 0.3 + draws.random((n, 2)) * 0.7, draws.random((n, 1))], axis=1)
    return scores, truth_NF


def test_answers_are_those_of_scikit_learn_and_youden() -> None:
    columns = ("Edema", "Cardiomegaly", "Fracture")
    (scores_v, truth_v), (scores_t, truth_t) = noisy(60, "v"), noisy(40, "t")
    order = [1, 0, 2]
    scores_v, scores_t = scores_v[:, order], scores_t[:, order]
    found = answer(columns, Judged(scores_v, truth_v), Judged(scores_t, truth_t), FINDINGS, tell=str)
    assert found.notes == ()
    for place, finding in enumerate(FINDINGS):
        own = columns.index(finding)
        cut = youden_threshold(truth_v[:, place], scores_v[:, own]).value
        assert found.cuts[place].value == cut
        assert (found.ways[THRESHOLDING][:, place] == (scores_t[:, own] >= cut)).all()
        for row in range(len(truth_t)):
            others = np.arange(len(truth_t)) != row
            model = LogisticRegression(C=1.0, max_iter=500, class_weight="balanced")
            model.fit(scores_t[others], truth_t[others, place])
            assert found.ways[BERT_LOGREG][row, place] == model.predict(scores_t[[row]])[0]
        model = LogisticRegression(C=1.0, max_iter=500, class_weight="balanced")
        model.fit(scores_v, truth_v[:, place])
        assert (found.ways[BERT_LOGREG_V][:, place] == model.predict(scores_t)).all()


def test_what_has_one_class_or_no_truth_is_left_out_and_told() -> None:
    (scores_v, truth_v), (scores_t, truth_t) = noisy(30, "v"), noisy(30, "t")
    truth_v[:, 1] = 0
    truth_t[:4, 0] = LEFT_OUT
    found = answer(
        CHEXPERT14.names[1:4], Judged(scores_v, truth_v), Judged(scores_t, truth_t), FINDINGS, tell=str
    )
    assert (found.ways[BERT_LOGREG][:4, 0] == LEFT_OUT).all()
    assert (found.ways[BERT_LOGREG][4:, 0] != LEFT_OUT).all()
    for way in (THRESHOLDING, BERT_LOGREG_V):
        assert (found.ways[way][:, 1] == LEFT_OUT).all()
    assert found.cuts[1].value is None
    assert any("Edema" in note for note in found.notes)


def test_mappings_of_reports_are_fitted_on_valid_too() -> None:
    draws = rng_for(0, "reports")
    truth_NF = (draws.random((50, 2)) < 0.5).astype(np.int8)
    states_NF = np.full((50, 14), State.BLANK, dtype=np.int8)
    for place, finding in enumerate(FINDINGS):
        states_NF[truth_NF[:, place] == 1, CHEXPERT14.index(finding)] = State.POSITIVE
    report = LabelMatrix("reports", CHEXPERT14, CHEXPERT14.names, (), states_NF)
    side = Judged(report, truth_NF)
    found = map_reports(side, side, FINDINGS, tell=str)
    assert list(found.ways)[-1] == LOGREG_V
    assert all((labels == truth_NF).all() for labels in found.ways.values())
    one_class = Judged(report, np.zeros_like(truth_NF))
    assert (map_reports(side, one_class, FINDINGS, tell=str).ways[LOGREG_V] == LEFT_OUT).all()


# ---- sets ----------------------------------------------------------------------------------------------------------


def test_parts_by_patient_cover_all_and_share_nobody(tmp_path: Path) -> None:
    build(seed=1, n=60, draw=False).write(tmp_path / "p")
    whole = {study.id for study in build(tmp_path / "p").studies()}
    sets = []
    for part in (1, 2, 3):
        source = parse_source(f"phantom:{tmp_path / 'p'}@{part}/3", option="test")
        sets.append(read_set(source, role=f"{part}", needs=Needs(), section="all", views="all", tell=str))
    assert check_apart(sets) == ()
    assert sum(len(one) for one in sets) == len(whole)
    assert {one for part in sets for one in part.ids} == whole
    assert parse_source(f"phantom:{tmp_path / 'p'}:test@2/3", option="x")[2:] == (
        tmp_path / "p",
        "test",
        2,
        3,
    )


def test_equal_ids_of_two_seeds_are_two_patients_and_of_one_seed_are_one(tmp_path: Path) -> None:
    sets = []
    for name, seed, split in (("p", 1, ""), ("q", 2, ""), ("r", 1, ":train")):
        build(seed=seed, n=12, draw=False).write(tmp_path / name)
        source = parse_source(f"phantom:{tmp_path / name}{split}", option="test")
        sets.append(read_set(source, role=name, needs=Needs(), section="all", views="all", tell=str))
    assert check_apart(sets[:2]) == ()
    with pytest.raises(InputError, match="share"):
        check_apart([sets[0], sets[2]])
    (tmp_path / "r" / "phantom.json").unlink()
    assert build(tmp_path / "r").population == ""


def one_set(studies: list[Study]) -> StudySet:
    source = parse_source("phantom:.", option="test")
    return StudySet("test", source, "phantom", tuple(studies), ("",) * len(studies))


def test_without_patient_ids_a_warning_says_what_was_not_checked() -> None:
    one = one_set([Study("s1"), Study("s2", patient="p")])
    other = one_set([Study("s3")])
    assert one.groups == ("study s1", "patient p")
    assert "1 studies have no patient id" in check_apart([one, other])[0]


def test_image_truth_is_positive_or_negative_and_else_left_out() -> None:
    states = dict.fromkeys(NIH14.names, State.BLANK) | {"Effusion": State.POSITIVE, "Edema": State.NEGATIVE}
    study = Study("s1", labels={"image": Labels(NIH14, tuple(states.values()))})
    names = ("Pleural Effusion", "Edema", "Atelectasis", "Fracture")
    assert truth_of(one_set([study]).states("image"), names).tolist() == [[1, 0, LEFT_OUT, LEFT_OUT]]


def test_report_labels_as_probabilities_have_uncertain_as_the_classifier_has_it() -> None:
    states_NF = np.array([[State.POSITIVE, State.NEGATIVE, State.BLANK, State.UNCERTAIN]], dtype=np.int8)
    labels = LabelMatrix("x", CHEXPERT14, CHEXPERT14.names[1:5], (), states_NF)
    for uncertain, value in (("ones", 1.0), ("zeros", 0.0), ("ignore", 0.5), ("multiclass", 0.5)):
        assert soft_of(labels, uncertain=uncertain).tolist() == [[1.0, 0.0, 0.0, value]]


def test_evaluation_findings_are_those_with_a_tenth_of_positives() -> None:
    truth_NF = np.zeros((50, 14), dtype=np.int8)
    truth_NF[:5, CHEXPERT14.index("Edema")] = 1
    truth_NF[:4, CHEXPERT14.index("Fracture")] = 1
    assert choose_findings(truth_NF, (), least=0.1) == ("Edema",)
    assert choose_findings(truth_NF, ("oedema", "Fracture"), least=0.1) == ("Edema", "Fracture")
    with pytest.raises(InputError, match="Pneumonia: 0 positive, 50 negative"):
        choose_findings(truth_NF, ("Pneumonia",), least=0.1)


def test_lateral_images_are_not_used_unless_asked_for(tmp_path: Path) -> None:
    build(seed=4, n=40, size=64).write(tmp_path / "p")
    source = parse_source(f"phantom:{tmp_path / 'p'}", option="test")
    frontal, both = (
        read_set(source, role="test", needs=Needs(images=True), section="impression", views=views, tell=str)
        for views in ("frontal", "all")
    )
    assert frontal.images == len(frontal) < both.images
    assert all(image.view is not View.LATERAL for study in frontal.studies for image in study.images)
    assert all(frontal.texts)
    assert isinstance(frontal.studies[0].images[0], Image)


# ---- stages --------------------------------------------------------------------------------------------------------


def test_a_stage_is_done_once_and_again_when_what_decides_it_or_its_files_change(tmp_path: Path) -> None:
    made: list[int] = []

    def make(folder: Path) -> None:
        made.append(1)
        (folder / "x.csv").write_text(f"{len(made)}")

    with opened(tmp_path, fresh=False, tell=str) as stages:
        for decides, expected in (({"a": 1}, 1), ({"a": 1}, 1), ({"a": 2}, 2)):
            stages.run("one", decides, make)
            assert len(made) == expected
        (tmp_path / "stages" / "one" / "x.csv").write_text("torn")
        stages.run("one", {"a": 2}, make)
        assert len(made) == 3
    with opened(tmp_path, fresh=True, tell=str) as stages:
        assert isinstance(stages, Stages)
        assert not (tmp_path / "stages" / "one").exists()


def test_numbers_come_back_as_they_were(tmp_path: Path) -> None:
    values_NF = rng_for(0, "numbers").random((5, 2))
    write_values(tmp_path / "x.csv", [f"s,{i}" for i in range(5)], FINDINGS, values_NF)
    ids, columns, found_NF = read_values(tmp_path / "x.csv")
    assert ids[3] == "s,3"
    assert columns == FINDINGS
    assert (found_NF == values_NF).all()
    write_values(tmp_path / "y.csv", ["a"], FINDINGS, np.array([[1, LEFT_OUT]], dtype=np.int8))
    assert (tmp_path / "y.csv").read_text() == "study,Cardiomegaly,Edema\na,1,\n"
