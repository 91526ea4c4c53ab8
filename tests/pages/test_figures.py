from __future__ import annotations

import io
import itertools
import math
import re
import subprocess
import sys
from collections.abc import Callable
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.core.errors import MissingExtraError
from hilum.core.results import Estimate, ResultFigure
from hilum.core.vocabulary import CHEXPERT14
from hilum.pages import figures

matplotlib = pytest.importorskip("matplotlib")

NAN = math.nan
NAMES = CHEXPERT14.names
LABELERS = ("ours", "CheXbert", "CheXpert labeler", "rules, house convention")
HOSTILE = "<script>alert('$x_1$')</script> & \"--> \x00 \ud800"
LONG = "an image label with a very long name that a user gave to a column of his own, and " + "x" * 60


def labelers_figure() -> ResultFigure:
    series = {
        name: [None if (row, place) == (3, 1) else 0.4 + 0.03 * row + 0.02 * place for row in range(14)]
        for place, name in enumerate(LABELERS)
    }
    ends = [(0.9 * value, min(1.0, 1.1 * value)) for value in series["ours"] if value is not None]
    return figures.grouped_bars(
        "bars", "F1 by finding", groups=NAMES, series=series, intervals={"ours": ends}, xlabel="F1"
    )


def heat_figure() -> ResultFigure:
    values = np.linspace(-0.12, 0.08, 28).reshape(14, 2)
    values[4, 1] = NAN
    return figures.heat_map(
        "heat", "Differences in F1", rows=NAMES, columns=["ours − CheXbert", "ours − CheXpert labeler"],
        values_RC=values.tolist(), label="difference in F1",
    )  # fmt: skip


def odds_figure() -> ResultFigure:
    rows = [("Edema: positive", 3.2, 1.4, 7.1), ("Fracture: negative", 0.3, 0.1, 0.9)]
    odd = [("No Finding: positive", 50.0, 9.0, math.inf), ("Edema: uncertain", NAN, NAN, NAN)]
    more = [("Pneumonia: positive", 0.0, 0.0, 0.2)]
    return figures.odds_forest(
        "odds", "Odds ratios",
        panels=[("Edema", rows), ("Fracture", []), ("No Finding", odd), ("Support Devices", more)],
        empty="no odds ratio with P < 0.05",
    )  # fmt: skip


def ranges_figure() -> ResultFigure:
    return figures.ranges(
        "ranges", "Low and high F1", labels=NAMES[:4], low=[0.2, None, NAN, 0.5], high=[0.4, 0.6, NAN, 0.5],
        xlabel="F1",
    )  # fmt: skip


def differences_figure() -> ResultFigure:
    first = [Estimate(0.1, 0.05, 0.2), Estimate(-0.2, -0.3, -0.1), Estimate(0.0, -0.1, 0.1)]
    second = [Estimate(0.02, -0.05, 0.1), Estimate(NAN, NAN, NAN), Estimate(0.3, NAN, NAN)]
    return figures.differences(
        "differences", "LogReg minus Zero-One", labels=NAMES[:3],
        estimates={"plain": first, "with hierarchy": second}, xlabel="difference in F1",
    )  # fmt: skip


def stacked_figure() -> ResultFigure:
    return figures.stacked_bars(
        "reasons", "Why they do not agree", labels=NAMES[:3],
        parts={"uncertain": [1200, 3, 0], "never mentioned": [400, 2000, 0], "rest": [1, 1, 0]},
        xlabel="disagreements",
    )  # fmt: skip


def curves_figure() -> ResultFigure:
    x = np.linspace(0, 1, 40)
    lines = [figures.Line("model A", x, np.sqrt(x)), figures.Line("model B", x.tolist(), x.tolist())]
    points = [figures.Point("bc4", 0.1, 0.8), figures.Point("bc6", 0.12, 0.8), figures.Point("bc8", NAN, 0.5)]
    return figures.curves(
        "roc", "ROC curves", panels=[figures.Panel(name, lines, points) for name in NAMES[:4]]
    )


