from __future__ import annotations

import base64
import hashlib
import math
import re
from html.parser import HTMLParser
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.core.results import (
    Column,
    Estimate,
    Example,
    ResultExamples,
    ResultFigure,
    ResultPage,
    ResultSection,
    ResultTable,
)  # fmt: skip
from hilum.pages.result_page import cell_text, render_page

NAN = math.nan
HOSTILE = "</div></details><script>alert('x')</script> <img src=x onerror=\"alert(1)\"> & \x00\x1b[31m \ud800"
NUMBER, COUNT, P, TEXT = (Column(kind, kind, kind) for kind in ("number", "count", "p", "text"))  # type: ignore[arg-type]


def a_table(name: str = "agreement", *, title: str = "Agreement", columns: int = 0) -> ResultTable:
    extra = tuple(Column(f"c{n}", f"labeler {n}") for n in range(columns))
    return ResultTable(
        name,
        title,
        (
            Column("finding", "Finding", "text"), Column("n", "Positives", "count"), Column("f1", "F1"),
            Column("p", "P", "p"), *extra,
        ),
        (
            ("Edema", 12345, Estimate(0.52, 0.44, 0.6), 0.0004, *([0.5] * columns)),
            ("Fracture", 0, Estimate(NAN, NAN, NAN), None, *([-0.25] * columns)),
        ),
        note="–: no positive in either file.",
    )  # fmt: skip


def a_figure(name: str = "bars", *, alt: str = "Bars of F1.") -> ResultFigure:
    svg = '<svg width="300pt" height="150.5pt" viewBox="0 0 300 150" xmlns="http://www.w3.org/2000/svg"/>'
    return ResultFigure(name, "F1 by finding", alt, svg, b"\x89PNG invented")


def demo(text: str = "FINDINGS: clear.\n\n  IMPRESSION: normal.") -> ResultPage:
    """An invented study with every kind of block."""
    return ResultPage(
        "Report labels against image labels",
        ("500 invented studies, joined by position.",),
        (
            ResultSection("Agreement", ("What they agree on.",), (a_table(), a_figure())),
            ResultSection("All", (), (a_table("wide", columns=12), ResultTable("none", "-", (NUMBER,), ()))),
            ResultSection(
                "Why they do not agree", (),
                (ResultExamples("examples", "Examples", (Example("study 1: image positive", text),)),
                 ResultExamples("empty", "Nothing here", ())),
            ),
        ),
        ("Fracture has 3 positives only.",),
        {"hilum": "0.0.0", "seed": "0"},
    )  # fmt: skip


