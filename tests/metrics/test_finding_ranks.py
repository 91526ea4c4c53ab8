"""AUROC and average precision of many findings, against scikit-learn, and their intervals by patient."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from hilum.core.matrix import LEFT_OUT
from hilum.core.rng import rng_for
from hilum.metrics.finding_ranks import auroc_by_finding, rank_findings


def invented(n: int = 120) -> tuple[np.ndarray, np.ndarray]:
    draws = rng_for(0, "ranks")
    truth = draws.integers(0, 2, (n, 4)).astype(np.int8)
    score = np.round(truth * 0.7 + draws.normal(size=(n, 4)), 1)  # with ties
    truth[:30, 1] = LEFT_OUT
    truth[:, 2] = 0
    truth[:, 3] = LEFT_OUT
    return truth, score


def test_values_are_those_of_scikit_learn() -> None:
    truth, score = invented()
    auroc, precision = auroc_by_finding(truth, score)
    for f in (0, 1):
        kept = truth[:, f] != LEFT_OUT
        assert auroc[f] == pytest.approx(roc_auc_score(truth[kept, f], score[kept, f]), abs=1e-12)
        assert precision[f] == pytest.approx(
            average_precision_score(truth[kept, f], score[kept, f]), abs=1e-12
        )
    assert np.isnan(auroc[2:]).all()
    assert np.isnan(precision[2:]).all()


def test_intervals_hold_the_values_and_one_class_has_none() -> None:
    truth, score = invented()
    found = rank_findings(truth, score, "abcd", rng=rng_for(0, "x"), replicates=200)
    again = rank_findings(truth, score, "abcd", rng=rng_for(0, "x"), replicates=200)
    assert found == again
    first = found.findings[0]
    assert first.auroc is not None
    assert first.auroc.low < first.auroc.value < first.auroc.high
    assert (first.positives, first.negatives) == (int(truth[:, 0].sum()), int((1 - truth[:, 0]).sum()))
    assert found.findings[2].auroc is None
    assert found.findings[3].average_precision is None
    assert found.auroc is not None
    assert found.findings[1].auroc is not None
    assert found.auroc.value == pytest.approx((first.auroc.value + found.findings[1].auroc.value) / 2)


def test_repeated_images_of_a_patient_do_not_narrow_the_interval() -> None:
    truth, score = invented()
    once = rank_findings(truth, score, "abcd", rng=rng_for(0, "x"), replicates=400).auroc
    repeated, scores = np.repeat(truth, 8, axis=0), np.repeat(score, 8, axis=0)
    patients = [f"p{i}" for i in range(len(truth)) for _ in range(8)]
    by_patient = rank_findings(
        repeated, scores, "abcd", rng=rng_for(0, "x"), replicates=400, groups=patients
    ).auroc
    by_image = rank_findings(repeated, scores, "abcd", rng=rng_for(0, "x"), replicates=400).auroc
    assert once is not None
    assert by_patient is not None
    assert by_image is not None
    wide, right, narrow = (one.high - one.low for one in (once, by_patient, by_image))
    assert right == pytest.approx(wide, rel=0.25)
    assert narrow < 0.6 * right


def test_nothing_defined_has_no_mean() -> None:
    found = rank_findings(np.zeros((5, 1), int), np.zeros((5, 1)), "a", rng=rng_for(0, "x"), replicates=5)
    assert found.auroc is None
    assert not any(isinstance(v, float) and math.isnan(v) for v in found.findings[0])
