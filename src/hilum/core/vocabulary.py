"""Findings, states and number codes: the only module that knows any of them.

The 14 findings of `chexpert14` and their hierarchy are those of Irvin et al. 2019 (CheXpert, Figure 1);
those of `nih14` are the findings of ChestX-ray14 (Wang et al. 2017) with `No Finding`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cached_property
from types import MappingProxyType

from hilum.core.errors import UnknownNameError, VocabularyError


class State(IntEnum):
    """What a report says of a finding. The integers are CheXbert's class ids (README of CheXbert)."""

    BLANK = 0
    POSITIVE = 1
    NEGATIVE = 2
    UNCERTAIN = 3


CSV_CODES: Mapping[State, int | None] = MappingProxyType(
    {State.POSITIVE: 1, State.NEGATIVE: 0, State.UNCERTAIN: -1, State.BLANK: None}
)
"""State -> the number in a label file (CheXpert and CheXbert convention); None is an empty cell."""

CHEXBERT_CLASS_IDS: Mapping[State, int] = MappingProxyType({state: int(state) for state in State})
"""State -> the class index of a CheXbert head: 0 blank, 1 positive, 2 negative, 3 uncertain."""

BINARY_POLICIES: Mapping[str, Mapping[State, int | None]] = MappingProxyType(
    {
        f"uncertain-{name}": MappingProxyType(
            {State.POSITIVE: 1, State.NEGATIVE: 0, State.BLANK: 0, State.UNCERTAIN: code}
        )
        for name, code in (("to-zero", 0), ("to-one", 1), ("ignored", None))
    }
)
"""Named ways to make 0/1 of a state; blank is 0 in all three, None means that the cell is left out."""

PRECEDENCE: tuple[State, ...] = (State.POSITIVE, State.UNCERTAIN, State.NEGATIVE, State.BLANK)
"""Several mentions of one finding: the first state of this order that occurs is the label."""


def state_from_csv(value: float | str | None) -> State:
    """The state of one cell of a label file; empty text, None and NaN are BLANK.

    Raises ValueError for anything but 1, 0, -1 and blank.
    """
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return State.BLANK
    number = float(value)
    for state, code in CSV_CODES.items():
        if code is not None and number == code:
            return state
    raise ValueError(f"{value!r} is no label; allowed: 1 positive, 0 negative, -1 uncertain, empty blank")


@dataclass(frozen=True)
class Finding:
    """One finding: its name, the finding it is a kind of, other spellings, its role, and what it means in a report.

    `definition` is one line, which prompts tell a language model; docs/label-definitions.md says more.

    Roles: `finding`; `device` (present or absent, but no abnormality); `none` (positive exactly when no
    abnormality is affirmed or hedged; never negative or uncertain).
    """

    name: str
    parent: str | None = None
    aliases: tuple[str, ...] = ()
    role: str = "finding"
    definition: str = ""


