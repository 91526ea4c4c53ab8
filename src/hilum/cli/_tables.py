"""Result tables in the terminal: plain aligned text when piped, set by the width of a terminal."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from hilum.core.results import Column, ResultTable, Value

if TYPE_CHECKING:
    from rich.console import Console

_GAP = "  "
_DASH = "-"
_NARROW_NAME = 17


def print_table(table: ResultTable, *, console: Console | None = None) -> None:
    """Print a table with its title and note on standard output; a dash is what is not defined.

    Plain text with aligned columns when it is piped. On a terminal the widest of three layouts that fits is
    taken: as when piped, with intervals under their value, or one line per cell.
    """
    if console is None and not sys.stdout.isatty():
        typer.echo(plain_table(table))
        return
    from rich.console import Console

    console = console or Console()
    _print_wide(table, console)


def plain_table(table: ResultTable) -> str:
    """Title, headings, rows and note as text; columns two spaces apart, numbers to the right."""
    cells = [[column.heading for column in table.columns], *_cells(table)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        _GAP.join(
            _pad(cell, width, column) for cell, width, column in zip(row, widths, table.columns, strict=True)
        )
        for row in cells
    ]
    rule = _GAP.join("-" * width for width in widths)
    body = [line.rstrip() for line in (lines[0], rule, *lines[1:])]
    return "\n".join(["", table.title, "", *body, *(["", table.note] if table.note else [])])


def _cells(table: ResultTable) -> list[list[str]]:
    return [
        [_text(column, value) for column, value in zip(table.columns, row, strict=True)] for row in table.rows
    ]


def _text(column: Column, value: Value) -> str:
    from hilum.pages.result_page import cell_text

    text = cell_text(column, value)
    return _DASH if text is None else text.replace("\N{MINUS SIGN}", "-")


def _pad(text: str, width: int, column: Column) -> str:
    return text.ljust(width) if column.kind == "text" else text.rjust(width)


def _print_wide(table: ResultTable, console: Console) -> None:
    from rich.text import Text

    console.print()
    console.print(Text(table.title, style="bold"))
    rows = _cells(table)
    headings = [column.heading for column in table.columns]
    narrow = [[textwrap.fill(row[0], _NARROW_NAME), *map(_fold, row[1:])] for row in rows]
    for gap, lines in ((2, [headings, *rows]), (1, [[h.replace(" ", "\n") for h in headings], *narrow])):
        if _width(lines, gap) <= console.width:
            console.print(_rich_table(table, lines, gap))
            break
    else:
        for row in rows:
            console.print(Text(row[0], style="bold"))
            for column, cell in list(zip(table.columns, row, strict=True))[1:]:
                if cell:
                    console.print(Text(f"  {column.heading}: {cell}"), soft_wrap=False)
    if table.note:
        for line in textwrap.wrap(table.note, min(console.width, 100)):
            console.print(Text(line, style="dim"))


def _fold(cell: str) -> str:
    """An interval under its value."""
    value, bracket, interval = cell.partition(" (")
    return f"{value}\n{interval.removesuffix(')')}" if bracket else cell


def _width(rows: Sequence[Sequence[str]], gap: int) -> int:
    widths = [
        max(len(line) for cell in column for line in cell.split("\n")) for column in zip(*rows, strict=True)
    ]
    return sum(widths) + gap * len(widths)


def _rich_table(table: ResultTable, lines: Sequence[Sequence[str]], gap: int) -> object:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, gap - 1, 0, 0))
    for column, heading in zip(table.columns, lines[0], strict=True):
        shown.add_column(Text(heading), justify="left" if column.kind == "text" else "right", no_wrap=True)
    for row in lines[1:]:
        shown.add_row(*(Text(cell) for cell in row))
    return shown
