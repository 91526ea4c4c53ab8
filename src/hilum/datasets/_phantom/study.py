"""One study of the phantom, put together: patient, visit, reader, report, films; each drawn by its own names."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from hilum.core.errors import InputError
from hilum.core.imaging import Image, Study
from hilum.core.records import Labels, Report
from hilum.core.rng import rng_for
from hilum.core.vocabulary import CHEXPERT14
from hilum.datasets._phantom.causes import (
    DEVICE_RULE,
    Disagreements,
    check_causes,
    device_rule_acts,
    disagreements,
    draws_needed,
    image_states,
    tell,
)
from hilum.datasets._phantom.film import Film
from hilum.datasets._phantom.patient import Patient, films, make_patient, patients, signs_of
from hilum.datasets._phantom.report import write_report
from hilum.datasets._phantom.tables import CAUSES, patient_model, shipped_rates
from hilum.datasets._speech.templates import Draws

LICENCE = "Apache-2.0; synthetic, of no patient"
IMAGE, REPORT, WHOLE = "image", "report", "whole report"
"""Sources of labels: what is drawn; what the impression says; what findings and impression say together."""


@dataclass(frozen=True, slots=True)
class PhantomOptions:
    """What decides every byte of the phantom.

    `causes`: the causes of disagreement that are on. `noise`: slips of typing in reports, 0 for none, 1 for as many
    as in the generated reports. `draw`: without it, images have no pixels, boxes or masks. `times`: all rates of
    disagreement are multiplied by it (at most to 0.95): 0 for none, as without causes, 1 for the frozen rates.
    Images do not depend on it.
    """

    seed: int = 0
    n: int = 1000
    size: int = 256
    causes: frozenset[str] = field(default_factory=lambda: frozenset(CAUSES))
    noise: float = 0.0
    draw: bool = True
    times: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "causes", check_causes(self.causes))
        if self.n < 0:
            raise InputError(f"{self.n} studies were asked for; allowed: 0 or more.")
        if self.noise < 0:
            raise InputError(f"noise is {self.noise}; allowed: 0 or more.")
        if not 0 <= self.times < math.inf:
            raise InputError(
                f"times is {self.times}; allowed: 0 (no disagreement) or more, 1 for the frozen rates."
            )


def phantom_studies(options: PhantomOptions, split: str | None = None) -> Iterator[Study]:
    """The first `options.n` studies, or those of one split among them, patient by patient."""
    for number, taken in patients(options.seed, options.n):
        yield from studies_of(options, number, taken, split)


def studies_of(options: PhantomOptions, number: int, taken: int, split: str | None = None) -> Iterator[Study]:
    """The first `taken` studies of one patient; none when the patient is of another split."""
    patient = make_patient(options.seed, number)
    if split is not None and patient.split != split:
        return
    for visit in range(taken):
        yield make_study(options, patient, visit)


def make_study(options: PhantomOptions, patient: Patient, number: int) -> Study:
    """The study of one visit (0 is the first) of a patient."""
    model, visit = patient_model(), patient.visits[number]
    names = ("patient", patient.number)
    prior = patient.visits[number - 1] if number else None
    draws = rng_for(options.seed, *names, "reader", number).random(draws_needed()).tolist()
    told = tell(visit, prior, rates=shipped_rates(), causes=options.causes, draws=draws, times=options.times)
    text_draws = Draws(rng_for(options.seed, *names, "report", number))
    written = write_report(patient, visit, told, text_draws, noise=options.noise)
    image = image_states(visit, device_rule=_device_rule(options, *names, number))
    study = patient.study_id(number)
    states = {IMAGE: image, REPORT: written.impression, WHOLE: written.whole}
    meta = {
        "synthetic": "yes",
        "setting": model.settings[visit.setting],
        "position": "supine" if visit.supine else "upright",
        "day": str(visit.day),
        "reader": f"R{told.reader + 1:02d}",
        "causes": causes_text(disagreements(image, written.impression, told)),
    }
    return Study(
        id=study,
        patient=patient.id,
        images=tuple(_images(options, study, films(patient, visit, signs_of(patient, visit)))),
        report=Report(study, written.text, meta={"synthetic": "yes"}),
        labels={source: Labels(CHEXPERT14, found) for source, found in states.items()},
        priors=tuple(patient.study_id(i) for i in range(number)),
        sex=patient.sex,
        race=patient.race,
        age_years=float(patient.age_at(visit)),
        split=patient.split,
        licence=LICENCE,
        meta=meta,
    )


def _device_rule(options: PhantomOptions, *names: str | int) -> bool:
    """Whether image readers follow the device rule here; below the frozen rates, those of some studies do."""
    draw = float(rng_for(options.seed, *names, "device rule").random()) if options.times < 1 else 0.0
    return DEVICE_RULE in options.causes and device_rule_acts(options.times, draw)


def films_of(patient: Patient, number: int) -> tuple[Film, ...]:
    """What is in the films of one visit, before it is drawn: the frontal one and, where taken, the lateral one."""
    visit = patient.visits[number]
    return films(patient, visit, signs_of(patient, visit))


def _images(options: PhantomOptions, study: str, taken: tuple[Film, ...]) -> Iterator[Image]:
    for film, name in zip(taken, ("frontal", "lateral"), strict=False):
        if not options.draw:
            yield Image(f"{study}-{name}", view=film.view)
            continue
        from hilum.datasets._phantom.draw import draw  # noqa: PLC0415  (reports need no image package)

        yield replace(draw(film, size=options.size), id=f"{study}-{name}")


def causes_text(found: Disagreements) -> str:
    """Disagreements as one line: `Edema=report: carried over; ...`, the first word where it is positive."""
    return "; ".join(f"{name}={side}: {cause}" for name, (side, cause) in found.items())


def causes_of(study: Study) -> Disagreements:
    """Finding -> (source that alone is positive, cause), read from the study's `meta`."""
    found: Disagreements = {}
    for part in filter(None, study.meta.get("causes", "").split("; ")):
        name, said = part.split("=", 1)
        side, cause = said.split(": ", 1)
        found[name] = (side, cause)
    return found
