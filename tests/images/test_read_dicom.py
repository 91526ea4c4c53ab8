"""DICOM files: every way grey values can be stored and asked to be shown, held against pydicom's own functions."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_dicom import (
    WRITTEN_BY_GDCM,
    WRITTEN_BY_PYDICOM,
    htj2k,
    htj2k_values,
    lut,
    made,
    packed,
    ramp,
    recoded,
)
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut

from hilum.core.errors import ImageError
from hilum.core.imaging import View
from hilum.images.read import read_header, read_image

TOLERANCE = 2e-7
LOSSY = ("JPEGBaselineProcess1", "JPEGExtendedProcess2_4")
"""They hold 8 bits here: no decoder among the packages reads 12-bit JPEG."""


def of_pydicom(file: bytes) -> np.ndarray:
    """The picture in [0, 1] by pydicom's functions on the whole array: the outside reference."""
    data = dcmread(io.BytesIO(file))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a VOI LUT behind a rescale slope
        values = apply_modality_lut(data.pixel_array, data)
        shown = apply_voi_lut(values, data).astype(np.float64)
    low, high = (-(1 << (data.BitsStored - 1)), (1 << (data.BitsStored - 1)) - 1) if data.PixelRepresentation else (
        0, (1 << data.BitsStored) - 1
    )  # fmt: skip
    if "ModalityLUTSequence" in data:
        low, high = 0, (1 << data.ModalityLUTSequence[0].LUTDescriptor[2]) - 1
    elif "RescaleSlope" in data:
        low, high = (v * float(data.RescaleSlope) + float(data.RescaleIntercept) for v in (low, high))
    if "VOILUTSequence" in data:
        low, high = 0, (1 << data.VOILUTSequence[0].LUTDescriptor[2]) - 1
    elif "WindowCenter" not in data:
        low, high = min(low, high), max(low, high)
    picture = (shown - low) / (high - low)
    return 1 - picture if data.PhotometricInterpretation == "MONOCHROME1" else picture


