"""Stored grey values to [0, 1], by one table per image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilum.core.imaging import Mask, Pixels

Values = NDArray[np.integer]
Table = NDArray[np.float64]
_BLOCK = 1 << 18
_DARK = 0.25


@dataclass(frozen=True, eq=False)
class Levels:
    """What stored values mean: `table[v - lowest]` is the grey value of `v`, in any unit; `floor` and `ceiling` are
    the ends of what can be stored, in that unit; `shown`, where the file asks for a presentation, is in [0, 1]."""

    lowest: int
    table: Table
    floor: float
    ceiling: float
    shown: Table | None = None
    inverted: bool = False


def full_levels(bits: int) -> Levels:
    """Unsigned values of `bits` bits that mean themselves."""
    top = (1 << bits) - 1
    return Levels(0, np.arange(top + 1, dtype=np.float64), 0.0, float(top))


def to_pixels(values_HW: Values, levels: Levels, *, intensity: str, padding: Mask | None = None) -> Pixels:
    """Pixels float32 [1, H, W] in [0, 1] by the intensity policy; padding [table entries] is black.

    `padding`: which entries of the table are no image. Raises nothing: values outside the table count as its ends.
    """
    table = _policy(values_HW, levels, intensity, padding)
    if levels.inverted:
        table = 1.0 - table
    if padding is not None:
        table = np.where(padding, 0.0, table)
    return _look_up(values_HW, table.astype(np.float32), levels.lowest)


def _policy(values_HW: Values, levels: Levels, intensity: str, padding: Mask | None) -> Table:
    if intensity == "voi" and levels.shown is not None:
        return levels.shown
    low, high = levels.floor, levels.ceiling
    if intensity in ("range", "percentile"):
        low, high = _measured(values_HW, levels, intensity, padding)
    if high == low:
        return np.zeros_like(levels.table)
    return np.clip((levels.table - low) / (high - low), 0.0, 1.0)


def _measured(values_HW: Values, levels: Levels, intensity: str, padding: Mask | None) -> tuple[float, float]:
    """The values that become 0 and 1: lowest and highest, or the 0.5th and 99.5th percentile, without padding."""
    counts = histogram(values_HW, levels)
    if padding is not None:
        counts = np.where(padding, 0, counts)
    order = np.argsort(levels.table, kind="stable")
    share = np.cumsum(counts[order])
    if share[-1] == 0:
        return levels.floor, levels.ceiling
    cut = 0.005 * share[-1] if intensity == "percentile" else 0.0
    first = int(np.searchsorted(share, cut, side="right"))
    last = int(np.searchsorted(share, share[-1] - cut, side="left"))
    return float(levels.table[order[first]]), float(levels.table[order[last]])


def histogram(values_HW: Values, levels: Levels) -> NDArray[np.int64]:
    """How often each entry of the table occurs: int64 [entries]."""
    counts = np.zeros(len(levels.table), np.int64)
    for rows in _blocks(values_HW):
        counts += np.bincount(_places(rows, levels).ravel(), minlength=len(counts))
    return counts


def dark_note(pixels: Pixels, intensity: str) -> list[str]:
    """A note when nothing in the image reaches a quarter of the range; none for an image that is black all over."""
    top = float(pixels.max())
    if top >= _DARK or top <= 0.0 or intensity in ("range", "percentile"):
        return []
    note = f"its brightest pixel is at {top:.1%} of the range: it may hold fewer bits than it says"
    return [f"{note}; intensity='percentile' stretches it"]


def _look_up(values_HW: Values, table: NDArray[np.float32], lowest: int) -> Pixels:
    pixels = np.empty((1, *values_HW.shape), np.float32)
    start = 0
    for rows in _blocks(values_HW):
        places = rows if lowest == 0 else rows.astype(np.int64) - lowest
        np.take(table, places, out=pixels[0, start : start + len(rows)], mode="clip")
        start += len(rows)
    return pixels


def _places(rows: Values, levels: Levels) -> NDArray[np.int64]:
    return np.clip(rows.astype(np.int64) - levels.lowest, 0, len(levels.table) - 1)


def _blocks(values_HW: Values) -> list[Values]:
    """Rows in blocks, so that what is computed beside the image stays small."""
    step = max(1, _BLOCK // max(1, values_HW.shape[1]))
    return [values_HW[start : start + step] for start in range(0, values_HW.shape[0], step)]
