"""Counts and what is worked out from them, against scikit-learn and by hand."""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from hilum.core.errors import InputError, UnknownNameError
from hilum.core.matrix import LEFT_OUT
from hilum.core.vocabulary import State
from hilum.metrics import (
    Confusion,
    accuracy,
    cohen_kappa,
    compared,
    confusion,
    example_f1,
    extraction_f1,
    f1,
    kappa_states,
    macro,
    micro,
    precision,
    prevalence,
    recall,
    specificity,
    support,
    swapped,
    undefined,
    weighted_f1,
    weighted_state_f1,
)

ROWS, FINDINGS = 60, 5
ALL_STATES = [int(state) for state in State]


def binary(seed, *, rows=ROWS, findings=FINDINGS, share=0.3):
    rng = np.random.default_rng(seed)
    truth = (rng.random((rows, findings)) < share).astype(np.int8)
    flips = rng.random((rows, findings)) < 0.25
    return truth, np.where(flips, 1 - truth, truth).astype(np.int8)


def states(seed, *, rows=ROWS, findings=FINDINGS):
    rng = np.random.default_rng(seed)
    truth = rng.choice(4, size=(rows, findings), p=[0.55, 0.25, 0.15, 0.05]).astype(np.int8)
    other = rng.integers(4, size=truth.shape).astype(np.int8)
    return truth, np.where(rng.random(truth.shape) < 0.3, other, truth)


