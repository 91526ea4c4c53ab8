"""`hilum study generation`: systems that write reports of images, and whether these are right."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from hilum.cli import _table_options as tables

_SET = "NAME:ROOT[:SPLIT][@k/n]"


def _set(what: str) -> Any:
    return typer.Option(metavar=_SET, help=what, show_default=False)


def _count(what: str, *names: str) -> Any:
    return typer.Option(*names, min=1, metavar="N", help=what, show_default="by recipe")


Train = Annotated[str, _set("Images and reports that all systems learn.")]
Valid = Annotated[str, _set("Those that checkpoints are chosen by.")]
Test = Annotated[str, _set("Those of the tables.")]
Systems = Annotated[
    str, typer.Option(metavar="all|A,B", help="major, noise, nn, tienet, likelihood, nlg, ccr, full.")
]
Classifier = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="An image classifier of hilum; else one learns the report labels."),
]
Section = Annotated[
    str, typer.Option(metavar="NAME", help="What is learned: findings, impression, both or all.")
]
Views = Annotated[str, typer.Option(metavar="NAME", help="Which images: frontal or all.")]
Labeler = Annotated[str, typer.Option(metavar="NAME", help="The labeler that rewards and judges.")]
Truth = Annotated[
    str, typer.Option(metavar="SOURCE", help="Source of image truth in the test set, where there is one.")
]
Repeats = Annotated[str, typer.Option(metavar="NAME", help="Repeated sentences: remove, keep or forbid.")]
Recipe = Annotated[str, typer.Option(metavar="NAME", help="Recipe of the generators: small or paper.")]
ImageRecipe = Annotated[
    str, typer.Option(metavar="NAME", help="Recipe of the classifier: mini, chexpert or chexnet.")
]
Weight = Annotated[float, typer.Option(min=0.0, metavar="W", help="Weight of the clinical reward in full.")]
Precision = Annotated[str | None, typer.Option(metavar="NAME", help="Of all trainings: no, bf16 or fp16.")]
Examples = Annotated[int, typer.Option(min=0, metavar="N", help="Test images that are shown.")]
Device = Annotated[str, typer.Option(metavar="NAME", help="auto, cpu or cuda.")]
Threads = Annotated[int | None, typer.Option(min=1, metavar="N", help="Threads of torch.")]
Workers = Annotated[int | None, typer.Option(min=1, metavar="N", help="Threads that read images.")]
Seed = Annotated[int, typer.Option(help="Seed of trainings and bootstrap.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Forget the stages of an earlier run in DIR.")]


def study_generation(
    *,
    train: Train,
    valid: Valid,
    test: Test,
    systems: Systems = "all",
    classifier: Classifier = None,
    section: Section = "findings",
    views: Views = "frontal",
    labeler: Labeler = "rules",
    truth: Truth = "image",
    repeats: Repeats = "remove",
    recipe: Recipe = "small",
    image_recipe: ImageRecipe = "mini",
    weight: Weight = 1.0,
    size: Annotated[int | None, typer.Option(min=32, metavar="PIXELS", help="Sides of the images.")] = None,
    width: Annotated[int | None, _count("Width of words and image features.")] = None,
    hidden: Annotated[int | None, _count("Width of the LSTMs.")] = None,
    image_epochs: Annotated[int | None, _count("Epochs of the classifier.")] = None,
    image_batch: Annotated[int | None, _count("Images per step of the classifier.")] = None,
    epochs: Annotated[int | None, _count("Epochs of likelihood.")] = None,
    reward_epochs: Annotated[int | None, _count("Epochs of each reward.")] = None,
    reward_steps: Annotated[int | None, _count("Steps of such an epoch.")] = None,
    baseline_epochs: Annotated[int | None, _count("Epochs of Noise-RNN and the TieNet-like model.")] = None,
    batch_size: Annotated[int | None, _count("Images per step of the generators.")] = None,
    precision: Precision = None,
    examples: Examples = 8,
    replicates: tables.Replicates = 1000,
    seed: Seed = 0,
    device: Device = "auto",
    threads: Threads = None,
    workers: Workers = None,
    output: tables.StudyFolder = Path("generation"),
    fresh: Fresh = False,
    force: tables.StudyForce = False,
) -> None:
    """Seven systems that write reports of images, by wording and by whether the findings are right (Liu et al. 2019).

    Sets are NAME:ROOT[:SPLIT] of `hilum doctor`, such as phantom:DIR:train; @1/2 behind it is the first of two parts
    by patient. No two may share patients. A run that was stopped goes on when the same command is run again. Writes
    DIR/index.html, examples.html, tables.json, tables/, figures/ and reports/; the models are in DIR/stages.
    """
    from hilum.api.study_generation import GenerationStudy
    from hilum.api.study_generation import study_generation as run
    from hilum.cli._options import list_of, show_study
    from hilum.cli._train_view import Meter

    sizes = _given(width=width, hidden=hidden, batch_size=batch_size, precision=precision)
    study = GenerationStudy(
        train, valid, test, systems=() if systems == "all" else list_of(systems), classifier=classifier,
        section=section, views=views, labeler=labeler, truth=truth, repeats=repeats, recipe=recipe,
        image_recipe=image_recipe, weight=weight, examples=examples, replicates=replicates, seed=seed,
        image=_given(size_px=size, epochs=image_epochs, batch_size=image_batch, precision=precision),
        generator={**sizes, **_given(epochs=epochs)},
        baseline={**sizes, **_given(epochs=baseline_epochs)},
        reinforce=_given(
            epochs=reward_epochs, epoch_steps=reward_steps, batch_size=batch_size, precision=precision
        ),
        device=device, threads=threads, workers=workers,
    )  # fmt: skip
    with Meter() as meter:
        page, written = run(study, output, force=force, fresh=fresh, progress=meter.tell, meter=meter.update)
    wanted = ("wording", "clinical", "rewards", "differences", "polarity", "attention")
    blocks = {block.name for block in page.blocks()}
    show_study(page, written, tables=(page.table(name) for name in wanted if name in blocks))


def _given(**choices: Any) -> dict[str, Any]:
    return {name: value for name, value in choices.items() if value is not None}
