from __future__ import annotations

import csv
import hashlib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.core.errors import ImageError
from hilum.core.imaging import Pixels, View
from hilum.core.rng import rng_for
from hilum.images._templates import likeness, ranks
from hilum.images.guard import KINDS, RULES, inside_border, inspect, lateral_score, measure
from hilum.images.read import read_image

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def needs(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"needs ../shared/data/{path.relative_to(DATA)}, which is not in this clone")
    return path


def textured(plane: np.ndarray, seed: int) -> Pixels:
    noise = rng_for(seed, "film").normal(0.0, 0.03, plane.shape).astype(np.float32)
    soft = cv2.GaussianBlur(plane.astype(np.float32), (0, 0), 4.0)
    return np.clip(soft + noise, 0.0, 1.0)[None].astype(np.float32)


def frontal(seed: int = 0, size: int = 300) -> Pixels:
    """A body with rounded shoulders, two lungs with an apex, spine, heart and abdomen."""
    film = np.full((size, size), 0.12)
    at = lambda x, y: (int(x * size), int(y * size))  # noqa: E731
    cv2.rectangle(film, at(0.06, 0.25), at(0.94, 1.0), 0.62, -1)
    cv2.ellipse(film, at(0.5, 0.27), at(0.42, 0.14), 0, 0, 360, 0.62, -1)
    cv2.rectangle(film, at(0.42, 0.0), at(0.58, 0.2), 0.6, -1)
    for x in (0.3, 0.7):
        cv2.ellipse(film, at(x, 0.47), at(0.14, 0.27), 0, 0, 360, 0.25, -1)
    cv2.rectangle(film, at(0.46, 0.1), at(0.54, 1.0), 0.8, -1)
    cv2.ellipse(film, at(0.57, 0.6), at(0.15, 0.13), 30, 0, 360, 0.78, -1)
    cv2.rectangle(film, at(0.1, 0.76), at(0.9, 1.0), 0.85, -1)
    return textured(film, seed)


def lateral(seed: int = 0, size: int = 300) -> Pixels:
    """A chest from the side: a tilted body between air, bright shoulders, one lung field, abdomen."""
    film = np.full((size, size), 0.05)
    at = lambda x, y: (int(x * size), int(y * size))  # noqa: E731
    cv2.ellipse(film, at(0.5, 0.6), at(0.33, 0.62), 8, 0, 360, 0.55, -1)
    cv2.ellipse(film, at(0.45, 0.12), at(0.22, 0.16), 0, 0, 360, 0.8, -1)
    cv2.ellipse(film, at(0.57, 0.48), at(0.13, 0.28), 10, 0, 360, 0.28, -1)
    cv2.ellipse(film, at(0.36, 0.42), at(0.07, 0.15), 20, 0, 360, 0.3, -1)
    cv2.ellipse(film, at(0.48, 0.95), at(0.3, 0.22), 0, 0, 360, 0.8, -1)
    return textured(film, seed)


def kinds(pixels: Pixels, view: View | None = None) -> list[str]:
    return [c.kind for c in inspect(pixels, view=view)]


@pytest.mark.parametrize("seed", range(4))
def test_an_upright_frontal_film_is_no_concern(seed: int) -> None:
    assert kinds(frontal(seed)) == []


@pytest.mark.parametrize("seed", range(4))
def test_an_inverted_film_is_called_so(seed: int) -> None:
    assert kinds(1 - frontal(seed)) == ["inverted"]
    assert kinds(1 - lateral(seed)) == ["inverted", "lateral"]


def test_a_lateral_film_is_called_so_unless_it_is_known_to_be_one() -> None:
    assert kinds(lateral()) == ["lateral"]
    assert kinds(lateral()[:, :, ::-1].copy()) == ["lateral"]
    assert kinds(lateral(), View.LATERAL) == []
    (concern,) = inspect(lateral(), view=View.AP)
    assert "said to be AP" in concern.message
    assert concern.measure > concern.threshold
    assert "said to be" not in inspect(lateral(), view=View.UNKNOWN)[0].message


@settings(max_examples=20, deadline=None)
@given(gamma=st.floats(0.5, 2.0), low=st.floats(0.0, 0.3), seed=st.integers(0, 50))
def test_exposure_does_not_change_what_is_called_inverted(gamma: float, low: float, seed: int) -> None:
    for film in (frontal(seed), lateral(seed)):
        changed = np.float32(low) + film**gamma * np.float32(1 - low)
        assert "inverted" not in kinds(changed)
        assert "inverted" in kinds(1 - changed)


