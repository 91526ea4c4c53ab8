"""Signs around the lungs of a frontal film: air, fluid and thickening in the pleura."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hilum.datasets._phantom.draw_anatomy import SIGN
from hilum.datasets._phantom.draw_canvas import (
    Bytes,
    Effect,
    Points,
    clouds,
    covered,
    curve,
    grid,
    paint,
    plane,
    soft,
    stroke,
    unit,
)
from hilum.datasets._phantom.draw_frontal import Scene
from hilum.datasets._phantom.draw_opacities import HEIGHT, Drawer, Draws, half_of, lung_of, sides
from hilum.datasets._phantom.film import Sign


def _between(outer: Points, inner: Points) -> Points:
    return np.concatenate([outer, inner[::-1]])


def _air_outside(scene: Scene, side: str, inner: Points, outer: Points, severity: float) -> Effect:
    """Air without markings between the wall and the lung's edge, and the edge as a thin line."""
    space = covered([_between(outer, inner)], scene.size) * scene.lungs[side]
    line: Bytes = np.zeros((scene.size, scene.size), np.uint8)
    stroke(line, [inner], 0.0036, 255)
    edge = soft(unit(line), 0.0008) * scene.lungs[side] * np.float32(0.2 + 0.22 * severity)
    dark = space * np.float32(-0.06 - 0.07 * severity)
    return Effect(fill=dark, add=edge, bare=space)


def pleural_line(scene: Scene, sign: Sign, rng: Draws) -> Effect:
    """Air around the apex: the thin line of the lung's edge, no markings outside."""
    shape, side, s = scene.shape, sides(sign)[0], sign.severity
    way = SIGN[side]
    bottom = shape.apex + (0.22 + 0.7 * s) * (shape.angle[side] - shape.apex)
    heights = np.linspace(shape.apex, bottom, 30)
    wall = np.array([(shape.wall_x(side, float(y)), y) for y in heights])
    roof = shape.lung[side][-14:]
    outer = np.concatenate([roof, wall])
    hub = np.array([shape.middle + way * 0.06, shape.hilum[side][1] + 0.05])
    t = np.concatenate([np.zeros(len(roof)), np.linspace(0, 1, 30)])
    shrink = (0.045 + 0.33 * s) * (1 - t**2) * rng.uniform(0.95, 1.05)
    inner = hub + (outer - hub) * (1 - shrink)[:, None]
    return _air_outside(scene, side, inner, outer + (outer - hub) * 0.03, s)


def deep_sulcus(scene: Scene, sign: Sign, _rng: Draws) -> Effect:
    """Lying down: air collects at the base, a dark and deep costophrenic angle with a sharp diaphragm."""
    shape, side, s = scene.shape, sides(sign)[0], sign.severity
    way = SIGN[side]
    top = shape.apex + (0.78 - 0.35 * s) * (shape.dome[side] - shape.apex)
    heights = np.linspace(top, shape.angle[side], 24)
    outer = np.array([(shape.wall_x(side, float(y)), y) for y in heights])
    inner = outer.copy()
    t = np.linspace(0, 1, 24)
    inner[:, 0] -= way * (0.012 + (0.06 + 0.11 * s) * t**1.3)
    tip = np.array([[outer[-1, 0] + 0.006 * way, shape.angle[side] + 0.02 + 0.05 * s]])
    sulcus = np.concatenate([outer[-8:], tip, inner[-8:][::-1] * np.array([1, 0.985])])
    below = soft(covered([curve(sulcus, 40, closed=True)], scene.size), 0.004) * (1 - scene.lungs[side])
    effect = _air_outside(scene, side, inner, outer, s)
    edge = effect.add if effect.add is not None else np.float32(0)
    dark = below * scene.tissue * np.float32(-0.25 - 0.2 * s)
    return Effect(fill=effect.fill, add=np.asarray(edge + dark, np.float32), bare=effect.bare)


def tension(scene: Scene, sign: Sign, _rng: Draws) -> Effect:
    """The lung has collapsed to the hilum, all else of this side is empty; the mediastinum is pushed away."""
    shape, side, s = scene.shape, sides(sign)[0], sign.severity
    way = SIGN[side]
    hx, hy = shape.hilum[side]
    out, tall = 0.18 - 0.10 * s, 1.0 - 0.3 * s
    knots = [
        (-0.02, -0.25 * tall),
        (0.35 * out, -0.23 * tall),
        (0.8 * out, -0.12 * tall),
        (0.95 * out, 0.02),
        (out, 0.14 * tall),
        (0.85 * out, 0.24 * tall),
        (0.2 * out, 0.28 * tall),
        (-0.04, 0.28 * tall),
    ]
    stump = curve([(hx + way * u, hy + v) for u, v in knots], 50)
    full = lung_of(scene, sign)
    lung = covered(
        [np.concatenate([stump, [(shape.middle, stump[-1, 1]), (shape.middle, stump[0, 1])]])], scene.size
    )
    space = full * (1 - lung)
    line: Bytes = np.zeros((scene.size, scene.size), np.uint8)
    stroke(line, [stump], 0.004, 255)
    edge = soft(unit(line), 0.0008) * full * np.float32(0.14 + 0.16 * s)
    fill = full * lung * np.float32(0.15 + 0.4 * s) - space * np.float32(0.07 + 0.05 * s)
    return Effect(fill=np.asarray(fill, np.float32), add=edge, bare=space)


