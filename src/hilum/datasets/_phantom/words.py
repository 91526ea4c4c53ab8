"""Words of the phantom's reports: phrases of its signs, and whether a phrase's words fit the sign it is said of."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from hilum.core.errors import LexiconError, UnknownNameError
from hilum.datasets._phantom.film import KINDS, Sign
from hilum.datasets._speech.grammar import Concept, Grammar, grammar
from hilum.datasets._speech.speaker import with_a
from hilum.datasets._speech.templates import Choice, Draws, compile_choice

_TRIES = 8
_GRADES = (0.45, 0.7)
_ABOVE = {"apex": "upper", "base": "lower", "hilum": "mid"}
_NEITHER = "both-sided"
_LISTS = ("bare", "one", "both", "says")


@dataclass(frozen=True)
class KindWords:
    """How one kind of sign is said: concepts of the grammar that it is, and phrases without and with its size."""

    concepts: tuple[str, ...]
    bare: Choice | None
    one: Choice | None
    both: Choice | None
    bare_both: Choice | None
    says: Choice | None
    is_many: bool
    has_general: bool


@dataclass(frozen=True)
class PhantomWords:
    """All of `_speech/phrases/phantom.toml`."""

    kinds: Mapping[str, KindWords]
    frames: Mapping[str, Choice]
    carried: Mapping[str, Choice]
    outside: tuple[str, ...]
    closing: Choice
    words: Mapping[str, tuple[str, ...]]
    places: Mapping[str, Mapping[str, Mapping[str, Sequence[str]]]]
    sizes: Mapping[str, Sequence[Sequence[str]]]
    head: Mapping[str, Any]


@cache
def phantom_words() -> PhantomWords:
    """The shipped words. Raises LexiconError for a kind or concept that there is not."""
    text = (files("hilum.datasets._speech") / "phrases" / "phantom.toml").read_text("utf-8")
    return compile_words(tomllib.loads(text))


def compile_words(data: Mapping[str, Any]) -> PhantomWords:
    """The words of a parsed `phantom.toml`."""
    kinds = {name: _kind(name, entry) for name, entry in data["kinds"].items()}
    if missing := {k for some in KINDS.values() for k in some} - set(kinds):
        raise LexiconError(f"phantom.toml has no words for the kinds {sorted(missing)}; add [kinds.NAME].")
    return PhantomWords(
        kinds=kinds,
        frames={name: compile_choice(texts) for name, texts in data["frames"].items()},
        carried={name: compile_choice(texts) for name, texts in data["carried"].items()},
        outside=tuple(data["outside"]["concepts"]),
        closing=compile_choice(data["closing"]["abnormal"]),
        words={name: tuple(words) for name, words in data["words"].items()},
        places=data["places"],
        sizes=data["sizes"],
        head=data["head"],
    )


def _kind(name: str, entry: Mapping[str, Any]) -> KindWords:
    concepts = grammar().concepts
    for concept in entry["concepts"]:
        if concept not in concepts:
            raise LexiconError(f"phantom.toml, {name}: {UnknownNameError('concept', concept, concepts)}")
    made = {key: compile_choice(entry[key]) if key in entry else None for key in _LISTS}
    unsized = [t for t in entry.get("both", ()) if "{size}" not in t and "{degree}" not in t]
    plural = any(t.startswith("p ") for key in ("bare", "one") for t in entry.get(key, ()))
    return KindWords(
        tuple(entry["concepts"]),
        made["bare"],
        made["one"],
        made["both"],
        compile_choice(unsized) if unsized else made["bare"] or made["both"],
        made["says"],
        plural,
        bool(entry.get("general", True)),
    )


class Phrase(NamedTuple):
    """One noun phrase: the concept it speaks of, the text without article, and its number ("a", "m", "p")."""

    concept: str
    text: str
    number: str

    def slots(self, upper: str = "X") -> dict[str, str]:
        """Slots for a frame: with article, without, and verbs in its number."""
        plural = self.number == "p"
        verbs = (
            {"is": "are", "has": "have", "was": "were"}
            if plural
            else {"is": "is", "has": "has", "was": "was"}
        )
        whole = with_a(self.text) if self.number == "a" else self.text
        return {upper: whole, upper.lower(): self.text, **(verbs if upper == "X" else {})}


class Wording:
    """Draws phrases and sentences of which no word speaks against the sign they are said of."""

    def __init__(self, draws: Draws, known: Grammar | None = None, words: PhantomWords | None = None) -> None:
        self.draws = draws
        self.known = known or grammar()
        self.words = words or phantom_words()

    def slots(self, sign: Sign) -> dict[str, str]:
        """Side, place and size of a sign in words, and how it is compared with the prior study."""
        draws, words = self.draws, self.words
        side = sign.side or "left"
        there = words.places.get(sign.zone or "base", words.places["base"])[side]
        grade = grade_of(sign.severity)
        both = side == "both"
        found = {key: str(draws.one(there[key])) for key in ("at", "where", "lobe")}
        found |= {key: str(draws.one(sizes[grade])) for key, sizes in words.sizes.items()}
        sided = "bilateral" if both else draws.one((side, side, f"{side}-sided"))
        return found | {
            "side": _NEITHER if both else side,
            "sided": sided,
            "base": found["at"],
            "device_end": str(draws.one(words.head["ends"])),
            **{slot: steady(words.head[f"{slot}s"], sign) for slot in ("vein", "cava", "tip")},
            "compared": str(draws.one(words.head["compared"])),
        }

    def concept(self, sign: Sign) -> Concept:
        """One of the concepts of the grammar that a sign is."""
        return self.known.concepts[self.draws.one(self.words.kinds[sign.kind].concepts)]

    def phrase(self, sign: Sign, *, bare: bool = False) -> Phrase:
        """A noun phrase of a sign; `bare`: without its size."""
        kind = self.words.kinds[sign.kind]
        concept = self.concept(sign)
        own = kind.one or kind.bare
        if sign.side == "both":
            own = kind.both or own
        many = kind.is_many or sign.side == "both"
        if not bare and kind.has_general and concept.role == "finding" and self.draws.chance(0.5):
            general = self._general(concept, sign, many)
            if general is not None:
                return general
        if bare:
            own = (kind.bare_both if sign.side == "both" else kind.bare) or own
        if own is None:
            name = self._say(concept.forms["nouns" if "nouns" in concept.forms else "dx"], {})
            return Phrase(concept.id, name, "m")
        number, text = self._say(own, self.slots(sign)).split(" ", 1)
        return Phrase(kind.concepts[0], text, number)

    def _general(self, concept: Concept, sign: Sign, many: bool) -> Phrase | None:
        """A phrase of concepts.toml that fits, or None."""
        if "present" not in concept.forms:
            return None
        banned = misfit(sign.side, sign.zone, grade_of(sign.severity), many)
        slots = self.slots(sign)
        if sign.side == "both":
            slots["sided"] = _NEITHER
        for _ in range(_TRIES):
            number, text = self._say(concept.forms["present"], slots).split(" ", 1)
            if _NEITHER not in text and not banned.search(text):
                return Phrase(concept.id, text, number)
        return None

    def sentence(self, choice: Choice, sign: Sign) -> str | None:
        """A whole sentence that fits the sign, or None."""
        banned = misfit(sign.side, sign.zone, grade_of(sign.severity), True)
        for _ in range(_TRIES):
            text = self._say(choice, self.slots(sign))
            if _NEITHER not in text and not banned.search(text):
                return text
        return None

    def frame(self, kind: str, slots: Mapping[str, str]) -> str:
        """A sentence of one of the frames."""
        return self._say(self.words.frames[kind], slots)

    def carried(self, concept: str, slots: Mapping[str, str]) -> str:
        """A sentence that carries a finding over from the prior study."""
        return self._say(self.words.carried.get(concept, self.words.frames["residual"]), slots)

    def name(self, concept: Concept) -> str:
        """What a concept is called where it is only named."""
        for _ in range(_TRIES):
            text = self._say(concept.forms["dx"], {})
            if not named_only().search(text):
                break
        return text.removeprefix("a ").removeprefix("an ")

    def _say(self, choice: Choice, slots: Mapping[str, str]) -> str:
        return " ".join(self.known.say(choice.draw(self.draws), self.draws, slots).split())


def steady(items: Sequence[str], sign: Sign) -> str:
    """One of `items`, the same each time the same sign is said."""
    return items[sign.variant % len(items)]


def grade_of(severity: float) -> int:
    """0 little, 1 medium, 2 much."""
    return 0 if severity < _GRADES[0] else 1 if severity < _GRADES[1] else 2


@cache
def misfit(side: str, zone: str, grade: int, many: bool) -> re.Pattern[str]:
    """A pattern of the words that speak against a sign of this side, zone and grade."""
    banned = ["odd", "course", *(() if many else ("many",))]
    if side:
        banned += [one for one in ("left", "right", "both") if one != side]
    height = _ABOVE.get(zone, zone)
    if height:
        banned += [one for one in ("upper", "mid", "lower") if one != height]
    banned += [one for place, one in enumerate(("little", "medium", "much")) if place != grade]
    return any_word(*banned)


@cache
def any_word(*classes: str) -> re.Pattern[str]:
    """A pattern of all words of some classes of `[words]`."""
    words = sorted({w for one in classes for w in phantom_words().words[one]}, key=lambda w: (-len(w), w))
    return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, words))})(?![\w-])", re.IGNORECASE)


@cache
def plain_only() -> re.Pattern[str]:
    """A pattern of words that need a side, a size, a place or a prior study."""
    return any_word(
        "odd", "course", "left", "right", "both", "upper", "mid", "lower", "little", "medium", "much"
    )


@cache
def named_only() -> re.Pattern[str]:
    """As `plain_only`, and words that make more of a name than a name."""
    return re.compile(f"{plain_only().pattern}|{any_word('vague').pattern}", re.IGNORECASE)
