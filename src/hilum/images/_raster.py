"""PNG and JPEG to pixels."""

from __future__ import annotations

import io
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hilum.core.errors import MissingExtraError
from hilum.images._colour import to_grey
from hilum.images._levels import dark_note, full_levels, to_pixels
from hilum.images._picture import Header, Options, Picture, check_bytes, check_pixels, pick_frame
from hilum.images._png import checked_bytes, png_header, read_chunks
from hilum.images._quiet import guarded
from hilum.images._source import PNG, Opened
from hilum.images._strips import box_mean, to_array

_ORIENTATION = 0x0112
_TURNS = {
    2: "mirrored",
    3: "turned by 180 degrees",
    4: "turned upside down and mirrored",
    5: "turned left by 90 degrees and mirrored upside down",
    6: "turned right by 90 degrees",
    7: "turned right by 90 degrees and mirrored upside down",
    8: "turned left by 90 degrees",
}
_LARGEST_DRAFT = 8


class Raster(NamedTuple):
    """A decoded frame: values [H, W] or [H, W, C] of 8 or 16 bits, EXIF orientation, by how much it was reduced."""

    values: NDArray[Any]
    orientation: int = 1
    factor: int = 1


def raster_header(source: Opened, kind: str) -> Header:
    """Format, size, frames, bits and channels. Raises ImageError for truncated and damaged files."""
    if kind == PNG:
        return png_header(source.file, read_chunks(source.file, source.size, source.name), source.name)
    with guarded(source.name, "a JPEG", []):
        return _jpeg_header(_open_jpeg(source))


def read_raster(source: Opened, kind: str, options: Options, notes: list[str]) -> Picture:
    """The picture; `notes` gets what was done. Raises ImageError for what cannot or should not be read."""
    check_bytes(source.name, "has", source.size, options.limits)
    header, raster = (_read_png if kind == PNG else _read_jpeg)(source, options, notes)
    values = _one_channel(raster.values, source.name, options, notes)
    if raster.factor > 1:
        notes.append(f"reduced to 1/{raster.factor} of its {header.width:,} x {header.height:,} pixels")
    if raster.orientation in _TURNS:
        values = _turn(values, raster.orientation) if options.orient else values
        done = _TURNS[raster.orientation] if options.orient else "left as stored"
        notes.append(f"EXIF orientation {raster.orientation}: {done}")
    pixels = to_pixels(values, full_levels(8 * values.itemsize), intensity=options.intensity)
    notes += dark_note(pixels, options.intensity)
    meta = {
        "format": header.format,
        "stored size": f"{header.width} x {header.height}",
        "stored as": f"{header.bits}-bit {header.detail}",
        "intensity": "full" if options.intensity == "voi" else options.intensity,
    }
    return Picture(pixels, meta=meta)


def _read_png(source: Opened, options: Options, notes: list[str]) -> tuple[Header, Raster]:
    chunks = read_chunks(source.file, source.size, source.name)
    header = png_header(source.file, chunks, source.name)
    frame = pick_frame(source.name, header, options.frame)
    factor = check_pixels(source.name, header, options.limits)
    depth = 2 if header.bits > 8 else 1
    held = depth if header.channels == 1 and header.detail != "palette" else 4 * depth
    check_bytes(source.name, "decodes to", header.height * header.width * held, options.limits)
    data = checked_bytes(source.file, chunks, source.name)
    with guarded(source.name, "a PNG", notes):
        if header.bits > 8 and header.channels > 1 and frame == 0:
            return header, Raster(box_mean(_decode_deep(data), factor), factor=factor)
        picture = _plugins().png.PngImageFile(io.BytesIO(data))
        picture.seek(frame)
        orientation = _orientation(picture)
        return header, Raster(to_array(_plain(picture), factor), orientation, factor)


