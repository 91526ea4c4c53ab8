from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from hilum.analyses._one_hot import one_hot
from hilum.analyses.mappings import (
    ONES,
    ZEROS,
    LogRegMapping,
    Mapping,
    ZeroOneMapping,
    fit_logreg,
    fit_zero_one,
    fit_zero_one_parents,
    load_mapping,
    save_mapping,
)
from hilum.core.errors import InputError, OutputError
from hilum.core.matrix import LEFT_OUT, LabelMatrix
from hilum.core.rng import rng_for
from hilum.core.vocabulary import CHEXPERT14, NIH14, State

REPORTED = ("Lung Opacity", "Edema", "Pneumonia", "Cardiomegaly", "Support Devices")
CHOSEN = ("Cardiomegaly", "Lung Opacity")
B, P, N, U = State.BLANK, State.POSITIVE, State.NEGATIVE, State.UNCERTAIN


def matrix(states: Any, findings: tuple[str, ...] = REPORTED) -> LabelMatrix:
    return LabelMatrix("invented reports", CHEXPERT14, findings, (), np.array(states, dtype=np.int8))


def invented(n: int = 120) -> tuple[LabelMatrix, np.ndarray]:
    rng = rng_for(7, "mappings")
    states = rng.choice([0, 1, 2, 3], p=[0.4, 0.3, 0.2, 0.1], size=(n, 5)).astype(np.int8)
    hot = (states == State.POSITIVE).astype(float)
    log_odds = np.stack([-1 + 2 * hot[:, 3] + hot[:, 1], -1.5 + 2 * hot[:, 1] + 2 * hot[:, 0]], axis=1)
    return matrix(states), (rng.random((n, 2)) < 1 / (1 + np.exp(-log_odds))).astype(np.int8)


def fitted() -> list[Mapping]:
    report, truth = invented()
    return [fit(report, truth, CHOSEN) for fit in (fit_zero_one, fit_zero_one_parents, fit_logreg)]


def test_one_hot_has_a_column_per_finding_and_state_and_none_for_blank() -> None:
    X, names = one_hot(np.array([[B, P], [N, U]], dtype=np.int8), ("Edema", "Fracture"))
    assert names == (
        "Edema positive", "Edema negative", "Edema uncertain",
        "Fracture positive", "Fracture negative", "Fracture uncertain",
    )  # fmt: skip
    assert X.tolist() == [[0, 0, 0, 1, 0, 0], [0, 1, 0, 0, 0, 1]]


def test_zero_one_takes_the_policy_with_the_better_f1() -> None:
    report = matrix([[U, U], [U, U], [P, P], [N, B], [U, B]], ("Edema", "Fracture"))
    truth = np.array([[1, 0], [1, 0], [1, 1], [0, 0], [0, 0]], dtype=np.int8)
    found = fit_zero_one(report, truth, ("Edema", "Fracture"))
    assert found.policies == (ONES, ZEROS)
    zeros, ones = found.f1[0]
    assert zeros == pytest.approx(f1_score(truth[:, 0], [0, 0, 1, 0, 0]))
    assert ones == pytest.approx(f1_score(truth[:, 0], [1, 1, 1, 0, 1]))
    assert found.apply(report).tolist() == [[1, 0], [1, 0], [1, 1], [0, 0], [1, 0]]
    assert found.apply(report).dtype == np.int8
    assert (found.fitted_on.source, found.fitted_on.studies) == ("invented reports", 5)
    assert found.fitted_on.positives == (3, 1)


def test_on_equal_f1_zeros_are_taken() -> None:
    report = matrix([[P, B], [N, U]], ("Edema", "Fracture"))
    found = fit_zero_one(report, np.array([[1, 0], [0, 0]], dtype=np.int8), ("Edema", "Fracture"))
    assert found.policies == (ZEROS, ZEROS)
    assert found.f1 == ((1.0, 1.0), (None, 0.0))


def test_parents_are_filled_before_the_policy_is_chosen() -> None:
    report = matrix([[B, P, B, B, B], [U, B, P, B, B], [B, U, B, B, B], [N, B, B, B, B]])
    truth = np.array([[1], [1], [0], [0]], dtype=np.int8)
    found = fit_zero_one_parents(report, truth, ("Lung Opacity",))
    assert found.inputs == ("Lung Opacity", "Edema", "Pneumonia")
    assert found.f1 == ((1.0, 1.0),)
    assert found.apply(report)[:, 0].tolist() == [1, 1, 0, 0]  # an uncertain child fills nothing
    assert fit_zero_one(report, truth, ("Lung Opacity",)).apply(report)[:, 0].tolist() == [0, 1, 0, 0]


