from __future__ import annotations

import math

import numpy as np
import pytest
from invented import noisy, random_truth
from sklearn.metrics import f1_score

from hilum.analyses._differences import (
    all_pairs,
    average_table,
    compare_sources,
    difference_table,
    f1_table,
    key_of,
)
from hilum.core.matrix import LEFT_OUT

FINDINGS = ("a", "b", "c")
TRUTH = random_truth(300, 3)
GOOD, POOR = noisy(TRUTH, wrong=0.05, seed=1), noisy(TRUTH, wrong=0.3, seed=2)


def test_points_are_those_of_scikit_learn_and_averages_are_weighted_by_positives() -> None:
    compared = compare_sources(TRUTH, {"good": GOOD}, findings=FINDINGS, replicates=50)
    want = [f1_score(TRUTH[:, place], GOOD[:, place]) for place in range(3)]
    points = compared.points["good"]
    assert points[:3] == pytest.approx(want)
    assert points[3] == pytest.approx(np.mean(want))
    assert points[4] == pytest.approx(np.average(want, weights=TRUTH.sum(axis=0)))


def test_a_real_difference_excludes_zero_and_none_to_itself_is_zero() -> None:
    compared = compare_sources(TRUTH, {"good": GOOD, "poor": POOR, "again": GOOD}, findings=FINDINGS)
    average = compared.difference("good", "poor")[3]
    assert 0 < average.low < average.value < average.high
    assert all(tuple(one) == (0.0, 0.0, 0.0) for one in compared.difference("good", "again"))
    back = compared.difference("poor", "good")[3]
    assert back.value == pytest.approx(-average.value)


def test_the_interval_is_paired() -> None:
    nearly = GOOD.copy()
    nearly[0] = 1 - nearly[0]
    compared = compare_sources(TRUTH, {"good": GOOD, "nearly": nearly}, findings=FINDINGS)
    one, own = compared.difference("good", "nearly")[3], compared.own("good")[3]
    assert one.high - one.low < (own.high - own.low) / 2


def test_a_source_without_a_finding_is_compared_on_what_is_shared() -> None:
    part = GOOD.copy()
    part[:, 2] = LEFT_OUT
    compared = compare_sources(TRUTH, {"part": part, "poor": POOR}, findings=FINDINGS, replicates=100)
    estimates = compared.difference("part", "poor")
    assert math.isnan(estimates[2].value)
    assert estimates[3].value == pytest.approx(np.mean([e.value for e in estimates[:2]]))
    table = difference_table(compared, [("part", "poor")], name="t", title="T")
    assert [row[2] for row in table.rows] == ["a", "b", "Average", "Weighted average"]
    assert [row[3] for row in table.rows] == [None, None, 2, 2]
    [row] = average_table(compared, [("part", "poor")], name="t", title="T").rows
    assert row == ("part", "poor", 2, estimates[3], estimates[4])


def test_the_same_seed_gives_the_same_intervals_in_any_company() -> None:
    alone = compare_sources(TRUTH, {"good": GOOD}, findings=FINDINGS, seed=4).own("good")
    both = compare_sources(TRUTH, {"poor": POOR, "good": GOOD}, findings=FINDINGS, seed=4).own("good")
    assert alone == both
    assert compare_sources(TRUTH, {"good": GOOD}, findings=FINDINGS, seed=5).own("good") != alone


def test_tables_have_a_row_per_finding_and_average() -> None:
    compared = compare_sources(TRUTH, {"Good one": GOOD, "poor": POOR}, findings=FINDINGS, replicates=20)
    table = f1_table(compared, ["Good one", "poor"], name="f1", title="F1")
    assert [row[0] for row in table.rows] == ["a", "b", "c", "Average", "Weighted average"]
    assert [column.key for column in table.columns] == ["finding", "positives", "good_one", "poor"]
    assert key_of("Zero-One, parents (x)") == "zero_one_parents_x"
    assert all_pairs(["a", "b", "c"]) == [("b", "a"), ("c", "a"), ("c", "b")]
