"""Where points, boxes, masks and pixels go when an image is turned, moved, scaled or cut.

One matrix [3, 3] says it for all of them. It maps points (x, y, 1) of the image before to the image after, in
continuous coordinates: x to the right, y down, the pixel in row i and column j covers [j, j + 1) x [i, i + 1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hilum.core.imaging import Box, Mask, Pixels
from hilum.images._opencv import check_pixels, opencv

Affine = NDArray[np.float64]
"""A matrix [3, 3] whose last row is 0, 0, 1."""

KEEP = 0.25
"""A box is dropped when less than this share of its area is left in the frame, unless told otherwise."""


class MovedBoxes(NamedTuple):
    """Boxes after a move, clipped to the frame, and how many were dropped because too little was left."""

    boxes: tuple[Box, ...]
    dropped: int


def identity() -> Affine:
    """The matrix that leaves everything where it is."""
    return np.eye(3)


def shifting(dx: float, dy: float) -> Affine:
    """Move by dx pixels to the right and dy down."""
    return np.array([[1.0, 0.0, dx], [0.0, 1.0, dy], [0.0, 0.0, 1.0]])


def scaling(sx: float, sy: float) -> Affine:
    """Scale about the upper left corner of the image."""
    return np.diag([sx, sy, 1.0])


def rotation(degrees: float) -> Affine:
    """Turn about the upper left corner; positive turns clockwise as seen, because y goes down."""
    angle = np.deg2rad(degrees)
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def shearing(degrees: float) -> Affine:
    """Lean vertical lines by an angle: x grows with y."""
    return np.array([[1.0, np.tan(np.deg2rad(degrees)), 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])


def mirroring(width: float) -> Affine:
    """Swap left and right of an image `width` pixels wide."""
    return np.array([[-1.0, 0.0, width], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])


def chain(*steps: Affine) -> Affine:
    """One matrix that does all steps, the first one first."""
    result = identity()
    for step in steps:
        result = step @ result
    return result


def about(centre: tuple[float, float], step: Affine) -> Affine:
    """The same step with `centre` (x, y) as the point that stays."""
    x, y = centre
    return chain(shifting(-x, -y), step, shifting(x, y))


def move_points(points_P2: NDArray[np.float64], matrix: Affine) -> NDArray[np.float64]:
    """Points (x, y) after the move: float64 [P, 2]."""
    moved: NDArray[np.float64] = points_P2 @ matrix[:2, :2].T + matrix[:2, 2]
    return moved


def move_boxes(
    boxes: Iterable[Box], matrix: Affine, *, size: tuple[int, int], keep: float = KEEP
) -> MovedBoxes:
    """Boxes around the moved corners of the boxes, clipped to a frame of `size` (height, width).

    A box is dropped, and counted, when less than the share `keep` of its moved area is left in the frame, or
    nothing at all. Boxes stay upright, so one that is turned grows.
    """
    height, width = size
    kept = []
    dropped = 0
    for box in boxes:
        corners = np.array([[box.x0, box.y0], [box.x1, box.y0], [box.x1, box.y1], [box.x0, box.y1]])
        moved = move_points(corners, matrix)
        (left, top), (right, bottom) = moved.min(axis=0), moved.max(axis=0)
        x0, x1 = np.clip([left, right], 0.0, width)
        y0, y1 = np.clip([top, bottom], 0.0, height)
        area = (right - left) * (bottom - top)
        share = (x1 - x0) * (y1 - y0) / area if area > 0 else 0.0
        if share <= 0.0 or share < keep:
            dropped += 1
        else:
            kept.append(Box(box.finding, float(x0), float(y0), float(x1), float(y1)))
    return MovedBoxes(tuple(kept), dropped)


def warp(pixels: Pixels, matrix: Affine, *, size: tuple[int, int], fill: float = 0.0) -> Pixels:
    """The image after the move, float32 [1, H, W] for `size` (H, W), by bilinear interpolation.

    `fill`: the value of what lies outside the image before. There is no smoothing: use `transforms.resize` to
    shrink an image. Raises ImageError for an array that is no image.
    """
    check_pixels(pixels)
    return _warp(pixels[0], matrix, size, fill)[None]


def warp_mask(mask: Mask, matrix: Affine, *, size: tuple[int, int]) -> Mask:
    """The mask after the move, bool [H, W] for `size` (H, W): pixels of which at least half belongs to it."""
    moved: Mask = _warp(mask.astype(np.float32), matrix, size, 0.0) >= 0.5
    return moved


def _warp(
    plane: NDArray[np.float32], matrix: Affine, size: tuple[int, int], fill: float
) -> NDArray[np.float32]:
    cv2 = opencv()
    centres = chain(shifting(0.5, 0.5), matrix, shifting(-0.5, -0.5))  # OpenCV's pixels have whole centres
    moved: NDArray[np.float32] = cv2.warpAffine(
        plane,
        centres[:2],
        (size[1], size[0]),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=float(fill),
    )
    return moved


def swap_sides(name: str) -> str:
    """The name with the whole words left and right swapped, their case kept: what mirroring makes of a side."""
    other = {"left": "right", "right": "left"}

    def swapped(match: re.Match[str]) -> str:
        word = match.group()
        new = other[word.casefold()]
        if word.isupper():
            return new.upper()
        return new.capitalize() if word[0].isupper() else new

    return re.sub(r"(?<![^\W_])(?:left|right)(?![^\W_])", swapped, name, flags=re.IGNORECASE)
