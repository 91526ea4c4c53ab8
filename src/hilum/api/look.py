"""One image as a model will see it, with what its file says and what is odd about it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hilum.analyses._output import write_whole
from hilum.core.errors import InputError, OutputError
from hilum.core.rng import rng_for
from hilum.tables.write import check_writable

if TYPE_CHECKING:
    from hilum.core.imaging import Pixels
    from hilum.images.guard import Concern
    from hilum.images.read import Header, Picture
    from hilum.images.transforms import Framed

_GAP = 4
_MOST_COPIES = 400
_MOST_PIXELS = 100_000_000


@dataclass(frozen=True, eq=False)
class Look:
    """What was seen: the file's header, the picture as read, concerns, the resized image, augmented copies of it.

    `seen` and the pixels of `copies` are float32 [1, H, W] in [0, 1]. `output`: the PNG that was written, or None.
    """

    source: Path
    header: Header
    picture: Picture
    concerns: tuple[Concern, ...]
    seen: Pixels
    copies: tuple[Framed, ...]
    output: Path | None


@dataclass(frozen=True, slots=True)
class LookOptions:
    """How an image is looked at.

    `size`: sides of what the model sees; `fit`: a name of `images.transforms.FITS`; `pad_value`: what "pad" adds.
    `augment`: a name of `AUGMENTATIONS`, drawn from `seed`. With `copies` the PNG is a sheet: the image as it is, then
    that many augmented copies, row by row; without, an `augment` other than "none" gives one copy alone. `frame` and
    `colour` are those of `read_image`. Raises InputError for a size or count that is not allowed.
    """

    size: int = 320
    fit: str = "pad"
    pad_value: float = 0.0
    augment: str = "none"
    seed: int = 0
    copies: int = 0
    frame: int | None = None
    colour: str = "refuse"

    def __post_init__(self) -> None:
        if not 1 <= self.size <= 8192:
            raise InputError(f"The size {self.size} is not allowed; allowed: 1 to 8,192 pixels.")
        if not 0 <= self.copies <= _MOST_COPIES:
            raise InputError(f"{self.copies} copies are not allowed; allowed: 0 to {_MOST_COPIES}.")
        if self.copies and (math.ceil(math.sqrt(self.copies + 1)) * self.size) ** 2 > _MOST_PIXELS:
            raise InputError(
                f"A sheet of {self.copies} copies of {self.size} x {self.size} pixels is too large. "
                "Next step: fewer or smaller ones."
            )


def look_at(
    source: str | Path, *, output: str | Path | None = None, options: LookOptions | None = None
) -> Look:
    """Read an image, check it, resize it and, if `output` is given, write that as an 8-bit PNG.

    Raises ImageError for a file that is no usable image, UnknownNameError for a name, OutputError when the PNG cannot
    be written, MissingExtraError without the packages of the extra `images`.
    """
    from hilum.images.guard import inspect  # noqa: PLC0415 - OpenCV
    from hilum.images.read import read_header, read_image  # noqa: PLC0415
    from hilum.images.transforms import Framed, augment, get_augmentation, resize  # noqa: PLC0415

    options = options or LookOptions()
    chosen = get_augmentation(options.augment)
    dest = None if output is None else _check_output(Path(output), Path(source))
    header = read_header(Path(source))
    picture = read_image(Path(source), frame=options.frame, colour=options.colour)
    concerns = inspect(picture.pixels, view=picture.view, spacing_mm=picture.spacing_mm)
    seen = resize(picture.pixels, options.size, fit=options.fit, pad_value=options.pad_value).pixels
    drawn = tuple(
        augment(Framed(seen), chosen, rng_for(options.seed, "look", copy))
        for copy in range(max(options.copies, int(options.augment != "none")))
    )
    if dest is not None:
        tiles = [seen, *(copy.pixels for copy in drawn)]
        write_whole(dest, png_bytes(contact_sheet(tiles) if options.copies else tiles[-1]))
    return Look(Path(source), header, picture, concerns, seen, drawn, dest)


def contact_sheet(tiles: Sequence[Pixels]) -> Pixels:
    """Images of one size in rows, about as many rows as columns, with white lines between: float32 [1, H, W]."""
    columns = math.ceil(math.sqrt(len(tiles)))
    rows = math.ceil(len(tiles) / columns)
    height, width = tiles[0].shape[1:]
    sheet: Pixels = np.ones(
        (1, rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP), dtype=np.float32
    )
    for place, tile in enumerate(tiles):
        top, left = (place // columns) * (height + _GAP), (place % columns) * (width + _GAP)
        sheet[:, top : top + height, left : left + width] = tile
    return sheet


def png_bytes(pixels: Pixels) -> bytes:
    """An 8-bit grey PNG of an image in [0, 1]; values are rounded to the nearest of 256."""
    from hilum.images._opencv import opencv  # noqa: PLC0415

    plane: NDArray[np.uint8] = np.rint(np.clip(pixels[0], 0.0, 1.0) * 255.0).astype(np.uint8)
    _, encoded = opencv().imencode(".png", plane)
    return bytes(encoded.tobytes())


def _check_output(dest: Path, source: Path) -> Path:
    if dest.suffix.casefold() != ".png":
        raise OutputError(f"{dest} is no name of a PNG. Next step: end it in .png.")
    if dest.exists() and source.exists() and dest.samefile(source):
        raise OutputError(f"{dest} is the image itself. Next step: give another name for what is written.")
    check_writable(dest)
    return dest
