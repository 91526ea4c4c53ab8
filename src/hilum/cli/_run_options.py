"""Options that all commands of `hilum train` have; `panel`: the heading that the help lists one under."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

Output = Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder of the run.")]
Seed = Annotated[int, typer.Option(help="Seed of all that is random.")]
SaveEvery = Annotated[
    int | None,
    typer.Option(min=1, metavar="STEPS", help="How often to save besides every epoch.", show_default="500"),
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Forget an earlier run in the folder and start again.")]


def epochs(panel: str | None = None) -> Any:
    """How often to go through the rows at most."""
    return typer.Option(
        min=1, metavar="N", help="Most epochs.", show_default="by recipe", rich_help_panel=panel
    )


def parts(panel: str | None = None) -> Any:
    """How many passes a batch is cut into."""
    return typer.Option(
        "--accumulate",
        min=1,
        metavar="N",
        help="Cut a batch into N passes, to save memory.",
        show_default="1",
        rich_help_panel=panel,
    )


def learning_rate(shown: str, panel: str | None = None) -> Any:
    """The learning rate; `shown`: what the help says of its default."""
    return typer.Option(metavar="RATE", help="Learning rate.", show_default=shown, rich_help_panel=panel)


def patience(shown: str, panel: str | None = None) -> Any:
    """When to stop early; `shown`: what the help says of its default."""
    return typer.Option(
        min=1,
        metavar="N",
        help="Stop after N epochs that brought nothing.",
        show_default=shown,
        rich_help_panel=panel,
    )


def precision(panel: str | None = None) -> Any:
    """Mixed precision."""
    return typer.Option(
        metavar="NAME",
        help="Mixed precision: no, bf16 or fp16.",
        show_default="no",
        rich_help_panel=panel,
    )


def device(panel: str | None = None) -> Any:
    """Where to compute."""
    return typer.Option(metavar="NAME", help="auto, cpu or cuda.", rich_help_panel=panel)


def threads(panel: str | None = None) -> Any:
    """Threads of torch."""
    return typer.Option(
        min=1, metavar="N", help="CPU threads.", show_default="torch's", rich_help_panel=panel
    )
