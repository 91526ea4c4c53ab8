"""Signs of lung without air on a frontal film: consolidation, pneumonia, atelectasis."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hilum.datasets._phantom.draw_anatomy import SIGN
from hilum.datasets._phantom.draw_canvas import (
    Bytes,
    Effect,
    Plane,
    clouds,
    covered,
    curve,
    grid,
    paint,
    ribbon,
    soft,
    unit,
)
from hilum.datasets._phantom.draw_frontal import Scene
from hilum.datasets._phantom.draw_lungs import draw_tree
from hilum.datasets._phantom.draw_opacities import HEIGHT, Drawer, Draws, half_of, lung_of, sides, smoke, spot
from hilum.datasets._phantom.film import Sign


def _bronchi(scene: Scene, side: str) -> Plane:
    """Air-filled bronchi: the first branches of the tree."""
    return soft(draw_tree(scene.trees[side], scene.size, width=0.8, order=2), 0.0012)


def lobe(scene: Scene, sign: Sign, rng: Draws) -> Effect:
    """A lobe full of fluid: dense, with a fissure as its edge and branching air within; borders beside it vanish."""
    shape, side, s = scene.shape, sides(sign)[0], sign.severity
    x, y = grid(scene.size)
    way = np.float32(SIGN[side])
    out = (x - np.float32(shape.middle)) * way / np.float32(shape.inner)
    fissure = (
        np.float32(shape.at(side, 0.5, 0.52)[1])
        + np.float32(0.035) * (out - 0.4)
        + np.float32(0.02 * rng.uniform(-1, 1))
    )
    sharp = np.float32(0.006 if side == "right" else 0.02)
    if sign.zone == "upper":
        reach = np.clip((y - (fissure - np.float32(0.12 + 0.3 * s))) / np.float32(0.1), 0, 1)
        region = np.clip((fissure - y) / sharp, 0, 1) * reach
    elif sign.zone == "mid":
        region = np.clip((y - fissure) / sharp, 0, 1) * np.clip(
            (0.5 + 0.4 * np.float32(s) - out) / 0.22, 0, 1
        )
        region *= np.clip((fissure + np.float32(0.24) - y) / np.float32(0.08), 0, 1)
    else:
        top = fissure + np.float32(0.14 - 0.16 * s) + np.float32(0.05) * out
        region = np.clip((y - top) / np.float32(0.07), 0, 1)
    cloud = 1 + np.float32(0.12) * clouds(rng, scene.size, 12)
    fill = np.clip(region * cloud, 0, 1) * half_of(scene, sign) * np.float32(0.28 + 0.64 * s)
    fill = fill * (1 - np.float32(0.5) * _bronchi(scene, side))
    return Effect(fill=np.asarray(fill, np.float32))


def segment(scene: Scene, sign: Sign, rng: Draws) -> Effect:
    """A wedge of dense lung that points to the hilum, with branching air."""
    shape, side, s = scene.shape, sides(sign)[0], sign.severity
    hx, hy = shape.hilum[side]
    v = HEIGHT[sign.zone]
    mid = np.array(shape.at(side, 0.95, min(v, 0.95)))
    tip = np.array([hx, hy]) * 0.65 + mid * 0.35
    half = 0.05 + 0.05 * s
    across = np.array([-(mid - tip)[1], (mid - tip)[0]])
    across /= np.linalg.norm(across) + 1e-9
    wedge = curve(
        [
            tip,
            tip * 0.3 + mid * 0.7 + across * half,
            mid + across * half,
            mid - across * half,
            tip * 0.3 + mid * 0.7 - across * half,
        ],
        48,
        closed=True,
    )
    region = soft(covered([wedge], scene.size), 0.011) * (1 + np.float32(0.22) * clouds(rng, scene.size, 22))
    fill = np.clip(region, 0, 1) * scene.lungs[side] * np.float32(0.25 + 0.62 * s)
    return Effect(fill=np.asarray(fill * (1 - np.float32(0.5) * _bronchi(scene, side)), np.float32))


def patchy(scene: Scene, sign: Sign, rng: Draws) -> Effect:
    """Confluent fluffy patches in one zone, denser in places, with some air in bronchi."""
    side, s = sides(sign)[0], sign.severity
    x, y = spot(scene, sign, rng)
    n = 5 + sign.variant % 3
    spots = [
        (
            x + float(rng.normal(0, 0.04)),
            y + float(rng.normal(0, 0.032)),
            0.028 + 0.038 * s * float(rng.uniform(0.6, 1.2)),
        )
        for _ in range(n)
    ]
    patch = smoke(scene, rng, spots, rough=0.36) * lung_of(scene, sign)
    fill = patch * np.float32(0.2 + 0.6 * s) * (1 - np.float32(0.35) * _bronchi(scene, side))
    return Effect(fill=np.asarray(fill, np.float32))


def multifocal(scene: Scene, sign: Sign, rng: Draws) -> Effect:
    """Fluffy patches in several zones."""
    s, spots = sign.severity, []
    for side in sides(sign):
        for v in (0.35, 0.6, 0.85):
            cx, cy = scene.shape.at(side, float(rng.uniform(0.3, 0.75)), v + float(rng.uniform(-0.07, 0.07)))
            spots += [
                (
                    cx + float(rng.normal(0, 0.025)),
                    cy + float(rng.normal(0, 0.025)),
                    0.024 + 0.034 * s * float(rng.uniform(0.6, 1.2)),
                )
                for _ in range(3)
            ]
    patch = smoke(scene, rng, spots, rough=0.36) * lung_of(scene, sign)
    return Effect(fill=np.asarray(patch * np.float32(0.2 + 0.55 * s), np.float32))


def _plates(scene: Scene, sign: Sign, rng: Draws, height: float) -> Plane:
    lines: Bytes = np.zeros((scene.size, scene.size), np.uint8)
    for side in sides(sign):
        for i in range(1 + (sign.variant + (side == "left")) % 2 + (sign.severity > 0.6)):
            u, v = float(rng.uniform(0.25, 0.55)), height - 0.085 * i + float(rng.uniform(-0.02, 0.02))
            x, y = scene.shape.at(side, u, v)
            length = (0.06 + 0.1 * sign.severity) * float(rng.uniform(0.8, 1.2))
            tilt = float(rng.uniform(-0.12, 0.3)) * SIGN[side]
            t = np.linspace(-0.5, 0.5, 12)
            line = np.stack([x + length * t, y + length * tilt * t - 0.01 * (0.25 - t**2)], axis=1)
            paint(lines, [ribbon(line, (0.004 + 0.008 * sign.severity) * (1.2 - 2.0 * t**2))], 230)
    return soft(unit(lines), 0.0016) * lung_of(scene, sign)


def band(scene: Scene, sign: Sign, rng: Draws) -> Effect:
    """Plates of collapsed lung: thick lines, nearly level."""
    height = {"base": 0.9, "lower": 0.76, "mid": 0.55}[sign.zone]
    return Effect(add=_plates(scene, sign, rng, height) * np.float32(0.17 + 0.38 * sign.severity))


def volume_loss(scene: Scene, sign: Sign, rng: Draws) -> Effect:
    """A raised diaphragm (in the geometry), with crowded, hazy lung and plates above it."""
    side, size = sides(sign)[0], scene.size
    y = grid(size)[1]
    near = np.clip(1 - (np.float32(scene.shape.dome[side] + 0.03) - y) / np.float32(0.16), 0, 1)
    fill = near**2 * half_of(scene, sign) * np.float32(0.25 + 0.4 * sign.severity)
    shape, top = scene.shape, scene.shape.dome[side] - 0.11
    inside, outside = shape.medial_x(side, top), shape.wall_x(side, shape.angle[side]) + 0.004 * SIGN[side]
    return Effect(
        fill=np.asarray(fill, np.float32),
        add=_plates(scene, sign, rng, 0.93) * np.float32(0.15 + 0.3 * sign.severity),
        box=(min(inside, outside), top, max(inside, outside), shape.angle[side] + 0.03 * sign.severity),
    )


def collapse(scene: Scene, sign: Sign, _rng: Draws) -> Effect:
    """A whole lobe without air: a wedge with a sharp border against heart or mediastinum."""
    shape, side, s = scene.shape, sides(sign)[0], sign.severity
    way = SIGN[side]
    if sign.zone == "upper":
        x0, top = shape.middle, shape.apex - 0.01
        edge = shape.hilum[side][1] - 0.02
        out = shape.inner * (0.42 + 0.3 * s)
        knots = [
            (0.05, top - 0.02),
            (out, top + 0.02),
            (out * 0.85, top + 0.1),
            (0.16, edge - 0.05),
            (0.09, edge),
            (0.02, edge),
        ]
    else:
        x0 = shape.heart_x if side == "left" else shape.middle
        top, floor = shape.hilum[side][1] + 0.05, shape.dome[side] + 0.05
        out = 0.12 + 0.11 * s
        knots = [
            (0.02, top),
            (0.06, top + 0.02),
            (0.55 * out, (top + floor) / 2),
            (out, floor),
            (0.02, floor),
        ]
    line = np.array([(x0 + way * u, v) for u, v in knots])
    whole = np.concatenate([curve(line[:-1], 30), line[-1:]])
    region = soft(covered([whole], scene.size), 0.003)
    density = np.float32(0.28 + 0.6 * s)
    over = region * scene.heart * np.float32(0.2) * density if sign.zone != "upper" else None
    return Effect(fill=np.asarray(region * half_of(scene, sign) * density, np.float32), add=over)


AIRSPACE: Mapping[str, Drawer] = {
    "lobe": lobe,
    "segment": segment,
    "patchy": patchy,
    "multifocal": multifocal,
    "band": band,
    "volume loss": volume_loss,
    "collapse": collapse,
}
"""Kind -> how it is drawn on a frontal film."""