def meniscus(scene: Scene, sign: Sign, _rng: Draws) -> Effect:
    """Free fluid, standing: the angle is blunt, the surface climbs at the wall; much fluid hides half of the lung."""
    fill = plane(scene.size)
    x, y = grid(scene.size)
    for side in sides(sign):
        shape, s = (
            scene.shape,
            sign.severity
            * (1.0 if sign.side != "both" else (0.75, 1.0)[(sign.variant + (side == "left")) % 2]),
        )
        out = np.clip((x - np.float32(shape.middle)) * SIGN[side] / np.float32(shape.inner), 0, 1)
        at_wall = shape.angle[side] - 0.055 - 0.40 * s**1.25
        at_heart = shape.angle[side] + 0.055 - 0.36 * s
        surface = np.float32(at_heart) + np.float32(at_wall - at_heart) * out ** np.float32(3.6)
        edge = np.float32(0.008 + 0.012 * s)
        fill += np.clip((y - surface) / edge, 0, 1) * np.clip(out * 30 - 1.5, 0, 1)
    return Effect(fill=fill * np.float32(0.80 + 0.18 * sign.severity))


def veil(scene: Scene, sign: Sign, _rng: Draws) -> Effect:
    """Fluid behind the lung of a patient who lies: a haze over the side, denser below; vessels show through it."""
    fill = plane(scene.size)
    y = grid(scene.size)[1]
    for side in sides(sign):
        top, bottom = scene.shape.apex, scene.shape.angle[side]
        down = np.clip((y - np.float32(top)) / np.float32(bottom - top), 0, 1)
        fill += 0.25 + 0.75 * down**1.3
    fill = fill * half_of(scene, sign) if len(sides(sign)) == 1 else fill * np.float32(0.5)
    return Effect(fill=np.asarray(fill * np.float32(0.14 + 0.62 * sign.severity), np.float32))


def thickening(scene: Scene, sign: Sign, rng: Draws) -> Effect:
    """A rind along the side wall, of uneven thickness."""
    shape, side, s = scene.shape, sides(sign)[0], sign.severity
    centre = HEIGHT[sign.zone]
    half = 0.14 + 0.2 * s
    v = np.linspace(max(centre - half, 0.08), min(centre + half, 1.12), 36)
    heights = shape.apex + v * (shape.dome[side] - shape.apex)
    outer = np.array([(shape.wall_x(side, float(y)) + 0.004 * SIGN[side], y) for y in heights])
    hump = np.sin(np.linspace(0, np.pi, 36)) ** 0.6
    wavy = curve(rng.uniform(0.65, 1.25, (9, 1)), 36)[:, 0]
    inner = outer.copy()
    inner[:, 0] -= SIGN[side] * ((0.007 + 0.03 * s) * hump * wavy + 0.004)
    rind = soft(covered([_between(outer, inner)], scene.size), 0.002)
    return Effect(fill=rind * scene.lungs[side] * np.float32(0.35 + 0.5 * s))


def plaque(scene: Scene, sign: Sign, rng: Draws) -> Effect:
    """Calcified patches with sharp, jagged edges, and a bright line on the diaphragm."""
    size, s = scene.size, sign.severity
    marks: Bytes = np.zeros((size, size), np.uint8)
    for side in sides(sign):
        shape = scene.shape
        for _ in range(2 + sign.variant % 2):
            x, y = shape.at(
                side,
                float(rng.uniform(0.45, 0.85)),
                float(rng.uniform(0.45, 0.85)) + (0.08 if sign.zone == "base" else 0),
            )
            n = 11
            turns = np.arange(n) * (2 * np.pi / n)
            radii = (0.016 + 0.024 * s) * rng.uniform(0.45, 1.2, n)
            leaf = np.stack([x + 1.25 * radii * np.cos(turns), y + 0.75 * radii * np.sin(turns)], axis=1)
            paint(marks, [leaf], 105)
            stroke(marks, [np.concatenate([leaf, leaf[:1]])], 0.004, 200)
        floor = shape.lung[side][44:58] + np.array([0.0, -0.002])
        stroke(marks, [floor], 0.0055, 220)
    inside = sum((scene.lungs[side] for side in sides(sign)), plane(size))
    speckle = 1 + np.float32(0.3) * clouds(rng, size, 60)
    return Effect(
        add=np.asarray(soft(unit(marks), 0.001) * inside * speckle * np.float32(0.2 + 0.5 * s), np.float32)
    )


def apical_cap(scene: Scene, sign: Sign, rng: Draws) -> Effect:
    """A crescent of density in the apex with an uneven lower edge."""
    s, fill = sign.severity, plane(scene.size)
    for side in sides(sign):
        shape, way = scene.shape, SIGN[side]
        depth = 0.014 + 0.045 * s
        xs = np.linspace(0.03, 0.235, 16) * shape.inner / 0.36
        sag = 1.0 - ((xs - xs.mean()) / (xs[-1] - xs.mean())) ** 2
        low = shape.apex + depth * (0.75 + 0.25 * sag) + 0.05 * (1 - sag) ** 1.5 * (xs > xs.mean())
        low = low + rng.normal(0, 0.0025, 16)
        cap = np.concatenate(
            [
                np.stack([shape.middle + way * xs, low], axis=1),
                [
                    (shape.middle + way * xs[-1], shape.apex - 0.03),
                    (shape.middle + way * xs[0], shape.apex - 0.03),
                ],
            ]
        )
        fill += soft(covered([cap], scene.size), 0.0028) * scene.lungs[side]
    return Effect(fill=np.clip(fill, 0, 1) * np.float32(0.3 + 0.55 * s))


PLEURA: Mapping[str, Drawer] = {
    "pleural line": pleural_line,
    "deep sulcus": deep_sulcus,
    "tension": tension,
    "meniscus": meniscus,
    "veil": veil,
    "thickening": thickening,
    "plaque": plaque,
    "apical cap": apical_cap,
}
"""Kind -> how it is drawn on a frontal film."""
