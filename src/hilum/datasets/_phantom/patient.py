"""Patients of the phantom: who they are, when they come, what they then have, and what each film shows.

Everything of patient p is drawn from `rng_for(seed, "patient", p, ...)`: no other patient is needed for it.
Synthetic: for testing methods, not for claims about people.
"""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from hilum.core.imaging import View
from hilum.core.rng import rng_for
from hilum.core.vocabulary import CHEXPERT14
from hilum.datasets._phantom.film import Anatomy, Film, Sign, anatomy_for, place
from hilum.datasets._phantom.tables import Device, FindingModel, PatientModel, patient_model

SIDES = ("left", "right", "both", "")
_SPREAD = 100_000


class Look(NamedTuple):
    """How a finding shows, or would show, in one patient: draws that stay from visit to visit."""

    side: str
    zone: str
    choice: float
    variant: int


@dataclass(frozen=True, slots=True)
class Visit:
    """One study: when and where, how it was taken, and the level of each finding (above 0: it is there).

    `levels` are in the order of `CHEXPERT14` with -inf for No Finding; a parent has at least its child's level.
    """

    number: int
    day: int
    setting: int
    view: View
    supine: bool
    has_lateral: bool
    levels: tuple[float, ...]
    own: tuple[float, ...]


@dataclass(frozen=True)
class Patient:
    """One invented patient and all visits in time."""

    number: int
    seed: int
    sex: str
    age_years: int
    race: str
    split: str
    looks: tuple[Look, ...]
    devices: tuple[tuple[float, Look], ...]
    visits: tuple[Visit, ...]

    @property
    def id(self) -> str:
        """`P` and the number."""
        return f"P{self.number:06d}"

    def study_id(self, visit: int) -> str:
        """The id of one visit's study."""
        return f"{self.id}-{visit + 1:02d}"

    def age_at(self, visit: Visit) -> int:
        """Age in years at a visit."""
        return self.age_years + visit.day // 365

    def anatomy(self) -> Anatomy:
        """How the patient is built; the same at every visit."""
        rng = rng_for(self.seed, "patient", self.number, "anatomy")
        return anatomy_for(rng, sex=self.sex, age_years=float(self.age_years))


def visit_settings(seed: int, number: int, model: PatientModel | None = None) -> tuple[int, ...]:
    """The setting of each visit of one patient: the cheap draw that says how many studies there are."""
    model = model or patient_model()
    draws = rng_for(seed, "patient", number, "visits").random(16).tolist()
    setting = bisect(model.first, draws[0])
    count = 1 + min(bisect(model.visits[setting], draws[1]), len(model.visits[setting]) - 1)
    found = [setting]
    for draw in draws[2 : count + 1]:
        setting = min(bisect(model.following[setting], draw), len(model.settings) - 1)
        found.append(setting)
    return tuple(found)


def patients(seed: int, n: int, model: PatientModel | None = None) -> Iterator[tuple[int, int]]:
    """(number of the patient, visits taken of it) for the first `n` studies."""
    number = 0
    while n > 0:
        visits = len(visit_settings(seed, number, model))
        yield number, min(visits, n)
        n -= visits
        number += 1


def make_patient(seed: int, number: int, model: PatientModel | None = None) -> Patient:
    """Patient `number` under `seed`, with all visits."""
    model = model or patient_model()
    settings = visit_settings(seed, number, model)
    rng = rng_for(seed, "patient", number)
    u = rng.random(6 + 4 * (len(model.findings) + len(model.devices)) + 8 * len(settings)).tolist()
    z = rng.standard_normal(1 + len(settings) * (len(model.keeps) + len(model.findings))).tolist()
    mean, spread = model.ages[settings[0]]
    age = min(max(round(mean + spread * z.pop()), 18), 95)
    sex = "F" if u.pop() < 0.47 else "M"
    races, splits = model.races, model.splits
    race, split = races[0][bisect(races[1][:-1], u.pop())], splits[0][bisect(splits[1][:-1], u.pop())]
    looks = tuple(_look(f.sides, f.zones, u) for f in model.findings)
    sides = model.findings[-1].sides
    devices = tuple((u.pop(), _look(sides, ("",), u)) for _ in model.devices)
    visits = tuple(_visits(model, settings, age, u, z))
    return Patient(number, seed, sex, age, race, split, looks, devices, visits)


def _look(sides: tuple[float, ...], zones: tuple[str, ...], u: list[float]) -> Look:
    side = SIDES[min(bisect(sides, u.pop()), 3)]
    return Look(side, zones[int(u.pop() * len(zones))], (choice := u.pop()), int(choice * _SPREAD))


def _visits(
    model: PatientModel, settings: tuple[int, ...], age: int, u: list[float], z: list[float]
) -> Iterator[Visit]:
    day = 0
    factors = [0.0] * len(model.keeps)
    noise = [0.0] * len(model.findings)
    for number, setting in enumerate(settings):
        first = number == 0
        factors = [_step(old, keep, z.pop(), first) for old, keep in zip(factors, model.keeps, strict=True)]
        noise = [_step(old, f.keep, z.pop(), first) for old, f in zip(noise, model.findings, strict=True)]
        own = tuple(_level(f, factors, e, setting, age) for f, e in zip(model.findings, noise, strict=True))
        low, high = model.days[setting]
        day += 0 if first else int(low + (high - low) * u.pop())
        is_pa = u.pop() < model.pa[setting]
        supine = u.pop() < model.supine[setting] and not is_pa
        lateral = u.pop() < model.lateral[setting] and not supine
        view = View.PA if is_pa else View.AP
        yield Visit(number, day, setting, view, supine, lateral, with_children(own), own)


