"""Label matrices: cells under a policy, columns by name, parents filled in."""

from __future__ import annotations

import numpy as np
import pytest

from hilum.core.errors import InputError, UnknownNameError
from hilum.core.matrix import LEFT_OUT, LabelMatrix, ProbabilityMatrix
from hilum.core.vocabulary import BINARY_POLICIES, CHEXPERT14, State

P, N, U, B = State.POSITIVE, State.NEGATIVE, State.UNCERTAIN, State.BLANK


def matrix(**columns: list[State]) -> LabelMatrix:
    findings = tuple(name.replace("_", " ") for name in columns)
    states = np.array(list(columns.values()), np.int8).T
    return LabelMatrix("m", CHEXPERT14, findings, tuple(f"s{i}" for i in range(len(states))), states)


def test_policies_make_0_1_or_left_out() -> None:
    one = matrix(Edema=[P, N, U, B])
    expected = {"uncertain-to-zero": 0, "uncertain-to-one": 1, "uncertain-ignored": LEFT_OUT}
    assert set(expected) == set(BINARY_POLICIES)
    for policy, code in expected.items():
        cells = one.binary(policy)
        assert cells.dtype == np.int8
        assert cells[:, 0].tolist() == [1, 0, code, 0]
    with pytest.raises(UnknownNameError, match="uncertain-to-one"):
        one.binary("uncertain-to-two")


def test_columns_and_rows_are_chosen_without_changing_the_source() -> None:
    one = matrix(Edema=[P, N], Fracture=[U, B])
    assert one.column("Fracture").tolist() == [U, B]
    turned = one.select(["Fracture", "Edema"])
    assert (turned.findings, turned.states_NF.tolist()) == (("Fracture", "Edema"), [[U, P], [B, N]])
    assert (one.take([1]).ids, one.take([1]).states_NF.tolist()) == (("s1",), [[N, B]])
    assert (one.findings, len(one)) == (("Edema", "Fracture"), 2)
    with pytest.raises(UnknownNameError, match="finding in m"):
        one.column("Edemas")
    bare = LabelMatrix("m", CHEXPERT14, ("Edema",), (), np.zeros((2, 1), np.int8))
    assert bare.take([0]).ids == ()


def test_a_positive_child_makes_its_ancestors_positive_where_they_have_a_column() -> None:
    one = matrix(Lung_Opacity=[B, N, B], Consolidation=[N, N, B], Pneumonia=[P, U, B])
    filled = one.with_parents()
    assert filled.states_NF.tolist() == [[P, P, P], [N, N, U], [B, B, B]]
    assert one.states_NF[0].tolist() == [B, N, P]
    alone = matrix(Pneumonia=[P])
    assert alone.with_parents().states_NF.tolist() == [[P]]


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="2 rows and 1 columns"):
        LabelMatrix("m", CHEXPERT14, ("Edema", "Fracture"), (), np.zeros((2, 1), np.int8))
    with pytest.raises(InputError, match="1 keys"):
        LabelMatrix("m", CHEXPERT14, ("Edema",), ("a",), np.zeros((2, 1), np.int8))


def test_probabilities_by_name_and_row() -> None:
    one = ProbabilityMatrix(
        "p", CHEXPERT14, ("Edema", "Fracture"), ("a", "b"), np.array([[0.1, 0.2], [0.3, 0.4]])
    )
    assert one.column("Fracture").tolist() == [0.2, 0.4]
    assert one.take([1, 0]).ids == ("b", "a")
    assert one.take([1, 0]).values_NF.tolist() == [[0.3, 0.4], [0.1, 0.2]]
    assert len(one) == 2
    with pytest.raises(UnknownNameError, match="Fracture"):
        one.column("fractures")


@pytest.mark.parametrize("policy", BINARY_POLICIES)
def test_no_label_stays_left_out_under_every_policy(policy: str) -> None:
    states_NF = np.array([[LEFT_OUT], [State.POSITIVE], [State.NEGATIVE], [State.UNCERTAIN]], dtype=np.int8)
    binary_NF = LabelMatrix("a", CHEXPERT14, ("Edema",), (), states_NF).binary(policy)
    assert binary_NF[:3, 0].tolist() == [LEFT_OUT, 1, 0]
