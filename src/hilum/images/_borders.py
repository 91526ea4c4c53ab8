"""Even margins of a picture: collimator edges, burned-in frames, bars added to make it square."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hilum.core.imaging import Pixels

EVEN = 4 / 255
"""How far from the middle brightness of the outermost line a pixel of a border may be."""

ENOUGH = 0.95
"""How much of a line must be even; letters in a margin may take the rest."""

_SAMPLES = 512
_MOST = 0.45

Borders = tuple[int, int, int, int]
"""Lines at the top, bottom, left and right."""


def measure_borders(pixels: Pixels) -> Borders:
    """How many lines of even brightness each side has: rows at the top and bottom, columns at the left and right.

    A line belongs to the border while nearly all of it (ENOUGH) has the brightness of the outermost line of that side
    (to EVEN). At most 45 % of the picture per side; a picture that is even all over has none. What a margin is made
    of, black air or metal, cannot be told from it.
    """
    picture = pixels[0]
    borders = (0, 0, 0, 0)
    for _ in range(2):
        top, bottom, left, right = borders
        inner = picture[top : picture.shape[0] - bottom, left : picture.shape[1] - right]
        down, across = _rows(inner), _rows(inner.T)
        if down is None or across is None or not any(down + across):
            break
        borders = (top + down[0], bottom + down[1], left + across[0], right + across[1])
    return borders


def _rows(picture_HW: NDArray[np.float32]) -> tuple[int, int] | None:
    """Even rows at the top and at the bottom; None when next to nothing is left between them."""
    height, width = picture_HW.shape
    thin = picture_HW[:, :: max(1, width // _SAMPLES)]
    most = int(height * _MOST)
    top, bottom = _count(thin, most), _count(thin[::-1], most)
    return None if top == bottom == most else (top, bottom)


def _count(lines_NS: NDArray[np.float32], most: int) -> int:
    outermost = float(np.median(lines_NS[0]))
    length = lines_NS.shape[1]
    start, step = 0, 16
    while start < most:
        block = lines_NS[start : min(start + step, most)]
        even = np.count_nonzero(np.abs(block - outermost) <= EVEN, axis=1) >= ENOUGH * length
        if not even.all():
            return start + int(np.argmin(even))
        start, step = start + len(block), step * 4
    return most


def crop(pixels: Pixels, borders: Borders) -> Pixels:
    """The picture without its borders: float32 [1, H, W]."""
    top, bottom, left, right = borders
    height, width = pixels.shape[1:]
    return np.ascontiguousarray(pixels[:, top : height - bottom, left : width - right])
