"""The form of an audit: reports without their labels, to be read and labeled by a person in a browser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from hilum.core.vocabulary import PRECEDENCE, State, Vocabulary
from hilum.pages.page import escape, html_page

ANSWERS_FORMAT = "hilum audit answers 1"
"""The `format` of a file of answers; audit_form.js writes the same."""

FORM_STATES: Mapping[State, str] = MappingProxyType(
    {
        State.POSITIVE: "said to be there",
        State.UNCERTAIN: "said to be possible",
        State.NEGATIVE: "said to be absent",
        State.BLANK: "no word about it",
    }
)
"""The states as the form explains them; in its answers they are called positive, uncertain, negative, blank."""

_KEYS = dict(zip(PRECEDENCE, "1234", strict=True))
_SHORT: Mapping[State, str] = MappingProxyType({State.BLANK: "not mentioned"})


class FormReport(NamedTuple):
    """One report of the form: the texts that were labeled, each with its heading ("" for none)."""

    parts: tuple[tuple[str, str], ...]


def form_states(vocabulary: Vocabulary, finding: str) -> tuple[State, ...]:
    """The states that a finding can have: all four, or positive and blank for one of role `none`."""
    role = vocabulary.findings[vocabulary.index(finding)].role
    return (State.POSITIVE, State.BLANK) if role == "none" else PRECEDENCE


def audit_form(
    title: str,
    reports: Sequence[FormReport],
    *,
    vocabulary: Vocabulary,
    findings: Sequence[str],
    sample: str,
    stamp: Mapping[str, str],
) -> str:
    """One self-contained page that asks for the state of each finding in each report and saves the answers.

    It is given no labels, so it cannot show any; `reports` stand in it in the order in which they come. The
    answers are kept in the browser under the name `sample` and saved as a file `answers.json`.
    """
    body = "\n".join(
        [
            f'<main data-sample="{escape(sample)}" data-reports="{len(reports)}">',
            f"<h1>{escape(title)}</h1>",
            _introduction(len(reports), vocabulary.no_finding if vocabulary.no_finding in findings else None),
            _bar(),
            *(
                _report(number, report, vocabulary, findings)
                for number, report in enumerate(reports, start=1)
            ),
            _end(),
            "</main>",
        ]
    )
    return html_page(title, body, styles=["audit_form.css"], scripts=["audit_form.js"], stamp=stamp)


def _introduction(count: int, nothing: str | None) -> str:
    meanings = "".join(
        f"<div><dt><kbd>{_KEYS[state]}</kbd> {_name(state)}</dt><dd>{words}</dd></div>"
        for state, words in FORM_STATES.items()
    )
    normal = (
        f"<p><b>{escape(nothing)}</b> is positive when no abnormality is said to be there or to be possible, those "
        "that are not listed included and devices apart; else it is not mentioned.</p>\n"
        if nothing
        else ""
    )
    return (
        f"<p>{count:,} reports, drawn at random and shuffled. Say what each report says of each finding: what the "
        "words say, not what the image may show. If it says several things of one finding, the first of this list "
        f'that occurs counts.</p>\n<dl class="states">{meanings}</dl>\n{normal}'
        '<p class="keys">Keys: <kbd>1</kbd> to <kbd>4</kbd> answer a finding and go to the next one; '
        "<kbd>Enter</kbd> sets what is left to not mentioned and goes to the next report; <kbd>j</kbd> and "
        "<kbd>k</kbd> go forward and back. Answers stay in this browser; nothing is sent anywhere. Save them as a "
        "file when you are done, or to go on elsewhere.</p>\n"
        '<noscript><p class="warning">This form needs JavaScript to save answers. It can be printed and filled in '
        "on paper.</p></noscript>"
    )


def _bar() -> str:
    return (
        '<div class="bar" role="toolbar" aria-label="The form" hidden>\n'
        '<label>Reader <input name="reader" autocomplete="off" spellcheck="false" placeholder="your name"></label>\n'
        '<span class="move"><button type="button" data-do="back">Back</button>\n'
        '<label>Report <input name="at" type="number" min="1" inputmode="numeric"></label>\n'
        '<button type="button" data-do="next">Next</button>\n'
        '<button type="button" data-do="open">Next unanswered</button></span>\n'
        '<label><input type="checkbox" name="all"> all on one page</label>\n'
        '<span class="done"><progress value="0" max="1" aria-label="Reports answered"></progress>\n'
        '<output name="count"></output></span>\n'
        '<button type="button" data-do="save" class="main">Save answers</button>\n'
        '<label class="load">Load answers <input type="file" name="load" accept=".json,application/json"></label>\n'
        '<output name="message" aria-live="polite"></output>\n</div>'
    )


def _report(number: int, report: FormReport, vocabulary: Vocabulary, findings: Sequence[str]) -> str:
    texts = "\n".join(
        (f"<h3>{escape(heading)}</h3>" if heading else "")
        + f'<div class="text" dir="auto">{escape(text.strip())}</div>'
        for heading, text in report.parts
    )
    head = "".join(f'<th scope="col">{_name(state)}</th>' for state in PRECEDENCE)
    rows = "\n".join(
        _row(number, place, finding, form_states(vocabulary, finding))
        for place, finding in enumerate(findings)
    )
    return (
        f'<article id="r{number}" data-number="{number}" aria-labelledby="h{number}">\n'
        f'<h2 id="h{number}" tabindex="-1">Report {number}</h2>\n<div class="read">{texts}</div>\n'
        f'<div class="ask"><table>\n<thead><tr><th scope="col">finding</th>{head}</tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody></table>\n"
        '<button type="button" data-do="rest" hidden>Rest not mentioned, next report</button></div>\n</article>'
    )


def _row(number: int, place: int, finding: str, states: Sequence[State]) -> str:
    cells = "".join(
        f'<td><input type="radio" name="{number}-{place}" value="{state.name.lower()}" autocomplete="off" '
        f'aria-label="{escape(finding)}: {_name(state)}"></td>'
        if state in states
        else "<td></td>"
        for state in PRECEDENCE
    )
    return f'<tr data-finding="{escape(finding)}"><th scope="row">{escape(finding)}</th>{cells}</tr>'


def _end() -> str:
    return (
        '<details class="copy" hidden><summary>If saving does not work: copy the answers</summary>\n'
        '<label>Put this text into a file answers.json <textarea readonly rows="6"></textarea></label></details>'
    )


def _name(state: State) -> str:
    return _SHORT.get(state, state.name.lower())


def answer_state(name: object) -> State | None:
    """The state that an answer of the form names, or None when it names none."""
    return next((state for state in State if state.name.lower() == name), None)
