"""Ranking measures against scikit-learn and, for the threshold, against every threshold tried."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from hilum.core.errors import InputError, MissingExtraError
from hilum.core.matrix import LEFT_OUT
from hilum.metrics import auroc, average_precision, precision_recall, roc, youden_threshold

FUNCTIONS = (roc, precision_recall, auroc, average_precision, youden_threshold)


def data(seed, *, n=80, digits=2):
    rng = np.random.default_rng(seed)
    truth = (rng.random(n) < 0.3).astype(np.int8)
    return truth, np.round(rng.normal(size=n) + truth, digits)


@pytest.mark.parametrize("seed", range(4))
def test_curves_and_areas_equal_scikit_learn(seed):
    truth, score = data(seed, digits=1)
    x, y, thresholds = reference.roc_curve(truth, score)
    for got, expected in zip(roc(truth, score), (x, y, thresholds), strict=True):
        np.testing.assert_array_equal(got, expected)
    precision, recall, steps = reference.precision_recall_curve(truth, score)
    curve = precision_recall(truth, score)
    np.testing.assert_array_equal(curve.x, recall)
    np.testing.assert_array_equal(curve.y, precision)
    np.testing.assert_array_equal(curve.thresholds, [*steps, np.inf])
    assert auroc(truth, score) == reference.roc_auc_score(truth, score)
    assert average_precision(truth, score) == reference.average_precision_score(truth, score)


def test_left_out_rows_are_not_used():
    truth, score = data(5)
    more = np.append(truth, [LEFT_OUT, LEFT_OUT])
    scores = np.append(score, [99.0, np.nan])
    for function in FUNCTIONS:
        np.testing.assert_equal(function(more, scores), function(truth, score))


pairs = st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=25).filter(
    lambda rows: len({truth for truth, _ in rows}) == 2
)


@given(pairs)
@settings(max_examples=80, deadline=None)
def test_youden_is_the_highest_of_the_best_thresholds(rows):
    truth, score = np.array([t for t, _ in rows]), np.array([s / 5 for _, s in rows])
    best = youden_threshold(truth, score)
    tried = []
    for value in np.unique(score):
        said = score >= value
        hits, kept = int((said & truth).sum()), int((~said & ~truth).sum())
        positives, negatives = int(truth.sum()), int((~truth).sum())
        tried.append((hits * negatives + kept * positives, value, hits / positives, kept / negatives))
    assert tuple(best) == max(tried)[1:]


def test_youden_agrees_with_the_roc_curve():
    truth, score = data(6, n=400)
    x, y, thresholds = reference.roc_curve(truth, score, drop_intermediate=False)
    best = youden_threshold(truth, score)
    assert best.sensitivity + best.specificity - 1 == pytest.approx(np.max(y - x))
    assert best.value == thresholds[np.argmax(y - x)]


def test_a_useless_score_still_gets_a_finite_threshold():
    assert youden_threshold([0, 1], [0.9, 0.1]).value == 0.1
    assert youden_threshold([0, 1], [0.5, 0.5]) == (0.5, 1.0, 0.0)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_bad_input_is_named(function):
    with pytest.raises(InputError, match="no positive among 3"):
        function([0, 0, 0], [0.1, 0.2, 0.3])
    with pytest.raises(InputError, match="no negative among 2"):
        function([1, 1, LEFT_OUT], [0.1, 0.2, 0.3])
    with pytest.raises(InputError, match="no positive among 0"):
        function([], [])
    with pytest.raises(InputError, match="1 of 2 scores are empty or infinite"):
        function([0, 1], [0.1, np.nan])
    with pytest.raises(InputError, match="one length"):
        function([0, 1], [0.1])
    for bad in (2, 0.5, np.nan):
        with pytest.raises(InputError, match="truth may be 0, 1"):
            function(np.array([0, 1, bad]), [0.1, 0.2, 0.3])


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr("hilum.metrics.ranking.import_module", missing)
    with pytest.raises(MissingExtraError, match=r"scikit-learn.*hilum\[study\]"):
        auroc([0, 1], [0, 1])
    assert youden_threshold([0, 1], [0.2, 0.8]).value == 0.8
