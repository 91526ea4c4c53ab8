"""What a DICOM file says of an image: view, size of a pixel, how it lies. Nothing of who is on it."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hilum.core.imaging import View

_POSITIONS = {
    "PA": View.PA,
    "AP": View.AP,
    "LL": View.LATERAL,
    "RL": View.LATERAL,
    "LAT": View.LATERAL,
    "LATERAL": View.LATERAL,
    "LLAT": View.LATERAL,
    "RLAT": View.LATERAL,
    "LEFT LATERAL": View.LATERAL,
    "RIGHT LATERAL": View.LATERAL,
    "LLD": View.FRONTAL,
    "RLD": View.FRONTAL,
}
_WORDS = (
    (View.PA, re.compile(r"\b(p\.?a\.?|postero-?\s?anterior)\b", re.IGNORECASE)),
    (View.AP, re.compile(r"\b(a\.?p\.?|antero-?\s?posterior)\b", re.IGNORECASE)),
    (View.LATERAL, re.compile(r"\b(lat|lateral|ll|profile)\b", re.IGNORECASE)),
)
_FRONTAL = re.compile(r"\bfrontal\b", re.IGNORECASE)
_DECUBITUS = re.compile(r"\bdecub", re.IGNORECASE)  # lying on a side, taken from the front
_TEXTS = ("SeriesDescription", "AcquisitionDeviceProcessingDescription", "ProtocolName", "StudyDescription")
_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
_LARGEST_MM = 10.0


def view_of(data: Any) -> tuple[View, str]:
    """The view and where it is said. Words that name several views say nothing."""
    position = str(data.get("ViewPosition") or "").strip().upper()
    if position in _POSITIONS:
        return _POSITIONS[position], "ViewPosition"
    codes = data.get("ViewCodeSequence") or ()
    for text, where in ((str(c.get("CodeMeaning") or ""), "ViewCodeSequence") for c in codes):
        if (view := view_in(text)) is not View.UNKNOWN:
            return view, where
    for keyword in _TEXTS:
        if (view := view_in(str(data.get(keyword) or ""))) is not View.UNKNOWN:
            return view, keyword
    return View.UNKNOWN, ""


def view_in(text: str) -> View:
    """The one view that words name; UNKNOWN for none or several."""
    text = text.replace("_", " ")
    if _DECUBITUS.search(text):
        return View.FRONTAL
    named = [view for view, pattern in _WORDS if pattern.search(text)]
    if len(named) == 1:
        return named[0]
    if named == [View.PA, View.AP] or (not named and _FRONTAL.search(text)):
        return View.FRONTAL
    return View.UNKNOWN


def spacing_of(data: Any, notes: list[str]) -> tuple[tuple[float, float] | None, str]:
    """Size of a pixel in mm (down, across) and which element says it. PixelSpacing first: it may be calibrated."""
    for keyword in _SPACINGS:
        value = data.get(keyword)
        if value is None or value == "":
            continue
        numbers = [float(v) for v in value] if hasattr(value, "__len__") else [float(value)]
        if len(numbers) == 2 and all(math.isfinite(v) and 0.0 < v <= _LARGEST_MM for v in numbers):
            return (numbers[0], numbers[1]), keyword
        notes.append(f"its {keyword} {numbers} is unusable and was left out")
    return None, ""


def upright(
    values_HW: NDArray[Any], data: Any, *, orient: bool, notes: list[str]
) -> tuple[NDArray[Any], bool]:
    """The values with the head up and, of frontal views, the patient's left on the right; whether sides were swapped.

    PatientOrientation names where the rows and the columns of the image lead (PS3.3, C.7.6.1.1.1). It already takes
    in flips that the detector made (FieldOfViewHorizontalFlip, FieldOfViewRotation), which are told and not redone.
    """
    _tell_field_of_view(data, notes)
    value = data.get("PatientOrientation") or ()
    letters = [str(v).strip().upper()[:1] for v in value] if not isinstance(value, str) else []
    if len(letters) != 2 or not all(letters):
        return values_HW, False
    across, down = letters
    said = f"PatientOrientation {'/'.join(str(v) for v in value)}"
    swap = across in "HF" and down in "LRAP"
    if swap:
        across, down = down, across
    if across not in "LRAP" or down not in "HF":
        notes.append(f"{said} is no orientation of a chest image; left as stored")
        return values_HW, False
    steps = [("transposed", swap), ("turned upside down", down == "H"), ("mirrored", across == "R")]
    done = [word for word, needed in steps if needed]
    if not done:
        return values_HW, False
    notes.append(f"{said}: {', '.join(done) if orient else 'left as stored'}")
    if not orient:
        return values_HW, False
    turned = values_HW.T if swap else values_HW
    turned = turned[::-1] if down == "H" else turned
    return np.ascontiguousarray(turned[:, ::-1] if across == "R" else turned), swap


def _tell_field_of_view(data: Any, notes: list[str]) -> None:
    flipped = str(data.get("FieldOfViewHorizontalFlip") or "").upper() == "YES"
    turned = data.get("FieldOfViewRotation")
    parts = ["flipped" if flipped else "", f"turned by {float(turned):g} degrees" if turned else ""]
    if any(parts):
        notes.append(f"the detector's picture was {' and '.join(p for p in parts if p)} before it was stored")
