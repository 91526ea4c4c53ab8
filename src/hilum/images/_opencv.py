"""OpenCV, imported when it is first needed, and checks that all users of it share."""

from __future__ import annotations

from typing import Any

import numpy as np

from hilum.core.errors import ImageError, MissingExtraError
from hilum.core.imaging import Pixels

LONGEST_SIDE = 32_000
"""OpenCV counts the pixels of a side in 16 bits when it warps."""


def opencv() -> Any:
    """The module cv2. Raises MissingExtraError with the line that installs it."""
    try:
        import cv2  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError("opencv-python-headless", "images") from error
    return cv2


def check_pixels(pixels: Pixels) -> tuple[int, int]:
    """Height and width. Raises ImageError unless the array is float32 [1, H, W] with at least one pixel."""
    if pixels.ndim != 3 or pixels.shape[0] != 1 or pixels.dtype != np.float32 or pixels.size == 0:
        raise ImageError(
            f"An image must be float32 [1, H, W] in [0, 1]; got {pixels.dtype} {list(pixels.shape)}. "
            "Next step: read files with hilum.images.read.read_image."
        )
    height, width = pixels.shape[1:]
    if max(height, width) > LONGEST_SIDE:
        raise ImageError(
            f"An image of {width} x {height} pixels is too large to transform; "
            f"the longest side allowed is {LONGEST_SIDE:,}."
        )
    return height, width
