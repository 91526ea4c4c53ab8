"""What the readers of image files hand out, what they are asked for, and how they refuse."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from hilum.core.errors import ImageError, UnknownNameError
from hilum.core.imaging import Pixels, View

INTENSITIES: Mapping[str, str] = {
    "voi": "DICOM: what the file asks viewers to show (modality LUT, then VOI LUT or first window); else as full",
    "full": "every value that can be stored, from the lowest (0) to the highest (1), after the modality LUT",
    "range": "the lowest value that occurs is 0, the highest is 1",
    "percentile": "the 0.5th percentile of the values is 0, the 99.5th is 1; what lies outside is cut",
}
"""Named ways from stored values to [0, 1]. Padding counts in none of them and is black in all."""

COLOURS: Mapping[str, str] = {
    "refuse": "a picture that is truly coloured is an ImageError",
    "luminance": "a picture that is truly coloured is read by its luminance (ITU-R BT.601)",
}
"""What is done with colour. Pictures whose three channels agree are grey for both."""

READABLE = "hilum reads PNG, JPEG and DICOM"


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """How much one file may cost.

    `max_pixels`: most pixels of one frame. `max_bytes`: most bytes of the file, of what is inflated from it, and of
    its decoded frame, each. `reduce`: read a PNG or JPEG of more than `max_pixels` at 1/2, 1/3, ... of its size
    (JPEG: 1/2, 1/4, 1/8) instead of refusing it, as long as `max_bytes` holds.
    """

    max_pixels: int = 100_000_000
    max_bytes: int = 1 << 30
    reduce: bool = False


@dataclass(frozen=True, slots=True)
class Options:
    """How a file is read; see `read_image`."""

    frame: int | None = None
    limits: ReadLimits = field(default_factory=ReadLimits)
    intensity: str = "voi"
    colour: str = "refuse"
    crop_borders: bool = False
    orient: bool = True

    def __post_init__(self) -> None:
        if self.intensity not in INTENSITIES:
            raise UnknownNameError("intensity", self.intensity, INTENSITIES)
        if self.colour not in COLOURS:
            raise UnknownNameError("way with colour", self.colour, COLOURS)


@dataclass(frozen=True, eq=False)
class Picture:
    """One image as it was read.

    `pixels`: float32 [1, H, W] in [0, 1], 0 black. `spacing_mm`: size of a pixel (down, across) where the file says
    it. `meta`: what the file says of itself, and nothing of who is on it. `notes`: what one should know: what was
    done, what was odd. `borders`: how many lines of even brightness each side has (top, bottom, left, right),
    measured before any cropping.
    """

    pixels: Pixels
    spacing_mm: tuple[float, float] | None = None
    view: View = View.UNKNOWN
    meta: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    borders: tuple[int, int, int, int] = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says before it is decoded: format, size as stored, frames, bits and channels of a pixel."""

    format: str
    height: int
    width: int
    frames: int = 1
    bits: int = 8
    channels: int = 1
    detail: str = ""


def refuse(name: str, what: str, step: str) -> ImageError:
    """The error for the file `name`: what is wrong with it, what could be read, what to do next."""
    return ImageError(f"{name} {what}. {READABLE}. Next step: {step}.")


def check_pixels(name: str, header: Header, limits: ReadLimits) -> int:
    """By how much a frame must be reduced, 1 for not at all.

    Raises ImageError, before any memory is taken, when it has no pixels, or too many and may not be reduced.
    """
    if header.height < 1 or header.width < 1:
        raise refuse(name, f"says it is {header.width} x {header.height} pixels", "check how it was written")
    pixels = header.height * header.width
    if pixels <= limits.max_pixels:
        return 1
    reducible = header.format != "DICOM"
    if reducible and limits.reduce:
        return math.ceil(math.sqrt(pixels / max(1, limits.max_pixels)))
    smaller = ", or ask for a smaller picture of it with ReadLimits(reduce=True)" if reducible else ""
    raise refuse(
        name,
        f"is {header.width:,} x {header.height:,} = {pixels:,} pixels; the limit max_pixels is {limits.max_pixels:,}",
        f"allow it with limits=ReadLimits(max_pixels={pixels}){smaller}",
    )


def check_bytes(name: str, what: str, size: int, limits: ReadLimits) -> None:
    """Raises ImageError when `what` of the file, "has" or "decodes to", is more bytes than allowed."""
    if size > limits.max_bytes:
        raise refuse(
            name,
            f"{what} {size:,} bytes; the limit max_bytes is {limits.max_bytes:,}",
            f"allow it with limits=ReadLimits(max_bytes={size})",
        )


def pick_frame(name: str, header: Header, frame: int | None) -> int:
    """Which frame to read, from 0. Raises ImageError when there are several and none was picked, or not that one."""
    if frame is None and header.frames == 1:
        return 0
    last = header.frames - 1
    if frame is None:
        raise refuse(name, f"has {header.frames:,} frames", f"pick one with frame=N, N from 0 to {last}")
    if not 0 <= frame <= last:
        count = "1 frame" if last == 0 else f"{header.frames:,} frames"
        raise refuse(name, f"has {count}, not a frame {frame}", f"pick one with frame=N, N from 0 to {last}")
    return frame
