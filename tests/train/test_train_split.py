from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.core.errors import InputError
from hilum.train.split import same_text, split_rows


def test_85_to_15() -> None:
    [split] = split_rows([[f"report {i}" for i in range(200)]], share=0.15, seed=0)
    assert (len(split.train), len(split.dev)) == (170, 30)
    assert sorted([*split.train, *split.dev]) == list(range(200))


def test_the_seed_decides() -> None:
    texts = [[f"report {i}" for i in range(100)]]
    first, again, other = (split_rows(texts, share=0.2, seed=s)[0].dev.tolist() for s in (1, 1, 2))
    assert first == again != other


def test_one_text_is_never_on_both_sides() -> None:
    texts = [f"text {i % 40}" for i in range(200)]
    texts[7] = "TEXT  7\n"  # the same words
    [split] = split_rows([texts], share=0.15, seed=0)
    assert not {same_text(texts[i]) for i in split.train} & {same_text(texts[i]) for i in split.dev}
    assert len(split.dev) == 30


def test_one_patient_is_never_on_both_sides() -> None:
    groups = [f"p{i // 3}" for i in range(150)] + [""] * 50
    [split] = split_rows([[f"text {i}" for i in range(200)]], share=0.15, seed=0, groups=[groups])
    named = [{groups[i] for i in side} - {""} for side in split]
    assert not named[0] & named[1]
    assert 28 <= len(split.dev) <= 30


def test_what_judges_the_second_step_was_not_learned_in_the_first() -> None:
    texts = [f"text {i}" for i in range(200)]
    first, second = split_rows([texts, texts[50:110]], share=0.15, seed=0)
    learned = {texts[i] for i in first.train}
    judged = {texts[50 + i] for i in second.dev}
    assert not learned & judged
    assert (len(first.dev), len(second.dev)) == (30, 9)


@given(
    st.lists(st.integers(0, 15), min_size=8, max_size=60),
    st.lists(st.integers(0, 15), max_size=20),
    st.floats(0.05, 0.6),
    st.integers(0, 5),
)
@settings(max_examples=60, deadline=None)
def test_no_text_crosses_whatever_the_rows(one: list[int], two: list[int], share: float, seed: int) -> None:
    texts = [[str(x) for x in one], *([[str(x) for x in two]] if two else [])]
    try:
        splits = split_rows(texts, share=share, seed=seed)
    except InputError:
        return
    train = {texts[s][i] for s, split in enumerate(splits) for i in split.train}
    dev = {texts[s][i] for s, split in enumerate(splits) for i in split.dev}
    assert not train & dev
    for own, split in zip(texts, splits, strict=True):
        assert len(split.dev) <= np.rint(len(own) * share)


@pytest.mark.parametrize("texts", [["same"] * 50, ["a", "b", "c"], ["one"]])
def test_too_few_different_texts(texts: list[str]) -> None:
    with pytest.raises(InputError, match=r"too few to put 15% of them aside.*--dev-share"):
        split_rows([texts], share=0.15, seed=0)
