"""The quick table against scikit-learn, and what it says of what is not defined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, f1_score, precision_score, recall_score

from hilum.analyses.agree import AgreeConfig, agreement
from hilum.api.agree import agree
from hilum.core.errors import InputError, UnknownNameError
from hilum.core.matrix import LEFT_OUT, LabelMatrix
from hilum.core.results import Estimate, Value
from hilum.core.vocabulary import CHEXPERT14, NIH14, State

FINDINGS = ("Fracture", "Edema", "Pneumonia")


def matrix(source: str, seed: int, *, rows: int = 300, states: Sequence[int] = (0, 1, 2, 3)) -> LabelMatrix:
    cells = np.random.default_rng(seed).choice(states, (rows, 3)).astype(np.int8)
    return LabelMatrix(source, CHEXPERT14, FINDINGS, tuple(f"s{i}" for i in range(rows)), cells)


def row(page: object, finding: str, table: str = "agreement") -> dict[str, Value]:
    found = page.table(table)  # type: ignore[attr-defined]
    cells = next(cells for cells in found.rows if cells[0] == finding)
    return dict(zip([column.key for column in found.columns], cells, strict=True))


A, B = matrix("truth", 1), matrix("labeler", 2)


@pytest.mark.parametrize("policy", ["uncertain-to-zero", "uncertain-to-one", "uncertain-ignored"])
def test_values_are_those_of_scikit_learn(policy: str) -> None:
    page = agreement(A, B, config=AgreeConfig(policy=policy, replicates=50))
    f1s = []
    for place, finding in enumerate(FINDINGS):
        a, b = A.binary(policy)[:, place], B.binary(policy)[:, place]
        both = (a != LEFT_OUT) & (b != LEFT_OUT)
        a, b = a[both], b[both]
        got = row(page, finding)
        assert got["precision"] == pytest.approx(precision_score(a, b))
        assert got["recall"] == pytest.approx(recall_score(a, b))
        assert got["kappa"] == pytest.approx(cohen_kappa_score(a, b))
        assert isinstance(got["f1"], Estimate)
        assert got["f1"].value == pytest.approx(f1_score(a, b))
        assert got["f1"].low < got["f1"].value < got["f1"].high
        assert (got["support"], got["positive_in_b"], got["compared"]) == (a.sum(), b.sum(), len(a))
        f1s.append((f1_score(a, b), a.sum()))
    assert row(page, "Average")["f1"].value == pytest.approx(np.mean([f for f, _ in f1s]))  # type: ignore[union-attr]
    weighted = np.average([f for f, _ in f1s], weights=[n for _, n in f1s])
    assert row(page, "Weighted average")["f1"].value == pytest.approx(weighted)  # type: ignore[union-attr]
    assert f"Policy: {policy}." in page.table("agreement").note


def test_findings_stand_in_the_order_of_the_vocabulary_or_as_asked() -> None:
    order = [cells[0] for cells in agreement(A, B, config=AgreeConfig(replicates=0)).table("agreement").rows]
    assert order == ["Edema", "Pneumonia", "Fracture", "Average", "Weighted average"]
    config = AgreeConfig(findings=("fracture", "Oedema", "Fracture"), replicates=0)
    page = agreement(A, B, config=config)
    assert [cells[0] for cells in page.table("agreement").rows][:-2] == ["Fracture", "Edema"]
    assert page.table("agreement").columns[3].heading == "F1"
    assert isinstance(row(page, "Edema")["f1"], float)


def test_what_is_not_defined_is_nan_and_said() -> None:
    cells = np.array([[2, 2, 1], [2, 1, 1], [2, 1, 2]], np.int8)
    a = LabelMatrix("a", CHEXPERT14, FINDINGS, (), cells)
    other = np.array([[2, 2, 2], [2, 1, 2], [2, 2, 2]], np.int8)
    page = agreement(a, replace(a, states_NF=other), config=AgreeConfig(replicates=20))
    fracture, pneumonia = row(page, "Fracture"), row(page, "Pneumonia")
    assert all(np.isnan(float(fracture[key])) for key in ("precision", "recall", "kappa"))  # type: ignore[arg-type]
    assert np.isnan(fracture["f1"].value)  # type: ignore[union-attr]
    assert np.isnan(float(pneumonia["precision"]))  # type: ignore[arg-type]
    assert pneumonia["recall"] == 0.0
    note = page.table("agreement").note
    assert (
        "Precision is not defined (no positive in B) for Pneumonia, Fracture; its averages are over 1 of 3"
        in note
    )
    assert "Recall is not defined (no positive in A) for Fracture; its averages are over 2 of 3" in note
    assert row(page, "Average")["recall"] == pytest.approx(0.25)
    nothing = agreement(a.select(["Fracture"]), a.select(["Fracture"]), config=AgreeConfig(replicates=20))
    assert np.isnan(row(nothing, "Average")["f1"].value)  # type: ignore[union-attr]
    assert "it has no average" in nothing.table("agreement").note


def test_four_states_are_compared_where_both_have_them() -> None:
    page = agreement(A, B, config=AgreeConfig(replicates=0))
    a, b = A.column("Edema"), B.column("Edema")
    got = row(page, "Edema", "states")
    assert got["same"] == pytest.approx(np.mean(a == b))
    assert got["kappa"] == pytest.approx(cohen_kappa_score(a, b))
    counts = [got["opposite"], got["uncertain"], got["blank"]]
    assert sum(counts) == int(np.sum(a != b))  # type: ignore[arg-type]
    assert got["opposite"] == int(np.sum((a == 1) & (b == 2)) + np.sum((a == 2) & (b == 1)))
    assert got["blank"] == int(np.sum((a != b) & ((a == State.BLANK) | (b == State.BLANK))))
    cross = page.table("cross")
    assert sum(sum(cells[1:]) for cells in cross.rows) == 900  # type: ignore[arg-type]
    assert row(page, "A positive", "cross")["b_uncertain"] == int(
        np.sum((A.states_NF == 1) & (B.states_NF == 3))
    )
    two = agreement(matrix("a", 1, states=(1, 2)), B, config=AgreeConfig(replicates=0))
    assert [block.name for block in two.blocks()] == ["agreement"]


def test_order_of_rows_does_not_matter_and_draws_repeat() -> None:
    mixed = B.take(np.random.default_rng(3).permutation(300))
    good = replace(
        A, source="labeler", states_NF=np.where(np.arange(300)[:, None] % 4, A.states_NF, B.states_NF)
    )
    once = agreement(A, good).table("agreement")
    assert once == agreement(A, good).table("agreement")
    again = agreement(A, good.take(np.random.default_rng(3).permutation(300))).table("agreement")
    assert [cells[:3] for cells in once.rows] == [cells[:3] for cells in again.rows]
    assert agreement(A, mixed, config=AgreeConfig(replicates=0)).stamp["joined by"] == "key"


def test_a_file_agrees_with_itself_fully() -> None:
    page = agreement(A, replace(A, source="again"))
    for name in (*FINDINGS, "Average", "Weighted average"):
        assert row(page, name)["f1"] == Estimate(1.0, 1.0, 1.0)
        assert row(page, name)["kappa"] == 1.0


def test_what_cannot_be_compared_is_named() -> None:
    with pytest.raises(UnknownNameError, match="Edema"):
        agreement(A, B, config=AgreeConfig(findings=("Edemma",)))
    with pytest.raises(InputError, match="truth has no column for Cardiomegaly"):
        agreement(A, B, config=AgreeConfig(findings=("Cardiomegaly",)))
    with pytest.raises(UnknownNameError, match="uncertain-to-one"):
        agreement(A, B, config=AgreeConfig(policy="ones"))
    with pytest.raises(InputError, match="share no finding"):
        agreement(A.select(["Edema"]), B.select(["Fracture"]))


def test_two_vocabularies_are_compared_by_alias() -> None:
    cells = np.array([[1], [2], [1]], np.int8)
    a = LabelMatrix("a", CHEXPERT14, ("Pleural Effusion",), (), cells)
    b = LabelMatrix("b", NIH14, ("Effusion",), (), cells)
    assert row(agreement(a, b, config=AgreeConfig(replicates=0)), "Pleural Effusion")["f1"] == 1.0


def test_paths_and_matrices_in_any_mix(tmp_path: Path) -> None:
    one, other = tmp_path / "x" / "l.csv", tmp_path / "y" / "l.csv"
    for path, text in ((one, "id,Edema,Mass\na,1,0\nb,0,1\n"), (other, "Oedema;id\n0;b\n-1;a\n")):
        path.parent.mkdir()
        path.write_text(text, encoding="utf-8")
    page = agree(one, str(other), replicates=0, policy="uncertain-to-one")
    assert row(page, "Edema")["f1"] == 1.0
    assert page.stamp["a"] == str(one)
    assert "Not compared" not in " ".join(page.sections[0].paragraphs)
    matrix_a = LabelMatrix("m", CHEXPERT14, ("Edema",), ("b", "a"), np.array([[2], [1]], np.int8))
    for page in (
        agree(matrix_a, other, replicates=0),
        agree(one, matrix_a, replicates=0),
        agree(matrix_a, matrix_a),
    ):
        assert row(page, "Edema")["compared"] == 2
    assert agree(one, one, key=["id", None], replicates=0).stamp["b"] == "l.csv (B)"
    with pytest.raises(TypeError, match="polcy"):
        agree(one, other, polcy="x")
