"""The evidence page: reports, each with its labels and the words that decided them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from types import MappingProxyType
from typing import NamedTuple

from hilum.core.records import Labels, RowStatus, Section
from hilum.core.vocabulary import PRECEDENCE, State
from hilum.pages.evidence import OTHER, LabelWords, Piece, cut_pieces, is_other, label_words, look_of, visible
from hilum.pages.page import escape, html_page
from hilum.pages.pictures import Pictures, pictures_html

_CLASS: Mapping[State, str] = MappingProxyType(
    {State.POSITIVE: "p", State.UNCERTAIN: "u", State.NEGATIVE: "n"}
)
_READ = (RowStatus.LABELED, RowStatus.CUT)
_LONGEST = 50_000
_NEUTRAL = ' class="o"'
_STATES = tuple(state for state in PRECEDENCE if state in _CLASS)


class PageItem(NamedTuple):
    """One report of the page. `sections` are those that were labeled; text outside them is shown in grey.

    `pictures`, of a report that was written for an image, stand beside and under it.
    """

    id: str
    text: str
    labels: Labels
    sections: tuple[Section, ...] = ()
    pictures: Pictures | None = None


def evidence_page(
    title: str,
    items: Iterable[PageItem],
    *,
    total: int | None = None,
    subtitle: str = "",
    stamp: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """One HTML file that shows each report with its evidence highlighted and its labels beside it.

    It reads without a script; with it, a label can be chosen (also by the address `#r3/Edema`) and reports
    can be filtered. `total` is the number of reports there are when `items` are only the first of them; the
    page then says so. It also says so when it shows only the first 50,000 characters of a longer report.
    The same arguments give the same characters.
    """
    shown = list(items)
    body = "\n".join(
        [
            "<header>",
            f"<h1>{escape(title)}</h1>",
            f'<p class="lead">{escape(subtitle)}</p>' if subtitle else "",
            _how_many(len(shown), total),
            _legend(shown),
            _counts(shown),
            "</header>",
            _filters(shown) if len(shown) > 1 else "",
            "<main>",
            *(_article(number, item) for number, item in enumerate(shown, start=1)),
            '<p id="none" hidden>No report matches these filters.</p>',
            "</main>",
        ]
    )
    styles = ["evidence.css", *(["pictures.css"] if any(item.pictures for item in shown) else [])]
    return html_page(title, body, styles=styles, scripts=["evidence.js"], stamp=stamp)


def _how_many(shown: int, total: int | None) -> str:
    if total is not None and total > shown:
        return (
            f'<p class="capped"><strong>Showing the first {shown:,} of {total:,} reports.</strong> '
            "The label file holds all of them.</p>"
        )
    return f'<p class="lead">{shown:,} reports.</p>' if shown != 1 else ""


def _legend(items: Sequence[PageItem]) -> str:
    marks = " ".join(f'<mark class="{_CLASS[s]}">{s.name.lower()}</mark>' for s in _STATES)
    entries = [f"Mentions: {marks}", 'Deciding words: <b class="c">cue</b>']
    if any(is_other(evidence, item.labels) for item in items for evidence in item.labels.evidence):
        entries.append(f'No finding of the vocabulary: <mark class="p o">{OTHER.lower()}</mark>')
    if any(item.sections for item in items):
        entries.append('Not labeled: <span class="out">grey</span>')
    return f'<p class="legend">{" ".join(f"<span>{entry}</span>" for entry in entries)}</p>'


def _findings(items: Sequence[PageItem]) -> list[str]:
    return list(dict.fromkeys(name for item in items for name in item.labels.vocabulary.names))


def _counts(items: Sequence[PageItem]) -> str:
    if len(items) < 2:
        return ""
    counts = Counter((name, state) for item in items for name, state in item.labels.as_dict().items())
    head = "".join(f'<th scope="col">{state.name.lower()}</th>' for state in _STATES)
    neutral = {item.labels.vocabulary.no_finding for item in items}
    rows = "".join(
        f'<tr{_NEUTRAL if name in neutral else ""}><th scope="row">{escape(name)}</th>'
        + "".join(_count(state, counts[name, state]) for state in _STATES)
        + "</tr>\n"
        for name in _findings(items)
    )
    return (
        f'<details class="counts"><summary>Counts over these {len(items):,} reports</summary>\n<table>\n'
        f'<thead><tr><th scope="col">finding</th>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n'
        "</details>"
    )


def _count(state: State, count: int) -> str:
    return f'<td class="{_CLASS[state]}">{count:,}</td>' if count else "<td>0</td>"


def _filters(items: Sequence[PageItem]) -> str:
    statuses = [s for s in RowStatus if any(item.labels.status == s for item in items)]
    states = [*(s.name.lower() for s in _STATES), "not mentioned"]
    return (
        '<form class="filters" aria-label="Filter the reports" hidden>\n'
        + _select("finding", "Finding", [("", "any"), *((n, n) for n in _findings(items))])
        + _select("state", "State", [("", "any"), *((s, s) for s in states)])
        + _select("status", "Row status", [("", "any"), *((s.value, s.value) for s in statuses)])
        + '<label>Report id <input type="search" name="id" autocomplete="off" spellcheck="false"></label>\n'
        '<button type="reset">Clear</button>\n<output aria-live="polite"></output>\n</form>'
    )


def _select(name: str, label: str, options: Sequence[tuple[str, str]]) -> str:
    choices = "".join(f'<option value="{escape(value)}">{escape(words)}</option>' for value, words in options)
    return f'<label>{label} <select name="{name}" autocomplete="off">{choices}</select></label>\n'


def _article(number: int, item: PageItem) -> str:
    labels = item.labels
    status = "" if labels.status == RowStatus.LABELED else f' <b class="status">{labels.status.value}</b>'
    text = _text(item) if item.text.strip() else '<span class="out">This report has no text.</span>'
    seen = ' class="seen"' if item.pictures else ""
    if len(item.text) > _LONGEST:
        text += f"\n<em>Showing the first {_LONGEST:,} of {len(item.text):,} characters.</em>"
    return (
        f'<article id="r{number}"{seen} data-status="{labels.status.value}">\n'
        f'<h2><a href="#r{number}"><bdi>{escape(item.id)}</bdi></a>{status}</h2>\n'
        f"{pictures_html(item.pictures, _CLASS)}"
        f'<div class="text" dir="auto">{text}</div>\n{_labels(item)}\n</article>'
    )


def _text(item: PageItem) -> str:
    text = visible(item.text[:_LONGEST])
    pieces = cut_pieces(len(text), item.labels.evidence, sections=item.sections)
    parts = []
    for (sentences, outside), group in groupby(
        pieces, key=lambda p: (p.sentences, bool(item.sections) and not p.sections)
    ):
        inner = "".join(_piece(text, piece, item.labels) for piece in group)
        attributes = (' class="out"' if outside else "") + _places("s", sentences)
        parts.append(f"<span{attributes}>{inner}</span>" if attributes else inner)
    return "".join(parts)


def _piece(text: str, piece: Piece, labels: Labels) -> str:
    words = escape(text[piece.start : piece.end])
    if not piece.mentions and not piece.cues:
        return words
    look = look_of(piece, labels)
    names = [_CLASS.get(look.state, ""), "o" if look.other else "", "c" if piece.cues else ""]
    tag = "mark" if piece.mentions else "b"
    places = _places("m", piece.mentions) + _places("c", piece.cues)
    return f'<{tag} class="{" ".join(filter(None, names))}"{places}>{words}</{tag}>'


def _places(kind: str, places: Sequence[int]) -> str:
    return f' data-{kind}="{" ".join(map(str, places))}"' if places else ""


def _labels(item: PageItem) -> str:
    rows = label_words(item.labels)
    named = sum(not row.other for row in rows)
    blank = len(item.labels.vocabulary) - named if item.labels.status in _READ else 0
    rest = f'<p class="rest">{blank} finding{"" if blank == 1 else "s"} not mentioned</p>'
    listed = "\n".join(_label(item, row) for row in rows)
    return f'<div class="labels">{f"<ul>{listed}</ul>" if rows else ""}{rest if blank else ""}</div>'


def _label(item: PageItem, row: LabelWords) -> str:
    places = (*row.deciding, *row.outweighed)
    shown = [place for place in places if item.labels.evidence[place].start < _LONGEST]
    lines = [_evidence(item, place, row.state) for place in shown]
    if len(shown) < len(places):
        lines.append(f"<li>{len(places) - len(shown):,} more beyond the text shown</li>")
    if row.reason:
        lines.insert(0, f"<li>{escape(row.reason)}</li>")
    neutral = " o" if row.finding == item.labels.vocabulary.no_finding else ""
    neutral = " o other" if row.other else neutral
    return (
        f'<li class="{_CLASS[row.state]}{neutral}"><button>{escape(row.finding)} '
        f"<i>{row.state.name.lower()}</i></button><ul>{''.join(lines)}</ul></li>"
    )


def _evidence(item: PageItem, place: int, label: State) -> str:
    evidence = item.labels.evidence[place]
    words = f"<q>{escape(_flat(item.text[evidence.start : evidence.end]))}</q>"
    words += f" in {escape(evidence.section)}" if evidence.section else ""
    words += f", {evidence.state.name.lower()}, outweighed" if evidence.state != label else ""
    lines = [words, f"rule <code>{escape(evidence.entry)}</code>"]
    if evidence.cue:
        said = escape(_flat(item.text[max(evidence.cue_start, 0) : max(evidence.cue_end, 0)]))
        lines.append(f"cue <code>{escape(evidence.cue)}</code>" + (f" <q>{said}</q>" if said else ""))
    return f'<li class="{_CLASS.get(evidence.state, "")}" data-e="{place}">{"<br>".join(lines)}</li>'


def _flat(text: str) -> str:
    return " ".join(text.split())
