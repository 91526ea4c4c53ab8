"""Do labels stay the same when only the writing of a report changes? Over all Open-I reports.

    python benchmarks/invariance.py --reports NLMCXR_reports.tgz [--vocabulary chexpert14|nih14]
        [--convention house|chexpert] [--limit N] [--show N] [--json OUT]

Each report is composed as "FINDINGS: ...", blank line, "IMPRESSION: ..." and labeled from its text as a
user's file would be, before and after each change of `_changes.CHANGES`. Counted are cells (report x finding)
that are not blank before or after; a cell is unchanged when its state is the same in both. `--show N` prints
up to N changed cells per change with the sentences that decided them, for whoever mends the engine; the JSON
holds ids only. Exit status 1 when a change scores below 99.5 %.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from _changes import CHANGES, Change, Part, rewrite
from _common import OpenIReport, read_openi, table_lines, write_json
from hilum.core.records import Labels
from hilum.core.vocabulary import State
from hilum.labelers import get_labeler
from hilum.labelers._base import Labeler, ReportSpans
from hilum.text.sections import select_sections

LEAST_SCORE = 0.995
BATCH = 500


def compose(report: OpenIReport) -> list[Part]:
    """The parts of an Open-I report under headings; a section that it lacks is left out."""
    parts: list[Part] = []
    for heading, body in (("FINDINGS: ", report.findings), ("IMPRESSION: ", report.impression)):
        if body:
            parts.append(Part(("\n\n" if parts else "") + heading, body))
    return parts


def label_texts(labeler: Labeler, texts: Sequence[str]) -> list[Labels]:
    """Labels of the findings and impression sections of each text; all blank where it has none."""
    labels: list[Labels] = []
    for at in range(0, len(texts), BATCH):
        batch = [(text, select_sections(text, "both")) for text in texts[at : at + BATCH]]
        labels.extend(labeler.label_batch([ReportSpans(t if found else "", found) for t, found in batch]))
    return labels


@dataclass
class Tally:
    """What one change did: cells counted, and the changed ones."""

    change: str
    cells: int = 0
    changed: list[tuple[str, str, State, State]] = field(default_factory=list)
    """Changed cells: report id, finding, state before, state after."""

    @property
    def score(self) -> float:
        """Share of unchanged cells, 1.0 when no cell was counted."""
        return 1.0 - len(self.changed) / self.cells if self.cells else 1.0

    def add(self, report_id: str, before: Labels, after: Labels) -> None:
        """Count the cells of one report."""
        for name, old, new in zip(before.vocabulary.names, before.states, after.states, strict=True):
            if old == State.BLANK and new == State.BLANK:
                continue
            self.cells += 1
            if old != new:
                self.changed.append((report_id, name, old, new))

    def to_dict(self) -> dict[str, Any]:
        """For the JSON: numbers, ids and states, no text."""
        return {
            "cells": self.cells,
            "unchanged": round(self.score, 6),
            "changed": [[i, name, old.name.lower(), new.name.lower()] for i, name, old, new in self.changed],
        }


def try_change(
    change: Change,
    ids: Sequence[str],
    parts: Sequence[Sequence[Part]],
    before: Sequence[Labels],
    *,
    labeler: Labeler,
    seed: int = 0,
) -> tuple[Tally, dict[str, tuple[str, Labels]]]:
    """The tally of one change, and by report id the changed text with its labels where a cell changed."""
    texts = [rewrite(p, change, seed=seed, report_id=i) for i, p in zip(ids, parts, strict=True)]
    tally = Tally(change.name)
    moved: dict[str, tuple[str, Labels]] = {}
    after = label_texts(labeler, texts)
    for report_id, text, old, new in zip(ids, texts, before, after, strict=True):
        tally.add(report_id, old, new)
        if old.states != new.states:
            moved[report_id] = (text, new)
    return tally, moved


def plain_text(parts: Sequence[Part]) -> str:
    """The report before any change."""
    return "".join(part.kept + part.body for part in parts)


def _quote(text: str, labels: Labels, finding: str) -> str:
    quotes = [text[e.sentence_start : e.sentence_end] for e in labels.deciding(finding)]
    return " | ".join(" ".join(quote.split()) for quote in quotes) or "(no evidence)"


def show(
    tally: Tally, old: dict[str, tuple[str, Labels]], new: dict[str, tuple[str, Labels]], limit: int
) -> None:
    """Print changed cells with the sentences that decided them before and after."""
    print(f"\n== {tally.change}: {len(tally.changed)} of {tally.cells} cells changed")
    for (finding, a, b), count in Counter(change[1:] for change in tally.changed).most_common(8):
        print(f"   {count:5d}  {finding}: {a.name.lower()} -> {b.name.lower()}")
    for report_id, finding, a, b in tally.changed[:limit]:
        print(f"-- {report_id} {finding}: {a.name.lower()} -> {b.name.lower()}")
        print(f"   before: {_quote(*old[report_id], finding)}")
        print(f"   after:  {_quote(*new[report_id], finding)}")


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--reports", type=Path, required=True, help="NLMCXR_reports.tgz")
    parser.add_argument("--vocabulary", default="chexpert14")
    parser.add_argument("--convention", default="house")
    parser.add_argument("--limit", type=int, help="only the first N reports")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=int, default=0, metavar="N", help="print N changed cells per change")
    parser.add_argument("--only", help="only changes whose name holds this text")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    reports = [report for report in read_openi(options.reports) if compose(report)][: options.limit]
    labeler = get_labeler("rules", vocabulary=options.vocabulary, convention=options.convention)
    tallies = run(reports, labeler, options)
    header = ("change", "cells", "changed", "unchanged %")
    rows = [(t.change, str(t.cells), str(len(t.changed)), f"{100 * t.score:.3f}") for t in tallies]
    print(f"\n{len(reports)} reports with text, vocabulary {options.vocabulary}, seed {options.seed}")
    print("\n".join(table_lines(header, rows)))
    write_json(
        options.json,
        "invariance",
        {
            "reports": len(reports),
            "vocabulary": options.vocabulary,
            "convention": options.convention,
            "seed": options.seed,
            "changes": {t.change: t.to_dict() for t in tallies},
        },
    )
    return 0 if all(t.score >= LEAST_SCORE for t in tallies) else 1


def run(reports: Sequence[OpenIReport], labeler: Labeler, options: argparse.Namespace) -> list[Tally]:
    """One tally per change, printing changed cells when asked."""
    ids = [report.id for report in reports]
    parts = [compose(report) for report in reports]
    texts = [plain_text(p) for p in parts]
    before = label_texts(labeler, texts)
    old = dict(zip(ids, zip(texts, before, strict=True), strict=True))
    tallies = []
    for change in CHANGES:
        if options.only and options.only not in change.name:
            continue
        tally, moved = try_change(change, ids, parts, before, labeler=labeler, seed=options.seed)
        if options.show and tally.changed:
            show(tally, old, moved, options.show)
        tallies.append(tally)
    return tallies


if __name__ == "__main__":
    raise SystemExit(main())
