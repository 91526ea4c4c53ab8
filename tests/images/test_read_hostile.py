"""Files that are cut, damaged, something else, or lie about what they hold."""

from __future__ import annotations

import io
import subprocess
import sys
import warnings
import zlib
from pathlib import Path
from struct import pack

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_dicom import made, packed, ramp, recoded
from PIL import Image as PillowImage
from PIL import ImageFile
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, JPEG2000Lossless, RLELossless
from test_read_raster import chunk, grey, png, saved

from hilum.core.errors import ImageError
from hilum.images.read import Picture, ReadLimits, read_header, read_image, read_images


def refused(data: bytes | Path, match: str, **options: object) -> None:
    """The file is refused by both ways in, with a next step, and nothing escapes."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ImageError, match=match) as caught:
            read_image(data, **options)  # type: ignore[arg-type]
    assert "Next step: " in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", r"is empty \(0 bytes\)"),
        (b"<html><body>404 Not Found</body></html>", "is a text file"),
        (b"\xff\xd8", "is cut after 2 bytes"),
        (b"\x89PN", "is cut after 3 bytes"),
        (b"PK\x03\x04" + bytes(50), "is a ZIP archive.*unpack it"),
        (b"\x1f\x8b\x08" + bytes(50), "is a gzip file.*unpack it"),
        (b"GIF89a" + bytes(50), "is a GIF.*PNG, JPEG and DICOM.*convert it to PNG"),
        (b"II*\x00" + bytes(50), "is a TIFF"),
        (b"BM" + bytes(50), "is a BMP"),
        (b"RIFF\x00\x00\x00\x00WEBP" + bytes(50), "is a WebP"),
        (b"%PDF-1.7" + bytes(50), "is a PDF"),
        (bytes(range(256)) * 3, "is no image hilum knows"),
    ],
)
def test_what_is_no_image(data: bytes, match: str, tmp_path: Path) -> None:
    refused(data, match)
    path = tmp_path / "film.png"
    path.write_bytes(data)
    refused(path, match)
    with pytest.raises(ImageError, match=r"film\.png"):
        read_header(path)


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    refused(tmp_path / "none.png", "does not exist")
    refused(tmp_path, "is a folder")
    with pytest.raises(ImageError, match="cannot be opened"):
        read_image("a\0b")


PNG = saved(PillowImage.fromarray(grey()))
JPEG = saved(PillowImage.fromarray(grey(64, 64)), "JPEG")
FILES = {
    "PNG": PNG,
    "JPEG": JPEG,
    "deep PNG": png(np.zeros((9, 9, 3)), depth=16, kind=2),
    "DICOM": packed(made(ramp())),
}


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.5, 0.8, 0.95])
def test_truncated(kind: str, share: float) -> None:
    data = FILES[kind]
    refused(data[: max(3, int(len(data) * share))], "trunc|cut|cannot be decoded|no image|without pixel data")


@pytest.mark.parametrize("end", [1, 12, 13, 40])
def test_a_png_that_lost_its_end(end: int) -> None:
    refused(PNG[:-end], r"is a truncated PNG: (it has no end|chunk \w+ at byte [\d,]+ needs [\d,]+ bytes)")


def test_damaged_bits_of_a_png_are_found_by_their_checksum() -> None:
    data = bytearray(PNG)
    data[PNG.index(b"IDAT") + 30] ^= 4
    refused(bytes(data), "the checksum of chunk IDAT at byte 33 is wrong")
    broken = chunk(b"IDAT", b"no zlib stream")
    start = PNG.index(b"IDAT") - 4
    refused(PNG[:start] + broken + chunk(b"IEND", b""), "is a PNG that cannot be decoded")
    refused(PNG[:start] + chunk(b"IEND", b""), "without picture data")


@pytest.mark.parametrize(
    ("size", "depth", "kind", "match"),
    [
        ((0, 9), 8, 0, "0 x 9 pixels"),
        ((9, 9), 7, 0, "colour type 0 with 7 bits"),
        ((9, 9), 8, 5, "colour type 5 with 8 bits"),
        (
            (20_000, 20_000),
            8,
            0,
            r"20,000 x 20,000 = 400,000,000 pixels; the limit max_pixels is 100,000,000",
        ),
        ((2**31 - 1, 2**31 - 1), 16, 6, "the limit max_pixels is"),
    ],
)
def test_headers_that_cannot_be_meant(size: tuple[int, int], depth: int, kind: int, match: str) -> None:
    header = chunk(b"IHDR", pack(">IIBBBBB", *size, depth, kind, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(10))) + chunk(b"IEND", b"")
    refused(data, match)


def test_text_of_a_png_is_not_inflated() -> None:
    bomb = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1 << 26)))
    at = PNG.index(b"IDAT") - 4
    assert read_image(PNG[:at] + bomb + PNG[at:]).pixels.shape == (1, 30, 44)


def test_a_process_that_told_pillow_to_fill_truncated_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    assert any("this one may be cut" in note for note in read_image(JPEG[:-300]).notes)
    refused(PNG[:-40], "truncated PNG")


def test_bytes_are_limited() -> None:
    refused(PNG, "bytes; the limit max_bytes is 100.*max_bytes=", limits=ReadLimits(max_bytes=100))
    refused(PNG, "decodes to 1,320 bytes; the limit max_bytes is 1,300", limits=ReadLimits(max_bytes=1300))
    refused(packed(made(ramp())), "has .* bytes; the limit", limits=ReadLimits(max_bytes=1000))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("most", [2000, 500, 100, 30])
def test_what_is_too_large_may_be_reduced(kind: str, most: int) -> None:
    smooth = np.linspace(0, 255, 60 * 80).reshape(60, 80)
    file = saved(PillowImage.fromarray(smooth.astype(np.uint8)), kind)
    picture = read_image(file, limits=ReadLimits(max_pixels=most, reduce=True))
    height, width = picture.pixels.shape[1:]
    assert height * width <= most * 1.3
    assert any("reduced to 1/" in note for note in picture.notes)
    rows = smooth[:: 60 // height][:height, 0] / 255
    assert float(np.abs(picture.pixels[0, :, 0] - rows).max()) < 0.2
    assert picture.pixels.mean() == pytest.approx(smooth.mean() / 255, abs=0.05)


def test_reducing_takes_means_of_squares() -> None:
    values = np.random.default_rng(0).integers(0, 65536, (7, 10)).astype(np.uint16)
    read = read_image(png(values, depth=16, kind=0), limits=ReadLimits(max_pixels=12, reduce=True))
    assert read.pixels.shape == (1, 3, 4)
    assert read.pixels[0, 0, 0] == pytest.approx(values[:3, :3].mean() / 65535, abs=1e-5)
    assert read.pixels[0, 2, 3] == pytest.approx(values[6:, 9:].mean() / 65535, abs=1e-5)


LARGE = """
import sys, zlib
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import numpy as np, PIL.PngImagePlugin
from test_read_raster import chunk
from struct import pack
from hilum.core.errors import ImageError
from hilum.images.read import ReadLimits, read_image
side = 8_000
engine, row = zlib.compressobj(1), b"\\0" + (np.arange(side) // 32).astype(np.uint8).tobytes()
data = b"".join(engine.compress(row) for _ in range(side)) + engine.flush()
header = chunk(b"IHDR", pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
file = b"\\x89PNG\\r\\n\\x1a\\n" + header + chunk(b"IDAT", data) + chunk(b"IEND", b"")
def used():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024
before = used()
try:
    read_image(file, limits=ReadLimits(max_pixels=16_000_000))
except ImageError as error:
    assert "64,000,000 pixels" in str(error), error
print(used() - before)
picture = read_image(file, limits=ReadLimits(max_pixels=16_000_000, reduce=True))
assert picture.pixels.shape == (1, 4_000, 4_000), picture.pixels.shape
print(used() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="measures memory as Linux tells it")
def test_a_large_picture_is_refused_in_no_memory_and_reduced_within_a_bound() -> None:
    """`benchmarks/image_reader.py` measures the same at 20,000 x 20,000."""
    folder = str(Path(__file__).parent)
    done = subprocess.run([sys.executable, "-c", LARGE, folder], capture_output=True, text=True, check=True)
    refusing, reducing = (int(line) for line in done.stdout.split())
    assert refusing <= 4
    assert reducing <= 61 + 15 + 61 + 40  # decoded, reduced, float32, strips and slack


# DICOM


def sequence(depth: int) -> bytes:
    """Sequences of undefined length inside each other, explicit little-endian."""
    open_one = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    close_one = b"\xfe\xff\x0d\xe0\0\0\0\0" + b"\xfe\xff\xdd\xe0\0\0\0\0"
    return open_one * depth + close_one * depth


def spliced(inside: bytes) -> bytes:
    """A good file with bytes between two of its elements."""
    file = packed(made(ramp(), InstanceNumber="1"))
    at = file.index(b"\x20\x00\x13\x00IS")
    return file[:at] + inside + file[at:]


def test_lengths_beyond_the_file() -> None:
    refused(
        spliced(b"\x08\x00\x40\x11SQ\0\0\xf0\xff\xff\x7f"),
        r"\(0008,1140\) at byte \d+ needs 2,147,483,632 bytes",
    )
    refused(spliced(b"\x18\x00\x30\x10LO\xff\xff"), r"\(0018,1030\) at byte \d+ needs 65,535 bytes")
    file = packed(made(ramp()))
    at = file.index(b"\xe0\x7f\x10\x00OW")
    refused(
        file[: at + 8] + pack("<L", 0xFFFFFFFE) + file[at + 12 :], r"\(7FE0,0010\).*needs 4,294,967,294 bytes"
    )
    refused(file[:-1], r"\(7FE0,0010\) at byte \d+ needs 4,160 bytes, 4,159 are left")


def test_sequences_nested_absurdly() -> None:
    assert read_image(spliced(sequence(20))).pixels.shape == (1, 40, 52)
    refused(spliced(sequence(5000)), "nested more than 32 deep")


def test_nested_in_lengths_that_pydicom_meets_later() -> None:
    inner = b""
    for _ in range(3000):
        item = b"\xfe\xff\x00\xe0" + pack("<L", len(inner)) + inner
        inner = b"\x28\x00\x10\x30SQ\0\0" + pack("<L", len(item)) + item
    got = list(read_images([spliced(inner), packed(made(ramp()))]))
    assert isinstance(got[0], ImageError)
    assert isinstance(got[1], Picture)


@pytest.mark.parametrize(
    ("tags", "match"),
    [
        ({"Rows": 65535, "Columns": 65535}, "65,535 x 65,535 = 4,294,836,225 pixels; the limit max_pixels"),
        ({"Rows": 0}, "52 x 0 pixels"),
        ({"Rows": 41}, "cannot be decoded"),
        ({"Rows": None}, "does not say its Rows"),
        ({"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31}, "32 bits stored in 32"),
        ({"BitsStored": 17}, "17 bits stored in 16"),
        ({"BitsStored": 0}, "0 bits stored in 16"),
        ({"SamplesPerPixel": 2}, "2 samples per pixel"),
        ({"NumberOfFrames": 2**31 - 1}, "has 2,147,483,647 frames"),
        ({"PixelData": None}, "without pixel data"),
        ({"PhotometricInterpretation": "NONSENSE"}, "cannot be decoded"),
    ],
)
def test_dicom_that_cannot_be_meant(tags: dict[str, object], match: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file = packed(made(ramp(), **tags))
    refused(file, match)


def test_a_frame_that_is_not_there() -> None:
    refused(packed(made(ramp(), NumberOfFrames=5)), "cannot be decoded", frame=4)


def test_deflated_bombs_are_stopped() -> None:
    small = packed(made(ramp()), DeflatedExplicitVRLittleEndian)
    start = small.index(b"1.2.840.10008.1.2.1.99") + 22
    engine = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    bomb = b"".join([engine.compress(bytes(1 << 20)) for _ in range(256)]) + engine.flush()
    refused(
        small[:start] + bomb,
        "inflates to at least .* the limit max_bytes is 20,000,000",
        limits=ReadLimits(max_bytes=20_000_000),
    )
    refused(small[:-200], "has no end")
    refused(small[:start] + b"\xff" * 50, "deflated data set is broken")


def test_compressed_pixels_of_another_size_than_the_file_says(tmp_path: Path) -> None:
    for name in ("JPEGBaselineProcess1", "JPEGLSLossless", "JPEGLosslessProcess14_1", "JPEG2000Lossless"):
        file = recoded(made(ramp(bits=8), bits=8), name, tmp_path)
        assert file is not None
        other = file.replace(
            b"\x28\x00\x10\x00US\x02\x00" + pack("<H", 40), b"\x28\x00\x10\x00US\x02\x00" + pack("<H", 20)
        )
        assert other != file
        refused(other, "says it is 52 x 20 x 1, but its compressed pixels are 52 x 40 x 1")


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [("JPEGLosslessProcess14_1", 6, 249), ("JPEGLosslessProcess14_1", 15, 174), ("JPEGLSLossless", 6, 87)],
)
def test_frames_that_decoders_die_of_cost_one_file(name: str, place: int, value: int, tmp_path: Path) -> None:
    """GDCM 3.2.6 ends its process on these; another version may refuse them."""
    good = recoded(made(ramp(bits=8), bits=8), name, tmp_path)
    assert good is not None
    bad = bytearray(good)
    bad[good.rindex(b"\xff\xd8") + place] = value
    first, second, third = read_images([good, bytes(bad), good])
    assert isinstance(second, ImageError)
    assert isinstance(first, Picture)
    assert isinstance(third, Picture)
    np.testing.assert_array_equal(first.pixels, third.pixels)


def test_what_decoders_write_to_the_terminal_becomes_a_note(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    good = recoded(made(ramp(bits=8), bits=8), "JPEGLosslessProcess14_1", tmp_path)
    assert good is not None
    at = good.rindex(b"\xff\xda") + 40
    (got,) = read_images([good[:at] + b"\xff\xd9" + bytes(len(good) - at - 10) + good[-8:]])
    said = " ".join(got.notes) if isinstance(got, Picture) else str(got)
    assert "JPEG data" in said
    assert capfd.readouterr().err == ""


def test_rle_bombs_are_counted_before_they_are_unpacked() -> None:
    data = made(ramp(bits=8), bits=8)
    frame = pack("<16L", 1, 64, *[0] * 14) + b"\x81\x00" * 40_000
    data.PixelData = encapsulate([frame])
    data["PixelData"].is_undefined_length = True
    data.file_meta.TransferSyntaxUID = RLELossless
    file = io.BytesIO()
    data.save_as(file, enforce_file_format=True)
    refused(file.getvalue(), "unpacks to 5,120,000 bytes", limits=ReadLimits(max_bytes=1_000_000))
    assert any("non-conformant padding" in note for note in read_image(file.getvalue()).notes)


@pytest.mark.parametrize(
    "pixels", [b"\0\0", b"\xff\xd8\xff\xd9", b"nonsense" * 9, b"\xff\x4f\xff\x51\x00\x29"]
)
def test_compressed_pixels_that_are_nothing(pixels: bytes) -> None:
    data = made(ramp(bits=8), bits=8)
    data.PixelData = encapsulate([pixels + b"\0" * (len(pixels) % 2)])
    data["PixelData"].is_undefined_length = True
    data.file_meta.TransferSyntaxUID = JPEG2000Lossless
    file = io.BytesIO()
    data.save_as(file, enforce_file_format=True)
    refused(file.getvalue(), "pixel data that is no JPEG 2000|cannot be decoded")


@pytest.mark.parametrize("descriptor", [[0, 0, 0], [9, 0, 99], [0, 0, 16]])
def test_lookup_tables_that_cannot_be_meant(descriptor: list[int]) -> None:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", descriptor)
    item.add_new("LUTData", "OW", b"")
    refused(
        packed(made(ramp(), VOILUTSequence=[item])),
        "VOILUTSequence (with entries of|without entries)|cannot be decoded",
    )


def test_a_report_is_no_picture() -> None:
    data = Dataset()
    data.file_meta = made(ramp()).file_meta
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.11"
    data.SOPInstanceUID = "1.2.3"
    file = io.BytesIO()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.save_as(file, enforce_file_format=True)
    refused(file.getvalue(), r"without pixel data \(Basic Text SR Storage\)")


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(kind=st.sampled_from(sorted(FILES)), data=st.data())
def test_damaged_bytes_give_a_picture_or_an_image_error(kind: str, data: st.DataObject) -> None:
    file = bytearray(FILES[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        file[data.draw(st.integers(0, min(len(file) - 1, 700)))] = data.draw(st.integers(0, 255))
    limits = ReadLimits(max_pixels=4_000_000, max_bytes=30_000_000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (got,) = read_images([bytes(file)], limits=limits, colour="luminance")
    if isinstance(got, Picture):
        assert got.pixels.dtype == np.float32
        assert 0 <= got.pixels.min() <= got.pixels.max() <= 1
