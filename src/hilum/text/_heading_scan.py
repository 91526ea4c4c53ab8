"""Where the headings of a report stand: every candidate place, judged by the words before it."""

from __future__ import annotations

import re
from typing import NamedTuple

from hilum.text._headings import UNKNOWN, Headings, Meaning, headings, normal_form

LINE, SENTENCE, HEADING, RUN_ON = "line", "sentence", "heading", "run-on"
_CUT = "cut"
_QUALIFIED = "qualified"
_WINDOW = 96
_MAX_LINE = 64
_MAX_WORDS = 8
_MAX_UNKNOWN_WORDS = 6
_TOKEN = re.compile(r"\[\*\*[^\n]*?\*\*\]|\([^()]*\)|X{2,}\b|x{4,}\b|_+|[A-Za-z]+|[&+/]|[.;!?:|]|\d+")
_STOPS = ".;!?:|"
_SIGNS = "&+/"
_ENDS = ".;:!?)]*_|>=-0123456789"
_AFTER_COLON = re.compile(r"[:：*]*")
_AFTER_DASH = re.compile(r"[-–—:：]*")
_AFTER_BARE = re.compile(r"[.;=]?")
_TRIM = " \t\xa0*#_=-"


class Hit(NamedTuple):
    """One heading: span with its separator, name, role, and how it stands.

    `role` is a role of `headings.toml`, or "view", "anatomy" or UNKNOWN, whose `name` is the normal form.
    `place`: at the start of a line, of a sentence, right behind another heading, or run on in a line.
    """

    start: int
    end: int
    name: str
    role: str
    weak: bool
    place: str


def scan_headings(text: str) -> list[Hit]:
    """All headings and heading-like phrases in order, not overlapping; time is linear in the text."""
    data = headings()
    hits: list[Hit] = []
    floor = 0
    for match in data.candidates.finditer(text):
        at = match.start()
        if at < floor:
            continue
        sign = text[at]
        before = hits[-1] if hits else None
        if sign in ":：":
            hit = _at_colon(text, at, floor, before, data)
        elif sign in "\n\r":
            if text[at - 2 : at] == "\n ":
                continue
            hit = _at_line_end(text, at, floor, data)
        elif sign in "-–—":
            hit = _at_dash(text, at, floor, data)
        else:
            hit = _in_capitals(text, match, data)
        if hit is not None:
            hits.append(hit)
            floor = hit.end
    last = _at_line_end(text, len(text), floor, data)
    return [*hits, last] if last is not None else hits


def _segment(text: str, at: int, floor: int) -> tuple[int, str]:
    low = at - _WINDOW if at > _WINDOW else 0
    line = max(text.rfind("\n", low, at), text.rfind("\r", low, at)) + 1
    if line >= floor and (line or low == 0):
        return line, LINE
    return (floor, HEADING) if floor >= low else (low, _CUT)


def _at_colon(text: str, at: int, floor: int, before: Hit | None, data: Headings) -> Hit | None:
    start, left = _segment(text, at, floor)
    raw = text[start:at]
    meaning = data.known.get(raw.strip(_TRIM).lower()) if left != _CUT else None
    found: tuple[int, Meaning, str] | None = (0, meaning, left) if meaning is not None else None
    if found is None:
        last = raw.rstrip(_TRIM).rpartition(" ")[2].rpartition(":")[2].lower()
        if left != LINE and last.isalpha() and last not in data.tail_words:
            return None
        tokens = _last_sentence(raw)
        found = _known_tail(raw, tokens, left, before, data) or _sub_heading(raw, tokens, left, data)
    if found is None:
        return None
    offset, meaning, place = found
    if place == LINE and text[start + offset].islower() and _wrapped_from(text, start, data):
        return None
    after = _AFTER_COLON.match(text, at)
    return Hit(start + offset, after.end() if after else at, *meaning, place)


def _last_sentence(raw: str) -> list[re.Match[str]]:
    """Tokens from the last stop on; from the beginning where brackets may hide a stop."""
    cut = 0 if ")" in raw or "]" in raw else max(0, *(raw.rfind(stop) for stop in _STOPS))
    return list(_TOKEN.finditer(raw, cut))


def _known_tail(
    raw: str, tokens: list[re.Match[str]], left: str, before: Hit | None, data: Headings
) -> tuple[int, Meaning, str] | None:
    """The longest known phrase that ends `raw`: its offset, meaning and place."""
    phrase = ""
    best: tuple[int, Meaning] | None = None
    for k in range(len(tokens) - 1, max(-1, len(tokens) - 1 - 2 * _MAX_WORDS), -1):
        token = tokens[k].group()
        if token in _STOPS:
            break
        if token in _SIGNS:
            phrase = f"and {phrase}" if phrase else ""
        elif token[0].isalpha() and not _is_deidentified(token):
            phrase = f"{token.lower()} {phrase}" if phrase else token.lower()
            meaning = data.meaning(phrase)
            if meaning is not None:
                best = (k, meaning)
            elif best is None and token.lower() not in data.last_words:
                return None
    if best is None:
        return None
    k, meaning = best
    place = _place(tokens, k, left, data)
    if place == _QUALIFIED:
        fits = meaning.role != "header" and _words(tokens[k:]).startswith(meaning.name)
        return (0, meaning, LINE) if fits else None
    if place == RUN_ON and not _may_run_on(raw[tokens[k].start()], meaning, before):
        return None
    return (tokens[k].start(), meaning, place) if place else None


