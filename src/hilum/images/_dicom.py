"""DICOM to pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hilum.core.errors import MissingExtraError
from hilum.images._colour import to_grey
from hilum.images._decoder_process import decode_frame
from hilum.images._dicom_codestream import codestream_size, rle_size
from hilum.images._dicom_levels import dicom_levels
from hilum.images._dicom_tags import spacing_of, upright, view_of
from hilum.images._dicom_walk import BIG, DEFLATED, EXPLICIT, IMPLICIT, Layout, inflated, walk
from hilum.images._levels import dark_note, full_levels, histogram, to_pixels
from hilum.images._picture import (
    Header,
    Options,
    Picture,
    ReadLimits,
    check_bytes,
    check_pixels,
    pick_frame,
    refuse,
)
from hilum.images._quiet import guarded
from hilum.images._source import Opened

_GREY = ("MONOCHROME1", "MONOCHROME2")
_SHAPE = ("Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored")
_TAGS = (
    *_SHAPE,
    "SpecificCharacterSet", "SOPClassUID", "Modality", "BodyPartExamined", "PresentationIntentType",
    "BurnedInAnnotation", "ViewPosition", "ViewCodeSequence", "SeriesDescription", "ProtocolName", "StudyDescription",
    "AcquisitionDeviceProcessingDescription", "PatientOrientation", "FieldOfViewRotation", "FieldOfViewHorizontalFlip",
    "PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "HighBit", "PixelRepresentation",
    "PlanarConfiguration", "NumberOfFrames", "PixelPaddingValue", "PixelPaddingRangeLimit", "RescaleSlope",
    "RescaleIntercept", "ModalityLUTSequence", "VOILUTSequence", "WindowCenter", "WindowWidth", "VOILUTFunction",
    "WindowCenterWidthExplanation", "PresentationLUTShape", "ShutterShape", "PixelData", "FloatPixelData",
    "DoubleFloatPixelData", "ExtendedOffsetTable", "ExtendedOffsetTableLengths", "PerFrameFunctionalGroupsSequence",
    "RedPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData", "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData",
)  # fmt: skip
_OPTIONS = {
    "rows": "Rows",
    "columns": "Columns",
    "samples_per_pixel": "SamplesPerPixel",
    "photometric_interpretation": "PhotometricInterpretation",
    "bits_allocated": "BitsAllocated",
    "bits_stored": "BitsStored",
    "pixel_representation": "PixelRepresentation",
    "planar_configuration": "PlanarConfiguration",
}
_RLE = "1.2.840.10008.1.2.5"
_HERE = {_RLE: "pydicom", "1.2.840.10008.1.2.4.50": "pillow", "1.2.840.10008.1.2.4.51": "pillow"}
_ELSEWHERE = {f"1.2.840.10008.1.2.4.{n}": "gdcm" for n in (57, 70, 80, 81)} | {
    f"1.2.840.10008.1.2.4.{n}": "pylibjpeg" for n in (90, 91, 201, 202, 203)
}
"""Transfer syntaxes whose decoders run in a process of their own: see `_decoder_process`."""


def dicom_header(source: Opened) -> Header:
    """Size, frames, bits and channels, without decoding. Raises ImageError as `read_dicom` does."""
    _, header = _open(source, ReadLimits(), [], pixels=False)
    return header


def read_dicom(source: Opened, options: Options, notes: list[str]) -> Picture:
    """The picture as the file asks viewers to show it, or by another intensity; `notes` gets what was done.

    Raises ImageError for what cannot or should not be read, before memory is used for it.
    """
    check_bytes(source.name, "has", source.size, options.limits)
    data, header = _open(source, options.limits, notes, pixels=True)
    frame = pick_frame(source.name, header, options.frame)
    check_pixels(source.name, header, options.limits)
    held = header.height * header.width * header.channels * (2 if header.bits > 8 else 1)
    check_bytes(source.name, "decodes to", held, options.limits)
    with guarded(source.name, "a DICOM file", notes):
        packed = _frame(source.name, data, header, frame, options.limits)
        values = _decode(data, packed, frame, notes)
        grey = str(data.PhotometricInterpretation) in _GREY
        if not grey:
            values, said = to_grey(values, source.name, options.colour)
            notes += said
        values, swapped = upright(values, data, orient=options.orient, notes=notes)
        pixels, shown = (_from_grey if grey else _from_colour)(values, data, options, notes)
        notes += [*dark_note(pixels, options.intensity), *_warnings(data)]
        spacing, spacing_from = spacing_of(data, notes)
        view, view_from = view_of(data)
        meta = _meta(
            data, header, {"presentation": shown, "spacing from": spacing_from, "view from": view_from}
        )
    spacing = (spacing[1], spacing[0]) if spacing and swapped else spacing
    return Picture(pixels, spacing, view, meta)


def _open(source: Opened, limits: ReadLimits, notes: list[str], *, pixels: bool) -> tuple[Any, Header]:
    """The data set, with the elements that are needed alone, and its header."""
    layout = walk(source)
    if layout.syntax == DEFLATED:
        source = inflated(source, layout, limits)
        layout = walk(source)._replace(syntax=DEFLATED)
    source.file.seek(0)
    try:
        from pydicom import dcmread  # noqa: PLC0415  (an extra)
    except ImportError as error:
        raise MissingExtraError("pydicom", "images") from error
    with guarded(source.name, "a DICOM file", notes):
        data = dcmread(source.file, force=True, specific_tags=list(_TAGS), stop_before_pixels=not pixels)
        _check_kind(source.name, data, layout)
        _name_syntax(data, layout, notes)
        return data, _header(source.name, data, "deflated, " if layout.syntax == DEFLATED else "")


def _check_kind(name: str, data: Any, layout: Layout) -> None:
    """Raises ImageError for DICOM files that hold no picture, or not one of grey values."""
    if not layout.has_pixels:
        kind = getattr(data.get("SOPClassUID"), "name", "") or getattr(
            data.file_meta.get("MediaStorageSOPClassUID"), "name", ""
        )
        raise refuse(
            name, f"is a DICOM file without pixel data{f' ({kind})' if kind else ''}", "give the image itself"
        )
    missing = [keyword for keyword in _SHAPE if data.get(keyword) in (None, "")]
    if missing:
        raise refuse(name, f"is a DICOM file that does not say its {', '.join(missing)}", "fetch it again")
    if int(data.BitsAllocated) not in (1, 8, 16) or not 1 <= int(data.BitsStored) <= int(data.BitsAllocated):
        bits = f"{data.BitsStored} bits stored in {data.BitsAllocated}"
        raise refuse(name, f"has {bits}; up to 16 bits in 1, 8 or 16 are read", "convert it to 16 bits")
    if int(data.SamplesPerPixel) not in (1, 3):
        raise refuse(
            name, f"has {data.SamplesPerPixel} samples per pixel; 1 or 3 are read", "convert it to grey"
        )


def _name_syntax(data: Any, layout: Layout, notes: list[str]) -> None:
    """What the decoder needs to know where the file leaves it out."""
    if not layout.syntax:
        data.file_meta.TransferSyntaxUID = IMPLICIT if layout.implicit else BIG if layout.big else EXPLICIT
        notes.append(f"it names no transfer syntax; read as {data.file_meta.TransferSyntaxUID.name}")
    if data.get("PixelRepresentation") is None:
        data.PixelRepresentation = 0
        notes.append("it does not say whether its values have a sign; read as unsigned")


def _header(name: str, data: Any, packed: str) -> Header:
    frames = data.get("NumberOfFrames")
    frames = 1 if frames in (None, "", 0) else int(frames)
    if frames < 1:
        raise refuse(name, f"says it has {frames} frames", "fetch it again")
    detail = f"{packed}{data.file_meta.TransferSyntaxUID.name}, {data.PhotometricInterpretation}"
    size = (int(data.Rows), int(data.Columns))
    return Header("DICOM", *size, frames, int(data.BitsStored), int(data.SamplesPerPixel), detail)


def _frame(name: str, data: Any, header: Header, frame: int, limits: ReadLimits) -> bytes | None:
    """The compressed bytes of a frame; None for pixels that are not compressed.

    Raises ImageError when they are of another size than the file says, or would unpack to too much.
    """
    syntax = data.file_meta.TransferSyntaxUID
    if not syntax.is_encapsulated:
        return None
    from pydicom.encaps import get_frame  # noqa: PLC0415  (an extra)

    packed = bytes(get_frame(data.PixelData, frame, number_of_frames=header.frames))
    if syntax == _RLE:
        if 64 * len(packed) > limits.max_bytes:
            check_bytes(name, "unpacks to", rle_size(packed), limits)
        return packed
    inside = codestream_size(packed)
    if inside is None:
        raise refuse(name, f"has pixel data that is no {syntax.name}", "fetch it again")
    if (inside.height, inside.width, inside.channels) != (header.height, header.width, header.channels):
        what = f"{inside.width} x {inside.height} x {inside.channels}"
        said = f"{header.width} x {header.height} x {header.channels}"
        raise refuse(name, f"says it is {said}, but its compressed pixels are {what}", "fetch it again")
    return packed


def _decode(data: Any, packed: bytes | None, frame: int, notes: list[str]) -> NDArray[Any]:
    """Stored values [H, W], or R, G, B [H, W, 3], of one frame."""
    from pydicom.pixels.decoders.base import get_decoder  # noqa: PLC0415  (an extra)
    from pydicom.pixels.processing import apply_color_lut  # noqa: PLC0415

    syntax = data.file_meta.TransferSyntaxUID
    plugin = _ELSEWHERE.get(syntax)
    if packed is not None and plugin:
        options = {name: getattr(data, keyword) for name, keyword in _OPTIONS.items() if keyword in data}
        values, complaints = decode_frame(
            packed, syntax=syntax, plugin=plugin, options={**options, "number_of_frames": 1}
        )
        notes += [f"warning of the decoder: {complaint}" for complaint in complaints]
    else:
        values, _ = get_decoder(syntax).as_array(data, index=frame, decoding_plugin=_HERE.get(syntax, ""))
    if str(data.PhotometricInterpretation) == "PALETTE COLOR":
        values = apply_color_lut(values, data)
    return np.asarray(values)


def _from_grey(
    values_HW: NDArray[Any], data: Any, options: Options, notes: list[str]
) -> tuple[NDArray[np.float32], str]:
    """Pixels of MONOCHROME1 and MONOCHROME2, and what is shown, in words."""
    levels, padding, words = dicom_levels(data, notes)
    pixels = to_pixels(values_HW, levels, intensity=options.intensity, padding=padding)
    if padding is not None:
        share = histogram(values_HW, levels)[padding].sum() / values_HW.size
        notes += [f"{share:.1%} of its pixels are padding, now black"] if share else []
    if options.intensity != "voi":
        return pixels, options.intensity
    if levels.shown is None:
        notes.append("it asks for no window or VOI LUT: its full range is shown")
        return pixels, "full"
    return pixels, words


def _from_colour(
    values_HW: NDArray[Any], data: Any, options: Options, notes: list[str]
) -> tuple[NDArray[np.float32], str]:
    """Pixels of what was a colour image; windows are for grey values and do not count."""
    bits = (
        8 * values_HW.itemsize if data.PhotometricInterpretation == "PALETTE COLOR" else int(data.BitsStored)
    )
    intensity = "full" if options.intensity == "voi" else options.intensity
    if data.get("WindowCenter") is not None and options.intensity == "voi":
        notes.append("it is stored in colour, for which its window does not count")
    return to_pixels(values_HW, full_levels(bits), intensity=intensity), intensity


def _warnings(data: Any) -> list[str]:
    """What the file itself says one should know."""
    facts = (
        (data.get("PresentationIntentType") == "FOR PROCESSING", "the file says it is raw, FOR PROCESSING"),
        (data.get("BurnedInAnnotation") == "YES", "the file says that text is burned into the picture"),
        (bool(data.get("ShutterShape")), "the file asks for a display shutter, which is not applied"),
        (
            bool(data.get("PerFrameFunctionalGroupsSequence")),
            "the frames may have presentations of their own, which are not applied",
        ),
    )
    return [note for true, note in facts if true]


def _meta(data: Any, header: Header, more: dict[str, str]) -> dict[str, str]:
    sign = "signed" if int(data.PixelRepresentation) else "unsigned"
    said = {
        "format": "DICOM",
        "stored size": f"{header.width} x {header.height}",
        "stored as": f"{data.BitsStored}-bit {sign}, {header.detail}",
        "modality": str(data.get("Modality") or ""),
        "body part": str(data.get("BodyPartExamined") or ""),
        "view position": str(data.get("ViewPosition") or ""),
    }
    return {key: value for key, value in (said | more).items() if value}
