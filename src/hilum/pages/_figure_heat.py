"""Heat maps: rows by columns, each cell with its colour and its value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hilum.core.results import ResultFigure
from hilum.pages._figure_style import (
    LINE,
    MISSING_NOTE,
    QUIET,
    SMALL,
    clean,
    defined,
    drawing,
    finish,
    lines_of,
    new_figure,
    number,
    width_in,
)  # fmt: skip
from hilum.pages._figure_words import counted, extremes, joined, listed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

Cells = Sequence[Sequence[float | None]]

_SCALE = ("#a34a00", "#e08a3c", "#f6d3ae", "#f7f7f5", "#b4d2ea", "#4b93c6", "#00538a")


def heat_map(
    name: str,
    title: str,
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    values_RC: Cells,
    label: str,
    centre: float = 0.0,
    format: str = "{:+.3f}",  # noqa: A002 - the word that other libraries have for it
) -> ResultFigure:
    """Coloured cells with their values: blue above `centre`, orange below, the same reach both ways.

    Cells that are None or NaN are white with a dash. `format` is how a value is written, `label` what it is.
    Raises ValueError when `values_RC` has not one value per row and column.
    """
    cells_RC = [[value if defined(value) else None for value in row] for row in values_RC]
    if not rows or not columns or [len(row) for row in cells_RC] != [len(columns)] * len(rows):
        raise ValueError(f"{name}: values must have {len(rows)} rows of {len(columns)} cells, at least one")
    known = [value for row in cells_RC for value in row if value is not None]
    reach = max([abs(value - centre) for value in known], default=0.0) or 1.0
    with drawing():
        figure, axes, bar = _layout(rows, columns, [number(v, format) for row in cells_RC for v in row])
        image = _draw(axes, cells_RC, limits=(centre - reach, centre + reach), pattern=format)
        scale = figure.colorbar(image, cax=bar)
        scale.set_label(clean(label, wrap=36))
        bar.spines[:].set_visible(False)
        if len(known) < len(rows) * len(columns):
            axes.annotate(
                MISSING_NOTE, (0, 0), xycoords="axes fraction", xytext=(0, -6), textcoords="offset points",
                va="top", fontsize=SMALL, color=QUIET,
            )  # fmt: skip
        named = [
            (f"{row}, {column}", value)
            for row, values in zip(rows, cells_RC, strict=True)
            for column, value in zip(columns, values, strict=True)
        ]
        alt = joined(
            f"Heat map of {label}: {counted(len(rows), 'row')} ({listed(rows)})",
            f"by {counted(len(columns), 'column')} ({listed(columns)}); the middle colour is at {centre:g}.",
            extremes(named, format),
        )
        return finish(figure, name, title=title, alt=alt)


def _layout(rows: Sequence[str], columns: Sequence[str], texts: Sequence[str]) -> tuple[Figure, Axes, Axes]:
    names, heads = [clean(row) for row in rows], [clean(column, wrap=16) for column in columns]
    cell = max(0.9, max(width_in(text) for text in (*texts, *heads)) + 0.25)
    left = max(width_in(row) for row in names) + 0.15
    row = max(0.3, lines_of(names) * 0.155 + 0.08)
    wide, tall = left + cell * len(columns) + 1.2, max(row * len(rows), 1.2)
    figure = new_figure(wide, tall)
    axes = figure.add_axes((left / wide, 0, cell * len(columns) / wide, 1))
    high = min(tall, 3.0) / tall
    bar = figure.add_axes(((left + cell * len(columns) + 0.25) / wide, 1 - high, 0.16 / wide, high))
    axes.set_yticks(range(len(rows)), names)
    axes.set_xticks(range(len(columns)), heads)
    axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    return figure, axes, bar


def _draw(axes: Axes, cells_RC: Cells, *, limits: tuple[float, float], pattern: str) -> AxesImage:
    from matplotlib.colors import LinearSegmentedColormap  # noqa: PLC0415

    colours = LinearSegmentedColormap.from_list("hilum", _SCALE).with_extremes(bad="white")
    values_RC = np.array(
        [[np.nan if value is None else value for value in row] for row in cells_RC], dtype=float
    )
    image = axes.imshow(
        np.ma.masked_invalid(values_RC), cmap=colours, vmin=limits[0], vmax=limits[1], aspect="auto"
    )
    for row, line in enumerate(cells_RC):
        for column, value in enumerate(line):
            place = None if value is None else (value - limits[0]) / (limits[1] - limits[0])
            colour = QUIET if place is None else _readable(colours, place)
            axes.text(column, row, number(value, pattern), ha="center", va="center", color=colour)
    axes.set_xticks(np.arange(1, values_RC.shape[1]) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, values_RC.shape[0]) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=2)
    axes.tick_params(which="minor", length=0, top=False, bottom=False)
    axes.spines[:].set_color(LINE)
    return image


def _readable(colours: Colormap, place: float) -> str:
    """White or black, whichever has more contrast on the colour at `place` (relative luminance, WCAG 2)."""
    parts = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colours(place)[:3]
    ]
    luminance = 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
    return "white" if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.05 else "black"
