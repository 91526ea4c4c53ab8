from __future__ import annotations

import html
import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from hilum.core.records import Labels, Section
from hilum.core.vocabulary import CHEXPERT14, NIH14, State
from hilum.pages.evidence_page import PageItem, evidence_page
from hilum.pages.page import escape

VOID = {"meta", "link", "input", "br"}


class Outline(HTMLParser):
    """The elements of a page, their nesting checked, and the text of each report."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[tuple[str, dict[str, str]]] = []
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = (tag, {k: v or "" for k, v in attrs})
        self.seen.append(element)
        if tag not in VOID:
            self.open.append(element)
        if element[1].get("class") == "text":
            self.texts.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        if any(attributes.get("class") == "text" for _, attributes in self.open):
            self.texts[-1] += data


def outline(page: str) -> Outline:
    parser = Outline()
    parser.feed(page)
    assert parser.open == []
    return parser


def marks(page: str, report: int) -> list[tuple[str, str, str]]:
    """(state class, evidence places, words) of each highlighted piece of one report."""
    article = page.split("<article ")[report].partition("</article>")[0]
    found = re.findall(r'<mark class="([^"]*)" data-m="([^"]*)"[^>]*>(.*?)</mark>', article, re.DOTALL)
    return [(state, places, html.unescape(words)) for state, places, words in found]


def test_the_text_of_every_report_is_there_once_and_whole(ward: list[PageItem]) -> None:
    shown = outline(evidence_page("Ward", ward)).texts
    assert shown[:3] == [item.text for item in ward[:3]]
    assert shown[3] == ward[3].text.replace("\x00\x1b", "␀␛")
    assert shown[4:] == [ward[4].text, "This report has no text."]


def test_mentions_have_the_class_of_their_state_and_cues_are_marked_apart(ward: list[PageItem]) -> None:
    page = evidence_page("Ward", ward)
    assert marks(page, 1) == [
        ("p", "0", "pleural effusion"),
        ("p", "1", "airspace disease"),
        ("u", "2", "atelectasis"),
        ("u", "3", "pneumonia"),
        ("n", "4", "pneumothorax"),
        ("n", "5", "Heart size"),
        ("n", "6", "Edema"),
    ]
    assert '<b class="c" data-c="2 3">may</b>' in page


def test_overlapping_mentions_become_pieces_that_belong_to_both(ward: list[PageItem]) -> None:
    assert marks(evidence_page("Ward", ward), 2) == [
        ("u", "0", "cavitary "),
        ("p", "0 1", "pneumonia"),
        ("u", "0", " mass"),
        ("n", "2", "mass on"),
    ]


def test_sentences_are_kept_together_for_highlighting(ward: list[PageItem]) -> None:
    page = evidence_page("Ward", ward)
    (sentence,) = re.findall(r'<span data-s="2">(.*?)</span>', page)
    assert re.sub("<[^>]*>", "", sentence) == "No mass on the left."


def test_labels_come_with_rule_cue_section_and_what_was_outweighed(ward: list[PageItem]) -> None:
    page = evidence_page("Ward", ward)
    lesion = (
        '<li class="u"><button>Lung Lesion <i>uncertain</i></button><ul>'
        '<li class="u" data-e="0"><q>cavitary pneumonia mass</q> in findings<br>'
        "rule <code>lung_lesion.words</code><br>cue <code>cue.possible</code> <q>Possible</q></li>"
        '<li class="n" data-e="2"><q>mass on</q> in findings, negative, outweighed<br>'
        "rule <code>lung_lesion.words</code><br>cue <code>cue.no</code> <q>No</q></li></ul></li>"
    )
    assert lesion in page
    assert '<p class="rest">12 findings not mentioned</p>' in page


def test_no_finding_says_why_and_is_not_dressed_as_an_abnormality(ward: list[PageItem]) -> None:
    page = evidence_page("Ward", ward)
    assert (
        '<li class="p o"><button>No Finding <i>positive</i></button>'
        "<ul><li>no abnormality is affirmed or hedged</li></ul></li>" in page
    )


def test_other_abnormalities_are_neutral_come_last_and_are_no_label(
    make_item: Callable[..., PageItem],
) -> None:
    item = make_item("r", "Hiatal hernia. Edema.", [("Edema", State.POSITIVE, "Edema")])
    hernia = item.labels.evidence[0]._replace(finding="", start=0, end=13, entry="other/hernia")
    labels = Labels(CHEXPERT14, item.labels.states, (hernia, *item.labels.evidence))
    page = evidence_page("x", [item._replace(labels=labels)])
    assert '<mark class="p o" data-m="0">Hiatal hernia</mark>' in page
    listed = re.findall(r'<li class="([^"]*)"><button>([^<]*) <i>', page)
    assert listed == [("p", "Edema"), ("p o other", "Other abnormality")]
    assert "13 findings not mentioned" in page
    assert "No finding of the vocabulary:" in page


def test_hostile_text_stays_text(ward: list[PageItem]) -> None:
    page = evidence_page("<script>1</script>", ward, subtitle="<b>", stamp={"a": "<i>"})
    seen = outline(page).seen
    assert [tag for tag, _ in seen if tag in ("script", "style", "img", "b", "iframe")].count("script") == 1
    assert not any(tag == "img" for tag, _ in seen)
    assert not any(name.startswith("on") or name == "style" for _, attributes in seen for name in attributes)
    assert "<bdi>&lt;img src=x onerror=&quot;alert(1)&quot;&gt;</bdi>" in page


def test_ids_labels_rules_and_statuses_are_escaped(make_item: Callable[..., PageItem]) -> None:
    item = make_item("r", "edema", [("Edema", State.POSITIVE, "edema")])
    (said,) = item.labels.evidence
    sharp = said._replace(entry='"><script>', cue="<cue>", cue_start=0, cue_end=2, section="</li>")
    page = evidence_page(
        "x", [item._replace(labels=Labels(item.labels.vocabulary, item.labels.states, (sharp,)))]
    )
    outline(page)
    for words in ('"><script>', "<cue>", "</li>"):
        assert f"<code>{words}" not in page
        assert escape(words) in page


def test_text_outside_the_labeled_sections_is_grey(make_item: Callable[..., PageItem]) -> None:
    text = "HISTORY: cough. IMPRESSION: Edema."
    item = make_item("r", text, [("Edema", State.POSITIVE, "Edema")])
    assert '<span class="out">' not in evidence_page("x", [item])
    page = evidence_page("x", [item._replace(sections=(Section("impression", 27, len(text)),))])
    article = page[page.index("<article") :]
    assert re.findall(r'<span class="out"[^>]*>([^<]*)</span>', article) == [
        "HISTORY: cough. ",
        "IMPRESSION:",
    ]
    assert "Not labeled:" in page


def test_the_page_says_when_it_holds_only_the_first_reports(ward: list[PageItem]) -> None:
    assert "<strong>Showing the first 6 of 5,000 reports.</strong>" in evidence_page("Ward", ward, total=5000)
    for total in (6, None):
        page = evidence_page("Ward", ward, total=total)
        assert "Showing the first" not in page
        assert '<p class="lead">6 reports.</p>' in page


def test_counts_and_filters_know_the_findings_states_and_statuses(ward: list[PageItem]) -> None:
    page = evidence_page("Ward", ward)
    assert '<tr><th scope="row">Edema</th><td class="p">1</td><td>0</td><td class="n">2</td></tr>' in page
    options = re.findall(r'<option value="([^"]*)">', page)
    assert options[:2] == ["", "No Finding"]
    assert options[15:] == ["", "positive", "uncertain", "negative", "not mentioned", "", "labeled", "empty"]
    assert '<b class="status">empty</b>' in page


def test_a_page_of_one_report_needs_no_filters(ward: list[PageItem]) -> None:
    page = evidence_page("One", ward[:1])
    assert '<form class="filters"' not in page
    assert '<details class="counts">' not in page


def test_another_vocabulary_fills_the_filters_by_itself() -> None:
    items = [PageItem(str(i), "Clear.", Labels(NIH14, (State.BLANK,) * len(NIH14))) for i in range(2)]
    assert '<option value="Pleural_Thickening">' in evidence_page("NIH", items)


def test_same_items_same_characters_and_stamp_at_the_foot(ward: list[PageItem]) -> None:
    stamp = {"vocabulary": "chexpert14", "convention": "house", "version": "1.2.3"}
    page = evidence_page("Ward", ward, stamp=stamp)
    assert page == evidence_page("Ward", iter(ward), stamp=stamp)
    assert all(f"<dt>{k}</dt><dd>{v}</dd>" in page[page.index("<footer>") :] for k, v in stamp.items())
    page.encode("utf-8")


def test_two_hundred_reports_are_a_light_page(ward: list[PageItem]) -> None:
    text = (ward[0].text + " The aorta is tortuous, and the osseous structures are intact throughout.")[:300]
    items = [ward[0]._replace(id=f"s{i}", text=text) for i in range(200)]
    assert len(evidence_page("Ward", items).encode()) < 600_000


def test_a_huge_report_is_shown_in_part_and_says_so(make_item: Callable[..., PageItem]) -> None:
    item = make_item("huge", "Edema. " * 10_000, [("Edema", State.POSITIVE, "Edema")])
    (near,) = item.labels.evidence
    far = near._replace(start=63_000, end=63_005, sentence_start=63_000, sentence_end=63_006)
    page = evidence_page("x", [item._replace(labels=Labels(CHEXPERT14, item.labels.states, (near, far)))])
    assert len(page) < 100_000
    assert "<em>Showing the first 50,000 of 70,000 characters.</em>" in page
    assert "<li>1 more beyond the text shown</li>" in page
    assert 'data-e="1"' not in page


BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine to run the page's script")
def test_in_a_browser_an_address_chooses_a_label_and_only_its_evidence(
    ward: list[PageItem], tmp_path: Path
) -> None:
    file = tmp_path / "ward.html"
    file.write_text(evidence_page("Ward", ward), encoding="utf-8")
    assert BROWSER is not None
    switches = (
        "headless no-sandbox disable-gpu no-first-run disable-background-networking disable-component-update "
        "disable-sync dump-dom virtual-time-budget=1000"
    )
    command = [
        BROWSER,
        *(f"--{switch}" for switch in switches.split()),
        f"--user-data-dir={tmp_path / 'new'}",
    ]
    address = f"{file.as_uri()}#r2/lung_lesion"
    run = subprocess.run([*command, address], capture_output=True, text=True, timeout=120, check=False)
    page = run.stdout
    if "<article" not in page:
        pytest.skip(f"chromium does not start on this machine (exit status {run.returncode})")
    assert re.findall(r'<mark class="([^"]* on)"[^>]*>([^<]*)</mark>', page) == [
        ("u on", "cavitary "),
        ("u on", "pneumonia"),
        ("u on", " mass"),
        ("n on", "mass on"),
    ]
    assert re.findall(r'<button aria-pressed="true">([^<]*)<', page) == ["Lung Lesion "]
    assert page.count('aria-pressed="false"') == 11
    assert "6 of 6 reports" in page
