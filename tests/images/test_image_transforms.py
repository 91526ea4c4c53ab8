from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.core.errors import ImageError, InputError, UnknownNameError
from hilum.core.imaging import Box, Image, Pixels
from hilum.core.rng import rng_for
from hilum.images.geometry import move_points
from hilum.images.transforms import (
    AUGMENTATIONS,
    FITS,
    NORMALISATIONS,
    Augmentation,
    Framed,
    augment,
    get_augmentation,
    normalise,
    resize,
    resize_framed,
)

MOVES = {
    "rotation": Augmentation(rotate_degrees=30.0),
    "shear": Augmentation(shear_degrees=15.0),
    "shift": Augmentation(shift=0.1),
    "scale": Augmentation(scale=(0.7, 1.4)),
    "flip": Augmentation(flip=1.0),
    "all": Augmentation(rotate_degrees=20.0, shear_degrees=10.0, shift=0.05, scale=(0.8, 1.2), flip=0.5),
}
SHADES = {
    "gamma": Augmentation(gamma=0.3),
    "contrast": Augmentation(contrast=0.3),
    "brightness": Augmentation(brightness=0.2),
    "blur": Augmentation(blur=1.0),
    "noise": Augmentation(noise=0.05),
    "cut-out": Augmentation(cutouts=2, cutout_side=0.1),
}


def noise_image(height: int, width: int, seed: int = 0) -> Pixels:
    return rng_for(seed, "pixels").random((1, height, width), dtype=np.float32)


def marked(height: int, width: int, box: tuple[int, int, int, int]) -> Framed:
    x0, y0, x1, y1 = box
    pixels = np.zeros((1, height, width), dtype=np.float32)
    pixels[0, y0:y1, x0:x1] = 1.0
    return Framed(pixels, (Box("left Mass", x0, y0, x1, y1),), {"left lung": pixels[0] > 0})


