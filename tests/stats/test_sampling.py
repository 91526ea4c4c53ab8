from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.core.errors import InputError
from hilum.core.rng import rng_for
from hilum.stats.sampling import Design, allocate, draw, error_interval, merge_strata


def test_allocation_grows_with_the_power_of_the_size() -> None:
    drawn = allocate([10_000, 1_000, 100], 300, power=0.5)
    shares = np.sqrt([10_000, 1_000, 100])
    assert drawn.sum() == 300
    assert np.abs(drawn - 300 * shares / shares.sum()).max() <= 1


def test_allocation_in_proportion_and_with_a_least() -> None:
    assert allocate([600, 300, 100], 100, power=1).tolist() == [60, 30, 10]
    assert allocate([1_000, 3, 20], 30, least=4).tolist()[1] == 3
    assert allocate([5, 3], 100).tolist() == [5, 3]


def test_a_sample_too_small_for_its_strata_is_an_error() -> None:
    with pytest.raises(InputError, match="Next step: draw 7 or more"):
        allocate([100, 3], 6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 5_000), min_size=1, max_size=20), st.integers(80, 2_000), st.floats(0.1, 1))
def test_an_allocation_is_always_full_and_possible(sizes: list[int], sample: int, power: float) -> None:
    drawn = allocate(sizes, sample, power=power)
    assert drawn.sum() == min(sample, sum(sizes))
    assert (drawn >= np.minimum(sizes, 4)).all()
    assert (drawn <= sizes).all()


def test_a_draw_has_the_numbers_asked_for_and_is_the_same_again() -> None:
    strata = np.array([0, 1] * 50)
    first, again = (draw(strata, [3, 7], rng=rng_for(0, "x")) for _ in range(2))
    assert np.bincount(strata[first]).tolist() == [3, 7]
    assert len(set(first.tolist())) == 10
    assert (first == again).all()


def test_every_item_of_a_stratum_is_drawn_equally_often() -> None:
    strata = np.array([0] * 4 + [1] * 8)
    rng = rng_for(0, "often")
    counts = np.bincount(np.concatenate([draw(strata, [2, 2], rng=rng) for _ in range(4_000)]))
    assert counts == pytest.approx([2_000] * 4 + [1_000] * 8, rel=0.1)


def every_sample(strata: np.ndarray, drawn: list[int]):
    places = [np.flatnonzero(strata == h) for h in range(len(drawn))]
    for parts in product(*(combinations(p, n) for p, n in zip(places, drawn, strict=True))):
        yield np.array([place for part in parts for place in part])


def test_totals_and_variances_are_unbiased_over_all_samples() -> None:
    """The definition itself: the mean over every possible sample."""
    strata = np.array([0] * 5 + [1] * 4)
    values = np.array([[3.0, 1], [1, 0], [4, 1], [1, 1], [5, 0], [9, 0], [2, 1], [6, 1], [5, 1]])
    totals, variances = [], []
    for rows in every_sample(strata, [3, 2]):
        design = Design(np.array([5, 4]), strata[rows])
        assert design.weights_n.sum() == pytest.approx(9)
        totals.append(design.totals(values[rows]))
        variances.append(design.variances(values[rows]))
    assert np.mean(totals, axis=0) == pytest.approx(values.sum(axis=0))
    assert np.mean(variances, axis=0) == pytest.approx(np.var(totals, axis=0))


def test_a_sample_of_everything_has_no_variance() -> None:
    design = Design(np.array([3, 2]), np.array([0, 0, 0, 1, 1]))
    assert design.variances(np.arange(5.0)[:, None]).tolist() == [0]
    assert design.totals(np.arange(5.0)[:, None]).tolist() == [10]


def test_a_stratum_without_items_drawn_is_an_error() -> None:
    with pytest.raises(InputError, match="1 strata"):
        Design(np.array([3, 2]), np.array([0, 0]))


def test_strata_with_too_few_drawn_join_their_neighbours() -> None:
    sizes = np.array([10, 20, 30, 1, 40])
    design = merge_strata(sizes, np.array([1, 1, 2, 4, 4]))
    assert design.sizes_H.tolist() == [61, 40]
    assert design.strata_n.tolist() == [0, 0, 0, 1, 1]
    whole = merge_strata(np.array([1, 5]), np.array([0, 1, 1]))
    assert whole.sizes_H.tolist() == [1, 5]
    last = merge_strata(np.array([9, 5]), np.array([0, 0, 1]))
    assert last.sizes_H.tolist() == [14]
    with pytest.raises(InputError, match="needs 2"):
        merge_strata(np.array([9, 5]), np.array([0]))


@pytest.mark.parametrize(("errors", "n"), [(0, 50), (1, 40), (7, 100), (100, 100)])
def test_the_interval_is_wilsons_for_a_plain_sample(errors: int, n: int) -> None:
    """With nothing added and the variance of a simple random sample, as statsmodels has it."""
    from statsmodels.stats.proportion import proportion_confint

    share, tiny = errors / n, 1e-9
    found = error_interval(share, share * (1 - share) / n, unit=tiny, unit_variance=tiny / n)
    assert found[1:] == pytest.approx(proportion_confint(errors, n, method="wilson"), abs=1e-5)
    assert found.value == share


def test_the_interval_of_a_census_is_its_value() -> None:
    assert error_interval(0.2, 0.0, unit=0.0, unit_variance=0.0) == (0.2, 0.2, 0.2)


def test_one_error_of_great_weight_makes_the_interval_of_no_error_wide() -> None:
    light = error_interval(0.0, 0.0, unit=0.001, unit_variance=0.001**2)
    heavy = error_interval(0.0, 0.0, unit=0.01, unit_variance=0.01**2)
    assert light.low == heavy.low == 0
    assert heavy.high > 5 * light.high > 0
