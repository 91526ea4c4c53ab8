"""DICOM files made on the spot from invented pixels."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
    SecondaryCaptureImageStorage,
)

HTJ2K_8 = (
    "/0//UQApQAAAAAAQAAAADAAAAAAAAAAAAAAAEAAAAAwAAAAAAAAAAAABBwEB/1AACAACAAAAAv9SAAwAAgABAAUEBEAB/1wAEyBIUFBQ"
    "UFBQUFBQUFBQSEhI/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAAMEAAf+TwCXHAId0AADAEsASwBGA7AEHdAD0AId0ABdz"
    "AMAToAkAAM7+AIh0APEKMwDAFXAFXAFYYMLQVmlu7AJZlgAMgmZsQOT3OvqXACQF4YDtQAOfaSG3AMAt6AW9ALaAVgIEBSIfJIQBoQoQ"
    "8Ek5/UADIXja+d3h3lTvhe4AhBCC3hqYQCIHAieA+ln5QDiSVyO/cO/iWhN7n78AyEqyUjmqspYK8P83YBCD3M7fGn1tfnR0XgD/2Q=="
)
"""`htj2k_values()` as OpenJPH 0.26.3 encodes it: no encoder for HTJ2K is among the packages of the tests."""

WRITTEN_BY_PYDICOM = {
    "implicit little-endian": ImplicitVRLittleEndian,
    "explicit little-endian": ExplicitVRLittleEndian,
    "explicit big-endian": ExplicitVRBigEndian,
    "deflated": DeflatedExplicitVRLittleEndian,
    "RLE": RLELossless,
    "JPEG 2000 lossless": JPEG2000Lossless,
}
WRITTEN_BY_GDCM = (
    "JPEGLosslessProcess14",
    "JPEGLosslessProcess14_1",
    "JPEGLSLossless",
    "JPEGLSNearLossless",
    "JPEG2000Lossless",
    "JPEG2000",
    "JPEGBaselineProcess1",
    "JPEGExtendedProcess2_4",
)


def ramp(height: int = 40, width: int = 52, *, bits: int = 12, signed: bool = False) -> np.ndarray:
    """Values all over what `bits` bits can hold, both ends included."""
    y, x = np.mgrid[0:height, 0:width]
    values = (x * 977 + y * 1231 + (x * y) % 37) % (1 << bits)
    values[0, :2] = 0, (1 << bits) - 1
    return values - (1 << (bits - 1)) if signed else values


def htj2k_values() -> np.ndarray:
    y, x = np.mgrid[0:12, 0:16]
    return (x * 13 + y * 7 + (x * y) % 5) % 256


def made(values: np.ndarray, *, bits: int = 12, signed: bool = False, **tags: Any) -> Dataset:
    """A data set of grey values [H, W], frames [N, H, W] or colours [H, W, 3]; `tags` by keyword, None removes."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = SecondaryCaptureImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = UID("1.2.826.0.1.3680043.8.498.1")
    colour = values.ndim == 3 and values.shape[-1] == 3
    data.Rows, data.Columns = values.shape[:2] if colour else values.shape[-2:]
    data.SamplesPerPixel = 3 if colour else 1
    data.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        data.PlanarConfiguration = 0
    if values.ndim == 3 and not colour:
        data.NumberOfFrames = len(values)
    data.BitsAllocated, data.BitsStored, data.HighBit = (16 if bits > 8 else 8), bits, bits - 1
    data.PixelRepresentation = int(signed)
    kind = f"<{'i' if signed else 'u'}{2 if bits > 8 else 1}"
    data.PixelData = values.astype(kind).tobytes() + b"\0" * (values.size % 2 if bits <= 8 else 0)
    for keyword, value in tags.items():
        if value is None:
            delattr(data, keyword)
        else:
            setattr(data, keyword, value)
    return data


def lut(entries: np.ndarray, *, first: int, bits: int) -> list[Dataset]:
    """A modality or VOI LUT sequence of one item."""
    item = Dataset()
    item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [len(entries) % 65536, first, bits])
    item.add_new("LUTData", "OW", entries.astype("<u2").tobytes())
    return [item]


def packed(data: Dataset, syntax: UID = ExplicitVRLittleEndian) -> bytes:
    """The bytes of a file in a transfer syntax that pydicom writes itself."""
    if syntax == ExplicitVRBigEndian:
        data.PixelData = np.frombuffer(data.PixelData, "<u2").astype(">u2").tobytes()
    if syntax.is_encapsulated:
        data.compress(syntax, generate_instance_uid=False)
    data.file_meta.TransferSyntaxUID = syntax
    file = io.BytesIO()
    data.save_as(file, enforce_file_format=True)
    return file.getvalue()


def recoded(data: Dataset, name: str, folder: Path) -> bytes | None:
    """The bytes of a file in a transfer syntax that GDCM writes; None when it cannot."""
    import gdcm

    plain, coded = folder / "plain.dcm", folder / "coded.dcm"
    plain.write_bytes(packed(data))
    reader = gdcm.ImageReader()
    reader.SetFileName(str(plain))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, name)))
    change.SetInput(reader.GetImage())
    if not change.Change():
        return None
    writer = gdcm.ImageWriter()
    writer.SetImage(change.GetOutput())
    writer.SetFile(reader.GetFile())
    writer.SetFileName(str(coded))
    return coded.read_bytes() if writer.Write() else None


def htj2k() -> bytes:
    data = made(htj2k_values(), bits=8)
    data.PixelData = encapsulate([base64.b64decode(HTJ2K_8)])
    data["PixelData"].is_undefined_length = True
    data.file_meta.TransferSyntaxUID = HTJ2KLossless
    file = io.BytesIO()
    data.save_as(file, enforce_file_format=True)
    return file.getvalue()
