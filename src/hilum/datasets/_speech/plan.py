"""Sentences of a whole generated report: its findings section, region by region, and its impression."""

from __future__ import annotations

from collections.abc import Collection

from hilum.core.vocabulary import State
from hilum.datasets._speech.grammar import Concept
from hilum.datasets._speech.speaker import GONE, REMOVED, Said, Sentence, Speaker

REGIONS = ("devices", "heart", "mediastinum", "lungs", "pleura", "abdomen", "bones")
_CONTRARY, _CONTRARY_SHARE = ("lungs", "pleura"), 0.15
_LISTED = ("lungs", "pleura", "abdomen", "bones", "mediastinum")  # regions whose denials share sentences


def findings(speaker: Speaker) -> list[Sentence]:
    """The sentences of the findings section, in the order of their regions."""
    draws = speaker.draws
    by_region: dict[str, list[Sentence]] = {region: [] for region in ("start", *REGIONS, "end")}
    spare = speaker.with_state(State.POSITIVE, State.NEGATIVE)
    joints(speaker, by_region, spare)
    for concept in draws.shuffled(speaker.with_state(State.POSITIVE)):
        if concept in spare:
            spare.remove(concept)
            by_region[concept.region].append(
                speaker.affirm(concept, spare=[c for c in spare if c.region == concept.region])
            )
            spoken = {s.concept for s in by_region[concept.region][-1].said}
            spare = [c for c in spare if c.id not in spoken or c.id == concept.id]
            if draws.chance(concept.repeat):
                by_region[concept.region].append(speaker.affirm(concept, spare=[]))
    for concept in speaker.with_state(State.UNCERTAIN):
        by_region[concept.region].append(speaker.suppose(concept))
    _contrary(speaker, by_region)
    for concept in speaker.with_state(GONE, REMOVED):
        by_region[concept.region].append(speaker.ended(concept))
    deny_rest(speaker, [c for c in spare if speaker.status[c.id] is State.NEGATIVE], by_region)
    remarks(speaker, by_region)
    order = list(REGIONS) if draws.chance(0.6) else draws.shuffled(REGIONS)
    return [s for region in ("start", *order, "end") for s in by_region[region]]


def _contrary(speaker: Speaker, by_region: dict[str, list[Sentence]]) -> None:
    """Denials of what is there, elsewhere or larger: the stronger claim stays the state of the finding."""
    for concept in speaker.with_state(State.POSITIVE, State.UNCERTAIN):
        if concept.region in _CONTRARY and "nouns" in concept.forms and speaker.draws.chance(_CONTRARY_SHARE):
            others = [
                c for c in speaker.with_state(State.NEGATIVE) if c.region in _CONTRARY and "nouns" in c.forms
            ]
            more = speaker.draws.shuffled(others)[: int(speaker.draws.number() * 3)]
            by_region[concept.region].append(speaker.deny(speaker.draws.shuffled([concept, *more])))


def joints(speaker: Speaker, by_region: dict[str, list[Sentence]], spare: list[Concept]) -> None:
    """Sentences that deny two things at once; `spare` loses what they deny."""
    for joint in speaker.known.joints:
        denied = [c for c in spare if c.id in joint.denies and speaker.status[c.id] is State.NEGATIVE]
        if len(denied) == len(joint.denies) and speaker.draws.chance(joint.rate):
            text = speaker.say(joint.texts)
            by_region[denied[0].region].append(
                Sentence(text, tuple(Said(c.id, State.NEGATIVE) for c in denied))
            )
            for c in denied:
                spare.remove(c)


def deny_rest(speaker: Speaker, denied: list[Concept], by_region: dict[str, list[Sentence]]) -> None:
    """The remaining denials, alone or in lists of up to six."""
    draws = speaker.draws
    listed = [c for c in denied if c.region in _LISTED and "nouns" in c.forms and "denies" not in c.forms]
    for concept in denied:
        if concept not in listed:
            by_region[concept.region].append(speaker.deny([concept]))
    listed = draws.shuffled(listed)
    while listed:
        size = draws.one((1, 1, 2, 2, 2, 3, 3, 4, 6))
        chosen, listed = listed[:size], listed[size:]
        by_region[draws.one(chosen).region].append(speaker.deny(chosen))


def remarks(
    speaker: Speaker, by_region: dict[str, list[Sentence]], *, regions: Collection[str] | None = None
) -> None:
    """Adds sentences that say nothing of a finding, of all regions or of `regions`."""
    for remark in speaker.known.remarks:
        if regions is not None and remark.region not in regions:
            continue
        clear = speaker.is_clear(remark.region)
        fits = remark.when == "any" or clear == (remark.when == "clear")
        if fits and speaker.draws.chance(remark.rate):
            sentence = Sentence(speaker.say(remark.texts))
            at = int(speaker.draws.number() * (len(by_region[remark.region]) + 1))
            by_region[remark.region].insert(at, sentence)


def impression(speaker: Speaker) -> list[Sentence]:
    """The sentences of an impression: what matters of what is there, and a close."""
    draws = speaker.draws
    found: list[Sentence] = []
    there = [
        c for c in draws.shuffled(speaker.with_state(State.POSITIVE, State.UNCERTAIN)) if c.role == "finding"
    ]
    spare = [c for c in speaker.with_state(State.NEGATIVE) if "nouns" in c.forms] + there
    for concept in there:
        if concept in spare and draws.chance(0.72):
            spare.remove(concept)
            positive = speaker.status[concept.id] is State.POSITIVE
            found.append(speaker.affirm(concept, spare=spare) if positive else speaker.suppose(concept))
    denied = [c for c in spare if speaker.status[c.id] is State.NEGATIVE]
    if denied and draws.chance(0.22):
        found.append(speaker.deny(draws.shuffled(denied)[: 1 + int(draws.chance(0.4))]))
    found += [speaker.ended(concept) for concept in speaker.with_state(GONE, REMOVED) if draws.chance(0.5)]
    if not found or draws.chance(0.25):
        closing = speaker.known.closings["abnormal" if found and there else "normal"]
        found.append(Sentence(speaker.say(closing)))
    return found
