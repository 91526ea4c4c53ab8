"""Images a second that one core reads, resizes and augments, per format and size.

    python benchmarks/image_speed.py [--sides 320,1024,2500] [--to 320] [--seconds 1.5] [--json OUT]

The images are invented: a smooth field of waves with grain, 12 bits deep, square. JPEG has quality 95. Of DICOM there
are 16-bit files: raw pixels (Explicit VR Little Endian), RLE, JPEG lossless and JPEG 2000, as far as an encoder is
installed. `read`: bytes in memory to pixels in [0, 1]; `read + light`: read, `resize` to --to pixels with "pad", and
`augment` with the preset "light"; `resize`, `light`, `guard` are those steps alone, on pixels in memory. One thread.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from _common import table_lines, write_json
from hilum.core.rng import rng_for
from hilum.images._opencv import opencv
from hilum.images.guard import inspect
from hilum.images.read import read_image
from hilum.images.transforms import Framed, augment, get_augmentation, resize

COMPRESSED = {
    "dicom RLE": "1.2.840.10008.1.2.5",
    "dicom JPEG lossless": "1.2.840.10008.1.2.4.70",
    "dicom JPEG 2000": "1.2.840.10008.1.2.4.90",
}
PYDICOM_WRITES = (COMPRESSED["dicom RLE"], COMPRESSED["dicom JPEG 2000"])


def invented(side: int) -> NDArray[np.uint16]:
    """Waves and grain, 12 bits: uint16 [side, side]."""
    rng = rng_for(3, "speed", side)
    y, x = np.mgrid[0:side, 0:side] / side
    waves = sum(
        np.sin(2 * np.pi * (fx * x + fy * y) + phase)
        for fx, fy, phase in rng.uniform((0.3, 0.3, 0.0), (4.0, 4.0, 6.0), size=(6, 3))
    )
    smooth = (waves - waves.min()) / np.ptp(waves)
    grain = rng.normal(0.0, 0.004, size=(side, side))
    return np.uint16(np.clip(smooth * 0.9 + 0.05 + grain, 0.0, 1.0) * 4095)


def files(stored: NDArray[np.uint16]) -> Iterator[tuple[str, bytes]]:
    """The image in every format that can be written here: name, bytes of the file."""
    cv2 = opencv()
    eight = np.uint8(stored >> 4)
    yield "png 8 bits", cv2.imencode(".png", eight)[1].tobytes()
    yield "png 16 bits", cv2.imencode(".png", stored << 4)[1].tobytes()
    yield "jpeg", cv2.imencode(".jpg", eight, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    yield "dicom raw", dicom(stored, None)
    for name, syntax in COMPRESSED.items():
        try:
            yield name, dicom(stored, syntax)
        except (RuntimeError, NotImplementedError, ValueError, ImportError) as error:
            print(f"{name}: not measured, {error}", file=sys.stderr)


def dicom(stored: NDArray[np.uint16], syntax: str | None) -> bytes:
    """A DICOM file with these pixels, in a compressed transfer syntax if one is given."""
    from pydicom.dataset import FileDataset, FileMetaDataset  # noqa: PLC0415
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid  # noqa: PLC0415

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["speed"])
    written = FileDataset("speed.dcm", {}, file_meta=meta, preamble=b"\0" * 128)
    written.SOPClassUID, written.SOPInstanceUID = (
        meta.MediaStorageSOPClassUID,
        meta.MediaStorageSOPInstanceUID,
    )
    written.Rows, written.Columns = stored.shape
    written.SamplesPerPixel, written.PhotometricInterpretation = 1, "MONOCHROME2"
    written.BitsAllocated, written.BitsStored, written.HighBit, written.PixelRepresentation = 16, 12, 11, 0
    written.PixelData = stored.tobytes()
    written["PixelData"].VR = "OW"
    if syntax in PYDICOM_WRITES:
        written.compress(syntax, generate_instance_uid=False)
    out = io.BytesIO()
    written.save_as(out, enforce_file_format=True)
    return out.getvalue() if syntax in (None, *PYDICOM_WRITES) else transcoded(out.getvalue())


def transcoded(content: bytes) -> bytes:
    """The same file with its pixels as JPEG lossless, first-order prediction, by GDCM."""
    import gdcm  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "raw.dcm"), Path(folder, "lossless.dcm")
        source.write_bytes(content)
        reader, writer, change = gdcm.ImageReader(), gdcm.ImageWriter(), gdcm.ImageChangeTransferSyntax()
        reader.SetFileName(str(source))
        reader.Read()
        change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
        change.SetInput(reader.GetImage())
        if not change.Change():
            raise RuntimeError("GDCM cannot write it")
        writer.SetFileName(str(target))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        writer.Write()
        return target.read_bytes()


def rate(step: Callable[[], object], seconds: float) -> float:
    """How often a second the step is done, after one that is not counted."""
    step()
    done, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds or done < 3:
        step()
        done += 1
    return done / spent


def measure_file(content: bytes, to: int, seconds: float) -> dict[str, float]:
    """Rates of one file."""
    light = get_augmentation("light")
    rng = rng_for(0, "speed")

    def whole() -> object:
        return augment(Framed(resize(read_image(content, name="speed").pixels, to).pixels), light, rng)

    return {
        "read": rate(lambda: read_image(content, name="speed"), seconds),
        "read + light": rate(whole, seconds),
    }


def measure_steps(side: int, to: int, seconds: float) -> dict[str, float]:
    """Rates of the steps after reading."""
    pixels = (invented(side) / np.float32(4095)).astype(np.float32)[None]
    small = resize(pixels, to).pixels
    presets = ("light", "strong")
    rng = rng_for(1, "speed")
    return {
        "resize": rate(lambda: resize(pixels, to), seconds),
        **{p: rate(lambda p=p: augment(Framed(small), get_augmentation(p), rng), seconds) for p in presets},
        "guard": rate(lambda: inspect(pixels), seconds),
    }


def main() -> None:
    """Make, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sides", default="320,1024,2500")
    parser.add_argument("--to", type=int, default=320)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    opencv().setNumThreads(1)
    results: dict[str, dict[str, float]] = {}
    rows, steps = [], []
    for side in map(int, options.sides.split(",")):
        for name, content in files(invented(side)):
            found = measure_file(content, options.to, options.seconds)
            results[f"{name}, {side}"] = found
            rows.append(
                (name, str(side), f"{len(content) / 1e6:.2f}", *(f"{v:,.1f}" for v in found.values()))
            )
            print(f"{name} {side}", file=sys.stderr)
        found = measure_steps(side, options.to, options.seconds)
        results[f"steps, {side}"] = found
        steps.append((str(side), *(f"{v:,.0f}" for v in found.values())))
    print("images a second on one core")
    print("\n".join(table_lines(("format", "side", "MB", "read", f"read + light at {options.to}"), rows)))
    print("\nsteps alone, times a second")
    print("\n".join(table_lines(("side", f"resize to {options.to}", "light", "strong", "guard"), steps)))
    write_json(options.json, "image_speed", results)


if __name__ == "__main__":
    main()
