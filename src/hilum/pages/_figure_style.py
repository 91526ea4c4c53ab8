"""What all figures share: one look, text measured before it is placed, and the same bytes for the same data."""

from __future__ import annotations

import contextlib
import io
import math
import re
import textwrap
import warnings
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeGuard

from hilum.core.errors import MissingExtraError
from hilum.core.results import ResultFigure
from hilum.pages.evidence import visible
from hilum.pages.page import escape

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, QUIET, LINE, PALE = "#1d2329", "#4c555e", "#d5d9dc", "#eef0f1"
TEXT, SMALL = 9.0, 8.0
"""Sizes of text in points; nothing in a figure is smaller."""

MISSING = "–"
MISSING_NOTE = f"{MISSING} not defined"
DPI = 160
_WIDEST_LABEL = 44

Dash = Literal["-"] | tuple[float, tuple[float, ...]]


class Style(NamedTuple):
    """How one series is told from another: by colour, and without colour by hatch, marker and dash.

    `fill` is for areas, which also have a dark edge; `line` is darker, for thin lines and marks on white.
    """

    fill: str
    line: str
    hatch: str
    marker: str
    dash: Dash


_FILLS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#9a9a9a")
_LINES = ("#0072b2", "#a86f00", "#00805d", "#a8447d", "#2f8cc4", "#c45500", "#857d00", "#6b6b6b")
_HATCHES = ("", "////", "....", "xxxx", "\\\\\\\\", "----", "++++", "oooo")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")
_DASHES: tuple[Dash, ...] = (
    "-", (0, (5, 2)), (0, (1.2, 1.6)), (0, (6, 2, 1.2, 2)), (0, (9, 2)), (0, (3, 1, 1, 1, 1, 1)),
    (0, (2, 1)), (0, (8, 2, 2, 2)),
)  # fmt: skip


