"""`hilum study discrepancy`: how far report labels are image labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hilum.cli import _table_options as tables

ReportLabels = Annotated[
    Path, typer.Option(metavar="FILE", help="Labels of reports: 1, 0, -1, blank.", show_default=False)
]
ImageLabels = Annotated[
    Path, typer.Option(metavar="FILE", help="Labels of people who saw the images: 1, 0.", show_default=False)
]
Key = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[NAME=]COLUMN",
        help="The key column, if it is not found; of one file as 'report labels=COLUMN', 'image labels=', "
        "'reports=' or NAME=; repeatable.",
    ),
]
Reports = Annotated[Path | None, typer.Option(metavar="FILE", help="The texts, for examples and reasons.")]
Labels = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=FILE", help="A further label file to compare; repeatable."),
]
Reader = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=FILE", help="A reader's labels of the images; repeatable."),
]
Model = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=FILE", help="An image model's probabilities; repeatable."),
]
Findings = Annotated[
    str | None, typer.Option(metavar="A,B", help="Evaluation findings; else those with enough positives.")
]
LeastPositives = Annotated[
    float, typer.Option(min=0.0, max=1.0, help="Share of positive images that a finding needs.")
]
Policy = Annotated[str, typer.Option(metavar="NAME", help="What uncertain is in further label files.")]
Ties = Annotated[str, typer.Option(metavar="RULE", help="A tie of readers: negative, positive or left-out.")]
Folds = Annotated[
    int | None, typer.Option(min=2, metavar="N", help="Judge LogReg by N folds, not leave-one-out.")
]


def study_discrepancy(
    *,
    report_labels: ReportLabels,
    image_labels: ImageLabels,
    align: tables.Align = "auto",
    key: Key = None,
    match_keys: tables.MatchKeys = "exact",
    reports: Reports = None,
    labels: Labels = None,
    reader: Reader = None,
    model: Model = None,
    findings: Findings = None,
    least_positives: LeastPositives = 0.1,
    policy: Policy = "uncertain-to-zero",
    ties: Ties = "negative",
    folds: Folds = None,
    replicates: tables.Replicates = 1000,
    seed: tables.BootstrapSeed = 0,
    output: tables.StudyFolder = Path("discrepancy"),
    force: tables.StudyForce = False,
) -> None:
    """How far labels of reports agree with labels of the images, why they do not, and what a mapping gains.

    Writes DIR/index.html, tables.json, tables/, figures/ and mappings/. The study of VisualCheXbert.
    """
    from hilum.api.study_discrepancy import DiscrepancyStudy
    from hilum.api.study_discrepancy import study_discrepancy as run
    from hilum.cli._options import key_columns, list_of, named_files, show_study, steps

    study = DiscrepancyStudy(
        report_labels,
        image_labels,
        align=align,
        keys=key_columns(key),
        match_keys=match_keys,
        labels=named_files(labels, "--labels"),
        readers=named_files(reader, "--reader"),
        models=named_files(model, "--model"),
        reports=reports,
        findings=list_of(findings),
        least_positives=least_positives,
        policy=policy,
        ties=ties,
        folds=folds,
        replicates=replicates,
        seed=seed,
    )
    with steps() as progress:
        page, written = run(study, output, force=force, progress=progress)
    show_study(page, written, tables=map(page.table, ("agreement", "baselines")))
