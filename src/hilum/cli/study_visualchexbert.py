"""`hilum study visualchexbert`: from images and reports to image labels from text, and how good they are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from hilum.cli import _table_options as tables

_SET = "NAME:ROOT[:SPLIT]"


def _set(what: str) -> Any:
    return typer.Option(metavar=_SET, help=what, show_default=False)


ImageTrain = Annotated[str, _set("A: images that the classifier learns, with labels of their reports.")]
ReportTrain = Annotated[
    str, _set("B: images that it labels, and reports that the encoder learns with these.")
]
Valid = Annotated[str, _set("V: reports with image truth, for thresholds.")]
Test = Annotated[str, _set("T: reports with image truth, for the tables.")]
Swap = Annotated[
    bool, typer.Option("--swap", help="Also the other way round: classifier on B, encoder on A.")
]
Control = Annotated[
    bool,
    typer.Option(
        "--control", help="Also the same encoder, taught by labels of B's reports instead of by images."
    ),
]
Section = Annotated[
    str, typer.Option(metavar="NAME", help="What is read: impression, findings, both or all.")
]
Views = Annotated[str, typer.Option(metavar="NAME", help="Which images: frontal or all.")]
Labeler = Annotated[
    str, typer.Option(metavar="NAME", help="The labeler of A's reports, and of the baselines.")
]
ImageLabels = Annotated[
    str,
    typer.Option(
        metavar="SOURCE", help="Labels that A has, instead of labels of its reports.", show_default=""
    ),
]
Truth = Annotated[
    str,
    typer.Option(metavar="SOURCE", help="Source of the image truth in V and T; labeler: of their reports."),
]
Uncertain = Annotated[
    str,
    typer.Option(metavar="WAY", help="Uncertain labels: ignore, zeros, ones, multiclass or self-training."),
]
ImageRecipe = Annotated[
    str, typer.Option(metavar="NAME", help="Recipe of the classifier: mini, chexpert or chexnet.")
]
ImageInit = Annotated[
    str | None, typer.Option(metavar="FILE|ID", help="Pretrained weights of the classifier.")
]
ImageEpochs = Annotated[int | None, typer.Option(min=1, metavar="N", help="Epochs of the classifier.")]
ImageSize = Annotated[
    int | None, typer.Option("--size", min=32, metavar="PIXELS", help="Sides of its images.")
]
ImageBatch = Annotated[int | None, typer.Option(min=2, metavar="N", help="Images per step.")]
Precision = Annotated[str | None, typer.Option(metavar="NAME", help="Of both trainings: no, bf16 or fp16.")]
Init = Annotated[
    str | None,
    typer.Option(
        metavar="DIR|ID",
        help="Pretrained BERT-like report encoder; without it, a small one learns from scratch.",
    ),
]
ReportEpochs = Annotated[int | None, typer.Option(min=1, metavar="N", help="Epochs of the report encoder.")]
ReportBatch = Annotated[int | None, typer.Option(min=1, metavar="N", help="Reports per step.")]
Findings = Annotated[
    str | None, typer.Option(metavar="A,B", help="Evaluation findings; else those with enough positives.")
]
LeastPositives = Annotated[
    float, typer.Option(min=0.0, max=1.0, help="Share of positives in T that a finding needs.")
]
Device = Annotated[str, typer.Option(metavar="NAME", help="auto, cpu or cuda.")]
Threads = Annotated[int | None, typer.Option(min=1, metavar="N", help="Threads of torch.")]
Workers = Annotated[int | None, typer.Option(min=1, metavar="N", help="Threads that read images.")]
Seed = Annotated[int, typer.Option(help="Seed of trainings and bootstrap.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Forget the stages of an earlier run in DIR.")]


def study_visualchexbert(
    *,
    image_train: ImageTrain,
    report_train: ReportTrain,
    valid: Valid,
    test: Test,
    swap: Swap = False,
    control: Control = False,
    section: Section = "impression",
    views: Views = "frontal",
    labeler: Labeler = "rules",
    image_labels: ImageLabels = "",
    truth: Truth = "image",
    uncertain: Uncertain = "ones",
    image_recipe: ImageRecipe = "mini",
    image_init: ImageInit = None,
    image_epochs: ImageEpochs = None,
    size: ImageSize = None,
    image_batch: ImageBatch = None,
    init: Init = None,
    report_epochs: ReportEpochs = None,
    report_batch: ReportBatch = None,
    precision: Precision = None,
    findings: Findings = None,
    least_positives: LeastPositives = 0.1,
    replicates: tables.Replicates = 1000,
    seed: Seed = 0,
    device: Device = "auto",
    threads: Threads = None,
    workers: Workers = None,
    output: tables.StudyFolder = Path("visualchexbert"),
    fresh: Fresh = False,
    force: tables.StudyForce = False,
) -> None:
    """The chain of VisualCheXbert: image classifier, its probabilities, report encoder, image labels from text; tables.

    Sets are NAME:ROOT[:SPLIT] of `hilum doctor`, such as phantom:DIR:train; @1/2 behind it is the first of two parts
    by patient. No two may share patients. A run that was stopped goes on when the same command is run again. Writes
    DIR/index.html, tables.json, tables/ and figures/; the models are in DIR/stages.
    """
    from hilum.api.study_visualchexbert import VisualChexbertStudy
    from hilum.api.study_visualchexbert import study_visualchexbert as run
    from hilum.cli._options import list_of, show_study
    from hilum.cli._train_view import Meter

    study = VisualChexbertStudy(
        image_train, report_train, valid, test, swap=swap, control=control, section=section, views=views,
        labeler=labeler, image_labels=image_labels, truth=truth, uncertain=uncertain, image_recipe=image_recipe,
        image_init=image_init, init=init, findings=list_of(findings), least_positives=least_positives,
        classifier=_given(epochs=image_epochs, size_px=size, batch_size=image_batch, precision=precision),
        encoder=_given(epochs=report_epochs, batch_size=report_batch, precision=precision),
        replicates=replicates, seed=seed, device=device, threads=threads, workers=workers,
    )  # fmt: skip
    with Meter() as meter:
        page, written = run(study, output, force=force, fresh=fresh, progress=meter.tell, meter=meter.update)
    show_study(
        page,
        written,
        tables=map(page.table, ("auroc", "table_4", "table_5", "table_6", "differences_average")),
    )


def _given(**choices: Any) -> dict[str, Any]:
    return {name: value for name, value in choices.items() if value is not None}
