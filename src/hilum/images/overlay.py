"""Heat laid over a radiograph, as colour and as the bytes of a PNG."""

from __future__ import annotations

import functools
import struct
import zlib

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError
from hilum.core.imaging import Pixels
from hilum.images._opencv import check_pixels
from hilum.images._png import SIGNATURE

Floats = npt.NDArray[np.float64]
Colours = npt.NDArray[np.uint8]

STRENGTH = 0.65
"""How much of a pixel is colour where heat is 1; where it is 0, none is."""

_STOPS = (
    (0.30, 0.13, 290.0),
    (0.45, 0.19, 320.0),
    (0.58, 0.19, 370.0),
    (0.72, 0.16, 410.0),
    (0.93, 0.15, 465.0),
)
"""Lightness, chroma and hue (degrees, increasing) in OKLCh: violet, magenta, red, orange, yellow."""

_LMS_OF_LAB = np.array(
    (
        (1.0, 0.3963377774, 0.2158037573),
        (1.0, -0.1055613458, -0.0638541728),
        (1.0, -0.0894841775, -1.2914855480),
    )
)
_RGB_OF_LMS = np.array(
    (
        (4.0767416621, -3.3077115913, 0.2309699292),
        (-1.2684380046, 2.6097574011, -0.3413193965),
        (-0.0041960863, -0.7034186147, 1.7076147010),
    )
)


def overlay(pixels: Pixels, heat: npt.NDArray[np.floating], *, strength: float = STRENGTH) -> Colours:
    """The image [1, H, W] in grey with heat [H, W] in [0, 1] over it in colour: uint8 RGB [H, W, 3].

    The share of colour grows with heat up to `strength`, so that cold places stay as they were. Raises ImageError for
    an array that is no image, InputError for heat of another size or outside [0, 1].
    """
    height, width = check_pixels(pixels)
    warm_HW = np.asarray(heat, dtype=np.float64)
    if warm_HW.shape != (height, width):
        raise InputError(
            f"Heat {list(warm_HW.shape)} does not fit an image of {[height, width]}; they must be equal."
        )
    if not np.all((warm_HW >= 0) & (warm_HW <= 1)) or not 0 <= strength <= 1:
        raise InputError("Heat and its strength must be from 0 to 1, and no NaN.")
    colours_HW3 = heat_colours()[np.rint(warm_HW * 255).astype(np.intp)]
    share_HW1 = (strength * warm_HW)[..., None]
    grey_HW1 = np.clip(pixels[0].astype(np.float64), 0, 1)[..., None] * 255
    return np.asarray(np.rint(grey_HW1 * (1 - share_HW1) + colours_HW3 * share_HW1), dtype=np.uint8)


@functools.cache
def heat_colours() -> Colours:
    """256 colours from cold (violet) to hot (yellow), uint8 RGB [256, 3], not to be written to.

    Lightness rises all the way and neighbours are equally far apart in OKLab, so that equal steps of heat look equal
    and the order can be seen without telling hues apart. OKLab: Ottosson 2020, A perceptual color space for image
    processing.
    """
    fine_NK = _curve(4096)
    gone = np.concatenate(((0.0,), np.cumsum(np.linalg.norm(np.diff(fine_NK, axis=0), axis=1))))
    even = np.linspace(0, gone[-1], 256)
    lab_NK = np.stack([np.interp(even, gone, fine_NK[:, k]) for k in range(3)], axis=1)
    colours = np.rint(_srgb(lab_NK) * 255).astype(np.uint8)
    colours.setflags(write=False)
    return colours


def _curve(count: int) -> Floats:
    """Points along the stops in OKLab, [count, 3]."""
    stops = np.array(_STOPS)
    at = np.linspace(0, len(stops) - 1, count)
    light, chroma, hue = (np.interp(at, np.arange(len(stops)), stops[:, k]) for k in range(3))
    angle = np.radians(hue)
    return np.stack((light, chroma * np.cos(angle), chroma * np.sin(angle)), axis=1)


def _srgb(lab_NK: Floats) -> Floats:
    """OKLab to sRGB in [0, 1]; what a screen cannot show is cut."""
    linear_NK = np.clip((lab_NK @ _LMS_OF_LAB.T) ** 3 @ _RGB_OF_LMS.T, 0, 1)
    curved_NK = 1.055 * linear_NK ** (1 / 2.4) - 0.055
    return np.asarray(np.where(linear_NK <= 0.0031308, 12.92 * linear_NK, curved_NK))


def png_of(colours: Colours) -> bytes:
    """A PNG of uint8 RGB [H, W, 3]. Equal colours give equal bytes. Raises InputError for another array."""
    if colours.ndim != 3 or colours.shape[2] != 3 or colours.dtype != np.uint8 or colours.size == 0:
        raise InputError(
            f"A colour picture must be uint8 [H, W, 3]; got {colours.dtype} {list(colours.shape)}."
        )
    height, width = colours.shape[:2]
    rows = np.zeros((height, 1 + width * 3), dtype=np.uint8)
    rows[:, 1:] = colours.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 6)), (b"IEND", b""))
    return SIGNATURE + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
