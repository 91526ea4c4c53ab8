"""Windows of long texts: all of it is in them, in order, overlapping, and each of them fits."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.labelers._text_windows import LEAST_CHARACTERS, halves, windows

SENTENCES = "".join(f"Sentence number {n} says that lobe {n} is clear. " for n in range(200))


def of_words(most):
    return lambda text: len(text.split()) <= most


def places(text, parts):
    """Where each part stands, the first place behind the begin of the one before."""
    found, last = [], -1
    for part in parts:
        last = text.index(part, last + 1)
        found.append((last, last + len(part)))
    return found


def assert_whole(text, parts):
    spans = places(text, parts)
    assert spans[0][0] == 0
    assert spans[-1][1] == len(text)
    assert all(later[0] <= earlier[1] for earlier, later in pairwise(spans))


def test_a_text_that_fits_is_left_alone():
    assert windows("No edema. Clear.", of_words(3)) == ["No edema. Clear."]
    assert windows("", of_words(0)) == [""]


def test_windows_are_whole_sentences_that_overlap():
    parts = windows(SENTENCES, of_words(50))
    assert_whole(SENTENCES, parts)
    assert all(part.startswith("Sentence") and part.strip().endswith("clear.") for part in parts)
    assert all(len(part.split()) <= 50 for part in parts)
    assert all(len(part.split()) >= 40 for part in parts[:-1])
    for earlier, later in pairwise(parts):
        assert later.split(". ", maxsplit=1)[0] in earlier


def test_a_sentence_that_is_too_long_is_cut_between_words():
    text = f"Clear. {' '.join(f'word{n}' for n in range(300))} end. Clear."
    parts = windows(text, of_words(40))
    assert_whole(text, parts)
    assert all(set(part.split()) <= set(text.split()) for part in parts)


def test_what_has_no_words_is_cut_anywhere():
    text = "x" * 5000
    parts = windows(text, lambda part: len(part) <= 700)
    assert sum(map(len, parts)) >= 5000
    assert all(0 < len(part) <= 700 for part in parts)
    assert len(parts) < 15


@settings(max_examples=60, deadline=None)
@given(
    words=st.lists(
        st.sampled_from(["effusion", "no", "edema.", "lung\n\n", "a;", "1.", "\u00e9\U0001fac1"]),
        max_size=120,
    ),
    most=st.integers(1, 25),
)
def test_nothing_is_left_out(words, most):
    text = " ".join(f"{n}x{word}" for n, word in enumerate(words))
    parts = windows(text, of_words(most))
    assert all(len(part.split()) <= most for part in parts)
    seen = {word for part in parts for word in part.split()}
    assert seen == set(text.split())


def test_halves_overlap_and_are_shorter():
    first, second = halves(SENTENCES)
    assert_whole(SENTENCES, [first, second])
    assert max(len(first), len(second)) < len(SENTENCES) * 3 / 4
    assert second.startswith("Sentence")
    words = " ".join(f"word{n}" for n in range(40))
    one, two = halves(words)
    assert_whole(words, [one, two])
    assert set(one.split()) | set(two.split()) == set(words.split())
    assert halves("x" * (LEAST_CHARACTERS - 1)) is None
    assert halves("x" * 200) is not None
