"""The public images beside this clone; skipped where they are absent. Nothing of them stands here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hilum.core.imaging import View
from hilum.images.read import Picture, read_image, read_images

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def needs(folder: str) -> Path:
    if not (DATA / folder).exists():
        pytest.skip(f"needs ../shared/data/{folder}, which is not in this clone")
    return DATA / folder


def test_the_same_stored_values_called_monochrome1_are_one_minus_the_other() -> None:
    files = sorted(needs("dicom").glob("*.dcm"))
    assert len(files) == 2
    first, second = (read_image(file) for file in files)
    assert float(np.abs(first.pixels + second.pixels - 1).max()) <= 1e-7
    assert [p.view for p in (first, second)] == [View.PA, View.PA]
    assert first.spacing_mm == (0.168, 0.168)
    assert first.pixels.shape == (1, 1024, 1024)


@pytest.mark.parametrize(
    ("folder", "pattern", "step"),
    [
        ("nih_1000/images", "*", 20),
        ("covid_notes/images", "*", 10),
        ("vqa_rad_chest", "**/*.jpg", 5),
        ("openi/images", "*", 2),
    ],
)
def test_a_share_of_each_set_is_read(folder: str, pattern: str, step: int) -> None:
    files = sorted(p for p in needs(folder).glob(pattern) if p.suffix in (".png", ".jpg", ".jpeg"))[::step]
    assert files
    for picture in read_images(files):
        assert isinstance(picture, Picture), picture
        assert picture.pixels.dtype == np.float32
        assert 0 <= picture.pixels.min() < picture.pixels.max() <= 1
