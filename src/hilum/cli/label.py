"""`hilum label`: a file of reports to a file of labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hilum.cli import _labeler_options as options


def label(
    input: Annotated[
        str,
        typer.Argument(
            metavar="INPUT",
            help="csv, tsv, parquet or jsonl file, folder of .txt, Open-I XML (folder or .tgz), "
            "- for standard input.",
            show_default=False,
        ),
    ],
    *,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="Format by extension: .csv .tsv .parquet .jsonl; - for standard output. "
            "Without it: NAME.labels.csv in this folder, or standard output for standard input.",
        ),
    ] = None,
    labeler: options.LabelerName = "rules",
    vocabulary: options.VocabularyName = None,
    column: Annotated[
        str | None, typer.Option(metavar="NAME", help="The column with the reports, if it is not found.")
    ] = None,
    section: options.SectionName = None,
    convention: options.ConventionName = None,
    evidence: Annotated[
        Path | None, typer.Option(metavar="OUT.jsonl", help="Also write the words behind each label.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="OUT.html", help="Also write a page of the first reports.")
    ] = None,
    html_limit: Annotated[int, typer.Option(min=1, metavar="N", help="Reports on that page.")] = 200,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Worker processes; without it one per CPU and at most 8, and one for a model, which uses all cores.",
        ),
    ] = None,
    propagate_parents: Annotated[
        bool, typer.Option("--propagate-parents", help="A positive finding makes its parents positive.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Forget the parts of an unfinished run and start again.")
    ] = False,
    weights: options.Weights = None,
    probabilities: options.Probabilities = False,
    calibration: options.Calibration = None,
    abstain_below: options.AbstainBelow = None,
    mapping: options.MappingName = None,
    long: options.Long = None,
    text_mode: options.TextMode = None,
    device: options.Device = None,
    precision: options.Precision = None,
    batch_size: options.BatchSize = None,
) -> None:
    """Label every report of INPUT: all its columns, then one per finding (1, 0, -1, blank), and a status.

    A run that was stopped goes on when the same command is run again.
    """
    from hilum.api.job import LabelJob, label_file
    from hilum.cli._label_view import Meter, show_summary

    job = LabelJob(
        input=input,
        output=output,
        labeler=labeler,
        vocabulary=vocabulary,
        convention=convention,
        column=column,
        section=section,
        evidence=evidence,
        html=html,
        html_limit=html_limit,
        workers=workers,
        propagate_parents=propagate_parents,
        fresh=fresh,
        probabilities=probabilities,
        options=options.model_options(
            weights=weights,
            calibration=calibration,
            abstain_below=abstain_below,
            mapping=mapping,
            long=long,
            text_mode=text_mode,
            device=device,
            precision=precision,
            batch_size=batch_size,
        ),
    )
    if input == "-":
        typer.echo("Reading standard input; this cannot resume if it is stopped.", err=True)
    try:
        with Meter() as meter:
            summary = label_file(job, progress=meter.update)
    except KeyboardInterrupt:
        kept = "nothing was kept" if input == "-" or output == "-" else "run the same command again to go on"
        typer.echo(f"stopped; {kept}", err=True)
        raise typer.Exit(130) from None
    show_summary(summary)
