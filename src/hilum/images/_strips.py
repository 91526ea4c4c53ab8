"""Pictures to arrays in strips, so that there are never two copies of a large one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_AT_ONCE = 1 << 22


def to_array(picture: Any, factor: int) -> NDArray[Any]:
    """Values [H, W] or [H, W, C] of a Pillow picture, reduced by `factor` along both sides (means of squares)."""
    picture.load()
    width, height = picture.size
    if width * height <= _AT_ONCE:
        return box_mean(np.asarray(picture), factor)
    step = max(1, _AT_ONCE // (4 * width * factor)) * factor
    values: NDArray[Any] | None = None
    for top in range(0, height, step):
        strip = box_mean(np.asarray(picture.crop((0, top, width, min(top + step, height)))), factor)
        if values is None:
            values = np.empty((-(-height // factor), *strip.shape[1:]), strip.dtype)
        values[top // factor : top // factor + len(strip)] = strip
    return values if values is not None else np.asarray(picture)


def box_mean(values: NDArray[Any], factor: int) -> NDArray[Any]:
    """Means of squares of `factor` x `factor`, rounded, same type; what is left at the edges makes smaller boxes."""
    if factor == 1:
        return values
    height, width = values.shape[:2]
    sums = np.add.reduceat(values, np.arange(0, width, factor), axis=1, dtype=np.uint32)
    sums = np.add.reduceat(sums, np.arange(0, height, factor), axis=0, dtype=np.uint32)
    down = np.diff(np.append(np.arange(0, height, factor), height))
    across = np.diff(np.append(np.arange(0, width, factor), width))
    counts = (down[:, None] * across[None, :]).reshape(len(down), len(across), *(1,) * (values.ndim - 2))
    return np.asarray((sums + counts // 2) // counts).astype(values.dtype)
