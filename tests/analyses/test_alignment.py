"""Rows are joined by key or position, and the labels themselves are asked whether that can be right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from hilum.analyses._alignment_agreement import contest, find_shift, mean_kappa, signs
from hilum.analyses._alignment_keys import join_keys, nearest_form, shifted_blocks
from hilum.analyses.alignment import KEY_FORMS, align, align_many
from hilum.core.errors import InputError, UnknownNameError
from hilum.core.matrix import LabelMatrix, ProbabilityMatrix
from hilum.core.vocabulary import CHEXPERT14, NIH14, State
from hilum.tables.labels import read_labels

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
FINDINGS = ("Edema", "Fracture", "Pneumonia", "Atelectasis")


def matrix(
    source: str, *, rows: int = 200, seed: int = 0, ids: Sequence[str] | None = None, flips: float = 0.0
) -> LabelMatrix:
    """Random labels of `rows` studies; the same seed gives the same truth, `flips` of the cells are drawn anew."""
    states = (
        np.random.default_rng(seed).choice([0, 1, 2, 3], (rows, 4), p=[0.4, 0.3, 0.2, 0.1]).astype(np.int8)
    )
    noise = np.random.default_rng(len(source))
    again = noise.random(states.shape) < flips
    states[again] = noise.integers(0, 4, int(again.sum()))
    keys = tuple(f"s{row}" for row in range(rows)) if ids is None else tuple(ids)
    return LabelMatrix(source, CHEXPERT14, FINDINGS, keys, states)


def shuffled(source: LabelMatrix, seed: int = 5) -> LabelMatrix:
    return source.take(np.random.default_rng(seed).permutation(len(source)))


def refused(*sources: LabelMatrix, **options: object) -> str:
    with pytest.raises(InputError) as caught:
        align(*sources, **options)  # type: ignore[arg-type]
    return str(caught.value)


A, B = matrix("reports"), matrix("images", flips=0.3)


def test_the_same_keys_in_the_same_order_are_one_join() -> None:
    for how in ("auto", "key", "position"):
        found = align(A, B, how=how)
        assert np.array_equal(found.rows_a, np.arange(200))
        assert np.array_equal(found.rows_b, np.arange(200))
        assert found.warnings == ()
    assert align(A, B).message == "200 rows joined by key; both have the same keys in the same order."


def test_another_order_of_rows_is_joined_by_key() -> None:
    other = shuffled(B)
    found = align(A, other)
    assert found.how == "key"
    assert [A.ids[i] for i in found.rows_a] == [other.ids[i] for i in found.rows_b]
    assert found.key_kappa > 0.5
    assert found.position_kappa < 0.2
    assert "200 rows joined by key, all of both." in found.message
    assert found.warnings == ()


def test_position_asked_of_shuffled_rows_stops() -> None:
    message = refused(A, shuffled(B), how="position")
    assert "agree far better by key" in message
    assert "Next step: use --align key" in message
    forced = align(A, shuffled(B), how="position", force=True)
    assert forced.how == "position"
    assert "far better by key" in forced.warnings[0]


def shifted_keys(source: LabelMatrix, start: int) -> LabelMatrix:
    """The keys from `start` on moved up by one row; the first of them goes to the end."""
    ids = (*source.ids[:start], *source.ids[start + 1 :], source.ids[start])
    return replace(source, ids=ids)


@pytest.mark.parametrize("how", ["auto", "key"])
def test_shifted_keys_stop_with_the_numbers_and_the_option_that_decides(how: str) -> None:
    message = refused(A, shifted_keys(B, 150), how=how)
    assert "50 rows have another partner by key than by position" in message
    assert "the keys of rows 152 to 200 stand 1 row earlier in the other" in message
    assert "agree far better by position: mean Cohen's kappa over 4 of 4 findings is" in message
    assert "99.8% interval" in message
    assert "Next step: use --align position" in message


def test_shifted_keys_by_position_go_on_and_by_force_warn() -> None:
    found = align(A, shifted_keys(B, 150), how="position")
    assert (found.how, found.differing, found.warnings) == ("position", 50, ())
    assert "By key 50 rows would have another partner" in found.message
    assert found.position_kappa > found.key_kappa + 0.3
    forced = align(A, shifted_keys(B, 150), how="key", force=True)
    assert forced.how == "key"
    assert "shifted or wrong" in forced.warnings[0]


def test_the_public_test_set_is_joined_by_position_alone() -> None:
    folder = DATA / "chexpert_test"
    if not folder.exists():
        pytest.skip("needs ../shared/data/chexpert_test, which is not in this clone")
    truth = read_labels(folder / "groundtruth.csv").matrix
    reports = read_labels(folder / "chexpert_labels.csv").matrix
    for how in ("auto", "key"):
        message = refused(reports, truth, how=how)
        assert "100 rows have another partner" in message
        assert "--align position" in message
    found = align(reports, truth, how="position")
    assert found.position_kappa > found.key_kappa + 0.2
    reader = read_labels(folder / "radiologist_bc4.csv").matrix
    assert align(reader, truth).how == "key"


def test_labels_that_say_nothing_leave_the_key_with_a_warning() -> None:
    unrelated = matrix("images", seed=9)
    found = align(A, shifted_keys(unrelated, 150))
    assert found.how == "key"
    assert "the labels do not tell which is right" in found.warnings[0]
    few = align(A.take(range(5)), shifted_keys(B.take(range(5)), 2))
    assert "too few rows for an interval" in few.warnings[0]
    constant = replace(A, states_NF=np.ones_like(A.states_NF))
    assert (
        "not defined for any of 4 shared findings" in align(constant, shifted_keys(constant, 9)).warnings[0]
    )


def test_partial_overlap_is_joined_and_counted() -> None:
    found = align(A.take(range(150)), B.take(range(20, 200)))
    assert (len(found.rows_a), found.only_a, found.only_b) == (130, 20, 50)
    assert (
        "20 of 150 rows of reports have no partner and 50 of 180 rows of images have no partner"
        in found.message
    )
    assert found.warnings == ()
    little = align(A.take(range(150)), B.take(range(140, 200)))
    assert "only 10 of 60 rows have a key in the other" in little.warnings[0]


def test_repeated_keys_stop_unless_both_have_them_in_the_same_order() -> None:
    doubled = ("s0", *A.ids[:-1])
    message = refused(replace(A, ids=doubled), B)
    assert "1 key occurs more than once in reports ('s0' 2 times)" in message
    assert "--align position" in message
    assert "mean Cohen's kappa by position is" in message
    assert "leave the doubles out" in refused(replace(A, ids=doubled), B.take(range(9)))
    both = align(replace(A, ids=doubled), replace(B, ids=doubled))
    assert both.how == "position"
    assert "keys repeat" in both.message
    assert "cannot be joined by key" in refused(replace(A, ids=doubled), replace(B, ids=doubled), how="key")
    elsewhere = replace(A, ids=("x", "x", *A.ids[2:]))
    assert len(align(elsewhere, B).rows_a) == 198


@pytest.mark.parametrize(
    ("form", "change"),
    [
        ("no-extension", lambda key: f"{key}.dcm.png"),
        ("no-case", str.upper),
        ("last-part", lambda key: f"a/b/{key}"),
        ("stem", lambda key: f"a/b/{key}.png"),
        ("number", lambda key: f"CXR{key[1:]}_IM-0001"),
        ("letters-and-digits", lambda key: f"{key[0]}_{key[1:]}"),
    ],
)
def test_keys_that_almost_fit_are_told_with_the_form_that_joins_them(form: str, change: object) -> None:
    other = replace(B, ids=tuple(map(change, B.ids)))  # type: ignore[call-overload]
    message = refused(A, other)
    assert "have no key in common: 's0', 's1', 's2' ..." in message
    assert f"use --match-keys {form}." in message
    assert "200 of 200 keys fit" in message
    assert len(align(A, other, match_keys=form).rows_a) == 200


def test_paths_are_matched_by_their_last_parts() -> None:
    paths = tuple(f"CheXpert-v1.0/test/patient{row}/study1" for row in range(200))
    short = tuple(path.split("/", 2)[2] for path in paths)
    message = refused(replace(A, ids=paths), replace(B, ids=short))
    assert "--match-keys last-2-parts" in message
    assert len(align(replace(A, ids=paths), replace(B, ids=short), match_keys="last-2-parts").rows_a) == 200


def test_keys_with_nothing_in_common_offer_position_with_its_number() -> None:
    message = refused(A, replace(B, ids=tuple("abcdefgh"[i % 8] * (i + 1) for i in range(200))))
    assert "--match-keys" not in message
    assert "mean Cohen's kappa by position is 0.75" in message


def test_without_keys_rows_are_joined_by_position_if_there_are_equally_many() -> None:
    bare = replace(B, ids=())
    found = align(A, bare)
    assert (found.how, found.message) == (
        "position",
        "200 rows joined by position, because images has no key.",
    )
    assert "has no key column" in refused(A, bare, how="key")
    message = refused(A, bare.take(range(199)))
    assert "have 200 and 199 rows" in message
    assert "--key" in message
    assert "have 200 and 150 rows" in refused(A, B.take(range(150)), how="position")
    assert "both need some" in refused(A, B.take([]))


def test_a_row_lost_shows_as_a_shift_by_position() -> None:
    bare, other = replace(A, ids=()), replace(B, ids=())
    late = other.take([*range(1, 200), 0])
    message = refused(bare, late)
    assert "the one 1 before it in images" in message
    assert "--align position goes on as it stands" in message
    assert "seems to be lost" in align(bare, late, how="position").warnings[0]
    lost_at_140 = other.take([*range(140), *range(141, 200), 140])
    assert "from row 151 on" in refused(bare, lost_at_140)
    assert find_shift(signs(bare, other), seed=0) is None


def test_probabilities_align_too() -> None:
    truth = (A.states_NF == State.POSITIVE).astype(float)
    noise = np.random.default_rng(2).random(truth.shape)
    model = ProbabilityMatrix("model", CHEXPERT14, FINDINGS, A.ids, 0.6 * truth + 0.4 * noise)
    assert align(model, A).how == "key"
    moved = ProbabilityMatrix("model", CHEXPERT14, FINDINGS, (*A.ids[1:], A.ids[0]), model.values_NF)
    assert "far better by position" in refused(moved, A)  # type: ignore[arg-type]
    assert len(align(model, moved, how="position").rows_a) == 200


def test_findings_of_two_vocabularies_meet_by_alias() -> None:
    chest = LabelMatrix(
        "a", CHEXPERT14, ("Pleural Effusion", "Edema"), (), np.array([[1, 0], [0, 1]], np.int8)
    )
    nih = LabelMatrix("b", NIH14, ("Effusion", "Mass"), (), np.array([[1, 0], [0, 1]], np.int8))
    both = signs(chest, nih)
    assert both.findings == ("Pleural Effusion",)
    assert np.array_equal(both.a_NF, both.b_NF)
    nothing = align(chest.select(["Edema"]), nih)
    assert np.isnan(nothing.position_kappa)


def test_unknown_ways_are_named() -> None:
    with pytest.raises(UnknownNameError, match="auto, key, position"):
        align(A, B, how="keys")
    with pytest.raises(UnknownNameError, match="no-extension"):
        align(A, B, match_keys="no-extensions")


def test_many_sources_are_aligned_to_the_first_on_the_rows_of_all() -> None:
    third = shuffled(matrix("reader", flips=0.2)).take(range(180))
    found = align_many([A, shuffled(B), third])
    rows = found.rows
    assert len({len(one) for one in rows}) == 1
    assert len(rows[0]) == 180
    keys = [[source.ids[i] for i in one] for source, one in zip((A, shuffled(B), third), rows, strict=True)]
    assert keys[0] == keys[1] == keys[2]
    assert len(found.messages) == 2
    with pytest.raises(InputError, match="nothing to align"):
        align_many([])
    with pytest.raises(InputError, match="No row is in all"):
        align_many([A, B.take(range(100)), B.take(range(100, 200))])


def test_mean_kappa_is_the_one_of_scikit_learn() -> None:
    both, rows = signs(A, B), np.arange(200)
    expected = np.mean([cohen_kappa_score(both.a_NF[:, f], both.b_NF[:, f]) for f in range(4)])
    assert mean_kappa(both, rows, rows) == pytest.approx(expected)
    assert np.isnan(mean_kappa(both, rows[:0], rows[:0]))


def test_the_contest_is_the_same_each_time_and_turns_its_sign() -> None:
    both, rows = signs(A, B), np.arange(200)
    other = np.roll(rows, 1)
    first = contest(both, rows, rows, other, seed=0)
    assert first == contest(both, rows, rows, other, seed=0)
    turned = contest(both, rows, other, rows, seed=0)
    assert turned.gain.value == -first.gain.value
    assert turned.second_wins
    assert first.first_wins
    assert not contest(both, rows, rows, rows, seed=0).second_wins


def test_runs_of_moved_rows() -> None:
    rows = np.arange(10)
    assert shifted_blocks(rows, rows) == []
    moved = np.array([0, 1, 2, 4, 5, 6, 7, 8, 9, 3])
    assert shifted_blocks(rows, moved) == [(3, 8, 1), (9, 9, -6)]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.sampled_from([*"abcdef", ""]), max_size=12),
    st.lists(st.sampled_from([*"abcdef", ""]), max_size=12),
)
def test_a_join_pairs_equal_keys_once(a: list[str], b: list[str]) -> None:
    found = join_keys(a, b)
    assert [a[i] for i in found.rows_a] == [b[i] for i in found.rows_b]
    assert sorted(found.rows_a) == list(found.rows_a)
    assert {a[i] for i in found.rows_a} == {k for k in a if k and a.count(k) == 1 and b.count(k) == 1}


def test_forms_are_total() -> None:
    for form in KEY_FORMS.values():
        for key in ("", "a", "/", "a/b.png", "007", "ä/1.DCM"):
            assert isinstance(form(key), str)
    assert nearest_form([], []) is None
    assert nearest_form(["a"], ["b"]) is None
