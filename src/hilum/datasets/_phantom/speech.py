"""Sentences of the phantom's reports: a finding with its sign and course, hedged, with its cause, or denied."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from hilum.core.vocabulary import CHEXPERT14, State
from hilum.datasets._phantom.causes import Telling
from hilum.datasets._phantom.film import Sign
from hilum.datasets._phantom.words import Phrase, Wording, any_word, named_only
from hilum.datasets._speech.grammar import Concept
from hilum.datasets._speech.speaker import Said, Sentence, Speaker
from hilum.datasets._speech.templates import Choice

_LUNGS = re.compile(r"\b(?:lungs?|clear|aerated|inflated|vascularity|vasculature|vessels)\b", re.IGNORECASE)
_BESIDES = re.compile(r"\b(?:other|otherwise|remainder)\b", re.IGNORECASE)
_MANY = re.compile(r"there is no \w*\s?\w*\s?\w+(?:ions|sses|ules|ies|ates|aces|ures)\b")
_TRIES = 40


class Point(NamedTuple):
    """One thing to tell: a finding, the sign it is said of, how it is told, and the child it stands for, if any."""

    finding: str
    sign: Sign
    telling: Telling
    child: str = ""

    @property
    def is_device(self) -> bool:
        """Whether it is a device."""
        return CHEXPERT14.findings[CHEXPERT14.names.index(self.finding)].role == "device"


class PhantomSpeaker(Speaker):
    """Says what is given, in words that fit: no removed words, no change without a prior, sides as in the film."""

    def __init__(self, wording: Wording, status: Mapping[str, State | str]) -> None:
        super().__init__(wording.known, wording.draws, {}, given=status)
        self.wording = wording
        self.lungs_clear = self.is_clear("lungs")

    def is_clear(self, region: str) -> bool:
        """Whether everything of a region that the grammar denies may be denied."""
        told = (
            self.status.get(c.id, State.NEGATIVE) for c in self.known.concepts.values() if c.region == region
        )
        return all(s is State.NEGATIVE for s in told)

    def say(self, choice: Choice) -> str:
        """One alternative without side, size or course, and without "clear lungs" where they are not."""
        for _ in range(_TRIES):
            text = super().say(choice)
            if self._fits(text):
                break
        return text

    def fill(self, kind: str, slots: Mapping[str, str]) -> tuple[str, str]:
        """A sentence of a kind of frame that fits, and its cue."""
        for _ in range(_TRIES):
            text, cue = super().fill(kind, slots)
            if self._fits(text):
                break
        return text, cue

    def _fits(self, text: str) -> bool:
        if any_word("odd", "course").search(text):
            return False
        if self.lungs_clear:
            return True
        return _BESIDES.search(text) is not None or _LUNGS.search(text) is None

    # ---- one finding ---------------------------------------------------------------------------------------------

    def tell(self, point: Point, state: State) -> tuple[Sentence, Concept]:
        """A sentence that affirms or supposes a finding, and the concept that it speaks of."""
        if state is State.UNCERTAIN:
            return self._suppose(point)
        course = point.telling.course
        concept = self.wording.concept(point.sign)
        plain = course == "" or (course == "new" and self.draws.chance(0.5))
        if plain and not point.is_device and (whole := self._whole(point, concept)) is not None:
            return whole
        phrase = self.wording.phrase(point.sign)
        named = self.wording.phrase(point.sign, bare=True)
        slots = {**self.wording.slots(point.sign), **phrase.slots(), "b": named.text}
        if course == "residual":
            slots |= {"is": named.slots()["is"], "has": named.slots()["has"]}
            return self._claim(self.wording.carried(named.concept, slots), named)
        if point.is_device:
            kind = "device-new" if course == "new" else "device-same" if course else "plain"
            return self._claim(self.wording.frame(kind, slots), phrase)
        text = self.wording.frame("plain" if plain else course, slots)
        return self._claim(text, phrase if phrase.concept == named.concept else named)

    def _claim(
        self, text: str, phrase: Phrase, state: State = State.POSITIVE, cue: str = ""
    ) -> tuple[Sentence, Concept]:
        concept = self.known.concepts[phrase.concept]
        return Sentence(text, (Said(concept.id, state, cue or concept.cue),)), concept

    def _whole(self, point: Point, concept: Concept) -> tuple[Sentence, Concept] | None:
        """A sentence of the concept's own, where it has some that fit."""
        kind = self.wording.words.kinds[point.sign.kind]
        choice = kind.says if kind.says and point.telling.course == "" and self.draws.chance(0.5) else None
        if (
            choice is None
            and "says" in concept.forms
            and ("present" not in concept.forms or self.draws.chance(0.6))
        ):
            choice = concept.forms["says"]
        text = self.wording.sentence(choice, point.sign) if choice else None
        return (
            None
            if text is None
            else (Sentence(text, (Said(concept.id, State.POSITIVE, concept.cue),)), concept)
        )

    def _suppose(self, point: Point) -> tuple[Sentence, Concept]:
        concept = self.known.concepts[self.wording.words.kinds[point.sign.kind].concepts[0]]
        if "hedges" in concept.forms and ("present" not in concept.forms or self.draws.chance(0.6)):
            text = self.wording.sentence(concept.forms["hedges"], point.sign)
            if text is not None:
                return Sentence(text, (Said(concept.id, State.UNCERTAIN, "borderline"),)), concept
        named = self.wording.phrase(point.sign, bare=True)
        slots = {**self.wording.phrase(point.sign).slots(), **named.slots(), "b": named.text}
        return self._claim(self.wording.frame("possible", slots), named, State.UNCERTAIN, "possible")

    # ---- several ---------------------------------------------------------------------------------------------------

    def tell_all(self, points: list[Point]) -> list[Sentence]:
        """The sentences of an impression, the gravest first; a parent goes with the child that it stands for."""
        rest = sorted(points, key=lambda p: (p.telling.impression is State.UNCERTAIN, -p.sign.severity))
        found: list[Sentence] = []
        while rest:
            point = rest.pop(0)
            partner = self._partner(point, rest)
            if partner is not None:
                rest.remove(partner)
                found.append(self._together(point, partner))
            else:
                found.append(self.tell(point, point.telling.impression)[0])
        return found

    def _partner(self, point: Point, rest: list[Point]) -> Point | None:
        """Another point that shares a sentence with this one."""
        for other in rest:
            if other.finding == point.child or other.child == point.finding:
                return other if self._explains(*self._family(point, other)) else None
        plain = [p for p in rest if _can_pair(p)]
        return plain[0] if plain and _can_pair(point) and self.draws.chance(0.4) else None

    def _explains(self, parent: Point, child: Point) -> bool:
        kinds = self.wording.words.kinds
        causes = self.known.concepts[kinds[parent.sign.kind].concepts[0]].sure_causes
        if child.telling.course == "residual" or parent.telling.impression is not State.POSITIVE:
            return False
        return kinds[child.sign.kind].concepts[0] in causes

    def _family(self, one: Point, other: Point) -> tuple[Point, Point]:
        """Parent and child."""
        return (one, other) if one.child == other.finding else (other, one)

    def _together(self, one: Point, other: Point) -> Sentence:
        if one.finding != other.child and other.finding != one.child:
            first, second = self.wording.phrase(one.sign), self.wording.phrase(other.sign)
            text = self.wording.frame("two", {**first.slots(), **second.slots("W")})
            return Sentence(text, (*self._claim("", first)[0].said, *self._claim("", second)[0].said))
        parent, child = self._family(one, other)
        above, below = self.wording.phrase(parent.sign), self.wording.concept(child.sign)
        name = self.wording.name(below)
        sure = child.telling.impression is State.POSITIVE
        text = self.wording.frame(
            "parent-of" if sure else "parent-may", {**above.slots(), "w": name, "y": name}
        )
        said = Said(below.id, State.POSITIVE) if sure else Said(below.id, State.UNCERTAIN, "possible")
        return Sentence(text, (*self._claim("", above)[0].said, said))

    def tell_devices(self, points: list[Point]) -> Sentence:
        """One sentence on the devices in an impression: one or two of them."""
        chosen = self.draws.shuffled(points)[:2]
        if len(chosen) == 1 or self.draws.chance(0.4):
            return self.tell(chosen[0], State.POSITIVE)[0]
        first, second = (self.wording.phrase(p.sign, bare=True) for p in chosen)
        text = self.wording.frame("two", {**first.slots(), **second.slots("W")})
        return Sentence(text, self._claim("", first)[0].said)

    # ---- what is not there -------------------------------------------------------------------------------------------

    def outside(self) -> Sentence:
        """A sentence on something outside the vocabulary."""
        concept = self.known.concepts[self.draws.one(self.wording.words.outside)]
        if "present" not in concept.forms:
            return Sentence(self.say(concept.forms["says"]), (Said(concept.id, State.POSITIVE),))
        for _ in range(_TRIES):
            number, text = super().say(concept.forms["present"]).split(" ", 1)
            if not any_word("odd", "course").search(text):
                break
        phrase = Phrase(concept.id, " ".join(text.split()), number)
        return Sentence(self.wording.frame("plain", phrase.slots()), (Said(concept.id, State.POSITIVE),))

    def deny(self, concepts: list[Concept]) -> Sentence:
        """One sentence that denies all of `concepts`."""
        said = tuple(Said(c.id, State.NEGATIVE) for c in concepts)
        if len(concepts) == 1 and "denies" in concepts[0].forms:
            return Sentence(self.form(concepts[0], "denies"), said)
        names = [self._denied(c) for c in concepts]
        listed = (
            f"{', '.join(names[:-1])}{',' * (len(names) > 2)} or {names[-1]}" if len(names) > 1 else names[0]
        )
        for _ in range(_TRIES):
            text = self.wording.frame("denied", {"N": listed})
            if not _MANY.match(text):
                break
        return Sentence(text, said)

    def _denied(self, concept: Concept) -> str:
        """The name of a denied thing, without side or size."""
        for _ in range(_TRIES):
            text = self.form(concept, "nouns")
            if not named_only().search(text):
                break
        return text

    def closing(self, when: str) -> Sentence:
        """The closing sentence of an impression."""
        words = self.wording.words.closing if when == "abnormal" else self.known.closings[when]
        return Sentence(self.say(words))


def _can_pair(point: Point) -> bool:
    """Whether a finding may share a sentence with another that it has nothing to do with."""
    affirmed = point.telling.impression is State.POSITIVE and point.telling.course == ""
    return affirmed and bool(point.sign.side) and not point.child
