"""The options that choose a labeler and how it labels, the same for every command that labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_MODELS = "Neural labelers: chexbert, visualchexbert, mini"

LabelerName = Annotated[
    str,
    typer.Option(
        "--labeler",
        metavar="NAME",
        help="How to label: rules, or with a trained model: chexbert, visualchexbert, mini.",
    ),
]
VocabularyName = Annotated[
    str | None,
    typer.Option(
        "--vocabulary",
        metavar="NAME|FILE.toml",
        help="Findings to look for: chexpert14 (what rules take without it), nih14 or a file; a model has its own.",
        show_default=False,
    ),
]
ConventionName = Annotated[
    str | None,
    typer.Option(
        "--convention",
        metavar="NAME",
        help="Meaning of the labels by rules: house (without it), or chexpert as that labeler decides.",
        show_default=False,
    ),
]
SectionName = Annotated[
    str | None,
    typer.Option(
        "--section",
        metavar="NAME",
        help="What to label: impression, findings, both or all. Without it both; for chexbert and visualchexbert, "
        "which were made for it, the impression, or a text without headings.",
        show_default=False,
    ),
]
Weights = Annotated[
    Path | None,
    typer.Option(
        "--weights",
        metavar="DIR",
        help="The folder of the model; hilum convert makes it of a public checkpoint.",
        rich_help_panel=_MODELS,
        show_default=False,
    ),
]
Probabilities = Annotated[
    bool,
    typer.Option(
        "--probabilities", help="Also the probability that a finding is positive.", rich_help_panel=_MODELS
    ),
]
Calibration = Annotated[
    Path | None,
    typer.Option(
        "--calibration",
        metavar="FILE.json",
        help="Temperatures of the probabilities, fitted for these weights; they change no label.",
        rich_help_panel=_MODELS,
        show_default=False,
    ),
]
AbstainBelow = Annotated[
    float | None,
    typer.Option(
        "--abstain-below",
        min=0.0,
        max=1.0,
        metavar="P",
        help="Leave a label with a smaller probability empty, and name its finding in the column abstained.",
        rich_help_panel=_MODELS,
        show_default=False,
    ),
]
MappingName = Annotated[
    str | None,
    typer.Option(
        "--mapping",
        metavar="NAME",
        help="How visualchexbert makes 1 and 0: logreg or thresholds, as the weights have them, or half.",
        rich_help_panel=_MODELS,
        show_default=False,
    ),
]
Long = Annotated[
    str | None,
    typer.Option(
        "--long",
        metavar="NAME",
        help="Reports too long for the model: windows (all is read; without it), or cut as the originals do.",
        rich_help_panel=_MODELS,
        show_default=False,
    ),
]
TextMode = Annotated[
    str | None,
    typer.Option(
        "--text-mode",
        metavar="NAME",
        help="How text is prepared: folded, or chexbert-list; without it as the weights say.",
        rich_help_panel=_MODELS,
        show_default=False,
    ),
]
Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="NAME",
        help="auto (without it: cuda if there is one), cpu, cuda or cuda:N.",
        rich_help_panel=_MODELS,
        show_default=False,
    ),
]
Precision = Annotated[
    str | None,
    typer.Option(
        "--precision",
        metavar="NAME",
        help="float32 (without it), bfloat16 or int8: faster, and some labels differ.",
        rich_help_panel=_MODELS,
        show_default=False,
    ),
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        "--batch-size",
        min=1,
        metavar="N",
        help="Texts that the model reads together; without it as many as suit the machine. Changes speed and "
        "memory alone.",
        rich_help_panel=_MODELS,
        show_default=False,
    ),
]


def model_options(
    *, weights: Path | None, calibration: Path | None, **others: str | float | None
) -> dict[str, object]:
    """The options of a neural labeler by name, those that were not given as None."""
    files = {"weights": weights, "calibration": calibration}
    return {**{name: None if path is None else str(path) for name, path in files.items()}, **others}