def _read_jpeg(source: Opened, options: Options, notes: list[str]) -> tuple[Header, Raster]:
    with guarded(source.name, "a JPEG", notes):
        picture = _open_jpeg(source)
        header = _jpeg_header(picture)
    frame = pick_frame(source.name, header, options.frame)
    factor = check_pixels(source.name, header, options.limits)
    drafted = max((f for f in (1, 2, 4, _LARGEST_DRAFT) if f <= factor), default=1)
    drafted = min(drafted * 2, _LARGEST_DRAFT) if drafted < factor else drafted
    size = header.height * header.width
    held = size * (1 if header.channels == 1 else 4) // drafted**2
    held += 2 * size * header.channels if picture.info.get("progressive") else 0
    check_bytes(source.name, "decodes to", held, options.limits)
    with guarded(source.name, "a JPEG", notes):
        notes += _tolerance()
        picture.seek(frame)
        orientation = _orientation(picture)
        if drafted > 1:
            picture.draft(None, (max(1, header.width // drafted), max(1, header.height // drafted)))
        rest = -(-factor // drafted)
        return header, Raster(to_array(_plain(picture), rest), orientation, drafted * rest)


class _Plugins(NamedTuple):
    png: Any
    jpeg: Any


def _plugins() -> _Plugins:
    """Pillow's two decoders themselves: no other format can be reached, and the limits are ours."""
    try:
        from PIL import JpegImagePlugin, PngImagePlugin  # noqa: PLC0415  (an extra)
    except ImportError as error:
        raise MissingExtraError("pillow", "images") from error
    return _Plugins(PngImagePlugin, JpegImagePlugin)


def _open_jpeg(source: Opened) -> Any:
    source.file.seek(0)
    return _plugins().jpeg.jpeg_factory(source.file)


def _jpeg_header(picture: Any) -> Header:
    channels = len(picture.getbands())
    kind = {1: "grey", 3: "RGB", 4: "CMYK"}.get(channels, picture.mode)
    detail = f"progressive {kind}" if picture.info.get("progressive") else kind
    return Header("JPEG", picture.height, picture.width, getattr(picture, "n_frames", 1), 8, channels, detail)


def _tolerance() -> list[str]:
    """A note when this process has told Pillow to fill up truncated pictures, which hides them from us."""
    from PIL import ImageFile  # noqa: PLC0415  (an extra)

    told = "Pillow is set to fill truncated pictures with grey (LOAD_TRUNCATED_IMAGES); this one may be cut"
    return [told] if ImageFile.LOAD_TRUNCATED_IMAGES else []


def _orientation(picture: Any) -> int:
    turn = picture.getexif().get(_ORIENTATION, 1)
    return turn if turn in _TURNS else 1


def _turn(values_HW: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Upright, as EXIF orientation 2 to 8 asks for (Exif 2.3, tag 0x0112)."""
    turned = {
        2: lambda v: v[:, ::-1],
        3: lambda v: v[::-1, ::-1],
        4: lambda v: v[::-1],
        5: lambda v: v.T,
        6: lambda v: v.T[:, ::-1],
        7: lambda v: v[::-1, ::-1].T,
        8: lambda v: v.T[::-1],
    }[orientation](values_HW)
    return np.ascontiguousarray(turned)


def _plain(picture: Any) -> Any:
    """The picture as L, LA, RGB, RGBA or 16-bit grey: palettes, bits and CMYK are resolved."""
    clear = "transparency" in picture.info
    if picture.mode in ("1", "L"):
        return picture.convert("LA") if clear else picture.convert("L") if picture.mode == "1" else picture
    if picture.mode in ("P", "RGB"):
        return picture.convert("RGBA") if clear else picture.convert("RGB")
    return picture.convert("RGB") if picture.mode in ("CMYK", "YCbCr", "LAB", "PA") else picture


def _decode_deep(data: bytes) -> NDArray[Any]:
    """A PNG of 16 bits and several channels, R, G, B(, A): uint16 [H, W, C]; Pillow would keep 8 bits of it."""
    try:
        import cv2  # noqa: PLC0415  (an extra)
    except ImportError as error:
        raise MissingExtraError("opencv-python-headless", "images") from error
    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None:
        raise ValueError("its data is broken")
    order = [2, 1, 0, 3][: values.shape[2]]
    return np.asarray(values)[:, :, order]


def _one_channel(values: NDArray[Any], name: str, options: Options, notes: list[str]) -> NDArray[Any]:
    """Grey values [H, W], uint8 or uint16; what is transparent is black."""
    if values.dtype not in (np.uint8, np.uint16):
        values = values.astype(np.uint16)
    if values.ndim == 2:
        return values
    colours = values.shape[2] - 1 + values.shape[2] % 2
    if colours < values.shape[2]:
        values = _over_black(values, notes)
    if colours == 1:
        return np.ascontiguousarray(values[:, :, 0])
    grey, said = to_grey(values, name, options.colour)
    notes += said
    return grey


def _over_black(values_HWC: NDArray[Any], notes: list[str]) -> NDArray[Any]:
    """The colour channels, weighted by the last one, alpha."""
    alpha = values_HWC[:, :, -1:]
    top = np.iinfo(values_HWC.dtype).max
    if int(alpha.min()) == top:
        return values_HWC[:, :, :-1]
    notes.append(f"{float((alpha < top).mean()):.1%} of its pixels are transparent; black is behind them")
    weighted = values_HWC[:, :, :-1].astype(np.uint64) * alpha + top // 2
    return np.asarray(weighted // top).astype(values_HWC.dtype)
