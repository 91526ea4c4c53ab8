"""The changes of the invariance suite change the writing only, each in the way that its name says."""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from _changes import CHANGES, Part, rewrite, sentences

BY_NAME = {change.name: change for change in CHANGES}
PARTS = [
    Part(
        "FINDINGS: ", 'No right-sided effusion. "Haze" at 2 cm above Dr. XXXX\'s hand. Edema is visualized.'
    ),
    Part("\n\nIMPRESSION: ", "1. No tumor.\n2. Stable XXXX fracture"),
]


def changed(name: str) -> str:
    return rewrite(PARTS, BY_NAME[name], seed=0, report_id="a")


def test_there_are_at_least_twelve_changes_with_names_of_their_own() -> None:
    assert len(BY_NAME) == len(CHANGES) >= 12


@pytest.mark.parametrize("name", BY_NAME)
def test_a_change_changes_something_and_is_the_same_every_time(name: str) -> None:
    assert changed(name) == changed(name) != "".join(part.kept + part.body for part in PARTS)


@pytest.mark.parametrize(
    "name",
    [n for n in BY_NAME if BY_NAME[n].whole is False],
)
def test_changes_of_bodies_leave_headings_in_place(name: str) -> None:
    text = changed(name)
    assert text.startswith("FINDINGS: ")
    assert "\n\nIMPRESSION: " in text


def test_spacing_changes_keep_every_word() -> None:
    words = "".join(part.kept + part.body for part in PARTS).split()
    for name in ("lines wrapped at 40 to 80", "new lines at random gaps", "extra spaces and tabs"):
        assert changed(name).split() == words


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("last full stop dropped", "Edema is visualized\n"),
        ("last full stop doubled", "Edema is visualized..\n"),
        ("British spelling", "Oedema is visualised."),
        ("British spelling", "No tumour."),
        ("typographic marks", "“Haze”"),
        ("typographic marks", "2\u00a0cm"),
        ("removed words as ___", "Dr. ___'s"),
        ("removed words as [**...**]", "**]'s hand"),
        ("numbered, one a line", '2. "Haze" at 2 cm above Dr. XXXX\'s hand.\n3. Edema'),
        ("numbered, in one line", "1. No tumor. 2. Stable XXXX fracture."),
        ("dashes, no full stops", "- No tumor\n- Stable XXXX fracture"),
        ("lines wrapped, CRLF", "\r\n\r\nIMPRESSION:"),
        ("upper case", "NO RIGHT-SIDED EFFUSION"),
        ("lower case", "1. no tumor.\n2. stable xxxx fracture"),
    ],
)
def test_a_change_does_what_its_name_says(name: str, expected: str) -> None:
    assert expected in changed(name)


def test_sentences_end_at_stops_and_lists_not_at_titles_decimals_or_line_wraps() -> None:
    body = "Dr. Smith saw a 1.5 cm nodule\nnear the hilum. No edema.\n\n1. No mass\n2. Clear lungs"
    assert sentences(body) == [
        "Dr. Smith saw a 1.5 cm nodule near the hilum.",
        "No edema.",
        "1. No mass",
        "2. Clear lungs",
    ]


def test_shuffled_sentences_stay_with_those_that_refer_to_them() -> None:
    body = "Opacity on the left. This may be a nipple. No edema. Heart normal."
    for seed in range(20):
        text = BY_NAME["sentences shuffled"].apply(body, Random(seed))
        assert "Opacity on the left. This may be a nipple." in text
        assert sorted(text.split()) == sorted(body.split())