class Outline(HTMLParser):
    """Tags with their attributes, and whether every tag is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_the_page_is_well_formed_and_its_links_lead_somewhere() -> None:
    outline = Outline(render_page(demo()))
    assert outline.open == []
    ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for link in outline.all("a"):
        assert str(link["href"]).removeprefix("#") in ids
    for _, attributes in outline.tags:
        if name := attributes.get("aria-labelledby"):
            assert name in ids
    assert [a["href"] for a in outline.all("a")] == ["#main", "#s1", "#s2", "#s3"]


def test_the_same_page_gives_the_same_characters() -> None:
    assert render_page(demo()) == render_page(demo())


def test_no_request_leaves_the_page_and_nothing_is_inline() -> None:
    page = render_page(demo())
    outline = Outline(page)
    assert "script-src 'none'" in page
    (style,) = re.findall("<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in page
    assert not re.search(r"url\(|@import|expression", style)
    for tag, attributes in outline.tags:
        assert not [name for name in attributes if name == "style" or name.startswith("on")], tag
    assert all(str(image["src"]).startswith("data:image/svg+xml;base64,") for image in outline.all("img"))


def test_figures_have_alt_text_size_and_a_caption() -> None:
    page = render_page(ResultPage("t", (), (ResultSection("s", (), (a_figure(alt='a "<b>" c'),)),)))
    (image,) = Outline(page).all("img")
    assert (image["alt"], image["width"], image["height"]) == ('a "<b>" c', "400", "201")
    svg = base64.b64decode(str(image["src"]).partition(",")[2]).decode()
    assert svg == a_figure().svg
    assert "<figcaption>F1 by finding</figcaption>" in page


def test_tables_have_captions_scopes_and_notes() -> None:
    page = render_page(demo())
    outline = Outline(page)
    assert len(outline.all("caption")) == len(outline.all("table")) == 3
    assert {head["scope"] for head in outline.all("th")} == {"col", "row"}
    assert '<th scope="row" class="t s">Edema</th>' in page
    assert "<td>12,345</td>" in page
    assert "<td>0.520 (0.440 to 0.600)</td>" in page
    assert "<td>&lt;0.001</td>" in page
    assert page.count('<td><abbr title="not defined">–</abbr></td>') == 4
    assert '<p class="note">–: no positive in either file.</p>' in page
    assert '<table class="many">' in page
    assert '<td colspan="1" class="t">no rows</td>' in page
    regions = [a for tag, a in outline.tags if a.get("role") == "region"]
    assert all(region["tabindex"] == "0" for region in regions)


def test_long_tables_are_folded() -> None:
    rows = tuple((value / 100,) for value in range(61))
    for shown, folded in ((rows, True), (rows[1:], False)):
        table = ResultTable("long", "All odds ratios", (NUMBER,), shown)
        page = render_page(ResultPage("t", (), (ResultSection("s", (), (table,)),)))
        assert Outline(page).open == []
        assert ("<summary>All odds ratios: 61 rows</summary>" in page) == folded
        assert ("<details" in page) == folded


def test_warnings_are_a_note_before_the_results() -> None:
    page = render_page(demo())
    assert page.index('role="note"') < page.index("<main")
    assert "<li>Fracture has 3 positives only.</li>" in page
    assert 'role="note"' not in render_page(ResultPage("t", (), ()))


def test_stamp_stands_at_the_foot() -> None:
    assert "<dt>seed</dt><dd>0</dd>" in render_page(demo()).partition("<footer>")[2]


def test_examples_are_folded_with_their_text_as_it_is() -> None:
    page = render_page(demo())
    assert "<details><summary>study 1: image positive</summary>" in page
    assert '<div class="text" dir="auto">FINDINGS: clear.\n\n  IMPRESSION: normal.</div>' in page
    assert "There are none." in page


def test_hostile_text_stays_text_everywhere() -> None:
    figure = ResultFigure("f", HOSTILE, HOSTILE, "<svg/>", b"")
    table = ResultTable(
        "t", HOSTILE, (Column("k", HOSTILE, "text"), Column("n", HOSTILE)), ((HOSTILE, HOSTILE),), HOSTILE
    )
    examples = ResultExamples("e", HOSTILE, (Example(HOSTILE, HOSTILE),))
    page = render_page(
        ResultPage(
            HOSTILE, (HOSTILE,), (ResultSection(HOSTILE, (HOSTILE,), (figure, table, examples)),) * 2,
            (HOSTILE,), {HOSTILE: HOSTILE},
        )
    )  # fmt: skip
    outline = Outline(page)
    assert outline.open == []
    assert "<script" not in page
    assert len(outline.all("img")) == 2
    assert not any(name.startswith("on") for _, attributes in outline.tags for name in attributes)
    assert "\x00" not in page
    assert "\x1b" not in page
    page.encode()


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        (NUMBER, 0.12345, "0.123"),
        (NUMBER, -0.5, "−0.500"),
        (NUMBER, -0.0001, "0.000"),
        (NUMBER, 3, "3"),
        (NUMBER, 123.456, "123.5"),
        (NUMBER, 12345678.0, "1.23e+07"),
        (NUMBER, math.inf, "∞"),
        (NUMBER, -math.inf, "−∞"),
        (NUMBER, NAN, None),
        (NUMBER, None, None),
        (NUMBER, np.float64(0.25), "0.250"),
        (NUMBER, np.int64(1200), "1,200"),
        (NUMBER, "as text", "as text"),
        (NUMBER, True, "yes"),
        (COUNT, 1234567, "1,234,567"),
        (COUNT, 3.0, "3"),
        (COUNT, np.float64(NAN), None),
        (P, 0.012, "0.012"),
        (P, 0.0, "<0.001"),
        (P, 0.00099, "<0.001"),
        (P, 0.001, "0.001"),
        (P, 1, "1.000"),
        (NUMBER, Estimate(0.52, 0.44, 0.6), "0.520 (0.440 to 0.600)"),
        (NUMBER, Estimate(-0.1, -0.2, 0.0), "−0.100 (−0.200 to 0.000)"),
        (NUMBER, Estimate(40.0, 8.0, math.inf), "40.000 (8.000 to ∞)"),
        (NUMBER, Estimate(0.5, NAN, NAN), "0.500 (no interval)"),
        (NUMBER, Estimate(NAN, 0.1, 0.2), None),
        (TEXT, "Edema", "Edema"),
    ],
)
def test_cells_are_written_for_people(column: Column, value: object, text: str | None) -> None:
    assert cell_text(column, value) == text  # type: ignore[arg-type]


@given(st.sampled_from([NUMBER, COUNT, P, TEXT]), st.floats() | st.integers())
def test_no_cell_is_ever_written_as_nan(column: Column, value: float) -> None:
    text = cell_text(column, value)
    assert text is None or re.search("[0-9∞]", text)
    assert (text is None) == math.isnan(value)


def colours(theme: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in ("page.css", "result.css"):
        style = files("hilum.pages").joinpath(name).read_text("utf-8")
        for media, body in re.findall(r"(@media [^{]*\{\s*)?:root \{([^}]*)\}", style):
            if not media or (theme and theme in media):
                found |= dict(re.findall(r"(--[a-z-]+): (#[0-9a-f]{3,6})", body))
    return found


def contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        short = colour.lstrip("#")
        full = "".join(c * 2 for c in short) if len(short) == 3 else short
        parts = [int(full[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["", "dark", "print"])
def test_warnings_and_dashes_read_on_their_ground(theme: str) -> None:
    found = colours(theme)
    pairs = [
        ("--warn", "--warn-tint"),
        ("--ink", "--warn-tint"),
        ("--quiet", "--panel"),
        ("--accent", "--panel"),
    ]
    assert {pair for pair in pairs if contrast(found[pair[0]], found[pair[1]]) < 4.5} == set()