@dataclass(frozen=True)
class Vocabulary:
    """An ordered set of findings. Order is the order of label columns and of `Labels.states`."""

    name: str
    findings: tuple[Finding, ...]

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for finding in self.findings:
            if finding.name in seen:
                raise VocabularyError(f"Vocabulary {self.name!r} names {finding.name!r} twice.")
            if finding.role not in ("finding", "device", "none"):
                raise VocabularyError(
                    f"{finding.name!r} has role {finding.role!r}; allowed: finding, device, none."
                )
            seen.add(finding.name)
        for finding in self.findings:
            if finding.parent is not None and finding.parent not in seen:
                raise VocabularyError(f"{finding.name!r} has the unknown parent {finding.parent!r}.")
            if finding.name in self._ancestors(finding):
                raise VocabularyError(f"{finding.name!r} is its own ancestor.")

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Finding names in order."""
        return tuple(f.name for f in self.findings)

    @cached_property
    def no_finding(self) -> str | None:
        """Name of the finding with role `none`, or None."""
        return next((f.name for f in self.findings if f.role == "none"), None)

    @cached_property
    def _by_key(self) -> Mapping[str, int]:
        keys: dict[str, int] = {}
        for i, f in enumerate(self.findings):
            for spelling in (f.name, *f.aliases):
                keys.setdefault(_key(spelling), i)
        return keys

    def index(self, name: str) -> int:
        """Place of a finding by name or alias, in any case, with `_`, `-` or space between words.

        Raises UnknownNameError, with the nearest name.
        """
        place = self._by_key.get(_key(name))
        if place is None:
            raise UnknownNameError("finding", name, self.names)
        return place

    def __len__(self) -> int:
        return len(self.findings)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and _key(name) in self._by_key

    def ancestors(self, name: str) -> tuple[str, ...]:
        """Names of the parent, its parent and so on."""
        return tuple(self._ancestors(self.findings[self.index(name)]))

    def _ancestors(self, finding: Finding) -> list[str]:
        by_name = {f.name: f for f in self.findings}
        chain: list[str] = []
        parent = finding.parent
        while parent is not None and parent not in chain:
            chain.append(parent)
            parent = by_name[parent].parent
        return chain

    def match_columns(self, columns: Sequence[str]) -> dict[str, str]:
        """Finding name -> the column of a label file that holds it, matched by name or alias, never by place."""
        found: dict[str, str] = {}
        for column in columns:
            place = self._by_key.get(_key(column))
            if place is not None:
                found.setdefault(self.names[place], column)
        return found

    def counterparts(self, other: Vocabulary) -> dict[str, str]:
        """Finding of this vocabulary -> the finding of `other` that is the same by name or by an alias of either."""
        found: dict[str, str] = {}
        for finding in self.findings:
            ours = [other.names[other.index(s)] for s in (finding.name, *finding.aliases) if s in other]
            theirs = [
                f.name
                for f in other.findings
                if any(s in self and self.names[self.index(s)] == finding.name for s in (f.name, *f.aliases))
            ]
            match = next(iter((*ours, *theirs)), None)
            if match is not None and match not in found.values():
                found[finding.name] = match
        return found


def _key(name: str) -> str:
    return " ".join(name.replace("_", " ").replace("-", " ").casefold().split())


_MEANS: Mapping[str, str] = {
    "No Finding": "no abnormality of any kind is affirmed or hedged, those not listed here included; devices are none",
    "Enlarged Cardiomediastinum": "width or contour of the mediastinum or cardiomediastinal silhouette, not the heart",
    "Cardiomegaly": "size of the heart or cardiac silhouette; enlarged is positive, borderline in size is uncertain",
    "Lung Opacity": "opacity, infiltrate, airspace disease, interstitial markings, density or scar in the lung",
    "Lung Lesion": "nodule, mass, nodular opacity, cavitary lesion or neoplasm; a calcified granuloma alone is none",
    "Edema": "pulmonary or interstitial edema, vascular congestion, heart failure",
    "Consolidation": "consolidation, when it is named; airspace disease alone is none",
    "Pneumonia": "pneumonia or infection of the lung; an old granulomatous infection is none",
    "Atelectasis": "atelectasis or collapse of the lung or a part of it; not of a vertebra",
    "Pneumothorax": "air in the pleural space, when it is called pneumothorax",
    "Pleural Effusion": "fluid in the pleural space; not around the heart, not a blunted costophrenic angle alone",
    "Pleural Other": "pleural thickening (apical too), pleural plaque, pleural scar, fibrothorax",
    "Fracture": "fracture of any bone, old and healed ones too; a deformity of a rib alone is none",
    "Support Devices": "line, tube, catheter, port, pacemaker, wire, clip, valve, stent or other hardware",
    "Infiltration": "infiltrate, when this word is used; other opacities are none",
    "Mass": "mass in the lung, mediastinum or hilum, when it is called so; a nodular opacity is none",
    "Nodule": "nodule in the lung, when it is called so; a nodular opacity is none",
    "Emphysema": "emphysema of the lung; not under the skin, not in the mediastinum",
    "Fibrosis": "fibrosis or honeycombing of the lung",
    "Pleural_Thickening": "thickening (an apical cap too), plaque or calcified plaque of the pleura, fibrothorax",
    "Hernia": "hernia of the diaphragm, hiatal hernias included",
}
_NIH_MEANS: Mapping[str, str] = {
    **_MEANS,
    "Edema": "edema of the lung, when it is named; congestion and heart failure are none",
    "Effusion": _MEANS["Pleural Effusion"],
}


def _defined(name: str, findings: Sequence[Finding], means: Mapping[str, str]) -> Vocabulary:
    return Vocabulary(name, tuple(replace(finding, definition=means[finding.name]) for finding in findings))


CHEXPERT14 = _defined(
    "chexpert14",
    (
        Finding("No Finding", aliases=("normal", "no abnormality"), role="none"),
        Finding("Enlarged Cardiomediastinum", aliases=("Enlarged Cardiom.", "Enlarged Mediastinum")),
        Finding("Cardiomegaly", parent="Enlarged Cardiomediastinum", aliases=("Enlarged Heart",)),
        Finding("Lung Opacity", aliases=("Airspace Opacity", "Opacity")),
        Finding("Lung Lesion", parent="Lung Opacity", aliases=("Lesion",)),
        Finding("Edema", parent="Lung Opacity", aliases=("Pulmonary Edema", "Oedema")),
        Finding("Consolidation", parent="Lung Opacity"),
        Finding("Pneumonia", parent="Consolidation"),
        Finding("Atelectasis", parent="Lung Opacity"),
        Finding("Pneumothorax"),
        Finding("Pleural Effusion", aliases=("Effusion",)),
        Finding("Pleural Other", aliases=("Pleural Abnormality Other",)),
        Finding("Fracture", aliases=("Fractures",)),
        Finding("Support Devices", aliases=("Support Device",), role="device"),
    ),
    _MEANS,
)
"""The 14 observations of CheXpert in the order of its label files."""

NIH14 = _defined(
    "nih14",
    (
        Finding("Atelectasis"),
        Finding("Cardiomegaly"),
        Finding("Effusion", aliases=("Pleural Effusion",)),
        Finding("Infiltration", aliases=("Infiltrate",)),
        Finding("Mass"),
        Finding("Nodule"),
        Finding("Pneumonia"),
        Finding("Pneumothorax"),
        Finding("Consolidation"),
        Finding("Edema", aliases=("Oedema",)),
        Finding("Emphysema"),
        Finding("Fibrosis"),
        Finding("Pleural_Thickening", aliases=("Pleural Thickening",)),
        Finding("Hernia"),
        Finding("No Finding", aliases=("normal",), role="none"),
    ),
    _NIH_MEANS,
)
"""The 14 findings of ChestX-ray14 in the order of its paper, and No Finding."""

COLUMN_ORDERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "chexpert": CHEXPERT14.names,
        "chexbert": (
            "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema",
            "Consolidation", "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion",
            "Pleural Other", "Fracture", "Support Devices", "No Finding",
        ),
        "mimic-cxr": (
            "Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Enlarged Cardiomediastinum",
            "Fracture", "Lung Lesion", "Lung Opacity", "No Finding", "Pleural Effusion", "Pleural Other",
            "Pneumonia", "Pneumothorax", "Support Devices",
        ),
        "nih": NIH14.names,
    }
)  # fmt: skip
"""Column orders of public label files: CheXpert's csv, CheXbert's heads, MIMIC-CXR-JPG (alphabetical), NIH."""

SHIPPED: Mapping[str, Vocabulary] = MappingProxyType({v.name: v for v in (CHEXPERT14, NIH14)})
"""The vocabularies that come with the package, by name."""

CHEXPERT5: tuple[str, ...] = (
    "Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion",
)  # fmt: skip
"""The five competition findings of CheXpert (Irvin et al. 2019), the usual short list of clinical F1."""
