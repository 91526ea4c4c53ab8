"""Evidence as lines of JSON, for people and programs, and as rows that the page is made of later."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from hilum.api._reports import Labeled
from hilum.core.records import Evidence, Labels, RowStatus, Section
from hilum.core.vocabulary import CSV_CODES, State, Vocabulary
from hilum.pages.evidence_page import PageItem


def evidence_line(row: int, name: str | None, text: str | None, *, done: Labeled) -> str:
    """The line of one report in an evidence file.

    `row` counts from 1. `findings` holds each finding that is not blank or was mentioned: its `label` (1, 0,
    -1 or null) and its `evidence`: one object per mention with the state that this mention alone would give,
    `span` and `words`, the lexicon `entry`, the `cue` that set the state with `cue_span` and `cue_words`
    (left out when there is none), the `section` and the span of the `sentence`. Spans are
    [start, end) in characters of the original text.
    """
    labels, sections, problem = done
    line: dict[str, Any] = {"row": row}
    if name is not None:
        line["id"] = name
    line["status"] = labels.status.value
    if problem:
        line["problem"] = problem
    line["sections"] = sections
    findings: dict[str, dict[str, Any]] = {
        finding: {"label": CSV_CODES[state], "evidence": []}
        for finding, state in labels.as_dict().items()
        if state is not State.BLANK
    }
    for evidence in labels.evidence:
        entry = findings.setdefault(evidence.finding, {"label": None, "evidence": []})
        entry["evidence"].append(_mention(evidence, text or ""))
    line["findings"] = findings
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n"


def _mention(evidence: Evidence, text: str) -> dict[str, Any]:
    mention: dict[str, Any] = {
        "state": CSV_CODES[evidence.state],
        "span": (evidence.start, evidence.end),
        "words": text[evidence.start : evidence.end],
        "entry": evidence.entry,
    }
    if evidence.cue:
        mention["cue"] = evidence.cue
        mention["cue_span"] = (evidence.cue_start, evidence.cue_end)
        mention["cue_words"] = text[max(evidence.cue_start, 0) : max(evidence.cue_end, 0)]
    mention["section"] = evidence.section
    mention["sentence"] = (evidence.sentence_start, evidence.sentence_end)
    return mention


def page_line(name: str, text: str | None, *, done: Labeled) -> str:
    """One report with all that its place on the page needs."""
    labels = done.labels
    row = (name, text or "", labels.states, labels.status.value, labels.evidence, done.sections)
    return json.dumps(row, separators=(",", ":")) + "\n"


def page_items(lines: Iterable[str], vocabulary: Vocabulary) -> Iterator[PageItem]:
    """The reports of `page_line`s."""
    for line in lines:
        name, text, states, status, evidence, sections = json.loads(line)
        mentions = tuple(Evidence(e[0], State(e[1]), *e[2:]) for e in evidence)
        labels = Labels(vocabulary, tuple(map(State, states)), mentions, RowStatus(status))
        yield PageItem(name, text, labels, tuple(Section(*s) for s in sections))
