from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, f1_score

from hilum.analyses._bounds import bounds, resolve_uncertain
from hilum.core.errors import InputError, UnknownNameError
from hilum.core.matrix import LEFT_OUT, LabelMatrix
from hilum.core.rng import rng_for
from hilum.core.vocabulary import CHEXPERT14, State

FINDINGS = ("Edema", "Atelectasis", "Cardiomegaly")


def invented(n: int = 200) -> tuple[LabelMatrix, np.ndarray]:
    rng = rng_for(0, "bounds")
    states = rng.integers(0, 4, size=(n, 3)).astype(np.int8)
    return LabelMatrix("reports", CHEXPERT14, FINDINGS, (), states), (rng.random((n, 3)) < 0.4).astype(
        np.int8
    )


def test_bounds_are_those_of_scikit_learn_on_mapped_labels() -> None:
    report, truth = invented()
    chosen = ("Cardiomegaly", "Edema")
    found = bounds(report, truth[:, [2, 0]], chosen)
    for place, finding in enumerate(chosen):
        states, image = report.column(finding), truth[:, [2, 0][place]]
        uncertain = states == State.UNCERTAIN
        for right, f1s, kappas in (
            (False, found.low_f1, found.low_kappa),
            (True, found.high_f1, found.high_kappa),
        ):
            mapped = np.where(uncertain, image if right else 1 - image, states == State.POSITIVE)
            assert f1s[place] == pytest.approx(f1_score(image, mapped))
            assert kappas[place] == pytest.approx(cohen_kappa_score(image, mapped))
        assert found.positives[place] == image.sum()
        assert found.uncertain_positive[place] == (uncertain & (image == 1)).sum()
        assert found.uncertain_negative[place] == (uncertain & (image == 0)).sum()
    plain, weighted = found.averages()
    assert plain[0] == pytest.approx(found.low_f1.mean())
    assert weighted[3] == pytest.approx(np.average(found.high_kappa, weights=found.positives))
    assert [name for name, _ in found.columns()] == ["Low F1", "High F1", "Low kappa", "High kappa"]


def test_cells_without_an_image_label_are_not_compared() -> None:
    report, truth = invented()
    truth[150:] = LEFT_OUT
    part = bounds(report.take(range(150)), truth[:150], FINDINGS)
    whole = bounds(report, truth, FINDINGS)
    assert (part.low_f1 == whole.low_f1).all()
    assert (part.positives == whole.positives).all()
    assert (resolve_uncertain(report, truth, FINDINGS, to="opposite")[150:] == LEFT_OUT).all()


def test_a_finding_without_any_positive_is_not_defined_and_not_averaged() -> None:
    states = np.array([[0, 1], [0, 2], [2, 3], [0, 0]], dtype=np.int8)
    report = LabelMatrix("reports", CHEXPERT14, ("Edema", "Fracture"), (), states)
    found = bounds(report, np.array([[0, 1], [0, 0], [0, 1], [0, 0]]), ("Edema", "Fracture"))
    assert np.isnan([found.low_f1[0], found.high_f1[0], found.low_kappa[0]]).all()
    assert found.averages()[0][1] == found.high_f1[1] == 1.0


def test_shapes_values_and_names_are_checked() -> None:
    report, truth = invented()
    with pytest.raises(InputError, match="align the two files first"):
        bounds(report, truth[1:], FINDINGS)
    with pytest.raises(InputError, match="must be 0, 1 or left out"):
        bounds(report, truth + 1, FINDINGS)
    with pytest.raises(UnknownNameError, match="Fracture"):
        bounds(report, truth, ("Edema", "Atelectasis", "Fracture"))
