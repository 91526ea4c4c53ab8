"""`hilum study retrieval`: similar reports appended to the input of all labelers, and what that changes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hilum.cli import _table_options as tables

_SET = "NAME:ROOT[:SPLIT][@k/n]"

Test = Annotated[str, typer.Option(metavar=_SET, help="The reports that are labeled.")]
Datastore = Annotated[str, typer.Option(metavar=_SET, help="Where similar reports are looked for.")]
Gold = Annotated[
    str,
    typer.Option(
        metavar="FILE|SOURCE|labeler",
        help="The truth: a label file by study id, labels of the data set, or what rules say of the plain reports.",
    ),
]
Labeler = Annotated[
    list[str],
    typer.Option(
        metavar="NAME[,OPTION=VALUE]", help="A labeler with its options (llm,model=DIR); repeatable."
    ),
]
K = Annotated[int, typer.Option("--k", min=1, metavar="K", help="Similar reports that are appended.")]
Images = Annotated[
    str | None,
    typer.Option(
        metavar="DIR|ID",
        help="Similar by image: a CLIP-like or vision model, or a hilum classifier.",
        show_default=False,
    ),
]
Text = Annotated[bool, typer.Option("--text", help="Similar by words (TF-IDF) instead of by image.")]
Marker = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        help="What stands above an appended report, {n} its number, '' for nothing; 'Similar report {n}:' without it.",
        show_default=False,
    ),
]
Section = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="What is read of a test report: impression, findings, both or all; without it as each labeler was made.",
        show_default=False,
    ),
]
Append = Annotated[
    str, typer.Option(metavar="NAME", help="What of a similar report is appended: all (as in the paper), ...")
]
Views = Annotated[str, typer.Option(metavar="NAME", help="Which images: frontal or all.")]
Preset = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="Primary weighted F1: blank-as-class or blank-excluded; both are shown."
    ),
]
Findings = Annotated[
    str | None, typer.Option(metavar="A,B", help="Findings to compare; else all that are shared.")
]
Approximate = Annotated[
    bool | None,
    typer.Option(
        "--approximate/--exact",
        help="The index; without it exact up to 200,000 images.",
        show_default=False,
    ),
]
Device = Annotated[str, typer.Option(metavar="NAME", help="Of the model of images: auto, cpu or cuda.")]
BatchSize = Annotated[int, typer.Option(min=1, metavar="N", help="Images per batch.")]
Workers = Annotated[int, typer.Option(min=1, metavar="N", help="Threads that read images.")]
Threads = Annotated[int, typer.Option(min=1, metavar="N", help="Threads of the index.")]
Examples = Annotated[int, typer.Option(min=0, metavar="N", help="Reports to show on the page.")]


def study_retrieval(
    *,
    test: Test,
    datastore: Datastore,
    gold: Gold,
    labeler: Labeler,
    k: K = 3,
    images: Images = None,
    text: Text = False,
    marker: Marker = None,
    section: Section = None,
    append: Append = "all",
    views: Views = "frontal",
    preset: Preset = "blank-as-class",
    findings: Findings = None,
    approximate: Approximate = None,
    replicates: tables.Replicates = 1000,
    seed: tables.BootstrapSeed = 0,
    device: Device = "auto",
    batch_size: BatchSize = 16,
    workers: Workers = 2,
    threads: Threads = 1,
    examples: Examples = 5,
    output: tables.StudyFolder = Path("retrieval"),
    force: tables.StudyForce = False,
) -> None:
    """Similar reports of other patients appended to what labelers read: does it help, or harm?

    Sets are NAME:ROOT[:SPLIT] of `hilum doctor`; @1/2 behind it is the first of two parts by patient. Never the report
    itself, its patient, its text or its image. A run that was stopped goes on when the same command is run again.
    Writes DIR/index.html, tables.json, tables/, figures/ and neighbours.csv. The ablation of the LLM labeler paper.
    """
    from hilum.api.study_retrieval import MARKER, RetrievalStudy
    from hilum.api.study_retrieval import study_retrieval as run
    from hilum.cli._options import list_of, show_study, steps

    study = RetrievalStudy(
        test, datastore, gold, tuple(labeler), k=k, images=images, text=text,
        marker=MARKER if marker is None else marker, section=section, append=append, views=views, preset=preset,
        findings=list_of(findings), approximate=approximate, replicates=replicates, seed=seed, device=device,
        batch_size=batch_size, workers=workers, threads=threads, examples=examples,
    )  # fmt: skip
    with steps() as progress:
        page, written = run(study, output, force=force, progress=progress)
    show_study(page, written, tables=map(page.table, ("passed_over", "lengths", "change_average", "moves")))
