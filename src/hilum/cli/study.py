"""`hilum study ...`: the studies, one command each."""

from __future__ import annotations

from collections.abc import Callable

import typer

from hilum.cli.study_discrepancy import study_discrepancy
from hilum.cli.study_generation import study_generation
from hilum.cli.study_labelers import study_labelers
from hilum.cli.study_retrieval import study_retrieval
from hilum.cli.study_visualchexbert import study_visualchexbert

COMMANDS: dict[str, Callable[..., None]] = {
    "discrepancy": study_discrepancy,
    "generation": study_generation,
    "labelers": study_labelers,
    "retrieval": study_retrieval,
    "visualchexbert": study_visualchexbert,
}
"""Name under `hilum study` -> the function of the command."""


def study_app() -> typer.Typer:
    """The group of commands, without the errors' wrapping that the program adds."""
    return typer.Typer(
        name="study",
        help="Studies: label files or data sets in, tables, figures and one HTML page out.",
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
