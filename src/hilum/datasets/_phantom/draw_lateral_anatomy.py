"""Where everything is on a lateral film, and its bones; the front of the patient at the left of the image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilum.core.rng import rng_for
from hilum.datasets._phantom.draw_anatomy import kinds_of
from hilum.datasets._phantom.draw_canvas import (
    Bytes,
    Plane,
    Points,
    curve,
    paint,
    ribbon,
    soft,
    stroke,
    unit,
)
from hilum.datasets._phantom.film import Film

_SIDES = ("left", "right")
Placer = Callable[[list[tuple[float, float]]], Points]


@dataclass(frozen=True, eq=False)
class Lateral:
    """Outlines and landmarks of a lateral film, in parts of its width.

    `front`, `back`: (x, y) lines that bound the lungs; `lung`: side -> outline; `floor`: side -> diaphragm, from
    front to back; `spine`: centre line of the vertebrae; `sternum`: centre line of the breastbone.
    """

    apex: float
    scale: float
    lung: dict[str, Points]
    floor: dict[str, Points]
    front: Points
    back: Points
    heart: Points
    hilum: tuple[float, float]
    trachea: Points
    spine: Points
    sternum: Points

    def at(self, u: float, v: float) -> tuple[float, float]:
        """A point of the lungs: `u` from 0 in front to 1 at the back, `v` from 0 at the apex to 1 at the dome."""
        y = self.apex + v * (float(self.floor["right"][:, 1].min()) - self.apex)
        front = float(np.interp(y, self.front[:, 1], self.front[:, 0]))
        back = float(np.interp(y, self.back[:, 1], self.back[:, 0]))
        return front + u * (back - front), y


_FRONT = [
    (0.515, -0.005),
    (0.43, 0.02),
    (0.355, 0.10),
    (0.3, 0.21),
    (0.255, 0.33),
    (0.228, 0.45),
    (0.215, 0.545),
]
_BACK = [
    (0.515, -0.005),
    (0.6, 0.012),
    (0.69, 0.085),
    (0.765, 0.22),
    (0.808, 0.4),
    (0.82, 0.58),
    (0.805, 0.755),
]
_SPINE = [(0.6, -0.16), (0.645, 0.0), (0.715, 0.16), (0.755, 0.34), (0.757, 0.52), (0.735, 0.7), (0.7, 0.95)]
_STERNUM = [(0.40, 0.035), (0.335, 0.09), (0.27, 0.22), (0.225, 0.35), (0.198, 0.45)]


def lateral(film: Film) -> Lateral:
    """The geometry of a lateral film. Depends on the film alone."""
    a, rng = film.anatomy, rng_for(film.seed, "pose")
    shift = 0.012 * float(rng.normal())
    apex = 0.115 + 0.008 * float(rng.normal())
    h = a.chest_height * (0.86 + 0.14 * film.inspiration)
    w = 0.9 + 0.1 * a.chest_width

    def place(knots: list[tuple[float, float]]) -> Points:
        line = np.array(knots)
        return np.stack([0.52 + shift + (line[:, 0] - 0.52) * w, apex + line[:, 1] * h], axis=1)

    front, back = curve(place(_FRONT), 36), curve(place(_BACK), 36)
    floors = {side: _floor(film, side, place) for side in _SIDES}
    lung = {side: np.concatenate([front[:-1], floors[side], back[1:-1][::-1]]) for side in _SIDES}
    heart = _heart(film, place)
    hilum = (float(place([(0.55, 0.275)])[0, 0]), float(place([(0.55, 0.275)])[0, 1]))
    return Lateral(
        apex, h, lung, floors, front, back, heart,
        hilum=hilum,
        trachea=curve(place([(0.525, -0.16), (0.53, 0.0), (0.555, 0.12), (0.565, 0.235)]), 24),
        spine=curve(place(_SPINE), 60),
        sternum=curve(place(_STERNUM), 30),
    )  # fmt: skip


def _floor(film: Film, side: str, place: Placer) -> Points:
    a = film.anatomy
    up = a.diaphragm_right if side == "right" else a.diaphragm_left - 0.018
    lift = (
        up
        + sum(0.1 * s.severity for s in film.signs if s.kind == "volume loss" and s.side == side)
        + 0.02 * (0.8 - film.inspiration)
    )
    knots = [
        (0.215, 0.545),
        (0.26, 0.515 - 0.6 * lift),
        (0.36, 0.495 - lift),
        (0.47, 0.505 - lift),
        (0.58, 0.55 - lift),
        (0.69, 0.625 - 0.7 * lift),
        (0.77, 0.705 - 0.3 * lift),
        (0.805, 0.755),
    ]
    return curve(place(knots), 40)


def _heart(film: Film, place: Placer) -> Points:
    kinds = kinds_of(film)
    wide = max(kinds.get("large heart", 0.0), kinds.get("globular heart", 0.0))
    g = 0.4 + 0.6 * (film.anatomy.heart_ratio / 0.44) + (0.1 + 0.42 * wide if wide else 0.0)
    middle = np.array([0.42, 0.44])
    knots = np.array(
        [
            (0.235, 0.52),
            (0.245, 0.44),
            (0.292, 0.35),
            (0.375, 0.275),
            (0.465, 0.245),
            (0.54, 0.3),
            (0.578, 0.395),
            (0.57, 0.485),
            (0.515, 0.56),
            (0.37, 0.55),
        ]
    )
    grown = middle + (knots - middle) * np.array([0.55 + 0.45 * g, 0.7 + 0.3 * g])
    grown[:, 0] = np.maximum(grown[:, 0] + 0.06 * (g - 1), 0.225)
    return curve(place([(float(x), float(y)) for x, y in grown]), 60, closed=True)


def side_bones(film: Film, shape: Lateral, size: int) -> Plane:
    """Attenuation [S, S] of vertebrae, ribs and breastbone."""
    body: Bytes = np.zeros((size, size), np.uint8)
    edge: Bytes = np.zeros((size, size), np.uint8)
    paint(body, [ribbon(shape.sternum - np.array([0.012, 0.0]), 0.019)], 150)
    stroke(edge, [shape.sternum - np.array([0.003, 0.0]), shape.sternum - np.array([0.021, 0.0])], 0.003, 100)
    for box in vertebrae(film, shape):
        paint(body, [box], 130)
        stroke(edge, [np.concatenate([box, box[:1]])], 0.0036, 120)
    lines: Bytes = np.zeros((size, size), np.uint8)
    rng = rng_for(film.anatomy.pattern, "ribs", "lateral")
    for k in range(9):
        for twin in range(2):
            lines_of = _rib(shape, k, 0.012 * twin + 0.004 * float(rng.normal()))
            outline = ribbon(lines_of, 0.016 * np.linspace(1.0, 0.25, 16))
            paint(body, [outline], 50)
            stroke(lines, [outline[: len(lines_of)], outline[len(lines_of) :]], 0.003, 60)
    total = unit(body) * np.float32(0.4) + unit(edge) * np.float32(0.3) + unit(lines) * np.float32(0.45)
    return np.asarray(soft(total, 0.0014) * np.float32(film.anatomy.bone_density), np.float32)


def _rib(shape: Lateral, k: int, offset: float) -> Points:
    y = shape.apex + 0.05 + 0.062 * k * shape.scale + offset
    back = float(np.interp(y, shape.back[:, 1], shape.back[:, 0])) + 0.012
    reach = (0.2 + 0.05 * min(k, 5)) * (1.0 if k < 6 else 0.85)
    t = np.linspace(0, 1, 16)
    drop = 0.05 + 0.012 * k
    bulge = np.sin(np.pi * t)
    return np.stack([back - reach * t + 0.012 * bulge * (t < 0.3), y + drop * t**1.1 + 0.015 * bulge], axis=1)


def vertebrae(film: Film, shape: Lateral) -> list[NDArray[np.float64]]:
    """Outlines [6, 2] of the vertebral bodies."""
    boxes = []
    pitch = 0.0625 * film.anatomy.chest_height
    for k in range(-3, 15):
        y = shape.apex + 0.02 + k * pitch
        x = float(np.interp(y, shape.spine[:, 1], shape.spine[:, 0]))
        slope = (float(np.interp(y + 0.02, shape.spine[:, 1], shape.spine[:, 0])) - x) / 0.02
        half, tall = 0.031 + 0.0007 * k, 0.41 * pitch
        unit_box = np.array([(-1, -1), (1, -1), (0.9, 0), (1, 1), (-1, 1), (-0.86, 0)], np.float64) * (
            half,
            tall,
        )
        tilt = np.array([[1.0, 0.0], [slope, 1.0]])
        lean = np.array([[1.0, -slope], [0.0, 1.0]])
        boxes.append(unit_box @ lean @ tilt + (x, y))
    return boxes
