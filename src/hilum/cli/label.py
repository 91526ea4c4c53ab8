"""`hilum label`: a file of reports to a file of labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hilum.cli import _labeler_options as options
from hilum.cli import _table_options as tables

if TYPE_CHECKING:
    from hilum.api.job import LabelJob


SOME_FAILED = 3
"""Exit code when every output was written and some reports have no label because they got no answer."""

Input = Annotated[
    str,
    typer.Argument(
        metavar="INPUT",
        help="csv, tsv, parquet or jsonl file, folder of .txt, Open-I XML (folder or .tgz), "
        "- for standard input.",
        show_default=False,
    ),
]
Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="OUT",
        help="Format by extension: .csv .tsv .parquet .jsonl; - for standard output. "
        "Without it: NAME.labels.csv in this folder, or standard output for standard input.",
    ),
]
Evidence = Annotated[
    Path | None, typer.Option(metavar="OUT.jsonl", help="Also write the words behind each label.")
]
Html = Annotated[
    Path | None, typer.Option(metavar="OUT.html", help="Also write a page of the first reports.")
]
HtmlLimit = Annotated[int, typer.Option(min=1, metavar="N", help="Reports on that page.")]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Worker processes; without it one per CPU and at most 8, and one for a model, which uses all cores.",
    ),
]
PropagateParents = Annotated[
    bool, typer.Option("--propagate-parents", help="A positive finding makes its parents positive.")
]
Fresh = Annotated[
    bool, typer.Option("--fresh", help="Forget the parts of an unfinished run and start again.")
]


def label(
    input: Input,
    *,
    output: Output = None,
    labeler: options.LabelerName = "rules",
    vocabulary: options.VocabularyName = None,
    column: tables.ReportColumn = None,
    section: options.SectionName = None,
    convention: options.ConventionName = None,
    evidence: Evidence = None,
    html: Html = None,
    html_limit: HtmlLimit = 200,
    workers: Workers = None,
    propagate_parents: PropagateParents = False,
    fresh: Fresh = False,
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
    model: options.Model = None,
    endpoint: options.Endpoint = None,
    prompt: options.PromptName = None,
    few_shot: options.FewShot = None,
    answer: options.Answer = None,
    context: options.Context = None,
    requests: options.Requests = None,
    timeout: options.Timeout = None,
    cache: options.Cache = None,
    api_key_env: options.ApiKeyEnv = None,
) -> None:
    """Label every report of INPUT: all its columns, then one per finding (1, 0, -1, blank), and a status.

    A run that was stopped goes on when the same command is run again. Exit code 3 when there are reports that a
    language model gave no answer for; their row says why.
    """
    from hilum.api.job import LabelJob

    job = LabelJob(
        input=input, output=output, labeler=labeler, vocabulary=vocabulary, convention=convention, column=column,
        section=section, evidence=evidence, html=html, html_limit=html_limit, workers=workers,
        propagate_parents=propagate_parents, fresh=fresh, probabilities=probabilities,
        options=options.model_options(
            weights=weights, calibration=calibration, abstain_below=abstain_below, mapping=mapping, long=long,
            text_mode=text_mode, device=device, precision=precision, batch_size=batch_size, model=model,
            endpoint=endpoint, prompt=prompt, few_shot=few_shot, answer=answer, context=context, requests=requests,
            timeout=timeout, cache=cache, api_key_env=api_key_env,
        ),
    )  # fmt: skip
    _run(job)


def _run(job: LabelJob) -> None:
    from hilum.api.job import label_file
    from hilum.cli._label_view import Meter, show_summary

    if job.input == "-":
        typer.echo("Reading standard input; this cannot resume if it is stopped.", err=True)
    try:
        with Meter() as meter:
            summary = label_file(job, progress=meter.update)
    except KeyboardInterrupt:
        lost = "-" in (job.input, job.output)
        kept = "nothing was kept" if lost else "run the same command again to go on"
        typer.echo(f"stopped; {kept}", err=True)
        raise typer.Exit(130) from None
    show_summary(summary)
    if summary.failed:
        raise typer.Exit(SOME_FAILED)