def bounds(white: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero(white)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def iou(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    across = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    down = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    shared = across * down
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def edges(box: Box) -> tuple[float, float, float, float]:
    return box.x0, box.y0, box.x1, box.y1


@pytest.mark.parametrize("name", MOVES)
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    left=st.integers(75, 90),
    top=st.integers(85, 100),
    width=st.integers(30, 50),
    height=st.integers(30, 50),
)
def test_white_box_and_mask_are_where_they_are_said_to_be(
    name: str, seed: int, left: int, top: int, width: int, height: int
) -> None:
    framed = marked(220, 200, (left, top, left + width, top + height))
    moved = augment(framed, MOVES[name], rng_for(seed, "moves"))
    seen = bounds(moved.pixels[0] > 0.02)
    assert iou(edges(moved.boxes[0]), seen) > 0.85
    (mask,) = moved.masks.values()
    assert np.array_equal(mask, moved.pixels[0] >= 0.5)
    assert moved.dropped == 0


@pytest.mark.parametrize("name", SHADES)
def test_changes_of_greys_move_nothing(name: str) -> None:
    framed = marked(80, 90, (20, 30, 50, 60))
    framed = replace(framed, pixels=framed.pixels * 0.6 + 0.2)
    changed = augment(framed, SHADES[name], rng_for(4, name))
    assert not np.array_equal(changed.pixels, framed.pixels)
    assert changed.boxes == framed.boxes
    assert changed.masks["left lung"] is framed.masks["left lung"]
    assert changed.pixels.dtype == np.float32
    assert changed.pixels.min() >= 0.0
    assert changed.pixels.max() <= 1.0
    if name != "cut-out":
        middle = (changed.pixels.min() + changed.pixels.max()) / 2
        assert iou(bounds(changed.pixels[0] > middle), (20, 30, 50, 60)) > 0.9


@pytest.mark.parametrize("name", [*MOVES, *SHADES, *AUGMENTATIONS])
def test_the_same_draws_give_the_same_bytes_and_the_input_stays(name: str) -> None:
    chosen = {**MOVES, **SHADES, **AUGMENTATIONS}[name]
    framed = Framed(
        noise_image(64, 48), (Box("Mass", 5, 6, 30, 40),), {"heart": noise_image(64, 48)[0] > 0.5}
    )
    before = framed.pixels.tobytes()
    first, second = (augment(framed, chosen, rng_for(8, "draw")) for _ in range(2))
    assert first.pixels.tobytes() == second.pixels.tobytes()
    assert first.boxes == second.boxes
    assert all(np.array_equal(first.masks[k], second.masks[k]) for k in first.masks)
    assert framed.pixels.tobytes() == before


def test_no_augmentation_is_the_identity() -> None:
    framed = marked(40, 50, (5, 6, 20, 30))
    same = augment(framed, get_augmentation("none"), rng_for(0))
    assert np.array_equal(same.pixels, framed.pixels)
    assert same.boxes == framed.boxes
    assert not same.mirrored


def test_a_flip_mirrors_exactly_and_swaps_sides() -> None:
    framed = Framed(
        noise_image(30, 41), (Box("Mass", 1, 2, 11, 12),), {"left lung": noise_image(30, 41)[0] > 0.5}
    )
    flipped = augment(framed, Augmentation(flip=1.0), rng_for(0))
    assert np.array_equal(flipped.pixels, framed.pixels[:, :, ::-1])
    assert np.array_equal(flipped.masks["right lung"], framed.masks["left lung"][:, ::-1])
    assert edges(flipped.boxes[0]) == (30.0, 2.0, 40.0, 12.0)
    assert flipped.mirrored
    assert not augment(flipped, Augmentation(flip=1.0), rng_for(0)).mirrored


def test_no_preset_but_the_one_of_chexnet_flips() -> None:
    assert [name for name, a in AUGMENTATIONS.items() if a.flip] == ["chexnet-like"]
    assert Augmentation().flip == 0.0
    assert not AUGMENTATIONS["none"].changes()
    assert AUGMENTATIONS["chexnet-like"].changes() == {"flip": 0.5}


def test_boxes_that_leave_the_frame_are_dropped_and_counted() -> None:
    framed = marked(100, 100, (0, 0, 4, 4))
    far = Augmentation(scale=(2.0, 2.0))
    gone = augment(framed, far, rng_for(0))
    assert gone.boxes == ()
    assert gone.dropped == 1
    assert augment(gone, far, rng_for(0)).dropped == 1
    cropped = resize_framed(marked(100, 300, (0, 0, 50, 100)), 100, fit="crop")
    assert cropped.boxes == ()
    assert cropped.dropped == 1


@settings(max_examples=60, deadline=None)
@given(
    fit=st.sampled_from(sorted(FITS)),
    height=st.integers(100, 260),
    width=st.integers(100, 260),
    size=st.sampled_from([64, 100, 224, (150, 90), (300, 400)]),
    left=st.integers(30, 45),
    top=st.integers(30, 45),
)
def test_boxes_and_masks_follow_a_resize(
    fit: str, height: int, width: int, size: int | tuple[int, int], left: int, top: int
) -> None:
    framed = marked(height, width, (left, top, width - 30, height - 30))
    resized = resize_framed(framed, size, fit=fit)
    assert resized.pixels.shape[1:] == ((size, size) if isinstance(size, int) else size)
    seen = bounds(resized.pixels[0] >= 0.5)
    assert np.abs(np.subtract(edges(resized.boxes[0]), seen)).max() <= 1.01
    assert np.array_equal(resized.masks["left lung"], resized.pixels[0] >= 0.5)


def test_the_matrix_of_a_resize_moves_corners_to_corners() -> None:
    pixels = np.ones((1, 50, 100), dtype=np.float32)
    ends = np.array([[0.0, 0.0], [100.0, 50.0]])
    padded = resize(pixels, 64, fit="pad", pad_value=0.25)
    assert move_points(ends, padded.matrix).tolist() == [[0.0, 16.0], [64.0, 48.0]]
    assert (padded.pixels[0, :16] == 0.25).all()
    assert padded.pixels[0, 16:48].min() == pytest.approx(1.0)
    assert (padded.pixels[0, 48:] == 0.25).all()
    assert move_points(ends, resize(pixels, 64, fit="squash").matrix).tolist() == [[0.0, 0.0], [64.0, 64.0]]
    cropped = resize(pixels, 64, fit="crop")
    assert move_points(ends, cropped.matrix).tolist() == [[-32.0, 0.0], [96.0, 64.0]]


def test_shrinking_averages_instead_of_skipping() -> None:
    stripes = np.zeros((1, 240, 240), dtype=np.float32)
    stripes[:, :, ::2] = 1.0
    small = resize(stripes, 60, fit="squash").pixels
    assert np.allclose(small, 0.5, atol=1e-6)
    blocks = noise_image(240, 240)
    means = blocks[0].reshape(60, 4, 60, 4).mean(axis=(1, 3))
    assert np.allclose(resize(blocks, 60).pixels[0], means, atol=1e-6)


@pytest.mark.parametrize("fit", sorted(FITS))
def test_the_same_size_changes_nothing(fit: str) -> None:
    pixels = noise_image(37, 37)
    assert np.array_equal(resize(pixels, 37, fit=fit).pixels, pixels)
    assert np.array_equal(resize(pixels, 37, fit=fit).matrix, np.eye(3))


@pytest.mark.parametrize("shape", [(1, 3000), (3000, 1), (1, 1), (7, 2000)])
@pytest.mark.parametrize("fit", sorted(FITS))
def test_extreme_shapes_have_a_size_too(shape: tuple[int, int], fit: str) -> None:
    resized = resize(np.full((1, *shape), 0.5, dtype=np.float32), (20, 30), fit=fit).pixels
    assert resized.shape == (1, 20, 30)
    assert resized.max() == pytest.approx(0.5)


def test_normalisations_are_what_their_names_say() -> None:
    pixels = noise_image(4, 5)
    assert np.array_equal(normalise(pixels, "none"), pixels)
    assert np.allclose(normalise(pixels, "minus-one-to-one"), pixels * 2 - 1)
    assert np.allclose(normalise(pixels, "minus-1024-to-1024"), pixels * 2048 - 1024, atol=1e-3)
    colour = normalise(pixels, "imagenet")
    assert colour.shape == (3, 4, 5)
    assert colour.dtype == np.float32
    assert np.allclose(colour[1], (pixels[0] - 0.456) / 0.224, atol=1e-6)
    assert set(NORMALISATIONS) == {"none", "minus-one-to-one", "minus-1024-to-1024", "imagenet"}


@pytest.mark.parametrize(
    "wrong",
    [{"flip": 1.5}, {"shift": -0.1}, {"gamma": 1.0}, {"scale": (1.2, 0.8)}, {"scale": (0.0, 1.0)},
     {"rotate_degrees": 400.0}, {"shear_degrees": 80.0}, {"blur": -1.0}, {"cutouts": -1}, {"noise": float("nan")}],
)  # fmt: skip
def test_senseless_bounds_are_refused_by_name(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        Augmentation(**wrong)  # type: ignore[arg-type]


def test_wrong_names_sizes_and_arrays_are_refused() -> None:
    pixels = noise_image(10, 10)
    with pytest.raises(UnknownNameError, match="Did you mean 'pad'"):
        resize(pixels, 5, fit="padd")
    with pytest.raises(UnknownNameError, match="Did you mean 'light'"):
        get_augmentation("lite")
    with pytest.raises(UnknownNameError, match="Did you mean 'imagenet'"):
        normalise(pixels, "image-net")
    with pytest.raises(InputError, match="1 to 16,384"):
        resize(pixels, 0)
    with pytest.raises(ImageError, match="float32"):
        augment(Framed(pixels.astype(np.float64)), Augmentation(), rng_for(0))
    with pytest.raises(InputError, match="no pixels in memory"):
        Framed.of(Image("a"))


def test_an_image_of_a_study_comes_with_its_marks() -> None:
    box = Box("Mass", 1, 1, 3, 3)
    framed = Framed.of(
        Image("a", pixels=noise_image(5, 5), boxes=(box,), masks={"heart": np.ones((5, 5), bool)})
    )
    assert framed.boxes == (box,)
    assert list(framed.masks) == ["heart"]


def test_opencv_is_loaded_only_when_it_is_used() -> None:
    modules = "hilum.images.transforms, hilum.images.guard, hilum.api.look, hilum.cli.look"
    code = f"import sys, {modules}; print('cv2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