WINDOWS: list[dict[str, Any]] = [
    {},
    {"WindowCenter": 1800, "WindowWidth": 900},
    {"WindowCenter": 1800, "WindowWidth": 900, "VOILUTFunction": "LINEAR_EXACT"},
    {"WindowCenter": 1800, "WindowWidth": 900, "VOILUTFunction": "SIGMOID"},
    {"WindowCenter": [700, 90], "WindowWidth": [801, 40], "WindowCenterWidthExplanation": ["LUNG", "BONE"]},
    {"WindowCenter": "100.5", "WindowWidth": 1},
]
UNITS: list[dict[str, Any]] = [
    {},
    {"RescaleSlope": "0.5", "RescaleIntercept": "-20"},
    {"RescaleSlope": "-1", "RescaleIntercept": "4095"},
]


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("unit", range(len(UNITS)))
@pytest.mark.parametrize("shown", range(len(WINDOWS)))
def test_as_pydicom_shows_it(photometric: str, bits: int, signed: bool, unit: int, shown: int) -> None:
    tags = {"PhotometricInterpretation": photometric, **UNITS[unit], **WINDOWS[shown]}
    file = packed(made(ramp(bits=bits, signed=signed), bits=bits, signed=signed, **tags))
    picture = read_image(file)
    assert picture.pixels.dtype == np.float32
    assert picture.pixels.shape == (1, 40, 52)
    np.testing.assert_allclose(picture.pixels[0], of_pydicom(file), atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("kind", ["modality", "voi", "both", "voi behind a slope"])
def test_lookup_tables_as_pydicom_applies_them(photometric: str, kind: str) -> None:
    data = made(ramp(), PhotometricInterpretation=photometric)
    if kind in ("modality", "both"):
        data.ModalityLUTSequence = lut(np.arange(3000)[::-1] * 20, first=500, bits=16)
    if kind in ("voi", "both", "voi behind a slope"):
        data.VOILUTSequence = lut(np.sqrt(np.arange(900) / 899) * 65535, first=20, bits=16)
        data.WindowCenter, data.WindowWidth = 7, 8
    if kind == "voi behind a slope":
        data.RescaleSlope, data.RescaleIntercept = "2", "3"
    file = packed(data)
    np.testing.assert_allclose(read_image(file).pixels[0], of_pydicom(file), atol=TOLERANCE, rtol=0)


def test_a_modality_table_of_ten_bits() -> None:
    """pydicom knows 8 and 16 bits alone here."""
    data = made(ramp())
    data.ModalityLUTSequence = lut(np.arange(4096)[::-1] // 4, first=0, bits=10)
    np.testing.assert_allclose(
        read_image(packed(data)).pixels[0], (4095 - ramp()) // 4 / 1023, atol=TOLERANCE
    )


def test_a_lookup_table_may_begin_below_zero() -> None:
    data = made(ramp(signed=True), signed=True)
    data.VOILUTSequence = lut(np.arange(4096) * 16, first=-2048, bits=16)
    file = packed(data)
    np.testing.assert_allclose(read_image(file).pixels[0], of_pydicom(file), atol=TOLERANCE, rtol=0)


def test_a_lookup_table_that_uses_fewer_bits_than_it_says_is_not_shown_dark() -> None:
    data = made(ramp())
    data.VOILUTSequence = lut(np.arange(4096), first=0, bits=16)
    picture = read_image(packed(data))
    assert picture.pixels.max() == 1.0
    assert any("16 bits, its entries need 12" in note for note in picture.notes)


@pytest.mark.parametrize("name", WRITTEN_BY_PYDICOM)
def test_transfer_syntaxes_that_pydicom_writes(name: str) -> None:
    file = packed(made(ramp(), WindowCenter=1800, WindowWidth=3000), WRITTEN_BY_PYDICOM[name])
    plain = packed(made(ramp(), WindowCenter=1800, WindowWidth=3000))
    np.testing.assert_array_equal(read_image(file).pixels, read_image(plain).pixels)
    header = read_header(file)
    assert (header.format, header.height, header.width, header.frames, header.bits) == (
        "DICOM",
        40,
        52,
        1,
        12,
    )


@pytest.mark.parametrize(
    ("name", "bits"),
    [(name, bits) for name in WRITTEN_BY_GDCM for bits in (8, 12, 16) if bits == 8 or name not in LOSSY],
)
def test_transfer_syntaxes_that_gdcm_writes(name: str, bits: int, tmp_path: Path) -> None:
    lossy = name in LOSSY
    y, x = np.mgrid[0:40, 0:52]
    values = (x + y) * ((1 << bits) // 128) if lossy else ramp(bits=bits)
    file = recoded(made(values, bits=bits), name, tmp_path)
    assert file is not None
    picture = read_image(file)
    np.testing.assert_allclose(picture.pixels[0], of_pydicom(file), atol=TOLERANCE, rtol=0)
    np.testing.assert_allclose(
        picture.pixels[0], values / ((1 << bits) - 1), atol=0.02 if lossy else TOLERANCE
    )


def test_high_throughput_jpeg_2000() -> None:
    picture = read_image(htj2k())
    np.testing.assert_allclose(picture.pixels[0], htj2k_values() / 255, atol=TOLERANCE)
    assert "High-Throughput" in picture.meta["stored as"]


@settings(max_examples=60, deadline=None)
@given(
    bits=st.sampled_from([8, 10, 12, 16]),
    signed=st.booleans(),
    exact=st.booleans(),
    centre=st.integers(1, 4000),
    width=st.integers(2, 5000),
    windowed=st.booleans(),
    seed=st.integers(0, 99),
)
def test_inverting_what_is_stored_and_saying_so_changes_nothing(
    bits: int, signed: bool, exact: bool, centre: int, width: int, windowed: bool, seed: int
) -> None:
    low = -(1 << (bits - 1)) if signed else 0
    high = low + (1 << bits) - 1
    values = np.random.default_rng(seed).integers(low, high + 1, (9, 11))
    mirrored = low + high
    here: dict[str, Any] = {}
    there: dict[str, Any] = {"PhotometricInterpretation": "MONOCHROME1"}
    if windowed:
        here = {"WindowWidth": width, "VOILUTFunction": "LINEAR_EXACT" if exact else "LINEAR"}
        there |= here
        here["WindowCenter"], there["WindowCenter"] = centre, mirrored - centre + (0 if exact else 1)
    plain = made(values, bits=bits, signed=signed, **here)
    turned = made(mirrored - values, bits=bits, signed=signed, **there)
    np.testing.assert_allclose(read_image(packed(plain)).pixels, read_image(packed(turned)).pixels, atol=3e-7)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("intensity", ["voi", "full", "range", "percentile"])
def test_padding_is_black_and_stretches_nothing(photometric: str, intensity: str) -> None:
    values = 1000 + ramp(bits=8)
    padded = values.copy()
    padded[:, :10], padded[:, 10:14] = 4095, 4000
    bare = made(values[:, 14:], PhotometricInterpretation=photometric)
    data = made(padded, PhotometricInterpretation=photometric, PixelPaddingRangeLimit=4000)
    data.add_new("PixelPaddingValue", "US", 4095)
    picture = read_image(packed(data), intensity=intensity)
    assert (picture.pixels[0, :, :14] == 0).all()
    np.testing.assert_array_equal(
        picture.pixels[0, :, 14:], read_image(packed(bare), intensity=intensity).pixels[0]
    )
    assert any("26.9% of its pixels are padding" in note for note in picture.notes)


def test_padding_given_with_the_wrong_sign_is_understood() -> None:
    values = ramp(bits=16, signed=True)
    values[5:9] = -2000
    data = made(values, bits=16, signed=True)
    data.add_new("PixelPaddingValue", "US", 65536 - 2000)
    file = packed(data)
    assert (read_image(file).pixels[0, 5:9] == 0).all()


def test_named_intensities() -> None:
    values = np.full((50, 40), 600)
    values[10:40] = np.linspace(1000, 2000, 30).astype(int)[:, None]
    values[0, 0] = 4000
    data = made(values, WindowCenter=1500, WindowWidth=1000, VOILUTFunction="LINEAR_EXACT")
    read = {
        name: read_image(packed(data), intensity=name).pixels[0]
        for name in ("voi", "full", "range", "percentile")
    }
    assert read["voi"][25, 0] == pytest.approx((values[25, 0] - 1000) / 1000, abs=1e-6)
    assert read["full"][25, 0] == pytest.approx(values[25, 0] / 4095)
    assert read["range"][25, 0] == pytest.approx((values[25, 0] - 600) / 3400)
    assert read["percentile"][25, 0] == pytest.approx((values[25, 0] - 600) / 1400)
    assert read["percentile"][0, 0] == 1.0


def test_several_windows_are_told() -> None:
    file = packed(made(ramp(), **WINDOWS[4]))
    assert "it has 2 windows; the first is used (LUNG)" in read_image(file).notes
    assert read_image(file).meta["presentation"] == "window centre 700, width 801, LINEAR"


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({"WindowCenter": 100, "WindowWidth": 0}, "is unusable; full range"),
        ({"WindowCenter": 100, "WindowWidth": 50, "VOILUTFunction": "CUBIC"}, "'CUBIC' is unknown; LINEAR"),
        ({"RescaleSlope": "0", "RescaleIntercept": "3"}, "unusable and were left out"),
        ({"PresentationLUTShape": "INVERSE"}, "contradicts MONOCHROME2"),
        ({"PresentationIntentType": "FOR PROCESSING"}, "FOR PROCESSING"),
        ({"BurnedInAnnotation": "YES"}, "burned into the picture"),
        ({"ShutterShape": "CIRCULAR"}, "display shutter"),
        ({"PixelSpacing": [0, 0]}, "PixelSpacing [0.0, 0.0] is unusable"),
        ({"FieldOfViewHorizontalFlip": "YES", "FieldOfViewRotation": 90}, "flipped and turned by 90 degrees"),
        ({"PixelRepresentation": None}, "read as unsigned"),
    ],
)
def test_what_is_odd_is_told(tags: dict[str, Any], said: str) -> None:
    picture = read_image(packed(made(ramp(), **tags)))
    assert any(said in note for note in picture.notes), picture.notes


def test_warnings_of_pydicom_become_notes() -> None:
    data = made(ramp())
    data.PixelData += bytes(40)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        picture = read_image(packed(data))
    assert any(note.startswith("warning of the decoder: The pixel data is") for note in picture.notes)


def test_a_picture_that_stays_dark_is_told() -> None:
    picture = read_image(packed(made(ramp(bits=12), bits=16)))
    assert any("intensity='percentile' stretches it" in note for note in picture.notes)


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [
        (["L", "F"], lambda v: v),
        (["R", "F"], lambda v: v[:, ::-1]),
        (["L", "H"], lambda v: v[::-1]),
        (["R", "H"], lambda v: v[::-1, ::-1]),
        (["F", "L"], lambda v: v.T),
        (["H", "R"], lambda v: v.T[::-1, ::-1]),
        (["F", "R"], lambda v: v.T[:, ::-1]),
        (["A", "F"], lambda v: v),
        (["P", "F"], lambda v: v),
        (["LP", "FR"], lambda v: v),
    ],
)
def test_head_up_and_left_on_the_right(orientation: list[str], turn: Any) -> None:
    data = made(ramp(), PatientOrientation=orientation, PixelSpacing=[0.1, 0.2])
    picture = read_image(packed(data))
    expected = turn(ramp() / 4095)
    np.testing.assert_allclose(picture.pixels[0], expected, atol=TOLERANCE)
    assert picture.spacing_mm == ((0.1, 0.2) if expected.shape == (40, 52) else (0.2, 0.1))
    stored = read_image(packed(data), orient=False)
    np.testing.assert_allclose(stored.pixels[0], ramp() / 4095, atol=TOLERANCE)
    assert stored.spacing_mm == (0.1, 0.2)


