"""A report's text and its evidence, cut into the pieces that a page or a terminal shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from hilum.core.records import Evidence, Labels, Section, strongest
from hilum.core.vocabulary import PRECEDENCE, State

_PICTURES = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n\r"}
_NOT_TEXT = dict.fromkeys([*range(0x80, 0xA0), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF], 0xFFFD)
_VISIBLE = {**_PICTURES, 0x7F: 0x2421, **_NOT_TEXT}


class Piece(NamedTuple):
    """A stretch of text in which no span begins or ends; the tuples hold places in evidence or sections."""

    start: int
    end: int
    mentions: tuple[int, ...]
    cues: tuple[int, ...]
    sentences: tuple[int, ...]
    sections: tuple[int, ...]


def visible(text: str) -> str:
    """`text` with the same length and every character safe to show.

    Control characters become their pictures (NUL is ␀, ESC is ␛), halves of surrogate pairs become U+FFFD,
    and a carriage return becomes a line break, or a space where a line break follows it.
    """
    return text.replace("\r\n", " \n").replace("\r", "\n").translate(_VISIBLE)


def cut_pieces(length: int, evidence: Sequence[Evidence], *, sections: Sequence[Section] = ()) -> list[Piece]:
    """Pieces that cover `[0, length)` in order, without gaps, for spans that may overlap in any way.

    Spans are clipped to the text; empty ones are left out.
    """
    edges: dict[int, list[tuple[int, int, bool]]] = {0: [], length: []}
    for layer, place, start, end in _spans(evidence, sections):
        start, end = max(start, 0), min(end, length)  # noqa: PLW2901
        if start < end:
            edges.setdefault(start, []).append((layer, place, True))
            edges.setdefault(end, []).append((layer, place, False))
    active: tuple[set[int], ...] = (set(), set(), set(), set())
    order = sorted(edges)
    pieces = []
    for start, end in pairwise(order):
        for layer, place, opens in edges[start]:
            (active[layer].add if opens else active[layer].discard)(place)
        pieces.append(Piece(start, end, *(tuple(sorted(layer)) for layer in active)))
    return pieces


def _spans(evidence: Sequence[Evidence], sections: Sequence[Section]) -> Iterator[tuple[int, int, int, int]]:
    for place, item in enumerate(evidence):
        yield 0, place, item.start, item.end
        yield 1, place, item.cue_start, item.cue_end
        yield 2, place, item.sentence_start, item.sentence_end
    for place, section in enumerate(sections):
        yield 3, place, section.start, section.end


OTHER = "Other abnormality"
"""Heading of the mentions that are no finding of the vocabulary: they matter only to No Finding."""


class LabelWords(NamedTuple):
    """A finding that is not blank: its state and the places, in `Labels.evidence`, of what was said of it.

    `deciding` mentions have the state of the label, `outweighed` ones another; `reason` says why there is a
    label when no mention decided it, else it is "". `other` marks the row `OTHER`, which is no label.
    """

    finding: str
    state: State
    deciding: tuple[int, ...]
    outweighed: tuple[int, ...]
    reason: str = ""
    other: bool = False


def label_words(labels: Labels) -> list[LabelWords]:
    """The findings that are not blank, strongest state first, then in the order of the vocabulary.

    Mentions of abnormalities that are no finding of the vocabulary come last, together, as `OTHER`.
    """
    places: dict[str, list[int]] = {name: [] for name in (*labels.vocabulary.names, OTHER)}
    for place, item in enumerate(labels.evidence):
        places[OTHER if is_other(item, labels) else item.finding].append(place)
    rows = [
        _row(labels, finding, state, places[finding])
        for finding, state in labels.as_dict().items()
        if state is not State.BLANK
    ]
    rows.sort(key=lambda row: PRECEDENCE.index(row.state))
    if places[OTHER]:
        state = strongest(*(labels.evidence[place].state for place in places[OTHER]))
        rows.append(_row(labels, OTHER, state, places[OTHER])._replace(other=True))
    return rows


def is_other(item: Evidence, labels: Labels) -> bool:
    """Whether a mention is of something that is no finding of the vocabulary."""
    return item.finding not in labels.vocabulary.names


def _row(labels: Labels, finding: str, state: State, places: Sequence[int]) -> LabelWords:
    deciding = tuple(place for place in places if labels.evidence[place].state == state)
    outweighed = tuple(place for place in places if labels.evidence[place].state != state)
    return LabelWords(
        finding, state, deciding, outweighed, "" if deciding else _reason(labels, finding, state)
    )


def _reason(labels: Labels, finding: str, state: State) -> str:
    if labels.probabilities is not None:
        return "by the model; no sentence decides it"
    if finding == labels.vocabulary.no_finding:
        return "no abnormality is affirmed or hedged"
    below = [
        name
        for name, said in labels.as_dict().items()
        if said == state is not State.NEGATIVE and finding in labels.vocabulary.ancestors(name)
    ]
    return f"follows from {', '.join(below)}" if below else "no words were recorded"


class Look(NamedTuple):
    """How a piece is shown: the strongest state of its mentions, and whether none is of a finding."""

    state: State
    other: bool


def look_of(piece: Piece, labels: Labels) -> Look:
    """The look of a piece; findings of the vocabulary go before other abnormalities. BLANK: no mention."""
    mentions = [labels.evidence[place] for place in piece.mentions]
    findings = [item.state for item in mentions if not is_other(item, labels)]
    if findings:
        return Look(strongest(*findings), other=False)
    return Look(strongest(*(item.state for item in mentions)), other=bool(mentions))
