"""`hilum show ...`: what hilum works with, to be read; now the prompts of language models."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from hilum.cli import _labeler_options as options

if TYPE_CHECKING:
    from hilum.models.engine import Message


def show_prompt(
    name: Annotated[
        str,
        typer.Argument(
            metavar="[NAME|FILE.toml|DIR]", help="full, brief, a prompt file, or a trained model's folder."
        ),
    ] = "full",
    *,
    vocabulary: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE.toml", help="The findings that are asked for.", show_default=False),
    ] = None,
    few_shot: options.FewShot = None,
    for_server: Annotated[
        bool, typer.Option("--for-server", help="What a server is sent: the answer is asked for in JSON.")
    ] = False,
    as_toml: Annotated[
        bool,
        typer.Option("--toml", help="The prompt as a file instead, to be changed and given to --prompt."),
    ] = False,
) -> None:
    """Print a prompt: its version and checksum, and exactly what a language model is sent for an invented report."""
    from hilum.api.show import show_prompt as find

    shown = find(name, vocabulary=vocabulary, few_shot=few_shot)
    if as_toml:
        typer.echo(shown.prompt.to_toml(), nl=False)
        return
    prompt = shown.prompt
    about = f": {prompt.about}" if prompt.about else ""
    typer.echo(f"Prompt {prompt.name!r}, version {prompt.version}{about}")
    typer.echo(f"SHA-256 {prompt.digest}")
    typer.echo(
        f"Findings: {shown.vocabulary.name} ({len(shown.vocabulary)}). Answers: {', '.join(shown.choices)}."
    )
    typer.echo(f"Sent to {'a server' if for_server else 'a model on this machine'}, for an invented report:")
    _print_turns(shown.json if for_server else shown.lines)


def _print_turns(messages: Iterable[Message]) -> None:
    for message in messages:
        typer.echo(f"\n--- {message.role} ---")
        typer.echo(message.content)
    typer.echo("\n--- assistant ---")


COMMANDS: dict[str, Callable[..., None]] = {"prompt": show_prompt}
"""Name under `hilum show` -> the function of the command."""


def show_app() -> typer.Typer:
    """The group of commands, without the errors' wrapping that the program adds."""
    return typer.Typer(
        name="show",
        help="What hilum works with, to be read: the prompts of language models.",
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
