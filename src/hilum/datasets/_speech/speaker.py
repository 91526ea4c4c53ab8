"""What is the case in one generated report, and single sentences that say it, each with its claims."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from hilum.core.vocabulary import State
from hilum.datasets._speech.grammar import Concept, Frame, Grammar
from hilum.datasets._speech.templates import Choice, Draws

_SEVERITY = (
    (0.28, 0.0),
    (0.55, 0.55),
    (0.85, 1.2),
    (1.0, 2.3),
)  # cumulative share of reports, factor on rates
GONE, REMOVED = "gone", "removed"
_AN = ("LVAD", "NG ", "8 ", "18 ", "RUL", "FM ")  # said with a vowel first
_SUGGESTED = ("pneumonia", "pneumonia", "edema", "atelectasis")
_PLURAL = {"is": "are", "has": "have", "was": "were"}


class Said(NamedTuple):
    """One claim: a concept, the state it is given, and the id of the cue if it is hedged."""

    concept: str
    state: State
    cue: str = ""


class Sentence(NamedTuple):
    """The text of one sentence, without capital and full stop, and what it claims."""

    text: str
    said: tuple[Said, ...] = ()


class Speaker:
    """Makes the sentences of one report from a grammar and the report's draws."""

    def __init__(
        self,
        known: Grammar,
        draws: Draws,
        rates: Mapping[str, float],
        *,
        given: Mapping[str, State | str] | None = None,
    ) -> None:
        """`given`: what is the case, by concept; without it, it is drawn from the rates."""
        self.known, self.draws = known, draws
        self.status = self._statuses(rates) if given is None else dict(given)

    def _statuses(self, rates: Mapping[str, float]) -> dict[str, State | str]:
        """What is the case, by concept; at most one concept of a group is there."""
        draws = self.draws
        place = draws.number()
        factor = next(f for share, f in _SEVERITY if place < share)
        found: dict[str, State | str] = {}
        taken: set[str] = set()
        for concept in draws.shuffled(self.known.concepts.values()):
            rate = rates.get(concept.id, concept.rate) * (1.0 if concept.role == "none" else factor)
            if concept.group not in taken and draws.chance(min(rate, 0.9)):
                taken.add(concept.group)
                found[concept.id] = State.UNCERTAIN if draws.chance(concept.hedge) else State.POSITIVE
        for concept in self.known.concepts.values():
            if concept.group not in taken:
                if draws.chance(concept.gone * factor):
                    found[concept.id] = GONE
                elif draws.chance(concept.removed * factor):
                    found[concept.id] = REMOVED
                elif draws.chance(concept.deny):
                    found[concept.id] = State.NEGATIVE
        return found

    def with_state(self, *states: State | str) -> list[Concept]:
        """Concepts that have one of `states`, in the order of the grammar."""
        return [c for c in self.known.concepts.values() if self.status.get(c.id) in states]

    def is_clear(self, region: str) -> bool:
        """Whether nothing abnormal of the region is there."""
        return not any(
            c.region == region and c.role == "finding"
            for c in self.with_state(State.POSITIVE, State.UNCERTAIN)
        )

    # ---- single sentences --------------------------------------------------------------------------------------

    def frame(self, kind: str) -> Frame:
        """One frame of a kind; frames with more texts are drawn more often."""
        frames = self.known.frames[kind]
        place = self.draws.number() * sum(f.texts.cumulative[-1] for f in frames)
        for one in frames:
            place -= one.texts.cumulative[-1]
            if place < 0:
                break
        return one

    def say(self, choice: Choice) -> str:
        """One of the alternatives, as text."""
        return self.known.say(choice.draw(self.draws), self.draws)

    def fill(self, kind: str, slots: Mapping[str, str]) -> tuple[str, str]:
        """A sentence of a kind of frame, and the frame's cue."""
        one = self.frame(kind)
        return self.known.say(one.texts.draw(self.draws), self.draws, slots), one.cue

    def form(self, concept: Concept, key: str) -> str:
        """One phrase or sentence of a concept."""
        return self.say(concept.forms[key])

    def noun_phrase(self, concept: Concept, upper: str = "X") -> dict[str, str]:
        """Slots of one noun phrase: with article, without, and the verbs in its number."""
        number, text = self.form(concept, "present").split(" ", 1)
        text = " ".join(text.split())
        plural = number == "p"
        verbs = {verb: _PLURAL[verb] if plural else verb for verb in _PLURAL}
        with_article = with_a(text) if number == "a" else text
        return {upper: with_article, upper.lower(): text, **(verbs if upper == "X" else {})}

    def diagnoses(self, concept: Concept, upper: str) -> dict[str, str]:
        """Slots of what a concept is called where it is only named as a diagnosis."""
        text = self.form(concept, "dx" if "dx" in concept.forms else "nouns")
        return {upper: text, upper.lower(): text.removeprefix("a ").removeprefix("an ")}

    def denials(self, concepts: Iterable[Concept]) -> dict[str, str]:
        """Slots of a list of denied things."""
        names = [self.form(c, "nouns") for c in concepts]
        if len(names) == 1:
            return {"N": names[0], "L": names[0], "M": f"{names[0]} nor other abnormality is seen"}
        first, last = ", ".join(names[:-1]), names[-1]
        comma = "," if len(names) > 2 and self.draws.chance(0.4) else ""
        return {
            "N": f"{first}{comma} {self.draws.one(('or', 'or', 'or', 'and'))} {last}",
            "L": self.draws.one(
                (f"{first}, no {last}", f"{first}, {last}", ", no ".join(names), f"{first}, and no {last}")
            ),
            "M": f"{first} nor {last} is seen",
        }

    # ---- statements with their claims --------------------------------------------------------------------------

    def affirm(self, concept: Concept, *, spare: list[Concept]) -> Sentence:
        """A sentence that affirms a concept, perhaps with another, a cause or a denial; `spare` loses what it uses."""
        draws = self.draws
        said = Said(concept.id, State.POSITIVE, concept.cue)
        if "present" not in concept.forms or ("says" in concept.forms and draws.chance(0.5)):
            return Sentence(self.form(concept, "says"), (said,))
        if concept.causes and draws.chance(0.42):
            return self._with_cause(concept, said)
        slots = self.noun_phrase(concept)
        others = [
            c
            for c in spare
            if self.status.get(c.id) is State.POSITIVE and "present" in c.forms and c is not concept
        ]
        if others and draws.chance(0.2):
            other = draws.one(others)
            spare.remove(other)
            text, _ = self.fill("present-two", {**slots, **self.noun_phrase(other, "W")})
            return Sentence(text, (said, Said(other.id, State.POSITIVE, other.cue)))
        denied = [c for c in spare if self.status.get(c.id) is State.NEGATIVE and "nouns" in c.forms]
        if denied and draws.chance(0.13):
            chosen = draws.shuffled(denied)[: 1 + int(draws.chance(0.35))]
            for c in chosen:
                spare.remove(c)
            text, _ = self.fill("present-without", {**slots, **self.denials(chosen)})
            return Sentence(text, (said, *(Said(c.id, State.NEGATIVE) for c in chosen)))
        return Sentence(
            self.fill("present-device" if concept.role == "device" else "present", slots)[0], (said,)
        )

    def _with_cause(self, concept: Concept, said: Said) -> Sentence:
        draws = self.draws
        slots = self.noun_phrase(concept)
        if concept.sure_causes and draws.chance(0.3):
            cause = draws.one(concept.sure_causes)
            text, _ = self.fill("cause-sure", {**slots, **self.diagnoses(self.known.concepts[cause], "Y")})
            return Sentence(text, (said, Said(cause, State.POSITIVE)))
        causes = draws.shuffled(concept.causes)[:2]
        slots |= self.diagnoses(self.known.concepts[causes[0]], "Y")
        if len(causes) == 2 and draws.chance(0.3):
            slots |= self.diagnoses(self.known.concepts[causes[1]], "Z")
            text, cue = self.fill("cause-either", slots)
            return Sentence(text, (said, *(Said(c, State.UNCERTAIN, cue) for c in causes)))
        text, cue = self.fill("cause-hedged", slots)
        return Sentence(text, (said, Said(causes[0], State.UNCERTAIN, cue)))

    def suppose(self, concept: Concept) -> Sentence:
        """A sentence that hedges a concept, alone or as one of two."""
        draws = self.draws
        if "hedges" in concept.forms and (draws.chance(0.7) or not {"dx", "present"} & set(concept.forms)):
            return Sentence(self.form(concept, "hedges"), (Said(concept.id, State.UNCERTAIN, "borderline"),))
        if "dx" in concept.forms and draws.chance(0.28):
            partners = [
                c for c in self.known.concepts.values()
                if c.region in ("lungs", "pleura") and "dx" in c.forms and c is not concept and c.rate > 0.02
            ]  # fmt: skip
            other = draws.one(partners)
            pair = (concept, other) if draws.chance(0.5) else (other, concept)
            text, cue = self.fill("either", {**self.diagnoses(pair[0], "Y"), **self.diagnoses(pair[1], "Z")})
            return Sentence(text, tuple(Said(c.id, State.UNCERTAIN, cue) for c in pair))
        if "present" not in concept.forms or ("dx" in concept.forms and draws.chance(0.5)):
            named = self.diagnoses(concept, "X") | {verb: verb for verb in _PLURAL}
        else:
            named = self.noun_phrase(concept)
        text, cue = self.fill("hedged", named)
        return Sentence(text, (Said(concept.id, State.UNCERTAIN, cue),))

    def deny(self, concepts: list[Concept]) -> Sentence:
        """One sentence that denies all of `concepts`."""
        said = tuple(Said(c.id, State.NEGATIVE) for c in concepts)
        first = concepts[0]
        if (
            len(concepts) == 1
            and "denies" in first.forms
            and ("nouns" not in first.forms or self.draws.chance(0.94))
        ):
            return Sentence(self.form(first, "denies"), said)
        other = self.known.concepts[self.draws.one(_SUGGESTED)]
        if first.causes and len(concepts) == 1 and self.draws.chance(0.15):
            slots = {**self.denials(concepts), **self.diagnoses(other, "Y")}
            text, _ = self.fill("denied-to-suggest", slots)
            return Sentence(text, (*said, Said(other.id, State.NEGATIVE)))
        return Sentence(self.fill("denied", self.denials(concepts))[0], said)

    def ended(self, concept: Concept) -> Sentence:
        """A sentence that says that a finding has gone or a device was taken out."""
        removed = self.status[concept.id] == REMOVED
        word = self.form(concept, "removes" if removed else "nouns")
        text, _ = self.fill("removed" if removed else "gone", {"y": word})
        return Sentence(text, (Said(concept.id, State.NEGATIVE),))


def with_a(text: str) -> str:
    """`text` after "a" or "an"."""
    return (
        f"an {text}"
        if text[:1].lower() in "aeiou" or text[:3] in ("ET ", "IVC", "LVA", "NG ", "8 m")
        else f"a {text}"
    )
