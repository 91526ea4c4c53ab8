"""`hilum doctor`: what of a data set is found, missing or wrong below a folder."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hilum.api.doctor import Diagnosis, Opened
    from hilum.core.results import ResultTable
    from hilum.datasets import Item

NOT_OK = 1
"""Exit code when something needed is missing or something is wrong."""

_COLOURS = {
    "found": "green",
    "in part": "yellow",
    "absent, optional": None,
    "odd, and dealt with": "yellow",
    "missing": "red",
    "wrong": "red",
}
_WIDE = 110
_SHOWN = 5


def doctor(
    data_set: Annotated[
        str | None,
        typer.Argument(metavar="[DATA_SET]", help="Its name; without one, all data sets are listed."),
    ] = None,
    *,
    root: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The folder with its files.", show_default=False)
    ] = None,
    images: Annotated[
        int, typer.Option(min=0, metavar="N", help="Also open N images, drawn at random, and say which fail.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="Decides which images are opened.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON to standard output instead.")] = False,
) -> None:
    """Say what of a data set is found, missing or wrong below a folder, with counts of what can be used.

    Exit code 0 when all that is needed is there and nothing is wrong, else 1 (2 for a wrong command). Parts
    that may be absent, and images that are not here, do not change it.
    """
    from hilum.api.doctor import doctor as check
    from hilum.api.doctor import list_data_sets
    from hilum.core.errors import InputError

    if data_set is None:
        if root is not None:
            raise InputError(f"Which data set is in {root}? Next step: hilum doctor NAME --root {root}; "
                             "hilum doctor alone lists the names.")  # fmt: skip
        _show_list(as_json=as_json)
        return
    if root is None:
        known = dict(list_data_sets())
        how = f" {known[data_set].how_to_get}" if data_set in known else ""
        raise InputError(f"Where is {data_set}?{how} Next step: hilum doctor {data_set} --root DIR")
    with _counting() as tell:
        found = check(data_set, root, images=images, seed=seed, progress=tell)
    if as_json:
        typer.echo(json.dumps(found.as_dict(), indent=2, ensure_ascii=False))
    else:
        _show(found)
    if not found.ok:
        raise typer.Exit(NOT_OK)


@contextmanager
def _counting() -> Iterator[Callable[[int], None] | None]:
    """A function that tells on a terminal how many studies were counted, in one line that is then cleared."""
    if not sys.stderr.isatty():
        yield None
        return
    yield lambda studies: typer.echo(f"\r  {studies:,} studies ...", err=True, nl=False)
    typer.echo("\r\x1b[K", err=True, nl=False)


def _show_list(*, as_json: bool) -> None:
    from hilum.api.doctor import list_data_sets
    from hilum.cli._tables import print_table

    cards = list_data_sets()
    if as_json:
        rows = [
            {
                "data_set": name,
                "title": card.title,
                "access": card.access.value,
                "licence": card.licence,
                "synthetic": card.synthetic,
                "splits": list(card.splits),
                "labels": list(card.labels),
                "homepage": card.homepage,
                "how_to_get": card.how_to_get,
                "citation": card.citation,
            }
            for name, card in cards
        ]
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    cells = [
        (name, card.access.value + (", synthetic" if card.synthetic else ""), card.licence, card.title)
        for name, card in cards
    ]
    print_table(_table("Data sets", ("Data set", "Access", "Licence", "What it is"), cells))
    typer.echo("\nNext step: hilum doctor NAME --root DIR")


def _table(title: str, headings: tuple[str, ...], cells: Sequence[tuple[str, ...]]) -> ResultTable:
    from hilum.core.results import Column, ResultTable

    columns = tuple(Column(heading.lower(), heading, kind="text") for heading in headings)
    return ResultTable(title.lower(), title, columns, tuple(cells))


def _show(found: Diagnosis) -> None:
    card, checkup = found.card, found.checkup
    synthetic = " SYNTHETIC: for testing methods, not for claims about patients." if card.synthetic else ""
    typer.echo(f"{card.title} below {checkup.root}")
    typer.echo(f"access: {card.access.value}; licence: {card.licence}.{synthetic}\n")
    width = max((len(item.status.value) for item in checkup.items), default=0)
    for item in checkup.items:
        _show_item(item, width)
    if checkup.counts:
        typer.echo("\nWhat can be used:")
        for what, count in checkup.counts.items():
            typer.echo(f"  {count:>9,}  {what}")
    if checkup.left_out:
        typer.echo("\nLeft out:")
        _indented(checkup.left_out, 2)
    bad = [item.what for item in checkup.items if item.status.value in ("missing", "wrong")]
    if found.opened is not None:
        _show_opened(found.opened)
        bad += ["images that cannot be read"] if found.opened.problems else []
    typer.echo("\nAll that is needed is here." if not bad else f"\nNot right: {'; '.join(bad)}.")


def _show_item(item: Item, width: int) -> None:
    number = f"{item.found:,}" + (f" of {item.expected:,}" if item.expected else "")
    typer.secho(item.status.value.ljust(width), fg=_COLOURS[item.status.value], nl=False)
    typer.echo(f"  {item.what}" + (f": {number}" if item.found or item.expected else ""))
    where = [f"looked for: {item.pattern}"] if item.pattern and not item.found else []
    _indented([*where, *([item.note] if item.note else [])], width + 4)


def _show_opened(opened: Opened) -> None:
    if not opened.tried:
        typer.echo("\nNo image is here that could be opened.")
        return
    typer.echo(f"\n{opened.read:,} of {opened.tried:,} images drawn at random could be read.")
    more = len(opened.problems) - _SHOWN
    _indented([*opened.problems[:_SHOWN], *([f"and {more:,} more"] if more > 0 else [])], 2)


def _indented(lines: Iterable[str], by: int) -> None:
    first, further = " " * by, " " * (by + 2)
    for line in lines:
        wrapped = textwrap.wrap(
            line,
            _WIDE,
            initial_indent=first,
            subsequent_indent=further,
            break_long_words=False,
            break_on_hyphens=False,
        )
        typer.echo("\n".join(wrapped))
