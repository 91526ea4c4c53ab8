"""What `hilum train` shows on standard error: how far it is; and at the end what came out."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from hilum.cli._meter import BarMeter
from hilum.cli._tables import print_table

if TYPE_CHECKING:
    from hilum.api.classifier import ClassifierResult
    from hilum.api.train import TrainingResult
    from hilum.core.results import ResultTable
    from hilum.train.loop import Progress as Done


_LEAST_SECONDS = 1.0
"""Time since the first step of a task, below which nothing is said of the speed."""


class Meter(BarMeter):
    """A progress bar with loss, dev score and time left on a terminal; elsewhere a line every ten seconds.

    Every line of an epoch's score is shown in both.
    """

    def __init__(self, console: Console | None = None) -> None:
        super().__init__("Preparing", "{task.fields[said]}", console=console, said="")
        self._bar.update(self._task, visible=False)
        self._name = ""
        self._first = 0

    def tell(self, text: str) -> None:
        """One line of what is done."""
        self.console.print(f"  {text}", soft_wrap=True)

    def update(self, done: Done) -> None:
        """Show how far it is; steps of an earlier run count neither as done nor as left."""
        now = time.monotonic()
        if done.task != self._name:
            self._name, self._first, self._began = done.task, max(done.done - 1, 0), now
            self._bar.reset(self._task, visible=True)
        self._tell_score(done)
        if done.doing == "scoring":
            self._bar.update(
                self._task, description=f"{done.task}, scoring epoch {done.epoch}", said=_scores(done)
            )
        else:
            self._bar.update(
                self._task,
                description=f"{done.task}, epoch {done.epoch} of {done.epochs}",
                completed=done.done - self._first,
                total=done.total - self._first,
                said=_scores(done),
            )
        if done.doing == "training" and self.line_is_due(now):
            self.console.print(f"  {self._line(done, now)}", soft_wrap=True)

    def _tell_score(self, done: Done) -> None:
        """A line when an epoch was scored."""
        if done.scored:
            self.tell(f"{done.task}, epoch {done.epoch}: {_scores(done)}")

    def _line(self, done: Done, now: float) -> str:
        gone, steps = now - self._began, done.done - self._first
        speed = ""
        if gone >= _LEAST_SECONDS and steps > 0:
            left = timedelta(seconds=round((done.total - done.done) * gone / steps))
            speed = f", {steps / gone:.1f} steps a second, at most {left} left"
        return (
            f"{done.task}, epoch {done.epoch} of {done.epochs}, step {done.done:,} of {done.total:,}: "
            f"{_scores(done)}{speed}"
        )


def _scores(done: Done) -> str:
    parts = [("loss", done.loss), ("dev", done.score), ("best", done.best)]
    return ", ".join(f"{name} {value:.4f}" for name, value in parts if value is not None)


def show_result(result: TrainingResult) -> None:
    """Dev scores, steps, and where everything is; or how to go on."""
    show_run(result, [] if result.table is None else [result.table], rows="rows")


def show_run(
    result: TrainingResult | ClassifierResult,
    tables: Sequence[ResultTable],
    *,
    rows: str,
    notes: Sequence[str] = (),
    page: Path | None = None,
    speed: str = "",
) -> None:
    """Tables, steps, notes, and where everything is; or how to go on. `rows`: what a step learns from."""
    if not result.finished:
        typer.echo(
            f"stopped after step {result.trained_steps:,}; everything is saved in {result.folder}. "
            "Run the same command again to go on.",
            err=True,
        )
        return
    if os.environ.get("RANK", "0") != "0":  # under a launcher the first process speaks for all
        return
    for table in tables:
        print_table(table)
    typer.echo("")
    for step in result.steps:
        epochs = "1 epoch" if step.epochs == 1 else f"{step.epochs} epochs"
        typer.echo(
            f"{step.name}: {step.train_rows:,} {rows} to learn from, {step.dev_rows:,} to choose by; "
            f"{epochs}, best {step.metric} {step.best:.4f} after epoch {step.best_epoch}"
        )
    for note in notes:
        typer.echo(note)
    typer.echo(f"Model: {result.model}")
    if page is not None:
        typer.echo(f"Page: {page}")
    typer.echo(f"Log: {result.folder / 'log.jsonl'}; TensorBoard: {result.folder / 'tensorboard'}")
    typer.echo(f"How it was made: {result.folder / 'config.json'}")
    typer.echo(f"{result.trained_steps:,} steps, {timedelta(seconds=round(result.seconds))}{speed}")
