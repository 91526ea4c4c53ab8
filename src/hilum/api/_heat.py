"""Heat at the size of the image that it is laid over."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

HEAT_PX = 512
"""Least side of a picture of heat; smaller ones are hard to read."""


def enlarged(heat: npt.NDArray[np.float32], size: Sequence[int]) -> npt.NDArray[np.float32]:
    """Heat [H, W] in [0, 1] at another size, bilinear."""
    given = torch.from_numpy(np.ascontiguousarray(heat))[None, None]
    large = torch.nn.functional.interpolate(given, size=tuple(size), mode="bilinear", align_corners=False)
    return np.asarray(large[0, 0].clamp(0, 1).numpy(), dtype=np.float32)
