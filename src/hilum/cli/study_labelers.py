"""`hilum study labelers`: several labelers against one gold."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hilum.cli import _table_options as tables
from hilum.core.errors import InputError

Gold = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The labels taken as the truth: 1, 0, -1, blank.")
]
Labels = Annotated[
    list[str] | None, typer.Option(metavar="NAME=FILE", help="A labeler's labels; repeatable.")
]
Scores = Annotated[
    Path | None,
    typer.Option(
        metavar="TABLE", help="Instead of labels: published scores, rows findings, columns labelers."
    ),
]
Key = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[NAME=]COLUMN",
        help="The key column, if it is not found; of one file as gold=COLUMN or NAME=COLUMN; repeatable.",
    ),
]
Vocabulary = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="chexpert14 or nih14 for all files; else the one that fits each best."),
]
Findings = Annotated[
    str | None, typer.Option(metavar="A,B", help="Findings to compare; else all that the files share.")
]
Preset = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Primary weighted F1: blank-as-class, blank-excluded or task-mean; all are shown.",
    ),
]
Policy = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Compare 0 and 1 only, blank as 0: uncertain-to-one or uncertain-to-zero."
    ),
]


def study_labelers(
    *,
    gold: Gold = None,
    labels: Labels = None,
    scores: Scores = None,
    align: tables.Align = "auto",
    key: Key = None,
    match_keys: tables.MatchKeys = "exact",
    vocabulary: Vocabulary = None,
    findings: Findings = None,
    preset: Preset = "blank-as-class",
    policy: Policy = None,
    replicates: tables.Replicates = 1000,
    seed: tables.BootstrapSeed = 0,
    output: tables.StudyFolder = Path("labelers"),
    force: tables.StudyForce = False,
) -> None:
    """Labelers against gold labels: weighted F1 per finding, each kind of label apart, and tests between labelers.

    Writes DIR/index.html, tables.json, tables/ and figures/. The evaluation of the LLM labeler paper.
    """
    from hilum.api.study_labelers import LabelersStudy
    from hilum.api.study_labelers import study_labelers as run
    from hilum.cli._options import key_columns, list_of, named_files, show_study, steps

    if scores is not None:
        _published(scores, output, labels_too=gold is not None or bool(labels), force=force)
        return
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
    shown = ["f1_positive" if policy else "weighted_f1_all", *(["tests"] if len(study.labels) > 1 else [])]
    show_study(page, written, tables=map(page.table, shown))


def _published(scores: Path, output: Path, *, labels_too: bool, force: bool) -> None:
    from hilum.api.study_labelers import study_scores
    from hilum.cli._options import show_study

    if labels_too:
        raise InputError(
            "--scores takes published scores instead of labels. Next step: leave out --gold and --labels."
        )
    page, written = study_scores(scores, output, force=force)
    show_study(page, written, tables=map(page.table, ("scores", "tests")))