def style_of(place: int) -> Style:
    """The style of the series at `place`; the first 64 differ in colour or in hatch, marker and dash.

    The fills are the colours of Okabe and Ito (2008), which colour-blind readers can tell apart.
    """
    colour, turn = place % 8, (place + place // 8) % 8
    return Style(_FILLS[colour], _LINES[colour], _HATCHES[turn], _MARKERS[turn], _DASHES[turn])


@contextlib.contextmanager
def drawing() -> Iterator[None]:
    """Settings under which a figure is made and saved; the caller's own settings come back afterwards.

    Raises MissingExtraError when matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: PLC0415 - the extra "study"
    except ImportError as error:
        raise MissingExtraError("matplotlib", "study") from error
    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        matplotlib.rcParams.update(
            {
                "font.family": "DejaVu Sans", "font.size": TEXT, "text.parse_math": False,
                "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": QUIET, "xtick.color": QUIET,
                "ytick.color": QUIET, "xtick.labelcolor": INK, "ytick.labelcolor": INK,
                "axes.linewidth": 0.8, "hatch.linewidth": 0.6, "axes.axisbelow": True,
                "axes.formatter.useoffset": False, "axes.unicode_minus": True, "legend.frameon": False,
                "legend.fontsize": TEXT, "svg.fonttype": "path", "svg.hashsalt": "hilum",
                "figure.facecolor": "white", "savefig.facecolor": "white",
            }
        )  # fmt: skip
        yield


def finish(figure: Figure, name: str, *, title: str, alt: str) -> ResultFigure:
    """The figure in both formats. Letters are drawn as shapes, so it looks the same on every machine."""
    svg, png = io.StringIO(), io.BytesIO()
    figure.savefig(svg, format="svg", bbox_inches="tight", pad_inches=0.1, metadata={"Date": None})
    figure.savefig(
        png, format="png", dpi=DPI, bbox_inches="tight", pad_inches=0.1, metadata={"Software": None}
    )
    return ResultFigure(name, title, alt, _accessible(svg.getvalue(), title, alt), png.getvalue())


def _accessible(svg: str, title: str, alt: str) -> str:
    start = svg.index("<svg ")
    body = re.sub(r"\s*<metadata>.*?</metadata>", "", svg[start:], count=1, flags=re.DOTALL)
    head, _, rest = body.partition(">")
    return (
        f'{head} role="img" aria-labelledby="title desc">\n <title id="title">{escape(title)}</title>\n'
        f' <desc id="desc">{escape(alt)}</desc>{rest}'
    )


def new_figure(width_in: float, height_in: float) -> Figure:
    """An empty figure that no window and no global list knows of."""
    from matplotlib.figure import Figure  # noqa: PLC0415

    return Figure(figsize=(width_in, height_in))


def clean(text: str, *, wrap: int = _WIDEST_LABEL) -> str:
    """`text` fit to be drawn: control characters visible, long names broken into lines, never cut."""
    return "\n".join(textwrap.wrap(" ".join(visible(str(text)).split()), wrap)) or " "


def lines_of(labels: Sequence[str]) -> int:
    """The most lines that any of the labels has."""
    return max((label.count("\n") + 1 for label in labels), default=1)


def width_in(text: str, size: float = TEXT) -> float:
    """Width in inches of the widest line of `text`."""
    from matplotlib.font_manager import FontProperties  # noqa: PLC0415
    from matplotlib.textpath import text_to_path  # noqa: PLC0415

    font = FontProperties(size=size)
    return max(
        text_to_path.get_text_width_height_descent(line, font, ismath=False)[0] / 72
        for line in text.split("\n")
    )


def defined(value: float | None) -> TypeGuard[float]:
    """Whether there is a number to draw."""
    return value is not None and math.isfinite(value)


def rows_axes(labels: Sequence[str], *, row_in: float, wide_in: float = 5.4) -> tuple[Figure, Axes]:
    """A figure with one labelled row per name, the first on top; the names stand left of it, whole."""
    names = [clean(label) for label in labels]
    row = max(row_in, lines_of(names) * 0.155 + 0.06)
    left = max((width_in(name) for name in names), default=0.0) + 0.15
    high = max(row * len(names), 0.4)
    figure = new_figure(left + wide_in, high)
    axes = figure.add_axes((left / (left + wide_in), 0, wide_in / (left + wide_in), 1))
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks(range(len(names)), names)
    plain_axes(axes)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=LINE, linewidth=0.7)
    for place in range(1, len(names)):
        axes.axhline(place - 0.5, color=PALE, linewidth=0.8, zorder=0)
    return figure, axes


def plain_axes(axes: Axes) -> None:
    """Only the lines that carry something: left and below."""
    axes.spines[["top", "right"]].set_visible(False)


def legend_above(axes: Axes, handles: Sequence[Any], names: Sequence[str], *, room_in: float) -> None:
    """A legend over the axes, in as many columns as fit into `room_in` inches."""
    texts = [clean(name) for name in names]
    axes.legend(
        handles, texts, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.4, borderpad=0.2,
        ncols=columns_that_fit(texts, room_in), handlelength=2.2, handleheight=1.1, columnspacing=1.4,
    )  # fmt: skip


def columns_that_fit(texts: Sequence[str], room_in: float, *, extra_in: float = 0.62) -> int:
    """The most columns, all but the last full, in which the texts take at most `room_in` inches."""
    widths = [width_in(text) + extra_in for text in texts]
    for deep in range(1, len(texts)):
        columns = -(-len(texts) // deep)
        wide, more = divmod(len(texts), columns)
        starts = [place * wide + min(place, more) for place in range(columns + 1)]
        if sum(max(widths[start:end]) for start, end in pairwise(starts)) <= room_in:
            return columns
    return 1


def note_below(axes: Axes, text: str) -> None:
    """A line of small text under the axes and their label, right-aligned."""
    axes.annotate(
        text, (1, 0), xycoords="axes fraction", xytext=(0, -38), textcoords="offset points", ha="right",
        va="top", fontsize=SMALL, color=QUIET, annotation_clip=False,
    )  # fmt: skip


def number(value: float | None, pattern: str = "{:.2f}") -> str:
    """The number as it is written in a figure; a dash when there is none, no sign when it rounds to 0."""
    if value is None or not defined(value):
        return MISSING
    text = pattern.format(value)
    return (text if re.search("[1-9]", text) else text.lstrip("-+")).replace("-", "−")


def check_lengths(name: str, expected: int, series: Mapping[str, Sequence[object]]) -> None:
    """Raises ValueError when there is nothing to draw or a series has not one value per label."""
    if not expected or not series:
        raise ValueError(f"{name}: a figure needs at least one label and one series")
    for key, values in series.items():
        if len(values) != expected:
            raise ValueError(f"{name}: {key!r} has {len(values)} values for {expected} labels")
