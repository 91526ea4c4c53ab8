"""`hilum train llm`: reports and labels to a language model that labels reports."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

from hilum.cli import _llm_train_options as options
from hilum.cli import _run_options as common
from hilum.cli import _table_options as tables
from hilum.cli._meter import BarMeter

if TYPE_CHECKING:
    from hilum.api.train_llm import LlmProgress, LlmResult


def train_llm_command(
    *,
    recipe: options.Recipe = "paper",
    reports: options.Reports,
    labels: options.Labels = None,
    output: options.Output = None,
    model: options.Model = None,
    architecture: options.Architecture = None,
    lora: options.LoraOption = False,
    merge: options.Merge = False,
    prompt: options.Prompt = None,
    vocabulary: options.Vocabulary = None,
    section: options.Section = None,
    column: tables.ReportColumn = None,
    key: options.Key = None,
    group: options.Group = None,
    epochs: options.Epochs = None,
    batch_size: options.BatchSize = None,
    accumulation: options.Accumulation = None,
    optimizer: options.Optimizer = None,
    lr: options.LearningRate = None,
    warmup: options.Warmup = None,
    max_tokens: options.MaxTokens = None,
    batches: options.Batches = None,
    answers: options.Answers = None,
    dev_share: options.DevShare = None,
    keep: options.Keep = None,
    precision: options.Precision = None,
    device: options.Device = "auto",
    threads: options.Threads = None,
    seed: common.Seed = 0,
    save_every: common.SaveEvery = None,
    fresh: common.Fresh = False,
    write_instances: options.WriteInstances = None,
) -> None:
    """Train a language model to label reports; it is DIR/model, for `hilum label --labeler llm --model DIR/model`.

    A run that was stopped goes on when the same command is run again, and ends as if it had never stopped. The
    same command runs on several devices under `accelerate launch`.
    """
    from hilum.api.train_llm import train_llm, write_llm_instructions

    data: dict[str, Any] = {
        "reports": reports, "labels": labels, "prompt": prompt, "vocabulary": vocabulary, "section": section,
        "column": column, "key": key, "group": group, "dev_share": dev_share, "seed": seed,
    }  # fmt: skip
    with LlmMeter() as meter:
        if write_instances is not None:
            rows = write_llm_instructions(recipe, write_instances, **data, tell=meter.tell)
            typer.echo(f"{rows:,} instances: {write_instances}")
            return
        if output is None:
            raise typer.BadParameter("is needed for a training", param_hint="--output")
        result = train_llm(
            recipe, output, **data, model=model, architecture=architecture, lora=lora, merge=merge, epochs=epochs,
            batch_size=batch_size, accumulation=accumulation, optimizer=optimizer, learning_rate=lr, warmup=warmup,
            max_tokens=max_tokens, batches=batches, answers=answers, keep=keep, precision=precision, device=device,
            threads=threads, save_every=save_every, fresh=fresh, progress=meter.update, tell=meter.tell,
        )  # fmt: skip
    show_llm(result)
    if not result.finished:
        raise typer.Exit(130)


class LlmMeter(BarMeter):
    """A progress bar with loss, tokens a second and time left on a terminal; elsewhere a line every ten seconds."""

    def __init__(self, console: Console | None = None) -> None:
        super().__init__("Preparing", "{task.fields[said]}", console=console, said="")
        self._bar.update(self._task, visible=False)
        self._first = -1

    def tell(self, text: str) -> None:
        """One line of what is done."""
        self.console.print(f"  {text}", soft_wrap=True)

    def update(self, done: LlmProgress) -> None:
        """Show how far it is; steps of an earlier run count neither as done nor as left."""
        now = time.monotonic()
        if self._first < 0:
            self._first, self._began = done.done - 1, now
            self._bar.reset(self._task, visible=True)
        if done.scored:
            self.tell(f"epoch {done.epoch}: {scores_of(done.dev)}")
        said = _said(done)
        self._bar.update(
            self._task, description=f"epoch {done.epoch} of {done.epochs}", completed=done.done - self._first,
            total=done.total - self._first, said=said,
        )  # fmt: skip
        if self.line_is_due(now):
            steps = done.done - self._first - 1
            left = timedelta(seconds=round((done.total - done.done) * (now - self._began) / max(steps, 1)))
            more = [said] * bool(said) + [f"{left} left"] * (steps > 0)
            at = f"epoch {done.epoch} of {done.epochs}, step {done.done:,} of {done.total:,}"
            self.tell(f"{at}: {', '.join(more)}" if more else at)


def _said(done: LlmProgress) -> str:
    parts = [] if done.loss is None else [f"loss {done.loss:.4f}"]
    if done.tokens_per_second is not None:
        parts.append(f"{done.tokens_per_second:,.0f} tokens a second")
    return ", ".join(parts)


def scores_of(dev: Any) -> str:
    """The scores of the dev side in words; a dash where one is not defined."""
    names = {"dev_loss": "dev loss", "accuracy": "right states", "weighted_f1": "weighted F1 without blank"}
    return ", ".join(
        f"{said} {'-' if dev.get(name) is None else format(dev[name], '.4f')}" for name, said in names.items()
    )


def show_llm(result: LlmResult) -> None:
    """Scores of the epoch that was kept, steps, and where everything is; or how to go on."""
    if not result.finished:
        typer.echo(
            f"stopped after step {result.trained_steps:,}; everything is saved in {result.folder}. "
            "Run the same command again to go on.",
            err=True,
        )
        return
    if os.environ.get("RANK", "0") != "0":  # under a launcher the first process speaks for all
        return
    typer.echo(f"{result.train_rows:,} reports to learn from, {result.dev_rows:,} to score by")
    for line in result.dev:
        if line["epoch"] == result.kept_epoch:
            typer.echo(f"kept: epoch {result.kept_epoch}, {scores_of(line)}")
    for note in result.notes:
        typer.echo(note)
    typer.echo(f"Model: {result.model}")
    typer.echo(f"Log: {result.folder / 'log.jsonl'}; how it was made: {result.folder / 'config.json'}")
    speed = "" if result.tokens_per_second is None else f", {result.tokens_per_second:,.0f} tokens a second"
    typer.echo(f"{result.trained_steps:,} steps, {timedelta(seconds=round(result.seconds))}{speed}")
