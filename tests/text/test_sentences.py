"""Sentences: one small text, one exact answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.text.sentences import find_sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No effusion. Heart normal.", ["No effusion", "Heart normal"]),
        ("1. No effusion. 2. Heart normal.", ["No effusion", "Heart normal"]),
        ("1. No effusion\n2. Heart normal", ["No effusion", "Heart normal"]),
        ("A 2.5 cm nodule.", ["A 2.5 cm nodule"]),
        ("Seen by Dr. Example today. Clear.", ["Seen by Dr. Example today", "Clear"]),
        ("Scar vs. atelectasis.", ["Scar vs. atelectasis"]),
        ("No pleural\neffusion.", ["No pleural\neffusion"]),
        ("No effusion\nHeart enlarged", ["No effusion", "Heart enlarged"]),
        ("no effusion\n\nheart enlarged", ["no effusion", "heart enlarged"]),
        ("- no effusion\n- heart enlarged", ["no effusion", "heart enlarged"]),
        ("Pneumonia? Edema; scar!", ["Pneumonia", "Edema", "scar"]),
        ("Seen on [**2101-1-1**]. ___ is stable.", ["Seen on [**2101-1-1**]", "___ is stable"]),
        ("", []),
        ("...", []),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text: str, expected: list[str]) -> None:
    assert [text[s.start : s.end] for s in find_sentences(text)] == expected


@given(st.text(max_size=200))
def test_spans_are_ordered_and_inside_the_text(text: str) -> None:
    spans = find_sentences(text)
    places = [place for span in spans for place in span]
    assert places == sorted(places)
    assert all(0 <= p <= len(text) for p in places)
