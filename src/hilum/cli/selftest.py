"""`hilum selftest`: whether this installation gives the labels that were shipped."""

from __future__ import annotations

import typer


def selftest() -> None:
    """Label the shipped sentences and reports; fails, naming the finding, when any label has changed."""
    from hilum.labelers._selftest import run

    done = run()
    typer.echo(
        f"{done.sentences:,} sentences, {done.reports:,} reports, {done.phrases:,} phrases: all labels as shipped"
    )
    for note in done.notes:
        typer.echo(f"note: {note}")
