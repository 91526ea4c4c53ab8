from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from hilum.analyses._differences import AVERAGE, WEIGHTED
from hilum.analyses.baselines import (
    LOGREG,
    ZERO_ONE,
    ZERO_ONE_PARENTS,
    baselines,
    column_name,
    image_odds,
    one_hot,
)
from hilum.core.errors import InputError
from hilum.core.matrix import LEFT_OUT, LabelMatrix
from hilum.core.rng import rng_for
from hilum.core.vocabulary import CHEXPERT14, State
from hilum.metrics.labels import confusion, f1, macro, support
from hilum.stats.regression import odds_ratios
from hilum.tables.labels import read_labels

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from visualchexbert_tables import TABLE_4

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "chexpert_test"
REPORTED = ("Lung Opacity", "Edema", "Fracture", "Cardiomegaly")
CHOSEN = ("Edema", "Lung Opacity")


def invented(n: int = 70) -> tuple[LabelMatrix, np.ndarray]:
    rng = rng_for(11, "baselines")
    states = rng.choice([0, 1, 2, 3], p=[0.5, 0.25, 0.15, 0.1], size=(n, 4)).astype(np.int8)
    hot = (states == State.POSITIVE).astype(float)
    log_odds = np.stack([-1 + 2 * hot[:, 1], -1 + 2 * hot[:, 0] + 2 * hot[:, 1]], axis=1)
    truth = (rng.random((n, 2)) < 1 / (1 + np.exp(-log_odds))).astype(np.int8)
    return LabelMatrix("invented", CHEXPERT14, REPORTED, (), states), truth


def test_the_three_baselines_are_what_they_say() -> None:
    report, truth = invented()
    found = baselines(report, truth, CHOSEN)
    assert list(found.predictions) == [ZERO_ONE, ZERO_ONE_PARENTS, LOGREG]
    assert (found.zero_one_NF == found.mappings["zero-one"].apply(report)).all()
    assert (found.zero_one_parents_NF == found.mappings["zero-one-parents"].apply(report)).all()
    X, _ = one_hot(report.states_NF, REPORTED)
    for place in range(2):
        y = truth[:, place]
        for row in range(len(y)):
            rest = np.arange(len(y)) != row
            model = LogisticRegression(C=1.0, max_iter=500, class_weight="balanced").fit(X[rest], y[rest])
            assert found.logreg_NF[row, place] == model.predict(X[row : row + 1])[0]
    assert list(found.mappings) == ["zero-one", "zero-one-parents", "logreg"]
    assert found.notes == ()
    assert (found.logreg_NF != found.mappings["logreg"].apply(report)).any()  # held out, not fitted


def test_cells_without_an_image_label_have_no_prediction_and_change_no_other() -> None:
    report, truth = invented()
    part = baselines(report.take(range(60)), truth[:60], CHOSEN)
    truth[60:] = LEFT_OUT
    whole = baselines(report, truth, CHOSEN)
    for name, labels in whole.predictions.items():
        assert (labels[60:] == LEFT_OUT).all()
        assert (labels[:60] == part.predictions[name]).all()


def test_a_finding_with_one_positive_has_no_logreg_and_says_so() -> None:
    report, truth = invented()
    truth[:, 0] = 0
    truth[3, 0] = 1
    found = baselines(report, truth, CHOSEN)
    assert (found.logreg_NF[:, 0] == LEFT_OUT).all()
    assert found.mappings["logreg"].findings == ("Lung Opacity",)
    assert len(found.notes) == 1
    assert "LogReg has no prediction for Edema" in found.notes[0]
    truth[:] = 0
    assert "logreg" not in baselines(report, truth, CHOSEN).mappings


def test_folds_are_drawn_once_and_progress_is_told() -> None:
    report, truth = invented()
    calls: list[tuple[str, int, int]] = []
    first = baselines(report, truth, CHOSEN, folds=5, progress=lambda *call: calls.append(call))
    again = baselines(report, truth, CHOSEN, folds=5)
    assert (first.logreg_NF == again.logreg_NF).all()
    assert calls == [(finding, done, 5) for finding in CHOSEN for done in range(1, 6)]


def test_odds_of_the_images_are_those_of_the_one_hot_columns() -> None:
    report, truth = invented()
    truth[:5, 1] = LEFT_OUT
    found = image_odds(report, truth, CHOSEN)
    X, names = one_hot(report.states_NF, REPORTED)
    assert found.by_finding["Edema"] == odds_ratios(X, truth[:, 0], names=names)
    assert found.by_finding["Lung Opacity"].n == 65
    assert found.by_finding["Edema"].row(column_name("Edema", State.POSITIVE)).odds_ratio > 1
    truth[:, 0] = 1
    one = image_odds(report, truth, CHOSEN)
    assert list(one.by_finding) == ["Lung Opacity"]
    assert "No odds ratios for Edema" in one.notes[0]


def test_shapes_are_checked() -> None:
    report, truth = invented()
    for study in (baselines, image_odds):
        with pytest.raises(InputError, match="align the two files first"):
            study(report, truth[1:], CHOSEN)


@pytest.mark.skipif(not DATA.is_dir(), reason="the public CheXpert test labels are not here")
def test_table_4_of_visualchexbert() -> None:
    findings = tuple(name for name in TABLE_4 if name not in (AVERAGE, WEIGHTED))
    report = read_labels(DATA / "chexpert_labels.csv").matrix
    with (DATA / "groundtruth.csv").open(encoding="utf-8") as file:
        truth = np.array([[int(row[f]) for f in findings] for row in csv.DictReader(file)], dtype=np.int8)
    found = baselines(report, truth, findings)
    paper = np.array([TABLE_4[finding] for finding in findings])
    for column, labels in enumerate((found.zero_one_NF, found.logreg_NF)):
        counts = confusion(truth, labels)
        assert f1(counts) == pytest.approx(paper[:, column], abs=0.006)
        assert macro(f1(counts)) == pytest.approx(TABLE_4[AVERAGE][column], abs=0.006)
        assert macro(f1(counts), weights=support(counts)) == pytest.approx(
            TABLE_4[WEIGHTED][column], abs=0.006
        )
