"""Chest studies: images with view, boxes and masks, and a report, as every data set yields them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hilum.core.records import Labels, Report

Pixels = NDArray[np.float32]
"""An image as everything here passes it: float32 [1, H, W] in [0, 1], 0 black; air is dark, bone is bright."""

Mask = NDArray[np.bool_]
"""The pixels that belong to something: bool [H, W]."""


class View(StrEnum):
    """How a radiograph was taken. FRONTAL: PA or AP, not known which; UNKNOWN: the data set does not say."""

    PA = "PA"
    AP = "AP"
    FRONTAL = "frontal"
    LATERAL = "lateral"
    UNKNOWN = "unknown"

    @property
    def is_frontal(self) -> bool:
        """Whether the view is known to be from the front or the back."""
        return self in (View.PA, View.AP, View.FRONTAL)


@dataclass(frozen=True, slots=True)
class Box:
    """Where a finding is: half-open pixel ranges, x to the right and y down, `x0 <= x < x1`."""

    finding: str
    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True, eq=False)
class Image:
    """One image of a study: a file, pixels in memory, or both.

    `masks`: name of a structure or finding -> Mask of the size of the pixels. `spacing_mm`: size of a pixel
    along rows and columns (down, across) where it is known.
    """

    id: str
    path: Path | None = None
    pixels: Pixels | None = None
    view: View = View.UNKNOWN
    boxes: tuple[Box, ...] = ()
    masks: Mapping[str, Mask] = field(default_factory=dict)
    spacing_mm: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class Study:
    """One visit to the X-ray room: images, a report, who it was, and labels by where they come from.

    `labels`: source -> Labels; the sources that a data set has are in its card (`image`: people looking at the
    image, or the known truth; `report`: what the report says; otherwise the name of the labeler). `priors`: ids of
    earlier studies of the same patient, the latest last. `sex`: "F", "M" or "". `split`: as published, or "".
    """

    id: str
    patient: str = ""
    images: tuple[Image, ...] = ()
    report: Report | None = None
    labels: Mapping[str, Labels] = field(default_factory=dict)
    priors: tuple[str, ...] = ()
    sex: str = ""
    race: str = ""
    age_years: float | None = None
    split: str = ""
    licence: str = ""
    meta: Mapping[str, str] = field(default_factory=dict)
