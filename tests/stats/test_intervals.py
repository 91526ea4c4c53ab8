"""The bootstrap and its intervals: same bytes for any chunk, right distribution, against numpy, scipy, statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as reference
from statsmodels.stats.proportion import proportion_confint

from hilum.core.errors import InputError
from hilum.core.rng import rng_for
from hilum.metrics import confusion, f1
from hilum.stats.intervals import (
    bootstrap,
    distinct_rows,
    estimate,
    estimates,
    ignored_replicates,
    percentile_interval,
    resample_counts,
    wilson_interval,
)


def rng():
    return rng_for(0, "test")


def labels(seed, *, rows=50, findings=3):
    draw = np.random.default_rng(seed)
    truth = (draw.random((rows, findings)) < 0.4).astype(np.int8)
    return truth, np.where(draw.random(truth.shape) < 0.2, 1 - truth, truth)


def f1_difference(truth, a, b):
    return lambda w_BN: f1(confusion(truth, a, weights_BN=w_BN)) - f1(confusion(truth, b, weights_BN=w_BN))


def test_every_replicate_has_as_many_rows_as_the_file():
    counts = resample_counts(37, replicates=20, rng=rng())
    assert counts.shape == (20, 37)
    assert counts.dtype == np.float64
    assert (counts.sum(axis=1) == 37).all()
    assert np.array_equal(counts, resample_counts(37, replicates=20, rng=rng()))
    assert not np.array_equal(counts, resample_counts(37, replicates=20, rng=rng_for(1, "test")))


def test_counts_have_the_distribution_of_drawing_with_replacement():
    counts = resample_counts(40, replicates=3000, rng=rng())
    share = np.bincount(counts.astype(int).ravel(), minlength=5)[:5] / counts.size
    np.testing.assert_allclose(share, reference.binom.pmf(range(5), 40, 1 / 40), atol=0.004)


def test_groups_stay_together():
    groups = ["b", "a", "b", "c", "a", "b"]
    counts = resample_counts(6, replicates=50, rng=rng(), groups=groups)
    for members in ([0, 2, 5], [1, 4]):
        assert (counts[:, members] == counts[:, members[:1]]).all()
    assert (counts[:, [0, 1, 3]].sum(axis=1) == 3).all()


def test_groups_of_one_row_are_rows():
    alone = resample_counts(9, replicates=5, rng=rng(), groups=np.arange(9)[::-1])
    assert np.array_equal(alone, resample_counts(9, replicates=5, rng=rng()))


@given(st.integers(1, 400))
@settings(max_examples=25, deadline=None)
def test_the_chunk_size_does_not_change_one_byte(chunk_cells):
    truth, a = labels(1)
    _, b = labels(2)
    statistic = f1_difference(truth, a, b)
    whole = bootstrap(statistic, len(truth), replicates=23, rng=rng())
    parts = bootstrap(statistic, len(truth), replicates=23, rng=rng(), chunk_cells=chunk_cells)
    assert parts.tobytes() == whole.tobytes()


@pytest.mark.parametrize("options", [{"groups": np.arange(50) // 3}, {"multiplicity": np.arange(50)}, {}])
def test_bootstrap_is_the_statistic_of_the_counts(options):
    truth, a = labels(3)
    values = bootstrap(
        lambda w: f1(confusion(truth, a, weights_BN=w)),
        50,
        replicates=11,
        rng=rng(),
        chunk_cells=150,
        **options,
    )
    counts = resample_counts(50, replicates=11, rng=rng(), **options)
    assert values.tobytes() == f1(confusion(truth, a, weights_BN=counts)).tobytes()


def test_bootstrap_agrees_with_scipy():
    draw = np.random.default_rng(4)
    sample = draw.normal(size=120)
    values = bootstrap(lambda w: w @ sample / w.sum(axis=1), 120, replicates=4000, rng=rng())
    expected = reference.bootstrap(
        (sample,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(0)
    )
    assert values.std(ddof=1) == pytest.approx(expected.standard_error, rel=0.05)
    low, high = percentile_interval(values)
    assert (low, high) == pytest.approx(tuple(expected.confidence_interval), abs=0.02)


def test_distinct_rows_stand_for_all():
    truth, a = labels(5, rows=400)
    places, counts = distinct_rows(truth, a)
    assert counts.sum() == 400
    assert len(places) < 70
    assert (np.diff(places) > 0).all()
    whole = f1(confusion(truth, a))
    assert np.array_equal(f1(confusion(truth[places], a[places], weights_BN=counts)), whole)
    fast = bootstrap(
        lambda w: f1(confusion(truth[places], a[places], weights_BN=w)),
        len(places),
        replicates=3000,
        rng=rng(),
        multiplicity=counts,
    )
    plain = bootstrap(lambda w: f1(confusion(truth, a, weights_BN=w)), 400, replicates=3000, rng=rng())
    np.testing.assert_allclose(fast.std(axis=0), plain.std(axis=0), rtol=0.08)
    np.testing.assert_allclose(percentile_interval(fast), percentile_interval(plain), atol=0.01)


def test_progress_is_told():
    seen = []
    bootstrap(
        lambda w: w.sum(axis=1),
        10,
        replicates=7,
        rng=rng(),
        chunk_cells=30,
        progress=lambda *x: seen.append(x),
    )
    assert seen == [(3, 7), (6, 7), (7, 7)]


def test_a_statistic_that_hands_back_its_weights_is_copied():
    values = bootstrap(lambda w: w, 4, replicates=5, rng=rng(), chunk_cells=4)
    assert np.array_equal(values, resample_counts(4, replicates=5, rng=rng()))


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95])
def test_percentiles_equal_numpy(level):
    values = np.random.default_rng(6).normal(size=(101, 2, 3))
    values[::4, 1, 2] = np.nan
    low, high = percentile_interval(values, level=level)
    shares = [(1 - level) / 2, (1 + level) / 2]
    np.testing.assert_allclose([low, high], np.nanquantile(values, shares, axis=0), atol=1e-12)
    ignored = np.zeros((2, 3))
    ignored[1, 2] = 26
    assert np.array_equal(ignored_replicates(values), ignored)


def test_percentiles_of_few_and_of_no_values():
    assert percentile_interval([2.0]) == (2.0, 2.0)
    assert percentile_interval([np.nan, 2.0, np.nan]) == (2.0, 2.0)
    assert np.isnan(percentile_interval([np.nan, np.nan])).all()
    assert np.isnan(percentile_interval([])).all()
    assert percentile_interval([-np.inf] * 3 + [0.0] * 3 + [np.inf] * 3) == (-np.inf, np.inf)


def test_estimates_carry_point_and_interval():
    values = np.arange(101.0)
    assert estimate(50, values) == pytest.approx((50, 2.5, 97.5))
    assert np.isnan(estimate(np.nan, values)).all()
    assert np.isnan(estimate(1.0, [np.nan])[1:]).all()
    pair = estimates([50, 1], np.stack([values, values / 100], axis=1), level=0.9)
    assert pair[1] == pytest.approx((1, 0.05, 0.95))
    assert all(isinstance(part, float) for part in pair[0])
    with pytest.raises(InputError, match="use estimates"):
        estimate(1, np.ones((3, 2)))
    with pytest.raises(InputError, match="do not fit"):
        estimates([1, 2, 3], np.ones((3, 2)))


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_wilson_equals_statsmodels(level):
    hits, total = np.array([0, 1, 5, 10, 499]), np.array([10, 10, 10, 10, 1000])
    expected = proportion_confint(hits, total, alpha=1 - level, method="wilson")
    np.testing.assert_allclose(wilson_interval(hits, total, level=level), expected, atol=1e-12)


def test_wilson_at_the_ends():
    low, _ = wilson_interval(0, 7)
    _, high = wilson_interval(7, 7)
    assert (float(low), float(high)) == (0.0, 1.0)
    assert np.isnan(wilson_interval(0, 0)).all()
    for bad in ((3, 2), (-1, 2), (np.nan, 2)):
        with pytest.raises(InputError, match="successes"):
            wilson_interval(*bad)


def test_bad_input_is_named():
    with pytest.raises(InputError, match="at least 1 row"):
        resample_counts(0, replicates=3, rng=rng())
    with pytest.raises(InputError, match="at least 1 replicate"):
        bootstrap(lambda w: w.sum(1), 3, replicates=0, rng=rng())
    with pytest.raises(InputError, match="first axis"):
        bootstrap(lambda w: w.sum(), 3, replicates=2, rng=rng())
    with pytest.raises(InputError, match="name 2 rows, not 3"):
        resample_counts(3, replicates=2, rng=rng(), groups=["a", "b"])
    for missing in (None, "", float("nan")):
        with pytest.raises(InputError, match="Row 1 has no group id"):
            resample_counts(2, replicates=2, rng=rng(), groups=["a", missing])
    with pytest.raises(InputError, match="not both"):
        resample_counts(2, replicates=2, rng=rng(), groups=["a", "b"], multiplicity=[1, 1])
    for bad in ([1], [0, 0], [-1, 2], [0.5, 1], [np.nan, 1]):
        with pytest.raises(InputError, match="2 whole numbers"):
            resample_counts(2, replicates=2, rng=rng(), multiplicity=bad)
    for level in (0, 1, 95):
        with pytest.raises(InputError, match="between 0 and 1"):
            percentile_interval([1.0], level=level)
    with pytest.raises(InputError, match="axis of replicates"):
        percentile_interval(1.0)
