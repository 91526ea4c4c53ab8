"""Does the image reader read real files rightly, how fast, and within which memory?

    python benchmarks/image_reader.py --data DIR [--seconds 0.5] [--json OUT]

DIR is a folder with `nih_1000/images`, `covid_notes/pairs.csv`, `vqa_rad_chest/images`, `openi/images` and `dicom`, of
which those that are there are read. Nothing of it is written anywhere.

- How many images are read, and why others are refused; how many have even margins, and other notes.
- The two DICOM files that differ in MONOCHROME1 alone: the largest distance from 1 minus the other.
- Against pydicom's own functions on the whole array, on the DICOM files and on made ones of every kind.
- Grey that was stored as RGB JPEG, with noise and tints, and with marks in colour: what is read, what is refused.
- Images per second of processor time, per format and size, each made from images of DIR by enlarging, with noise.
- Memory for a PNG of 20,000 x 20,000 pixels made on the spot.
"""

from __future__ import annotations

import argparse
import csv
import io
import itertools
import subprocess
import sys
import tempfile
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from struct import pack
from typing import Any

import cv2
import gdcm
import numpy as np
import psutil
from PIL import Image, ImageDraw
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from _common import table_lines, write_json
from hilum.core.errors import ImageError
from hilum.core.rng import rng_for
from hilum.images.read import Picture, ReadLimits, read_image, read_images

SIZES = ((384, 384), (1024, 1024), (2500, 2048))
SIDE = 20_000
TOLERANCE = 1e-6


def files_of(data: Path) -> dict[str, list[Path]]:
    """The images of each set, in order: for `covid_notes` one per row of its table, as its notes are."""
    folders = {name: data / name / "images" for name in ("nih_1000", "vqa_rad_chest", "openi")}
    found = {name: sorted(p for p in folder.glob("*") if p.is_file()) for name, folder in folders.items()}
    pairs = data / "covid_notes" / "pairs.csv"
    if pairs.exists():
        with pairs.open(encoding="utf-8", newline="") as file:
            found["covid_notes"] = [pairs.parent / row["image"] for row in csv.DictReader(file)]
    found["dicom"] = sorted((data / "dicom").glob("*.dcm"))
    return {name: files for name, files in found.items() if files}


def read_all(files: dict[str, list[Path]]) -> dict[str, Any]:
    """Counts per set: files, read, refused by reason, notes by kind, images a second."""
    results: dict[str, Any] = {}
    for name, paths in files.items():
        started, reasons, notes, margins = processor_seconds(), Counter[str](), Counter[str](), 0
        for path, one in zip(paths, read_images(paths), strict=True):
            if isinstance(one, ImageError):
                reasons[str(one).replace(str(path), "it")] += 1
                continue
            margins += any(note.startswith("even margins") for note in one.notes)
            notes.update(
                n.split(":")[0].split(" (")[0] for n in one.notes if not n.startswith("even margins")
            )
        seconds = processor_seconds() - started
        results[name] = {
            "rows": len(paths),
            "files": len(set(paths)),
            "read": len(paths) - reasons.total(),
            "refused": dict(reasons),
            "with even margins of 2 % or more": margins,
            "other notes": dict(notes),
            "a second": round(len(paths) / seconds),
        }
    return results


def of_pydicom(file: bytes) -> np.ndarray:
    """The picture in [0, 1] by pydicom's functions on the whole array."""
    data = dcmread(io.BytesIO(file))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shown = apply_voi_lut(apply_modality_lut(data.pixel_array, data), data).astype(np.float64)
    bits, signed = data.BitsStored, data.PixelRepresentation == 1
    ends = [-(1 << (bits - 1)), (1 << (bits - 1)) - 1] if signed else [0, (1 << bits) - 1]
    if "RescaleSlope" in data:
        ends = [end * float(data.RescaleSlope) + float(data.RescaleIntercept) for end in ends]
    if "VOILUTSequence" in data:
        ends = [0, (1 << data.VOILUTSequence[0].LUTDescriptor[2]) - 1]
    picture = (shown - ends[0]) / (ends[1] - ends[0])
    return 1 - picture if data.PhotometricInterpretation == "MONOCHROME1" else picture