def test_logreg_is_that_of_scikit_learn_on_all_findings() -> None:
    report, truth = invented()
    found = fit_logreg(report, truth, CHOSEN)
    X, names = one_hot(report.states_NF, REPORTED)
    assert found.columns == names
    assert found.inputs == REPORTED
    for place in range(2):
        direct = LogisticRegression(C=1.0, max_iter=500, class_weight="balanced").fit(X, truth[:, place])
        assert found.coefficients[place] == pytest.approx(direct.coef_[0], abs=1e-9)
        assert found.probabilities(report)[:, place] == pytest.approx(direct.predict_proba(X)[:, 1])
        assert (found.apply(report)[:, place] == direct.predict(X)).all()


def test_images_without_a_label_are_not_fitted() -> None:
    report, truth = invented()
    part = fit_logreg(report.take(range(100)), truth[:100], CHOSEN)
    truth[100:] = LEFT_OUT
    assert fit_logreg(report, truth, CHOSEN).coefficients == part.coefficients
    assert fit_logreg(report, truth, CHOSEN).fitted_on.positives == part.fitted_on.positives


def test_one_class_is_refused_with_the_finding() -> None:
    report, truth = invented()
    truth[:, 1] = 1
    with pytest.raises(InputError, match="Lung Opacity: A regression needs"):
        fit_logreg(report, truth, CHOSEN)


@pytest.mark.parametrize("mapping", fitted(), ids=lambda mapping: mapping.kind)
def test_a_mapping_comes_back_from_its_file_with_the_same_bytes(mapping: Mapping, tmp_path: Path) -> None:
    report, _ = invented()
    first = save_mapping(mapping, tmp_path / "first.json")
    loaded = load_mapping(first)
    assert loaded == mapping
    assert (loaded.apply(report) == mapping.apply(report)).all()
    assert save_mapping(loaded, tmp_path / "second.json").read_bytes() == first.read_bytes()
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["first.json", "second.json"]


@pytest.mark.parametrize("mapping", fitted(), ids=lambda mapping: mapping.kind)
def test_columns_are_found_by_name_in_any_order(mapping: Mapping) -> None:
    report, _ = invented()
    turned = report.select(REPORTED[::-1])
    assert (mapping.apply(turned) == mapping.apply(report)).all()


@pytest.mark.parametrize(
    ("mapping", "missing"), list(zip(fitted(), ("Lung Opacity", "Edema", "Support Devices"), strict=True))
)
def test_a_missing_column_is_named(mapping: Mapping, missing: str) -> None:
    report, _ = invented()
    rest = report.select([finding for finding in REPORTED if finding != missing])
    with pytest.raises(InputError, match=f"no column for {missing}, which this {mapping.kind}"):
        mapping.apply(rest)


def test_labels_of_another_vocabulary_are_refused() -> None:
    other = LabelMatrix("nih labels", NIH14, ("Edema",), (), np.zeros((1, 1), np.int8))
    with pytest.raises(InputError, match="'nih14', and this mapping was fitted with 'chexpert14'"):
        fitted()[0].apply(other)


def test_a_mapping_applies_to_no_rows() -> None:
    report, _ = invented()
    for mapping in fitted():
        assert mapping.apply(report.take([])).shape == (0, 2)


def damaged(tmp_path: Path, kind: int, change: Callable[[dict[str, Any]], Any]) -> Path:
    path = save_mapping(fitted()[kind], tmp_path / "mapping.json")
    fields = json.loads(path.read_text())
    path.write_text(json.dumps(change(fields) or fields))
    return path


