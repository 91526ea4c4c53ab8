from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.core.errors import InputError
from hilum.core.rng import rng_for
from hilum.models.retrieval import ABOUT, INDEX, ROWS, Row, VectorIndex, build_index, load_index
from hilum.models.text_neighbours import Shot, few_shot_neighbours, text_mark

pytest.importorskip("faiss")


def vectors(count: int, dims: int = 8, *, seed: int = 0) -> np.ndarray:
    return rng_for(seed, "retrieval").standard_normal((count, dims)).astype(np.float32)


def index_of(count: int, **options: object) -> VectorIndex:
    rows = [Row(f"s{i}", (f"study s{i}", f"patient p{i // 3}")) for i in range(count)]
    return build_index(vectors(count), rows, **options)  # type: ignore[arg-type]


def brute(stored: np.ndarray, query: np.ndarray, allowed: list[int], k: int) -> list[int]:
    unit = stored.astype(np.float64) / np.linalg.norm(stored.astype(np.float64), axis=1, keepdims=True)
    similar = unit @ (query.astype(np.float64) / np.linalg.norm(query.astype(np.float64)))
    return sorted(allowed, key=lambda i: -similar[i])[:k]


def test_the_neighbours_are_those_of_plain_products() -> None:
    found = index_of(300).search(vectors(20, seed=1), 5)
    for query, near in zip(vectors(20, seed=1), found, strict=True):
        assert [one.place for one in near.neighbours] == brute(vectors(300), query, list(range(300)), 5)
        assert list(near.neighbours) == sorted(near.neighbours, key=lambda one: -one.similarity)
        assert not near.passed_over


def test_batches_change_nothing() -> None:
    index, queries = index_of(500), vectors(60, seed=2)
    together = index.search(queries, 4)
    assert together == [one for query in queries for one in index.search(query[None], 4)]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 4), st.booleans())
def test_no_neighbour_shares_a_mark_and_the_best_of_the_others_are_found(
    seed: int, patients: int, k: int, approximate: bool
) -> None:
    rng = rng_for(seed, "leak")
    owner = rng.integers(patients + k, size=40)
    rows = [
        Row(f"s{i}", (f"study s{i}", f"patient {p}", f"text {rng.integers(30)}"))
        for i, p in enumerate(owner.tolist())
    ]
    stored = vectors(40, seed=seed)
    index = build_index(stored, rows, approximate=approximate, cells=4, probes=4)
    asked = rng.integers(40, size=10)
    found = index.search(stored[asked], k, marks=[rows[i].marks for i in asked])
    for place, near in zip(asked.tolist(), found, strict=True):
        barred = set(rows[place].marks)
        allowed = [i for i, row in enumerate(rows) if not barred & set(row.marks)]
        assert [one.place for one in near.neighbours] == brute(stored, stored[place], allowed, k)
        assert near.passed_over["study"] == 1 if near.neighbours else True


def test_what_is_barred_is_passed_over_however_much_of_it_stands_in_front() -> None:
    stored = np.concatenate([np.tile([[1.0, 0.0]], (200, 1)), [[0.0, 1.0], [0.1, 1.0]]]).astype(np.float32)
    rows = [Row(f"s{i}", ("patient a",)) for i in range(200)] + [Row("b"), Row("c")]
    for approximate in (False, True):
        index = build_index(stored, rows, approximate=approximate, cells=2, probes=1)
        [near] = index.search(stored[:1], 2, marks=[("patient a",)])
        assert [one.id for one in near.neighbours] == ["c", "b"]
        assert near.passed_over == {"patient": 200}


def test_images_of_one_study_count_once_and_queries_of_one_group_as_one() -> None:
    stored = np.eye(4, dtype=np.float32)
    index = build_index(stored, [Row("a"), Row("a"), Row("b"), Row("c")])
    queries = np.array([[1, 0.9, 0, 0], [0, 0, 0.2, 1]], dtype=np.float32)
    [near] = index.search(queries, 3, groups=[0, 0])
    assert [one.id for one in near.neighbours] == ["c", "a", "b"]
    assert near.neighbours[0].similarity == pytest.approx(1 / np.hypot(1, 0.2), abs=1e-6)
    assert len(near.neighbours) == len({one.id for one in near.neighbours})


def test_equal_similarities_are_ordered_by_place() -> None:
    index = build_index(np.ones((30, 3)), [Row(f"s{i}") for i in range(30)])
    [near] = index.search(np.ones((1, 3)), 5)
    assert [one.place for one in near.neighbours] == [0, 1, 2, 3, 4]


