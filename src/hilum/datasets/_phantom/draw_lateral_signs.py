"""Signs of a lateral film, as far as it shows them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from hilum.datasets._phantom.draw_canvas import (
    Bytes,
    Effect,
    Plane,
    blob,
    clouds,
    covered,
    curve,
    ellipse,
    grid,
    paint,
    plane,
    ribbon,
    soft,
    stroke,
    unit,
)
from hilum.datasets._phantom.draw_lateral import SideScene
from hilum.datasets._phantom.draw_opacities import strands
from hilum.datasets._phantom.film import FIELD_MM, Sign

SideDrawer = Callable[[SideScene, Sign, np.random.Generator], Effect]
Draws = np.random.Generator

_SPOT: Mapping[str, tuple[float, float]] = {
    "apex": (0.55, 0.12), "upper": (0.45, 0.3), "mid": (0.3, 0.62), "lower": (0.75, 0.8), "base": (0.82, 1.02),
    "hilum": (0.55, 0.55), "": (0.6, 0.6),
}  # fmt: skip


def _lungs(scene: SideScene) -> Plane:
    return np.maximum(scene.lungs["left"], scene.lungs["right"])


def _spot(scene: SideScene, sign: Sign, rng: Draws) -> tuple[float, float]:
    u, v = _SPOT[sign.zone]
    return scene.shape.at(u + float(rng.uniform(-0.08, 0.08)), v + float(rng.uniform(-0.04, 0.04)))


def _cloud(scene: SideScene, sign: Sign, rng: Draws, strength: float) -> Effect:
    """A patch at the zone's place, or several where the kind has many."""
    hill = plane(scene.size)
    many = sign.zone == ""
    for i in range(4 if many else 3):
        x, y = (
            scene.shape.at(float(rng.uniform(0.25, 0.9)), 0.3 + 0.2 * i) if many else _spot(scene, sign, rng)
        )
        radius = (0.045 if many else 0.055) * (0.6 + 0.7 * sign.severity)
        hill = np.maximum(hill, blob(scene.size, (x, y), (radius, radius)))
    wavy = hill * (1 + np.float32(0.25) * (clouds(rng, scene.size, 16) + clouds(rng, scene.size, 34)))
    patch = np.clip((wavy - 0.2) / 0.8, 0, 1)
    return Effect(
        fill=np.asarray(
            patch * (scene.air > 0.02) * np.float32(strength * (0.25 + 0.75 * sign.severity)), np.float32
        )
    )


def hazy(scene: SideScene, sign: Sign, rng: Draws) -> Effect:
    """Ill-defined patches."""
    return _cloud(scene, sign, rng, 0.45)


def dense(scene: SideScene, sign: Sign, rng: Draws) -> Effect:
    """Dense patches."""
    return _cloud(scene, sign, rng, 0.7)


def lump(scene: SideScene, sign: Sign, rng: Draws) -> Effect:
    """Nodules and masses, solid or hollow."""
    base, more = {
        "nodule": (3.0, 11.0),
        "nodules": (3.0, 7.0),
        "mass": (15.0, 16.0),
        "spiculated mass": (8.0, 15.0),
        "cavity": (11.0, 15.0),
    }[sign.kind]
    radius = (base + more * sign.severity) / FIELD_MM
    total = plane(scene.size)
    for _ in range(5 if sign.kind == "nodules" else 1):
        x, y = (
            scene.shape.at(float(rng.uniform(0.25, 0.85)), float(rng.uniform(0.2, 0.9)))
            if sign.kind == "nodules"
            else _spot(scene, sign, rng)
        )
        turns = np.linspace(0, 2 * np.pi, 12, endpoint=False)
        radii = radius * (1 + 0.1 * rng.uniform(-1, 1, 12))
        outline = curve(
            np.stack([x + radii * np.cos(turns), y + radii * np.sin(turns)], axis=1), 44, closed=True
        )
        body = soft(covered([outline], scene.size), 0.003)
        if sign.kind == "cavity":
            body = body - np.float32(0.8) * soft(
                covered([ellipse((x, y), (0.65 * radius, 0.62 * radius))], scene.size), 0.003
            )
        total = np.maximum(total, body)
    return Effect(add=total * np.float32(0.14 + 0.3 * sign.severity))


