"""Ribs, clavicles, scapulae and spine of a frontal film."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hilum.core.rng import rng_for
from hilum.datasets._phantom.draw_anatomy import SIGN, Frontal
from hilum.datasets._phantom.draw_canvas import (
    Bytes,
    Plane,
    Points,
    curve,
    ellipse,
    paint,
    ribbon,
    soft,
    stroke,
    unit,
)
from hilum.datasets._phantom.film import Film

RIBS = 11
"""Ribs that are drawn on each side."""

PITCH = 0.0625
"""From one rib, or vertebra, to the next, in a chest of height 1."""

BACK = 0.27
"""Attenuation of the back of a rib."""

CLAVICLE = 0.36
"""Attenuation of a clavicle."""


class Ribs(NamedTuple):
    """The ribs of one side, the first first: centre lines of their back halves [R, 18, 2] and front halves [R, 16, 2].

    `back_width`, `front_width`: thickness at each point, [R, 18] and [R, 16].
    """

    back: NDArray[np.float64]
    front: NDArray[np.float64]
    back_width: NDArray[np.float64]
    front_width: NDArray[np.float64]


_BACK = np.linspace(0.0, np.pi / 2, 18)
_FRONT = np.linspace(0.0, np.pi / 2, 16)
_REACH = np.array([0.62] * 7 + [0.45, 0.39, 0.33, 0.27])


def ribs(film: Film, frontal: Frontal, side: str) -> Ribs:
    """The ribs of one side. The same in every film of a patient, apart from how it was taken."""
    a, s = film.anatomy, SIGN[side]
    jitter = rng_for(a.pattern, "ribs", side).normal(0, 0.0035, (4, RIBS, 1))
    k = np.arange(RIBS)[:, None]
    slope = a.rib_slope + 5.0 * (1 - film.inspiration) - (3.0 if frontal.is_bedside else 0.0)
    start = frontal.apex + 0.012 + (k - 0.25) * PITCH * a.chest_height + jitter[0]
    drop = (0.045 + 0.0085 * k) * (1 + slope / 25.0) + jitter[1]
    x0, end = frontal.middle + s * 0.026, start + drop
    wall = frontal.wall[side]
    at_wall = np.interp(end, wall[:, 1], wall[:, 0]) + s * 0.004
    back_y = end - drop * np.cos(_BACK) ** 1.25 - 0.012 * np.sin(2 * _BACK)
    reach = np.abs(at_wall - frontal.middle) * _REACH[:, None]
    reach[0] = 0.10
    fall = (0.062 + 0.010 * k) * (1 + slope / 40.0) + jitter[2]
    thick = 0.0175 + 0.0012 * np.minimum(k, 5) + 0.3 * jitter[3]
    return Ribs(
        np.stack([x0 + (at_wall - x0) * np.sin(_BACK), back_y], axis=2),
        np.stack([at_wall - s * reach * (1 - np.cos(_FRONT)), end + fall * np.sin(_FRONT)], axis=2),
        thick * np.linspace(1.0, 0.92, 18),
        thick * np.linspace(0.9, 1.2, 16),
    )


def rib_layer(centres: NDArray[np.float64], widths: NDArray[np.float64], size: int, *, front: bool) -> Plane:
    """Attenuation [S, S], about 1, of ribs [R, N, 2]: a pale body and brighter edges, brightest below at the back."""
    body: Bytes = np.zeros((size, size), np.uint8)
    edge: Bytes = np.zeros((size, size), np.uint8)
    outlines, n = ribbon(centres, widths), centres.shape[1]
    paint(body, outlines, 120 if front else 150)
    stroke(edge, outlines[:, :n], 0.0032, 75 if front else 110)
    stroke(edge, outlines[:, n:], 0.0036, 75 if front else 130)
    return unit(body) + unit(edge)


def skeleton(film: Film, frontal: Frontal, size: int) -> Plane:
    """Attenuation [S, S] of all bones of a frontal film."""
    both = [ribs(film, frontal, side) for side in SIGN]
    back, front, back_width, front_width = (np.concatenate(parts) for parts in zip(*both, strict=True))
    bones = rib_layer(back, back_width, size, front=False) * np.float32(BACK)
    upper = np.arange(len(front)) % RIBS < 7
    bones += np.float32(0.2) * _fade(
        rib_layer(front[upper], front_width[upper], size, front=True), frontal, size
    )
    bones += spine(film, frontal, size) + clavicles(film, frontal, size) + shoulders(film, frontal, size)
    return np.asarray(soft(bones, 0.0012) * np.float32(film.anatomy.bone_density), np.float32)


def _fade(layer: Plane, frontal: Frontal, size: int) -> Plane:
    """Ribs in front turn to cartilage towards the midline and are paler there."""
    from_middle = np.abs((np.arange(size) + 0.5) / size - frontal.front)
    return np.asarray(layer * np.clip((from_middle - 0.07) / 0.12, 0.0, 1.0).astype(np.float32)[None, :])


def clavicle_line(film: Film, frontal: Frontal, side: str) -> Points:
    """Centre line [24, 2] from the sternum to the shoulder."""
    s = SIGN[side]
    tilt = np.tan(np.radians(film.anatomy.clavicle_tilt)) * 0.3
    x0, w = frontal.front, frontal.inner / 0.36
    y = frontal.apex + (0.038 if frontal.is_bedside else 0.075)
    knots = [(0.034, 0.02), (0.06, 0.006), (0.12, -0.004), (0.2, -0.027 - 0.5 * tilt), (0.28, -0.05 - 0.9 * tilt),
             (0.35, -0.056 - tilt), (0.41, -0.042 - tilt)]  # fmt: skip
    return curve([(x0 + s * u * w, y + v) for u, v in knots], 24)


def clavicle_width(n: int = 24) -> NDArray[np.float64]:
    """Thickness [n] along the clavicle, rounded at both ends."""
    t = np.linspace(0, 1, n)
    ends = np.clip(np.minimum(t, 1 - t) * 14 + 0.45, 0, 1)
    return np.asarray((0.0215 + 0.011 * (2 * t - 1.0) ** 2) * ends)


def clavicles(film: Film, frontal: Frontal, size: int) -> Plane:
    """Attenuation [S, S] of both clavicles."""
    body: Bytes = np.zeros((size, size), np.uint8)
    edge: Bytes = np.zeros((size, size), np.uint8)
    for side in SIGN:
        clavicle(body, edge, clavicle_line(film, frontal, side), clavicle_width())
    return (unit(body) + unit(edge)) * np.float32(CLAVICLE)


def clavicle(body: Bytes, edge: Bytes, line: Points, width: NDArray[np.float64]) -> None:
    """Paint a clavicle, or a piece of one, into the two layers."""
    outline = ribbon(line, width)
    paint(body, [outline], 170)
    stroke(edge, [np.concatenate([outline, outline[:1]])], 0.0032, 95)


def shoulders(film: Film, frontal: Frontal, size: int) -> Plane:
    """Attenuation [S, S] of scapulae and arms; bedside films have the scapulae over the lungs."""
    body: Bytes = np.zeros((size, size), np.uint8)
    edge: Bytes = np.zeros((size, size), np.uint8)
    rng = rng_for(film.anatomy.pattern, "shoulder")
    w, y = frontal.inner / 0.36, frontal.apex
    over = (0.055 if frontal.is_bedside else 0.0) + 0.008 * float(rng.normal())
    for s in SIGN.values():
        x0 = frontal.middle - s * over

        def there(line: Points, x0: float = x0, s: int = s) -> Points:
            return np.stack([x0 + s * line[:, 0] * w, y + line[:, 1]], axis=1)

        paint(body, [there(curve(_BLADE, 40))], 60)
        stroke(edge, [there(curve(_BLADE[1:7], 24))], 0.0035, 60)
        stroke(edge, [there(curve(_BLADE[6:9], 12))], 0.006, 90)
        ridge = there(curve(_RIDGE, 14))
        paint(body, [ribbon(ridge, np.linspace(0.006, 0.022, 14))], 110)
        arm = there(curve(_HUMERUS, 20))
        paint(body, [ribbon(arm, _HUMERUS_WIDTH)], 150)
        stroke(edge, [ribbon(arm, _HUMERUS_WIDTH)], 0.0045, 75)
    return soft(unit(body) + unit(edge), 0.002) * np.float32(0.5)


_BLADE = np.array(
    [
        (0.405, 0.0),
        (0.345, 0.04),
        (0.325, 0.13),
        (0.333, 0.22),
        (0.36, 0.285),
        (0.375, 0.28),
        (0.388, 0.2),
        (0.41, 0.13),
        (0.437, 0.085),
        (0.44, 0.05),
    ]
)
_RIDGE = np.array([(0.335, 0.075), (0.40, 0.03), (0.45, -0.005), (0.475, -0.008)])
_HUMERUS = np.array([(0.47, 0.025), (0.476, 0.05), (0.49, 0.11), (0.515, 0.25), (0.55, 0.5), (0.6, 1.0)])
_HUMERUS_WIDTH = np.interp(
    np.linspace(0, 1, 20), [0, 0.03, 0.1, 0.17, 0.3, 1], [0.045, 0.075, 0.082, 0.062, 0.05, 0.05]
)


def spine_x(film: Film, frontal: Frontal, y: NDArray[np.floating]) -> NDArray[np.float64]:
    """x of the middle of the spine at heights `y`."""
    return np.asarray(frontal.middle + 0.0022 * film.anatomy.spine_curve * np.sin((y - 0.1) * 4.2))


def spine(film: Film, frontal: Frontal, size: int) -> Plane:
    """Attenuation [S, S] of the vertebrae: bodies, discs between them, pedicles and spinous processes."""
    body: Bytes = np.zeros((size, size), np.uint8)
    mark: Bytes = np.zeros((size, size), np.uint8)
    pitch = PITCH * film.anatomy.chest_height
    k = np.arange(-2, 17)
    y = frontal.apex + 0.012 + (k + 0.1) * pitch
    centre = np.stack([spine_x(film, frontal, y), y], axis=1)
    half = 0.0325 + 0.0007 * k
    scale = np.stack([half, np.full(len(k), pitch * 0.43)], axis=1)

    def shapes(unit_shape: Points) -> NDArray[np.float64]:
        return np.asarray(centre[:, None, :] + unit_shape[None] * scale[:, None, :])

    box = np.array([(-1, -1), (1, -1), (0.88, 0), (1, 1), (-1, 1), (-0.88, 0)], np.float64)
    paint(body, list(shapes(box)), 150)
    stroke(mark, shapes(box[[0, 1]]), 0.003, 70)
    stroke(mark, shapes(box[[4, 3]]), 0.003, 70)
    ring = ellipse((0, 0), (0.17, 0.3), 12)
    ring = np.concatenate([ring, ring[:1]])
    for s in (-1, 1):
        stroke(mark, shapes(ring + np.array([0.64 * s, -0.25])), 0.0026, 60)
    stroke(mark, shapes(np.array([(0, 0.4), (0, 1.0)])), 0.009, 60)
    return soft(unit(body) * np.float32(0.4) + unit(mark) * np.float32(0.4), 0.0018)
