"""A page of images with reports side by side: what is true, what was generated, and where words looked."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from hilum.core.vocabulary import State
from hilum.pages.evidence_page import _CLASS, PageItem, _legend, _text
from hilum.pages.page import escape, html_page


class WordMap(NamedTuple):
    """Where a word looked: the word, what it names in which state, and a PNG.

    `peak` is the hottest place, in means of all places; `no_place` the share of attention on none of them.
    """

    word: str
    finding: str
    state: State
    png: bytes
    peak: float
    no_place: float


class ReportPair(NamedTuple):
    """One image: its name, a PNG of it, reports (heading, report with labels) and maps of words of one of them.

    `lines` are said beneath the image; `maps_of` is the heading of the report whose words they are.
    """

    id: str
    png: bytes
    reports: tuple[tuple[str, PageItem], ...]
    lines: tuple[str, ...] = ()
    maps: tuple[WordMap, ...] = ()
    maps_of: str = ""


def report_pairs_page(
    title: str,
    pairs: Sequence[ReportPair],
    *,
    lead: Sequence[str] = (),
    stamp: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """One HTML file; evidence has the colours of the evidence page. The same arguments give the same characters."""
    items = [item for pair in pairs for _, item in pair.reports]
    body = "\n".join(
        [
            "<header>",
            f"<h1>{escape(title)}</h1>",
            *(f'<p class="lead">{escape(line)}</p>' for line in lead),
            _legend(items) if items else "",
            "</header>",
            "<main>",
            *(_pair(number, pair) for number, pair in enumerate(pairs, start=1)),
            "</main>",
        ]
    )
    return html_page(title, body, styles=["evidence.css", "report_pairs.css"], stamp=stamp)


def _pair(number: int, pair: ReportPair) -> str:
    columns = "\n".join(
        f'<section><h3>{escape(heading)}</h3><div class="text" dir="auto">{_report(item)}</div></section>'
        for heading, item in pair.reports
    )
    lines = "".join(f"<p>{escape(line)}</p>" for line in pair.lines)
    return (
        f'<article id="e{number}" class="pair">\n<h2><a href="#e{number}"><bdi>{escape(pair.id)}</bdi></a></h2>\n'
        f'<div class="side">\n<figure>{_image(pair.png, f"Radiograph {pair.id}")}<figcaption>{lines}</figcaption>'
        f'</figure>\n<div class="reports">\n{columns}\n</div>\n</div>\n{_maps(pair)}</article>'
    )


def _report(item: PageItem) -> str:
    return _text(item) if item.text.strip() else '<span class="out">This report is empty.</span>'


def _maps(pair: ReportPair) -> str:
    if not pair.maps:
        return ""
    figures = "\n".join(
        f"<figure>{_image(one.png, f'Where {one.word!r} looks')}<figcaption>"
        f'<mark class="{_CLASS.get(one.state, "")}">{escape(one.word)}</mark><br>{escape(one.finding)}, '
        f"{one.state.name.lower()}<br>hottest place {one.peak:.1f} times the mean<br>{one.no_place:.0%} of attention "
        "on no place</figcaption></figure>"
        for one in pair.maps
    )
    return f'<h3>Where words of {escape(pair.maps_of)} look</h3>\n<div class="maps">\n{figures}\n</div>\n'


def _image(png: bytes, alt: str) -> str:
    return f'<img alt="{escape(alt)}" src="data:image/png;base64,{base64.b64encode(png).decode("ascii")}">'
