"""The options of `hilum train classifier`: data, labels, model, steps, machine and run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hilum.cli import _run_options as options

Recipe = Annotated[
    str, typer.Option(metavar="NAME", help="mini (minutes on a CPU), chexpert or chexnet (DenseNet-121).")
]
Data = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="A data set; `hilum doctor` lists them.", rich_help_panel="Images"),
]
Root = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Folder of the data set, or of the paths in a table.", rich_help_panel="Images"
    ),
]
DataOption = Annotated[
    list[str] | None,
    typer.Option(
        "--data-option", metavar="NAME=VALUE", help="An option of the data set.", rich_help_panel="Images"
    ),
]
Split = Annotated[
    str | None, typer.Option(metavar="NAME", help="Learn from this split alone.", rich_help_panel="Images")
]
DevSplit = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Choose the checkpoint by this split.", rich_help_panel="Images"),
]
Images = Annotated[
    Path | None,
    typer.Option(
        metavar="TABLE", help="A table with an image file and labels in each row.", rich_help_panel="Images"
    ),
]
DevImages = Annotated[
    Path | None,
    typer.Option(metavar="TABLE", help="Choose the checkpoint by these images.", rich_help_panel="Images"),
]
PathColumn = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN", help="The column of image files.", show_default="by name", rich_help_panel="Images"
    ),
]
PatientColumn = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        help="The column of patients, who stay on one side of the split.",
        show_default="by name",
        rich_help_panel="Images",
    ),
]
Views = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="frontal or all.", show_default="frontal", rich_help_panel="Images"),
]
Labels = Annotated[
    str | None,
    typer.Option(
        metavar="SOURCE|FILE",
        help="Which labels of the data set; or a label file, joined by key.",
        rich_help_panel="Labels",
    ),
]
Key = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN", help="The column that joins images and label file.", rich_help_panel="Labels"
    ),
]
Vocabulary = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="chexpert14 or nih14.", show_default="by the columns", rich_help_panel="Labels"
    ),
]
Findings = Annotated[
    str | None, typer.Option(metavar="A,B", help="Learn these findings alone.", rich_help_panel="Labels")
]
Uncertain = Annotated[
    str | None,
    typer.Option(
        metavar="HOW",
        help="Uncertain labels: ignore, zeros, ones, multiclass or self-training.",
        show_default="ignore",
        rich_help_panel="Labels",
    ),
]
Blank = Annotated[
    str | None,
    typer.Option(
        metavar="HOW",
        help="Blank labels: negative or ignore.",
        show_default="negative",
        rich_help_panel="Labels",
    ),
]
ClassWeights = Annotated[
    str | None,
    typer.Option(
        metavar="HOW",
        help="Weights of rare classes: none, balanced or root.",
        show_default="by recipe",
        rich_help_panel="Labels",
    ),
]
Backbone = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|ID|DIR",
        help="densenet121, densenet-small, or a backbone of Hugging Face.",
        show_default="by recipe",
        rich_help_panel="Model",
    ),
]
Init = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|DIR", help="Pretrained weights of the backbone to start from.", rich_help_panel="Model"
    ),
]
Checkpoint = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="DIR",
        help="A classifier of hilum to go on from, head and all.",
        rich_help_panel="Model",
    ),
]
Size = Annotated[
    int | None,
    typer.Option(
        "--size",
        metavar="PIXELS",
        help="Sides of the image.",
        show_default="by recipe",
        rich_help_panel="Model",
    ),
]
Fit = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="pad, crop or squash.", show_default="by recipe", rich_help_panel="Model"
    ),
]
Normalisation = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="imagenet, minus-one-to-one, minus-1024-to-1024 or none.",
        show_default="by recipe",
        rich_help_panel="Model",
    ),
]
Channels = Annotated[
    int | None,
    typer.Option(
        min=1, max=3, metavar="N", help="Channels: 1 or 3.", show_default="by recipe", rich_help_panel="Model"
    ),
]
Augment = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="none, light, strong or chexnet-like.",
        show_default="by recipe",
        rich_help_panel="Steps",
    ),
]
Epochs = Annotated[int | None, options.epochs("Steps")]
BatchSize = Annotated[
    int | None,
    typer.Option(
        min=2,
        metavar="N",
        help="Images per step, over all devices.",
        show_default="16; mini 32",
        rich_help_panel="Steps",
    ),
]
Parts = Annotated[int | None, options.parts("Steps")]
LearningRate = Annotated[float | None, options.learning_rate("by recipe", "Steps")]
WeightDecay = Annotated[
    float | None,
    typer.Option(metavar="RATE", help="Decay of weights (AdamW).", show_default="0", rich_help_panel="Steps"),
]
ClipNorm = Annotated[
    float | None,
    typer.Option(
        metavar="NORM", help="Clip gradients to this norm.", show_default="none", rich_help_panel="Steps"
    ),
]
Average = Annotated[
    float | None,
    typer.Option(
        "--ema",
        metavar="DECAY",
        help="Moving average of the weights; 0 for none.",
        show_default="0; mini 0.995",
        rich_help_panel="Steps",
    ),
]
DevShare = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE",
        help="Images put aside for choosing the checkpoint, by patient.",
        show_default="0.15",
        rich_help_panel="Steps",
    ),
]
Patience = Annotated[int | None, options.patience("3; mini 8", "Steps")]
Precision = Annotated[str | None, options.precision("Machine")]
Device = Annotated[str, options.device("Machine")]
Threads = Annotated[int | None, options.threads("Machine")]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Threads that bring images.",
        show_default="one per CPU, at most 16",
        rich_help_panel="Machine",
    ),
]
Cache = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Keep decoded images here, for other runs too.", rich_help_panel="Machine"
    ),
]
