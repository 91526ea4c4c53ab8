"""What a study hands over: tables, figures and examples, in sections of one page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, NamedTuple


class Estimate(NamedTuple):
    """A value with its interval; `level` of the interval stands in the table's note."""

    value: float
    low: float
    high: float


Value = str | int | float | Estimate | None
"""One cell of a table; None, and a NaN, mean that it is not defined (shown as a dash, with a note why)."""

Kind = Literal["text", "count", "number", "p"]
"""How a column is written: text, whole numbers, three decimals, or a P value."""


class Column(NamedTuple):
    """One column: `key` in json and csv, `heading` on the page, and how its cells are written."""

    key: str
    heading: str
    kind: Kind = "number"


@dataclass(frozen=True)
class ResultTable:
    """One table. `name` is its file name and key in tables.json; `rows` have one cell per column."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]
    note: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"{self.name}: a row has {len(row)} cells, not {len(self.columns)}: {row}")


@dataclass(frozen=True)
class ResultFigure:
    """One figure in two formats. `alt` says in words what it shows; `svg` is XML text, `png` bytes."""

    name: str
    title: str
    alt: str
    svg: str
    png: bytes


class Example(NamedTuple):
    """One example text: a heading (which study, which labels), and the text of the report."""

    heading: str
    text: str


@dataclass(frozen=True)
class ResultExamples:
    """Texts that show something, folded away on the page."""

    name: str
    title: str
    examples: tuple[Example, ...]


Block = ResultTable | ResultFigure | ResultExamples


@dataclass(frozen=True)
class ResultSection:
    """A heading, paragraphs of plain text, and what stands under them."""

    heading: str
    paragraphs: tuple[str, ...] = ()
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True)
class ResultPage:
    """A whole study: title, what was done in plain words, warnings, sections, and the stamp of the run."""

    title: str
    lead: tuple[str, ...]
    sections: tuple[ResultSection, ...]
    warnings: tuple[str, ...] = ()
    stamp: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def blocks(self) -> tuple[Block, ...]:
        """All tables, figures and examples, in the order of the page."""
        return tuple(block for section in self.sections for block in section.blocks)

    def table(self, name: str) -> ResultTable:
        """The table called `name`. Raises KeyError when the page has none of that name."""
        for block in self.blocks():
            if isinstance(block, ResultTable) and block.name == name:
                return block
        raise KeyError(name)