def test_an_approximate_index_finds_nearly_all_of_clustered_vectors_and_is_the_same_twice() -> None:
    rng = rng_for(0, "clusters")
    centres = rng.standard_normal((40, 16))
    stored = centres[rng.integers(40, size=3000)] + 0.2 * rng.standard_normal((3000, 16))
    rows = [Row(f"s{i}") for i in range(3000)]
    exact, near = build_index(stored, rows), build_index(stored, rows, approximate=True)
    assert (exact.kind, near.kind) == ("exact", "cells")
    truth, found = exact.search(stored[:100], 5), near.search(stored[:100], 5)
    hits = sum(
        len({one.id for one in a.neighbours} & {one.id for one in b.neighbours})
        for a, b in zip(truth, found, strict=True)
    )
    assert hits >= 0.9 * 500
    assert build_index(stored, rows, approximate=True).search(stored[:100], 5) == found


@pytest.mark.parametrize("approximate", [False, True])
def test_a_saved_index_answers_the_same_and_has_no_pickle(tmp_path: Path, approximate: bool) -> None:
    index = index_of(120, approximate=approximate, made_by="m")
    folder = index.save(tmp_path / "index")
    assert sorted(one.name for one in folder.iterdir()) == sorted((ABOUT, INDEX, ROWS))
    loaded = load_index(folder)
    assert (loaded.rows, loaded.kind, loaded.made_by) == (index.rows, index.kind, "m")
    queries = vectors(7, seed=3)
    assert loaded.search(queries, 3) == index.search(queries, 3)
    assert json.loads((folder / ROWS).read_text().splitlines()[4]) == ["s4", "study s4", "patient p1"]


def test_equal_vectors_give_equal_bytes(tmp_path: Path) -> None:
    for name in "ab":
        index_of(200, approximate=True).save(tmp_path / name)
    assert (tmp_path / "a" / INDEX).read_bytes() == (tmp_path / "b" / INDEX).read_bytes()


def test_a_damaged_index_is_refused(tmp_path: Path) -> None:
    folder = index_of(20).save(tmp_path)
    (folder / INDEX).write_bytes(b"no index")
    with pytest.raises(InputError, match="is not what was written"):
        load_index(folder)
    with pytest.raises(InputError, match="no vector index"):
        load_index(tmp_path / "nothing")


def test_what_cannot_be_searched_is_told() -> None:
    index = index_of(6)
    with pytest.raises(InputError, match="datastore has 6"):
        index.search(vectors(1), 7)
    with pytest.raises(InputError, match="At least 1"):
        index.search(vectors(1), 0)
    with pytest.raises(InputError, match="9 numbers each and the index 8"):
        index.search(vectors(1, 9), 1)
    with pytest.raises(InputError, match="do not fit"):
        index.search(vectors(2), 1, marks=[()])
    with pytest.raises(InputError, match="that of 's1'"):
        build_index(np.array([[1.0], [0.0]]), [Row("s0"), Row("s1")])
    with pytest.raises(InputError, match="at least one vector"):
        build_index(np.empty((0, 4)), [])


REPORTS = ("Heart is enlarged.", "Small left effusion.", "Large left effusion and edema.", "No pneumothorax.")
SHOTS = [Shot(f"r{i}", text, (f"patient {i % 2}",)) for i, text in enumerate(REPORTS)]


def test_text_neighbours_share_words_and_never_the_text() -> None:
    found = few_shot_neighbours(["A left effusion.", "heart  IS enlarged."], SHOTS, 2)
    assert {one.id for one in found[0].neighbours} == {"r1", "r2"}
    assert "r0" not in {one.id for one in found[1].neighbours}
    assert found[1].passed_over == {"text": 1}
    assert text_mark("heart  IS enlarged.") == text_mark("Heart is\nenlarged.")


def test_text_neighbours_never_share_a_mark() -> None:
    found = few_shot_neighbours(list(REPORTS), SHOTS, 2, marks=[shot.marks for shot in SHOTS])
    for shot, near in zip(SHOTS, found, strict=True):
        assert len(near.neighbours) == 2
        assert all(not set(shot.marks) & set(SHOTS[one.place].marks) for one in near.neighbours)


def test_text_neighbours_refuse_what_cannot_be_done() -> None:
    with pytest.raises(InputError, match="datastore has 4"):
        few_shot_neighbours(["x"], SHOTS, 5)
    with pytest.raises(InputError, match="has a word"):
        few_shot_neighbours(["x"], [Shot("a", "...")], 1)
    with pytest.raises(InputError, match="sets of marks"):
        few_shot_neighbours(["x", "y"], SHOTS, 1, marks=[()])