def quiet(function, *arguments, **options):
    """scikit-learn warns where it has no value; the value itself is compared."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*arguments, **options)


REFERENCES = {
    precision: lambda t, p: reference.precision_score(t, p, zero_division=np.nan),
    recall: lambda t, p: reference.recall_score(t, p, zero_division=np.nan),
    specificity: lambda t, p: reference.recall_score(t, p, pos_label=0, zero_division=np.nan),
    f1: lambda t, p: reference.f1_score(t, p, zero_division=np.nan),
    accuracy: reference.accuracy_score,
    cohen_kappa: reference.cohen_kappa_score,
    weighted_f1: lambda t, p: reference.f1_score(t, p, average="weighted", zero_division=np.nan),
}


@pytest.mark.parametrize("function", REFERENCES, ids=lambda function: function.__name__)
@pytest.mark.parametrize("seed", range(5))
def test_equal_to_scikit_learn(function, seed):
    truth, predicted = binary(seed)
    truth[:, 3], predicted[:, 3] = 0, 0  # one class only, in both
    truth[:, 4] = 1  # one class only, in the truth
    values = function(confusion(truth, predicted))
    expected = [quiet(REFERENCES[function], truth[:, i], predicted[:, i]) for i in range(FINDINGS)]
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12)


def test_counts_by_hand():
    c = confusion([[1], [1], [0], [0], [1]], [[1], [0], [1], [0], [1]])
    assert [part.tolist() for part in c] == [[2.0], [1.0], [1.0], [1.0]]
    assert support(c) == 3
    assert compared(c) == 5
    assert prevalence(c) == 0.6


def test_undefined_is_nan_and_never_zero():
    nothing = confusion(np.zeros((4, 1), np.int8), np.zeros((4, 1), np.int8))
    for function in (precision, recall, f1, cohen_kappa):
        assert np.isnan(function(nothing)).all()
    assert specificity(nothing) == accuracy(nothing) == 1
    empty = confusion(np.zeros((0, 2), np.int8), np.zeros((0, 2), np.int8))
    for function in (*REFERENCES, prevalence):
        assert np.isnan(function(empty)).tolist() == [True, True]


def test_f1_is_zero_where_one_has_positives_and_none_is_shared():
    assert f1(confusion([[0], [0]], [[1], [0]])) == 0
    assert f1(confusion([[1], [0]], [[0], [0]])) == 0


def test_left_out_cells_are_not_counted_in_either_array():
    truth, predicted = binary(1)
    truth[::7, 0], predicted[::5, 1] = LEFT_OUT, LEFT_OUT
    c = confusion(truth, predicted)
    for finding in range(2):
        kept = (truth[:, finding] != LEFT_OUT) & (predicted[:, finding] != LEFT_OUT)
        assert compared(c)[finding] == kept.sum() < ROWS
        expected = reference.f1_score(truth[kept, finding], predicted[kept, finding])
        assert f1(c)[finding] == pytest.approx(expected, abs=1e-12)


def test_bool_arrays_and_one_finding_alone():
    truth, predicted = binary(2)
    whole = confusion(truth, predicted)
    assert np.array_equal(confusion(truth == 1, predicted == 1), whole)
    assert f1(confusion(truth[:, 2], predicted[:, 2])) == f1(whole)[2]
    assert confusion(truth[:, 2], predicted[:, 2], weights_BN=np.ones((3, ROWS))).tp.shape == (3,)


@pytest.mark.parametrize("block", [7, 65_536])
def test_whole_weights_are_repeated_rows(block, monkeypatch):
    monkeypatch.setattr("hilum.metrics.labels.ROWS_AT_ONCE", block)
    truth, predicted = binary(3)
    weights = np.random.default_rng(0).integers(4, size=(6, ROWS))
    weighted = confusion(truth, predicted, weights_BN=weights)
    for replicate, row in enumerate(weights):
        places = np.repeat(np.arange(ROWS), row)
        repeated = confusion(truth[places], predicted[places])
        assert np.array_equal([part[replicate] for part in weighted], repeated)


def test_fractional_weights_equal_sample_weights():
    truth, predicted = binary(4)
    weights = np.random.default_rng(1).random(ROWS)
    values = f1(confusion(truth, predicted, weights_BN=weights))
    expected = [
        reference.f1_score(truth[:, i], predicted[:, i], sample_weight=weights) for i in range(FINDINGS)
    ]
    np.testing.assert_allclose(values, expected, atol=1e-12)


def test_weights_of_unequal_size_leave_no_trace_of_rounding():
    """A count that is 0 must be exactly 0, or an undefined value would look defined."""
    weights = np.full((1, 10), 0.1)
    assert np.isnan(f1(confusion(np.zeros((10, 1)), np.zeros((10, 1)), weights_BN=weights))).all()


@pytest.mark.parametrize("state", State)
def test_extraction_is_one_state_against_the_rest(state):
    truth, predicted = states(5)
    c = extraction_f1(truth, predicted, state)
    expected = [
        reference.f1_score(truth[:, i] == state, predicted[:, i] == state, zero_division=np.nan)
        for i in range(FINDINGS)
    ]
    np.testing.assert_allclose(f1(c), expected, atol=1e-12)


@pytest.mark.parametrize(
    "chosen",
    [tuple(State), (State.POSITIVE, State.NEGATIVE, State.UNCERTAIN), (State.POSITIVE, State.NEGATIVE)],
    ids=["all", "without blank", "positive and negative"],
)
@pytest.mark.parametrize("seed", range(4))
def test_weighted_state_f1_equals_scikit_learn(chosen, seed):
    truth, predicted = states(seed)
    labels = [int(state) for state in chosen]
    expected = [
        quiet(
            reference.f1_score,
            truth[:, i],
            predicted[:, i],
            labels=labels,
            average="weighted",
            zero_division=0,
        )
        for i in range(FINDINGS)
    ]
    np.testing.assert_allclose(weighted_state_f1(truth, predicted, chosen), expected, atol=1e-12)
    ones = weighted_state_f1(truth, predicted, chosen, weights_BN=np.ones((2, ROWS)))
    np.testing.assert_allclose(ones, [expected, expected], atol=1e-12)


def test_weighted_state_f1_is_nan_without_any_of_the_states():
    blank = np.full((5, 1), State.BLANK, np.int8)
    said = np.full((5, 1), State.POSITIVE, np.int8)
    assert np.isnan(weighted_state_f1(blank, said, [State.POSITIVE])).all()
    with pytest.raises(InputError, match="No state"):
        weighted_state_f1(blank, said, [])


def test_example_f1_equals_scikit_learn():
    truth, predicted = binary(6, share=0.15)
    predicted[:10] = 0
    truth[:6] = 0
    values = example_f1(truth, predicted)
    empty = (truth.sum(1) + predicted.sum(1)) == 0
    assert empty.any()
    assert np.array_equal(np.isnan(values), empty)
    rest = ~empty
    expected = reference.f1_score(truth[rest], predicted[rest], average="samples", zero_division=0)
    assert values[rest].mean() == pytest.approx(expected, abs=1e-12)
    with pytest.raises(InputError, match="Rows by findings"):
        example_f1([1, 0], [1, 0])


def test_micro_and_macro_equal_scikit_learn():
    truth, predicted = binary(7)
    c = confusion(truth, predicted)
    assert f1(micro(c)).shape == (1,)
    assert f1(micro(c))[0] == pytest.approx(reference.f1_score(truth, predicted, average="micro"), abs=1e-12)
    assert macro(f1(c)) == pytest.approx(reference.f1_score(truth, predicted, average="macro"), abs=1e-12)
    weighted = reference.f1_score(truth, predicted, average="weighted")
    assert macro(f1(c), weights=support(c)) == pytest.approx(weighted, abs=1e-12)


def test_macro_says_over_how_many_it_goes():
    values = np.array([0.5, np.nan, 1.0])
    assert macro(values) == 0.75
    assert undefined(values) == 1
    assert macro(values, weights=[3, 100, 1]) == 0.625
    assert np.isnan(macro([np.nan, np.nan]))
    assert np.isnan(macro([0.5, 1.0], weights=[0, 0]))
    assert macro([0.5, 1.0], weights=[np.nan, 2]) == 1
    assert macro([[0.5, np.nan], [0.0, 1.0]]).tolist() == [0.5, 0.5]
    assert np.asarray(undefined([[0.5, np.nan], [0.0, 1.0]])).tolist() == [1, 0]
    with pytest.raises(InputError, match="below 0"):
        macro([1.0], weights=[-1])


@pytest.mark.parametrize("weights", ["none", "linear", "quadratic"])
@pytest.mark.parametrize("chosen", [ALL_STATES, [2, 3, 1]])
def test_kappa_of_states_equals_scikit_learn(weights, chosen):
    truth, predicted = (array[:, 0] for array in states(8, rows=200))
    expected = reference.cohen_kappa_score(
        *(array[np.isin(truth, chosen) & np.isin(predicted, chosen)] for array in (truth, predicted)),
        labels=chosen,
        weights=None if weights == "none" else weights,
    )
    chosen_states = [State(code) for code in chosen]
    value = kappa_states(truth, predicted, states=chosen_states, weights=weights)
    assert value.shape == ()
    assert value == pytest.approx(expected, abs=1e-12)


def test_kappa_of_states_with_weights_and_without_a_value():
    truth, predicted = (array[:, 0] for array in states(9))
    weights = np.random.default_rng(2).integers(3, size=(4, ROWS))
    values = kappa_states(truth, predicted, weights_BN=weights)
    expected = [
        reference.cohen_kappa_score(np.repeat(truth, row), np.repeat(predicted, row)) for row in weights
    ]
    np.testing.assert_allclose(values, expected, atol=1e-12)
    assert kappa_states(truth, predicted, weights_BN=weights[0]) == pytest.approx(expected[0], abs=1e-12)
    assert np.isnan(kappa_states([0, 0], [0, 0]))
    with pytest.raises(UnknownNameError, match="'cubic'"):
        kappa_states(truth, predicted, weights="cubic")
    left_out = kappa_states(np.append(truth, LEFT_OUT), np.append(predicted, 1))
    assert left_out == kappa_states(truth, predicted)


cells = st.lists(st.tuples(st.sampled_from([-1, 0, 1]), st.sampled_from([-1, 0, 1])), max_size=30)


@given(cells)
@settings(max_examples=60, deadline=None)
def test_symmetry_and_bounds(pairs):
    a = np.array([pair[0] for pair in pairs], np.int8)[:, None]
    b = np.array([pair[1] for pair in pairs], np.int8)[:, None]
    c, turned = confusion(a, b), confusion(b, a)
    for function in (f1, cohen_kappa, accuracy):
        np.testing.assert_array_equal(function(c), function(turned))
    np.testing.assert_array_equal(precision(c), recall(turned))
    np.testing.assert_array_equal(specificity(c), recall(swapped(c)))
    for function in REFERENCES:
        value = function(c)
        low = -1 if function is cohen_kappa else 0
        assert np.all(np.isnan(value) | ((value >= low) & (value <= 1)))
    order = np.random.default_rng(0).permutation(len(pairs))
    np.testing.assert_array_equal(confusion(a[order], b[order]), c)


@pytest.mark.parametrize("bad", [2, -2, 0.5, np.nan, np.inf])
def test_other_values_are_refused(bad):
    truth = np.zeros((3, 2))
    truth[1, 1] = bad
    with pytest.raises(InputError, match="allowed: -1, 0, 1"):
        confusion(truth, np.zeros((3, 2)))
    with pytest.raises(InputError, match="prediction"):
        confusion(np.zeros((3, 2)), truth)


def test_unequal_shapes_are_refused():
    with pytest.raises(InputError, match="same rows and findings"):
        confusion(np.zeros((3, 2)), np.zeros((3, 1)))
    with pytest.raises(InputError, match="same rows and findings"):
        confusion(np.zeros((3, 2, 1)), np.zeros((3, 2, 1)))
    with pytest.raises(InputError, match="one for each of 3 rows"):
        confusion(np.zeros((3, 2)), np.zeros((3, 2)), weights_BN=np.ones((5, 2)))
    for bad in (-1.0, np.nan):
        with pytest.raises(InputError, match="0 or more"):
            confusion(np.zeros((3, 2)), np.zeros((3, 2)), weights_BN=np.full((1, 3), bad))


def test_arguments_are_not_changed():
    truth, predicted = binary(10)
    weights = np.ones((2, ROWS))
    before = [array.copy() for array in (truth, predicted, weights)]
    c = confusion(truth, predicted, weights_BN=weights)
    micro(c)
    swapped(c)
    assert all(np.array_equal(a, b) for a, b in zip(before, (truth, predicted, weights), strict=True))
    assert isinstance(c, Confusion)


def test_import_loads_no_heavy_package():
    code = (
        "import sys; from hilum.metrics import f1, cohen_kappa, auroc; "
        "import hilum.stats.intervals, hilum.stats.compare, hilum.stats.agreement; "
        "print([m for m in ('scipy', 'sklearn', 'statsmodels', 'krippendorff', 'polars', 'matplotlib') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