def precision_figure() -> ResultFigure:
    lines = [figures.Line("model", [1, 0.5, 0], [0.3, 0.6, 1]), figures.Line("up", [0, 1], [1, 0.4])]
    points = [figures.Point("a radiologist with a long name", 0.7, 0.7)]
    return figures.curves(
        "pr", "Precision", panels=[figures.Panel("Edema", lines, points, base=0.2)], kind="pr"
    )


def hostile_figure() -> ResultFigure:
    names = [HOSTILE, LONG, "", "胸水", "ab\ncd"]
    return figures.grouped_bars(
        "hostile", HOSTILE, groups=names, series={HOSTILE: [0.1] * 5, LONG: [0.2] * 5}, xlabel=HOSTILE
    )


def hostile_heat() -> ResultFigure:
    return figures.heat_map(
        "hostile", HOSTILE, rows=[HOSTILE, LONG], columns=[LONG, HOSTILE, "a"], values_RC=[[0, 0, 0]] * 2,
        label=HOSTILE,
    )  # fmt: skip


def hostile_curves() -> ResultFigure:
    panel = figures.Panel(LONG, [figures.Line(HOSTILE, [], [])], [figures.Point("$r$", 0.5, 0.5)])
    return figures.curves("hostile", HOSTILE, panels=[panel])


MAKERS: tuple[Callable[[], ResultFigure], ...] = (
    labelers_figure, heat_figure, odds_figure, ranges_figure, differences_figure, stacked_figure,
    curves_figure, precision_figure, hostile_figure, hostile_heat, hostile_curves,
)  # fmt: skip


@pytest.fixture(scope="module")
def made() -> dict[str, ResultFigure]:
    return {maker.__name__: maker() for maker in MAKERS}


def drawn_texts(figure: ResultFigure) -> list[str]:
    """Every text drawn in a figure: matplotlib writes it as a comment before its outlines."""
    return [text.strip() for text in re.findall(r"<!-- (.*?) -->", figure.svg, re.DOTALL)]


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__)
def test_a_figure_is_whole_and_says_what_it_shows(
    maker: Callable[[], ResultFigure], made: dict[str, ResultFigure]
) -> None:
    figure = made[maker.__name__]
    root = ET.fromstring(figure.svg)
    assert root.attrib["role"] == "img"
    space = "{http://www.w3.org/2000/svg}"
    assert root.find(f"{space}title") is not None
    description = root.find(f"{space}desc")
    assert description is not None
    assert description.text
    assert len(figure.alt) > 60
    assert "nan" not in figure.alt.lower()
    assert "metadata" not in figure.svg
    assert "<text" not in figure.svg
    assert figure.png.startswith(b"\x89PNG")


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__)
def test_nothing_is_cut_at_the_edges(
    maker: Callable[[], ResultFigure], made: dict[str, ResultFigure]
) -> None:
    from matplotlib.image import imread

    pixels = imread(io.BytesIO(made[maker.__name__].png))[..., :3]
    for edge in (pixels[:6], pixels[-6:], pixels[:, :6], pixels[:, -6:]):
        assert float(edge.min()) == 1.0


@pytest.mark.parametrize("maker", MAKERS[:7], ids=lambda maker: maker.__name__)
def test_the_same_data_give_the_same_bytes_whatever_the_callers_settings(
    maker: Callable[[], ResultFigure], made: dict[str, ResultFigure]
) -> None:
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.hashsalt": None}):
        again = maker()
        assert matplotlib.rcParams["font.size"] == 30
    assert again == made[maker.__name__]


def test_another_process_gives_the_same_bytes_without_pyplot() -> None:
    code = (
        "import hashlib, sys; from hilum.pages.figures import stacked_bars;"
        "assert 'matplotlib' not in sys.modules;"
        "f = stacked_bars('a', 'b', labels=['x'], parts={'p': [1], 'q': [2]}, xlabel='n');"
        "assert 'matplotlib.pyplot' not in sys.modules;"
        "print(hashlib.sha256(f.svg.encode() + f.png).hexdigest())"
    )
    seen = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout
        for _ in range(2)
    }
    assert len(seen) == 1


