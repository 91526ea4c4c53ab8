"""Files of images to pixels: PNG, JPEG and DICOM, told apart by their content."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Literal

from hilum.core.errors import ImageError
from hilum.images._borders import crop, measure_borders
from hilum.images._picture import COLOURS, INTENSITIES, Header, Options, Picture, ReadLimits
from hilum.images._raster import raster_header, read_raster
from hilum.images._source import DICOM, Opened, Source, detect, opened

__all__ = [
    "COLOURS",
    "INTENSITIES",
    "Header",
    "Picture",
    "ReadLimits",
    "read_header",
    "read_image",
    "read_images",
]

_LIMITS = ReadLimits()
_BORDER_SHARE = 0.02


def read_image(
    source: Source,
    *,
    name: str | None = None,
    frame: int | None = None,
    limits: ReadLimits = _LIMITS,
    intensity: str = "voi",
    colour: str = "refuse",
    crop_borders: bool = False,
    orient: bool = True,
) -> Picture:
    """One image: pixels float32 [1, H, W] in [0, 1], air dark and bone bright as far as the file says it.

    `source`: a path, the bytes of a file, or an open file; `name` is what messages call it. `frame`: which one, from
    0, of a file with several. `intensity`: one of INTENSITIES. `colour`: one of COLOURS. `crop_borders`: cut the even
    margins off that `Picture.borders` always counts. `orient`: turn and mirror as EXIF orientation and
    PatientOrientation ask for, so that the patient's left is on the right and the head is up.
    Raises ImageError, naming the file, what is wrong and what to do, for everything that is not one usable image,
    and MissingExtraError when a decoder is not installed. Warnings of decoders become notes.
    """
    options = Options(frame, limits, intensity, colour, crop_borders, orient)
    with opened(source, name) as file:
        kind, notes = detect(file)
        return _finish(_read(file, kind, options, notes), options, notes)


def _read(file: Opened, kind: str, options: Options, notes: list[str]) -> Picture:
    if kind == DICOM:
        from hilum.images._dicom import read_dicom  # noqa: PLC0415  (loads pydicom)

        return read_dicom(file, options, notes)
    return read_raster(file, kind, options, notes)


def _finish(picture: Picture, options: Options, notes: list[str]) -> Picture:
    """The picture with borders measured, cropped if asked for, and all notes."""
    borders = measure_borders(picture.pixels)
    height, width = picture.pixels.shape[1:]
    cropped = options.crop_borders and any(borders)
    if (
        cropped
        or max(borders[0] / height, borders[1] / height, borders[2] / width, borders[3] / width)
        > _BORDER_SHARE
    ):
        sides = ", ".join(
            f"{n} {side}" for n, side in zip(borders, ("top", "bottom", "left", "right"), strict=True)
        )
        notes.append(
            f"even margins, lines: {sides}; {'cut off' if cropped else 'kept (in Python, crop_borders=True cuts them)'}"
        )
    pixels = crop(picture.pixels, borders) if cropped else picture.pixels
    return replace(picture, pixels=pixels, notes=tuple(notes), borders=borders)


def read_images(
    sources: Iterable[Source], *, on_error: Literal["yield", "raise"] = "yield", **options: object
) -> Iterator[Picture | ImageError]:
    """One Picture or one ImageError per source, in order, so that a bad file costs no good one.

    `on_error="raise"` raises the first ImageError instead. `options` are those of `read_image`.
    """
    for source in sources:
        try:
            yield read_image(source, **options)  # type: ignore[arg-type]
        except ImageError as error:
            if on_error == "raise":
                raise
            yield error


def read_header(source: Source, *, name: str | None = None) -> Header:
    """Format, size as stored, frames, bits and channels, without decoding. Raises ImageError as `read_image` does."""
    with opened(source, name) as file:
        kind, _ = detect(file)
        if kind == DICOM:
            from hilum.images._dicom import dicom_header  # noqa: PLC0415  (loads pydicom)

            return dicom_header(file)
        return raster_header(file, kind)
