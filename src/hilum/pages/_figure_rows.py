"""Points and intervals on labelled rows: ranges and differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hilum.core.results import Estimate, ResultFigure
from hilum.pages._figure_style import (
    INK,
    MISSING,
    MISSING_NOTE,
    QUIET,
    SMALL,
    Style,
    check_lengths,
    clean,
    defined,
    drawing,
    finish,
    legend_above,
    note_below,
    number,
    rows_axes,
    style_of,
)  # fmt: skip
from hilum.pages._figure_words import counted, extremes, joined, listed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

_WIDE, _MARK, _BETWEEN = 5.4, 0.19, 0.1
_LOW, _HIGH = style_of(0), style_of(5)._replace(marker="D")
_FILLED = "filled: the interval leaves out 0"


def ranges(
    name: str,
    title: str,
    *,
    labels: Sequence[str],
    low: Sequence[float | None],
    high: Sequence[float | None],
    xlabel: str,
    ends: tuple[str, str] = ("low", "high"),
) -> ResultFigure:
    """A line from the low to the high value of each label, with both values written; `ends` names them.

    None and NaN are written as a dash. Raises ValueError when there is not one value per label.
    """
    check_lengths(name, len(labels), {"low": low, "high": high})
    known = [value for value in (*low, *high) if defined(value)]
    unit = all(0 <= value <= 1 for value in known)
    left, right = (0.0, 1.0) if unit else (min(known), max(known))
    room = (right - left or 1.0) * 0.02
    with drawing():
        figure, axes = rows_axes(labels, row_in=0.3, wide_in=_WIDE)
        handles = [draw_point(axes, _LOW, hollow=True), draw_point(axes, _HIGH)]
        for row, (start, end) in enumerate(zip(low, high, strict=True)):
            _dumbbell(axes, row, start, end, room=room, left=left)
        axes.set_xlim(left - 4 * room, right + 4 * room)
        if unit:
            axes.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1])
        axes.set_xlabel(clean(xlabel, wrap=70))
        legend_above(axes, handles, ends, room_in=_WIDE)
        note_below(axes, MISSING_NOTE if len(known) < 2 * len(labels) else "")
        cells = [
            (f"{label}, {end}", value)
            for end, values in zip(ends, (low, high), strict=True)
            for label, value in zip(labels, values, strict=True)
        ]
        alt = joined(
            f"Ranges of {xlabel} for {counted(len(labels), 'label')}: {listed(labels)}.",
            f"Each line goes from {ends[0]} to {ends[1]}.",
            extremes(cells, "{:.3f}"),
        )
        return finish(figure, name, title=title, alt=alt)


def _dumbbell(
    axes: Axes, row: int, low: float | None, high: float | None, *, room: float, left: float
) -> None:
    known = [value for value in (low, high) if defined(value)]
    if not known:
        axes.text(left, row, MISSING, ha="left", va="center", color=QUIET)
        return
    axes.plot([min(known), max(known)], [row, row], color=QUIET, linewidth=2, solid_capstyle="butt")
    if defined(low):
        draw_point(axes, _LOW, at=(low, row), hollow=True)
    if defined(high):
        draw_point(axes, _HIGH, at=(high, row))
    first, last = (low, high) if len(known) < 2 or low == min(known) else (high, low)
    axes.text(min(known) - room, row, number(first), ha="right", va="center", fontsize=SMALL)
    axes.text(max(known) + room, row, number(last), ha="left", va="center", fontsize=SMALL)


def draw_point(
    axes: Axes, style: Style, *, at: tuple[float, float] | None = None, hollow: bool = False
) -> Line2D:
    """One mark at (x, y); without a place, the mark for a legend."""
    return axes.plot(
        [at[0]] if at else [], [at[1]] if at else [], linestyle="none", marker=style.marker, markersize=6,
        markeredgecolor=style.line, markerfacecolor="white" if hollow else style.line, markeredgewidth=1.4,
        zorder=4,
    )[0]  # fmt: skip


def differences(
    name: str,
    title: str,
    *,
    labels: Sequence[str],
    estimates: Mapping[str, Sequence[Estimate]],
    xlabel: str,
) -> ResultFigure:
    """Differences with their intervals, and a line at 0; a mark is filled where the interval leaves out 0.

    An estimate that is NaN is a dash. Raises ValueError when there is not one estimate per label.
    """
    check_lengths(name, len(labels), estimates)
    every = [estimate for row_of in estimates.values() for estimate in row_of]
    finite = [value for estimate in every for value in estimate if defined(value)]
    reach = max([abs(value) for value in finite], default=1.0) or 1.0
    low, high = min([*finite, 0.0]) - 0.06 * reach, max([*finite, 0.0]) + 0.06 * reach
    row_in = _MARK * len(estimates) + _BETWEEN
    with drawing():
        figure, axes = rows_axes(labels, row_in=row_in, wide_in=_WIDE)
        axes.axvline(0, color=INK, linewidth=1)
        handles = []
        for place, row_of in enumerate(estimates.values()):
            style, shift = style_of(place), (place - (len(estimates) - 1) / 2) * _MARK / row_in
            handles.append(draw_point(axes, style))
            for row, estimate in enumerate(row_of):
                _difference(axes, row + shift, estimate, style, left=low)
        axes.set_xlim(low, high)
        axes.set_xlabel(clean(xlabel, wrap=70))
        legend_above(axes, handles, list(estimates), room_in=_WIDE)
        missing = MISSING_NOTE if any(not defined(estimate.value) for estimate in every) else ""
        note_below(axes, "; ".join(filter(None, [_FILLED, missing])))
        return finish(figure, name, title=title, alt=_differences_alt(labels, estimates, xlabel))


def _difference(axes: Axes, row: float, estimate: Estimate, style: Style, *, left: float) -> None:
    if not defined(estimate.value):
        axes.text(left, row, f" {MISSING}", ha="left", va="center", fontsize=SMALL, color=QUIET)
        return
    if defined(estimate.low) and defined(estimate.high):
        axes.plot(
            [estimate.low, estimate.high], [row, row], color=style.line, linewidth=1.5, marker="|",
            markersize=5, zorder=3,
        )  # fmt: skip
    draw_point(axes, style, at=(estimate.value, row), hollow=not _leaves_out(estimate))


def _leaves_out(estimate: Estimate) -> bool:
    return estimate.low > 0 or estimate.high < 0


def _differences_alt(labels: Sequence[str], estimates: Mapping[str, Sequence[Estimate]], xlabel: str) -> str:
    cells = [
        (label if len(estimates) == 1 else f"{label} ({key})", estimate)
        for key, row_of in estimates.items()
        for label, estimate in zip(labels, row_of, strict=True)
    ]
    clear = [label for label, estimate in cells if defined(estimate.value) and _leaves_out(estimate)]
    return joined(
        f"Points with intervals, {xlabel}, for {counted(len(labels), 'label')}: {listed(labels)}.",
        f"Series: {listed(list(estimates))}.",
        extremes([(label, estimate.value) for label, estimate in cells], "{:+.3f}"),
        f"The interval leaves out 0 for {listed(clear)}." if clear else "No interval leaves out 0.",
    )
