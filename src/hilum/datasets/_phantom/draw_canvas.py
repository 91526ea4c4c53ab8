"""Shapes on a square canvas: all coordinates are parts of its width, x to the right and y down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hilum.core.errors import MissingExtraError
from hilum.core.rng import rng_for
from hilum.datasets._phantom.film import Film

try:
    import cv2
except ModuleNotFoundError as error:
    raise MissingExtraError("opencv-python-headless", "images") from error

Plane = NDArray[np.float32]
"""One value per pixel: float32 [S, S]."""

Bytes = NDArray[np.uint8]
"""Coverage or amplitude per pixel, 0 to 255: uint8 [S, S]."""

Points = NDArray[np.float64]
"""A line or an outline: float64 [N, 2], x and y."""

_SHIFT = 4


@dataclass(frozen=True, eq=False, slots=True)
class Effect:
    """What one sign does to a film, each [S, S] or None.

    `fill`: part of the lung's air that is gone (0 to 1). `add`: attenuation on top (may be negative). `bare`: part
    of the lung's markings that is gone, 0 to 1. `box`: where the sign is, in parts of the width; None: where the
    planes say.
    """

    fill: Plane | None = None
    add: Plane | None = None
    bare: Plane | None = None
    box: tuple[float, float, float, float] | None = None


AIR = 0.80
"""Part of the tissue's attenuation that air takes away."""


@dataclass(frozen=True, eq=False)
class Layers:
    """A film before signs, each plane [S, S].

    `tissue`: attenuation if there were no air. `air`: how much of it is air, 0 to 1. `vessels`: attenuation of the
    markings where there is air. `solid`: attenuation of bone. `lungs`: side -> coverage of the lung that is not
    behind heart or mediastinum. `heart`: its coverage.
    """

    film: Film
    size: int
    tissue: Plane
    air: Plane
    vessels: Plane
    solid: Plane
    lungs: Mapping[str, Plane]
    heart: Plane


@lru_cache(maxsize=8)
def grid(size: int) -> tuple[Plane, Plane]:
    """Centres of the pixels: x [1, S] and y [S, 1]."""
    steps = ((np.arange(size) + 0.5) / size).astype(np.float32)
    x, y = steps[None, :], steps[:, None]
    x.flags.writeable = y.flags.writeable = False
    return x, y


@lru_cache(maxsize=1)
def keep_memory() -> None:
    """Let the C library keep what planes free, instead of asking the system for it again for each film.

    glibc hands freed memory back unless it has seen a large block freed: then it keeps twice as much (mallopt(3),
    M_MMAP_THRESHOLD, M_TRIM_THRESHOLD). One block of 31 MB, never touched, does it; drawing takes a third less time.
    """
    block = np.empty(31 << 20, np.uint8)
    del block


def plane(size: int) -> Plane:
    """Zeros [S, S]."""
    return np.zeros((size, size), np.float32)


@lru_cache(maxsize=256)
def _basis(knots: int, n: int, closed: bool) -> NDArray[np.float64]:
    """Catmull-Rom weights [n, knots]: a curve through its knots."""
    spans = knots if closed else knots - 1
    t = np.linspace(0.0, spans, n, endpoint=not closed)
    start = np.minimum(t.astype(int), spans - 1)
    u = t - start
    weights = (
        -0.5 * u + u**2 - 0.5 * u**3,
        1 - 2.5 * u**2 + 1.5 * u**3,
        0.5 * u + 2 * u**2 - 1.5 * u**3,
        -0.5 * u**2 + 0.5 * u**3,
    )
    basis = np.zeros((n, knots))
    for offset, weight in enumerate(weights):
        place = start + offset - 1
        place = place % knots if closed else np.clip(place, 0, knots - 1)
        np.add.at(basis, (np.arange(n), place), weight)
    return basis


def curve(knots: Sequence[Sequence[float] | Points] | Points, n: int = 32, *, closed: bool = False) -> Points:
    """A smooth line [n, 2] through the knots [K, 2]."""
    points = np.asarray(knots, np.float64)
    return np.asarray(_basis(len(points), n, closed) @ points)


def _fixed(points: Points, size: int) -> NDArray[np.int32]:
    return np.rint((points * size - 0.5) * (1 << _SHIFT)).astype(np.int32)


def paint(out: Bytes, outlines: Iterable[Points], value: int = 255) -> Bytes:
    """Fill outlines, each on its own, with `value`; returns `out`."""
    size = out.shape[0]
    for outline in outlines:
        cv2.fillPoly(out, [_fixed(outline, size)], int(value), cv2.LINE_AA, _SHIFT)
    return out


def stroke(out: Bytes, lines: Sequence[Points] | Points, width: float, value: float = 255) -> Bytes:
    """Draw lines of one width (a part of the canvas); thinner than a pixel is paler instead. Returns `out`.

    `lines`: several [N, 2], or one array [B, N, 2], which is faster.
    """
    if not len(lines):
        return out
    size = out.shape[0]
    pixels = width * size
    thick = max(1, round(pixels))
    shade = round(min(255.0, value * min(1.0, max(pixels / thick, 0.35))))
    fixed = (
        list(_fixed(lines, size)) if isinstance(lines, np.ndarray) else [_fixed(line, size) for line in lines]
    )
    cv2.polylines(out, fixed, False, shade, thick, cv2.LINE_AA, _SHIFT)
    return out


