"""The report of one phantom study: what its reader tells, in sentences that claim exactly that.

Findings and impression are written with the grammar of the generated reports; sides, sizes and places are those of
the signs. The states of a section are what its sentences claim.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from hilum.core.imaging import View
from hilum.core.vocabulary import CHEXPERT14, State, Vocabulary
from hilum.datasets._phantom.causes import Telling, Told
from hilum.datasets._phantom.film import Sign
from hilum.datasets._phantom.patient import Patient, Visit, device_signs, sign_of
from hilum.datasets._phantom.speech import PhantomSpeaker, Point
from hilum.datasets._phantom.tables import PatientModel, patient_model
from hilum.datasets._phantom.words import Wording
from hilum.datasets._speech.generated import claims_of, states_of
from hilum.datasets._speech.grammar import Concept
from hilum.datasets._speech.layout import noisy, numbered, tidy
from hilum.datasets._speech.plan import REGIONS, deny_rest, joints, remarks
from hilum.datasets._speech.speaker import Sentence
from hilum.datasets._speech.templates import Draws

_SAID = (State.POSITIVE, State.UNCERTAIN)
_PLEURAL = ("lungs", "pleura")
_STYLES = ("openi", "mimic", "mimic", "chexpert")


@dataclass(frozen=True)
class PhantomReport:
    """A report and what it says: states per finding of the impression alone and of the whole report."""

    text: str
    impression: tuple[State, ...]
    whole: tuple[State, ...]


def write_report(
    patient: Patient,
    visit: Visit,
    told: Told,
    draws: Draws,
    *,
    noise: float = 0.0,
    vocabulary: Vocabulary = CHEXPERT14,
    model: PatientModel | None = None,
) -> PhantomReport:
    """The report that says what is told of a visit; `noise` scales slips of typing (0: none)."""
    speaker = PhantomSpeaker(Wording(draws), _status(told))
    points = _points(patient, visit, told, model or patient_model())
    outside = [speaker.outside()] if told.outside else []
    findings = _findings(speaker, points, outside)
    impression = _impression(speaker, points, outside)
    style = draws.one(_STYLES)
    body, close = (
        [noisy(tidy(s.text) + ".", speaker.known, draws, mask=None, noise=noise) for s in section]
        for section in (findings, impression)
    )
    text = _lay_out(style, _head(patient, visit, draws, speaker.wording), body, close, draws)
    return PhantomReport(
        text,
        _states(impression, speaker, vocabulary),
        _states([*findings, *impression], speaker, vocabulary),
    )


def _states(
    sentences: Iterable[Sentence], speaker: PhantomSpeaker, vocabulary: Vocabulary
) -> tuple[State, ...]:
    said = [one for sentence in sentences for one in sentence.said]
    return states_of(claims_of(said, vocabulary, speaker.known), vocabulary)


# ---- what there is to say ----------------------------------------------------------------------------------------


@cache
def _concepts_of() -> Mapping[str, tuple[str, ...]]:
    """Finding -> the concepts of the grammar that speak of it alone, the plainest first."""
    from hilum.datasets._speech.grammar import grammar  # noqa: PLC0415

    found: dict[str, tuple[str, ...]] = {}
    for concept in grammar().concepts.values():
        speaks = concept.speaks.get(CHEXPERT14.name)
        if speaks is not None and len(speaks.findings) == 1 and not speaks.states and concept.deny:
            name = speaks.findings[0]
            found[name] = (*found.get(name, ()), concept.id)
    return found


def _status(told: Told) -> dict[str, State | str]:
    """By concept: denied where the reader may deny it, there where the findings section tells it."""
    status: dict[str, State | str] = {}
    for name, telling in zip(CHEXPERT14.names, told.tellings, strict=True):
        for concept in _concepts_of().get(name, ()):
            if telling.findings in _SAID or telling.is_told:
                status[concept] = State.POSITIVE
            elif telling.deniable:
                status[concept] = State.NEGATIVE
            else:
                status[concept] = State.BLANK
    return status


def _points(patient: Patient, visit: Visit, told: Told, model: PatientModel) -> list[Point]:
    """What the reader tells, with the sign each is said of, in the order of the vocabulary."""
    names = CHEXPERT14.names
    signs = [sign_of(patient, visit, i, model) for i in range(len(model.findings) - 1)]
    drawn = [f.name for f in model.findings]
    points: list[Point] = []
    for name, telling in zip(names, told.tellings, strict=True):
        if telling.findings not in _SAID and not telling.is_told:
            continue
        if CHEXPERT14.findings[names.index(name)].role == "device":
            points += _devices(patient, visit, name, telling, model)
            continue
        at = drawn.index(name)
        child = _child_to_show(name, visit, told, drawn) if visit.own[at] <= 0 else ""
        sign = signs[at]
        if child:
            there = signs[drawn.index(child)]
            sign = Sign(
                name,
                sign.kind,
                there.side or sign.side,
                there.zone or sign.zone,
                there.severity,
                sign.variant,
            )
        points.append(Point(name, sign, telling, child))
    return points


def _devices(patient: Patient, visit: Visit, name: str, telling: Telling, model: PatientModel) -> list[Point]:
    """One point per device; those of the prior study are the same, the others new."""
    signs = device_signs(patient, visit, model)
    if visit.own[-1] <= 0 and telling.course != "residual":
        signs = signs[:1]
    if not visit.number:
        return [Point(name, s, telling) for s in signs]
    before = patient.visits[visit.number - 1]
    had = {s.kind for s in device_signs(patient, before, model)} if before.own[-1] > 0 else set()
    if telling.course == "residual":
        kept = list(device_signs(patient, before, model)) if had else list(signs[:1])
        return [Point(name, s, telling) for s in kept]
    return [Point(name, s, telling._replace(course="same" if s.kind in had else "new")) for s in signs]


def _child_to_show(name: str, visit: Visit, told: Told, drawn: Sequence[str]) -> str:
    """The finding that a parent is said of: the plainest that is affirmed, else supposed, else there; or ""."""

    def rank(child: str) -> tuple[bool, bool, float]:
        telling = told.tellings[CHEXPERT14.names.index(child)]
        return telling.impression is State.POSITIVE, telling.is_told, visit.own[drawn.index(child)]

    below = [d for d in drawn if name in CHEXPERT14.ancestors(d)]
    best = max(below, key=rank, default="")
    return best if best and (rank(best)[1] or rank(best)[2] > 0) else ""


# ---- sections ------------------------------------------------------------------------------------------------------


def _findings(speaker: PhantomSpeaker, points: list[Point], outside: list[Sentence]) -> list[Sentence]:
    by_region: dict[str, list[Sentence]] = {region: [] for region in (*REGIONS, "end")}
    for point in points:
        if point.telling.findings in _SAID:
            sentence, concept = speaker.tell(point, point.telling.findings)
            by_region[concept.region].append(sentence)
    for sentence in outside:
        by_region[speaker.known.concepts[sentence.said[0].concept].region].append(sentence)
    denied = _to_deny(speaker)
    joints(speaker, by_region, denied)
    deny_rest(speaker, denied, by_region)
    unsaid = ("devices",) if speaker.lungs_clear else ("devices", "lungs", "mediastinum")
    remarks(speaker, by_region, regions=tuple(r for r in REGIONS if r not in unsaid))
    return [s for region in REGIONS for s in by_region[region]]


def _to_deny(speaker: PhantomSpeaker) -> list[Concept]:
    """What the findings section denies of what may be denied; what readers usually deny nearly always."""
    denied = [c for c in speaker.with_state(State.NEGATIVE) if c.role == "finding"]
    return [c for c in denied if speaker.draws.chance(min(1.4 * c.deny, 0.95))]


def _impression(speaker: PhantomSpeaker, points: list[Point], outside: list[Sentence]) -> list[Sentence]:
    draws = speaker.draws
    told = [p for p in points if p.telling.is_told]
    devices = [p for p in told if p.is_device]
    found = speaker.tell_all([p for p in told if not p.is_device])
    if not found:
        found += outside  # beside a finding of the vocabulary it stays in the findings section
    abnormal = bool(found)
    if devices:
        shown = speaker.tell_devices(devices)
        found = [shown, *found] if draws.chance(0.3) else [*found, shown]
    denied = [c for c in speaker.with_state(State.NEGATIVE) if c.region in _PLEURAL and c.deny > 0.1]
    if abnormal and denied and draws.chance(0.3):
        found.append(speaker.deny(draws.shuffled(denied)[: 1 + int(draws.chance(0.4))]))
    if not abnormal or (len(told) <= 2 and draws.chance(0.2)):
        found.append(speaker.closing("abnormal" if abnormal else "normal"))
    return found


# ---- the page -------------------------------------------------------------------------------------------------------


def _head(patient: Patient, visit: Visit, draws: Draws, wording: Wording) -> list[str]:
    head = wording.words.head
    exams = head["exam"]
    if visit.has_lateral:
        exam = exams["lateral" if visit.view is View.PA else "ap_lateral"]
    else:
        exam = exams["supine" if visit.supine else visit.view.value]
    reason = draws.one(head["reasons"][visit.setting])
    who = f"{patient.age_at(visit)}-year-old {draws.one(head['sexes'][patient.sex])}"
    return [
        head["stamp"],
        f"EXAMINATION: {exam[0].upper()}{exam[1:]}.",
        f"INDICATION: {who} {reason}.",
        f"COMPARISON: {_before(patient, visit)}",
    ]


def _before(patient: Patient, visit: Visit) -> str:
    if visit.number == 0:
        return "None."
    days = visit.day - patient.visits[visit.number - 1].day
    return f"Chest radiograph {'one day' if days == 1 else f'{days} days'} earlier."


def _lay_out(style: str, head: list[str], findings: list[str], impression: list[str], draws: Draws) -> str:
    listed = (
        numbered(impression, draws)
        if draws.chance(0.7 if len(impression) > 1 else 0.3)
        else " ".join(impression)
    )
    body = " ".join(findings)
    if style == "openi":
        return "\n".join((*head, f"FINDINGS: {body}", f"IMPRESSION: {listed}"))
    if style == "mimic":
        body, listed = (
            textwrap.fill(t, 78, subsequent_indent=" ") if "\n" not in t else t for t in (body, listed)
        )
        return "\n\n".join(
            (*(f" {line}" for line in head), f" FINDINGS:  \n\n {body}", f" IMPRESSION:  \n\n {listed}")
        )
    return "\n".join((*head, "", f"FINDINGS:\n{body}", "", f"IMPRESSION:\n{listed}"))
