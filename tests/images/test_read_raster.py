"""PNG and JPEG files of every kind, made on the spot."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from struct import pack
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image as PillowImage
from PIL import ImageDraw

from hilum.core.errors import ImageError, UnknownNameError
from hilum.images.read import Picture, ReadLimits, read_header, read_image, read_images


def saved(picture: PillowImage.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def grey(height: int = 30, width: int = 44, *, top: int = 255) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    return ((x * 7 + y * 11) * (top // 255) % (top + 1)).astype(np.uint8 if top == 255 else np.uint16)


def png(values: np.ndarray, *, depth: int, kind: int, extra: bytes = b"") -> bytes:
    """A PNG written by hand, for what Pillow does not write: values [H, W] or [H, W, C]."""
    height, width = values.shape[:2]
    rows = values.astype(f">u{depth // 8}").reshape(height, -1).view(np.uint8).reshape(height, -1)
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    header = pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def chunk(name: bytes, data: bytes) -> bytes:
    return pack(">I", len(data)) + name + data + pack(">I", zlib.crc32(name + data))


@settings(max_examples=40, deadline=None)
@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_8_bit_grey_is_value_by_255(values: np.ndarray) -> None:
    picture = read_image(saved(PillowImage.fromarray(values)))
    np.testing.assert_array_equal(picture.pixels[0], (values / 255).astype(np.float32))
    assert (picture.spacing_mm, picture.view) == (None, "unknown")


@settings(max_examples=40, deadline=None)
@given(arrays.arrays(np.uint16, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_16_bit_grey_is_value_by_65535(values: np.ndarray) -> None:
    file = png(values, depth=16, kind=0)
    np.testing.assert_array_equal(read_image(file).pixels[0], (values / 65535).astype(np.float32))
    assert read_header(file).bits == 16


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bits_span_the_range(bits: int) -> None:
    packed_row = np.packbits([1, 0, 1, 1, 0, 0, 1, 0])
    header = pack(">IIBBBBB", 8 // bits, 1, bits, 0, 0, 0, 0)
    data = zlib.compress(b"\0" + packed_row.tobytes())
    file = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    values = [int("10110010"[i : i + bits], 2) / ((1 << bits) - 1) for i in range(0, 8, bits)]
    np.testing.assert_allclose(read_image(file).pixels[0, 0], values, atol=1e-6)


def test_a_palette_of_greys_is_grey_and_one_of_colours_is_not() -> None:
    picture = PillowImage.fromarray(grey()).convert("P")
    picture.putpalette([v for i in range(256) for v in (255 - i,) * 3])
    np.testing.assert_allclose(read_image(saved(picture)).pixels[0], 1 - grey() / 255, atol=1e-6)
    picture.putpalette([v for i in range(256) for v in (i, 0, 255 - i)])
    with pytest.raises(ImageError, match="colour picture"):
        read_image(saved(picture))


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_black_is_behind_what_is_transparent(mode: str) -> None:
    picture = PillowImage.fromarray(grey()).convert(mode)
    assert read_image(saved(picture)).pixels[0] == pytest.approx(grey() / 255)
    alpha = np.full(grey().shape, 255, np.uint8)
    alpha[:10], alpha[10:20] = 0, 128
    picture.putalpha(PillowImage.fromarray(alpha))
    read = read_image(saved(picture))
    np.testing.assert_allclose(read.pixels[0], grey() / 255 * (alpha / 255), atol=0.51 / 255)
    assert any("66.7% of its pixels are transparent" in note for note in read.notes)


@pytest.mark.parametrize(("kind", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_16_bits_are_kept_in_several_channels(kind: int, channels: int) -> None:
    values = np.repeat(grey(top=65535)[:, :, None], channels, axis=2)
    if kind in (4, 6):
        values[:, :, -1] = 65535
    file = png(values, depth=16, kind=kind, extra=chunk(b"iCCP", b"broken"))
    np.testing.assert_allclose(read_image(file).pixels[0], grey(top=65535) / 65535, atol=1e-7)
    values[:, 5:, 0] = 65535 - values[:, 5:, 0]
    if kind != 4:
        with pytest.raises(ImageError, match="colour picture"):
            read_image(png(values, depth=16, kind=kind))


def test_interlaced_and_transparent_colour() -> None:
    file = cv2.imencode(".png", grey())[1].tobytes()
    np.testing.assert_array_equal(read_image(file).pixels[0], (grey() / 255).astype(np.float32))
    keyed = saved(PillowImage.fromarray(grey()), transparency=int(grey()[3, 4]))
    assert read_image(keyed).pixels[0, 3, 4] == 0


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpeg(mode: str, progressive: bool) -> None:
    smooth = np.linspace(0, 255, 40 * 56).reshape(40, 56).astype(np.uint8)
    picture = PillowImage.fromarray(smooth).convert(mode)
    read = read_image(saved(picture, "JPEG", quality=95, progressive=progressive))
    np.testing.assert_allclose(read.pixels[0], smooth / 255, atol=0.03)
    assert read.meta["format"] == "JPEG"


def test_chroma_left_by_jpeg_is_grey_and_colour_is_refused() -> None:
    base = np.repeat(grey(64, 64)[:, :, None], 3, axis=2).astype(float)
    noisy = np.clip(base + np.random.default_rng(0).normal(0, 4, base.shape), 0, 255).astype(np.uint8)
    read = read_image(saved(PillowImage.fromarray(noisy), "JPEG", quality=75))
    assert any("grey, stored in three" in note for note in read.notes)
    marked = PillowImage.fromarray(base.astype(np.uint8))
    ImageDraw.Draw(marked).line((10, 10, 30, 30), fill=(255, 220, 0), width=3)
    file = saved(marked)
    with pytest.raises(ImageError, match=r"colour picture.*colour='luminance'.*--colour luminance"):
        read_image(file)
    assert any("by its luminance" in note for note in read_image(file, colour="luminance").notes)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_exif_orientation(orientation: int, kind: str) -> None:
    from PIL import ImageOps

    values = np.zeros((32, 48), np.uint8)
    values[:8, :16], values[24:, :16] = 255, 128
    exif = PillowImage.Exif()
    exif[0x0112] = orientation
    file = saved(PillowImage.fromarray(values), kind, exif=exif)
    upright = np.asarray(ImageOps.exif_transpose(PillowImage.open(io.BytesIO(file)))) / 255
    np.testing.assert_allclose(read_image(file).pixels[0], upright, atol=1e-6)
    stored = read_image(file, orient=False)
    assert stored.pixels.shape == (1, 32, 48)
    assert any("left as stored" in note for note in stored.notes) is (orientation > 1)


def test_frames_of_an_animated_png() -> None:
    frames = [PillowImage.fromarray(np.full((6, 8), value, np.uint8)) for value in (10, 20, 30)]
    file = saved(frames[0], save_all=True, append_images=frames[1:])
    assert read_header(file).frames == 3
    with pytest.raises(ImageError, match=r"has 3 frames\..*frame=N, N from 0 to 2"):
        read_image(file)
    for number, value in enumerate((10, 20, 30)):
        assert read_image(file, frame=number).pixels[0, 0, 0] == pytest.approx(value / 255)


def test_frames_of_a_jpeg_of_several_pictures() -> None:
    frames = [PillowImage.fromarray(np.full((16, 16), value, np.uint8)) for value in (10, 200)]
    file = saved(frames[0], "MPO", save_all=True, append_images=frames[1:])
    with pytest.raises(ImageError, match="has 2 frames"):
        read_image(file)
    assert read_image(file, frame=1).pixels[0, 0, 0] == pytest.approx(200 / 255, abs=0.02)


def test_a_frame_of_a_still_picture() -> None:
    file = saved(PillowImage.fromarray(grey()))
    np.testing.assert_array_equal(read_image(file, frame=0).pixels, read_image(file).pixels)
    with pytest.raises(ImageError, match="has 1 frame, not a frame 1"):
        read_image(file, frame=1)


def test_named_intensities() -> None:
    values = np.full((50, 40), 1000, np.uint16)
    values[10:40] = np.linspace(2000, 3000, 30).astype(int)[:, None]
    values[0, 0] = 60000
    file = png(values, depth=16, kind=0)
    assert read_image(file).pixels[0, 25, 0] == pytest.approx(values[25, 0] / 65535)
    assert read_image(file, intensity="range").pixels[0, 25, 0] == pytest.approx(
        (values[25, 0] - 1000) / 59000
    )
    stretched = read_image(file, intensity="percentile")
    assert stretched.pixels[0, 25, 0] == pytest.approx((values[25, 0] - 1000) / 2000)
    assert stretched.pixels.max() == 1.0
    with pytest.raises(UnknownNameError, match="Did you mean 'percentile'"):
        read_image(file, intensity="percentil")


def test_12_bits_in_16_are_told() -> None:
    values = (np.arange(400).reshape(20, 20) * 10).astype(np.uint16)
    notes = read_image(png(values, depth=16, kind=0)).notes
    assert any("at 6.1% of the range" in note for note in notes)


def test_margins_are_counted_and_cut_on_request_only() -> None:
    values = np.random.default_rng(1).integers(40, 220, (100, 120)).astype(np.uint8)
    values[:12], values[-5:], values[:, :20], values[:, -3:] = 0, 0, 255, 2
    values[2:6, 30:32] = 200  # a letter burned into the margin
    file = saved(PillowImage.fromarray(values))
    picture = read_image(file)
    assert picture.borders == (12, 5, 20, 3)
    assert picture.pixels.shape == (1, 100, 120)
    assert any("kept (in Python, crop_borders=True cuts them)" in note for note in picture.notes)
    cropped = read_image(file, crop_borders=True)
    np.testing.assert_array_equal(cropped.pixels[0], picture.pixels[0, 12:-5, 20:-3])
    assert read_image(saved(PillowImage.fromarray(np.full((30, 30), 9, np.uint8)))).borders == (0, 0, 0, 0)


@pytest.mark.parametrize("kind", ["path", "str", "bytes", "bytearray", "memoryview", "file", "stream"])
def test_sources(kind: str, tmp_path: Path) -> None:
    data = saved(PillowImage.fromarray(grey()))
    path = tmp_path / "a.png"
    path.write_bytes(data)

    class Stream(io.BytesIO):
        def seekable(self) -> bool:
            return False

    sources: dict[str, Any] = {
        "path": path, "str": str(path), "bytes": data, "bytearray": bytearray(data), "memoryview": memoryview(data),
        "file": io.BytesIO(data), "stream": Stream(data),
    }  # fmt: skip
    np.testing.assert_array_equal(read_image(sources[kind]).pixels[0], (grey() / 255).astype(np.float32))


def test_the_content_counts_and_not_the_name(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(saved(PillowImage.fromarray(grey()), "JPEG"))
    assert "its name ends in .png, its content is JPEG" in read_image(path).notes


def test_bad_files_cost_no_good_ones(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    good.write_bytes(saved(PillowImage.fromarray(grey())))
    bad.write_bytes(good.read_bytes()[:60])
    got = list(read_images([good, bad, tmp_path / "none.png", good]))
    assert [isinstance(one, Picture) for one in got] == [True, False, False, True]
    with pytest.raises(ImageError, match="truncated"):
        list(read_images([good, bad], on_error="raise"))
    small = list(read_images([good], limits=ReadLimits(max_pixels=10)))
    assert isinstance(small[0], ImageError)
