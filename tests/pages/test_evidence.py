from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.core.records import Evidence, Labels, Section, propagate_parents
from hilum.core.vocabulary import CHEXPERT14, State
from hilum.pages.evidence import OTHER, cut_pieces, label_words, look_of, visible
from hilum.pages.evidence_page import PageItem


def mention(start: int, end: int, cue: tuple[int, int] = (-1, -1), state: State = State.POSITIVE) -> Evidence:
    return Evidence(
        "Edema", state, start, end, "edema.words", "cue" if cue[0] >= 0 else "", *cue, 0, 50, "body"
    )


def test_overlapping_mentions_are_cut_into_pieces_that_name_both() -> None:
    pieces = cut_pieces(30, [mention(5, 20), mention(10, 25)])
    assert [(p.start, p.end, p.mentions) for p in pieces] == [
        (0, 5, ()),
        (5, 10, (0,)),
        (10, 20, (0, 1)),
        (20, 25, (1,)),
        (25, 30, ()),
    ]


def test_nested_mention_cue_and_section_keep_their_layers() -> None:
    pieces = cut_pieces(12, [mention(0, 10, cue=(2, 4))], sections=[Section("findings", 3, 12)])
    assert [(p.start, p.end, p.mentions, p.cues, p.sections) for p in pieces] == [
        (0, 2, (0,), (), ()),
        (2, 3, (0,), (0,), ()),
        (3, 4, (0,), (0,), (0,)),
        (4, 10, (0,), (), (0,)),
        (10, 12, (), (), (0,)),
    ]


def test_spans_outside_the_text_are_clipped_and_an_empty_text_has_no_pieces() -> None:
    assert [(p.start, p.end, p.mentions) for p in cut_pieces(8, [mention(6, 99)])] == [
        (0, 6, ()),
        (6, 8, (0,)),
    ]
    assert cut_pieces(0, [mention(0, 5)]) == []


spans = st.tuples(st.integers(-2, 40), st.integers(-2, 40))


@given(st.integers(0, 35), st.lists(st.tuples(spans, spans), max_size=6))
def test_pieces_cover_the_text_once_and_know_every_span(
    length: int, found: list[tuple[tuple[int, int], tuple[int, int]]]
) -> None:
    evidence = [mention(*words, cue=cue) for words, cue in found]
    pieces = cut_pieces(length, evidence)
    assert [i for p in pieces for i in range(p.start, p.end)] == list(range(length))
    for piece in pieces:
        for i in range(piece.start, piece.end):
            assert piece.mentions == tuple(n for n, e in enumerate(evidence) if e.start <= i < e.end)
            assert piece.cues == tuple(n for n, e in enumerate(evidence) if e.cue_start <= i < e.cue_end)


def test_a_shared_piece_looks_like_its_strongest_finding_and_findings_go_before_other_abnormalities() -> None:
    evidence = (
        mention(0, 9, state=State.NEGATIVE),
        mention(3, 6, state=State.UNCERTAIN),
        mention(5, 12)._replace(finding=""),
    )
    labels = Labels(CHEXPERT14, (State.BLANK,) * len(CHEXPERT14), evidence)
    assert [(p.start, *look_of(p, labels)) for p in cut_pieces(14, evidence)] == [
        (0, State.NEGATIVE, False),
        (3, State.UNCERTAIN, False),
        (5, State.UNCERTAIN, False),
        (6, State.NEGATIVE, False),
        (9, State.POSITIVE, True),
        (12, State.BLANK, False),
    ]
    assert [(r.finding, r.other) for r in label_words(labels)] == [(OTHER, True)]


@given(st.text(alphabet=st.characters(), max_size=60))
def test_visible_keeps_every_place_and_leaves_nothing_that_cannot_be_shown(text: str) -> None:
    shown = visible(text)
    assert len(shown) == len(text)
    shown.encode("utf-8")
    assert not any(ord(c) < 0x20 and c not in "\t\n" for c in shown)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\r\nb\rc", "a \nb\nc"),
        ("\x00\x1b[31m", "␀␛[31m"),
        ("\ud800\x7f", "\ufffd␡"),
        ("🫁\u0080", "🫁\ufffd"),
    ],
)
def test_visible_examples(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_rows_come_strongest_first_and_name_what_was_outweighed(ward: list[PageItem]) -> None:
    rows = label_words(ward[1].labels)
    assert [(r.finding, r.state, r.deciding, r.outweighed) for r in rows] == [
        ("Pneumonia", State.POSITIVE, (1,), ()),
        ("Lung Lesion", State.UNCERTAIN, (0,), (2,)),
    ]


def test_a_label_without_words_says_why(make_item: Callable[..., PageItem]) -> None:
    normal = make_item("x", "Normal.", no_finding=True).labels
    assert [r.reason for r in label_words(normal)] == ["no abnormality is affirmed or hedged"]
    child = make_item("y", "Edema.", [("Edema", State.POSITIVE, "Edema")]).labels
    reasons = {r.finding: r.reason for r in label_words(propagate_parents(child))}
    assert reasons == {"Edema": "", "Lung Opacity": "follows from Edema"}
    bare = Labels(
        CHEXPERT14, tuple(State.NEGATIVE if n == "Fracture" else State.BLANK for n in CHEXPERT14.names)
    )
    assert [r.reason for r in label_words(bare)] == ["no words were recorded"]
