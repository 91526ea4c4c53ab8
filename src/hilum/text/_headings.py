"""What the words of a heading mean: `headings.toml`, checked and compiled once."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from hilum.core.errors import LexiconError

ROLES = ("content", "header", "closing", "banner")
UNKNOWN = "?"
_BOTH = "findings and impression"
_SIGN = re.compile(r"(?<=[a-z)]) ?[&+/] ?(?=[a-z(])")
_SKIPPED = re.compile(r"\[\*\*.*?\*\*\]|\([^()]*\)|\bx{2,}\b|[^a-z(\[]+|[(\[]")
_LISTS = {
    "subheadings": ("anatomy", "remark"),
    "views": ("naming", "other"),
    "context": ("never_after", "never_after_inline"),
}


class Meaning(NamedTuple):
    """What a known phrase stands for: a canonical section name and its role; `weak`: not inside content."""

    name: str
    role: str
    weak: bool = False


def normal_form(phrase: str) -> str:
    """The words of a heading: lower case, one space between, `/ & +` as "and"; no digits or brackets."""
    return " ".join(_SKIPPED.sub(" ", _SIGN.sub(" and ", phrase.lower())).split())


@dataclass(frozen=True)
class Headings:
    """The compiled heading data. `candidates` finds every place where a heading could end."""

    known: Mapping[str, Meaning]
    order: tuple[str, ...]
    last_words: frozenset[str]
    tail_words: frozenset[str]
    anatomy: frozenset[str]
    remark: frozenset[str]
    naming: frozenset[str]
    views: frozenset[str]
    never_after: frozenset[str]
    never_after_inline: frozenset[str]
    candidates: re.Pattern[str]

    def meaning(self, words: str) -> Meaning | None:
        """Meaning of a normal form; "A and B" is found where both parts are known."""
        found = self.known.get(words)
        if found is not None or " and " not in words:
            return found
        parts = [self.known.get(part) for part in words.split(" and ")]
        sure = [part for part in parts if part is not None]
        if len(sure) != len(parts):
            return None
        if {"findings", "impression"} <= {part.name for part in sure}:
            return self.known[_BOTH]
        return min(sure, key=lambda part: self.order.index(part.name))

    def sub_role(self, words: str) -> str:
        """Role of a phrase that is no known heading: "view", "anatomy", "remark" or UNKNOWN."""
        parts = words.split()
        if not self.naming.isdisjoint(parts) and all(p in self.views or p in self.naming for p in parts):
            return "view"
        if all(p in self.anatomy for p in parts):
            return "anatomy"
        if all(p in self.anatomy or p in self.remark for p in parts):
            return "remark"
        return UNKNOWN


def compile_headings(text: str, file: str) -> Headings:
    """Heading data from the text of a TOML file.

    Raises LexiconError, naming file and entry, when a role, list or phrase is bad or a phrase stands twice.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise LexiconError(f"{file} is no valid TOML: {error}. Next step: mend that line.") from None
    known: dict[str, Meaning] = {}
    bare: list[str] = []
    for entry in data.get("heading", []):
        _add_entry(entry, file, known, bare)
    if _BOTH not in known:
        raise LexiconError(f"{file} has no heading with name = {_BOTH!r}. Next step: add one (role content).")
    lists = {key: _words(data, table, key, file) for table, keys in _LISTS.items() for key in keys}
    return Headings(
        known=known,
        order=tuple(dict.fromkeys(meaning.name for meaning in known.values())),
        last_words=frozenset(phrase.split()[-1] for phrase in known),
        tail_words=frozenset(phrase.split()[-1] for phrase in known)
        | lists["naming"]
        | {word for word in lists["other"] if len(word) > 3},
        anatomy=lists["anatomy"],
        remark=lists["remark"],
        naming=lists["naming"],
        views=lists["other"],
        never_after=lists["never_after"],
        never_after_inline=lists["never_after_inline"],
        candidates=_candidates(bare),
    )


@cache
def headings() -> Headings:
    """The shipped heading data, read at the first call."""
    source = files("hilum.text").joinpath("headings.toml")
    return compile_headings(source.read_text(encoding="utf-8"), "headings.toml")


def _add_entry(entry: Mapping[str, Any], file: str, known: dict[str, Meaning], bare: list[str]) -> None:
    name, role = entry.get("name"), entry.get("role")
    if not isinstance(name, str) or role not in ROLES:
        raise LexiconError(
            f"{file}, heading {name!r}: role is {role!r}; allowed: {', '.join(ROLES)}; name is a text. "
            "Next step: mend that entry."
        )
    known.setdefault(normal_form(name), Meaning(name, role))
    for key in ("phrases", "weak"):
        for phrase in _texts(entry.get(key, []), f"{file}, heading {name!r}, {key}"):
            words = normal_form(phrase)
            if not words:
                raise LexiconError(
                    f"{file}, heading {name!r}: {phrase!r} has no letters. Next step: drop it."
                )
            other = known.setdefault(words, Meaning(name, role, key == "weak"))
            if other.name != name:
                raise LexiconError(
                    f"{file}: the phrase {phrase!r} stands under {other.name!r} and {name!r}. "
                    "Next step: keep it in one place."
                )
    bare.extend(word.upper() for word in _texts(entry.get("bare", []), f"{file}, heading {name!r}, bare"))


def _words(data: Mapping[str, Any], table: str, key: str, file: str) -> frozenset[str]:
    return frozenset(_texts(data.get(table, {}).get(key), f"{file}, [{table}] {key}"))


def _texts(value: object, where: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise LexiconError(f'{where}: got {value!r}, not a list of texts. Next step: write it as ["..."].')
    return value


def _candidates(bare: list[str]) -> re.Pattern[str]:
    """One pattern that starts with one set of characters, so that the scan skips all others at once."""
    first = "".join(sorted({re.escape(word[:1]) for word in bare}))
    rest = "|".join(
        rf"(?<={re.escape(word[:1])}){re.escape(word[1:])}" for word in sorted(bare, reverse=True)
    )
    return re.compile(
        rf"[\n\r:：\-–—{first}]"
        r"(?:(?<![A-Z])"
        r"(?:(?<=[^\W\d][\n\r:：])|(?<=[ \t\xa0)\]*_][\n\r:：])|(?<=\d[:：])(?=\s)"
        r"|(?<=\s[-–—])|(?<=[-–—])(?=\s))"
        rf"|(?=[A-Z]{{3}})(?<![^\W_].)(?:{rest})(?=[.;=]?\s+(?:\d+[.)]\s|[A-Z][a-z])))"
    )
