"""Resize, augment and normalise images, and move boxes and masks along with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hilum.core.errors import InputError, UnknownNameError
from hilum.core.imaging import Box, Image, Mask, Pixels
from hilum.images._opencv import check_pixels, opencv
from hilum.images._presets import AUGMENTATIONS, NORMALISATIONS, Augmentation, Normalisation
from hilum.images.geometry import (
    KEEP,
    Affine,
    about,
    chain,
    identity,
    mirroring,
    move_boxes,
    rotation,
    scaling,
    shearing,
    shifting,
    swap_sides,
    warp,
    warp_mask,
)

__all__ = [
    "AUGMENTATIONS",
    "FITS",
    "NORMALISATIONS",
    "Augmentation",
    "Framed",
    "Normalisation",
    "Resized",
    "augment",
    "get_augmentation",
    "normalise",
    "resize",
    "resize_framed",
]

FITS: Mapping[str, str] = MappingProxyType(
    {
        "pad": "keep the aspect; centre, and fill the rest with one value",
        "crop": "keep the aspect; cut the longer sides off evenly",
        "squash": "use the whole frame; the aspect changes",
    }
)
"""How an image comes into a frame of another aspect: name -> what it does."""


@dataclass(frozen=True, eq=False)
class Framed:
    """An image with what is marked in it.

    `dropped`: how many boxes were lost because too little of them was left in the frame, in all steps so far.
    `mirrored`: left and right have been swapped, in the names of boxes and masks too; a report's sides no longer hold.
    """

    pixels: Pixels
    boxes: tuple[Box, ...] = ()
    masks: Mapping[str, Mask] = field(default_factory=dict)
    dropped: int = 0
    mirrored: bool = False

    @staticmethod
    def of(image: Image) -> Framed:
        """Pixels, boxes and masks of an image of a study. Raises InputError when its pixels are not in memory."""
        if image.pixels is None:
            raise InputError(
                f"Image {image.id!r} has no pixels in memory. Next step: read_image(image.path)."
            )
        return Framed(image.pixels, image.boxes, image.masks)


class Resized(NamedTuple):
    """An image in its new size, and the matrix [3, 3] that moves points of the old one to the new one."""

    pixels: Pixels
    matrix: Affine


def resize(
    pixels: Pixels, size: int | tuple[int, int], *, fit: str = "pad", pad_value: float = 0.0
) -> Resized:
    """The image in `size` pixels (one number: square; or height, width), float32 [1, H, W] in [0, 1].

    `fit` is a name of `FITS`; `pad_value` fills what "pad" adds. Shrinking averages over areas (no aliasing),
    growing is bilinear. Raises ImageError for an array that is no image, UnknownNameError for another fit,
    InputError for another size.
    """
    source = check_pixels(pixels)
    target = _size(size)
    if fit not in FITS:
        raise UnknownNameError("fit", fit, FITS)
    rows, columns = _source_window(source, target, fit)
    inner = _inner_size(source, target, fit)
    plane = _scale(pixels[0, rows, columns], inner)
    top, left = (target[0] - inner[0]) // 2, (target[1] - inner[1]) // 2
    framed: Pixels = np.full((1, *target), pad_value, dtype=np.float32)
    framed[0, top : top + inner[0], left : left + inner[1]] = plane
    matrix = chain(
        shifting(-columns.start, -rows.start),
        scaling(inner[1] / (columns.stop - columns.start), inner[0] / (rows.stop - rows.start)),
        shifting(left, top),
    )
    return Resized(framed, matrix)


def resize_framed(
    framed: Framed,
    size: int | tuple[int, int],
    *,
    fit: str = "pad",
    pad_value: float = 0.0,
    keep_box: float = KEEP,
) -> Framed:
    """As `resize`, with boxes and masks brought along; boxes with less than `keep_box` left are dropped and counted.

    A mask keeps the pixels of which at least half belongs to it, so that lines thinner than that can vanish.
    """
    pixels, matrix = resize(framed.pixels, size, fit=fit, pad_value=pad_value)
    boxes, dropped = move_boxes(framed.boxes, matrix, size=_hw(pixels), keep=keep_box)
    masks = {
        name: resize(mask.astype(np.float32)[None], size, fit=fit).pixels[0] >= 0.5
        for name, mask in framed.masks.items()
    }
    return Framed(pixels, boxes, masks, framed.dropped + dropped, framed.mirrored)


def augment(framed: Framed, augmentation: Augmentation, rng: np.random.Generator) -> Framed:
    """The image changed at random within the bounds of `augmentation`, with boxes and masks moved along.

    All geometry is one affine warp in the frame the image has; then gamma, contrast, brightness, blur, cut-outs and
    noise change pixels alone, in this order. Pixels stay in [0, 1]. The same `rng` state gives the same bytes.
    Raises ImageError for an array that is no image.
    """
    height, width = check_pixels(framed.pixels)
    matrix, mirrored = _draw_geometry(augmentation, rng, (height, width))
    shades = rng.uniform(-1.0, 1.0, size=3)
    strengths = rng.uniform(0.0, 1.0, size=2)
    moved = _move(framed, matrix, mirrored, augmentation) if augmentation.moves else framed
    pixels = _shade(moved.pixels, augmentation, shades)
    pixels = _blur(pixels, augmentation.blur * strengths[0])
    pixels = _cut(pixels, augmentation, rng)
    pixels = _noise(pixels, augmentation.noise * strengths[1], rng)
    return Framed(pixels, moved.boxes, moved.masks, moved.dropped, moved.mirrored)


def get_augmentation(name: str) -> Augmentation:
    """The augmentation of that name. Raises UnknownNameError, with the nearest name."""
    if name not in AUGMENTATIONS:
        raise UnknownNameError("augmentation", name, AUGMENTATIONS)
    return AUGMENTATIONS[name]


def normalise(pixels: Pixels, name: str) -> NDArray[np.float32]:
    """What a model gets: float32 [C, H, W], with as many equal channels as the normalisation `name` has numbers.

    Raises UnknownNameError, with the nearest name.
    """
    check_pixels(pixels)
    if name not in NORMALISATIONS:
        raise UnknownNameError("normalisation", name, NORMALISATIONS)
    chosen = NORMALISATIONS[name]
    mean_C11 = np.asarray(chosen.mean, dtype=np.float32)[:, None, None]
    std_C11 = np.asarray(chosen.std, dtype=np.float32)[:, None, None]
    normalised: NDArray[np.float32] = (pixels - mean_C11) / std_C11
    return normalised


def _hw(pixels: Pixels) -> tuple[int, int]:
    return pixels.shape[1], pixels.shape[2]


def _size(size: int | tuple[int, int]) -> tuple[int, int]:
    height, width = (size, size) if isinstance(size, int) else size
    if min(height, width) < 1 or max(height, width) > 16_384:
        raise InputError(f"The size {size!r} is not allowed; allowed: 1 to 16,384 pixels a side.")
    return height, width


def _source_window(source: tuple[int, int], target: tuple[int, int], fit: str) -> tuple[slice, slice]:
    """The rows and columns of the source that are used: all, or for "crop" its middle in the target's aspect."""
    height, width = source
    if fit == "crop":
        scale = max(target[0] / height, target[1] / width)
        height = min(height, max(1, round(target[0] / scale)))
        width = min(width, max(1, round(target[1] / scale)))
    top, left = (source[0] - height) // 2, (source[1] - width) // 2
    return slice(top, top + height), slice(left, left + width)


