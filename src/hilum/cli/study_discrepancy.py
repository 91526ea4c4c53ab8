"""`hilum study discrepancy`: how far report labels are image labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def study_discrepancy(
    *,
    report_labels: Annotated[
        Path, typer.Option(metavar="FILE", help="Labels of reports: 1, 0, -1, blank.", show_default=False)
    ],
    image_labels: Annotated[
        Path,
        typer.Option(metavar="FILE", help="Labels of people who saw the images: 1, 0.", show_default=False),
    ],
    align: Annotated[
        str, typer.Option(metavar="HOW", help="How rows are joined: auto (checked), key or position.")
    ] = "auto",
    key: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]COLUMN",
            help="The key column, if it is not found; of one file as 'report labels=COLUMN', 'image labels=', "
            "'reports=' or NAME=; repeatable.",
        ),
    ] = None,
    match_keys: Annotated[
        str,
        typer.Option(
            metavar="FORM", help="How keys are compared: exact, stem, last-part, number (CXR7 is 7) ..."
        ),
    ] = "exact",
    reports: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The texts, for examples and reasons.")
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FILE", help="A further label file to compare; repeatable."),
    ] = None,
    reader: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FILE", help="A reader's labels of the images; repeatable."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FILE", help="An image model's probabilities; repeatable."),
    ] = None,
    findings: Annotated[
        str | None, typer.Option(metavar="A,B", help="Evaluation findings; else those with enough positives.")
    ] = None,
    least_positives: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of positive images that a finding needs.")
    ] = 0.1,
    policy: Annotated[
        str, typer.Option(metavar="NAME", help="What uncertain is in further label files.")
    ] = "uncertain-to-zero",
    ties: Annotated[
        str, typer.Option(metavar="RULE", help="A tie of readers: negative, positive or left-out.")
    ] = "negative",
    folds: Annotated[
        int | None, typer.Option(min=2, metavar="N", help="Judge LogReg by N folds, not leave-one-out.")
    ] = None,
    replicates: Annotated[int, typer.Option(min=10, metavar="N", help="Bootstrap replicates.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for tables, figures and page.")
    ] = Path("discrepancy"),
    force: Annotated[
        bool, typer.Option("--force", help="Write into a folder that holds other files.")
    ] = False,
) -> None:
    """How far labels of reports agree with labels of the images, why they do not, and what a mapping gains.

    Writes DIR/index.html, tables.json, tables/, figures/ and mappings/. The study of VisualCheXbert.
    """
    from hilum.api.study_discrepancy import DiscrepancyStudy
    from hilum.api.study_discrepancy import study_discrepancy as run
    from hilum.cli._options import key_columns, list_of, named_files, show_written, steps
    from hilum.cli._tables import print_table

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
    for name in ("agreement", "baselines"):
        print_table(page.table(name))
    show_written(page, written)
