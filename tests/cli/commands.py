"""Runs one command of `hilum` in this process, as the program runs it."""

from __future__ import annotations

from collections.abc import Callable

import typer
from typer.testing import CliRunner

from hilum.cli.main import told


def runner(command: Callable[..., None]) -> Callable[..., tuple[int, str, str]]:
    """A function of arguments that returns exit code, standard output and standard error."""
    app = typer.Typer()
    app.command()(told(command))

    def run(*arguments: object) -> tuple[int, str, str]:
        done = CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "200"})
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.stdout, done.stderr

    return run
