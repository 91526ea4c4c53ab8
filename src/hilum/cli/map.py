"""`hilum map`: report labels to estimated image labels, by a fitted mapping."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def map_labels(
    mapping: Annotated[
        Path,
        typer.Argument(
            metavar="MAPPING.json",
            help="A mapping that `hilum study discrepancy` wrote to its folder mappings/.",
            show_default=False,
        ),
    ],
    labels: Annotated[
        Path,
        typer.Argument(
            metavar="LABELS",
            help="Labels of reports: 1, 0, -1, blank; csv, tsv, jsonl or parquet.",
            show_default=False,
        ),
    ],
    *,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="Format by extension: .csv .tsv .parquet .jsonl.",
            show_default=False,
        ),
    ],
    key: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The key column to keep, if it is not found.")
    ] = None,
    probabilities: Annotated[
        bool,
        typer.Option(
            "--probabilities", help="Also write NAME probability for each finding (logreg mappings)."
        ),
    ] = False,
) -> None:
    """Estimate image labels from report labels: the key column, then 1 or 0 for each finding of the mapping.

    A mapping holds for reports and readers like those it was fitted on; elsewhere it is a guess.
    """
    from hilum.api.mapping import map_file
    from hilum.cli._options import show_notes

    done = map_file(mapping, labels, output=output, key=key, probabilities=probabilities)
    show_notes(done.notes)
    if done.key is None:
        typer.echo("note: no key column was found, so rows stand in the order of the input only", err=True)
    typer.echo(f"{done.studies:,} studies by the {done.kind} mapping: {done.output}")
    for finding, positives in done.positives.items():
        share = f" ({positives / done.studies:.1%})" if done.studies else ""
        typer.echo(f"  {finding}: {positives:,} positive{share}")
