"""What `hilum label` shows on standard error: how far it is, and at the end what came out."""

from __future__ import annotations

import re
import time
from datetime import timedelta

from rich.table import Table

from hilum.api.job import JobSummary
from hilum.cli._meter import BarMeter, error_console
from hilum.core.records import RowStatus
from hilum.core.vocabulary import PRECEDENCE
from hilum.runner.local import Progress as Done

_MOST_NOTES = 30
_MOST_REASONS = 5
_ABSTAINED = "abstained"
_CHECKSUM = re.compile(r"\b[0-9a-f]{17,}\b")


class Meter(BarMeter):
    """A progress bar with the time left on a terminal; elsewhere a short line every ten seconds."""

    def __init__(self) -> None:
        super().__init__("Labeling", "{task.completed:,.0f} of {task.fields[rows]} reports", rows="?")

    def update(self, done: Done, total: int | None) -> None:
        """Show how far it is. Rows of an earlier run count neither as done nor as left."""
        now = time.monotonic()
        fresh = done.items - done.resumed
        left = None if total is None else max(total - done.items, 0)
        self._bar.update(
            self._task,
            description=f"Labeling ({done.resumed:,} were done before)" if done.resumed else "Labeling",
            completed=fresh,
            total=None if left is None else fresh + left,
            rows="?" if left is None else f"{fresh + left:,}",
        )
        if self.line_is_due(now):
            self.console.print(_line(done, left, now - self._began), soft_wrap=True)


def _line(done: Done, left: int | None, seconds: float) -> str:
    rate = (done.items - done.resumed) / max(seconds, 1e-9)
    line = f"{done.items:,} reports done, {rate:,.0f} a second"
    if left is None or rate <= 0:
        return line
    return f"{line}, about {timedelta(seconds=round(left / rate))} left"


def show_summary(summary: JobSummary) -> None:
    """Counts per finding and state, row statuses, what to look at, and where the outputs are."""
    console = error_console()
    console.print(_findings(summary))
    statuses = [f"{n:,} {name}" for name, n in summary.status.items() if n or name == RowStatus.LABELED]
    console.print(f"Reports: {', '.join(statuses)}", soft_wrap=True)
    notes = [*_coverage_notes(summary), *summary.notes]
    for note in notes[:_MOST_NOTES]:
        console.print(f"Note: {note}", soft_wrap=True)
    if len(notes) > _MOST_NOTES:
        console.print(f"Note: {len(notes) - _MOST_NOTES:,} more of these")
    stamp = " · ".join(f"{key} {_short(value)}" for key, value in summary.stamp.items())
    console.print(f"Made by: {stamp}", soft_wrap=True, style="dim")
    for what, path in _outputs(summary):
        console.print(f"{what}: {path}", soft_wrap=True)
    console.print(_speed(summary), soft_wrap=True)
    if summary.failed:
        console.print(_failed(summary), soft_wrap=True, style="bold red", markup=False)


def _short(value: str) -> str:
    """A part of a stamp with its checksums cut, and nothing else."""
    return _CHECKSUM.sub(lambda found: found[0][:16], value)


def _failed(summary: JobSummary) -> str:
    reasons = list(summary.failed.items())
    shown = "; ".join(f"{reason} ({count:,})" for reason, count in reasons[:_MOST_REASONS])
    more = f"; {len(reasons) - _MOST_REASONS:,} other reasons" if len(reasons) > _MOST_REASONS else ""
    return (
        f"FAILED: {sum(summary.failed.values()):,} of {_reports(summary.rows)} got no answer and have no label: "
        f"{shown}{more}. Next step: the column of problems has the reason of each; run the same command again to ask "
        "again. Answers that came and could not be used need another prompt or model."
    )


def _findings(summary: JobSummary) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Finding")
    for state in PRECEDENCE:
        table.add_column(state.name.lower(), justify="right")
    names = [state.name.lower() for state in PRECEDENCE]
    if any(_ABSTAINED in counts for counts in summary.findings.values()):
        names.append(_ABSTAINED)
        table.add_column(_ABSTAINED, justify="right")
    for finding, counts in summary.findings.items():
        table.add_row(finding, *(f"{counts.get(name, 0):,}" for name in names))
    return table


def _coverage_notes(summary: JobSummary) -> list[str]:
    notes = []
    without = summary.coverage["without_headings"]
    if without:
        notes.append(f"{_reports(without)} had no recognised heading")
    unknown = summary.coverage["unrecognised"]
    if unknown:
        often = ", ".join(f"{heading!r} ({n:,})" for heading, n in list(unknown.items())[:3])
        total = summary.coverage["unrecognised_total"]
        notes.append(f"{total:,} lines look like headings and were not recognised, most often {often}")
    missing = summary.status[RowStatus.NO_SUCH_SECTION.value]
    if missing:
        notes.append(f"{_reports(missing)} had nothing for --section {summary.section} and got no label")
    return notes


def _reports(count: int) -> str:
    return f"{count:,} report{'' if count == 1 else 's'}"


def _outputs(summary: JobSummary) -> list[tuple[str, str]]:
    page = f"{summary.html} (the first {summary.page_rows:,} of {summary.rows:,} reports)"
    if summary.page_rows == summary.rows:
        page = str(summary.html)
    named = [
        ("Labels", summary.output and str(summary.output)),
        ("How they were made", summary.provenance and str(summary.provenance)),
        ("Evidence", summary.evidence and str(summary.evidence)),
        ("Page", summary.html and page),
    ]
    return [(what, path) for what, path in named if path]


def _speed(summary: JobSummary) -> str:
    fresh = summary.rows - summary.resumed
    line = (
        f"{_reports(fresh)} in {summary.seconds:,.1f} s, {fresh / max(summary.seconds, 1e-9):,.0f} a second"
    )
    return f"{line}; {summary.resumed:,} were done before" if summary.resumed else line
