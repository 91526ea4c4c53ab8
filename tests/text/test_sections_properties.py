"""Sections of any text: exact spans, linear time, and changes that must not matter."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from itertools import pairwise, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.text.sections import SectionCoverage, find_sections

PIECES = st.sampled_from(
    [
        "FINDINGS",
        "Impression",
        "history",
        "COMPARISON",
        ":",
        " :",
        "\n",
        "\r\n",
        "\r",
        " ",
        "\xa0",
        "\t",
        " - ",
        ". ",
        "XXXX",
        "___",
        "[**a**]",
        "[**",
        "(",
        ")",
        "the",
        "LUNGS",
        "chest",
        "PA",
        "Clear lungs are seen",
        "1.",
        "AND",
        "/",
        "FINAL REPORT",
        "\uff1a",
        "\u2013",
        "*",
        "é",
        "\u0130",
        "\x00",
        "😀",
        "PATIENT NAME",
    ]
)
TEXTS = st.one_of(st.text(), st.lists(PIECES, max_size=40).map("".join))
HEADINGS = st.lists(
    st.sampled_from(
        ["FINDINGS:", "IMPRESSION:", "HISTORY:", "COMPARISON:", "CONCLUSION:", "LUNGS:", "CHEST X-RAY:"]
    ),
    min_size=1,
    max_size=6,
)
BODIES = [
    "The lungs are clear.",
    "No large effusion",
    "1. Edema.\n2. Tube in place.",
    "",
    "Stable ___ since XXXX",
]


def found(text: str) -> list[tuple[str, str]]:
    return [(s.name, text[s.start : s.end]) for s in find_sections(text)]


def report(names: list[str], bodies: list[str]) -> str:
    return "\n".join(f"{n} {b}" for n, b in zip(names, bodies, strict=True))


@st.composite
def reports(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    names = draw(HEADINGS)
    return names, [draw(st.sampled_from(BODIES)) for _ in names]


@given(TEXTS)
@settings(max_examples=400, deadline=None)
def test_spans_are_trimmed_ordered_and_in_range(text: str) -> None:
    sections = find_sections(text)
    for s in sections:
        assert 0 <= s.start <= s.end <= len(text)
        assert text[s.start : s.end] == text[s.start : s.end].strip()
    assert all(a.end <= b.start for a, b in pairwise(sections))
    assert bool(text.strip()) >= bool(sections)
    assert find_sections(text) == sections


@given(reports(), st.sampled_from(["lower", "upper", "title"]))
@settings(deadline=None)
def test_case_of_headings_does_not_matter(made: tuple[list[str], list[str]], case: str) -> None:
    names, bodies = made
    changed = [getattr(n, case)() for n in names]
    want = [(n, b.casefold()) for n, b in found(report(names, bodies))]
    assert [(n, b.casefold()) for n, b in found(report(changed, bodies))] == want


@given(reports(), st.sampled_from(["\r\n", "\r"]))
@settings(deadline=None)
def test_line_ends_do_not_matter(made: tuple[list[str], list[str]], end: str) -> None:
    text = report(*made)
    assert [(n, b.replace(end, "\n")) for n, b in found(text.replace("\n", end))] == found(text)


@given(reports(), st.text(alphabet=" \t\xa0", max_size=150))
@settings(deadline=None)
def test_leading_spaces_do_not_matter(made: tuple[list[str], list[str]], spaces: str) -> None:
    text = report(*made)
    moved = spaces + text.replace("\n", "\n" + spaces)
    assert [(n, b.replace(spaces, "") if spaces else b) for n, b in found(moved)] == [
        (n, b.replace(spaces, "") if spaces else b) for n, b in found(text)
    ]


def seconds(text: str) -> float:
    best = float("inf")
    for _ in range(3):
        begun = time.process_time()
        find_sections(text)
        best = min(best, time.process_time() - begun)
    return best


@pytest.mark.parametrize(
    "unit",
    [
        ":",
        "a:",
        "\n",
        "a\n",
        " \n",
        "\r\n",
        "IMPRESSION",
        "IMPRESSION: ",
        "IMPRESSION\n",
        " - ",
        "[**",
        "(",
        "X",
        " ",
        "the findings: ",
        "HISTORY: a\n\n",
        "\nPATIENT NAME: ",
        "FINDINGS ",
        "chest:",
        "The lungs are clear. ",
    ],
)
def test_time_is_linear(
    unit: str, assert_linear: Callable[[Callable[[int], Callable[[], object]]], None]
) -> None:
    def prepare(size: int) -> Callable[[], object]:
        text = (unit * (size // len(unit) + 1))[:size]
        return lambda: find_sections(text)

    assert_linear(prepare)


def test_ten_megabytes_of_prose_and_of_spaces_after_a_heading() -> None:
    assert seconds("The lungs are clear without effusion. " * 270_000) < 2
    assert seconds("IMPRESSION" + " " * 10_000_000 + "\nFINDINGS:" + "\n" * 1_000_000 + "x") < 10


COVERED = [
    "PATIENT NAME: A\nFINDINGS: clear\nIMPRESSION:",
    "Clear lungs.",
    "DOSE SUMMARY: 3\nPATIENT NAME: B\nHISTORY: cough",
    "LIKELY CAUSE: unknown",
]


def covered(texts: list[str], limit: int = 2000) -> SectionCoverage:
    coverage = SectionCoverage(limit=limit)
    for text in texts:
        assert coverage.add(text) == find_sections(text)
    return coverage


def test_coverage_counts_what_was_found_and_what_was_not() -> None:
    assert covered(COVERED).to_dict() == {
        "reports": 4,
        "without_headings": 2,
        "sections": {"body": 2, "findings": 1, "history": 1, "impression": 1, "other": 3},
        "empty_sections": {"impression": 1},
        "unrecognised_total": 4,
        "unrecognised": {"patient name": 2, "dose summary": 1, "likely cause": 1},
        "unrecognised_limit": 2000,
    }


def test_coverage_merges_the_same_in_every_order_and_survives_json() -> None:
    whole = covered(COVERED).to_dict()
    for order in permutations(COVERED):
        left, right = covered(list(order[:1])), covered(list(order[1:]))
        left.merge(SectionCoverage.from_dict(json.loads(json.dumps(right.to_dict()))))
        assert left.to_dict() == whole


def test_coverage_is_bounded_exact_and_independent_of_order() -> None:
    words = ["ALPHA", "BRAVO", "CHARLIE", "DELTA", "ECHO", "FOXTROT", "GOLF", "HOTEL"]
    texts = [f"{a} {b}: x" for a in words for b in words] * 2
    forward, backward = covered(texts, limit=10), covered(texts[::-1], limit=10)
    assert forward.to_dict() == backward.to_dict()
    assert len(forward.unrecognised) == 10
    assert set(forward.unrecognised.values()) == {2}
    assert forward.unrecognised_total == 128
    half = covered(texts[:50], limit=10)
    half.merge(covered(texts[50:], limit=10))
    assert half.to_dict() == forward.to_dict()
