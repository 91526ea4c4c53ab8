"""Invented outlines of a frontal and a lateral chest film, and how well a small image looks like them.

They are ellipses and bands placed by eye, not averages of anybody's images.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from hilum.images._opencv import opencv
from hilum.images.geometry import about, chain, scaling, shifting

SIDE = 32
"""Images are compared at this many pixels a side."""

Small = NDArray[np.float64]
"""An image of SIDE x SIDE grey ranks, float64 [SIDE, SIDE]."""


def ranks(plane: NDArray[np.float32]) -> Small:
    """Each pixel's place in the order of grey values, from -0.5 to 0.5; equal pixels share their mean place.

    Ranks do not change with exposure, gamma or window, and inverting an image changes their sign alone.
    """
    _, place, counts = np.unique(plane, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    mean_place = (ends - counts + ends - 1) / 2
    ranked: Small = (mean_place[place] / max(1, plane.size - 1) - 0.5).reshape(plane.shape)
    return ranked


def unit(plane: Small) -> Small:
    """The plane less its mean, with length 1 (or all 0, if it is flat): products of two are correlations."""
    centred = plane - plane.mean()
    length = float(np.sqrt((centred * centred).sum()))
    scaled: Small = centred / (length or 1.0)
    return scaled


def likeness(small: Small) -> tuple[float, float]:
    """Signed correlation with the frontal and with the lateral outline, each in [-1, 1].

    For each outline: the highest correlation over 54 shifts, sizes and mirror images plus the lowest one (which
    is minus the highest correlation of the inverted image). Positive says upright greys, negative inverted ones.
    """
    flat = unit(small).ravel()
    frontal, lateral = (variants @ flat for variants in _variants())
    return float(frontal.max() + frontal.min()), float(lateral.max() + lateral.min())


@cache
def _variants() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return _moved(_frontal()), _moved(_lateral())


def _moved(outline: Small) -> NDArray[np.float64]:
    """The outline in 54 places: unit vectors [54, SIDE * SIDE]."""
    cv2 = opencv()
    soft = cv2.GaussianBlur(outline, (0, 0), 1.2)
    middle = ((SIDE - 1) / 2, (SIDE - 1) / 2)
    found = []
    for mirror in (1.0, -1.0):
        for size in (0.75, 0.9, 1.1):
            for dx in (-0.075, 0.0, 0.075):
                for dy in (-0.075, 0.0, 0.075):
                    matrix = chain(
                        about(middle, scaling(size * mirror, size)), shifting(dx * SIDE, dy * SIDE)
                    )
                    moved = cv2.warpAffine(soft, matrix[:2], (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
                    found.append(unit(moved).ravel())
    return np.stack(found)


def _grid() -> tuple[Small, Small]:
    y, x = np.mgrid[0:SIDE, 0:SIDE] / (SIDE - 1) * 2.0 - 1.0
    return x, y


def _ellipse(x: float, y: float, across: float, down: float) -> NDArray[np.bool_]:
    grid_x, grid_y = _grid()
    inside: NDArray[np.bool_] = ((grid_x - x) / across) ** 2 + ((grid_y - y) / down) ** 2 < 1.0
    return inside


def _frontal() -> Small:
    """Body with dark air beside it and above the shoulders, two dark lungs, bright heart, spine and abdomen."""
    x, y = _grid()
    film = np.full((SIDE, SIDE), 0.55)
    film[(np.abs(x) > 0.75) & (y < -0.55)] = 0.15
    film[(np.abs(x) <= 0.93) & ~((np.abs(x) > 0.55) & (y < -0.8))] = 0.75
    film[_ellipse(-0.45, -0.1, 0.32, 0.62) | _ellipse(0.45, -0.1, 0.32, 0.62)] = 0.2
    film[_ellipse(0.15, 0.25, 0.33, 0.3) | (np.abs(x) < 0.13)] = 0.85
    film[y > 0.6] = 0.9
    return film


def _lateral() -> Small:
    """A narrower body between dark air, one dark field in its middle, bright abdomen."""
    _, y = _grid()
    film = np.full((SIDE, SIDE), 0.1)
    film[_ellipse(0.0, 0.1, 0.75, 1.25)] = 0.75
    film[_ellipse(0.05, -0.05, 0.5, 0.6)] = 0.3
    film[(y > 0.5) & _ellipse(0.0, 0.1, 0.75, 1.3)] = 0.9
    return film
