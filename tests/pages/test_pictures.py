"""Pictures on the evidence page."""

from __future__ import annotations

from hilum.core.records import Labels
from hilum.core.vocabulary import SHIPPED, State
from hilum.pages.evidence_page import PageItem, evidence_page
from hilum.pages.pictures import Map, Pictures, data_uri


def blank() -> Labels:
    vocabulary = SHIPPED["chexpert14"]
    return Labels(vocabulary, (State.BLANK,) * len(vocabulary))


def test_image_and_maps_stand_with_their_report_and_everything_is_escaped() -> None:
    source = data_uri(b"\x00\x01", "png")
    assert source == "data:image/png;base64,AAE="
    maps = (Map(source, "<b>edema", State.NEGATIVE, ("a & b", "12% of attention on no place")),)
    page = evidence_page(
        "t", [PageItem("r", "no edema.", blank(), pictures=Pictures(source, "<cap>", maps, 3))]
    )
    assert page.count('<img src="data:image/png;base64,AAE="') == 2
    assert '<article id="r1" class="seen"' in page
    assert '<mark class="n">&lt;b&gt;edema</mark>' in page
    assert "a &amp; b<br>12%" in page
    assert "&lt;cap&gt;" in page
    assert "3 more words have a map." in page
    assert "img-src data:" in page


def test_a_page_without_pictures_is_as_it_was() -> None:
    page = evidence_page("t", [PageItem("r", "no edema.", blank())])
    assert "seen" not in page
    assert ".maps" not in page
    assert '<article id="r1" data-status' in page
