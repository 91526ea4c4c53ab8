"""What the mini model is trained on: generated reports, those of the phantom, and texts of Open-I reports."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from _common import OpenIReport
from hilum.core.vocabulary import CHEXPERT14, CSV_CODES, NIH14, State, Vocabulary
from hilum.datasets._speech.context import in_context
from hilum.datasets._speech.generated import Claim, GeneratedReport, ReportOptions, generate_reports
from hilum.datasets._speech.templates import Draws
from hilum.datasets.phantom import build as build_phantom
from hilum.labelers.rules import RuleLabeler, build

CONTEXTS = ReportOptions(context=0.4)
"""Reports of which some stand in a longer text, as in a window of a long document."""


def presence(report: GeneratedReport, rules: RuleLabeler) -> list[int]:
    """1 or 0 per finding: affirmed, or hedged by a cue that counts as yes (lexicon, [uncertain])."""

    def says_yes(claim: Claim) -> bool:
        cues = rules.lexicon.yes_cues.get(claim.finding, frozenset())
        return claim.state is State.POSITIVE or (
            claim.state is State.UNCERTAIN and f"cues/{claim.cue}" in cues
        )

    yes = {claim.finding for claim in report.claims if says_yes(claim)}
    none = rules.vocabulary.no_finding
    return [
        int(state is State.POSITIVE if name == none else name in yes)
        for name, state in zip(rules.vocabulary.names, report.states, strict=True)
    ]


def phantom_reports(n: int, *, seed: int, vocabulary: Vocabulary) -> Iterator[GeneratedReport]:
    """Whole reports of the phantom, with slips of typing."""
    if vocabulary is not CHEXPERT14:
        raise SystemExit("The phantom knows the findings of chexpert14 alone.")
    for study in build_phantom(seed=seed, n=n, draw=False, noise=1.0).studies():
        if study.report is not None:
            yield GeneratedReport(study.id, study.report.text, study.labels["whole report"].states)


def write_generated(
    path: Path,
    n: int,
    *,
    seed: int,
    vocabulary: Vocabulary,
    source: str = "grammar",
    options: ReportOptions | None = None,
) -> None:
    """Reports and their labels in one file: four states for chexpert14, present or not for nih14."""
    rules = build(vocabulary=vocabulary.name)
    if source == "phantom":
        reports = phantom_reports(n, seed=seed, vocabulary=vocabulary)
    else:
        reports = generate_reports(n, seed=seed, vocabulary=vocabulary, options=options)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["study_id", "report", *vocabulary.names])
        for report in reports:
            states = [CSV_CODES[s] for s in report.states]
            labels = presence(report, rules) if vocabulary is NIH14 else states
            out.writerow([report.id, report.text, *["" if v is None else v for v in labels]])


def variants(report: OpenIReport, draws: Draws) -> list[str]:
    """Impression, findings and both as far as there are any, and three of these in a context."""
    texts = [t for t in (report.impression, report.findings, report.joined) if t.strip()]
    chosen = [draws.one(texts) for _ in range(3)] if texts else []
    return [*dict.fromkeys(texts), *[" ".join(in_context([t], draws, most_words=70)) for t in chosen]]