def _inner_size(source: tuple[int, int], target: tuple[int, int], fit: str) -> tuple[int, int]:
    if fit != "pad":
        return target
    scale = min(target[0] / source[0], target[1] / source[1])
    return (
        min(target[0], max(1, round(source[0] * scale))),
        min(target[1], max(1, round(source[1] * scale))),
    )


def _scale(plane: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Areas averaged along axes that shrink, then bilinear along axes that grow."""
    cv2 = opencv()
    smaller = (min(size[0], plane.shape[0]), min(size[1], plane.shape[1]))
    if smaller != plane.shape:
        plane = cv2.resize(np.ascontiguousarray(plane), smaller[::-1], interpolation=cv2.INTER_AREA)
    if size != plane.shape:
        plane = cv2.resize(np.ascontiguousarray(plane), size[::-1], interpolation=cv2.INTER_LINEAR)
    return np.clip(plane, 0.0, 1.0)


def _draw_geometry(
    augmentation: Augmentation, rng: np.random.Generator, size: tuple[int, int]
) -> tuple[Affine, bool]:
    height, width = size
    turn, lean, across, down = rng.uniform(-1.0, 1.0, size=4)
    low, high = np.log(augmentation.scale)
    factor = float(np.exp(rng.uniform(0.0, 1.0) * (high - low) + low))
    mirrored = bool(rng.uniform(0.0, 1.0) < augmentation.flip)
    centre = (width / 2, height / 2)
    matrix = chain(
        mirroring(width) if mirrored else identity(),
        about(centre, shearing(lean * augmentation.shear_degrees)),
        about(centre, rotation(turn * augmentation.rotate_degrees)),
        about(centre, scaling(factor, factor)),
        shifting(across * augmentation.shift * width, down * augmentation.shift * height),
    )
    return matrix, mirrored


def _move(framed: Framed, matrix: Affine, mirrored: bool, augmentation: Augmentation) -> Framed:
    size = _hw(framed.pixels)
    boxes, dropped = move_boxes(framed.boxes, matrix, size=size, keep=augmentation.keep_box)
    masks = {name: warp_mask(mask, matrix, size=size) for name, mask in framed.masks.items()}
    if mirrored:
        boxes = tuple(Box(swap_sides(b.finding), b.x0, b.y0, b.x1, b.y1) for b in boxes)
        masks = {swap_sides(name): mask for name, mask in masks.items()}
    pixels = warp(framed.pixels, matrix, size=size, fill=augmentation.fill)
    return Framed(pixels, boxes, masks, framed.dropped + dropped, framed.mirrored != mirrored)


def _shade(pixels: Pixels, augmentation: Augmentation, shades: NDArray[np.float64]) -> Pixels:
    gamma, contrast, brightness = (
        float(s * a)
        for s, a in zip(
            shades, (augmentation.gamma, augmentation.contrast, augmentation.brightness), strict=True
        )
    )
    shaded = pixels.copy()
    if gamma:
        np.power(shaded, np.float32(1.0 + gamma), out=shaded)
    if contrast or brightness:
        mean = float(shaded.mean(dtype=np.float64))
        shaded *= np.float32(1.0 + contrast)
        shaded += np.float32(brightness - contrast * mean)
    np.clip(shaded, 0.0, 1.0, out=shaded)
    return shaded


def _blur(pixels: Pixels, sigma: float) -> Pixels:
    if sigma < 0.05:
        return pixels
    blurred: Pixels = opencv().GaussianBlur(pixels[0], (0, 0), sigma)[None]
    return blurred


def _noise(pixels: Pixels, sigma: float, rng: np.random.Generator) -> Pixels:
    if sigma == 0.0:
        return pixels
    noisy: Pixels = rng.standard_normal(pixels.shape, dtype=np.float32)
    noisy *= np.float32(sigma)
    noisy += pixels
    np.clip(noisy, 0.0, 1.0, out=noisy)
    return noisy


def _cut(pixels: Pixels, augmentation: Augmentation, rng: np.random.Generator) -> Pixels:
    if not augmentation.cutouts:
        return pixels
    height, width = _hw(pixels)
    cut = pixels.copy()
    for share, x, y in rng.uniform(0.0, 1.0, size=(augmentation.cutouts, 3)):
        side = max(1, round((0.5 + 0.5 * share) * augmentation.cutout_side * min(height, width)))
        top, left = round(y * (height - side)), round(x * (width - side))
        cut[0, top : top + side, left : left + side] = augmentation.fill
    return cut
