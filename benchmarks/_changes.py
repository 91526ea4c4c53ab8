"""Changes of a report's writing that must not change its labels. Pure functions: text in, text out.

A report is a list of `Part`s: what stands before a section's body (its heading) and the body. Most changes
act on each body apart, so that headings keep their place; changes of case, line ends and de-identification
tokens act on everything. Each draws from its own `random.Random`, seeded by the report's id.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple


class Part(NamedTuple):
    """One section as written: `kept` (a heading and the space around it) and the body."""

    kept: str
    body: str


class Change(NamedTuple):
    """One way to write the same report differently. `whole` changes see headings too."""

    name: str
    apply: Callable[[str, Random], str]
    whole: bool = False


def rewrite(parts: Sequence[Part], change: Change, *, seed: int, report_id: str) -> str:
    """The report's text after the change; the same for the same seed and id in any order or process."""
    rng = Random(f"{seed}:{change.name}:{report_id}")
    if change.whole:
        return change.apply("".join(part.kept + part.body for part in parts), rng)
    return "".join(part.kept + _on_core(part.body, change, rng) for part in parts)


def _on_core(body: str, change: Change, rng: Random) -> str:
    core = body.strip()
    if not core:
        return body
    at = body.index(core)
    return body[:at] + change.apply(core, rng) + body[at + len(core) :]


# --- sentences, by a splitter of this file's own so that hilum does not judge itself ---

_NEW_LINE_SENTENCE = re.compile(r"\n\s*(?=\n|[A-Z]|\d+[.)]\s|[-*•]\s)")
_SENTENCE_END = re.compile(r"(?<=[.?!])\s+(?=[\"“(]?[A-Z0-9_\[])")
_NOT_AN_END = re.compile(r"(?:^|[\s(])(?:Drs?|Mrs?|Ms|vs|approx|e\.g|i\.e|[ap]\.m|cf|St|[A-Z]|\d{1,2})\.$")
_BULLET = re.compile(r"^(?:\(?\d{1,2}[.)]|[-*•])\s+")
_REFERS_BACK = re.compile(r"(?:This|These|Those|That|It|They|Both|Which|Also|Otherwise|However)\b", re.I)


def sentences(body: str) -> list[str]:
    """The sentences of a body in order, list bullets kept, line wraps turned into spaces."""
    pieces: list[str] = []
    for block in _NEW_LINE_SENTENCE.split(body):
        open_piece = ""
        for piece in _SENTENCE_END.split(" ".join(block.split())):
            joined = f"{open_piece} {piece}".strip()
            if _NOT_AN_END.search(joined):
                open_piece = joined
            else:
                pieces.append(joined)
                open_piece = ""
        pieces.append(open_piece)
    return [piece for piece in pieces if piece]


def _bare_sentences(body: str) -> list[str]:
    return [bare for piece in sentences(body) if (bare := _BULLET.sub("", piece))]


def _closed(sentence: str) -> str:
    return sentence if sentence[-1] in ".?!:;" else sentence + "."


# --- the changes ---


def _last_stop_dropped(body: str, _: Random) -> str:
    return body.rstrip(".")


def _last_stop_doubled(body: str, _: Random) -> str:
    return body.rstrip(".") + ".."


def _line_wraps(body: str, rng: Random) -> str:
    width = rng.randint(40, 80)
    lines = body.split("\n")
    return "\n".join(
        textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False) if line.strip() else line
        for line in lines
    )


def _gaps(body: str, rng: Random, share: float, fills: Sequence[str]) -> str:
    return re.sub(r"(?<=\S) (?=\S)", lambda _: rng.choice(fills) if rng.random() < share else " ", body)


def _random_newlines(body: str, rng: Random) -> str:
    return _gaps(body, rng, 0.15, ["\n"])


def _extra_spaces(body: str, rng: Random) -> str:
    return _gaps(body, rng, 0.3, ["  ", "   ", "\t", " \t "])


def _numbered(body: str, _: Random) -> str:
    return "\n".join(f"{i}. {sentence}" for i, sentence in enumerate(_bare_sentences(body), 1))


def _numbered_in_line(body: str, _: Random) -> str:
    return " ".join(f"{i}. {_closed(sentence)}" for i, sentence in enumerate(_bare_sentences(body), 1))


def _dashed(body: str, _: Random) -> str:
    return "\n".join(f"- {sentence}" for sentence in _bare_sentences(body))


def _dashed_without_stops(body: str, _: Random) -> str:
    return "\n".join(f"- {sentence.rstrip('.')}" for sentence in _bare_sentences(body))


_UNIT = re.compile(r"(?<=\d) (?=(?:mm|cm|m|ml|degrees|weeks?|days?|views?)\b)")


def _typographic(body: str, rng: Random) -> str:
    text = re.sub(r"(?<=\w)'(?=\w|\s|$)", "\u2019", body)
    text = re.sub(r'"([^"\n]*)"', "\u201c\\1\u201d", text)
    text = re.sub(r"(?<=[^\W\d_])-(?=[^\W\d_])", lambda _: rng.choice("\u2010\u2011"), text)
    text = re.sub(r"(?<=\d)-(?=\d)", "\u2013", text)
    text = re.sub(r"(?<=\S) -{1,2} (?=\S)", lambda _: rng.choice([" \u2013 ", " \u2014 "]), text)
    return _gaps(_UNIT.sub("\u00a0", text), rng, 0.1, ["\u00a0", "\u2009", "\u202f"])


