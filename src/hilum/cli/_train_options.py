"""The options of `hilum train labeler`: data, start, targets, steps, machine and run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hilum.cli import _run_options as options

Recipe = Annotated[str, typer.Option(metavar="NAME", help="chexbert, visualchexbert or mini.")]
Reports = Annotated[Path, typer.Option(metavar="FILE", help="Reports, in anything that `hilum label` reads.")]
Labels = Annotated[Path | None, typer.Option(metavar="FILE", help="Labels of any labeler: 1, 0, -1, blank.")]
ExpertLabels = Annotated[
    Path | None, typer.Option(metavar="FILE", help="A smaller set of better labels: the second step.")
]
ExpertReports = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Its reports, if they are not in --reports.")
]
SoftLabels = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Probabilities of an image model, 0 to 1 (visualchexbert), instead of labels."
    ),
]
Init = Annotated[
    str | None, typer.Option(metavar="DIR|ID", help="A pretrained BERT-like encoder to start from.")
]
Checkpoint = Annotated[
    Path | None,
    typer.Option(
        "--from", metavar="DIR", help="A model that `hilum train` or `hilum convert` wrote, to go on from."
    ),
]
Vocabulary = Annotated[
    str | None, typer.Option(metavar="NAME", help="chexpert14 or nih14.", show_default="chexpert14")
]
Findings = Annotated[str | None, typer.Option(metavar="A,B", help="Train heads for these findings alone.")]
Heads = Annotated[
    str | None,
    typer.Option(
        metavar="KIND", help="states (4 classes) or presence (positive or not).", show_default="states"
    ),
]
Policy = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="What uncertain is for presence heads: uncertain-to-zero, uncertain-to-one, uncertain-ignored.",
        show_default="uncertain-to-zero",
    ),
]
Section = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="What to read: impression, findings, both or all.", show_default="by recipe"
    ),
]
Key = Annotated[str | None, typer.Option(metavar="COLUMN", help="The column that joins reports and labels.")]
Group = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Reports of one group (a patient) stay on one side.")
]
Epochs = Annotated[int | None, options.epochs()]
ExpertEpochs = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Most epochs of the second step.", show_default="by recipe"),
]
BatchSize = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Reports per step, over all devices.", show_default="18; mini 32"),
]
Parts = Annotated[int | None, options.parts()]
LearningRate = Annotated[float | None, options.learning_rate("2e-5; mini 5e-4")]
ExpertLearningRate = Annotated[
    float | None,
    typer.Option(metavar="RATE", help="Learning rate of the second step.", show_default="as --lr"),
]
ClipNorm = Annotated[
    float | None,
    typer.Option(metavar="NORM", help="Clip gradients to this norm.", show_default="none; mini 1"),
]
Bucketed = Annotated[
    bool | None,
    typer.Option(
        "--bucketed/--shuffled",
        help="Batches of similar length (faster), or of any.",
        show_default="shuffled; mini bucketed",
    ),
]
MaxTokens = Annotated[
    int | None,
    typer.Option(min=8, metavar="N", help="Longest text; the rest is cut.", show_default="512; mini 256"),
]
DevShare = Annotated[
    float | None,
    typer.Option(metavar="SHARE", help="Rows put aside for choosing the checkpoint.", show_default="0.15"),
]
Patience = Annotated[int | None, options.patience("by recipe")]
Paraphrase = Annotated[
    str | None,
    typer.Option(
        metavar="HOW",
        help="Add paraphrases of the last step's training rows: offline, marian:DIR:DIR (there and back), "
        "or both with + between.",
    ),
]
Precision = Annotated[str | None, options.precision()]
Device = Annotated[str, options.device()]
Threads = Annotated[int | None, options.threads()]