def test_likeness_of_an_inverted_image_is_the_negative() -> None:
    small = ranks(rng_for(1, "noise").random((32, 32), dtype=np.float32))
    assert np.allclose(likeness(-small), np.negative(likeness(small)))
    assert measure(1 - frontal()).inverted == pytest.approx(-measure(frontal()).inverted, abs=1e-3)


def test_ranks_of_equal_pixels_are_equal() -> None:
    ranked = ranks(np.array([[0.5, 0.1], [0.5, 0.9]], dtype=np.float32))
    assert ranked.tolist() == [[0.0, -0.5], [0.0, 0.5]]


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_large_empty_border_is_told_and_changes_no_other_verdict(value: float) -> None:
    for film in (frontal(), lateral()):
        padded = np.pad(film, ((0, 0), (80, 60), (70, 80)), constant_values=value)
        assert kinds(padded) == ["border", *kinds(film)]
        thin = np.pad(film, ((0, 0), (10, 10), (10, 10)), constant_values=value)
        assert kinds(thin) == kinds(film)


def test_writing_in_a_border_does_not_end_it() -> None:
    plane = np.pad(rng_for(0, "inner").random((100, 120), dtype=np.float32), ((60, 96), (70, 66)))
    plane[235:240, 20:200] = rng_for(0, "writing").random((5, 180)) > 0.5
    assert inside_border(plane) == (slice(60, 160), slice(70, 190))


def test_sizes_that_no_chest_film_has_are_told() -> None:
    small = cv2.resize(frontal()[0], (100, 100))[None]
    assert kinds(small) == ["not a chest X-ray sized image"]
    strip = np.repeat(frontal()[:, :, :140], 1, axis=2)
    (concern,) = inspect(strip)
    assert concern.kind == "not a chest X-ray sized image"
    assert concern.measure == pytest.approx(300 / 140)
    assert inspect(frontal(), spacing_mm=(1.2, 1.2)) == ()
    told = inspect(frontal(), spacing_mm=(0.1, 4.0))
    assert [c.threshold for c in told] == [120.0, 600.0]
    assert "30 mm" in told[0].message


@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_an_even_image_is_flat_and_judged_no_further(value: float) -> None:
    assert kinds(np.full((1, 200, 200), value, dtype=np.float32)) == ["flat"]


def test_noise_and_single_pixels_do_not_break_it() -> None:
    assert set(kinds(rng_for(0).random((1, 200, 200), dtype=np.float32))) <= set(KINDS)
    assert "not a chest X-ray sized image" in kinds(np.ones((1, 1, 1), dtype=np.float32))
    with pytest.raises(ImageError, match=r"\[1, H, W\]"):
        inspect(np.ones((3, 200, 200), dtype=np.float32))


def test_rules_can_be_set() -> None:
    assert inspect(frontal(), rules=replace(RULES, smallest_side=512))[0].threshold == 512
    shifted = replace(RULES, lateral_constant=RULES.lateral_constant + 1.0)
    found = measure(frontal())
    assert lateral_score(found, rules=shifted) == pytest.approx(lateral_score(found) + 1.0)


def test_the_input_is_not_changed_and_verdicts_repeat() -> None:
    film = frontal()
    before = film.tobytes()
    assert inspect(film) == inspect(film)
    assert film.tobytes() == before


def measured_half(paths: list[Path]) -> list[Path]:
    return [p for p in paths if int(hashlib.sha256(p.name.encode()).hexdigest()[:8], 16) % 2]


def test_real_frontal_films_are_mostly_no_concern_and_inverted_ones_are_told() -> None:
    paths = measured_half(sorted(needs(DATA / "nih_1000" / "images").iterdir()))[::6]
    films = [read_image(path).pixels for path in paths]
    assert sum("inverted" in kinds(film) for film in films) == 0
    assert sum("inverted" not in kinds(1 - film) for film in films) == 0
    assert sum(bool(kinds(film)) for film in films) <= 0.05 * len(films)


def test_real_lateral_films_are_mostly_told() -> None:
    with needs(DATA / "covid_notes" / "pairs.csv").open(newline="") as file:
        paths = [DATA / "covid_notes" / row["image"] for row in csv.DictReader(file) if row["view"] == "L"]
    told = ["lateral" in kinds(read_image(path).pixels) for path in measured_half(paths)]
    assert len(told) >= 20
    assert np.mean(told) >= 0.85


def test_the_real_file_tagged_monochrome1_is_called_inverted() -> None:
    pictures = [read_image(p) for p in sorted(needs(DATA / "dicom").glob("*.dcm"))]
    told = [kinds(picture.pixels) for picture in pictures]
    assert sorted(["inverted" in one for one in told]) == [False, True]