_BRITISH = {
    "aluminum": "aluminium", "anemia": "anaemia", "anesthesia": "anaesthesia", "apnea": "apnoea",
    "behavior": "behaviour", "caliber": "calibre", "center": "centre", "centered": "centred",
    "centimeter": "centimetre", "color": "colour", "dyspnea": "dyspnoea", "edema": "oedema",
    "edematous": "oedematous", "esophageal": "oesophageal", "esophagogastric": "oesophagogastric",
    "esophagus": "oesophagus", "etiology": "aetiology", "favor": "favour", "favored": "favoured",
    "favoring": "favouring", "favors": "favours",
    "fiber": "fibre", "gray": "grey", "hematoma": "haematoma", "hemodialysis": "haemodialysis",
    "hemopneumothorax": "haemopneumothorax", "hemoptysis": "haemoptysis", "hemorrhage": "haemorrhage",
    "hemorrhagic": "haemorrhagic", "hemothorax": "haemothorax", "ischemia": "ischaemia",
    "ischemic": "ischaemic",
    "labeled": "labelled", "leukemia": "leukaemia", "liter": "litre", "meter": "metre",
    "millimeter": "millimetre", "mold": "mould", "neighboring": "neighbouring", "orthopedic": "orthopaedic",
    "paraesophageal": "paraoesophageal", "pediatric": "paediatric", "plow": "plough", "sulfur": "sulphur",
    "tumor": "tumour", "tumors": "tumours",
}  # fmt: skip
_AMERICAN = re.compile(r"\b(?:" + "|".join(sorted(_BRITISH, key=len, reverse=True)) + r")(?=s?\b)", re.I)
_IZE = re.compile(r"(?<=[a-z]{2})(?<!s)(?<!pr)iz(?=(?:e|ed|es|ing|ation|ations)\b)", re.I)
_YZE = re.compile(r"\b(anal|paral|catal)yz(?=(?:e|ed|es|ing)\b)", re.I)


def _in_case_of(model: str, word: str) -> str:
    if model.isupper():
        return word.upper()
    return word[0].upper() + word[1:] if model[0].isupper() else word


def _british(body: str, _: Random) -> str:
    text = _AMERICAN.sub(lambda m: _in_case_of(m.group(), _BRITISH[m.group().lower()]), body)
    text = _IZE.sub(lambda m: _in_case_of(m.group() if m.group().isupper() else "x", "is"), text)
    return _YZE.sub(lambda m: m.group(1) + ("YS" if m.group().isupper() else "ys"), text)


_REMOVED = re.compile(r"\bX{3,}\b|_{2,}|\[\*\*.*?\*\*\]")
_BRACKETED = (
    "[**2149-3-7**]", "[**Hospital1 18**]", "[**Last Name (STitle) 41**]", "[**Known lastname 2202**]",
    "[**MD Number(1) 512**]", "[**11-9**]", "[** **]",
)  # fmt: skip


def _underscores(text: str, _: Random) -> str:
    return _REMOVED.sub("___", text)


def _brackets(text: str, rng: Random) -> str:
    return _REMOVED.sub(lambda _: rng.choice(_BRACKETED), text)


def _shuffled(body: str, rng: Random) -> str:
    """Sentences in another order; one that refers back ("This may ...") stays behind the one before it."""
    groups: list[list[str]] = []
    for sentence in _bare_sentences(body):
        if groups and _REFERS_BACK.match(sentence):
            groups[-1].append(_closed(sentence))
        else:
            groups.append([_closed(sentence)])
    rng.shuffle(groups)
    return " ".join(sentence for group in groups for sentence in group)


def _duplicated(body: str, rng: Random) -> str:
    parts = [_closed(sentence) for sentence in _bare_sentences(body)]
    at = rng.randrange(len(parts))
    return " ".join([*parts[: at + 1], parts[at], *parts[at + 1 :]])


IRRELEVANT = (
    "The patient was cooperative during the examination.",
    "This study was read on a diagnostic workstation.",
    "The referring physician was called at noon.",
    "The resident discussed the case with the attending.",
    "Images were sent to the archive.",
)
"""Sentences without any medical word, added by two of the changes."""


def _sentence_before(body: str, rng: Random) -> str:
    return f"{rng.choice(IRRELEVANT)} {body}"


def _sentence_after(body: str, rng: Random) -> str:
    return f"{_closed(body)} {rng.choice(IRRELEVANT)}"


def _crlf(text: str, rng: Random) -> str:
    return _line_wraps(text, rng).replace("\r\n", "\n").replace("\n", "\r\n")


CHANGES: tuple[Change, ...] = (
    Change("upper case", lambda text, _: text.upper(), whole=True),
    Change("lower case", lambda text, _: text.lower(), whole=True),
    Change("last full stop dropped", _last_stop_dropped),
    Change("last full stop doubled", _last_stop_doubled),
    Change("lines wrapped at 40 to 80", _line_wraps),
    Change("new lines at random gaps", _random_newlines),
    Change("extra spaces and tabs", _extra_spaces),
    Change("numbered, one a line", _numbered),
    Change("numbered, in one line", _numbered_in_line),
    Change("dashes, one a line", _dashed),
    Change("dashes, no full stops", _dashed_without_stops),
    Change("typographic marks", _typographic),
    Change("British spelling", _british),
    Change("removed words as ___", _underscores, whole=True),
    Change("removed words as [**...**]", _brackets, whole=True),
    Change("sentences shuffled", _shuffled),
    Change("sentence twice", _duplicated),
    Change("irrelevant sentence before", _sentence_before),
    Change("irrelevant sentence after", _sentence_after),
    Change("lines wrapped, CRLF", _crlf, whole=True),
)
"""Every change, in the order of the printed table."""