def bat_wing(scene: SideScene, sign: Sign, rng: Draws) -> Effect:
    """Haze around the hila."""
    x, y = scene.shape.hilum
    haze = blob(scene.size, (x, y + 0.06), (0.14 + 0.07 * sign.severity, 0.17)) * (
        1 + np.float32(0.18) * clouds(rng, scene.size, 26)
    )
    return Effect(fill=np.clip(haze, 0, 1) * np.float32(0.12 + 0.55 * sign.severity))


def interstitial(scene: SideScene, sign: Sign, rng: Draws) -> Effect:
    """A net of lines."""
    net = strands(rng, scene.size, (0.2, scene.shape.apex, 0.64, 0.75), 1100)
    fill = _lungs(scene) * (np.float32(0.10) + net * np.float32(0.14)) * np.float32(0.3 + 1.1 * sign.severity)
    return Effect(fill=np.asarray(fill, np.float32))


def _fissure(scene: SideScene) -> tuple[Plane, Plane]:
    """y of the oblique and of the horizontal fissure, [1, S]."""
    x, _ = grid(scene.size)
    hx, hy = scene.shape.hilum
    return np.float32(hy + 0.02) - (x - np.float32(hx)) * np.float32(1.05), np.full_like(x, hy + 0.03)


def lobe(scene: SideScene, sign: Sign, rng: Draws) -> Effect:
    """A lobe full of fluid, bounded by its fissures; a lower lobe makes the spine whiter towards the diaphragm."""
    _, y = grid(scene.size)
    oblique, level = _fissure(scene)
    edge, s = np.float32(0.008), np.float32(sign.severity)
    behind = np.clip((y - oblique) / edge, 0, 1)
    if sign.zone == "upper":
        region = (
            (1 - behind)
            * np.clip((level - y) / edge, 0, 1)
            * np.clip((y - level + 0.12 + 0.25 * s) / 0.08, 0, 1)
        )
    elif sign.zone == "mid":
        region = (1 - behind) * np.clip((y - level) / edge, 0, 1)
    else:
        region = behind * np.clip(
            (y - np.float32(scene.shape.hilum[1] + 0.27 - 0.3 * s)) / np.float32(0.08), 0, 1
        )
    cloud = 1 + np.float32(0.12) * clouds(rng, scene.size, 12)
    return Effect(fill=np.asarray(np.clip(region * cloud, 0, 1) * (0.2 + 0.45 * s), np.float32))


def plates(scene: SideScene, sign: Sign, rng: Draws) -> Effect:
    """Thick lines above the diaphragm."""
    layer: Bytes = np.zeros((scene.size, scene.size), np.uint8)
    for i in range(2):
        x, y = scene.shape.at(float(rng.uniform(0.5, 0.75)), 0.93 - 0.1 * i)
        t = np.linspace(-0.5, 0.5, 12)
        length = 0.08 + 0.1 * sign.severity
        line = np.stack([x + length * t, y + length * 0.35 * t], axis=1)
        paint(layer, [ribbon(line, (0.005 + 0.008 * sign.severity) * (1.2 - 2 * t**2))], 230)
    return Effect(add=soft(unit(layer), 0.0018) * np.float32(0.16 + 0.34 * sign.severity))


def raised(scene: SideScene, sign: Sign, rng: Draws) -> Effect:
    """One diaphragm higher than the other (in the geometry), with plates above it."""
    floor = scene.shape.floor[sign.side]
    lift = 0.1 * sign.severity
    low, high = floor[3], floor[33]
    return Effect(
        add=plates(scene, sign, rng).add,
        box=(float(low[0]), float(floor[:, 1].min()) - 0.03, float(high[0]), float(high[1]) + 0.6 * lift),
    )