def test_an_orientation_that_is_none_of_a_chest_is_left() -> None:
    picture = read_image(packed(made(ramp(), PatientOrientation=["A", "L"])))
    np.testing.assert_allclose(picture.pixels[0], ramp() / 4095, atol=TOLERANCE)
    assert any("left as stored" in note for note in picture.notes)


def test_spacing_prefers_what_may_be_calibrated() -> None:
    both = {"PixelSpacing": [0.14, 0.15], "ImagerPixelSpacing": [0.2, 0.2]}
    assert read_image(packed(made(ramp(), **both))).spacing_mm == (0.14, 0.15)
    only = read_image(packed(made(ramp(), ImagerPixelSpacing=[0.2, 0.3])))
    assert only.spacing_mm == (0.2, 0.3)
    assert only.meta["spacing from"] == "ImagerPixelSpacing"
    assert read_image(packed(made(ramp()))).spacing_mm is None


@pytest.mark.parametrize(
    ("tags", "view"),
    [
        ({"ViewPosition": "PA"}, View.PA),
        ({"ViewPosition": "AP", "SeriesDescription": "lateral"}, View.AP),
        ({"ViewPosition": "LL"}, View.LATERAL),
        ({"ViewPosition": "LLD"}, View.FRONTAL),
        ({"ViewPosition": "", "SeriesDescription": "view: PA"}, View.PA),
        ({"SeriesDescription": "Thorax_a.p._portable"}, View.AP),
        ({"SeriesDescription": "CHEST LAT"}, View.LATERAL),
        ({"StudyDescription": "CHEST PA AND LATERAL"}, View.UNKNOWN),
        ({"StudyDescription": "CHEST, AP OR PA"}, View.FRONTAL),
        ({"ProtocolName": "frontal erect"}, View.FRONTAL),
        ({"SeriesDescription": "lateral decubitus"}, View.FRONTAL),
        ({"SeriesDescription": "map of a lattice"}, View.UNKNOWN),
        ({}, View.UNKNOWN),
    ],
)
def test_views(tags: dict[str, str], view: View) -> None:
    assert read_image(packed(made(ramp(), **tags))).view is view


