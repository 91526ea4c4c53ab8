"""`hilum study labelers`: several labelers against one gold."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def study_labelers(
    *,
    gold: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The labels taken as the truth: 1, 0, -1, blank.")
    ] = None,
    labels: Annotated[
        list[str] | None, typer.Option(metavar="NAME=FILE", help="A labeler's labels; repeatable.")
    ] = None,
    scores: Annotated[
        Path | None,
        typer.Option(
            metavar="TABLE", help="Instead of labels: published scores, rows findings, columns labelers."
        ),
    ] = None,
    align: Annotated[
        str, typer.Option(metavar="HOW", help="How rows are joined: auto (checked), key or position.")
    ] = "auto",
    key: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]COLUMN",
            help="The key column, if it is not found; of one file as gold=COLUMN or NAME=COLUMN; repeatable.",
        ),
    ] = None,
    match_keys: Annotated[
        str,
        typer.Option(
            metavar="FORM", help="How keys are compared: exact, stem, last-part, number (CXR7 is 7) ..."
        ),
    ] = "exact",
    vocabulary: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="chexpert14 or nih14 for all files; else the one that fits each best."
        ),
    ] = None,
    findings: Annotated[
        str | None, typer.Option(metavar="A,B", help="Findings to compare; else all that the files share.")
    ] = None,
    preset: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Primary weighted F1: blank-as-class, blank-excluded or task-mean; all are shown.",
        ),
    ] = "blank-as-class",
    policy: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Compare 0 and 1 only, blank as 0: uncertain-to-one or uncertain-to-zero."
        ),
    ] = None,
    replicates: Annotated[int, typer.Option(min=10, metavar="N", help="Bootstrap replicates.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for tables, figures and page.")
    ] = Path("labelers"),
    force: Annotated[
        bool, typer.Option("--force", help="Write into a folder that holds other files.")
    ] = False,
) -> None:
    """Labelers against gold labels: weighted F1 per finding, each kind of label apart, and tests between labelers.

    Writes DIR/index.html, tables.json, tables/ and figures/. The evaluation of the LLM labeler paper.
    """
    from hilum.api.study_labelers import LabelersStudy, study_scores
    from hilum.api.study_labelers import study_labelers as run
    from hilum.cli._options import key_columns, list_of, named_files, show_written, steps
    from hilum.cli._tables import print_table
    from hilum.core.errors import InputError

    if scores is not None:
        if gold is not None or labels:
            raise InputError(
                "--scores takes published scores instead of labels. Next step: leave out --gold and --labels."
            )
        page, written = study_scores(scores, output, force=force)
        shown = ["scores", "tests"]
    else:
        if gold is None or not labels:
            raise InputError(
                "Gold and labels are needed. Next step: --gold FILE and --labels NAME=FILE, once per labeler "
                "(or --scores TABLE for published scores)."
            )
        study = LabelersStudy(
            gold=gold,
            labels=named_files(labels, "--labels"),
            align=align,
            match_keys=match_keys,
            keys=key_columns(key),
            vocabulary=vocabulary,
            findings=list_of(findings),
            preset=preset,
            policy=policy,
            replicates=replicates,
            seed=seed,
        )
        with steps() as progress:
            page, written = run(study, output, force=force, progress=progress)
        shown = ["f1_positive"] if policy else ["weighted_f1_all"]
        shown += ["tests"] if len(study.labels) > 1 else []
    for name in shown:
        print_table(page.table(name))
    show_written(page, written)