def collapse(scene: SideScene, sign: Sign, _rng: Draws) -> Effect:
    """A wedge: at the back below for a lower lobe, in front above for an upper one."""
    s = sign.severity
    if sign.zone == "upper":
        knots = [
            scene.shape.at(0.0, 0.15),
            scene.shape.at(0.3 + 0.2 * s, 0.3),
            scene.shape.at(0.5, 0.5),
            scene.shape.at(0.1, 0.62),
            scene.shape.at(-0.05, 0.5),
        ]
    else:
        floor = scene.shape.floor["right"]
        knots = [
            scene.shape.at(0.72, 0.66),
            scene.shape.at(1.02, 0.8),
            (float(floor[-1, 0]), float(floor[-1, 1])),
            (float(floor[27, 0]), float(floor[27, 1])),
        ]
    region = soft(covered([curve(np.array(knots), 40, closed=True)], scene.size), 0.005)
    return Effect(fill=region * np.float32(0.2 + 0.5 * s))


def meniscus(scene: SideScene, sign: Sign, _rng: Draws) -> Effect:
    """Fluid in the deepest place, the angle at the back: its surface climbs behind."""
    x, y = grid(scene.size)
    floor = scene.shape.floor["right"]
    behind, low = np.float32(floor[-1, 0]), np.float32(floor[-1, 1])
    s = np.float32(sign.severity)
    back = np.clip((x - behind + 0.45) / 0.45, 0, 1)
    surface = low + 0.03 - 0.36 * s - (0.055 + 0.10 * s) * back**4
    depth = np.clip((y - surface) / (np.float32(0.01) + np.float32(0.012) * s), 0, 1)
    share = np.float32(0.9 if sign.side == "both" else 0.68)
    return Effect(fill=np.asarray(depth * share, np.float32))


def large_heart(scene: SideScene, _sign: Sign, _rng: Draws) -> Effect:
    """The box of the heart's outline."""
    low, high = scene.shape.heart.min(axis=0), scene.shape.heart.max(axis=0)
    return Effect(box=(float(low[0]), float(low[1]), float(high[0]), float(high[1])))


def wide_mediastinum(scene: SideScene, sign: Sign, _rng: Draws) -> Effect:
    """Tissue in the clear space behind the breastbone."""
    x, y = scene.shape.at(0.25, 0.33)
    hill = blob(scene.size, (x, y), (0.09 + 0.05 * sign.severity, 0.12), angle=-0.4)
    return Effect(fill=hill * np.float32(0.15 + 0.5 * sign.severity))


def tortuous_aorta(scene: SideScene, _sign: Sign, _rng: Draws) -> Effect:
    """The box of the arch, which the geometry has widened."""
    x, y = scene.shape.hilum
    return Effect(box=(x - 0.13, y - 0.19, x + 0.19, y + 0.25))


def plaque(scene: SideScene, sign: Sign, _rng: Draws) -> Effect:
    """A bright line on the diaphragm."""
    layer: Bytes = np.zeros((scene.size, scene.size), np.uint8)
    stroke(layer, [scene.shape.floor["right"][10:26]], 0.0055, 230)
    return Effect(add=soft(unit(layer), 0.001) * np.float32(0.2 + 0.5 * sign.severity))


LATERAL: Mapping[str, SideDrawer] = {
    "wide mediastinum": wide_mediastinum,
    "tortuous aorta": tortuous_aorta,
    "large heart": large_heart,
    "globular heart": large_heart,
    "hazy patch": hazy,
    "scattered haze": hazy,
    "nodule": lump,
    "nodules": lump,
    "mass": lump,
    "spiculated mass": lump,
    "cavity": lump,
    "bat wing": bat_wing,
    "interstitial": interstitial,
    "lobe": lobe,
    "segment": dense,
    "patchy": dense,
    "multifocal": dense,
    "band": plates,
    "volume loss": raised,
    "collapse": collapse,
    "meniscus": meniscus,
    "plaque": plaque,
}
"""Kind -> how it is drawn on a lateral film."""
