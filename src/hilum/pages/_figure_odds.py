"""Odds ratios with intervals, one panel per image label."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from hilum.core.results import ResultFigure
from hilum.pages._figure_rows import draw_point
from hilum.pages._figure_style import (
    INK,
    LINE,
    MISSING_NOTE,
    QUIET,
    SMALL,
    TEXT,
    clean,
    defined,
    drawing,
    finish,
    lines_of,
    new_figure,
    plain_axes,
    style_of,
    width_in,
)  # fmt: skip
from hilum.pages._figure_words import counted, extremes, joined, listed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OddsRow = tuple[str, float, float, float]
"""Label, odds ratio, low and high end of its interval."""

OddsPanel = tuple[str, Sequence[OddsRow]]
"""Title, usually an image label, and its rows."""

_ROW, _HEAD, _FOOT, _AXIS, _GAP, _WRITTEN = 0.23, 0.34, 0.5, 2.6, 0.3, 0.55
_BELOW, _ABOVE = style_of(0), style_of(5)._replace(marker="D")
_FARTHEST = 1e3


def odds_forest(
    name: str,
    title: str,
    *,
    panels: Sequence[OddsPanel],
    xlabel: str = "odds ratio (log axis)",
    empty: str = "none to show",
) -> ResultFigure:
    """One panel per image label: odds ratios with intervals on one log axis, with a line at 1.

    Like Figure 2 of Jain et al. 2021 (VisualCheXbert); the caller chooses the rows (there, those with P < 0.05).
    Circles are below 1, diamonds above. What lies beyond the axis, 0 and infinity included, is an arrow. A
    panel without rows says `empty`. Raises ValueError when there is no panel.
    """
    if not panels:
        raise ValueError(f"{name}: a figure needs at least one panel")
    low, high = _limits([row for _, rows in panels for row in rows])
    with drawing():
        figure, spots = _spots(panels)
        for (heading, rows), spot in zip(panels, spots, strict=True):
            axes = figure.add_axes((spot.left, spot.bottom, spot.width, spot.height))
            axes.set_title(clean(heading), loc="left", fontsize=TEXT, fontweight="bold", pad=4)
            _panel_axes(axes, rows, low=low, high=high, empty=empty)
            for place, row in enumerate(rows):
                _odds(axes, place, row, low=low, high=high)
            if spot.last:
                axes.set_xlabel(clean(xlabel))
            else:
                axes.tick_params(axis="x", labelbottom=False)
        return finish(figure, name, title=title, alt=_alt(panels, empty))


class _Spot(NamedTuple):
    """Where a panel stands, as shares of the figure, and whether it is the last of its column."""

    left: float
    bottom: float
    width: float
    height: float
    last: bool


def _spots(panels: Sequence[OddsPanel]) -> tuple[Figure, list[_Spot]]:
    heights = [_height([clean(row[0]) for row in rows]) for _, rows in panels]
    columns = _columns([height + _HEAD for height in heights])
    margins = [
        max([width_in(clean(row[0])) for n in column for row in panels[n][1]], default=0.0) + 0.2
        for column in columns
    ]
    wide = sum(margins) + len(columns) * (_AXIS + _WRITTEN + _GAP)
    tall = max(sum(heights[n] + _HEAD for n in column) for column in columns) + _FOOT
    spots = []
    x = 0.0
    for column, margin in zip(columns, margins, strict=True):
        y = tall
        for n in column:
            y -= heights[n] + _HEAD
            spots.append(
                _Spot((x + margin) / wide, y / tall, _AXIS / wide, heights[n] / tall, n == column[-1])
            )
        x += margin + _AXIS + _WRITTEN + _GAP
    return new_figure(wide, tall), spots


def _columns(heights: Sequence[float]) -> list[range]:
    """Up to three panels in one column, more in two columns of about the same height."""
    count = len(heights)
    if count < 4:
        return [range(count)]
    split = min(range(1, count), key=lambda n: max(sum(heights[:n]), sum(heights[n:])))
    return [range(split), range(split, count)]


def _height(names: Sequence[str]) -> float:
    return max(len(names), 1) * max(_ROW, lines_of(names) * 0.155 + 0.06)


def _limits(rows: Sequence[OddsRow]) -> tuple[float, float]:
    known = [value for row in rows for value in row[1:] if defined(value) and value > 0]
    low, high = min([*known, 0.5]), max([*known, 2.0])
    return max(low, 1 / _FARTHEST), min(high, _FARTHEST)


def _panel_axes(axes: Axes, rows: Sequence[OddsRow], *, low: float, high: float, empty: str) -> None:
    axes.set_xscale("log")
    reach = _reach(low, high)
    axes.set_xlim(low / reach, high * reach)
    axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    axes.set_yticks(range(len(rows)), [clean(row[0]) for row in rows])
    axes.tick_params(axis="y", length=0)
    ticks = _ticks(low / reach, high * reach)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    plain_axes(axes)
    if not rows:
        axes.text(0.02, 0.5, clean(empty), transform=axes.transAxes, va="center", fontsize=SMALL, color=QUIET)
        return
    axes.grid(axis="x", color=LINE, linewidth=0.7)
    axes.axvline(1, color=INK, linewidth=1)


def _ticks(low: float, high: float) -> list[float]:
    fine = [digit * 10.0**power for power in range(-4, 5) for digit in (1, 2, 5)]
    inside = [tick for tick in fine if low <= tick <= high]
    if len(inside) <= 6:
        return inside
    return [tick for tick in inside if math.log10(tick) % 1 == 0]


def _odds(axes: Axes, place: int, row: OddsRow, *, low: float, high: float) -> None:
    _, ratio, start, end = row
    style = _ABOVE if ratio > 1 else _BELOW
    if math.isnan(ratio):
        axes.text(low, place, MISSING_NOTE, va="center", fontsize=SMALL, color=QUIET)
        return
    start, end = (ratio if math.isnan(value) else value for value in (start, end))
    reach = _reach(low, high) ** 0.7
    ends = (low / reach if start < low else start, high * reach if end > high else end)
    axes.plot(ends, [place, place], color=style.line, linewidth=1.6, zorder=3)
    for at, beyond, mark in ((ends[0], start < low, "<"), (ends[1], end > high, ">")):
        if beyond:
            axes.plot([at], [place], marker=mark, color=style.line, markersize=5, zorder=4)
    if low <= ratio <= high:
        draw_point(axes, style, at=(ratio, place))
    axes.annotate(
        _written(ratio), (1, place), xycoords=("axes fraction", "data"),
        xytext=(4, 0), textcoords="offset points", va="center", fontsize=SMALL, annotation_clip=False,
    )  # fmt: skip


def _written(ratio: float) -> str:
    if math.isinf(ratio):
        return "∞"
    if ratio < 0.005:
        return "<0.01"
    return f"{ratio:.2f}" if ratio < 9.995 else f"{ratio:.1f}" if ratio < 99.95 else f"{ratio:,.0f}"


def _reach(low: float, high: float) -> float:
    """By how much the axis goes on, as a factor, beyond what it shows: room for marks and arrows."""
    return float((high / low) ** 0.07)


def _alt(panels: Sequence[OddsPanel], empty: str) -> str:
    said = [
        f"{heading}: above 1 {listed([label for label, ratio, *_ in rows if ratio > 1], most=8) or 'none'}; "
        f"below 1 {listed([label for label, ratio, *_ in rows if ratio < 1], most=8) or 'none'}."
        if rows
        else f"{heading}: {empty}."
        for heading, rows in panels
    ]
    cells = [(f"{label} for {heading}", ratio) for heading, rows in panels for label, ratio, *_ in rows]
    return joined(
        f"Odds ratios with intervals on a log axis, a line at 1, in {counted(len(panels), 'panel')}.",
        extremes(cells, "{:.2f}"),
        *said,
    )
