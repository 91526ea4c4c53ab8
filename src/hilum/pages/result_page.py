"""A study as one HTML page: contents, warnings, tables, figures, examples, and the stamp of the run."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Sequence
from numbers import Integral

from hilum.core.results import (
    Block,
    Column,
    Estimate,
    ResultExamples,
    ResultFigure,
    ResultPage,
    ResultSection,
    ResultTable,
    Value,
)  # fmt: skip
from hilum.pages.page import escape, html_page

_DASH = '<abbr title="not defined">–</abbr>'
_SHORT, _SHORT_HEAD, _MANY, _LONG = 36, 14, 8, 60


def render_page(page: ResultPage) -> str:
    """One self-contained HTML file; the same page gives the same characters. Everything in it is escaped.

    Numbers have three decimals, intervals read `0.520 (0.440 to 0.600)`, what is not defined is a dash.
    Tables of more than 60 rows and examples are folded; in print, examples are open and such tables are not.
    """
    ids = [f"s{number}" for number in range(1, len(page.sections) + 1)]
    body = "\n".join(
        [
            '<a class="skip" href="#main">Skip to the results</a>',
            "<header>",
            f"<h1>{escape(page.title)}</h1>",
            *(f'<p class="lead">{escape(text)}</p>' for text in page.lead),
            _warnings(page.warnings),
            _contents(page.sections, ids),
            "</header>",
            '<main id="main">',
            *(_section(section, key) for section, key in zip(page.sections, ids, strict=True)),
            "</main>",
        ]
    )
    return html_page(page.title, body, styles=["result.css"], stamp=page.stamp)


def _warnings(warnings: Sequence[str]) -> str:
    if not warnings:
        return ""
    items = "".join(f"<li>{escape(text)}</li>" for text in warnings)
    return f'<div class="warnings" role="note" aria-label="Warnings"><h2>Warnings</h2><ul>{items}</ul></div>'


def _contents(sections: Sequence[ResultSection], ids: Sequence[str]) -> str:
    if len(sections) < 2:
        return ""
    items = "".join(
        f'<li><a href="#{key}">{escape(section.heading)}</a></li>'
        for section, key in zip(sections, ids, strict=True)
    )
    return f'<nav aria-label="Contents"><h2>Contents</h2><ol>{items}</ol></nav>'


def _section(section: ResultSection, key: str) -> str:
    return "\n".join(
        [
            f'<section id="{key}" aria-labelledby="{key}h">',
            f'<h2 id="{key}h">{escape(section.heading)}</h2>',
            *(f"<p>{escape(text)}</p>" for text in section.paragraphs),
            *(_block(block, f"{key}b{number}") for number, block in enumerate(section.blocks, start=1)),
            "</section>",
        ]
    )


def _block(block: Block, key: str) -> str:
    if isinstance(block, ResultTable):
        return _table(block, key)
    return _figure(block) if isinstance(block, ResultFigure) else _examples(block)


def _table(table: ResultTable, key: str) -> str:
    head = "".join(f'<th scope="col"{_head_class(c)}>{escape(c.heading)}</th>' for c in table.columns)
    rows = "\n".join(_row(table.columns, row) for row in table.rows)
    empty = f'<tr><td colspan="{len(table.columns)}" class="t">no rows</td></tr>'
    many = ' class="many"' if len(table.columns) > _MANY else ""
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    whole = (
        f'<div class="table">\n<div class="wide" role="region" tabindex="0" aria-labelledby="{key}">\n'
        f'<table{many}>\n<caption id="{key}"><span>{escape(table.title)}</span></caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows or empty}\n</tbody>\n</table>\n</div>\n{note}</div>"
    )
    if len(table.rows) <= _LONG:
        return whole
    summary = f"{escape(table.title)}: {len(table.rows):,} rows"
    return f'<details class="long"><summary>{summary}</summary>\n{whole}</details>'


def _row(columns: Sequence[Column], row: Sequence[Value]) -> str:
    cells = [
        f'<th scope="row" class="{_text_class(value)}">{_cell(column, value)}</th>'
        if place == 0 and column.kind == "text"
        else f"<td{_side(column, value)}>{_cell(column, value)}</td>"
        for place, (column, value) in enumerate(zip(columns, row, strict=True))
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _head_class(column: Column) -> str:
    names = [
        *(["t"] if column.kind == "text" else []),
        *(["s"] if len(column.heading) <= _SHORT_HEAD else []),
    ]
    return f' class="{" ".join(names)}"' if names else ""


def _side(column: Column, value: Value) -> str:
    return f' class="{_text_class(value)}"' if column.kind == "text" else ""


def _text_class(value: Value) -> str:
    return "t" if len(str(value)) > _SHORT else "t s"


def _cell(column: Column, value: Value) -> str:
    text = cell_text(column, value)
    return _DASH if text is None else escape(text)


def cell_text(column: Column, value: Value) -> str | None:
    """One cell as it is read: `1,234`, `0.520`, `0.520 (0.440 to 0.600)`, `<0.001`; None when not defined."""
    if isinstance(value, Estimate):
        return _estimate(value)
    if isinstance(value, str) or value is None:
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    return None if math.isnan(value) else _number(column, value)


def _number(column: Column, value: float) -> str:
    if column.kind == "p" and value < 0.001:
        return "<0.001"
    whole = column.kind == "count" or (isinstance(value, Integral) and column.kind != "p")
    return _minus(f"{value:,.0f}") if whole and math.isfinite(value) else _decimal(value)


def _estimate(value: Estimate) -> str | None:
    if math.isnan(value.value):
        return None
    if math.isnan(value.low) or math.isnan(value.high):
        return f"{_decimal(value.value)} (no interval)"
    return f"{_decimal(value.value)} ({_decimal(value.low)} to {_decimal(value.high)})"


def _decimal(value: float) -> str:
    """Three decimals; one from 100 on, and powers of ten from a million on. No sign before a zero."""
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if abs(value) >= 1e6:
        return _minus(f"{value:.2e}")
    text = f"{value:,.{1 if abs(value) >= 100 else 3}f}"
    return _minus(text) if text.strip("-0.") else text.lstrip("-")


def _minus(text: str) -> str:
    return text.replace("-", "−")


def _figure(figure: ResultFigure) -> str:
    data = base64.b64encode(figure.svg.encode()).decode()
    size = "".join(f' {side}="{value}"' for side, value in _size(figure.svg))
    return (
        f'<figure>\n<div class="wide panel" role="region" tabindex="0" aria-label="{escape(figure.title)}">'
        f'<img src="data:image/svg+xml;base64,{data}"{size} alt="{escape(figure.alt)}"></div>\n'
        f"<figcaption>{escape(figure.title)}</figcaption>\n</figure>"
    )


def _size(svg: str) -> list[tuple[str, int]]:
    """Width and height of an SVG in CSS pixels, as its first tag gives them in points."""
    tag = svg[svg.find("<svg") : svg.find(">", svg.find("<svg"))]
    found = [(side, re.search(rf'\b{side}="([\d.]+)pt"', tag)) for side in ("width", "height")]
    return [(side, round(float(match[1]) * 96 / 72)) for side, match in found if match]


def _examples(block: ResultExamples) -> str:
    items = "\n".join(
        f"<details><summary>{escape(e.heading)}</summary>\n"
        f'<div class="text" dir="auto">{escape(e.text)}</div></details>'
        for e in block.examples
    )
    return (
        f'<div class="examples">\n<h3>{escape(block.title)}</h3>\n{items or "<p>There are none.</p>"}\n</div>'
    )
