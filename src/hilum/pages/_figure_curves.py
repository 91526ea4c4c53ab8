"""Curves of models with readers as points: ROC, precision against recall, and reliability."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from hilum.core.results import ResultFigure
from hilum.pages._figure_style import (
    INK,
    LINE,
    MISSING_NOTE,
    QUIET,
    SMALL,
    TEXT,
    clean,
    columns_that_fit,
    defined,
    drawing,
    finish,
    new_figure,
    number,
    plain_axes,
    style_of,
    width_in,
)  # fmt: skip
from hilum.pages._figure_words import counted, joined, listed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Line(NamedTuple):
    """One curve: the name of a model, and x and y of its points in the order in which they are joined."""

    name: str
    x: ArrayLike
    y: ArrayLike


class Point(NamedTuple):
    """One reader, or a model at one threshold, as a point with a name."""

    name: str
    x: float
    y: float


class Panel(NamedTuple):
    """The curves and points of one finding. `base`, the share of positives, is a thin line in a "pr" panel."""

    title: str
    lines: Sequence[Line]
    points: Sequence[Point] = ()
    base: float | None = None


Kind = Literal["roc", "pr", "reliability"]

_AXES: dict[Kind, tuple[str, str]] = {
    "roc": ("1 − specificity", "sensitivity"),
    "pr": ("recall", "precision"),
    "reliability": ("probability", "share of positives"),
}
_WORDS: dict[Kind, str] = {"roc": "ROC curves", "pr": "Precision-recall curves", "reliability": "Reliability"}
_SIDE, _LEFT, _RIGHT, _TOP, _BOTTOM = 2.35, 0.55, 0.17, 0.3, 0.55
_DOT, _TALL, _ENOUGH = 0.016, 0.022, 0.02
_AROUND = ((1, 0), (1, 1), (1, -1), (-1, 0), (-1, 1), (-1, -1), (0, 1), (0, -1))


def curves(name: str, title: str, *, panels: Sequence[Panel], kind: Kind = "roc") -> ResultFigure:
    """A square panel per finding, with a line per model and a point per reader.

    For "roc", x is 1 - specificity and y is sensitivity; for "pr", x is recall and y is precision, drawn in steps
    (Davis and Goadrich 2006: straight lines would promise too much); for "reliability", x is the mean probability of a
    bin and y the share of positives in it, and the diagonal is honest. Each reader has a mark of its own, and its name
    beside it where it is short and finds room. Points that are NaN are named in the panel instead. Raises
    ValueError when there is no panel.
    """
    if not panels:
        raise ValueError(f"{name}: a figure needs at least one panel")
    models = list(dict.fromkeys(line.name for panel in panels for line in panel.lines))
    readers = list(dict.fromkeys(point.name for panel in panels for point in panel.points))
    with drawing():
        figure, spots = _layout(len(panels))
        for panel, spot in zip(panels, spots, strict=True):
            axes = figure.add_axes(spot)
            _frame(axes, panel, kind)
            for line in panel.lines:
                _draw_line(axes, line, models.index(line.name), kind)
            _draw_points(axes, panel, readers)
        _legend(figure, models, readers)
        return finish(figure, name, title=title, alt=_alt(panels, models, readers, kind))


def _layout(count: int) -> tuple[Figure, list[tuple[float, float, float, float]]]:
    across = count if count < 4 else 2 if count == 4 else 3
    step_x, step_y = _LEFT + _SIDE + _RIGHT, _TOP + _SIDE + _BOTTOM
    wide, tall = across * step_x, -(-count // across) * step_y
    spots = [
        (
            (place % across * step_x + _LEFT) / wide,
            1 - (place // across * step_y + _TOP + _SIDE) / tall,
            _SIDE / wide,
            _SIDE / tall,
        )
        for place in range(count)
    ]
    return new_figure(wide, tall), spots


def _frame(axes: Axes, panel: Panel, kind: Kind) -> None:
    ticks = [0, 0.25, 0.5, 0.75, 1]
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks], fontsize=SMALL)
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks], fontsize=SMALL)
    axes.grid(color=LINE, linewidth=0.7)
    plain_axes(axes)
    axes.set_title(clean(panel.title, wrap=30), loc="left", fontsize=TEXT, fontweight="bold", pad=5)
    axes.set_xlabel(_AXES[kind][0], fontsize=SMALL, labelpad=2)
    axes.set_ylabel(_AXES[kind][1], fontsize=SMALL, labelpad=2)
    if kind != "pr":
        axes.plot([0, 1], [0, 1], color=QUIET, linewidth=0.7)
    elif defined(panel.base):
        axes.plot([0, 1], [panel.base, panel.base], color=QUIET, linewidth=0.7)


def _draw_line(axes: Axes, line: Line, place: int, kind: Kind) -> None:
    style = style_of(place)
    x_N, y_N = np.asarray(line.x, dtype=float), np.asarray(line.y, dtype=float)
    steps: Literal["default", "steps-post", "steps-pre"] = "default"
    if kind == "pr":
        steps = "steps-post" if x_N.size and x_N[0] > x_N[-1] else "steps-pre"
    dots: dict[str, Any] = {"marker": style.marker, "markersize": 3.5} if kind == "reliability" else {}
    axes.plot(x_N, y_N, color=style.line, linestyle=style.dash, linewidth=1.7, drawstyle=steps, **dots)


def _draw_points(axes: Axes, panel: Panel, readers: Sequence[str]) -> None:
    known = [point for point in panel.points if defined(point.x) and defined(point.y)]
    taken = [_Box(point.x, point.y, _DOT, _DOT) for point in known]
    for line in panel.lines:
        taken += _along(line)
    for point in known:
        axes.plot([point.x], [point.y], **_mark(readers.index(point.name)), zorder=5)
        name = clean(point.name)
        box = _place_of_name(point, width_in(name, SMALL) / _SIDE / 2, taken) if len(name) <= 5 else None
        if box is not None:
            taken.append(box)
            axes.text(box.x, box.y, name, ha="center", va="center_baseline", fontsize=SMALL, zorder=6)
    gone = [clean(point.name) for point in panel.points if point not in known]
    if gone:
        axes.text(
            0.98, 0.02, clean(f"{MISSING_NOTE}: {', '.join(gone)}", wrap=30), ha="right", va="bottom",
            fontsize=SMALL, color=QUIET,
        )  # fmt: skip


def _mark(place: int) -> dict[str, Any]:
    """A dark mark of its own for each reader; hollow from the ninth on."""
    hollow = place // 8 % 2 == 1
    return {
        "marker": style_of(place % 8).marker, "markersize": 5.5, "linestyle": "none", "markeredgecolor": INK,
        "markerfacecolor": "white" if hollow else INK, "markeredgewidth": 1,
    }  # fmt: skip


class _Box(NamedTuple):
    """A rectangle in a panel: its middle, and half its width and height."""

    x: float
    y: float
    half: float
    high: float


def _along(line: Line) -> list[_Box]:
    """Up to 60 places on the curve that a name should not cover, evenly along its points."""
    x_N, y_N = np.asarray(line.x, dtype=float), np.asarray(line.y, dtype=float)
    if not x_N.size:
        return []
    at, whole = np.linspace(0, x_N.size - 1, 60), np.arange(x_N.size)
    pairs = zip(np.interp(at, whole, x_N).tolist(), np.interp(at, whole, y_N).tolist(), strict=True)
    return [_Box(x, y, 0.0, 0.0) for x, y in pairs if defined(x) and defined(y)]


def _place_of_name(point: Point, half: float, taken: Sequence[_Box]) -> _Box | None:
    """Where the name stands beside its point: where it has most room; None where all places are taken."""

    def room(box: _Box) -> float:
        if box.x - half < -0.015 or box.x + half > 1.06 or not 0.02 <= box.y <= 1.04:
            return -1.0
        gaps = [
            max(abs(box.x - other.x) - half - other.half, abs(box.y - other.y) - _TALL - other.high)
            for other in taken
            if (other.x, other.y) != (point.x, point.y)
        ]
        return min([_ENOUGH, *gaps])

    boxes = [
        _Box(point.x + dx * (half + _DOT + 0.012), point.y + dy * (_TALL + _DOT + 0.008), half, _TALL)
        for dx, dy in _AROUND
    ]
    best = max(boxes, key=room)
    return best if room(best) >= 0 else None


def _legend(figure: Figure, models: Sequence[str], readers: Sequence[str]) -> None:
    from matplotlib.lines import Line2D  # noqa: PLC0415

    styles = [style_of(place) for place in range(len(models))]
    handles = [Line2D([], [], color=style.line, linestyle=style.dash, linewidth=1.7) for style in styles]
    names = [clean(model) for model in models]
    handles += [Line2D([], [], **_mark(place)) for place in range(len(readers))]
    names += [clean(reader) for reader in readers]
    if names:
        columns = columns_that_fit(names, max(figure.get_figwidth(), 4.5), extra_in=0.75)
        figure.legend(
            handles, names, loc="lower left", bbox_to_anchor=(0.02, 1), ncols=columns, handlelength=3.2,
            columnspacing=1.4, borderaxespad=0.6,
        )  # fmt: skip


def _alt(panels: Sequence[Panel], models: Sequence[str], readers: Sequence[str], kind: Kind) -> str:
    x, y = _AXES[kind]
    said = [
        f"{panel.title}: {listed([f'{p.name} ({number(p.x)}; {number(p.y)})' for p in panel.points], most=8)}."
        for panel in panels
        if panel.points
    ]
    return joined(
        f"{_WORDS[kind]} in {counted(len(panels), 'panel')}:",
        f"{listed([panel.title for panel in panels])}. x is {x}, y is {y}, both from 0 to 1.",
        f"Lines: {listed(models)}." if models else "",
        f"Points of {counted(len(readers), 'reader')}, as (x; y)." if readers else "",
        *said,
    )
