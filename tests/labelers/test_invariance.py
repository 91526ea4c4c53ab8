"""Writing a report differently does not change its labels: case, line breaks, bullets, spelling, order."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from hilum.core.records import Labels
from hilum.labelers import Labeler, get_labeler
from hilum.text.sections import select_sections

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

from _changes import CHANGES, IRRELEVANT, Change, Part  # noqa: E402
from _common import read_openi  # noqa: E402
from invariance import LEAST_SCORE, compose, label_texts, plain_text, try_change  # noqa: E402

EXAMPLES = ROOT / "examples" / "reports.csv"
OPENI = ROOT.parent / "shared" / "data" / "openi" / "NLMCXR_reports.tgz"
SAMPLE = 400


def parts_of(text: str) -> list[Part]:
    """The report cut at the bodies that are labeled; together the parts are the text again."""
    parts, at = [], 0
    for section in select_sections(text, "both"):
        parts.append(Part(text[at : section.start], text[section.start : section.end]))
        at = section.end
    return [*parts, Part(text[at:], "")]


def example_reports() -> dict[str, str]:
    with EXAMPLES.open(newline="", encoding="utf-8") as file:
        return {row["study_id"]: row["report"] for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def labeler() -> Labeler:
    return get_labeler("rules")


@pytest.fixture(scope="module")
def openi(labeler: Labeler) -> tuple[list[str], list[list[Part]], list[Labels]]:
    if not OPENI.exists():
        pytest.skip("needs ../shared/data/openi/NLMCXR_reports.tgz, which is not beside this clone")
    reports = [report for report in read_openi(OPENI) if compose(report)]
    sample = reports[:: len(reports) // SAMPLE][:SAMPLE]
    parts = [compose(report) for report in sample]
    return [report.id for report in sample], parts, label_texts(labeler, [plain_text(p) for p in parts])


def describe(ids: Sequence[str], before: Sequence[Labels], moved: dict[str, tuple[str, Labels]]) -> str:
    """Each changed cell of invented reports with the whole changed text, for a failing test."""
    lines = []
    for report_id, old in zip(ids, before, strict=True):
        if report_id in moved:
            text, new = moved[report_id]
            cells = zip(old.vocabulary.names, old.states, new.states, strict=True)
            lines += [f"{report_id} {n}: {a.name} -> {b.name}" for n, a, b in cells if a != b] + [text]
    return "\n".join(lines)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_invented_reports_keep_every_label(change: Change, labeler: Labeler) -> None:
    reports = example_reports()
    ids = list(reports)
    parts = [parts_of(text) for text in reports.values()]
    assert [plain_text(p) for p in parts] == list(reports.values())
    before = label_texts(labeler, list(reports.values()))
    tally, moved = try_change(change, ids, parts, before, labeler=labeler)
    assert tally.cells > 120
    assert not moved, describe(ids, before, moved)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_open_i_sample_keeps_its_labels(
    change: Change, labeler: Labeler, openi: tuple[list[str], list[list[Part]], list[Labels]]
) -> None:
    ids, parts, before = openi
    tally, _ = try_change(change, ids, parts, before, labeler=labeler)
    assert len(ids) == SAMPLE
    assert tally.cells > 1000
    assert tally.score >= LEAST_SCORE, tally.changed


@pytest.mark.parametrize("sentence", IRRELEVANT)
def test_irrelevant_sentences_touch_no_lexicon_entry(sentence: str, labeler: Labeler) -> None:
    [labels] = label_texts(labeler, [sentence])
    assert labels.evidence == ()
