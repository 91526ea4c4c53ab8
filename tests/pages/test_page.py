from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files

import pytest

from hilum.pages.page import escape, html_page

GROUNDS = ("--paper", "--panel")


def test_the_policy_allows_only_the_style_and_script_of_the_page() -> None:
    page = html_page("A", "<p>b</p>", styles=["evidence.css"], scripts=["evidence.js"])
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    for tag in ("style", "script"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy[1]
    assert "default-src 'none'" in policy[1]
    assert "unsafe" not in policy[1]


def test_a_page_without_script_allows_none() -> None:
    page = html_page("A", "")
    assert "script-src 'none'" in page
    assert "<script" not in page


def test_nothing_in_the_page_asks_for_anything_outside_it() -> None:
    page = html_page("A", "", styles=["evidence.css"], scripts=["evidence.js"])
    assert not re.search(
        r"https?:|//[a-z]|\bsrc=|@import|url\(|fetch\(|XMLHttpRequest|innerHTML|eval\(", page
    )
    assert re.findall(r'href="([^"]*)"', page) == ["data:,"]


def test_title_and_stamp_are_escaped() -> None:
    page = html_page("<b>&", "", stamp={"<i>": '"\x00'})
    assert "<title>&lt;b&gt;&amp;</title>" in page
    assert "<dt>&lt;i&gt;</dt><dd>&quot;␀</dd>" in page


def test_escape_makes_a_quoted_attribute_safe() -> None:
    assert escape("\"'<>&\ud800") == "&quot;&#x27;&lt;&gt;&amp;\ufffd"


def luminance(colour: str) -> float:
    short = colour.lstrip("#")
    full = "".join(c * 2 for c in short) if len(short) == 3 else short
    parts = [int(full[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def themes() -> list[dict[str, str]]:
    style = "".join(
        files("hilum.pages").joinpath(name).read_text("utf-8") for name in ("page.css", "evidence.css")
    )
    blocks = re.findall(r"(@media [^{]*\{\s*)?:root \{([^}]*)\}", style)
    found: dict[str, dict[str, str]] = {"": {}, "dark": {}, "print": {}}
    for media, body in blocks:
        name = next((n for n in ("dark", "print") if n in media), "")
        found[name].update(re.findall(r"(--[a-z-]+): (#[0-9a-f]{3,6})", body))
    return [found[""], found[""] | found["dark"], found[""] | found["print"]]


@pytest.mark.parametrize("theme", themes(), ids=["light", "dark", "print"])
def test_every_text_colour_reads_on_every_ground_it_stands_on(theme: dict[str, str]) -> None:
    text = [
        *((t, g) for t in ("--ink", "--quiet", "--faint", "--accent", "--p", "--u", "--n") for g in GROUNDS),
        *((t, "--sentence") for t in ("--ink", "--faint")),
        *(("--ink", tint) for tint in ("--p-tint", "--u-tint", "--n-tint")),
    ]
    weak = {pair: round(contrast(*(theme[c] for c in pair)), 2) for pair in text}
    assert {pair: ratio for pair, ratio in weak.items() if ratio < 4.5} == {}
