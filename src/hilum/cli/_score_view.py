"""What `hilum score` shows: how far each metric is, and at the end the scores with what to know of them."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from hilum.cli._meter import BarMeter

if TYPE_CHECKING:
    from rich.progress import TaskID

    from hilum.api.score import ScoreResult
    from hilum.core.records import Score
    from hilum.core.results import ResultTable

_RATES = ("clinical_precision", "clinical_recall", "clinical_f1", "clinical_accuracy")


class Meter(BarMeter):
    """A progress bar per metric on a terminal; elsewhere a short line every ten seconds."""

    def __init__(self) -> None:
        super().__init__("", "{task.completed:,.0f} of {task.total:,.0f} reports", visible=False)
        self._tasks: dict[str, TaskID] = {}

    def update(self, name: str, done: int, total: int) -> None:
        """Show how far a metric is."""
        if name not in self._tasks:
            self._tasks[name] = self._bar.add_task(name, total=total)
        self._bar.update(self._tasks[name], completed=done, total=total)
        if self.line_is_due(time.monotonic()):
            typer.echo(f"{name}: {done:,} of {total:,} reports", err=True)


def score_tables(scores: Sequence[Score]) -> list[ResultTable]:
    """The table of all scores, and one of the clinical values per finding where there are any."""
    from hilum.core.results import Column, ResultTable

    whole = [one for one in scores if not one.finding]
    columns = (
        Column("score", "Score", "text"),
        Column("value", "Value", "text"),
        Column("better", "Better", "text"),
        Column("range", "Range", "text"),
        Column("preset", "Preset", "text"),
        Column("version", "Ver.", "text"),
    )
    rows = tuple(
        (
            one.name,
            _number(one.value),
            "higher" if one.higher_is_better else "lower",
            f"{one.lowest:g} to {one.highest:g}",
            one.preset,
            one.version,
        )
        for one in whole
    )
    tables = [ResultTable("scores", "Scores", columns, rows)]
    return [*tables, *_findings(scores)]


def _findings(scores: Sequence[Score]) -> list[ResultTable]:
    from hilum.core.results import Column, ResultTable

    of: dict[str, dict[str, Score]] = {}
    for one in scores:
        if one.name in _RATES and one.finding:
            of.setdefault(one.finding, {})[one.name] = one
    if not of:
        return []
    columns = (
        Column("finding", "Finding", "text"),
        Column("support", "Positives", "count"),
        *(
            Column(rate.removeprefix("clinical_"), rate.removeprefix("clinical_").title(), "number")
            for rate in _RATES
        ),
    )
    rows = tuple(
        (finding, values[_RATES[0]].support, *(values[rate].value for rate in _RATES))
        for finding, values in of.items()
    )
    preset = next(iter(of.values()))[_RATES[0]].preset
    note = (
        "A dash: not defined, because neither has such a case."
        if any(math.isnan(one.value) for values in of.values() for one in values.values())
        else ""
    )
    return [ResultTable("findings", f"Clinical scores per finding ({preset})", columns, rows, note)]


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"


def show_result(result: ScoreResult, *, per_sample: Path | None, json: Path | None) -> None:
    """The scores on standard output; notes and the files written on standard error."""
    from hilum.cli._tables import print_table

    for table in score_tables(result.scores):
        print_table(table)
    for line in _lines(result):
        typer.echo(line, err=True)
    for what, path in (("Values of each sample", per_sample), ("All scores", json)):
        if path is not None:
            typer.echo(f"{what}: {path}", err=True)


def _lines(result: ScoreResult) -> list[str]:
    from hilum.metrics.clinical import PRESETS
    from hilum.metrics.entities import PRESETS as ENTITY_PRESETS

    lines = [f"{result.rows:,} pairs, joined by {result.joined}"]
    used = dict.fromkeys(one.preset.split(",")[0] for one in result.scores)
    texts = {name: rule.text for name, rule in PRESETS.items()}
    texts |= {name: rule.text for name, rule in ENTITY_PRESETS.items()}
    lines += [f"Preset {name}: {texts[name]}" for name in used if name in texts]
    noted: dict[str, list[str]] = {}
    for one in result.scores:
        note = one.note
        if note:
            noted.setdefault(note, []).append(one.name)
    lines += [f"Note: {', '.join(names)}: {note}" for note, names in noted.items()]
    return [*lines, *(f"Note: {note}" for note in result.notes)]
