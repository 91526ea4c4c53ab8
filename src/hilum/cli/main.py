"""The program `hilum`: its commands, one per file, and how errors are told."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import Annotated, ParamSpec, TypeVar

import typer

from hilum.cli import (
    agree,
    audit,
    calibrate,
    convert,
    doctor,
    explain,
    export,
    generate,
    label,
    look,
    phantom,
    predict,
    score,
    selftest,
    show,
    study,
    train,
    train_classifier,
    train_generator,
    train_llm,
)
from hilum.cli.map import map_labels
from hilum.core.errors import HilumError
from hilum.core.version import VERSION

P = ParamSpec("P")
R = TypeVar("R")

BAD_INPUT, BROKEN_PIPE, INTERRUPTED = 2, 1, 130
"""Exit codes: an error that was told, nobody reads the output any more, Ctrl-C."""

app = typer.Typer(
    name="hilum",
    help="Chest X-ray reports and images: labels with evidence, generated reports, and how far both can be trusted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def told(command: Callable[P, R]) -> Callable[P, R]:
    """`command`, with errors as one message on standard error and an exit code, without traceback."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except KeyboardInterrupt:
            typer.echo("stopped", err=True)
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(BROKEN_PIPE) from None
        except (HilumError, OSError) as error:
            typer.secho("error: ", fg="red", bold=True, nl=False, err=True)
            typer.echo(str(error), err=True)
            raise typer.Exit(BAD_INPUT) from None

    return run


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"hilum {VERSION}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


for _command in (label.label, explain.explain, selftest.selftest, agree.agree, score.score, audit.audit):
    app.command()(told(_command))
app.command(name="map")(told(map_labels))
app.command()(told(doctor.doctor))
app.command()(told(look.look))
app.command()(told(predict.predict))
app.command()(told(generate.generate))
app.command()(told(phantom.phantom))
app.command()(told(convert.convert))
app.command()(told(calibrate.calibrate))
app.command(name="export")(told(export.export_model))
_studies = study.study_app()
for _name, _study in study.COMMANDS.items():
    _studies.command(name=_name)(told(_study))
app.add_typer(_studies)
_trainings = typer.Typer(
    name="train",
    help="Training: reports or images with labels in, a model of your own out.",
    no_args_is_help=True,
    context_settings=app.info.context_settings,
)
_trainings.command(name="labeler")(told(train.train_labeler_command))
_trainings.command(name="classifier")(told(train_classifier.train_classifier_command))
_trainings.command(name="generator")(told(train_generator.train_generator_command))
_trainings.command(name="llm")(told(train_llm.train_llm_command))
app.add_typer(_trainings)
_shows = show.show_app()
for _name, _show in show.COMMANDS.items():
    _shows.command(name=_name)(told(_show))
app.add_typer(_shows)


def main() -> None:
    """Run the program; also as `python -m hilum.cli.main`."""
    app()


if __name__ == "__main__":
    main()
