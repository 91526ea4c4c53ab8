"""Where everything is on a frontal film: outlines and landmarks, from the film and those signs that change shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hilum.core.imaging import View
from hilum.core.rng import rng_for
from hilum.datasets._phantom.draw_canvas import Points, curve
from hilum.datasets._phantom.film import Film

SIGN: Mapping[str, int] = {"right": -1, "left": 1}
"""Side of the patient -> direction on the film: the patient's left is at the right side of the image."""

ENLARGED = 0.52
"""Cardiothoracic ratio at which an enlarged heart begins on a PA film (the usual limit is 0.50)."""


@dataclass(frozen=True, eq=False)
class Frontal:
    """Outlines [N, 2] and landmarks of one frontal film, in parts of its width.

    `middle`: x of the spine; `front`: x of what lies in front (sternum, clavicles), moved by rotation; `heart_x`: x of
    the midline at the heart's depth. `inner`: half the inner width of the chest. `wall`, `medial`: side -> lines
    that bound the lung. `dome`, `angle`: side -> y of the top of the diaphragm and of the costophrenic angle.
    """

    middle: float
    front: float
    heart_x: float
    inner: float
    apex: float
    dome: Mapping[str, float]
    angle: Mapping[str, float]
    lung: Mapping[str, Points]
    heart: Points
    mediastinum: Points
    knob: tuple[float, float, float]
    carina: tuple[float, float]
    hilum: Mapping[str, tuple[float, float]]
    wall: Mapping[str, Points]
    medial: Mapping[str, Points]
    is_bedside: bool

    def wall_x(self, side: str, y: float) -> float:
        """x of the inner chest wall at a height."""
        line = self.wall[side]
        return float(np.interp(y, line[:, 1], line[:, 0]))

    def medial_x(self, side: str, y: float) -> float:
        """x where the lung meets heart or mediastinum at a height."""
        line = self.medial[side]
        return float(np.interp(y, line[:, 1], line[:, 0]))

    def at(self, side: str, u: float, v: float) -> tuple[float, float]:
        """A point of the lung: `u` from 0 (mediastinum) to 1 (wall), `v` from 0 (apex) to 1 (dome)."""
        y = self.apex + v * (self.dome[side] - self.apex)
        inside, outside = self.medial_x(side, y), self.wall_x(side, y)
        return inside + u * (outside - inside), y


def kinds_of(film: Film) -> dict[str, float]:
    """Kind -> the largest severity with which the film has it."""
    found: dict[str, float] = {}
    for sign in film.signs:
        found[sign.kind] = max(found.get(sign.kind, 0.0), sign.severity)
    return found


def frontal(film: Film) -> Frontal:
    """The geometry of a frontal film. Depends on the film alone."""
    a = film.anatomy
    rng = rng_for(film.seed, "pose")
    low = film.view is View.AP or film.supine
    middle = 0.5 + 0.01 * float(rng.normal())
    apex = 0.108 + 0.008 * float(rng.normal()) - a.lung_asymmetry * 0.3
    inner = 0.362 * a.chest_width * (1.0 - 0.02 * (1 - film.inspiration))
    height = 0.61 * a.chest_height * (0.74 + 0.26 * film.inspiration) * (0.95 if low else 1.0)
    push = _push(film)
    dome = {
        "right": apex + height - a.diaphragm_right,
        "left": apex + height + 0.022 - a.diaphragm_left,
    }
    recess = 0.10 * (0.55 + 0.45 * film.inspiration)
    angle = {side: max(dome.values()) + recess - 0.25 * abs(dome["left"] - dome["right"]) for side in SIGN}
    for side in SIGN:
        lift = _lift(film, side)
        dome[side] -= lift
        angle[side] -= 0.3 * max(lift, 0.0) + 0.9 * min(lift, 0.0)
    wall = {side: _wall(side, middle, inner, apex, angle[side]) for side in SIGN}
    lung = {side: _lung(side, middle, inner, apex, dome[side], wall[side]) for side in SIGN}
    turn = 0.0035 * film.rotation_degrees
    heart_x = middle + turn + push
    floor = (dome["left"] + dome["right"]) / 2 + 0.012
    carina = (middle + 0.6 * turn + 0.7 * push - 0.006, apex + 0.232 * a.chest_height)
    heart = _heart(film, heart_x, inner, floor, carina[1])
    mediastinum, knob = _mediastinum(film, heart_x, carina, apex, floor)
    medial = {side: _medial(side, middle, heart, mediastinum, apex, angle[side]) for side in SIGN}
    hilum = {
        side: (carina[0] + SIGN[side] * (0.088 + 0.01 * a.chest_width), carina[1] + dy)
        for side, dy in (("right", 0.045), ("left", 0.028))
    }
    return Frontal(
        middle, middle + 2.2 * turn, heart_x, inner, apex, dome, angle, lung, heart, mediastinum, knob, carina,
        hilum, wall, medial, low,
    )  # fmt: skip


def _push(film: Film) -> float:
    """How far air or lost volume moves the mediastinum, to the right of the image positive."""
    moved = 0.0
    for sign in film.signs:
        way = {"tension": -0.05, "volume loss": 0.01, "collapse": 0.01}.get(sign.kind, 0.0)
        moved += way * SIGN.get(sign.side, 1) * sign.severity
    return moved


def _lift(film: Film, side: str) -> float:
    """How far signs raise (positive) or lower the diaphragm of one side."""
    ways = {"volume loss": 0.1, "collapse": 0.012, "tension": -0.045, "deep sulcus": -0.012}
    return sum(ways.get(s.kind, 0.0) * s.severity for s in film.signs if s.side == side)


