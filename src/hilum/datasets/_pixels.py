"""Sizes of image files and what they make of a spacing that was measured on images of another size."""

from __future__ import annotations

from pathlib import Path

from hilum.core.errors import ImageError
from hilum.datasets._base import Dropped

UNREADABLE = "images whose size cannot be read (kept without spacing and boxes)"
"""The reason under which such images are counted in `Dropped`."""


def size_of(path: Path, dropped: Dropped) -> tuple[int, int] | None:
    """(height, width) in pixels from the header of an image file; None, counted, when it cannot be read."""
    from hilum.images.read import read_header  # noqa: PLC0415 labels and reports need no image package

    try:
        header = read_header(path)
    except (ImageError, OSError):
        dropped.add(UNREADABLE, path.name, wrong=True)
        return None
    return header.height, header.width


def scaled_spacing(
    spacing: tuple[float | None, float | None],
    original: tuple[float | None, float | None],
    size: tuple[int, int],
) -> tuple[float, float] | None:
    """Size in mm of a pixel (down, across) of an image that was resized from `original` to `size` pixels.

    All pairs are (down, across). None when a number is missing or not positive.
    """
    scaled = [
        mm * before / now
        for mm, before, now in zip(spacing, original, size, strict=True)
        if mm is not None and before is not None and mm > 0 and before > 0 and now > 0
    ]
    return (scaled[0], scaled[1]) if len(scaled) == 2 else None
