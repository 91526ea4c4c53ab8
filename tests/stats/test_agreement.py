"""Majorities by hand, agreement of several readers against statsmodels and krippendorff."""

from __future__ import annotations

import warnings

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from statsmodels.stats.inter_rater import aggregate_raters
from statsmodels.stats.inter_rater import fleiss_kappa as reference_fleiss

from hilum.core.errors import InputError, MissingExtraError, UnknownNameError
from hilum.core.matrix import LEFT_OUT
from hilum.stats.agreement import TIES, fleiss_kappa, krippendorff_alpha, majority, majority_of_others

votes_of_readers = arrays.arrays(
    np.int8, arrays.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=5), elements=st.integers(-1, 1)
)


def votes(seed, *, readers=4, studies=40, findings=3, codes=2, empty=0.0):
    rng = np.random.default_rng(seed)
    truth = rng.integers(codes, size=(studies, findings))
    said = rng.integers(codes, size=(readers, studies, findings))
    said = np.where(rng.random(said.shape) < 0.6, truth, said)
    return np.where(rng.random(said.shape) < empty, LEFT_OUT, said).astype(np.int8)


def test_ties_are_settled_by_the_named_rule():
    table = np.array([[1, 1, 1, -1, -1], [1, 0, 0, 0, -1], [0, -1, 0, -1, -1]], np.int8)[:, :, None]
    expected = {"negative": 0, "positive": 1, "left-out": LEFT_OUT}
    assert set(expected) == set(TIES)
    for ties, value in expected.items():
        result = majority(table, ties=ties)
        assert result[:, 0].tolist() == [1, value, 0, 0, LEFT_OUT]
        assert result.dtype == np.int8


def test_a_reader_is_never_in_its_own_majority():
    table = votes(1, readers=5)
    for reader in range(5):
        others = majority_of_others(table, reader, ties="negative")
        for own in (np.zeros_like(table[0]), np.ones_like(table[0]), np.full_like(table[0], LEFT_OUT)):
            changed = table.copy()
            changed[reader] = own
            assert np.array_equal(majority_of_others(changed, reader, ties="negative"), others)
    assert np.array_equal(majority_of_others(table, 0, ties="positive"), majority(table[1:], ties="positive"))


@given(votes_of_readers)
@settings(max_examples=60, deadline=None)
def test_majority_counts_the_votes_given(table):
    result = majority(table, ties="left-out")
    for study in range(table.shape[1]):
        for finding in range(table.shape[2]):
            cell = table[:, study, finding].tolist()
            yes, no = cell.count(1), cell.count(0)
            assert result[study, finding] == (1 if yes > no else 0 if no > yes else LEFT_OUT)
    assert np.array_equal(majority(table[::-1], ties="negative"), majority(table, ties="negative"))


@pytest.mark.parametrize("codes", [2, 4])
@pytest.mark.parametrize("seed", range(3))
def test_fleiss_equals_statsmodels(seed, codes):
    table = votes(seed, codes=codes)
    expected = [reference_fleiss(aggregate_raters(table[:, :, i].T)[0]) for i in range(table.shape[2])]
    np.testing.assert_allclose(fleiss_kappa(table), expected, atol=1e-12)


def test_fleiss_leaves_out_studies_without_all_votes():
    table = votes(4, empty=0.1)
    values = fleiss_kappa(table)
    for finding in range(table.shape[2]):
        full = table[:, (table[:, :, finding] != LEFT_OUT).all(axis=0), finding]
        assert 0 < full.shape[1] < table.shape[1]
        assert values[finding] == pytest.approx(reference_fleiss(aggregate_raters(full.T)[0]), abs=1e-12)


@pytest.mark.parametrize("codes", [2, 4])
@pytest.mark.parametrize("empty", [0.0, 0.3])
def test_krippendorff_equals_the_package_on_raw_votes(codes, empty):
    table = votes(5, codes=codes, empty=empty)
    data = np.where(table == LEFT_OUT, np.nan, table.astype(float))
    expected = [
        krippendorff.alpha(reliability_data=data[:, :, i], level_of_measurement="nominal") for i in range(3)
    ]
    np.testing.assert_allclose(krippendorff_alpha(table), expected, atol=1e-12)


def test_krippendorff_of_a_worked_example():
    """Krippendorff 2011, "Computing Krippendorff's alpha-reliability", part C: nominal alpha 0.743."""
    rows = [
        "1 2 3 3 2 1 4 1 2 . . .",
        "1 2 3 3 2 2 4 1 2 5 . 3",
        ". 3 3 3 2 3 4 2 2 5 1 .",
        "1 2 3 3 2 4 4 1 2 5 1 .",
    ]
    table = np.array([[LEFT_OUT if v == "." else int(v) for v in row.split()] for row in rows], np.int8)
    assert krippendorff_alpha(table[:, :, None])[0] == pytest.approx(0.743, abs=5e-4)


@pytest.mark.parametrize(
    "function", [fleiss_kappa, krippendorff_alpha], ids=lambda function: function.__name__
)
def test_one_value_only_is_nan_and_full_agreement_one(function):
    same = np.zeros((3, 10, 2), np.int8)
    same[:, :4, 1] = 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values = function(same)
    assert np.isnan(values[0])
    assert values[1] == pytest.approx(1)
    assert np.isnan(function(np.full((3, 10, 1), LEFT_OUT, np.int8))).all()
    assert np.isnan(function(np.zeros((3, 0, 1), np.int8))).all()
    assert function(votes(6) == 1) == pytest.approx(function(votes(6)))
    with pytest.raises(InputError, match="at least 2 readers"):
        function(same[:1])


def test_bad_input_is_named():
    table = votes(7)
    with pytest.raises(UnknownNameError, match=r"rule for ties 'postive'.*'positive'"):
        majority(table, ties="postive")
    for reader in (-1, 4):
        with pytest.raises(InputError, match="readers 0 to 3"):
            majority_of_others(table, reader, ties="negative")
    with pytest.raises(InputError, match="only one reader"):
        majority_of_others(table[:1], 0, ties="negative")
    for bad in (2, -2, 0.5, np.nan):
        wrong = table.astype(float)
        wrong[0, 0, 0] = bad
        with pytest.raises(InputError, match="0, 1 and -1"):
            majority(wrong, ties="negative")
    for function in (fleiss_kappa, krippendorff_alpha):
        with pytest.raises(InputError, match="whole codes"):
            function(wrong)
        with pytest.raises(InputError, match="readers by studies by findings"):
            function(table[0])


def test_without_krippendorff_the_extra_is_named(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr("hilum.stats.agreement.import_module", missing)
    with pytest.raises(MissingExtraError, match=r"krippendorff.*hilum\[study\]"):
        krippendorff_alpha(votes(8))