def test_fourteen_findings_and_four_labelers_are_all_named(made: dict[str, ResultFigure]) -> None:
    texts = drawn_texts(made["labelers_figure"])
    assert set(NAMES) | set(LABELERS) <= set(texts)
    height = float(re.search(r'height="([\d.]+)pt"', made["labelers_figure"].svg)[1])  # type: ignore[index]
    assert height / (14 * 4) > 10  # points for each bar with its number


def test_alt_text_gives_extremes_and_what_is_missing(made: dict[str, ResultFigure]) -> None:
    alt = made["labelers_figure"].alt
    assert "14 groups" in alt
    assert "Largest: 0.850, Support Devices (rules, house convention)." in alt
    assert "Smallest: 0.400, No Finding (ours)." in alt
    assert "Not defined: Lung Opacity (CheXbert)." in alt
    assert "Whiskers" in alt
    assert "Largest: +0.080, Support Devices, ours − CheXpert labeler." in made["heat_figure"].alt
    assert "above 1 Edema: positive; below 1 Fracture: negative" in made["odds_figure"].alt
    assert "Fracture: no odds ratio with P < 0.05" in made["odds_figure"].alt
    assert "leaves out 0 for No Finding (plain) and Enlarged" in made["differences_figure"].alt
    assert "uncertain 1,203, never mentioned 2,400 and rest 2" in made["stacked_figure"].alt
    assert "bc4 (0.10; 0.80)" in made["curves_figure"].alt


@pytest.mark.parametrize(
    ("maker", "dashes"), [(labelers_figure, 1), (heat_figure, 1), (ranges_figure, 2), (differences_figure, 1)]
)
def test_what_is_missing_is_a_dash_with_a_note_and_never_zero(
    maker: Callable[[], ResultFigure], dashes: int, made: dict[str, ResultFigure]
) -> None:
    texts = drawn_texts(made[maker.__name__])
    assert texts.count("–") == dashes
    assert sum("– not defined" in text for text in texts) == 1
    assert "0.00" not in [text for text in texts if maker is labelers_figure]


def test_missing_bars_are_not_drawn() -> None:
    from hilum.pages._figure_bars import _bars
    from hilum.pages._figure_style import drawing, new_figure, style_of

    with drawing():
        bars = _bars(
            new_figure(1, 1).add_subplot(), [0.2, None, NAN, 0.0], shift=0, thick=0.1, style=style_of(0)
        )
    assert [bar.get_width() for bar in bars] == [0.2, 0.0]


def test_a_figure_without_gaps_has_no_note() -> None:
    figure = figures.grouped_bars("a", "b", groups=["x"], series={"s": [0.0]}, xlabel="F1")
    assert "0.00" in drawn_texts(figure)
    assert not any("not defined" in text for text in drawn_texts(figure))


def test_all_values_missing_still_makes_figures() -> None:
    gone = [None, NAN]
    figures.grouped_bars("a", "b", groups=["x", "y"], series={"s": gone}, xlabel="F1")
    figures.heat_map("a", "b", rows=["x"], columns=["y", "z"], values_RC=[gone], label="F1")
    figures.ranges("a", "b", labels=["x", "y"], low=gone, high=gone, xlabel="F1")
    empty = Estimate(NAN, NAN, NAN)
    figure = figures.differences("a", "b", labels=["x"], estimates={"s": [empty]}, xlabel="F1")
    assert "Not defined: x." in figure.alt
    figures.odds_forest("a", "b", panels=[("x", [])])


