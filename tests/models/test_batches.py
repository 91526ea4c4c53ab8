from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_report_encoder import REPORTS, tiny_tokenizer

from hilum.core.errors import InputError
from hilum.models.batches import buckets, cut, equal_lengths, token_ids, windows

CLS, SEP = 2, 3


def sequence(length: int) -> tuple[int, ...]:
    return (CLS, *range(100, 98 + length), SEP)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return tiny_tokenizer()


def test_ids_are_those_of_the_tokenizer_one_text_at_a_time(tokenizer: Any) -> None:
    assert token_ids(tokenizer, REPORTS) == [tuple(tokenizer.encode(text)) for text in REPORTS]
    assert token_ids(tokenizer._tokenizer, REPORTS) == token_ids(tokenizer, REPORTS)
    assert token_ids(tokenizer, []) == []


def test_an_empty_text_has_two_tokens(tokenizer: Any) -> None:
    assert token_ids(tokenizer, [""]) == [(CLS, SEP)]


def test_long_texts_are_not_cut_unless_asked_and_nothing_warns(
    tokenizer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    text = "edema " * 200
    assert len(token_ids(tokenizer, [text])[0]) == 202
    found = token_ids(tokenizer, [text], max_tokens=64)[0]
    assert len(found) == 64
    assert found[-1] == SEP
    assert not caplog.records


def test_cutting_keeps_the_first_tokens_and_the_last_one() -> None:
    assert cut(sequence(9), 5) == (CLS, 100, 101, 102, SEP)
    assert cut(sequence(5), 5) == sequence(5)
    with pytest.raises(InputError, match="at least 3 tokens"):
        cut(sequence(9), 2)


def test_a_text_that_fits_is_one_window() -> None:
    assert windows(sequence(512), max_tokens=512) == [sequence(512)]


def test_windows_share_tokens_and_end_with_the_text() -> None:
    assert windows(sequence(9), max_tokens=6, overlap=1) == [
        (CLS, 100, 101, 102, 103, SEP),
        (CLS, 103, 104, 105, 106, SEP),
    ]
    assert windows(sequence(10), max_tokens=6, overlap=1)[-1] == (CLS, 106, 107, SEP)


def test_windows_begin_and_end_with_sentences_where_they_can() -> None:
    dots = (CLS, *[7 if i % 10 == 9 else 100 + i for i in range(60)], SEP)
    found = windows(dots, max_tokens=26, overlap=6, ends=frozenset({7}))
    assert [(one[1], one[-2]) for one in found] == [(100, 7), (110, 7), (120, 7), (130, 7), (140, 7)]
    assert {len(one) - 2 for one in found} == {20}


def test_a_long_sentence_is_cut_as_if_there_were_none() -> None:
    assert windows(sequence(40), max_tokens=12, ends=frozenset({7})) == windows(sequence(40), max_tokens=12)


def test_an_overlap_is_at_most_half_a_window() -> None:
    assert windows(sequence(20), max_tokens=12, overlap=500) == windows(
        sequence(20), max_tokens=12, overlap=5
    )
    with pytest.raises(InputError, match="overlap by -1"):
        windows(sequence(9), max_tokens=6, overlap=-1)


@given(st.integers(2, 400), st.integers(3, 60), st.integers(0, 80), st.integers(1, 60))
def test_windows_cover_every_token_in_order(length: int, longest: int, overlap: int, every: int) -> None:
    ids = sequence(length)
    found = windows(ids, max_tokens=longest, overlap=overlap, ends=frozenset(ids[every:-1:every]))
    assert list(dict.fromkeys(token for one in found for token in one[1:-1])) == list(ids[1:-1])
    assert all(one[0] == CLS and one[-1] == SEP and len(one) <= longest for one in found)
    shared = min(overlap, (longest - 2) // 2)
    for one, other in itertools.pairwise(found):
        assert len(set(one[1:-1]) & set(other[1:-1])) >= shared


def test_buckets_take_the_longest_first_and_equal_lengths_in_order() -> None:
    assert buckets([3, 9, 3, 5, 9], batch_size=2) == [[1, 4], [3, 0], [2]]
    assert buckets([3, 9, 3, 5, 9], batch_size=2, bucketing=False) == [[0, 1], [2, 3], [4]]


def test_buckets_by_tokens_take_one_sequence_that_is_too_long() -> None:
    assert buckets([3, 9, 3, 5, 2], batch_tokens=8) == [[1], [3, 0], [2, 4]]
    assert buckets([], batch_tokens=8) == []


@given(st.lists(st.integers(1, 50)), st.integers(1, 9), st.integers(1, 120), st.booleans())
def test_every_place_is_in_one_batch(lengths: list[int], size: int, tokens: int, bucketing: bool) -> None:
    found = buckets(lengths, batch_size=size, batch_tokens=tokens, bucketing=bucketing)
    assert sorted(place for batch in found for place in batch) == list(range(len(lengths)))
    for batch in found:
        assert len(batch) <= size
        assert len(batch) == 1 or sum(lengths[place] for place in batch) <= tokens


@pytest.mark.parametrize("limits", [{}, {"batch_size": 0}, {"batch_tokens": -1}])
def test_a_batch_without_room_is_refused(limits: dict[str, int]) -> None:
    with pytest.raises(InputError, match="at least 1 text"):
        buckets([1, 2], **limits)


def test_equal_lengths_are_grouped_longest_first() -> None:
    assert equal_lengths([(1, 2), (1, 2, 3), (4, 5), (6,)]) == [[1], [0, 2], [3]]