def test_view_by_code() -> None:
    code = Dataset()
    code.CodeMeaning = "postero-anterior"
    assert read_image(packed(made(ramp(), ViewCodeSequence=[code]))).view is View.PA


def test_frames_are_picked_by_number() -> None:
    frames = np.stack([ramp(), ramp()[::-1], ramp() // 2])
    file = packed(made(frames))
    assert read_header(file).frames == 3
    with pytest.raises(ImageError, match=r"has 3 frames\..*frame=N, N from 0 to 2"):
        read_image(file)
    with pytest.raises(ImageError, match="not a frame 3"):
        read_image(file, frame=3)
    np.testing.assert_allclose(read_image(file, frame=1).pixels[0], ramp()[::-1] / 4095, atol=TOLERANCE)


def test_colour_is_refused_and_grey_in_three_channels_is_not() -> None:
    grey = np.repeat(ramp(bits=8)[:, :, None], 3, axis=2)
    np.testing.assert_allclose(
        read_image(packed(made(grey, bits=8))).pixels[0], ramp(bits=8) / 255, atol=TOLERANCE
    )
    coloured = grey.copy()
    coloured[:, :, 2] = 0
    with pytest.raises(ImageError, match="colour picture"):
        read_image(packed(made(coloured, bits=8)))
    read = read_image(packed(made(coloured, bits=8)), colour="luminance").pixels[0]
    np.testing.assert_allclose(read, coloured @ [0.299, 0.587, 0.114] / 255, atol=0.5 / 255 + 1e-6)


def test_a_palette_of_greys_is_grey() -> None:
    data = made(np.arange(48).reshape(6, 8), bits=8, PhotometricInterpretation="PALETTE COLOR")
    for channel in ("Red", "Green", "Blue"):
        setattr(data, f"{channel}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(data, f"{channel}PaletteColorLookupTableData", (np.arange(256) * 256).astype("<u2").tobytes())
    np.testing.assert_allclose(
        read_image(packed(data)).pixels[0].ravel(), np.arange(48) * 256 / 65535, atol=1e-6
    )


def test_files_without_preamble_are_read() -> None:
    file = packed(made(ramp()))
    bare = file[132:]
    np.testing.assert_array_equal(read_image(bare).pixels, read_image(file).pixels)
    without_meta = bare[bare.index(b"\x08\x00\x16\x00") :]
    picture = read_image(without_meta)
    np.testing.assert_array_equal(picture.pixels, read_image(file).pixels)
    assert any("names no transfer syntax" in note for note in picture.notes)


def test_nothing_of_the_person_is_kept() -> None:
    data = made(ramp(), PatientName="Invented^Ida", PatientID="INV-1", PatientBirthDate="19010101")
    picture = read_image(packed(data))
    kept = " ".join([*picture.meta.values(), *picture.notes])
    assert not any(secret in kept for secret in ("Invented", "INV-1", "19010101"))
