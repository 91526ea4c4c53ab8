"""What commands on tables share: NAME=FILE options, lists, progress, notes, and the last lines."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import typer

from hilum.cli._tables import print_table
from hilum.core.errors import InputError
from hilum.core.results import ResultPage, ResultTable


def named_files(options: Sequence[str] | None, option: str) -> tuple[tuple[str, Path], ...]:
    """The (name, path) of each `NAME=FILE`; a FILE alone is called by its stem.

    Raises InputError for an empty name, a missing file and a name given twice.
    """
    found: list[tuple[str, Path]] = []
    for text in options or ():
        name, equals, file = text.partition("=")
        path = Path(file if equals else text)
        name = name if equals else path.stem
        if not name or not path.is_file():
            raise InputError(
                f"{option} {text!r}: {'the name is empty' if not name else f'there is no file {path}'}. "
                f"Next step: {option} NAME=FILE."
            )
        if name in dict(found):
            raise InputError(f"{option}: {name!r} is named twice. Next step: give each file its own name.")
        found.append((name, path))
    return tuple(found)


def list_of(option: str | None) -> tuple[str, ...]:
    """The parts of `A,B,C` without spaces around them; () without the option."""
    return tuple(part.strip() for part in (option or "").split(",") if part.strip())


def key_columns(options: Sequence[str] | None) -> tuple[tuple[str, str], ...]:
    """(name, column) of each `NAME=COLUMN`; a column alone has the name "", which stands for all files."""
    pairs = [option.partition("=") for option in options or ()]
    return tuple((name, column) if equals else ("", name) for name, equals, column in pairs)


@contextlib.contextmanager
def steps() -> Iterator[Callable[[str], None]]:
    """A function that tells each step of a run on standard error."""

    def tell(step: str) -> None:
        typer.echo(f"  {step} ...", err=True)

    yield tell


def show_notes(notes: Iterable[str]) -> None:
    """Each note on a line of standard error."""
    for note in notes:
        typer.echo(f"note: {note}", err=True)


def show_warnings(page: ResultPage) -> None:
    """Each warning of the page on a line of standard error."""
    for warning in page.warnings:
        typer.secho("warning: ", fg="yellow", bold=True, nl=False, err=True)
        typer.echo(warning, err=True)


def show_study(page: ResultPage, written: Sequence[Path], *, tables: Iterable[ResultTable]) -> None:
    """These tables of the page, its warnings, and where the page and everything else is."""
    for table in tables:
        print_table(table)
    show_warnings(page)
    index = next((path for path in written if path.name == "index.html"), None)
    if index is not None:
        typer.echo(f"\nPage: {index}\nTables, figures and tables.json: {index.parent} ({len(written)} files)")
