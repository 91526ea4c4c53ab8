from __future__ import annotations

import numpy as np
import pytest
from invented import matrix, noisy, random_truth
from sklearn.metrics import cohen_kappa_score

from hilum.analyses._readers import against_others, among_readers, readers_behind, votes_of
from hilum.core.matrix import LEFT_OUT
from hilum.stats.agreement import majority

FINDINGS = ("Edema", "Fracture")
TRUTH = random_truth(200, 2)
VOTES = np.stack([noisy(TRUTH, wrong=0.1 + 0.02 * reader, seed=reader) for reader in range(6)])


def test_the_readers_behind_the_image_labels_are_found() -> None:
    labels = majority(VOTES[[0, 2, 5]], ties="negative")
    assert readers_behind(labels, VOTES, ties="negative") == ((0, 2, 5), 1.0)


def test_no_readers_are_behind_labels_of_somebody_else() -> None:
    assert readers_behind(noisy(TRUTH, wrong=0.2, seed=77), VOTES, ties="negative")[0] == ()


def test_a_reader_is_compared_with_the_others_and_never_with_himself() -> None:
    votes = np.stack([TRUTH, TRUTH, noisy(TRUTH, wrong=0.5, seed=1)])
    table = against_others(["a", "b", "c"], votes, findings=FINDINGS, ties="left-out")
    rows = {(row[0], row[1]): row for row in table.rows}
    assert rows["c", "Edema"][5:] == pytest.approx(
        (rows["c", "Edema"][5], cohen_kappa_score(TRUTH[:, 0], votes[2][:, 0]))
    )
    assert rows["c", "Edema"][6] < 0.5, "with himself among the three he would agree far better"


def test_ties_of_the_others_are_counted() -> None:
    votes = np.array([[[1]], [[0]], [[1]]], dtype=np.int8)
    table = against_others(["a", "b", "c"], votes, findings=("Edema",), ties="negative")
    assert "2 of 3 cells were ties" in table.note


def test_votes_are_left_out_where_a_reader_is_uncertain_or_has_no_such_column() -> None:
    one, two = matrix(FINDINGS, ["pn", "u."]), matrix(["Fracture"], ["p", "n"])
    votes = votes_of([one, two], FINDINGS)
    assert votes[0].tolist() == [[1, 0], [LEFT_OUT, 0]]
    assert votes[1].tolist() == [[LEFT_OUT, 1], [LEFT_OUT, 0]]


def test_agreement_among_readers_has_a_row_per_finding_and_the_average() -> None:
    table = among_readers(VOTES, findings=FINDINGS)
    assert [row[0] for row in table.rows] == [*FINDINGS, "Average"]
    assert 0.2 < table.rows[0][2] < 0.9
