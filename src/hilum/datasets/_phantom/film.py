"""What is in one radiograph of the phantom: plain data that the patient model writes and the renderer draws.

Nothing here is a measurement of people: the ranges are chosen so that the drawings look like chest radiographs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType

import numpy as np

from hilum.core.imaging import View
from hilum.core.vocabulary import CHEXPERT14

FIELD_MM = 400.0
"""Width and height of what a film shows, in millimetres; every film is square."""


@dataclass(frozen=True, slots=True)
class Anatomy:
    """How one patient is built: the same in every film of this patient.

    1 is the middle of what occurs, unless said otherwise; `RANGES` has the limits within which films look right.
    `heart_ratio`: width of the heart over the inner width of the chest (PA) when the heart is not enlarged.
    `heart_shape`: -1 upright, 1 lying. `diaphragm_left`, `diaphragm_right`, `lung_asymmetry`: as parts of
    the height of the film, up is positive. `rib_slope`, `clavicle_tilt`, `spine_curve`: degrees. `body_fat`,
    `breast`: 0 none, 1 much. `pattern`: decides vessels, irregularities of the ribs and where signs lie
    exactly; one per patient.
    """

    chest_width: float = 1.0
    chest_height: float = 1.0
    lung_asymmetry: float = 0.0
    heart_ratio: float = 0.44
    heart_shape: float = 0.0
    mediastinum_width: float = 1.0
    aortic_knob: float = 1.0
    diaphragm_left: float = 0.0
    diaphragm_right: float = 0.0
    rib_slope: float = 0.0
    clavicle_tilt: float = 0.0
    spine_curve: float = 0.0
    body_fat: float = 0.4
    breast: float = 0.0
    bone_density: float = 1.0
    vessel_density: float = 1.0
    pattern: int = 0


RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "chest_width": (0.88, 1.1),
        "chest_height": (0.9, 1.08),
        "lung_asymmetry": (-0.02, 0.02),
        "heart_ratio": (0.37, 0.48),
        "heart_shape": (-1.0, 1.0),
        "mediastinum_width": (0.85, 1.15),
        "aortic_knob": (0.7, 1.3),
        "diaphragm_left": (-0.02, 0.02),
        "diaphragm_right": (-0.02, 0.02),
        "rib_slope": (-6.0, 6.0),
        "clavicle_tilt": (-6.0, 8.0),
        "spine_curve": (-5.0, 5.0),
        "body_fat": (0.05, 1.0),
        "breast": (0.0, 1.0),
        "bone_density": (0.6, 1.25),
        "vessel_density": (0.75, 1.25),
    }
)
"""Field of Anatomy -> lowest and highest value that the renderer is made for."""


@dataclass(frozen=True, slots=True)
class Sign:
    """One thing to be seen: a finding of `CHEXPERT14` and how it shows.

    `kind`: one of `KINDS[finding]`. `side`: "left" or "right" of the patient, "both", or "". `zone`: "apex", "upper",
    "mid", "lower", "base", "hilum" or "". What a kind cannot use is read as its usual place (`PLACES`).
    `severity`: 0 to 1, how large and how plain; 0.2 is barely visible, 1 gross. `variant`: which of the many shapes.
    The same sign in another film of the same patient stands in the same place.
    """

    finding: str
    kind: str
    side: str = ""
    zone: str = ""
    severity: float = 0.5
    variant: int = 0


@dataclass(frozen=True, slots=True)
class Film:
    """One radiograph: a patient, what is to be seen, and how it was taken.

    `rotation_degrees`: positive turns the patient's left side to the detector (the mediastinum moves to the right of
    the image). `inspiration`: 0 poor, 1 full. `exposure`: about 1; more is darker. `noise`: 0 none, 1 strong.
    `supine`: lying down (bedside films); fluid then layers and air rises to the base. `seed`: what else is drawn by
    chance for this film: grain, collimation, marker.
    """

    view: View = View.PA
    anatomy: Anatomy = field(default_factory=Anatomy)
    signs: tuple[Sign, ...] = ()
    rotation_degrees: float = 0.0
    inspiration: float = 0.8
    exposure: float = 1.0
    noise: float = 0.3
    supine: bool = False
    seed: int = 0


_KINDS: tuple[tuple[str, ...], ...] = (
    ("wide mediastinum", "tortuous aorta"),
    ("large heart", "globular heart"),
    ("hazy patch", "scattered haze"),
    ("nodule", "nodules", "mass", "spiculated mass", "cavity"),
    ("bat wing", "interstitial"),
    ("lobe", "segment"),
    ("patchy", "multifocal"),
    ("band", "volume loss", "collapse"),
    ("pleural line", "deep sulcus", "tension"),
    ("meniscus", "veil"),
    ("thickening", "plaque", "apical cap"),
    ("rib line", "callus", "clavicle"),
    (
        "endotracheal tube", "nasogastric tube", "central line", "picc", "chest tube",
        "sternal wires", "pacer", "leads", "valve", "port",
    ),
)  # fmt: skip

KINDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    dict(zip((n for n in CHEXPERT14.names if n != CHEXPERT14.no_finding), _KINDS, strict=True))
)
"""Finding of `CHEXPERT14` -> the kinds in which it can be drawn, the most usual first."""

_SIDES = ("left", "right")
_LUNG = ("upper", "mid", "lower")

PLACES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = MappingProxyType(
    {
        "hazy patch": (_SIDES, (*_LUNG, "base", "hilum")),
        "scattered haze": ((*_SIDES, "both"), ("",)),
        "nodule": (_SIDES, ("apex", *_LUNG, "base", "hilum")),
        "nodules": ((*_SIDES, "both"), ("",)),
        "mass": (_SIDES, ("apex", *_LUNG, "hilum")),
        "spiculated mass": (_SIDES, ("apex", *_LUNG)),
        "cavity": (_SIDES, ("apex", *_LUNG)),
        "bat wing": (("both",), ("hilum",)),
        "interstitial": (("both",), ("",)),
        "lobe": (_SIDES, ("upper", "mid", "lower")),
        "segment": (_SIDES, ("upper", "mid", "lower", "base")),
        "patchy": (_SIDES, ("upper", "mid", "lower", "base")),
        "multifocal": ((*_SIDES, "both"), ("",)),
        "band": ((*_SIDES, "both"), ("base", "lower", "mid")),
        "volume loss": (_SIDES, ("base",)),
        "collapse": (_SIDES, ("lower", "upper")),
        "pleural line": (_SIDES, ("apex",)),
        "deep sulcus": (_SIDES, ("base",)),
        "tension": (_SIDES, ("",)),
        "meniscus": ((*_SIDES, "both"), ("base",)),
        "veil": ((*_SIDES, "both"), ("",)),
        "thickening": (_SIDES, ("lower", "mid")),
        "plaque": ((*_SIDES, "both"), ("mid", "base")),
        "apical cap": ((*_SIDES, "both"), ("apex",)),
        "rib line": (_SIDES, (*_LUNG,)),
        "callus": (_SIDES, (*_LUNG,)),
        "clavicle": (_SIDES, ("",)),
        "central line": (_SIDES, ("",)),
        "picc": (_SIDES, ("",)),
        "chest tube": (_SIDES, ("apex", "base")),
        "pacer": (_SIDES, ("",)),
        "port": (_SIDES, ("",)),
    }
)
"""Kind -> the sides and the zones that it can take, the usual first; a kind that is not here takes neither."""

LATERAL_KINDS: frozenset[str] = frozenset(
    {
        "wide mediastinum", "tortuous aorta", "large heart", "globular heart",
        "hazy patch", "scattered haze", "nodule", "nodules", "mass", "spiculated mass", "cavity", "bat wing",
        "interstitial",
        "lobe", "segment", "patchy", "multifocal", "band", "volume loss", "collapse", "meniscus", "plaque",
        "endotracheal tube", "nasogastric tube", "central line", "chest tube", "sternal wires", "pacer",
        "leads", "valve", "port",
    }
)  # fmt: skip
"""Kinds that a lateral view shows; the others are left out of it and get no box."""


def visible(sign: Sign, view: View) -> bool:
    """Whether the renderer draws this sign in this view."""
    return sign.severity > 0 and (view is not View.LATERAL or sign.kind in LATERAL_KINDS)


def place(sign: Sign) -> Sign:
    """The sign with a side and a zone that its kind can take: its own where possible, else the usual ones."""
    sides, zones = PLACES.get(sign.kind, (("",), ("",)))
    return replace(
        sign,
        side=sign.side if sign.side in sides else sides[0],
        zone=sign.zone if sign.zone in zones else zones[0],
    )


def anatomy_for(rng: np.random.Generator, *, sex: str = "", age_years: float | None = None) -> Anatomy:
    """An anatomy drawn within `RANGES`; women have breast shadows and smaller chests, age widens and thins bone."""
    old = 0.5 if age_years is None else min(max((age_years - 20.0) / 65.0, 0.0), 1.0)
    drawn = {}
    for one in fields(Anatomy):
        if one.name in RANGES:
            low, high = RANGES[one.name]
            drawn[one.name] = low + (high - low) * float(rng.beta(2.5, 2.5))
    is_female = sex == "F" if sex else bool(rng.random() < 0.5)
    drawn["breast"] = float(rng.uniform(0.3, 1.0)) if is_female else 0.0
    drawn["chest_width"] *= 0.97 if is_female else 1.02
    drawn["chest_height"] *= 0.98 if is_female else 1.01
    drawn["aortic_knob"] += 0.3 * (old - 0.5)
    drawn["heart_ratio"] += 0.03 * (old - 0.5)
    drawn["bone_density"] -= 0.2 * (old - 0.5)
    limited = {name: min(max(value, RANGES[name][0]), RANGES[name][1]) for name, value in drawn.items()}
    return Anatomy(**limited, pattern=int(rng.integers(2**31)))
