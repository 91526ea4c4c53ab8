"""`hilum predict`: images to a file of probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hilum.cli._meter import BarMeter

if TYPE_CHECKING:
    from hilum.api.predict import PredictSummary
    from hilum.runner.local import Progress as Done

Images = Annotated[
    list[str],
    typer.Argument(
        metavar="IMAGES...",
        help="Image files, folders of them, or one table with an image in each row.",
        show_default=False,
    ),
]
Weights = Annotated[
    Path,
    typer.Option(
        "--weights", "-w", metavar="DIR", help="An image classifier: what `hilum train classifier` wrote."
    ),
]
Output = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="OUT", help="Format by extension: .csv .tsv .parquet .jsonl."),
]
PathColumn = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="The column of image files in a table.", show_default="by name"),
]
Root = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="What the paths of a table are relative to.", show_default="its folder"),
]
GradCam = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Also write a PNG per image: where --finding was seen (Grad-CAM)."),
]
Finding = Annotated[
    list[str] | None, typer.Option(metavar="NAME", help="What --grad-cam shows; may be repeated.")
]
Device = Annotated[str, typer.Option(metavar="NAME", help="auto, cpu, cuda or cuda:1.")]
Precision = Annotated[str, typer.Option(metavar="NAME", help="float32 or bfloat16.")]
BatchSize = Annotated[int, typer.Option(min=1, metavar="N", help="Images at a time.")]
Workers = Annotated[int, typer.Option(min=1, metavar="N", help="Threads that read images.")]
Fresh = Annotated[
    bool, typer.Option("--fresh", help="Forget the parts of an unfinished run and start again.")
]


class Meter(BarMeter):
    """A progress bar with the time left on a terminal; elsewhere a short line every ten seconds."""

    def __init__(self) -> None:
        super().__init__("Predicting", "{task.completed:,.0f} of {task.fields[all]} images", all="?")

    def update(self, done: Done, total: int) -> None:
        """Show how far it is; images of an earlier run count neither as done nor as left."""
        import time

        left = total - done.resumed
        self._bar.update(self._task, completed=done.items - done.resumed, total=left, all=f"{left:,}")
        if self.line_is_due(time.monotonic()):
            self.console.print(f"{done.items:,} of {total:,} images done", soft_wrap=True)


def predict(
    images: Images,
    *,
    weights: Weights,
    output: Output,
    path_column: PathColumn = None,
    root: Root = None,
    grad_cam: GradCam = None,
    finding: Finding = None,
    device: Device = "auto",
    precision: Precision = "float32",
    batch_size: BatchSize = 16,
    workers: Workers = 2,
    fresh: Fresh = False,
) -> None:
    """Predict findings of images: one row per image with a calibrated probability per finding.

    Images that cannot be used are listed with the reason, for -o probs.csv in probs.csv.failed.csv. A run that was
    stopped goes on when the same command is run again.
    """
    from hilum.api.predict import PredictJob, predict_file

    job = PredictJob(
        tuple(images), weights, output, path_column=path_column, root=root, grad_cam=grad_cam,
        findings=tuple(finding or ()), device=device, precision=precision, batch_size=batch_size, workers=workers,
        fresh=fresh,
    )  # fmt: skip
    try:
        with Meter() as meter:
            summary = predict_file(job, progress=meter.update)
    except KeyboardInterrupt:
        typer.echo("stopped; run the same command again to go on", err=True)
        raise typer.Exit(130) from None
    _show(summary)


def _show(summary: PredictSummary) -> None:
    """Counts, images that could not be used, and where the outputs are, on standard error."""
    from hilum.cli._options import show_notes

    typer.echo(f"Images: {summary.predicted:,} predicted, {summary.failed:,} could not be used", err=True)
    for name, why in summary.first_failed:
        typer.echo(f"  {name}: {why}", err=True)
    if summary.failed > len(summary.first_failed):
        typer.echo(f"  and {summary.failed - len(summary.first_failed):,} more", err=True)
    show_notes(summary.notes)
    typer.echo(f"Made by: classifier {summary.stamp['classifier'][:16]}", err=True)
    typer.echo(f"Probabilities: {summary.output}", err=True)
    if summary.failed_file is not None:
        typer.echo(f"Not used: {summary.failed_file}", err=True)
    if summary.grad_cam is not None:
        typer.echo(f"Grad-CAM: {summary.grad_cam}", err=True)
    fresh = summary.images - summary.resumed
    line = f"{fresh:,} images in {summary.seconds:,.1f} s, {fresh / max(summary.seconds, 1e-9):,.1f} a second"
    before = f"; {summary.resumed:,} were done before" if summary.resumed else ""
    typer.echo(line + before, err=True)
