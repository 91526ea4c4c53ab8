"""Implants of a frontal film: wires of the sternum, pacemakers, valves, ports."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hilum.datasets._phantom.draw_anatomy import SIGN
from hilum.datasets._phantom.draw_canvas import (
    Effect,
    Points,
    curve,
    ellipse,
    paint,
    stroke,
)
from hilum.datasets._phantom.draw_devices import metal, ring, sheet, vein_in
from hilum.datasets._phantom.draw_frontal import Scene
from hilum.datasets._phantom.draw_opacities import Drawer, Draws, sides
from hilum.datasets._phantom.film import Sign


def sternal_wires(scene: Scene, sign: Sign, rng: Draws) -> Effect:
    """Five to seven twisted loops, one below the other, and some clips beside the heart."""
    shape = scene.shape
    layer = sheet(scene.size)
    n = 5 + sign.variant % 3
    heights = np.linspace(shape.carina[1] - 0.10, shape.carina[1] + 0.21, n)
    for y in heights:
        x = shape.front + float(rng.normal(0, 0.0025))
        half, tall = float(rng.uniform(0.015, 0.021)), float(rng.uniform(0.007, 0.011))
        loop = ellipse((x, y), (half, tall), 26, angle=float(rng.uniform(-0.25, 0.25)))
        stroke(layer, [ring(loop)], 0.0026, 240)
        twist = np.array(
            [(x - 0.001, y + tall), (x + 0.004, y + tall + 0.006), (x - 0.002, y + tall + 0.011)]
        )
        stroke(layer, [twist], 0.0032, 250)
    if sign.variant % 2:
        for _ in range(5):
            x, y = (
                shape.heart_x + float(rng.uniform(0.02, 0.13)),
                shape.carina[1] + float(rng.uniform(0.05, 0.25)),
            )
            stroke(layer, [np.array([(x, y), (x + float(rng.normal(0, 0.004)), y + 0.011)])], 0.0042, 245)
    return metal(layer, sign, 1.3)


def _box(centre: tuple[float, float], half: tuple[float, float]) -> Points:
    """A box with round corners."""
    t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    c, s = np.cos(t), np.sin(t)
    return np.stack(
        [
            centre[0] + half[0] * np.sign(c) * np.abs(c) ** 0.45,
            centre[1] + half[1] * np.sign(s) * np.abs(s) ** 0.45,
        ],
        axis=1,
    )


def pacer(scene: Scene, sign: Sign, _rng: Draws) -> Effect:
    """A pacemaker or defibrillator below the clavicle, with leads to the right atrium and the right ventricle."""
    side = sign.side if sign.side in SIGN else "left"
    shape, s, w = scene.shape, SIGN[side], scene.shape.inner / 0.36
    centre = (shape.middle + s * 0.275 * w, shape.apex + 0.15)
    half = (0.058, 0.052) if sign.variant % 2 else (0.05, 0.043)
    shell = _box(centre, half)
    layer = sheet(scene.size)
    neck = (centre[0] - 0.2 * s * half[0], centre[1] - half[1])
    atrium, left, bottom = (float(v) for v in (shape.heart[:, 0].min(), *shape.heart.max(axis=0)))
    path = [
        (neck[0], neck[1]),
        (shape.middle + s * 0.2 * w, shape.apex + 0.055),
        (shape.middle + s * 0.11, shape.apex + 0.055),
        *vein_in(scene, side),
    ]
    tip = [
        (atrium + 0.045, bottom - 0.14),
        (shape.heart_x + 0.02, bottom - 0.045),
        (shape.heart_x + 0.62 * (left - shape.heart_x), bottom - 0.05),
    ]
    ventricle = curve(path + tip, 70)
    stroke(layer, [ventricle], 0.0052, 95)
    if sign.variant % 2:
        stroke(layer, [ventricle[58:66]], 0.0095, 150)
        stroke(layer, [ventricle[36:45]], 0.0085, 150)
    else:
        hook = [
            (atrium + 0.03, bottom - 0.17),
            (atrium + 0.035, bottom - 0.13),
            (atrium + 0.065, bottom - 0.15),
        ]
        stroke(layer, [curve([(px + 0.006, py + 0.004) for px, py in path] + hook, 64)], 0.0052, 95)
    stroke(layer, [ventricle[-2:]], 0.009, 240)
    header = _box((centre[0] - 0.1 * s * half[0], centre[1] - 0.95 * half[1]), (half[0] * 0.7, 0.016))
    paint(layer, [header], 120)
    paint(layer, [shell], 235)
    paint(layer, [_box((centre[0], centre[1] + 0.2 * half[1]), (half[0] * 0.72, half[1] * 0.5))], 255)
    return metal(layer, sign, 2.1)


def valve(scene: Scene, sign: Sign, rng: Draws) -> Effect:
    """The metal ring of an artificial valve in the heart, seen aslant."""
    shape = scene.shape
    width, height = np.ptp(shape.heart[:, 0]), np.ptp(shape.heart[:, 1])
    top = float(shape.heart[:, 1].min())
    mitral = bool(sign.variant % 2)
    centre = (shape.heart_x + (0.16 if mitral else 0.06) * width, top + (0.6 if mitral else 0.42) * height)
    radii = (0.033, 0.015) if mitral else (0.029, 0.011)
    outline = ellipse(centre, radii, 36, angle=(0.9 if mitral else -0.5) + float(rng.normal(0, 0.15)))
    layer = sheet(scene.size)
    stroke(layer, [ring(outline)], 0.0068, 245)
    for i in range(0, 36, 12):
        strut = np.array([outline[i], outline[i] + (0.004, 0.014)])
        stroke(layer, [strut], 0.0045, 190)
    return metal(layer, sign, 1.5)


def port(scene: Scene, sign: Sign, _rng: Draws) -> Effect:
    """A chamber under the skin with a thin line to the superior vena cava."""
    side = sides(sign)[0]
    shape, s, w = scene.shape, SIGN[side], scene.shape.inner / 0.36
    x, y = shape.middle + s * 0.22 * w, shape.apex + 0.16
    layer = sheet(scene.size)
    path = [
        (x, y),
        (x - 0.03 * s, y - 0.06),
        (shape.middle + s * 0.14, shape.apex + 0.04),
        (shape.middle + s * 0.09, shape.apex + 0.03),
    ]
    stroke(layer, [curve(path + vein_in(scene, side), 60)], 0.0052, 190)
    base = ellipse((x, y), (0.031, 0.028), 32)
    paint(layer, [base], 120)
    stroke(layer, [ring(base)], 0.004, 190)
    paint(layer, [ellipse((x, y), (0.0165, 0.0155), 28)], 60)
    stroke(layer, [ring(ellipse((x, y), (0.0165, 0.0155), 28))], 0.005, 250)
    return metal(layer, sign, 1.1)


IMPLANTS: Mapping[str, Drawer] = {
    "sternal wires": sternal_wires,
    "pacer": pacer,
    "valve": valve,
    "port": port,
}
"""Kind -> how it is drawn on a frontal film."""
