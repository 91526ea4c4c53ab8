from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.core.errors import InputError
from hilum.datasets.phantom import build as phantom
from hilum.labelers._base import ReportSpans
from hilum.labelers.rules import build as rules
from hilum.text.report_words import count_words, frequent_words, joined, report_sentences

ANNOTATION = (
    Path(__file__).resolve().parents[2].parent / "shared" / "data" / "openi" / "r2gen_annotation.json"
)


@pytest.mark.parametrize(
    ("text", "sentences", "back"),
    [
        ("No edema. Heart is LARGE.", "no edema|heart is large", "no edema. heart is large."),
        ("A 3.5 cm mass, 1.2 x 4 cm", "a 3.5 cm mass , 1.2 x 4 cm", "a 3.5 cm mass, 1.2 x 4 cm."),
        ("XXXX XXXX-year-old, ___ and xx", "xxxx xxxx-year-old , xxxx and xxxx", None),
        ("1. No edema.\n2. Clear lungs", "no edema|clear lungs", "no edema. clear lungs."),
        ("- no edema\n- clear", "no edema|clear", "no edema. clear."),
        ("right-sided, patient's", "right-sided , patient's", "right-sided, patient's."),
        ("effusion/edema (small): 50%", "effusion / edema ( small ) : 50", "effusion/edema (small): 50."),
        ("Pneumonia? Clear.", "pneumonia ?|clear", "pneumonia? clear."),
        ("?pneumonia. ?edema or ?mass", "? pneumonia|? edema or ? mass", "?pneumonia. ?edema or ?mass."),
        ("clear - no mass -- seen", "clear - no mass - seen", "clear - no mass - seen."),
        ("seen by Dr.", "seen by dr", "seen by dr ."),
        ("Lines\nwrap here", "lines wrap here", "lines wrap here."),
        ('the "heart" \u2013 large', "the heart - large", "the heart - large."),
        ("", "", ""),
        (" \n", "", ""),
    ],
)
def test_texts_become_sentences_and_text_again(text: str, sentences: str, back: str | None) -> None:
    found = report_sentences(text)
    assert "|".join(" ".join(words) for words in found) == sentences
    if back is not None:
        assert joined(found) == back
    assert report_sentences(joined(found)) == found


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("abdrsvx Xx_19.,:;?!-/()\n&%'\"*\u2014"), max_size=60))
def test_what_was_written_again_reads_the_same(text: str) -> None:
    found = report_sentences(text)
    assert all(found) or not found
    again = report_sentences(joined(found))
    assert [w for words in again for w in words if w.isalnum()] == [
        w for words in found for w in words if w.isalnum()
    ]


def test_sentences_without_words_are_left_out() -> None:
    assert joined([(), ("no", "edema"), ()]) == "no edema."
    assert joined([("a",), ("dr",), ("b",)]) == "a. dr . b."
    assert report_sentences("a. dr . b.") == (("a",), ("dr",), ("b",))


def test_words_are_counted_and_the_frequent_kept() -> None:
    counts = count_words([report_sentences("No edema. No mass."), report_sentences("No mass")])
    assert counts == Counter({"no": 3, "mass": 2, "edema": 1})
    assert frequent_words(counts) == ("no", "mass", "edema")
    assert frequent_words(counts, least=2) == ("no", "mass")
    assert frequent_words(counts, most=1) == ("no",)
    with pytest.raises(InputError, match="No word of the reports occurs 9 times"):
        frequent_words(counts, least=9)


def same_labels(texts: list[str]) -> float:
    """The share of texts whose 14 labels stay; every text's sentences come back."""
    labeler = rules()
    found = [report_sentences(text) for text in texts]
    back = [joined(sentences) for sentences in found]
    assert [report_sentences(text) for text in back] == found
    before, after = (labeler.label_batch([ReportSpans(t) for t in given]) for given in (texts, back))
    return sum(a.states == b.states for a, b in zip(before, after, strict=True)) / len(texts)


def test_phantom_reports_keep_their_labels() -> None:
    texts = [s.report for s in phantom(seed=3, n=300, draw=False).studies() if s.report]
    assert same_labels([t if isinstance(t, str) else t.text for t in texts]) == 1.0


def test_open_i_reports_keep_their_labels() -> None:
    if not ANNOTATION.exists():
        pytest.skip("needs ../shared/data/openi/r2gen_annotation.json, which is not in this clone")
    splits = json.loads(ANNOTATION.read_text(encoding="utf-8"))
    assert same_labels([entry["report"] for split in splits.values() for entry in split]) > 0.995
