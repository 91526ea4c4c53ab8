"""Tubes, lines and electrodes of a frontal film."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hilum.datasets._phantom.draw_anatomy import SIGN
from hilum.datasets._phantom.draw_canvas import (
    Bytes,
    Effect,
    Points,
    curve,
    ellipse,
    paint,
    ribbon,
    soft,
    stroke,
    unit,
)
from hilum.datasets._phantom.draw_frontal import Scene
from hilum.datasets._phantom.draw_opacities import Drawer, Draws, sides
from hilum.datasets._phantom.film import Sign


def sheet(size: int) -> Bytes:
    """An empty layer."""
    return np.zeros((size, size), np.uint8)


def metal(layer: Bytes, sign: Sign, strength: float) -> Effect:
    """The layer as attenuation: `strength` where it is full, paler when the sign is not severe."""
    return Effect(add=soft(unit(layer), 0.0007) * np.float32(strength * (0.35 + 0.65 * sign.severity)))


def tube(
    layer: Bytes, line: Points, width: float, *, walls: int = 120, lumen: int = 45, stripe: int = 0
) -> None:
    """A hollow tube: two walls, paler between, and a stripe that X-rays do not pass where it has one."""
    outline = ribbon(line, width)
    n = len(line)
    paint(layer, [outline], lumen)
    stroke(layer, [outline[:n], outline[n:]], 0.0032, walls)
    if stripe:
        stroke(layer, [line + np.array([0.2 * width, 0.0])], 0.003, stripe)


def ring(points: Points) -> Points:
    """A closed line."""
    return np.concatenate([points, points[:1]])


def endotracheal_tube(scene: Scene, sign: Sign, _rng: Draws) -> Effect:
    """A tube in the windpipe; its tip some centimetres above the carina, or too low in a few."""
    cx, cy = scene.shape.carina
    x0 = scene.shape.middle
    above = (0.10, 0.07, 0.13, 0.02)[sign.variant % 4]
    tip = cy - above
    line = curve(
        [(x0 + 0.012, -0.02), (x0 + 0.004, 0.04), (x0 - 0.001, tip - 0.08), (x0 + (cx - x0) * 0.8, tip)], 30
    )
    layer = sheet(scene.size)
    tube(layer, line, 0.021, walls=105, lumen=40, stripe=235)
    stroke(layer, [np.array([line[-1] + (-0.0105, -0.002), line[-1] + (0.0105, 0.006)])], 0.0035, 170)
    return metal(layer, sign, 1.25)


def nasogastric_tube(scene: Scene, sign: Sign, _rng: Draws) -> Effect:
    """A thin tube along the gullet into the stomach, with a gap in its stripe near the tip; some coil or stop short."""
    shape, x0, floor = scene.shape, scene.shape.middle, scene.shape.dome["left"]
    down = [
        (x0 - 0.012, -0.02),
        (x0 + 0.008, 0.12),
        (x0 + 0.012, shape.carina[1]),
        (x0 + 0.012, floor - 0.08),
        (x0 + 0.03, floor + 0.03),
    ]
    inside = [(x0 + 0.09, floor + 0.1), (x0 + 0.17, floor + 0.13), (x0 + 0.21, floor + 0.09)]
    if sign.variant % 3 == 1:
        inside = [(x0 + 0.1, floor + 0.09), (x0 + 0.19, floor + 0.06)]
    line = curve(down + inside, 60)
    layer = sheet(scene.size)
    tube(layer, line, 0.0115, walls=60, lumen=25, stripe=0)
    stroke(layer, [line[:52]], 0.0042, 225)
    stroke(layer, [line[54:]], 0.0048, 240)
    return metal(layer, sign, 0.8)


def vein_in(scene: Scene, side: str) -> list[tuple[float, float]]:
    """Through the brachiocephalic vein to just above the right atrium."""
    shape = scene.shape
    x, cy = shape.heart_x - 0.043, shape.carina[1]
    entry = [(x + 0.005, cy - 0.085), (x, cy - 0.02), (x + 0.002, cy + 0.045)]
    if side == "left":
        return [
            (shape.middle + 0.065, shape.apex + 0.07),
            (shape.middle + 0.005, shape.apex + 0.10),
            *entry[0:1],
            *entry[1:],
        ]
    return [(shape.middle - 0.065, shape.apex + 0.07), *entry]


def central_line(scene: Scene, sign: Sign, _rng: Draws) -> Effect:
    """A line from the neck, or from under the clavicle, to the superior vena cava."""
    side = sides(sign)[0]
    shape, s = scene.shape, SIGN[side]
    if sign.variant % 2:
        start = [
            (shape.middle + s * 0.27, shape.apex + 0.09),
            (shape.middle + s * 0.19, shape.apex + 0.055),
            (shape.middle + s * 0.12, shape.apex + 0.052),
        ]
    else:
        start = [
            (shape.middle + s * 0.105, -0.02),
            (shape.middle + s * 0.085, shape.apex - 0.05),
            (shape.middle + s * 0.075, shape.apex + 0.01),
        ]
    line = curve(start + vein_in(scene, side), 48)
    layer = sheet(scene.size)
    stroke(layer, [line], 0.0062, 200)
    stroke(layer, [line[:4]], 0.011, 235)
    return metal(layer, sign, 0.75)


def picc(scene: Scene, sign: Sign, _rng: Draws) -> Effect:
    """A very thin line from the arm, through the armpit, to the superior vena cava."""
    side = sides(sign)[0]
    shape, s, w = scene.shape, SIGN[side], scene.shape.inner / 0.36
    start = [(0.53, 0.42), (0.475, 0.22), (0.39, 0.12), (0.3, 0.068), (0.2, 0.045), (0.12, 0.05)]
    arm = [(shape.middle + s * u * w, shape.apex + v) for u, v in start]
    layer = sheet(scene.size)
    stroke(layer, [curve(arm + vein_in(scene, side), 64)], 0.0042, 220)
    return metal(layer, sign, 0.85)


def chest_tube(scene: Scene, sign: Sign, _rng: Draws) -> Effect:
    """A drain through the side of the chest, up to the apex or along the base; a gap in its stripe at its last hole."""
    side = sides(sign)[0]
    shape, s = scene.shape, SIGN[side]
    y = shape.apex + 0.72 * (shape.dome[side] - shape.apex)
    wall = shape.wall_x(side, y)
    if sign.zone == "base":
        aim = [shape.at(side, 0.75, 0.86), shape.at(side, 0.4, 0.97), shape.at(side, 0.12, 0.93)]
    else:
        aim = [shape.at(side, 0.82, 0.58), shape.at(side, 0.62, 0.33), shape.at(side, 0.42, 0.11)]
    line = curve([(wall + 0.15 * s, y + 0.12), (wall + 0.02 * s, y + 0.015), *aim], 44)
    layer = sheet(scene.size)
    tube(layer, line, 0.019, walls=105, lumen=45)
    stroke(layer, [line[:31], line[33:]], 0.0042, 245)
    return metal(layer, sign, 0.8)


def leads(scene: Scene, sign: Sign, rng: Draws) -> Effect:
    """Electrodes on the skin, each with a snap, and their cables."""
    shape, w = scene.shape, scene.shape.inner / 0.36
    layer = sheet(scene.size)
    places = [(-0.27, 0.10), (0.27, 0.10), (0.30, 0.52), (-0.29, 0.54), (0.05, 0.44)][: 3 + sign.variant % 3]
    meet = (shape.middle + float(rng.uniform(-0.1, 0.1)), 1.03)
    for u, v in places:
        x, y = (
            shape.middle + u * w + float(rng.normal(0, 0.012)),
            shape.apex + v + float(rng.normal(0, 0.015)),
        )
        bow = ((x + meet[0]) / 2 + float(rng.uniform(-0.09, 0.09)), (y + meet[1]) / 2)
        stroke(
            layer, [curve([(x, y), (x + float(rng.normal(0, 0.02)), y + 0.05), bow, meet], 30)], 0.0042, 110
        )
        patch = ellipse((x, y), (0.024, 0.024), 28)
        paint(layer, [patch], 42)
        stroke(layer, [ring(patch)], 0.003, 60)
        paint(layer, [ellipse((x, y), (0.0075, 0.0075), 16)], 245)
    return metal(layer, sign, 0.75)


DEVICES: Mapping[str, Drawer] = {
    "endotracheal tube": endotracheal_tube,
    "nasogastric tube": nasogastric_tube,
    "central line": central_line,
    "picc": picc,
    "chest tube": chest_tube,
    "leads": leads,
}
"""Kind -> how it is drawn on a frontal film."""