def _step(old: float, keep: float, draw: float, first: bool) -> float:
    return draw if first else keep * old + math.sqrt(1 - keep * keep) * draw


def _level(f: FindingModel, factors: list[float], noise: float, setting: int, age: int) -> float:
    known = sum(w * x for w, x in zip(f.loadings, factors, strict=True) if w)
    return f.base + known + f.noise * noise + f.settings[setting] + f.age * (age - 58) / 20


@cache
def _families() -> tuple[tuple[int, tuple[int, ...]], ...]:
    """(place in the vocabulary, places of it and its descendants among the findings that are drawn)."""
    drawn = [f.name for f in CHEXPERT14.findings if f.role != "none"]
    below = {
        name: tuple(i for i, d in enumerate(drawn) if d == name or name in CHEXPERT14.ancestors(d))
        for name in CHEXPERT14.names
    }
    return tuple(enumerate(below[name] for name in CHEXPERT14.names))


def with_children(own: tuple[float, ...]) -> tuple[float, ...]:
    """Levels in the order of `CHEXPERT14`: each at least that of its descendants; -inf where nothing is drawn."""
    return tuple(max((own[i] for i in family), default=-math.inf) for _, family in _families())


# ---- what the film shows ---------------------------------------------------------------------------------------


def severity(level: float, model: PatientModel) -> float:
    """Severity of a finding that is there: `visible` at level 0, growing to 1."""
    return min(model.visible + model.per_level * max(level, 0.0), 1.0)


def sign_of(patient: Patient, visit: Visit, place_of: int, model: PatientModel) -> Sign:
    """How finding `place_of` (among those drawn) shows at a visit, or would show, barely, if it were there."""
    finding, look = model.findings[place_of], patient.looks[place_of]
    strength = severity(visit.own[place_of], model)
    fitting = [k for k in finding.kinds if k.least <= strength]
    weights = [k.supine if visit.supine else k.upright for k in fitting]
    at = look.choice * sum(weights)
    chosen = fitting[-1].kind
    for kind, weight in zip(fitting, weights, strict=True):
        at -= weight
        if at < 0:
            chosen = kind.kind
            break
    return place(Sign(finding.name, chosen, look.side, look.zone, strength, look.variant))


def device_signs(patient: Patient, visit: Visit, model: PatientModel) -> tuple[Sign, ...]:
    """The devices of a patient who has some, at one visit (or those that would be there)."""
    finding = model.findings[-1]
    at_home = visit.own[-1] - finding.settings[visit.setting] + finding.settings[0] > 0
    found: list[tuple[float, Device, Look]] = []
    for device, (draw, look) in zip(model.devices, patient.devices, strict=True):
        often = device.often[0 if device.stays else visit.setting]
        if often and (at_home or not device.stays):
            found.append((draw / often, device, look))
    found.sort(key=lambda one: one[0])
    chosen = [one for one in found if one[0] < 1] or found[:1]
    return tuple(
        place(Sign(finding.name, d.kind, look.side, look.zone, 0.5 + 0.5 * look.choice, look.variant))
        for _, d, look in chosen
    )


def signs_of(patient: Patient, visit: Visit, model: PatientModel | None = None) -> tuple[Sign, ...]:
    """Everything that is to be seen at a visit."""
    model = model or patient_model()
    last = len(model.findings) - 1
    seen = [sign_of(patient, visit, i, model) for i in range(last) if visit.own[i] > 0]
    return (*seen, *(device_signs(patient, visit, model) if visit.own[last] > 0 else ()))


def films(patient: Patient, visit: Visit, signs: tuple[Sign, ...]) -> tuple[Film, ...]:
    """The frontal film of a visit and, where it was taken, the lateral one."""
    rng = rng_for(patient.seed, "patient", patient.number, "film", visit.number)
    u = rng.random(8).tolist()
    bedside = visit.view is View.AP
    anatomy = patient.anatomy()
    seed = int(rng.integers(2**31))
    frontal = Film(
        view=visit.view,
        rotation_degrees=(u[0] - 0.5) * (16.0 if bedside else 6.0),
        inspiration=(0.35 + 0.5 * u[1]) if bedside else 0.6 + 0.4 * u[1],
        exposure=1.0 + (u[2] - 0.5) * (0.4 if bedside else 0.2),
        noise=0.15 + u[3] * (0.5 if bedside else 0.25),
        seed=seed,
        anatomy=anatomy, signs=signs, supine=visit.supine,
    )  # fmt: skip
    if not visit.has_lateral:
        return (frontal,)
    lateral = Film(
        view=View.LATERAL, inspiration=0.6 + 0.4 * u[4], exposure=1.0 + 0.2 * (u[5] - 0.5),
        noise=0.15 + 0.25 * u[6], seed=seed + 1, anatomy=anatomy, signs=signs,
    )  # fmt: skip
    return frontal, lateral
