"""`hilum generate`: images to generated reports, their labels with evidence, and where each word looked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from hilum.cli import _generate_options as options
from hilum.cli._meter import BarMeter

if TYPE_CHECKING:
    from hilum.api.generate import GenerateSummary
    from hilum.pages.evidence_page import PageItem
    from hilum.runner.local import Progress as Done

_NO_WRAP, _WIDE = 100_000, 120


class Meter(BarMeter):
    """A progress bar with the time left on a terminal; elsewhere a short line every ten seconds."""

    def __init__(self) -> None:
        super().__init__("Generating", "{task.completed:,.0f} of {task.fields[all]} images", all="?")

    def update(self, done: Done, total: int) -> None:
        """Show how far it is; images of an earlier run count neither as done nor as left."""
        import time

        left = total - done.resumed
        self._bar.update(self._task, completed=done.items - done.resumed, total=left, all=f"{left:,}")
        if self.line_is_due(time.monotonic()):
            self.console.print(f"{done.items:,} of {total:,} images done", soft_wrap=True)


def generate(
    images: options.Images = None,
    *,
    model: options.Model,
    output: options.Output = None,
    table: options.Table = None,
    path_column: options.PathColumn = None,
    root: options.Root = None,
    crop_borders: options.CropBorders = False,
    decode: options.Decode = "greedy",
    beams: options.Beams = 3,
    seed: options.Seed = 0,
    temperature: options.Temperature = 1.0,
    no_repeat: options.NoRepeat = True,
    remove_repeats: options.RemoveRepeats = False,
    no_repeat_ngram: options.NoRepeatNgram = 0,
    labeler: options.LabelerName = "rules",
    labeler_weights: options.LabelerWeights = None,
    evidence: options.Evidence = None,
    attention: options.Attention = None,
    attention_words: options.AttentionWords = "named",
    html: options.Html = None,
    html_limit: options.HtmlLimit = 50,
    device: options.Device = "auto",
    batch_size: options.BatchSize = 16,
    workers: options.Workers = 2,
    fresh: options.Fresh = False,
) -> None:
    """Generate a report for each image, and label it: text, findings (1, 0, -1, blank), evidence, maps of words.

    For research: what is written was learned from reports, and is often wrong. Images that cannot be used are listed
    with the reason, for -o reports.csv in reports.csv.failed.csv. A run that was stopped goes on when the same command
    is run again, to the same bytes.
    """
    from hilum.api.generate import FORBID, KEEP, REMOVE, GenerateJob, generate_file

    repeats = REMOVE if remove_repeats else FORBID if no_repeat else KEEP
    job = GenerateJob(
        _images(images, table), model, output, path_column=path_column, root=root, way=decode, beams=beams,
        temperature=temperature, seed=seed, repeats=repeats,
        no_repeat_ngram=no_repeat_ngram, labeler=labeler,
        labeler_options={"weights": None if labeler_weights is None else str(labeler_weights)}, evidence=evidence,
        attention=attention, attention_words=attention_words, html=html, html_limit=html_limit, device=device,
        batch_size=batch_size, workers=workers, crop_borders=crop_borders, fresh=fresh,
    )  # fmt: skip
    try:
        with Meter() as meter:
            summary = generate_file(job, progress=meter.update)
    except KeyboardInterrupt:
        kept = "nothing was kept" if output is None else "run the same command again to go on"
        typer.echo(f"stopped; {kept}", err=True)
        raise typer.Exit(130) from None
    for item in summary.shown:
        _show_report(item)
    _show(summary)


def _images(given: list[str] | None, table: Path | None) -> tuple[str | Path, ...]:
    from hilum.core.errors import InputError

    if given and table is not None:
        raise InputError(
            "Images were named twice: as arguments and by --images. Next step: leave one of them out."
        )
    if not given and table is None:
        raise InputError("No image was named. Next step: hilum generate IMAGES... or --images TABLE.")
    return (table,) if table is not None else tuple(given or ())


def _show_report(item: PageItem) -> None:
    """One report with its labels and the words that decided them, on standard output."""
    from rich.console import Console

    from hilum.cli.terminal import explanation

    console = Console(highlight=False, emoji=False, markup=False)
    if not console.is_terminal:
        console.width = _NO_WRAP
    colour = console.color_system is not None and not console.no_color
    console.print(f"{item.id}", style="bold" if colour else None, soft_wrap=True)
    narrow = console.width < _WIDE
    console.print(
        explanation(item.text or "(this report says nothing)", item.labels, colour=colour, narrow=narrow)
    )
    console.print()


def _show(summary: GenerateSummary) -> None:
    """Counts, images that could not be used, and where the outputs are, on standard error."""
    from hilum.cli._options import show_notes

    said = ", ".join(
        f"{finding} {states['positive']:,}"
        for finding, states in summary.findings.items()
        if states["positive"]
    )
    typer.echo(
        f"Reports: {summary.written:,} generated; images that could not be used: {summary.failed:,}", err=True
    )
    for name, why in summary.first_failed:
        typer.echo(f"  {name}: {why}", err=True)
    if summary.failed > len(summary.first_failed):
        typer.echo(f"  and {summary.failed - len(summary.first_failed):,} more", err=True)
    if not summary.shown:
        typer.echo(f"Positive in so many reports: {said or 'nothing'}", err=True)
    show_notes(summary.notes)
    typer.echo(f"Made by: {' · '.join(f'{key} {value}' for key, value in summary.stamp.items())}", err=True)
    for what, path in _outputs(summary):
        typer.echo(f"{what}: {path}", err=True)
    fresh = summary.images - summary.resumed
    line = f"{fresh:,} images in {summary.seconds:,.1f} s, {fresh / max(summary.seconds, 1e-9):,.1f} a second"
    before = f"; {summary.resumed:,} were done before" if summary.resumed else ""
    typer.echo(line + before, err=True)


def _outputs(summary: GenerateSummary) -> list[tuple[str, str]]:
    page = f"{summary.html} ({summary.page_reports:,} of {summary.written:,} reports)"
    named = (
        ("Reports", summary.output, ""),
        ("How they were made", summary.provenance, ""),
        ("Not used", summary.failed_file, ""),
        ("Evidence", summary.evidence, ""),
        ("Attention", summary.attention, f"{summary.attention} ({summary.pictures:,} pictures)"),
        ("Page", summary.html, page),
    )
    return [(what, told or str(path)) for what, path, told in named if path is not None]
