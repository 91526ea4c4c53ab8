"""Bars: one group per finding, or parts of a whole."""

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
    width_in,
)  # fmt: skip
from hilum.pages._figure_words import counted, extremes, joined, listed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.container import BarContainer

Interval = tuple[float, float] | Estimate | None
"""Low and high end, or None where there is none."""

Values = Sequence[float | None]

_WIDE, _BAR, _BETWEEN = 5.4, 0.155, 0.12


def grouped_bars(
    name: str,
    title: str,
    *,
    groups: Sequence[str],
    series: Mapping[str, Values],
    xlabel: str,
    intervals: Mapping[str, Sequence[Interval]] | None = None,
    limits: tuple[float, float] | None = None,
) -> ResultFigure:
    """A group of bars per finding and a bar per labeler, lying, with the value at the end of each bar.

    `series` has one value per group; `intervals`, for any of the series, one (low, high) or `Estimate` per group
    for whiskers. None and NaN are drawn as a dash, never as 0. The axis goes from 0 to 1 when all fits there,
    unless `limits` are given. Raises ValueError when lengths or names do not fit together.
    """
    ends = _ends(name, len(groups), series, intervals or {})
    low, high = limits or _span(
        [*_all(series), *(v for pairs in ends.values() for p in pairs if p for v in p)]
    )
    row_in = _BAR * len(series) + _BETWEEN
    with drawing():
        figure, axes = rows_axes(groups, row_in=row_in, wide_in=_WIDE)
        handles = []
        for place, (key, values) in enumerate(series.items()):
            shift = (place - (len(series) - 1) / 2) * _BAR / row_in
            handles.append(_bars(axes, values, shift=shift, thick=_BAR / row_in, style=style_of(place)))
            for row, (value, end) in enumerate(zip(values, ends[key], strict=True)):
                _end_of_bar(axes, row + shift, value, end, room=(high - low) * 0.012)
        axes.set_xlim(low, high + 0.1 * (high - low))
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.set_xticks([tick for tick in axes.get_xticks() if low - 1e-9 <= tick <= high + 1e-9])
        axes.set_xlabel(clean(xlabel, wrap=70))
        legend_above(axes, handles, list(series), room_in=_WIDE)
        note_below(axes, "" if all(defined(value) for value in _all(series)) else MISSING_NOTE)
        return finish(figure, name, title=title, alt=_grouped_alt(groups, series, ends, xlabel))


def _ends(
    name: str, count: int, series: Mapping[str, Values], intervals: Mapping[str, Sequence[Interval]]
) -> dict[str, list[tuple[float, float] | None]]:
    check_lengths(name, count, series)
    if unknown := intervals.keys() - series.keys():
        raise ValueError(f"{name}: intervals of {sorted(unknown)}, which are no series")
    if intervals:
        check_lengths(name, count, intervals)
    return {key: [_both_ends(end) for end in intervals.get(key, [None] * count)] for key in series}


def _both_ends(interval: Interval) -> tuple[float, float] | None:
    if interval is None:
        return None
    low, high = interval[-2], interval[-1]
    return (low, high) if defined(low) and defined(high) else None


def _all(series: Mapping[str, Values]) -> list[float | None]:
    return [value for values in series.values() for value in values]


def _span(values: Values) -> tuple[float, float]:
    known = [value for value in values if defined(value)]
    low, high = min([0.0, *known]), max([0.0, *known])
    if low == 0 and high <= 1:
        return 0.0, 1.0
    return low, high


def _bars(axes: Axes, values: Values, *, shift: float, thick: float, style: Style) -> BarContainer:
    known = [(row + shift, value) for row, value in enumerate(values) if defined(value)]
    return axes.barh(
        [row for row, _ in known] or [0], [value for _, value in known] or [0], height=thick * 0.92,
        color=style.fill, edgecolor=INK, hatch=style.hatch, linewidth=0.6,
    )  # fmt: skip