DAMAGE: list[tuple[int, Callable[[dict[str, Any]], Any], str]] = [
    (0, lambda f: [f], "no mapping file"),
    (0, lambda f: f.update(format="other"), "no mapping file"),
    (0, lambda f: f.update(format_version=2, hilum="9.9"), "format version 2, written by hilum 9.9"),
    (0, lambda f: f.update(format_version=True), "format_version"),
    (0, lambda f: f.update(kind="pickle"), "'kind' must be one of zero-one, zero-one-parents, logreg"),
    (0, lambda f: f.pop("findings") and None, "'findings' must be a list of texts, got nothing"),
    (0, lambda f: f.update(findings=["Edema", "Edema"]), "list of different texts"),
    (0, lambda f: f.update(policies=["uncertain-to-zero"]), "policies"),
    (0, lambda f: f.update(policies=["uncertain-ignored"] * 2), "policies"),
    (0, lambda f: f.update(inputs=["Edema"]), "inputs"),
    (0, lambda f: f.update(f1_zeros_ones=[[1, "a"], [0, 0]]), "f1_zeros_ones"),
    (0, lambda f: f.update(fitted_on=[]), "'fitted_on' must be an object"),
    (0, lambda f: f["fitted_on"].update(studies=-1), "'studies' must be a whole number"),
    (1, lambda f: f["fitted_on"].update(positives=[1]), "positives"),
    (2, lambda f: f.update(states=["positive", "perhaps"]), "states"),
    (2, lambda f: f.update(states=["positive"]), "coefficients"),
    (2, lambda f: f["coefficients"][0].pop() and None, "2 lists of 15 numbers"),
    (2, lambda f: f.update(intercepts=[0.0]), "intercepts"),
    (2, lambda f: f.update(intercepts=[float("nan"), 0.0]), "intercepts"),
    (2, lambda f: f.update(intercepts=[10**400, 0.0]), "intercepts"),
    (2, lambda f: f.update(C=float("inf")), "'C' must be a finite number"),
    (2, lambda f: f.update(converged=[1, 1]), "converged"),
]


@pytest.mark.parametrize(("kind", "change", "words"), DAMAGE)
def test_a_damaged_file_is_refused_with_file_and_field(
    kind: int, change: Callable[[dict[str, Any]], Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=words) as told:
        load_mapping(damaged(tmp_path, kind, change))
    assert "mapping.json" in str(told.value)
    assert "Next step" in str(told.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"null", b'"hilum mapping"', b"\x80\x04\x95pickle", b"1" * 5000],
)
def test_garbage_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "garbage.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"garbage\.json"):
        load_mapping(path)


def test_a_file_that_is_not_there_or_huge_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load_mapping(tmp_path / "none.json")
    with pytest.raises(InputError, match="no such file"):
        load_mapping(tmp_path)
    huge = tmp_path / "huge.json"
    with huge.open("wb") as out:
        out.truncate(21_000_000)
    with pytest.raises(InputError, match="larger than 20 MB"):
        load_mapping(huge)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_value_in_any_field_loads_or_is_refused(data: st.DataObject, tmp_path: Path) -> None:
    path = tmp_path / "mapping.json"
    fields = json.loads(save_mapping(_KEPT[data.draw(st.integers(0, 2))], path).read_text())
    fields[data.draw(st.sampled_from(sorted(fields)))] = data.draw(JSON)
    path.write_text(json.dumps(fields))
    try:
        load_mapping(path)
    except InputError as error:
        assert "mapping.json" in str(error)  # noqa: PT017


_KEPT = fitted()


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="does not exist"):
        save_mapping(fitted()[0], tmp_path / "none" / "mapping.json")


def test_a_value_that_is_not_finite_is_not_written(tmp_path: Path) -> None:
    mapping = fitted()[0]
    assert isinstance(mapping, ZeroOneMapping)
    broken = ZeroOneMapping("chexpert14", ("Edema",), (ZEROS,), ((float("nan"), 0.0),), mapping.fitted_on)
    with pytest.raises(OutputError, match="not finite"):
        save_mapping(broken, tmp_path / "mapping.json")
    assert list(tmp_path.iterdir()) == []


def test_the_file_says_what_it_was_fitted_on(tmp_path: Path) -> None:
    mapping = fitted()[2]
    assert isinstance(mapping, LogRegMapping)
    fields = json.loads(save_mapping(mapping, tmp_path / "m.json").read_text())
    assert fields["format"] == "hilum mapping"
    assert fields["fitted_on"] == {
        "source": "invented reports",
        "studies": 120,
        "positives": list(mapping.fitted_on.positives),
    }
    assert fields["hilum"] == mapping.fitted_on.hilum
