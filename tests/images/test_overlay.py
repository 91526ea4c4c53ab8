from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image as Pillow

from hilum.core.errors import ImageError, InputError
from hilum.images.overlay import STRENGTH, heat_colours, overlay, png_of


def grey(height: int = 24, width: int = 32) -> np.ndarray:
    return np.linspace(0, 1, height * width, dtype=np.float32).reshape(1, height, width)


def oklab(colours: np.ndarray) -> np.ndarray:
    """sRGB to OKLab by the matrices from sRGB to LMS and from LMS to OKLab (Ottosson 2020)."""
    values = colours / 255.0
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    to_lms = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    to_lab = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    return np.cbrt(linear @ to_lms.T) @ to_lab.T


def test_colours_are_perceptually_even_and_ever_lighter() -> None:
    colours = heat_colours()
    assert (colours.shape, colours.dtype, colours.flags.writeable) == ((256, 3), np.uint8, False)
    lab = oklab(colours.astype(float))
    steps = np.linalg.norm(np.diff(lab[::15], axis=0), axis=1)  # 15 apart: rounding to 1/255 hardly counts
    assert steps.max() / steps.min() < 1.1
    assert (np.diff(lab[::5, 0]) > 0).all()
    assert lab[-1, 0] - lab[0, 0] > 0.6


def test_no_heat_leaves_the_image_grey() -> None:
    pixels = grey()
    found = overlay(pixels, np.zeros((24, 32)))
    assert (found.shape, found.dtype) == ((24, 32, 3), np.uint8)
    np.testing.assert_array_equal(found, np.rint(pixels[0] * 255).astype(np.uint8)[..., None].repeat(3, 2))


def test_full_heat_is_the_last_colour_by_its_strength() -> None:
    pixels = grey()
    expected = np.rint(
        pixels[0][..., None].astype(float) * 255 * (1 - STRENGTH) + heat_colours()[255] * STRENGTH
    )
    np.testing.assert_array_equal(overlay(pixels, np.ones((24, 32))), expected)
    plain = overlay(pixels, np.ones((24, 32), dtype=np.float32), strength=1.0)
    np.testing.assert_array_equal(plain, np.broadcast_to(heat_colours()[255], plain.shape))


def test_heat_only_colours_where_it_is() -> None:
    heat = np.zeros((24, 32), dtype=np.float32)
    heat[5:10, 6:12] = np.linspace(0.1, 1, 30).reshape(5, 6)
    found = overlay(grey(), heat)
    coloured = (found != found[..., :1]).any(axis=2)
    assert coloured[5:10, 6:12].mean() > 0.95
    coloured[5:10, 6:12] = False
    assert not coloured.any()


def test_nothing_is_changed_and_equal_input_gives_equal_bytes() -> None:
    pixels, heat = grey(), np.random.default_rng(0).random((24, 32))
    copies = pixels.copy(), heat.copy()
    assert png_of(overlay(pixels, heat)) == png_of(overlay(pixels, heat))
    np.testing.assert_array_equal(pixels, copies[0])
    np.testing.assert_array_equal(heat, copies[1])


def test_a_png_can_be_read_by_another_program() -> None:
    colours = overlay(grey(7, 13), np.random.default_rng(1).random((7, 13)))
    read = Pillow.open(io.BytesIO(png_of(colours)))
    assert (read.format, read.mode, read.size) == ("PNG", "RGB", (13, 7))
    np.testing.assert_array_equal(np.asarray(read), colours)


@pytest.mark.parametrize(
    "heat", [np.zeros((24, 31)), np.full((24, 32), 1.5), np.full((24, 32), -0.1), np.full((24, 32), np.nan)]
)
def test_heat_that_does_not_fit_is_refused(heat: np.ndarray) -> None:
    with pytest.raises(InputError, match="Heat"):
        overlay(grey(), heat)


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(ImageError):
        overlay(np.zeros((24, 32), dtype=np.float32), np.zeros((24, 32)))
    with pytest.raises(InputError, match="strength"):
        overlay(grey(), np.zeros((24, 32)), strength=2.0)
    for array in (np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(InputError, match="uint8"):
            png_of(array)
