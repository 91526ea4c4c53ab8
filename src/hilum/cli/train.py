"""`hilum train labeler`: reports and labels to a neural report labeler."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def train_labeler_command(
    *,
    recipe: Annotated[str, typer.Option(metavar="NAME", help="chexbert, visualchexbert or mini.")],
    reports: Annotated[
        Path, typer.Option(metavar="FILE", help="Reports, in anything that `hilum label` reads.")
    ],
    labels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Labels of any labeler: 1, 0, -1, blank.")
    ] = None,
    expert_labels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A smaller set of better labels: the second step.")
    ] = None,
    expert_reports: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its reports, if they are not in --reports.")
    ] = None,
    soft_labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Probabilities of an image model, 0 to 1 (visualchexbert), instead of labels.",
        ),
    ] = None,
    init: Annotated[
        str | None, typer.Option(metavar="DIR|ID", help="A pretrained BERT-like encoder to start from.")
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="DIR",
            help="A model that `hilum train` or `hilum convert` wrote, to go on from.",
        ),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder of the run.")],
    vocabulary: Annotated[
        str | None, typer.Option(metavar="NAME", help="chexpert14 or nih14.", show_default="chexpert14")
    ] = None,
    findings: Annotated[
        str | None, typer.Option(metavar="A,B", help="Train heads for these findings alone.")
    ] = None,
    heads: Annotated[
        str | None,
        typer.Option(
            metavar="KIND", help="states (4 classes) or presence (positive or not).", show_default="states"
        ),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What uncertain is for presence heads: uncertain-to-zero, uncertain-to-one, uncertain-ignored.",
            show_default="uncertain-to-zero",
        ),
    ] = None,
    section: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="What to read: impression, findings, both or all.", show_default="by recipe"
        ),
    ] = None,
    column: Annotated[
        str | None, typer.Option(metavar="NAME", help="The column with the reports, if it is not found.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The column that joins reports and labels.")
    ] = None,
    group: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Reports of one group (a patient) stay on one side.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Most epochs.", show_default="by recipe")
    ] = None,
    expert_epochs: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Most epochs of the second step.", show_default="by recipe"),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Reports per step, over all devices.", show_default="18; mini 32"
        ),
    ] = None,
    parts: Annotated[
        int | None,
        typer.Option(
            "--accumulate",
            min=1,
            metavar="N",
            help="Cut a batch into N passes, to save memory.",
            show_default="1",
        ),
    ] = None,
    lr: Annotated[
        float | None, typer.Option(metavar="RATE", help="Learning rate.", show_default="2e-5; mini 5e-4")
    ] = None,
    expert_lr: Annotated[
        float | None,
        typer.Option(metavar="RATE", help="Learning rate of the second step.", show_default="as --lr"),
    ] = None,
    clip_norm: Annotated[
        float | None,
        typer.Option(metavar="NORM", help="Clip gradients to this norm.", show_default="none; mini 1"),
    ] = None,
    bucketed: Annotated[
        bool | None,
        typer.Option(
            "--bucketed/--shuffled",
            help="Batches of similar length (faster), or of any.",
            show_default="shuffled; mini bucketed",
        ),
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(min=8, metavar="N", help="Longest text; the rest is cut.", show_default="512; mini 256"),
    ] = None,
    dev_share: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE", help="Rows put aside for choosing the checkpoint.", show_default="0.15"
        ),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Stop after N epochs that brought nothing.", show_default="by recipe"
        ),
    ] = None,
    paraphrase: Annotated[
        str | None,
        typer.Option(
            metavar="HOW",
            help="Add paraphrases of the last step's training rows: offline, marian:DIR:DIR (there and back), "
            "or both with + between.",
        ),
    ] = None,
    precision: Annotated[
        str | None, typer.Option(metavar="NAME", help="Mixed precision: no, bf16 or fp16.", show_default="no")
    ] = None,
    device: Annotated[str, typer.Option(metavar="NAME", help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="CPU threads.", show_default="torch's")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of all that is random.")] = 0,
    save_every: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="STEPS", help="How often to save besides every epoch.", show_default="500"
        ),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Forget an earlier run in the folder and start again.")
    ] = False,
) -> None:
    """Train a neural report labeler; the model is DIR/model, for `hilum label --labeler RECIPE --weights DIR/model`.

    A run that was stopped goes on when the same command is run again, and ends as if it had never stopped. The
    same command runs on several devices under `accelerate launch`.
    """
    from hilum.api.train import train_labeler
    from hilum.cli._options import list_of
    from hilum.cli._train_view import Meter, show_result

    with Meter() as meter:
        result = train_labeler(
            recipe,
            output,
            reports=reports,
            labels=labels,
            expert_labels=expert_labels,
            expert_reports=expert_reports,
            soft_labels=soft_labels,
            pretrained=init,
            checkpoint=checkpoint,
            vocabulary=vocabulary,
            findings=list_of(findings),
            heads=heads,
            policy=policy,
            section=section,
            column=column,
            key=key,
            group=group,
            epochs=epochs,
            expert_epochs=expert_epochs,
            batch_size=batch_size,
            parts=parts,
            learning_rate=lr,
            expert_learning_rate=expert_lr,
            clip_norm=clip_norm,
            bucketed=bucketed,
            max_tokens=max_tokens,
            dev_share=dev_share,
            patience=patience,
            paraphrase=paraphrase,
            precision=precision,
            device=device,
            threads=threads,
            seed=seed,
            save_every=save_every,
            fresh=fresh,
            progress=meter.update,
            tell=meter.tell,
        )
    show_result(result)
    if not result.finished:
        raise typer.Exit(130)
