"""Fits the phantom's tables to published counts: prevalence, then the causes of disagreement. Deterministic."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hilum.core.rng import rng_for
from hilum.core.vocabulary import CHEXPERT14, State
from hilum.datasets._phantom.causes import draws_needed, image_states, tell
from hilum.datasets._phantom.patient import Visit, make_patient, patients
from hilum.datasets._phantom.tables import CAUSES, PatientModel, Rates, compile_rates, patient_model

TABLES = Path(__file__).resolve().parent.parent / "src" / "hilum" / "datasets" / "_phantom" / "rates"
NAMES = CHEXPERT14.names
DRAWN = NAMES[1:]
_SAID = (State.POSITIVE, State.UNCERTAIN)

# The design: which causes play a part in which finding, before one factor per finding and direction scales them.
NEAR = dict.fromkeys(DRAWN, 0.5) | {
    "Lung Opacity": 0.7, "Lung Lesion": 0.7, "Pneumothorax": 0.7, "Pleural Other": 0.8, "Fracture": 0.8,
    "Support Devices": 0.4, "Pleural Effusion": 0.6,
}  # fmt: skip
MISSED: dict[str, dict[str, float]] = {
    "intensive care": {"Cardiomegaly": 0.6, "Enlarged Cardiomediastinum": 0.6, "Atelectasis": 0.35,
                       "Lung Opacity": 0.15},
    "findings only": dict.fromkeys(DRAWN, 0.15) | {"Cardiomegaly": 0.4, "Enlarged Cardiomediastinum": 0.5,
                       "Atelectasis": 0.3, "Support Devices": 0.15},
    "reader threshold, there": dict.fromkeys(DRAWN, 0.25) | {"Support Devices": 0.0},
    "reader error, there": dict.fromkeys(DRAWN, 0.04),
}  # fmt: skip
ADDED: dict[str, dict[str, float]] = {
    "carried over": dict.fromkeys(DRAWN, 0.4) | {"Edema": 0.6, "Pleural Effusion": 0.6, "Cardiomegaly": 0.3,
                       "Enlarged Cardiomediastinum": 0.1},
    "reader threshold, not there": dict.fromkeys(DRAWN, 0.12) | {"Support Devices": 0.0},
    "reader error, not there": dict.fromkeys(DRAWN, 0.003),
}  # fmt: skip
HEDGED = dict.fromkeys(DRAWN, 0.15) | {"Support Devices": 0.0, "Lung Opacity": 0.01, "Pneumonia": 0.4}
HIERARCHY = {"Enlarged Cardiomediastinum": 0.93, "Lung Opacity": 0.45, "Consolidation": 0.6}

OUTSIDE = 0.35  # impressions that name something outside the vocabulary: what brings No Finding to its counts

PUBLISHED: dict[str, tuple[int, int]] = {
    "No Finding": (38, 40), "Enlarged Cardiomediastinum": (223, 5), "Cardiomegaly": (101, 15),
    "Lung Opacity": (100, 50), "Lung Lesion": (2, 12), "Edema": (26, 49), "Consolidation": (16, 17),
    "Pneumonia": (6, 5), "Atelectasis": (75, 31), "Pneumothorax": (1, 13), "Pleural Effusion": (11, 65),
    "Pleural Other": (3, 15), "Fracture": (3, 21), "Support Devices": (53, 13),
}  # fmt: skip
"""Table 3 of the VisualCheXbert paper: of 500 studies, positive on the image alone, positive on the report alone.

Uncertain is no disagreement in it: only so do its counts give High F1 and High Kappa of Table 1, to three digits.
"""

UNCERTAIN: dict[str, tuple[int, int]] = {
    "Atelectasis": (49, 39), "Cardiomegaly": (4, 6), "Edema": (11, 13), "Pleural Effusion": (5, 19),
    "Enlarged Cardiomediastinum": (17, 21), "Lung Opacity": (1, 0), "Support Devices": (0, 0), "No Finding": (0, 0),
}  # fmt: skip
"""Of 500 studies, uncertain on the report: of what is positive on the image, of what is not.

