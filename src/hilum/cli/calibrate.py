"""`hilum calibrate`: honest probabilities of a neural labeler."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def calibrate(
    *,
    labeler: Annotated[
        str, typer.Option(metavar="NAME", help="chexbert, visualchexbert or mini.")
    ] = "chexbert",
    weights: Annotated[Path, typer.Option(metavar="DIR", help="Its weights.", show_default=False)],
    reports: Annotated[Path, typer.Option(metavar="FILE", help="Reports.", show_default=False)],
    labels: Annotated[
        Path,
        typer.Option(
            metavar="FILE", help="Their labels, best of people; may be the same file.", show_default=False
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE.json", help="Where the temperatures go.")
    ] = Path("calibration.json"),
    section: Annotated[
        str | None, typer.Option(metavar="NAME", help="What is read: as the labeler without it.")
    ] = None,
    column: Annotated[str | None, typer.Option(metavar="NAME", help="The column with the reports.")] = None,
    key: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The key column, if it is not found.")
    ] = None,
) -> None:
    """Fit one temperature per finding, so that `hilum label --calibration FILE.json` gives honest probabilities.

    Labels do not change by it, only how sure they are said to be.
    """
    from hilum.api.calibrate import calibrate as run
    from hilum.cli._options import show_notes
    from hilum.cli._tables import print_table

    done = run(labeler, weights, reports, labels, output, section=section, column=column, key=key)
    show_notes(done.notes)
    print_table(done.table)
    typer.echo(f"\nTemperatures: {output}")
