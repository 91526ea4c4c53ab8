"""Grey stored in three channels, and true colour."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hilum.images._picture import refuse

SPREAD = 24 / 255
"""How far the channels of a grey pixel may be apart, as a share of the range. X-rays re-saved as RGB JPEG at quality 30
to 95 have equal channels; with noise of sd 8/255 in each channel, or a tint of 5 %, they stay below 20/255."""

SHARE = 0.0005
"""How much of a grey picture may be further apart. Of 300 X-rays of 384 px with a yellow arrow of 20 px, 99 % are told
to be coloured, of 40 px all (`benchmarks/image_reader.py`); photos have more than 40 % of such pixels."""

_LUMINANCE = np.array((0.299, 0.587, 0.114))
_BLOCK = 1 << 20


def to_grey(values_HWC: NDArray[Any], name: str, colour: str) -> tuple[NDArray[Any], list[str]]:
    """One channel [H, W] of the same type from R, G, B, with notes.

    Channels that are equal are taken as they are, channels that agree (SPREAD, SHARE) by their luminance. Raises
    ImageError for true colour, unless `colour` is "luminance".
    """
    top = float(np.iinfo(values_HWC.dtype).max)
    coloured, widest = _measure(values_HWC, SPREAD * top)
    if widest == 0:
        return np.ascontiguousarray(values_HWC[:, :, 0]), ["grey, stored in three equal channels"]
    if coloured > SHARE and colour == "refuse":
        raise refuse(
            name,
            f"is a colour picture: in {coloured:.2%} of its pixels the channels differ by more than {SPREAD:.1%} of "
            f"the range (grey stored as RGB stays below {SHARE:.2%})",
            "if it is an X-ray with marks in colour, read it with colour='luminance' (hilum look: --colour luminance)",
        )
    what = "a colour picture read by its luminance" if coloured > SHARE else "grey, stored in three channels"
    return _luminance(values_HWC), [f"{what} (channels differ by up to {widest / top:.1%} of the range)"]


def _measure(values_HWC: NDArray[Any], allowed: float) -> tuple[float, int]:
    """Share of the pixels whose channels are further apart than `allowed`, and the largest distance."""
    apart, widest = 0, 0
    for rows in _blocks(values_HWC):
        low = np.minimum(np.minimum(rows[..., 0], rows[..., 1]), rows[..., 2])
        high = np.maximum(np.maximum(rows[..., 0], rows[..., 1]), rows[..., 2])
        spread = high - low
        widest = max(widest, int(spread.max()))
        apart += int(np.count_nonzero(spread > allowed)) if widest > allowed else 0
    return apart / (values_HWC.shape[0] * values_HWC.shape[1]), widest


def _luminance(values_HWC: NDArray[Any]) -> NDArray[Any]:
    grey = np.empty(values_HWC.shape[:2], values_HWC.dtype)
    start = 0
    for rows in _blocks(values_HWC):
        grey[start : start + len(rows)] = np.rint(rows[..., :3] @ _LUMINANCE)
        start += len(rows)
    return grey


def _blocks(values_HWC: NDArray[Any]) -> list[NDArray[Any]]:
    step = max(1, _BLOCK // max(1, values_HWC.shape[1]))
    return [values_HWC[start : start + step] for start in range(0, values_HWC.shape[0], step)]