def _place(tokens: list[re.Match[str]], k: int, left: str, data: Headings) -> str:
    """How the phrase that begins with token `k` stands; "" when it is part of a sentence."""
    j = k - 1
    while j >= 0 and (tokens[j].group()[0] in "[(_0123456789&+/" or _is_deidentified(tokens[j].group())):
        j -= 1
    if j < 0:
        return left if left != _CUT else RUN_ON
    word = tokens[j].group().lower()
    if word in _STOPS:
        return SENTENCE
    if word in data.never_after or (left == LINE and tokens[0].group().lower() in data.never_after):
        return ""
    if left == LINE and k <= 3 and not any(t.group() in _STOPS for t in tokens[:k]):
        return _QUALIFIED
    if j < k - 1:
        return SENTENCE
    return "" if word in data.never_after_inline else RUN_ON


def _words(tokens: list[re.Match[str]]) -> str:
    return " ".join(t.group().lower() for t in tokens)


def _may_run_on(first: str, meaning: Meaning, before: Hit | None) -> bool:
    if meaning.weak or meaning.role == "banner":
        return False
    return first.isupper() or meaning.name == "impression" or (before is not None and before.role == "header")


def _sub_heading(
    raw: str, tokens: list[re.Match[str]], left: str, data: Headings
) -> tuple[int, Meaning, str] | None:
    """A view, an anatomy word or an unknown heading that fills the line, or the sentence, before a colon."""
    stop = max((k for k, t in enumerate(tokens) if t.group() in _STOPS), default=-1)
    own = tokens[stop + 1 :]
    if not own or (stop < 0 and left != LINE):
        return None
    offset = own[0].start()
    words = normal_form(raw[offset:])
    role = data.sub_role(words) if words else "remark"
    if role == "view":
        return offset, Meaning("examination", role), LINE if stop < 0 else SENTENCE
    if role == "remark" or stop >= 0:
        return None
    if role == UNKNOWN and not _looks_like_heading(raw):
        return None
    return offset, Meaning(words, role), LINE


def _looks_like_heading(raw: str) -> bool:
    words = re.findall(r"[A-Za-z]+", raw)
    if not words or len(words) > _MAX_UNKNOWN_WORDS or len("".join(words)) < 3:
        return False
    return words[0][0].isupper() and all(w[0].isupper() for w in words if len(w) > 3)


def _at_line_end(text: str, at: int, floor: int, data: Headings) -> Hit | None:
    """A known heading, or a view in capitals, alone on its line."""
    if at - floor < 3:
        return None
    start, left = _segment(text, at, floor)
    if left != LINE or at - start > _MAX_LINE:
        return None
    raw = text[start:at].strip(_TRIM)
    last = raw.rpartition(" ")[2].lower()
    if last.isalpha() and last not in data.last_words and not raw.isupper():
        return None
    words = raw.lower()
    meaning = data.known.get(words)
    if meaning is None:
        words = normal_form(raw) or words
        meaning = data.meaning(words)
        if meaning is None and raw.isupper():
            role = data.sub_role(words)
            meaning = Meaning("examination", role) if role == "view" else None
    if meaning is None or meaning.weak or not _stands_alone(text, start, raw):
        return None
    return Hit(start, at, *meaning, LINE)


def _stands_alone(text: str, start: int, raw: str) -> bool:
    """Whether the line at `start` begins something new and is not the rest of a wrapped sentence."""
    before = text[max(0, start - _WINDOW) : start]
    ended = before.rstrip()
    gap = before[len(ended) :]
    if not ended or gap.count("\n") > 1 or gap.count("\r") > 1 or ended[-1] in _ENDS:
        return True
    word = ended.split()[-1]
    if not raw[0].isupper() or ended[-1] == ",":
        return False
    return not raw.isupper() or not word.isupper() or _is_deidentified(word)


def _wrapped_from(text: str, start: int, data: Headings) -> bool:
    """Whether the line before ends in a word that leaves its sentence open ("... with the")."""
    before = text[max(0, start - 2 - 16) : start]
    words = before.split()
    if not words or not before.rstrip()[-1].isalpha() or before.count("\n") > 1:
        return False
    return words[-1].lower() in data.never_after


def _at_dash(text: str, at: int, floor: int, data: Headings) -> Hit | None:
    start, left = _segment(text, at, floor)
    raw = text[start:at]
    last = raw.rstrip(_TRIM).rpartition(" ")[2].lower()
    if last.rpartition("/")[2] not in data.last_words or left == HEADING:
        return None
    tokens = _last_sentence(raw)
    found = _known_tail(raw, tokens, left, None, data)
    if found is None:
        return None
    offset, meaning, place = found
    own_line = (
        place == LINE and not raw[:offset].strip(_TRIM) and _stands_alone(text, start, raw.strip(_TRIM))
    )
    if meaning.weak or not (own_line or place == SENTENCE):
        return None
    after = _AFTER_DASH.match(text, at)
    return Hit(start + offset, after.end() if after else at, *meaning, place)


def _in_capitals(text: str, match: re.Match[str], data: Headings) -> Hit | None:
    """A heading in capitals without any separator, at the start of a line or sentence."""
    start = match.start()
    before = text[max(0, start - _WINDOW) : start]
    ended = before.rstrip(" \t\xa0*#")
    at_line = not ended or ended[-1] in "\n\r"
    if not at_line and ended[-1] not in ".;:!?)]_|：":
        return None
    after = _AFTER_BARE.match(text, match.end())
    meaning = data.known[match.group().lower()]
    return Hit(start, after.end() if after else match.end(), *meaning, LINE if at_line else SENTENCE)


def _is_deidentified(token: str) -> bool:
    return len(token) > 1 and not token.strip("Xx_")