Not published, but the only numbers that turn Table 3 into Low F1 and Low Kappa of Table 1 (`uncertain_of`).
"""

TABLE_1: dict[str, tuple[int, float, float]] = {
    "Atelectasis": (153, 0.230, -0.014), "Cardiomegaly": (151, 0.422, 0.290), "Edema": (78, 0.453, 0.335),
    "Pleural Effusion": (104, 0.638, 0.511), "Enlarged Cardiomediastinum": (253, 0.089, -0.053),
    "Lung Opacity": (264, 0.683, 0.401), "Support Devices": (261, 0.863, 0.737), "No Finding": (62, 0.381, 0.292),
}  # fmt: skip
"""Table 1: positives on the image, Low F1, Low Kappa."""


def uncertain_of(name: str) -> list[tuple[int, int]]:
    """All pairs of uncertain counts that give the published Low F1 and Low Kappa of a finding."""
    positives, low_f1, low_kappa = TABLE_1[name]
    missed, added = PUBLISHED[name]
    found = []
    for there in range(positives - missed + 1):
        for not_there in range(150):
            tp, fn, fp = positives - missed - there, missed + there, added + not_there
            tn = 500 - tp - fn - fp
            chance = ((tp + fn) * (tp + fp) + (fp + tn) * (fn + tn)) / 500**2
            kappa = ((tp + tn) / 500 - chance) / (1 - chance)
            if abs(2 * tp / (2 * tp + fn + fp) - low_f1) < 6e-4 and abs(kappa - low_kappa) < 6e-4:
                found.append((there, not_there))
    return found


Cases = list[tuple[Visit, Visit | None, list[float]]]


def cases(seed: int, n: int, model: PatientModel) -> Cases:
    """The visits of `n` studies, each with the one before and the draws of its reader."""
    found: Cases = []
    for number, taken in patients(seed, n, model):
        visits = make_patient(seed, number, model).visits[:taken]
        for i, visit in enumerate(visits):
            draws = rng_for(seed, "patient", number, "reader", i).random(draws_needed()).tolist()
            found.append((visit, visits[i - 1] if i else None, draws))
    return found


def fit_bases(model: PatientModel, seed: int, n: int) -> PatientModel:
    """The model with each `base` such that the finding, its descendants included, has its count of 500."""
    free = replace(model, findings=tuple(replace(f, base=0.0) for f in model.findings))
    levels = np.array([visit.own for visit, _, _ in cases(seed, n, free)])
    bases = np.zeros(len(DRAWN))
    for place in sorted(range(len(DRAWN)), key=lambda i: -len(CHEXPERT14.ancestors(DRAWN[i]))):
        below = [i for i, d in enumerate(DRAWN) if DRAWN[place] in CHEXPERT14.ancestors(d)]
        has_child = ((levels + bases)[:, below] > 0).any(axis=1)
        wanted = model.findings[place].count / 500 * len(levels) - has_child.sum()
        rest = np.sort(levels[~has_child, place])
        bases[place] = -rest[len(rest) - max(round(wanted), 0)] if wanted > 0 else -3.0
    done = tuple(replace(f, base=round(float(b), 4)) for f, b in zip(model.findings, bases, strict=True))
    return replace(model, findings=done)


def count(found: Cases, rates: Rates) -> npt.NDArray[np.float64]:
    """[4, 14] cells per 500 studies, all causes on: positive on the image alone, on the report alone, and uncertain
    on the report of what is on the image and of what is not; uncertain is no disagreement, as in Table 3."""
    cells = np.zeros((4, len(NAMES)))
    for visit, prior, draws in found:
        told = tell(visit, prior, rates=rates, causes=frozenset(CAUSES), draws=draws)
        image = image_states(visit, device_rule=True)
        said = [t.impression for t in told.tellings]
        abnormal = any(t.is_told for t, n in zip(told.tellings, NAMES, strict=True) if n != "Support Devices")
        said[0] = State.BLANK if abnormal or told.outside else State.POSITIVE
        for i, (seen, state) in enumerate(zip(image, said, strict=True)):
            there = seen is State.POSITIVE
            if state is State.UNCERTAIN:
                cells[2 if there else 3, i] += 1
            elif there != (state is State.POSITIVE):
                cells[0 if there else 1, i] += 1
    return cells * 500 / len(found)


Factors = list[dict[str, float]]


def _rates(factors: Factors, outside: float) -> dict[str, Any]:
    """The tables at factors of what is missed, added, hedged though there, and hedged though not there."""
    missed, added, there, not_there = factors
    tables = [(c, d, missed) for c, d in MISSED.items()] + [(c, d, added) for c, d in ADDED.items()]
    tables += [("hedging, there", HEDGED, there), ("hedging, not there", HEDGED, not_there)]
    causes: dict[str, dict[str, float]] = {"hierarchy": dict(HIERARCHY)}
    for cause, design, scale in tables:
        causes[cause] = {name: _scaled(rate, scale[name]) for name, rate in design.items()}
    return {"outside": outside, "near": NEAR, "causes": causes}


def _scaled(rate: float, factor: float) -> float:
    return round(rate * factor / (1 - rate + rate * factor), 4)


def fit_rates(model: PatientModel, seed: int, n: int, *, rounds: int = 16) -> dict[str, Any]:
    """The rates at which the cells come out as published: odds are scaled until the counts fit.

    Where nothing is published of uncertain labels (six findings), the design stays as it is.
    """
    found = cases(seed, n, model)
    factors: Factors = [dict.fromkeys(DRAWN, 1.0) for _ in range(4)]
    for turn in range(rounds):
        cells = count(found, compile_rates(_rates(factors, OUTSIDE)))
        for way, scale in enumerate(factors):
            wanted = PUBLISHED if way < 2 else UNCERTAIN
            for i, name in enumerate(NAMES):
                if name in scale and name in wanted:
                    ratio = (wanted[name][way % 2] + 0.2) / (cells[way, i] + 0.2)
                    scale[name] *= min(max(ratio, 0.2), 5.0) ** (1.1 if turn < rounds - 3 else 0.8)
        print(f"round {turn + 1}: " + ", ".join("/".join(f"{c:.0f}" for c in column) for column in cells.T))
    return _rates(factors, OUTSIDE)


def write_bases(model: PatientModel, path: Path) -> None:
    """Put the fitted `base` of each finding into `patients.toml`; nothing else of the file changes."""
    text = path.read_text("utf-8")
    for finding in model.findings:
        pattern = rf'(name = "{re.escape(finding.name)}"\nbase = )[-\d.]+'
        text, times = re.subn(pattern, rf"\g<1>{finding.base}", text)
        if times != 1:
            raise ValueError(f"{path.name}: the base of {finding.name} was found {times} times")
    path.write_text(text, "utf-8")


def rates_text(rates: dict[str, Any]) -> str:
    """`rates.toml`, written out."""
    lines = [
        "# Written by `benchmarks/phantom_disagreement.py --fit`: do not edit. How often each cause makes a report",
        "# and its image part, per finding: fitted so that the disagreements per 500 studies are those of Table 3 of",
        "# the VisualCheXbert paper. Frozen before anything was trained on the phantom.",
        "",
        "# Share of impressions that name something outside the vocabulary (it takes No Finding away).",
        f"outside = {rates['outside']}",
        "",
        "# How far from 0 a level is borderline.",
        "[near]",
        *(f'"{name}" = {value}' for name, value in rates["near"].items()),
    ]
    for cause, table in rates["causes"].items():
        lines += [
            "",
            f'[causes."{cause}"]',
            *(f'"{name}" = {float(value):g}' for name, value in table.items()),
        ]
    return "\n".join(lines) + "\n"


def fit() -> None:
    """Fit and write both tables."""
    print("prevalence: 40,000 studies")
    model = fit_bases(patient_model(), 101, 40_000)
    write_bases(model, TABLES / "patients.toml")
    print("disagreements: 20,000 studies, 16 rounds")
    (TABLES / "rates.toml").write_text(rates_text(fit_rates(model, 102, 20_000)), "utf-8")
