"""The options of `hilum train llm`: data, start, prompt, steps, machine and run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hilum.cli import _run_options as options

Output = Annotated[
    Path | None,
    typer.Option("--output", "--out", "-o", metavar="DIR", help="Folder of the run.", show_default=False),
]
Recipe = Annotated[str, typer.Option(metavar="NAME", help="paper or mini.")]
Reports = Annotated[Path, typer.Option(metavar="FILE", help="Reports, in anything that `hilum label` reads.")]
Labels = Annotated[Path | None, typer.Option(metavar="FILE", help="Labels of any labeler: 1, 0, -1, blank.")]
Model = Annotated[
    str | None,
    typer.Option(
        metavar="DIR|ID", help="An instruction-tuned model to start from, also DIR/model of an earlier run."
    ),
]
Architecture = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="A model from scratch instead: small.", show_default="mini: small"),
]
LoraOption = Annotated[
    bool, typer.Option("--lora", help="Train a low-rank adapter of the model, not the model.")
]
Merge = Annotated[bool, typer.Option("--merge", help="With --lora: keep the whole model, adapter added.")]
Prompt = Annotated[
    str | None,
    typer.Option(metavar="NAME|FILE", help="What is asked (hilum show prompt).", show_default="brief"),
]
Vocabulary = Annotated[
    str | None,
    typer.Option(metavar="NAME|FILE", help="Findings: a name or FILE.toml.", show_default="chexpert14"),
]
Section = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="What to read: impression, findings, both or all.", show_default="both"
    ),
]
Key = Annotated[str | None, typer.Option(metavar="COLUMN", help="The column that joins reports and labels.")]
Group = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Reports of one group (a patient) stay on one side.")
]
Epochs = Annotated[int | None, typer.Option(min=1, metavar="N", help="Epochs.", show_default="5; mini 8")]
BatchSize = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Reports per device and pass.", show_default="2; mini 32"),
]
Accumulation = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Passes per step.", show_default="2; mini 1"),
]
LearningRate = Annotated[
    float | None,
    typer.Option(
        "--lr", "--learning-rate", metavar="RATE", help="Learning rate.",
        show_default="1e-4; mini 3e-3, with adamw 1.5e-3",
    ),
]  # fmt: skip
Optimizer = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="adamw, or muon for a model from scratch: it learns several times faster (torch 2.9).",
        show_default="adamw; mini muon",
    ),
]
Warmup = Annotated[
    float | None,
    typer.Option(metavar="SHARE", help="Share of the steps that warm up.", show_default="0; mini 0.05"),
]
MaxTokens = Annotated[
    int | None,
    typer.Option(
        min=8, metavar="N", help="Leave out rows of more tokens; none is cut.", show_default="the model's context"
    ),
]  # fmt: skip
Batches = Annotated[
    str | None,
    typer.Option(metavar="HOW", help="by-length, shuffled or packed.", show_default="shuffled; mini by-length"),
]  # fmt: skip
Answers = Annotated[
    str | None,
    typer.Option(
        metavar="HOW",
        help="Findings of a row in-turn, or each alone behind the prompt.",
        show_default="in-turn; mini alone",
    ),
]
DevShare = Annotated[
    float | None,
    typer.Option(metavar="SHARE", help="Reports put aside to score by; 0 for none.", show_default="0.05"),
]
Keep = Annotated[
    str | None, typer.Option(metavar="WHICH", help="last or best epoch.", show_default="last; mini best")
]
Precision = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Mixed precision: auto, no, bf16 or fp16.", show_default="auto"),
]
Device = Annotated[str, options.device()]
Threads = Annotated[int | None, options.threads()]
WriteInstances = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Only write what would be learned from, as JSON lines; no training."),
]
