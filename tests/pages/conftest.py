"""Invented reports with labels made by hand, so that pages are tested without a labeler."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from hilum.core.records import Evidence, Labels, RowStatus, Section, strongest
from hilum.core.vocabulary import CHEXPERT14, State
from hilum.pages.evidence_page import PageItem

Said = tuple[str, State, str] | tuple[str, State, str, str]
MakeItem = Callable[..., PageItem]


def _item(
    name: str,
    text: str,
    said: Sequence[Said] = (),
    *,
    status: RowStatus = RowStatus.LABELED,
    sections: Sequence[Section] = (),
    no_finding: bool = False,
) -> PageItem:
    """A report in which each `(finding, state, words[, cue words])` is a mention at its first place."""
    evidence = []
    states = dict.fromkeys(CHEXPERT14.names, State.BLANK)
    for finding, state, words, *cue in said:
        start = text.index(words)
        sentence_start = max(text.rfind(". ", 0, start) + 2, 0) if ". " in text[:start] else 0
        stop = text.find(".", start)
        cue_start = text.index(cue[0], sentence_start) if cue else -1
        evidence.append(
            Evidence(
                finding, state, start, start + len(words), f"{finding.lower().replace(' ', '_')}.words",
                f"cue.{cue[0].lower()}" if cue else "", cue_start, cue_start + len(cue[0]) if cue else -1,
                sentence_start, len(text) if stop < 0 else stop + 1, "findings",
            )
        )  # fmt: skip
        states[finding] = strongest(states[finding], state)
    if no_finding:
        states["No Finding"] = State.POSITIVE
    labels = Labels(CHEXPERT14, tuple(states.values()), tuple(evidence), status)
    return PageItem(name, text, labels, tuple(sections))


@pytest.fixture
def make_item() -> MakeItem:
    return _item


@pytest.fixture
def ward(make_item: MakeItem) -> list[PageItem]:
    """Six invented reports: mixed states, overlaps, normal, hostile text, right-to-left, an empty row."""
    positive, negative, uncertain = State.POSITIVE, State.NEGATIVE, State.UNCERTAIN
    first = (
        "FINDINGS: There is a small left pleural effusion. Patchy airspace disease in the lingula, which may"
        " reflect atelectasis or pneumonia. No pneumothorax. Heart size is normal.\nIMPRESSION: Small left"
        " effusion. Edema has cleared."
    )
    start, end = first.index("There"), first.index("\nIMPRESSION")
    return [
        make_item(
            "ward-001",
            first,
            [
                ("Pleural Effusion", positive, "pleural effusion"),
                ("Lung Opacity", positive, "airspace disease"),
                ("Atelectasis", uncertain, "atelectasis", "may"),
                ("Pneumonia", uncertain, "pneumonia", "may"),
                ("Pneumothorax", negative, "pneumothorax", "No"),
                ("Cardiomegaly", negative, "Heart size", "normal"),
                ("Edema", negative, "Edema", "cleared"),
            ],
            sections=[Section("findings", start, end)],
        ),
        make_item(
            "ward-002",
            "Possible cavitary pneumonia mass in the right apex. No mass on the left.",
            [
                ("Lung Lesion", uncertain, "cavitary pneumonia mass", "Possible"),
                ("Pneumonia", positive, "pneumonia"),
                ("Lung Lesion", negative, "mass on", "No"),
            ],
        ),
        make_item("ward-003", "Heart and lungs are normal.", no_finding=True),
        make_item(
            '<img src=x onerror="alert(1)">',
            "<script>alert('x')</script> & \"edema\" </mark></article> \x00\x1b[31m 🫁 edema\u202e",
            [("Edema", positive, 'edema" </mark>')],
        ),
        make_item("rtl-5", "לא נראה edema. אין تجمع.", [("Edema", negative, "edema", "לא")]),
        make_item("ward-006", "", status=RowStatus.EMPTY),
    ]
