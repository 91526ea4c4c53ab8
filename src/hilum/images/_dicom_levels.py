"""What the stored values of a DICOM image mean: modality LUT, VOI LUT, windows, padding (PS3.3, C.7.6.3, C.11)."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from hilum.core.imaging import Mask
from hilum.images._levels import Levels, Table

_FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")


class Lookup(NamedTuple):
    """One item of a LUT sequence: its entries, the value that the first is for, the number of bits of an entry."""

    entries: Table
    first: int
    bits: int

    def __call__(self, values: Table) -> Table:
        places = np.clip(np.floor(values) - self.first, 0, len(self.entries) - 1)
        return np.asarray(self.entries[places.astype(np.int64)])


def dicom_levels(data: Any, notes: list[str]) -> tuple[Levels, Mask | None, str]:
    """Levels of a MONOCHROME1 or MONOCHROME2 image, which entries are padding, and what is shown, in words."""
    bits, signed = int(data.BitsStored), int(data.PixelRepresentation) == 1
    lowest = -(1 << (bits - 1)) if signed else 0
    stored = np.arange(lowest, lowest + (1 << bits), dtype=np.float64)
    table, floor, ceiling = _modality(data, stored, notes)
    shown, words = _shown(data, table, floor, notes)
    inverted = data.PhotometricInterpretation == "MONOCHROME1"
    _check_shape(data, inverted, notes)
    levels = Levels(lowest, table, floor, ceiling, shown, inverted)
    return levels, _padding(data, stored), words


def _modality(data: Any, stored: Table, notes: list[str]) -> tuple[Table, float, float]:
    """Stored values in the unit of the modality, and the ends of what can be stored in that unit."""
    lookup = _first_lookup(data, "ModalityLUTSequence", notes, signed=bool(stored[0] < 0))
    if lookup is not None:
        return lookup(stored), 0.0, float((1 << lookup.bits) - 1)
    slope, intercept = data.get("RescaleSlope"), data.get("RescaleIntercept")
    if slope is None or intercept is None:
        return stored, float(stored[0]), float(stored[-1])
    slope, intercept = float(slope), float(intercept)
    if not (math.isfinite(slope) and math.isfinite(intercept)) or slope == 0.0:
        notes.append(
            f"its rescale slope {slope:g} and intercept {intercept:g} are unusable and were left out"
        )
        return stored, float(stored[0]), float(stored[-1])
    table = stored * slope + intercept
    return table, float(min(table[0], table[-1])), float(max(table[0], table[-1]))


def _shown(data: Any, table: Table, floor: float, notes: list[str]) -> tuple[Table | None, str]:
    """The presentation that the file asks for, in [0, 1], and what it is in words; None when it asks for none."""
    lookup = _first_lookup(data, "VOILUTSequence", notes, signed=floor < 0)
    if lookup is not None:
        return lookup(table) / _top(lookup, notes), f"VOI LUT of {len(lookup.entries):,} entries"
    centres, widths = _numbers(data.get("WindowCenter")), _numbers(data.get("WindowWidth"))
    if not centres or not widths:
        return None, "none"
    if len(centres) > 1:
        notes.append(f"it has {len(centres)} windows; the first is used{_explained(data)}")
    function = str(data.get("VOILUTFunction") or "LINEAR").upper()
    if function not in _FUNCTIONS:
        notes.append(f"its VOI LUT function {function!r} is unknown; LINEAR is used")
        function = "LINEAR"
    shown = window(table, centres[0], widths[0], function)
    if shown is None:
        notes.append(
            f"its window (centre {centres[0]:g}, width {widths[0]:g}, {function}) is unusable; full range"
        )
        return None, "none"
    return shown, f"window centre {centres[0]:g}, width {widths[0]:g}, {function}"


def window(values: Table, centre: float, width: float, function: str) -> Table | None:
    """Values in [0, 1] by a window (PS3.3, C.11.2.1.2.1, C.11.2.1.3); None when the width is not allowed."""
    smallest = 1.0 if function == "LINEAR" else 0.0
    if not (math.isfinite(centre) and math.isfinite(width)) or width < smallest or width == 0.0:
        return None
    if function == "SIGMOID":
        return np.asarray(1.0 / (1.0 + np.exp(np.clip(-4.0 * (values - centre) / width, -700.0, 700.0))))
    if function == "LINEAR":
        centre, width = centre - 0.5, width - 1.0
    if width == 0.0:
        return np.where(values > centre, 1.0, 0.0)
    return np.clip((values - centre) / width + 0.5, 0.0, 1.0)


def _first_lookup(data: Any, keyword: str, notes: list[str], *, signed: bool) -> Lookup | None:
    """The first item of a LUT sequence. Raises ValueError for one that cannot be meant."""
    items = data.get(keyword)
    if not items:
        return None
    if len(items) > 1:
        notes.append(f"its {keyword} has {len(items)} items; the first is used")
    count, first, bits = (int(v) for v in items[0].LUTDescriptor)
    count = count or 1 << 16
    if not 1 <= bits <= 16:
        raise ValueError(f"{keyword} with entries of {bits} bits; 8 to 16 are allowed")
    entries = _entries(items[0]["LUTData"].value, count, big=data.original_encoding[1] is False)
    if not len(entries):
        raise ValueError(f"{keyword} without entries")
    if len(entries) < count:
        notes.append(f"its {keyword} has {len(entries):,} of {count:,} entries; the last stands for the rest")
    return Lookup(entries, first - (1 << 16) if signed and first >= 1 << 15 else first, bits)


def _entries(value: Any, count: int, *, big: bool) -> Table:
    """LUT data as numbers: 16-bit words, or bytes where there is one per entry."""
    if isinstance(value, bytes):
        kind = np.dtype(
            np.uint8 if len(value) < 2 * count and len(value) - count in (0, 1) else ">u2" if big else "<u2"
        )
        value = np.frombuffer(value, kind, count=min(count, len(value) // kind.itemsize))
    return np.atleast_1d(np.asarray(value, np.float64))[:count]


def _top(lookup: Lookup, notes: list[str]) -> float:
    """The output that is white: what the bits allow, or fewer bits where no entry uses the upper ones."""
    highest = int(lookup.entries.max())
    used = max(1, highest.bit_length())
    if used < lookup.bits and highest > 0:
        notes.append(f"its VOI LUT says {lookup.bits} bits, its entries need {used}; {used} are used")
        return float((1 << used) - 1)
    return float((1 << lookup.bits) - 1)


def _numbers(value: Any) -> list[float]:
    """The numbers of an element of one or more."""
    if value is None or value == "":
        return []
    values = value if hasattr(value, "__len__") and not isinstance(value, str) else [value]
    return [float(v) for v in values if v not in (None, "")]


def _explained(data: Any) -> str:
    words = data.get("WindowCenterWidthExplanation")
    first = words if isinstance(words, str) else (words[0] if words else "")
    return f" ({first})" if first else ""


def _padding(data: Any, stored: Table) -> Mask | None:
    """Which of the values that can be stored are padding (PS3.3, C.7.5.1.1.2): bool [entries]; None for none."""
    value = data.get("PixelPaddingValue")
    if not isinstance(value, int):
        return None
    limit = data.get("PixelPaddingRangeLimit")
    ends = [_wrapped(v, data) for v in (value, limit if isinstance(limit, int) else value)]
    mask = (stored >= min(ends)) & (stored <= max(ends))
    return mask if mask.any() else None


def _wrapped(value: int, data: Any) -> int:
    """The value with the sign of the pixels, for files that give it with the other."""
    span = 1 << int(data.BitsAllocated)
    if int(data.PixelRepresentation) == 1:
        return value - span if value >= span // 2 else value
    return value + span if value < 0 else value


def _check_shape(data: Any, inverted: bool, notes: list[str]) -> None:
    shape = str(data.get("PresentationLUTShape") or "").upper()
    if shape in ("INVERSE", "IDENTITY") and (shape == "INVERSE") != inverted:
        photometric = data.PhotometricInterpretation
        notes.append(f"its presentation LUT shape {shape} contradicts {photometric}, which is followed")