def letters(shape: tuple[int, int], text: str, at: tuple[int, int], scale: float) -> Bytes:
    """Text as coverage; `at`: the lower left corner in pixels, `scale`: 1 is about 22 pixels high."""
    out: Bytes = np.zeros(shape, np.uint8)
    cv2.putText(
        out, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, 235, max(1, round(shape[0] / 200)), cv2.LINE_AA
    )
    return out


def covered(outlines: Iterable[Points], size: int) -> Plane:
    """Coverage [S, S], 0 to 1, of the union of outlines."""
    return unit(paint(np.zeros((size, size), np.uint8), outlines))


def unit(layer: Bytes) -> Plane:
    """Bytes as 0 to 1."""
    return np.multiply(layer, np.float32(1 / 255), dtype=np.float32)


def soft(layer: Plane, radius: float) -> Plane:
    """Gaussian blur; `radius` (standard deviation) is a part of the width. Wide blurs work on a coarser grid."""
    size = layer.shape[0]
    sigma = radius * size
    if sigma < 0.3:
        return layer
    coarse = 1
    while sigma / coarse > 2.2 and size // (coarse * 2) >= 8:
        coarse *= 2
    if coarse == 1:
        return np.asarray(cv2.GaussianBlur(layer, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE))
    small = cv2.resize(layer, (size // coarse, size // coarse), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / coarse, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(small, (size, size), interpolation=cv2.INTER_CUBIC))


def enlarge(layer: Plane, size: int) -> Plane:
    """A coarse plane at full size [S, S], interpolated."""
    return np.asarray(cv2.resize(layer, (size, size), interpolation=cv2.INTER_LINEAR))


def ribbon(centre: Points, width: float | NDArray[np.float64]) -> Points:
    """The outline [..., 2N, 2] of a band around a line [..., N, 2]; `width` is one number or one for each point."""
    along = np.empty_like(centre)
    along[..., 1:-1, :] = centre[..., 2:, :] - centre[..., :-2, :]
    along[..., 0, :] = centre[..., 1, :] - centre[..., 0, :]
    along[..., -1, :] = centre[..., -1, :] - centre[..., -2, :]
    half = np.broadcast_to(width, centre.shape[:-1]) / (2 * np.hypot(along[..., 0], along[..., 1]) + 1e-9)
    across = np.empty_like(centre)
    across[..., 0] = -along[..., 1] * half
    across[..., 1] = along[..., 0] * half
    return np.concatenate([centre + across, (centre - across)[..., ::-1, :]], axis=-2)


@lru_cache(maxsize=4)
def _grain(size: int) -> Plane:
    return rng_for(size, "grain").standard_normal((size, size), dtype=np.float32)


def grain(rng: np.random.Generator, size: int) -> Plane:
    """Independent noise [S, S] of spread 1: one sheet for each size, moved and turned over by chance, which is fast."""
    down, across = (int(v) for v in rng.integers(0, size, 2))
    sheet = _grain(size)[:: 1 if rng.random() < 0.5 else -1, :: 1 if rng.random() < 0.5 else -1]
    moved = np.empty((size, size), np.float32)
    moved[: size - down, : size - across] = sheet[down:, across:]
    moved[size - down :, : size - across] = sheet[:down, across:]
    moved[: size - down, size - across :] = sheet[down:, :across]
    moved[size - down :, size - across :] = sheet[:down, :across]
    return moved


def clouds(rng: np.random.Generator, size: int, cells: int) -> Plane:
    """Smooth irregularity [S, S] around 0, of spread 1, with about `cells` bumps across."""
    raw = rng.standard_normal((cells, cells), dtype=np.float32)
    return np.asarray(cv2.resize(raw, (size, size), interpolation=cv2.INTER_CUBIC)) * np.float32(1.2)


def blob(size: int, centre: Sequence[float], radii: Sequence[float], *, angle: float = 0.0) -> Plane:
    """A round hill [S, S], 1 in the centre, exp(-1) at the radii (x, y), turned by `angle` (radians)."""
    if size >= 128 and min(radii) * size >= 6:
        return enlarge(_hill(size // 2, centre, radii, angle), size)
    return _hill(size, centre, radii, angle)


def _hill(size: int, centre: Sequence[float], radii: Sequence[float], angle: float) -> Plane:
    x, y = grid(size)
    dx, dy = x - np.float32(centre[0]), y - np.float32(centre[1])
    if not angle:
        return np.asarray(
            np.exp(-((dx / np.float32(radii[0])) ** 2)) * np.exp(-((dy / np.float32(radii[1])) ** 2))
        )
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    dx, dy = c * dx + s * dy, c * dy - s * dx
    far = (dx / np.float32(radii[0])) ** 2 + (dy / np.float32(radii[1])) ** 2
    return np.asarray(np.exp(-far), np.float32)


def ellipse(centre: Sequence[float], radii: Sequence[float], n: int = 28, *, angle: float = 0.0) -> Points:
    """An outline [n, 2]."""
    t = np.linspace(0, 2 * np.pi, n, endpoint=False)
    c, s = np.cos(angle), np.sin(angle)
    px, py = radii[0] * np.cos(t), radii[1] * np.sin(t)
    return np.stack([centre[0] + c * px - s * py, centre[1] + s * px + c * py], axis=1)


def extent(layer: Plane, *, level: float) -> tuple[float, float, float, float] | None:
    """The pixel box (x0, y0, x1, y1), half-open, of where |layer| exceeds `level`, or None."""
    beyond = np.abs(layer) > level
    columns, rows = np.flatnonzero(beyond.any(axis=0)), np.flatnonzero(beyond.any(axis=1))
    if not len(columns):
        return None
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)
