"""The tables of the phantom: who comes, what they have, and how often reports and images part; read once."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import accumulate
from typing import Any

from hilum.core.errors import LexiconError
from hilum.core.vocabulary import CHEXPERT14

FOLDER = "rates"
CAUSES = (
    "hierarchy", "findings only", "carried over", "hedging", "intensive care", "reader error",
    "reader threshold", "outside", "device rule",
)  # fmt: skip
"""The switches: why a report and its image part (section 4.2 of the VisualCheXbert paper, and two of No Finding)."""

THERE, NOT_THERE = "there", "not there"
RATES = tuple(
    rate
    for cause in CAUSES[:7]
    for rate in (
        (f"{cause}, {THERE}", f"{cause}, {NOT_THERE}")
        if cause in ("hedging", "reader error", "reader threshold")
        else (cause,)
    )
)
"""The tables of rates: readers hedge, err and draw the line of what is there and of what is not."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One way a finding shows: how often upright and lying, and from which severity on."""

    kind: str
    upright: float
    supine: float
    least: float


@dataclass(frozen=True, slots=True)
class FindingModel:
    """How the level of one finding comes about; `noise` makes its variance 1, `sides`: left, right, both, none."""

    name: str
    base: float
    count: int
    keep: float
    loadings: tuple[float, ...]
    noise: float
    settings: tuple[float, ...]
    age: float
    sides: tuple[float, ...]
    zones: tuple[str, ...]
    kinds: tuple[Kind, ...]


@dataclass(frozen=True, slots=True)
class Device:
    """One kind of device: how often in a patient with devices, by setting, and whether it stays for good."""

    kind: str
    often: tuple[float, ...]
    stays: bool


@dataclass(frozen=True)
class PatientModel:
    """All of `_phantom/rates/patients.toml`."""

    visible: float
    per_level: float
    keeps: tuple[float, ...]
    settings: tuple[str, ...]
    first: tuple[float, ...]
    following: tuple[tuple[float, ...], ...]
    visits: tuple[tuple[float, ...], ...]
    days: tuple[tuple[int, int], ...]
    pa: tuple[float, ...]
    supine: tuple[float, ...]
    lateral: tuple[float, ...]
    ages: tuple[tuple[float, float], ...]
    races: tuple[tuple[str, ...], tuple[float, ...]]
    splits: tuple[tuple[str, ...], tuple[float, ...]]
    findings: tuple[FindingModel, ...]
    devices: tuple[Device, ...]


@dataclass(frozen=True)
class Rates:
    """All of `_phantom/rates/rates.toml`: one of `RATES` -> a rate per finding of the vocabulary, in its order.

    `near`: how far from 0 a level is borderline, per finding. `outside`: how often an impression names something
    outside the vocabulary.
    """

    near: tuple[float, ...]
    by_cause: Mapping[str, tuple[float, ...]]
    outside: float


def _read(name: str) -> dict[str, Any]:
    text = (files("hilum.datasets._phantom") / FOLDER / f"{name}.toml").read_text("utf-8")
    return tomllib.loads(text)


@cache
def patient_model() -> PatientModel:
    """The shipped tables of patients. Raises LexiconError for a finding that the vocabulary does not have."""
    return compile_patients(_read("patients"))


def compile_patients(data: Mapping[str, Any]) -> PatientModel:
    """The tables of a parsed `patients.toml`."""
    settings, factors = data["settings"], tuple(data["factors"])
    names = tuple(settings["names"])
    findings = tuple(_finding(entry, factors) for entry in data["finding"])
    expected = [f.name for f in CHEXPERT14.findings if f.role != "none"]
    if [f.name for f in findings] != expected:
        raise LexiconError(
            f"patients.toml has the findings {[f.name for f in findings]}; needed: {expected}."
        )
    return PatientModel(
        visible=data["visible"],
        per_level=data["per_level"],
        keeps=tuple(data["factors"].values()),
        settings=names,
        first=_steps(settings["first"]),
        following=tuple(_steps(row) for row in settings["next"]),
        visits=tuple(_steps(row) for row in settings["visits"]),
        days=tuple((low, high) for low, high in settings["days"]),
        pa=tuple(settings["pa"]),
        supine=tuple(settings["supine"]),
        lateral=tuple(settings["lateral"]),
        ages=tuple((data["age"][name][0], data["age"][name][1]) for name in names),
        races=(tuple(data["races"]["names"]), _steps(data["races"]["shares"])),
        splits=(tuple(data["splits"]), _steps(data["splits"].values())),
        findings=findings,
        devices=tuple(Device(d["kind"], tuple(d["often"]), d.get("stays", False)) for d in data["device"]),
    )


def _steps(shares: Any) -> tuple[float, ...]:
    return tuple(accumulate(float(s) for s in shares))


def _finding(entry: Mapping[str, Any], factors: tuple[str, ...]) -> FindingModel:
    loadings = tuple(float(entry["factors"].get(factor, 0.0)) for factor in factors)
    explained = sum(w * w for w in loadings)
    if explained >= 1 or set(entry["factors"]) - set(factors):
        raise LexiconError(
            f"patients.toml, {entry['name']}: the factors {dict(entry['factors'])} must be among "
            f"{', '.join(factors)}, and their squares must add up to less than 1."
        )
    kinds = tuple(
        Kind(k["kind"], float(k["weight"]), float(k.get("supine", k["weight"])), float(k.get("least", 0.0)))
        for k in entry["kinds"]
    )
    return FindingModel(
        name=entry["name"],
        base=float(entry["base"]),
        count=int(entry["count"]),
        keep=float(entry["keep"]),
        loadings=loadings,
        noise=math.sqrt(1 - explained),
        settings=tuple(entry["settings"]),
        age=float(entry["age"]),
        sides=_steps(entry["sides"]),
        zones=tuple(entry["zones"]),
        kinds=kinds,
    )


@cache
def shipped_rates() -> Rates:
    """The shipped rates of the causes. Raises LexiconError for a cause or finding that there is not."""
    return compile_rates(_read("rates"))


def compile_rates(data: Mapping[str, Any]) -> Rates:
    """The rates of a parsed `rates.toml`; what a cause does not name has the rate 0."""
    causes = data["causes"]
    if unknown := set(causes) - set(RATES):
        raise LexiconError(f"rates.toml: unknown causes {sorted(unknown)}; known: {', '.join(RATES)}.")
    by_cause = {cause: _per_finding(cause, causes.get(cause, {})) for cause in RATES}
    return Rates(_per_finding("near", data["near"]), by_cause, float(data["outside"]))


def _per_finding(cause: str, given: Mapping[str, float]) -> tuple[float, ...]:
    for name, rate in given.items():
        if name not in CHEXPERT14.names or not 0 <= rate <= (3 if cause == "near" else 1):
            raise LexiconError(
                f"rates.toml, {cause}: {name} = {rate}; a rate is a finding's and from 0 to 1."
            )
    return tuple(float(given.get(name, 0.0)) for name in CHEXPERT14.names)
