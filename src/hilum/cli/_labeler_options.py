"""The options that choose a labeler and how it labels, the same for every command that labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_MODELS = "Neural labelers: chexbert, visualchexbert, mini; where it fits, llm"
_LANGUAGE = "Language models: llm"

LabelerName = Annotated[
    str,
    typer.Option(
        "--labeler",
        metavar="NAME",
        help="How to label: rules, with a trained model (chexbert, visualchexbert, mini), or a language model: llm.",
    ),
]
VocabularyName = Annotated[
    str | None,
    typer.Option(
        "--vocabulary",
        metavar="NAME|FILE.toml",
        help="Findings to look for: chexpert14 (rules and llm take it without this), nih14 or a file; a trained model "
        "has its own.",
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
        help="float32 (without it), bfloat16, or int8 (not llm): faster, and some labels differ.",
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
        help="Texts that the model reads together; without it as many as suit the machine. Changes speed, memory "
        "and the last digits of probabilities.",
        rich_help_panel=_MODELS,
        show_default=False,
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="DIR|ID",
        help="A language model with a chat template: its folder, or its id on the hub; with --endpoint the name that "
        "the server has for it.",
        rich_help_panel=_LANGUAGE,
        show_default=False,
    ),
]
Endpoint = Annotated[
    str | None,
    typer.Option(
        "--endpoint",
        metavar="URL",
        help="Ask a server that speaks the OpenAI chat protocol, such as http://localhost:8000/v1.",
        rich_help_panel=_LANGUAGE,
        show_default=False,
    ),
]
PromptName = Annotated[
    str | None,
    typer.Option(
        "--prompt",
        metavar="NAME|FILE.toml",
        help="What is asked: full, brief or a file (hilum show prompt prints it). Without it what the model was "
        "trained with, else full.",
        rich_help_panel=_LANGUAGE,
        show_default=False,
    ),
]
FewShot = Annotated[
    Path | None,
    typer.Option(
        "--few-shot",
        metavar="FILE",
        help="Up to 16 labeled reports (csv, tsv, parquet, jsonl) that are shown before each report.",
        rich_help_panel=_LANGUAGE,
        show_default=False,
    ),
]
Answer = Annotated[
    str | None,
    typer.Option(
        "--answer",
        metavar="NAME",
        help="How a model on this machine answers: scoring (without it; has probabilities) or generation.",
        rich_help_panel=_LANGUAGE,
        show_default=False,
    ),
]
Context = Annotated[
    int | None,
    typer.Option(
        "--context",
        min=1,
        metavar="N",
        help="The most tokens that a question may have; longer reports are read in windows. Needed for servers that "
        "cut without a word, such as Ollama. Of a server each byte counts as one; in English a token has about four.",
        rich_help_panel=_LANGUAGE,
        show_default=False,
    ),
]
Requests = Annotated[
    int | None,
    typer.Option(
        "--requests",
        min=1,
        metavar="N",
        help="Requests that a server answers at a time; without it 8.",
        rich_help_panel=_LANGUAGE,
        show_default=False,
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        min=0.1,
        metavar="SECONDS",
        help="How long a server may take for an answer; without it 120.",
        rich_help_panel=_LANGUAGE,
        show_default=False,
    ),
]
Cache = Annotated[
    str | None,
    typer.Option(
        "--cache",
        metavar="DIR|none",
        help="Where answers of a server are kept; without it in the user's cache folder.",
        rich_help_panel=_LANGUAGE,
        show_default=False,
    ),
]
ApiKeyEnv = Annotated[
    str | None,
    typer.Option(
        "--api-key-env",
        metavar="VARIABLE",
        help="The environment variable with the server's key; without it OPENAI_API_KEY, if there is one.",
        rich_help_panel=_LANGUAGE,
        show_default=False,
    ),
]


def model_options(**given: Path | str | float | None) -> dict[str, object]:
    """The options of a labeler by name, those that were not given as None; paths as text."""
    return {name: str(value) if isinstance(value, Path) else value for name, value in given.items()}