def _end_of_bar(
    axes: Axes, row: float, value: float | None, end: tuple[float, float] | None, *, room: float
) -> None:
    if not defined(value):
        axes.text(room, row, MISSING, ha="left", va="center", fontsize=SMALL, color=QUIET)
        return
    if end is not None:
        axes.plot(end, (row, row), color="white", linewidth=2.6, solid_capstyle="butt", zorder=3)
        axes.plot(end, (row, row), color=INK, linewidth=1.1, marker="|", markersize=4, zorder=4)
    edge = max([value, 0.0, *(end or ())])
    axes.text(edge + room, row, number(value), ha="left", va="center", fontsize=SMALL)


def _grouped_alt(
    groups: Sequence[str],
    series: Mapping[str, Values],
    ends: Mapping[str, Sequence[object]],
    xlabel: str,
) -> str:
    cells = [
        (f"{group} ({key})", value)
        for key, values in series.items()
        for group, value in zip(groups, values, strict=True)
    ]
    return joined(
        f"Bars of {xlabel} for {counted(len(groups), 'group')}: {listed(groups)}.",
        f"In each group one bar for {listed(list(series))}.",
        "Whiskers show the intervals." if any(any(pairs) for pairs in ends.values()) else "",
        extremes(cells, "{:.3f}"),
    )


def stacked_bars(
    name: str,
    title: str,
    *,
    labels: Sequence[str],
    parts: Mapping[str, Sequence[int]],
    xlabel: str,
) -> ResultFigure:
    """A lying bar per label, made of one piece per part, each with its count where it has room for it.

    The total stands at the end of the bar. Raises ValueError when a part has not one count per label.
    """
    check_lengths(name, len(labels), parts)
    totals = [sum(int(values[row]) for values in parts.values()) for row in range(len(labels))]
    most = max([*totals, 1])
    with drawing():
        from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

        figure, axes = rows_axes(labels, row_in=0.34, wide_in=_WIDE)
        starts = [0] * len(labels)
        handles = []
        for place, counts in enumerate(parts.values()):
            handles.append(_pieces(axes, starts, counts, style=style_of(place), most=most))
            starts = [start + int(count) for start, count in zip(starts, counts, strict=True)]
        for row, total in enumerate(totals):
            axes.text(total + most * 0.012, row, f"{total:,}", ha="left", va="center", fontsize=SMALL)
        axes.set_xlim(0, most * 1.1)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.set_xlabel(clean(xlabel, wrap=70))
        legend_above(axes, handles, list(parts), room_in=_WIDE)
        return finish(figure, name, title=title, alt=_stacked_alt(labels, parts, totals, xlabel))


def _pieces(
    axes: Axes, starts: Sequence[int], counts: Sequence[int], *, style: Style, most: int
) -> BarContainer:
    for row, (start, count) in enumerate(zip(starts, counts, strict=True)):
        if count and count / (most * 1.1) * _WIDE > width_in(f"{count:,}", SMALL) + 0.08:
            axes.text(
                start + count / 2, row, f"{count:,}", ha="center", va="center", fontsize=SMALL,
                bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none"},
            )  # fmt: skip
    return axes.barh(
        range(len(counts)), counts, left=starts, height=0.66, color=style.fill, edgecolor=INK,
        hatch=style.hatch, linewidth=0.6,
    )  # fmt: skip


def _stacked_alt(
    labels: Sequence[str], parts: Mapping[str, Sequence[int]], totals: Sequence[int], xlabel: str
) -> str:
    cells = [(label, float(total)) for label, total in zip(labels, totals, strict=True)]
    return joined(
        f"Stacked bars of {xlabel} for {counted(len(labels), 'label')}: {listed(labels)}.",
        f"Parts, with their sums: {listed([f'{part} {sum(counts):,}' for part, counts in parts.items()])}.",
        "Totals:",
        extremes(cells, "{:,.0f}"),
    )
