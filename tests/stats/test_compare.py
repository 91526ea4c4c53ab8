"""Paired tests against scipy and statsmodels, and the published P values of the LLM labeler paper."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as reference
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar
from statsmodels.stats.multitest import multipletests

from hilum.core.errors import InputError, MissingExtraError, UnknownNameError
from hilum.core.matrix import LEFT_OUT
from hilum.stats.compare import discordant, holm, mcnemar, paired_t, wilcoxon

# Table 1 of the LLM labeler paper (doi 10.2196/68618): weighted F1 of 14 findings for three labelers
PUBLISHED = {
    "ours": "9022 8555 8653 9612 9105 9288 8784 8613 9619 8510 9627 9734 8607 8470",
    "chexbert": "8753 8604 8820 9627 9191 9385 8853 8656 9780 8649 9623 9758 8402 8557",
    "chexpert": "8644 8143 8459 9543 9064 9215 8474 8576 9572 8475 9629 9702 8043 8557",
}
SCORES = {name: np.array([int(v) for v in row.split()]) / 10_000 for name, row in PUBLISHED.items()}


def scores(seed, *, n=14):
    rng = np.random.default_rng(seed)
    a = rng.random(n)
    return a, a + rng.normal(0.01, 0.03, size=n)


@pytest.mark.parametrize(
    ("a", "b", "t", "w"),
    [
        ("ours", "chexbert", "0.35", "0.14"),
        ("ours", "chexpert", "0.01", "0.005"),
        ("chexbert", "chexpert", "0.0005", "0.002"),
    ],
)
def test_published_p_values_are_reproduced(a, b, t, w):
    """Table 3 of the paper, each rounded to as many places as it prints."""
    for result, printed in ((paired_t(SCORES[a], SCORES[b]), t), (wilcoxon(SCORES[a], SCORES[b]), w)):
        assert f"{result.p:.{len(printed) - 2}f}" == printed
        assert result.n == 14


@pytest.mark.parametrize("seed", range(6))
def test_paired_t_equals_scipy(seed):
    a, b = scores(seed, n=seed + 2)
    result, expected = paired_t(a, b), reference.ttest_rel(a, b)
    assert (result.statistic, result.p) == pytest.approx((expected.statistic, expected.pvalue), abs=1e-12)
    assert result.n == seed + 2


@pytest.mark.parametrize("method", ["auto", "exact", "approx"])
@pytest.mark.parametrize("n", [2, 6, 14, 50, 51, 80])
def test_wilcoxon_equals_scipy(method, n):
    a, b = scores(n, n=n)
    result, expected = wilcoxon(a, b, method=method), reference.wilcoxon(a, b, method=method)
    assert (result.statistic, result.p) == pytest.approx((expected.statistic, expected.pvalue), abs=1e-12)
    exact = method == "exact" or (method == "auto" and n <= 50)
    assert result.method == f"Wilcoxon, {'exact' if exact else 'normal approximation'}"


def test_wilcoxon_with_ties_and_zeros_is_approximate_and_says_so():
    a, b = np.array([0.9, 0.7, 0.5, 0.5, 0.2, 0.8]), np.array([0.8, 0.6, 0.5, 0.7, 0.1, 0.3])
    result = wilcoxon(a, b)
    expected = reference.wilcoxon(np.round(a - b, 12), method="approx", zero_method="wilcox")
    assert (result.statistic, result.p) == pytest.approx((expected.statistic, expected.pvalue), abs=1e-12)
    assert result.method == "Wilcoxon, normal approximation, 1 zero left out"
    assert result.n == 6


def test_no_difference_anywhere_is_p_one():
    a, _ = scores(1)
    for test in (paired_t, wilcoxon):
        assert test(a, a)[:3] == (0.0, 1.0, 14)
        assert "all differences 0" in test(a, a).method


def test_the_same_difference_everywhere():
    assert paired_t([3, 5, 7], [1, 3, 5])[:3] == (np.inf, 0.0, 3)
    assert paired_t([1, 3, 5], [3, 5, 7])[:2] == (-np.inf, 0.0)


@pytest.mark.parametrize("test", [paired_t, wilcoxon], ids=lambda test: test.__name__)
def test_undefined_pairs_are_left_out_and_counted(test):
    a, b = scores(2)
    more_a, more_b = np.append(a, [np.nan, 0.3]), np.append(b, [0.1, np.nan])
    assert test(more_a, more_b) == test(a, b)
    for bad in (([0.1], [0.2]), ([], []), ([0.1, np.nan], [0.3, 0.2])):
        with pytest.raises(InputError, match="at least 2 pairs"):
            test(*bad)
    with pytest.raises(InputError, match="two lists of one length"):
        test([0.1, 0.2], [0.1, 0.2, 0.3])


def right(only_a, only_b, both=7, neither=4):
    a = [1] * only_a + [0] * only_b + [1] * both + [0] * neither
    b = [0] * only_a + [1] * only_b + [1] * both + [0] * neither
    return np.array(a), np.array(b), [[both, only_a], [only_b, neither]]


@pytest.mark.parametrize(
    ("only_a", "only_b"), [(0, 1), (0, 6), (3, 3), (1, 8), (12, 12), (12, 13), (40, 20), (900, 800)]
)
def test_mcnemar_equals_statsmodels(only_a, only_b):
    a, b, table = right(only_a, only_b)
    for exact in (True, False):
        result, expected = mcnemar(a, b, exact=exact), reference_mcnemar(table, exact=exact, correction=True)
        assert (result.statistic, result.p) == pytest.approx(
            (expected.statistic, min(1.0, expected.pvalue)), rel=1e-9
        )
        assert result.n == only_a + only_b + 11
    assert mcnemar(a, b, exact="auto") == mcnemar(a, b, exact=only_a + only_b < 25)
    assert discordant(a, b) == (only_a, only_b)


def test_mcnemar_edges():
    a, b, _ = right(0, 0)
    assert mcnemar(a, b)[:3] == (0.0, 1.0, 11)
    a, b, _ = right(2, 5)
    assert mcnemar(a == 1, b == 1) == mcnemar(a, b)
    assert mcnemar(np.append(a, LEFT_OUT), np.append(b, 1)) == mcnemar(a, b)
    with pytest.raises(InputError, match="exact=True, False or 'auto', got 'yes'"):
        mcnemar(a, b, exact="yes")
    with pytest.raises(UnknownNameError, match="'exakt'"):
        wilcoxon(a, b, method="exakt")
    with pytest.raises(InputError, match="at least 1 study"):
        mcnemar([LEFT_OUT], [1])
    with pytest.raises(InputError, match="same studies twice"):
        mcnemar([1, 0], [1])
    for bad in (2, 0.5, np.nan):
        with pytest.raises(InputError, match="0 \\(wrong\\), 1 \\(right\\)"):
            mcnemar([1, bad], [1, 0])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
@settings(max_examples=5, deadline=None)  # the reference is slow
def test_holm_equals_statsmodels(ps):
    np.testing.assert_allclose(holm(ps), multipletests(ps, method="holm")[1], rtol=1e-12, atol=0)


def test_holm_leaves_out_what_could_not_be_tested():
    adjusted = holm([0.04, np.nan, 0.01])
    assert adjusted[[0, 2]].tolist() == [0.04, 0.02]
    assert np.isnan(adjusted[1])
    assert holm([]).tolist() == []
    for bad in (-0.1, 1.1):
        with pytest.raises(InputError, match="between 0 and 1"):
            holm([bad])
    with pytest.raises(InputError, match="list of P values"):
        holm(0.05)


def test_without_scipy_the_extra_is_named(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr("hilum.stats.compare.import_module", missing)
    a, b = scores(3)
    for call in (paired_t, wilcoxon):
        with pytest.raises(MissingExtraError, match=r"scipy.*hilum\[study\]"):
            call(a, b)