def test_numbers_beyond_zero_and_one_get_an_axis_of_their_own() -> None:
    texts = drawn_texts(
        figures.grouped_bars("a", "b", groups=["x", "y"], series={"s": [-12.5, 300.0]}, xlabel="score")
    )
    assert {"−12.50", "300.00", "0", "300"} <= set(texts)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: figures.grouped_bars("n", "t", groups=[], series={"a": []}, xlabel="x"), "at least one"),
        (lambda: figures.grouped_bars("n", "t", groups=["g"], series={"a": [1, 2]}, xlabel="x"), "2 values"),
        (
            lambda: figures.grouped_bars(
                "n", "t", groups=["g"], series={"a": [1]}, intervals={"b": [None]}, xlabel="x"
            ),
            "no series",
        ),
        (lambda: figures.stacked_bars("n", "t", labels=["g"], parts={}, xlabel="x"), "at least one"),
        (
            lambda: figures.heat_map("n", "t", rows=["r"], columns=["c"], values_RC=[[1, 2]], label="x"),
            "1 rows of 1 cells",
        ),
        (lambda: figures.ranges("n", "t", labels=["g"], low=[1], high=[], xlabel="x"), "'high' has 0"),
        (lambda: figures.odds_forest("n", "t", panels=[]), "at least one panel"),
        (lambda: figures.curves("n", "t", panels=[]), "at least one panel"),
    ],
)
def test_data_that_do_not_fit_together_are_refused(call: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"hilum\[study\]"):
        labelers_figure()


def contrast(one: float, other: float) -> float:
    low, high = sorted((one, other))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: object) -> float:
    from matplotlib.colors import to_rgb

    parts = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in to_rgb(colour)]  # type: ignore[arg-type]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def test_series_differ_without_colour_and_lines_show_on_white() -> None:
    from hilum.pages._figure_style import style_of

    styles = [style_of(place) for place in range(64)]
    assert len(set(styles)) == 64
    for eight in (styles[:8], styles[8:16]):
        assert len({style.hatch for style in eight}) == 8
        assert len({style.marker for style in eight}) == 8
        assert len({style.dash for style in eight}) == 8
    assert min(contrast(luminance(style.line), 1.0) for style in styles) >= 3


def test_numbers_in_a_heat_map_read_on_every_colour() -> None:
    from matplotlib.colors import LinearSegmentedColormap

    from hilum.pages._figure_heat import _SCALE, _readable

    colours = LinearSegmentedColormap.from_list("test", _SCALE)
    for place in np.linspace(0, 1, 101):
        ground = luminance(colours(place)[:3])
        assert contrast(luminance(_readable(colours, place)), ground) >= 4.5


MACHADO = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.01182, 0.04294, 0.968881],
    ],
}
"""What is seen of linear RGB (Machado, Oliveira and Fernandes 2009, severity 1)."""


def seen(colour: str, kind: str) -> np.ndarray:
    parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    other = np.clip(np.array(MACHADO[kind]) @ linear, 0, 1)
    return np.where(other <= 0.0031308, other * 12.92, 1.055 * other ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("kind", MACHADO)
def test_colours_differ_for_colour_blind_readers(kind: str) -> None:
    from hilum.pages._figure_heat import _SCALE
    from hilum.pages._figure_style import style_of

    for low, high in zip(_SCALE[:3], _SCALE[:3:-1], strict=True):
        assert np.abs(seen(low, kind) - seen(high, kind)).max() > 0.2
    for fills in itertools.combinations([style_of(place).fill for place in range(4)], 2):
        assert np.abs(seen(fills[0], kind) - seen(fills[1], kind)).max() > 0.15


@settings(max_examples=8, deadline=None)
@given(
    st.lists(
        st.one_of(st.none(), st.floats(-1e6, 1e6), st.just(NAN), st.just(math.inf)), min_size=1, max_size=3
    )
)
def test_any_values_make_a_figure(values: list[float | None]) -> None:
    figure = figures.grouped_bars(
        "any", "any", groups=[f"g{n}" for n in range(len(values))], series={"s": values}, xlabel="x"
    )
    missing = sum(value is None or not math.isfinite(value) for value in values)
    assert drawn_texts(figure).count("–") == missing