def made(values: np.ndarray, bits: int, *, signed: bool = False, **tags: Any) -> Dataset:
    """A DICOM data set of grey values [H, W]."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = SecondaryCaptureImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = "1.2.826.0.1.3680043.8.498.1"
    data.Rows, data.Columns = values.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit = (16 if bits > 8 else 8), bits, bits - 1
    data.PixelRepresentation = int(signed)
    data.PixelData = values.astype(f"<{'i' if signed else 'u'}{2 if bits > 8 else 1}").tobytes()
    for keyword, value in tags.items():
        setattr(data, keyword, value)
    return data


def file_of(data: Dataset, syntax: Any = ExplicitVRLittleEndian) -> bytes:
    """Its bytes in a transfer syntax that pydicom writes."""
    if syntax != ExplicitVRLittleEndian:
        data.compress(syntax, generate_instance_uid=False)
    file = io.BytesIO()
    data.save_as(file, enforce_file_format=True)
    return file.getvalue()


def by_gdcm(data: Dataset, name: str) -> bytes:
    """Its bytes in a transfer syntax that GDCM writes."""
    with tempfile.TemporaryDirectory() as folder:
        plain, coded = Path(folder) / "plain.dcm", Path(folder) / "coded.dcm"
        plain.write_bytes(file_of(data))
        reader = gdcm.ImageReader()
        reader.SetFileName(str(plain))
        reader.Read()
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, name)))
        change.SetInput(reader.GetImage())
        change.Change()
        writer = gdcm.ImageWriter()
        writer.SetImage(change.GetOutput())
        writer.SetFile(reader.GetFile())
        writer.SetFileName(str(coded))
        writer.Write()
        return coded.read_bytes()


def variants() -> Iterator[bytes]:
    """Made DICOM files of every combination of bits, sign, photometric interpretation, unit and presentation."""
    windows: list[dict[str, Any]] = [{}]
    windows += [
        {"WindowCenter": 900, "WindowWidth": 700, "VOILUTFunction": function}
        for function in ("LINEAR", "LINEAR_EXACT", "SIGMOID")
    ]
    table = Dataset()
    table.LUTDescriptor = [3000, 100, 16]
    table.add_new("LUTData", "OW", (np.sqrt(np.arange(3000) / 2999) * 65535).astype("<u2").tobytes())
    windows.append({"VOILUTSequence": [table]})
    units: list[dict[str, Any]] = [{}, {"RescaleSlope": "0.5", "RescaleIntercept": "-20"}]
    grey = ("MONOCHROME1", "MONOCHROME2")
    for bits, signed, kind, unit, shown in itertools.product(
        (8, 10, 12, 16), (False, True), grey, units, windows
    ):
        values = rng_for(0, "image_reader", bits, int(signed)).integers(0, 1 << bits, (64, 80))
        values = values - (1 << (bits - 1)) if signed else values
        tags = {**unit, **shown, "PhotometricInterpretation": kind}
        yield file_of(made(values, bits, signed=signed, **tags))


def dicom_checks(files: list[Path]) -> dict[str, Any]:
    """Distances: of the two files from 1 minus each other, of real and of made files from pydicom."""
    worst = [float(np.abs(read_image(file).pixels[0] - of_pydicom(file)).max()) for file in variants()]
    checks: dict[str, Any] = {
        "made files": len(worst),
        "made files, largest distance from pydicom": max(worst),
    }
    if len(files) == 2:
        first, second = (read_image(file) for file in files)
        real = [np.abs(read_image(f).pixels[0] - of_pydicom(f.read_bytes())).max() for f in files]
        checks["1 minus the other, largest distance"] = float(np.abs(first.pixels + second.pixels - 1).max())
        checks["real files, largest distance from pydicom"] = float(max(real))
    return checks


def coloured(grey: np.ndarray, kind: str, rng: np.random.Generator) -> bytes:
    """A JPEG or PNG in RGB made from a grey picture [H, W] uint8."""
    values = np.repeat(grey[:, :, None], 3, axis=2).astype(np.float64)
    if kind.startswith("noise"):
        values += rng.normal(0, float(kind.rsplit(maxsplit=1)[-1]), values.shape)
    if kind.startswith("tint"):
        values *= 1 - float(kind.split()[1]) / 100 * np.array((0, 0.5, 1))
    picture = Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
    if kind.startswith("arrow"):
        length = int(kind.split()[1])
        x, y = (int(v) for v in rng.integers(20, 180, 2))
        ImageDraw.Draw(picture).line((x, y, x + length, y + length), (255, 220, 0), max(2, length // 10))
    file = io.BytesIO()
    quality = int(kind.rsplit(maxsplit=1)[-1]) if kind.startswith("quality") else 75
    picture.save(file, "JPEG", quality=quality)
    return file.getvalue()


def colour_checks(paths: list[Path]) -> dict[str, float]:
    """Share of pictures that are read as grey, by what was done to them before they were stored as RGB JPEG."""
    kinds = ("quality 30", "quality 75", "quality 95", "noise 4", "noise 8", "tint 5 %", "tint 20 %")
    kinds += ("arrow 10 px", "arrow 20 px", "arrow 40 px")
    pictures = [np.asarray(Image.open(path).convert("L")) for path in paths]
    shares = {}
    for kind in kinds:
        rng = rng_for(0, "image_reader", kind)
        read = list(read_images(coloured(picture, kind, rng) for picture in pictures))
        shares[kind] = sum(isinstance(one, Picture) for one in read) / len(read)
    return shares


def by_opencv(values: np.ndarray, kind: str) -> bytes:
    """Its bytes as PNG, or as JPEG of quality 90."""
    return bytes(cv2.imencode(kind, values, [cv2.IMWRITE_JPEG_QUALITY, 90] if kind == ".jpg" else [])[1])


def encodings(values: np.ndarray) -> dict[str, Callable[[], bytes]]:
    """How a picture of 12 bits [H, W] is written in each format."""
    eight, sixteen = (values // 16).astype(np.uint8), (values * 16).astype(np.uint16)
    return {
        "PNG, 8 bits": lambda: by_opencv(eight, ".png"),
        "PNG, 16 bits": lambda: by_opencv(sixteen, ".png"),
        "JPEG": lambda: by_opencv(eight, ".jpg"),
        "DICOM, not compressed": lambda: file_of(made(values, 12, WindowCenter=2000, WindowWidth=3000)),
        "DICOM, RLE": lambda: file_of(made(values, 12), RLELossless),
        "DICOM, JPEG, 8 bits": lambda: by_gdcm(made(eight, 8), "JPEGBaselineProcess1"),
        "DICOM, JPEG Lossless": lambda: by_gdcm(made(values, 12), "JPEGLosslessProcess14_1"),
        "DICOM, JPEG-LS": lambda: by_gdcm(made(values, 12), "JPEGLSLossless"),
        "DICOM, JPEG 2000": lambda: file_of(made(values, 12), JPEG2000Lossless),
    }


def enlarged(path: Path, size: tuple[int, int]) -> np.ndarray:
    """A picture of 12 bits [H, W] made from an image by enlarging, with noise of sd 8."""
    grey = np.asarray(Image.open(path).convert("L"))
    large = cv2.resize(grey, size[::-1], interpolation=cv2.INTER_CUBIC).astype(np.float64) * 16
    noise = rng_for(0, "image_reader", path.name, *size).normal(0, 8, size)
    return np.clip(large + noise, 0, 4095).astype(np.uint16)


def processor_seconds() -> float:
    """Processor time of this process and of the decoder it started: other work on the machine does not count."""
    me = psutil.Process()
    return sum(t.user + t.system for t in (p.cpu_times() for p in (me, *me.children())))


def speeds(paths: list[Path], seconds: float) -> dict[str, dict[str, float]]:
    """Images per second of processor time, per format and size, of three pictures each."""
    cv2.setNumThreads(0)
    results: dict[str, dict[str, float]] = {}
    for size in SIZES:
        written = [encodings(enlarged(path, size)) for path in paths]
        for name in written[0]:
            files = [one[name]() for one in written]
            read_image(files[0])
            count, started, spent = 0, processor_seconds(), 0.0
            while count < len(files) or spent < seconds:
                for file in files:
                    read_image(file)
                count, spent = count + len(files), processor_seconds() - started
            rate = count / spent
            results.setdefault(name, {})[f"{size[1]} x {size[0]}"] = round(rate, 1)
            print(f"  {name}, {size[1]} x {size[0]}: {rate:,.1f} a second", file=sys.stderr)
    return results


def large_png() -> bytes:
    """A grey PNG of 20,000 x 20,000 pixels of 8 bits."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return pack(">I", len(content)) + name + content + pack(">I", zlib.crc32(name + content))

    engine, row = zlib.compressobj(1), b"\0" + (np.arange(SIDE) // 79).astype(np.uint8).tobytes()
    content = b"".join(engine.compress(row) for _ in range(SIDE)) + engine.flush()
    header = chunk(b"IHDR", pack(">IIBBBBB", SIDE, SIDE, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", content) + chunk(b"IEND", b"")


LIMITS = {
    "refused": ReadLimits(),
    "reduced": ReadLimits(reduce=True),
    "whole": ReadLimits(max_pixels=SIDE * SIDE),
}


def highest_kilobytes() -> int:
    """The most memory this process has held so far (Linux; ru_maxrss would take in the process that started it)."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def measure_large(way: str) -> None:
    """In a process of its own: print the megabytes that one way of reading the large PNG takes, and what comes."""
    import PIL.PngImagePlugin  # noqa: F401, PLC0415  (not part of what is measured)

    file = large_png()
    before = highest_kilobytes()
    (got,) = read_images([file], limits=LIMITS[way])
    used = (highest_kilobytes() - before) // 1024
    print(used, str(got) if isinstance(got, ImageError) else f"pixels {got.pixels.shape}")


def large_checks() -> dict[str, dict[str, Any]]:
    """Megabytes and outcome of each way."""
    results = {}
    for way in LIMITS:
        command = [sys.executable, __file__, "--data", ".", "--large", way]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        used, outcome = done.stdout.strip().split(" ", 1)
        results[way] = {"MB": int(used), "outcome": outcome}
    return results


def show(results: dict[str, Any]) -> None:
    """Print the tables."""
    rows = [
        (name, f"{r['rows']:,}", f"{r['files']:,}", f"{r['read']:,}", f"{sum(r['refused'].values()):,}",
         f"{r['with even margins of 2 % or more']:,}", f"{r['a second']:,}")
        for name, r in results["sets"].items()
    ]  # fmt: skip
    print(*table_lines(("set", "rows", "files", "read", "refused", "margins", "a second"), rows), sep="\n")
    for name, r in results["sets"].items():
        for kind in ("refused", "other notes"):
            for text, count in r[kind].items():
                print(f"  {name}, {kind}: {count:,} x {text}")
    for part in ("dicom", "colour: share read as grey", "20,000 x 20,000 PNG"):
        print(f"\n{part}")
        for name, value in results[part].items():
            print(f"  {name}: {value}")
    sizes = [f"{w} x {h}" for h, w in SIZES]
    speed = [
        (name, *(f"{by[size]:,.1f}" for size in sizes)) for name, by in results["images a second"].items()
    ]
    print("\nimages per second of processor time", *table_lines(("format", *sizes), speed), sep="\n")


def main() -> int:
    """Measure, print, and say by the exit code whether everything was read and agrees."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--large", choices=list(LIMITS), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.large:
        measure_large(args.large)
        return 0
    files = files_of(args.data)
    nih = files.get("nih_1000", [])
    results = {
        "sets": read_all(files),
        "dicom": dicom_checks(files.get("dicom", [])),
        "colour: share read as grey": colour_checks([p for n in ("nih_1000", "covid_notes", "vqa_rad_chest") for p in
                                                     files.get(n, [])[:100]]),
        "20,000 x 20,000 PNG": large_checks(),
        "images a second": speeds(nih[:3], args.seconds),
    }  # fmt: skip
    show(results)
    write_json(args.json, "image_reader", results)
    refused = sum(sum(r["refused"].values()) for r in results["sets"].values())
    far = max(v for k, v in results["dicom"].items() if "distance" in k)
    return 0 if refused == 0 and far <= TOLERANCE else 1


if __name__ == "__main__":
    raise SystemExit(main())
