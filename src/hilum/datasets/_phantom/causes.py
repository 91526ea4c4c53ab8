"""What a reader tells of a film, and why that may not be what is to be seen: the causes of disagreement.

The causes are those of section 4.2 of the VisualCheXbert paper (doi 10.1145/3450439.3451862), each a switch with a
rate per finding (`_phantom/rates/rates.toml`). With no switch on, exactly what is there is told, parents included.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from hilum.core.errors import UnknownNameError
from hilum.core.vocabulary import CHEXPERT14, State
from hilum.datasets._phantom.patient import Visit
from hilum.datasets._phantom.tables import CAUSES, NOT_THERE, THERE, Rates

(
    HIERARCHY, FINDINGS_ONLY, CARRIED, HEDGING, INTENSIVE, ERROR, THRESHOLD, OUTSIDE, DEVICE_RULE,
) = CAUSES  # fmt: skip
FOLLOWS = "follows"
"""Why No Finding parts: because of what parts in the other findings."""

_PER_FINDING = CAUSES[:7]
_READERS = 12
_CHANGE = 0.3
_PLAIN = 0.5  # how much less often a plain finding is hedged than a borderline one
_SAID = (State.POSITIVE, State.UNCERTAIN)
_INTENSIVE_CARE = 2
_MOST = 0.95  # a rate that is multiplied stays at or below this, unless it was above it before


class Telling(NamedTuple):
    """What becomes of one finding: its state in the impression and in the findings section.

    `cause` is why that is not what is to be seen, or "". `course`: "new", "same", "worse", "better", "residual"
    (carried over from the prior), or "" where there is no prior. `deniable`: a reader may say that it is not there.
    """

    impression: State = State.BLANK
    findings: State = State.BLANK
    cause: str = ""
    course: str = ""
    deniable: bool = False

    @property
    def is_told(self) -> bool:
        """Whether the impression affirms or supposes it."""
        return self.impression in _SAID


@dataclass(frozen=True, slots=True)
class Told:
    """All tellings of one study in the order of `CHEXPERT14`, and whether something else is named (`outside`)."""

    tellings: tuple[Telling, ...]
    outside: bool
    reader: int


def draws_needed() -> int:
    """Uniform draws that `tell` takes, whatever the switches: so that a switch changes nothing but its own."""
    return 2 + len(CHEXPERT14) * len(_PER_FINDING)


def check_causes(causes: Collection[str]) -> frozenset[str]:
    """The causes that are on. Raises UnknownNameError, with the nearest name."""
    for cause in causes:
        if cause not in CAUSES:
            raise UnknownNameError("cause of disagreement", cause, CAUSES)
    return frozenset(causes)


def multiplied(rate: float, times: float) -> float:
    """A rate of disagreement `times` as high, but no higher than 0.95 unless it was so before."""
    return min(rate * times, max(rate, _MOST))


def device_rule_acts(times: float, draw: float) -> bool:
    """Whether the device rule, which always acts as frozen, acts on one study; `draw` is from [0, 1)."""
    return draw < times


@cache
def _order() -> tuple[tuple[int, tuple[int, ...]], ...]:
    """(place, places of its children): children before their parents; No Finding is left out."""
    names = CHEXPERT14.names
    findings = [(i, f) for i, f in enumerate(CHEXPERT14.findings) if f.role != "none"]
    findings.sort(key=lambda one: -len(CHEXPERT14.ancestors(one[1].name)))
    return tuple(
        (i, tuple(names.index(c.name) for _, c in findings if c.parent == f.name)) for i, f in findings
    )


@dataclass(frozen=True)
class Reader:
    """One reading: how often each cause strikes, with the draws of this study; `times` multiplies all rates."""

    rates: Rates
    causes: frozenset[str]
    draws: Sequence[float]
    visit: Visit
    prior: Visit | None
    times: float = 1.0

    @property
    def number(self) -> int:
        """Which of the readers reads this study."""
        return int(self.draws[0] * _READERS)

    @property
    def leniency(self) -> float:
        """0 for the reader who calls least, 1 for the one who calls most."""
        return (self.number + 0.5) / _READERS

    def strikes(self, cause: str, place: int, *, way: str = "", factor: float = 1.0) -> bool:
        """Whether a cause acts on a finding in this study; `way`: THERE or NOT_THERE, where it has two rates."""
        if cause not in self.causes:
            return False
        draw = self.draws[2 + place * len(_PER_FINDING) + _PER_FINDING.index(cause)]
        rate = self.rates.by_cause[f"{cause}, {way}" if way else cause][place] * factor
        return draw < multiplied(rate, self.times)

    def course(self, place: int) -> str:
        """How a finding that is there has changed since the prior study."""
        if self.prior is None:
            return ""
        before = self.prior.levels[place]
        change = self.visit.levels[place] - before
        if before <= 0:
            return "new"
        return "worse" if change > _CHANGE else "better" if change < -_CHANGE else "same"

    def seen(self, place: int) -> Telling:
        """What is told of a finding that is there."""
        level, course = self.visit.levels[place], self.course(place)
        near = level < self.rates.near[place]
        if self.visit.setting == _INTENSIVE_CARE and self.strikes(INTENSIVE, place):
            return Telling(cause=INTENSIVE)
        if near and self.strikes(THRESHOLD, place, way=THERE, factor=2 * (1 - self.leniency)):
            return Telling(cause=THRESHOLD, deniable=True)
        if self.strikes(FINDINGS_ONLY, place):
            return Telling(findings=State.POSITIVE, cause=FINDINGS_ONLY, course=course)
        if self.strikes(ERROR, place, way=THERE):
            return Telling(cause=ERROR, deniable=True)
        hedged = self.strikes(HEDGING, place, way=THERE, factor=1.0 if near else _PLAIN)
        state = State.UNCERTAIN if hedged else State.POSITIVE
        return Telling(state, state, course=course if state is State.POSITIVE else "")

    def not_seen(self, place: int) -> Telling:
        """What is told of a finding that is not there."""
        near = self.visit.levels[place] > -self.rates.near[place]
        resolved = self.prior is not None and self.prior.levels[place] > 0
        if resolved and self.strikes(CARRIED, place):
            return Telling(State.POSITIVE, State.POSITIVE, CARRIED, "residual")
        if near and self.strikes(HEDGING, place, way=NOT_THERE):
            return Telling(State.UNCERTAIN, State.UNCERTAIN, HEDGING)
        course = "" if self.prior is None else "new"
        if near and self.strikes(THRESHOLD, place, way=NOT_THERE, factor=2 * self.leniency):
            return Telling(State.POSITIVE, State.POSITIVE, THRESHOLD, course)
        if self.strikes(ERROR, place, way=NOT_THERE):
            return Telling(State.POSITIVE, State.POSITIVE, ERROR, course)
        return Telling(deniable=True)

    def parent(self, place: int, children: list[Telling]) -> Telling:
        """What is told of a finding of which the impression names a child."""
        if self.strikes(HIERARCHY, place):
            return Telling(cause=HIERARCHY if self.visit.levels[place] > 0 else "")
        if self.visit.levels[place] > 0:
            return Telling(State.POSITIVE, State.POSITIVE, course=self.course(place))
        return Telling(State.POSITIVE, State.POSITIVE, children[0].cause, children[0].course)


def tell(
    visit: Visit,
    prior: Visit | None,
    *,
    rates: Rates,
    causes: frozenset[str],
    draws: Sequence[float],
    times: float = 1.0,
) -> Told:
    """What the reader of one study tells of each finding; `draws` are `draws_needed()` numbers from [0, 1).

    `times` multiplies all rates (see `multiplied`); with 0 what is there is told.
    """
    reader = Reader(rates, causes, draws, visit, prior, times)
    found = [Telling()] * len(CHEXPERT14)
    for place, children in _order():
        told = [found[c] for c in children if found[c].is_told]
        if told:
            found[place] = reader.parent(place, told)
            continue
        one = reader.seen(place) if visit.levels[place] > 0 else reader.not_seen(place)
        if any(found[c].findings in _SAID or not found[c].deniable for c in children):
            one = one._replace(deniable=False)
        found[place] = one
    outside = OUTSIDE in causes and draws[1] < multiplied(rates.outside, times)
    return Told(tuple(found), outside, reader.number)


def image_states(visit: Visit, *, device_rule: bool) -> tuple[State, ...]:
    """What is to be seen: POSITIVE or NEGATIVE per finding of `CHEXPERT14`, exactly what is drawn.

    No Finding is positive when nothing else is, devices aside; with `device_rule` devices take it away too, as in
    the image labels of the CheXpert test set (none of its 62 No Finding has a device).
    """
    there = [level > 0 for level in visit.levels]
    nothing = not any(
        t
        for t, f in zip(there, CHEXPERT14.findings, strict=True)
        if f.role == "finding" or (device_rule and f.role == "device")
    )
    return tuple(
        State.POSITIVE if (nothing if f.role == "none" else t) else State.NEGATIVE
        for t, f in zip(there, CHEXPERT14.findings, strict=True)
    )


Disagreements = dict[str, tuple[str, str]]


def disagreements(image: Sequence[State], report: Sequence[State], told: Told) -> Disagreements:
    """Finding -> (who alone is positive: "image" or "report"; the cause), uncertain counted as positive.

    Table 3 of the paper counts uncertain as agreeing; leave out what is uncertain in the report to count as there.
    """
    found: Disagreements = {}
    for i, f in enumerate(CHEXPERT14.findings):
        if (image[i] in _SAID) == (report[i] in _SAID):
            continue
        side = "image" if image[i] in _SAID else "report"
        found[f.name] = (side, _no_finding_cause(image, told) if f.role == "none" else told.tellings[i].cause)
    return found


def _no_finding_cause(image: Sequence[State], told: Told) -> str:
    """Why No Finding parts; what else was told or left out decides unless the rule or something outside does alone."""
    roles = [f.role for f in CHEXPERT14.findings]
    abnormal = any(s is State.POSITIVE and r == "finding" for s, r in zip(image, roles, strict=True))
    named = any(t.is_told and r == "finding" for t, r in zip(told.tellings, roles, strict=True))
    if abnormal or named:
        return FOLLOWS
    return OUTSIDE if told.outside else DEVICE_RULE
