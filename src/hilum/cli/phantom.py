"""`hilum phantom`: synthetic chest studies with known truth, written to a folder."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hilum.runner.local import Progress


def phantom(
    *,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="DIR", help="Folder for the studies.", show_default=False),
    ],
    n: Annotated[int, typer.Option("--n", min=0, metavar="N", help="Number of studies.")] = 1000,
    size: Annotated[int, typer.Option(min=32, metavar="PIXELS", help="Sides of the images.")] = 256,
    seed: Annotated[int, typer.Option(help="Decides every patient; other seeds are other patients.")] = 0,
    causes: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="Causes of disagreement that are on; 'none' for none of them.",
            show_default="all",
        ),
    ] = None,
    times: Annotated[
        float,
        typer.Option(min=0.0, metavar="X", help="Disagreement rates times X; 0: reports say what is drawn."),
    ] = 1.0,
    noise: Annotated[
        float, typer.Option(min=0.0, metavar="X", help="Slips of typing in reports; 1 is usual.")
    ] = 0.0,
    no_images: Annotated[bool, typer.Option("--no-images", help="Reports and labels alone.")] = False,
    workers: Annotated[int, typer.Option(min=1, metavar="N", help="Processes.")] = 1,
    fresh: Annotated[bool, typer.Option("--fresh", help="Replace a phantom of other options.")] = False,
) -> None:
    """Write synthetic chest studies: images that are drawn, reports, and the truth of both. Of no patient.

    DIR is a data set of the name phantom: hilum doctor phantom --root DIR. A run that was stopped goes on when the
    same command is run again, to the same bytes. See docs/phantom.md.
    """
    from hilum.api.phantom import CAUSES, PhantomOptions, write_phantom
    from hilum.cli._options import list_of

    chosen = list_of(causes)
    on = CAUSES if causes is None else () if chosen == ("none",) else chosen
    options = PhantomOptions(seed, n, size, frozenset(on), noise, not no_images, times)
    with _counting(n) as tell:
        counts = write_phantom(output, options, workers=workers, progress=tell, fresh=fresh)
    for what, number in counts.items():
        typer.echo(f"{number:>9,}  {what}")
    typer.echo(
        f"\nSynthetic, of no patient. Folder: {output}\nNext step: hilum doctor phantom --root {output}"
    )


@contextmanager
def _counting(total: int) -> Iterator[Callable[[Progress], None] | None]:
    """A function that tells on a terminal how many studies are written, in one line that is then cleared."""
    if not sys.stderr.isatty():
        yield None
        return
    yield lambda done: typer.echo(
        f"\r  patients {done.items:,}, at most {total:,} studies ...", err=True, nl=False
    )
    typer.echo("\r\x1b[K", err=True, nl=False)