def _wall(side: str, middle: float, inner: float, apex: float, angle: float) -> Points:
    """The inner chest wall from the apex down to the costophrenic angle."""
    knots = np.array(
        [
            (0.28, 0.0), (0.47, 0.025), (0.61, 0.085), (0.73, 0.19), (0.83, 0.32), (0.905, 0.47),
            (0.96, 0.64), (0.99, 0.82), (1.0, 1.0),
        ]
    )  # fmt: skip
    line = curve(knots, 40)
    return np.stack([middle + SIGN[side] * inner * line[:, 0], apex + (angle - apex) * line[:, 1]], axis=1)


def _lung(side: str, middle: float, inner: float, apex: float, dome: float, wall: Points) -> Points:
    """The outline of one lung with all that heart and mediastinum will cover of it."""
    s, angle = SIGN[side], float(wall[-1, 1])
    u = np.linspace(0.995, 0.1, 28)
    outer, inward = np.clip((u - 0.47) / 0.53, 0, 1), np.clip((0.47 - u) / 0.37, 0, 1)
    y = dome + (angle - dome) * outer**2.6 + 0.038 * inward**2
    floor = np.stack([middle + s * inner * u, y], axis=1)
    medial = curve(
        [
            (0.1, floor[-1, 1]),
            (0.095, apex + 0.3),
            (0.1, apex + 0.13),
            (0.125, apex + 0.065),
            (0.19, apex + 0.015),
            (0.28, apex),
        ],
        20,
    )
    medial[:, 0] = middle + s * inner * medial[:, 0]
    return np.concatenate([wall, floor, medial[1:-1]])


def _heart(film: Film, x: float, inner: float, floor: float, carina: float) -> Points:
    a, kinds = film.anatomy, kinds_of(film)
    ratio = a.heart_ratio + 0.02 * (0.8 - film.inspiration)
    wide = max(kinds.get("large heart", 0.0), kinds.get("globular heart", 0.0))
    globular = kinds.get("globular heart", 0.0)
    if wide:
        ratio = max(ratio + 0.03, ENLARGED - 0.015 + 0.2 * wide)
    if film.view is View.AP or film.supine:
        ratio *= 1.07
    width = min(ratio, 0.8) * 2 * inner
    lying = 0.5 * a.heart_shape
    right, left = width * (0.33 + 0.05 * globular), width * (0.67 - 0.05 * globular)
    top, bottom = carina + 0.02, floor + 0.012
    h = bottom - top
    g = 0.12 * globular
    knots = [
        (-0.4 * right, 0.0), (-(0.70 + g) * right, 0.2), (-(0.93 + 0.4 * g) * right, 0.43),
        (-right, 0.68), (-0.9 * right, 0.88), (-0.62 * right, 0.98),
        (0.0, 1.02), (0.55 * left, 1.07), (0.88 * left, 1.03 - 0.03 * lying),
        (1.0 * left, 0.88 - 0.06 * lying), (0.93 * left, 0.73 - 0.05 * lying),
        ((0.83 + g) * left, 0.54 - 0.04 * lying), ((0.65 + g) * left, 0.34), (0.48 * left, 0.15), (0.3 * left, 0.0),
    ]  # fmt: skip
    line = curve(knots, 72, closed=True)
    return np.stack([x + line[:, 0], top + h * line[:, 1]], axis=1)


def _mediastinum(
    film: Film, x: float, carina: tuple[float, float], apex: float, floor: float
) -> tuple[Points, tuple[float, float, float]]:
    """Its outline, and the aortic knob: x, y and radius."""
    a, kinds = film.anatomy, kinds_of(film)
    wide, winding = kinds.get("wide mediastinum", 0.0), kinds.get("tortuous aorta", 0.0)
    w = a.mediastinum_width * (1.1 if film.view is View.AP or film.supine else 1.0)
    right, left = 0.056 * w + 0.062 * wide, 0.05 * w + 0.05 * wide
    radius = 0.034 * a.aortic_knob * (1 + 0.45 * winding) + 0.012 * wide
    bulge = 0.05 * w + 0.016 + 0.055 * winding + 0.05 * wide
    ky = carina[1] - 0.048 - 0.02 * winding
    c, f = carina[1], floor
    knots = [
        (-0.058 - 0.3 * wide * 0.06, apex - 0.06), (-right * 0.9, apex + 0.03), (-right, apex + 0.1),
        (-right - 0.026 * winding, c - 0.01), (-right - 0.004, c + 0.05),
        (-0.05, f - 0.05), (-0.04, f + 0.06), (0.045, f + 0.06), (0.046 + 0.02 * winding, f - 0.06),
        (0.058 + 0.07 * winding, c + 0.13), (0.072 + 0.02 * winding, c + 0.055),
        (max(bulge - 0.004, left + 0.012), c - 0.002),
        (bulge + 0.45 * radius, ky), (max(left, bulge - 0.5 * radius), ky - 0.95 * radius),
        (left * 0.9, apex + 0.05), (0.058 + 0.3 * wide * 0.06, apex - 0.06),
    ]  # fmt: skip
    line = curve(knots, 80, closed=True)
    line[:, 0] += x
    return line, (x + bulge - 0.55 * radius, ky, radius)


def _medial(
    side: str, middle: float, heart: Points, mediastinum: Points, apex: float, angle: float
) -> Points:
    """How far heart and mediastinum reach into one lung, on 40 heights."""
    s = SIGN[side]
    heights = np.linspace(apex, angle, 40)
    reach = np.full(40, 0.045)
    step = heights[1] - heights[0]
    for outline in (heart, mediastinum):
        place = np.round((outline[:, 1] - apex) / step).astype(int)
        inside = (place >= 0) & (place < 40)
        np.maximum.at(reach, place[inside], s * (outline[inside, 0] - middle))
    return np.stack([middle + s * reach, heights], axis=1)
