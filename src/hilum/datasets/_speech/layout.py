"""Sentences to the text of a report: styles of headings and lists, and the noise of dictation and removed words."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

from hilum.datasets._speech.grammar import Grammar
from hilum.datasets._speech.speaker import Sentence
from hilum.datasets._speech.templates import Draws

STYLES = ("openi", "mimic", "chexpert", "terse", "plain")
_WORD = re.compile(r"[A-Za-z]+(?:/[a-z])?")


def tidy(text: str) -> str:
    """A sentence with its capital and single spaces."""
    text = " ".join(text.split()).replace(" ,", ",").replace(" .", ".")
    return re.sub(r"(^|\. )([a-z])", lambda m: m[1] + m[2].upper(), text)


def sentence_text(text: str, draws: Draws) -> str:
    """A sentence with its capital and, nearly always, its full stop."""
    return tidy(text) + ("" if draws.chance(0.02) else "." if not draws.chance(0.02) else " . .")


def noisy(text: str, known: Grammar, draws: Draws, *, mask: str | None, noise: float) -> str:
    """`text` with slips of the typist and removed words; `noise` scales how often, 0 leaves it as it is."""
    slips = draws.chance(0.14 * noise)
    masks = mask is not None and draws.chance(0.35 * noise)
    if not (slips or masks):
        return text

    def changed(match: re.Match[str]) -> str:
        word = match[0]
        if slips and word.lower() in known.slips and draws.chance(0.3):
            slip = str(draws.one(known.slips[word.lower()]))
            return slip.capitalize() if word[0].isupper() else slip
        if masks and word in known.maskable and draws.chance(0.2):
            return str(draws.one(known.masks[mask or ""]))
        return word

    return _WORD.sub(changed, text)


def paragraph(
    sentences: Sequence[Sentence], known: Grammar, draws: Draws, *, mask: str | None, noise: float
) -> list[str]:
    """The texts of sentences, with noise."""
    return [noisy(sentence_text(s.text, draws), known, draws, mask=mask, noise=noise) for s in sentences]


def numbered(texts: Sequence[str], draws: Draws) -> str:
    """A numbered list, on lines or in a row; one sentence often has no number."""
    if len(texts) == 1 and draws.chance(0.5):
        return texts[0]
    mark = draws.one(("{}. ", "{}. ", "{}.", "{}) "))
    between: str = draws.one(("\n", "\n\n", " ", " "))
    return between.join(mark.format(i) + text for i, text in enumerate(texts, 1))


def lay_out(style: str, findings: list[str], impression: list[str], known: Grammar, draws: Draws) -> str:
    """The text of a report in one style. Headers (history, technique) say nothing that is labeled."""
    if style == "terse":
        return " ".join(impression or findings)
    if style == "plain":
        return " ".join(findings + impression)
    if style == "chexpert":
        head = draws.one(("", "IMPRESSION:\n", "IMPRESSION: ", "NARRATIVE: ", "")) if not findings else ""
        body = numbered(impression, draws)
        if findings:
            return f"FINDINGS:\n{' '.join(findings)}\n\nIMPRESSION:\n{body}"
        return body if head.startswith("NARR") else head + body
    listed = (
        numbered(impression, draws)
        if draws.chance(0.6 if len(impression) > 1 else 0.3)
        else " ".join(impression)
    )
    key = style if draws.chance(0.75) else "plain"
    header = (
        known.say(known.headers[key].draw(draws), draws)
        if draws.chance(0.75 if style == "mimic" else 0.3)
        else ""
    )
    body = " ".join(findings)
    if style == "mimic":
        if draws.chance(0.6):
            body, listed = (
                textwrap.fill(t, 78, subsequent_indent=" ") if "\n" not in t else t for t in (body, listed)
            )
        parts = [
            header,
            f" FINDINGS:  \n\n {body}" if findings else "",
            f" IMPRESSION:  \n\n {listed}" if impression else "",
        ]
        return "\n\n".join(p for p in parts if p)
    parts = [header, f"FINDINGS: {body}" if findings else "", f"IMPRESSION: {listed}" if impression else ""]
    return "\n".join(p for p in parts if p)
