"""Signs within the lungs of a frontal film: haze, nodules, edema."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from hilum.datasets._phantom.draw_anatomy import SIGN
from hilum.datasets._phantom.draw_canvas import (
    Bytes,
    Effect,
    Plane,
    Points,
    blob,
    clouds,
    covered,
    curve,
    ellipse,
    grid,
    plane,
    soft,
    stroke,
    unit,
)
from hilum.datasets._phantom.draw_frontal import Scene
from hilum.datasets._phantom.draw_lungs import draw_tree
from hilum.datasets._phantom.film import FIELD_MM, Sign

HEIGHT: Mapping[str, float] = {
    "apex": 0.10, "upper": 0.27, "mid": 0.5, "lower": 0.73, "base": 0.9, "hilum": 0.5, "": 0.55,
}  # fmt: skip
"""Zone -> height in the lung, 0 at the apex and 1 at the dome of the diaphragm."""

Draws = np.random.Generator
Drawer = Callable[[Scene, Sign, Draws], Effect]


def sides(sign: Sign) -> tuple[str, ...]:
    """The sides that a sign is on."""
    return ("right", "left") if sign.side in ("both", "") else (sign.side,)


def lung_of(scene: Scene, sign: Sign) -> Plane:
    """Coverage [S, S] of the lung, or the lungs, that a sign is in."""
    return sum((scene.lungs[side] for side in sides(sign)), plane(scene.size))


def half_of(scene: Scene, sign: Sign) -> Plane:
    """1 on the sides [S, S] that a sign is on, lung or not: what fills a side hides the borders beside it."""
    x, _ = grid(scene.size)
    out = plane(scene.size)
    for side in sides(sign):
        out += np.clip((x - np.float32(scene.shape.middle)) * np.float32(SIGN[side] * 60.0) - 1, 0, 1)
    return out


def spot(scene: Scene, sign: Sign, rng: Draws) -> tuple[float, float]:
    """Where a sign of a zone has its centre."""
    u = 0.14 if sign.zone == "hilum" else float(rng.uniform(0.3, 0.72))
    v = HEIGHT[sign.zone] + float(rng.uniform(-0.05, 0.05))
    return scene.shape.at(sides(sign)[0], u, v)


def smoke(scene: Scene, rng: Draws, spots: list[tuple[float, float, float]], *, rough: float) -> Plane:
    """Confluent irregular patches [S, S], 0 to 1: (x, y, radius) each."""
    hill = plane(scene.size)
    for x, y, radius in spots:
        hill = np.maximum(hill, blob(scene.size, (x, y), (radius, radius * float(rng.uniform(0.75, 1.15)))))
    texture = clouds(rng, scene.size, 14) + np.float32(0.7) * clouds(rng, scene.size, 34)
    wavy = hill * (1 + np.float32(rough) * texture)
    return np.asarray(np.clip((wavy - 0.2) / 0.8, 0, 1), np.float32)


def hazy_patch(scene: Scene, sign: Sign, rng: Draws) -> Effect:
    """One ill-defined patch through which vessels still show."""
    x, y = spot(scene, sign, rng)
    patch = smoke(scene, rng, [(x, y, 0.062 + 0.06 * sign.severity)], rough=0.22)
    return Effect(fill=patch * lung_of(scene, sign) * np.float32(0.13 + 0.45 * sign.severity))


def scattered_haze(scene: Scene, sign: Sign, rng: Draws) -> Effect:
    """Several ill-defined patches."""
    spots = []
    for side in sides(sign):
        for v in (0.3, 0.55, 0.75, 0.9)[: 3 + (sign.variant % 2)]:
            x, y = scene.shape.at(side, float(rng.uniform(0.25, 0.8)), v + float(rng.uniform(-0.08, 0.05)))
            spots.append((x, y, 0.04 + 0.045 * sign.severity * float(rng.uniform(0.6, 1.1))))
    patch = smoke(scene, rng, spots, rough=0.3)
    return Effect(fill=patch * lung_of(scene, sign) * np.float32(0.13 + 0.42 * sign.severity))


def _knobbly(rng: Draws, centre: tuple[float, float], radius: float, rough: float) -> Points:
    turns = np.arange(10)
    radii = radius * (1 + rough * rng.uniform(-1, 1, 10))
    at = turns * (2 * np.pi / 10)
    return curve(
        np.stack([centre[0] + radii * np.cos(at), centre[1] + radii * np.sin(at)], axis=1), 48, closed=True
    )


def _ball(scene: Scene, outline: Points, radius: float, edge: float) -> Plane:
    """Thick in the middle: a round body, 0 to 1."""
    flat = soft(covered([outline], scene.size), edge)
    centre = outline.mean(axis=0)
    return np.asarray(
        flat * (0.6 + 0.4 * blob(scene.size, (centre[0], centre[1]), (radius, radius))), np.float32
    )


def nodule(scene: Scene, sign: Sign, rng: Draws) -> Effect:
    """One round, sharp nodule of 6 to 28 mm."""
    radius = (3.0 + 11.0 * sign.severity) / FIELD_MM
    x, y = spot(scene, sign, rng)
    ball = _ball(scene, _knobbly(rng, (x, y), radius, 0.07), radius, 0.0022)
    return Effect(add=ball * np.float32(0.16 + 0.32 * sign.severity))


def nodules(scene: Scene, sign: Sign, rng: Draws) -> Effect:
    """Many nodules of different size."""
    total = plane(scene.size)
    for side in sides(sign):
        for _ in range(4 + sign.variant % 5):
            radius = (2.5 + 9.0 * sign.severity * float(rng.uniform(0.3, 1.0))) / FIELD_MM
            centre = scene.shape.at(side, float(rng.uniform(0.15, 0.85)), float(rng.uniform(0.15, 0.93)))
            ball = _ball(scene, _knobbly(rng, centre, radius, 0.06), radius, 0.0025)
            total = np.maximum(total, ball)
    return Effect(add=total * np.float32(0.15 + 0.28 * sign.severity))


def mass(scene: Scene, sign: Sign, rng: Draws) -> Effect:
    """A lobed mass of 30 to 60 mm."""
    radius = (15.0 + 16.0 * sign.severity) / FIELD_MM
    centre = spot(scene, sign, rng)
    ball = _ball(scene, _knobbly(rng, centre, radius, 0.14), radius, 0.0035)
    return Effect(add=ball * np.float32(0.2 + 0.45 * sign.severity))


def spiculated_mass(scene: Scene, sign: Sign, rng: Draws) -> Effect:
    """A mass with strands that run into the lung around it."""
    radius = (8.0 + 15.0 * sign.severity) / FIELD_MM
    x, y = spot(scene, sign, rng)
    ball = _ball(scene, _knobbly(rng, (x, y), radius, 0.2), radius, 0.004)
    rays: Bytes = np.zeros((scene.size, scene.size), np.uint8)
    turns = rng.uniform(0, 2 * np.pi, 22)
    near, far = 0.75 * radius, radius * rng.uniform(1.3, 1.9, 22)
    way = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    lines = np.stack([near * way, far[:, None] * way], axis=1) + np.array([x, y])
    stroke(rays, lines, 0.0028, 170)
    body = np.maximum(ball, np.float32(0.7) * soft(unit(rays), 0.0012))
    return Effect(add=body * lung_of(scene, sign) * np.float32(0.2 + 0.4 * sign.severity))


def cavity(scene: Scene, sign: Sign, rng: Draws) -> Effect:
    """A thick-walled cavity, with a level of fluid in some."""
    radius = (11.0 + 15.0 * sign.severity) / FIELD_MM
    x, y = spot(scene, sign, rng)
    outer = soft(covered([_knobbly(rng, (x, y), radius, 0.1)], scene.size), 0.003)
    hole = _knobbly(rng, (x + 0.08 * radius, y), radius * 0.66, 0.07)
    empty = covered([hole], scene.size)
    if sign.variant % 2 and not scene.film.supine:
        empty = empty * (grid(scene.size)[1] < y + 0.3 * radius)
    ring = outer * (1 - np.float32(0.8) * soft(empty, 0.0016))
    return Effect(add=ring * np.float32(0.22 + 0.33 * sign.severity), bare=outer * np.float32(0.7))


def bat_wing(scene: Scene, sign: Sign, rng: Draws) -> Effect:
    """Haze around both hila that spares the periphery, with wide upper vessels and lines at the bases."""
    shape, s = scene.shape, sign.severity
    haze = plane(scene.size)
    for side, way in SIGN.items():
        x, y = shape.hilum[side]
        wing = blob(
            scene.size, (x + 0.03 * way, y + 0.06), (0.10 + 0.06 * s, 0.17 + 0.06 * s), angle=-0.25 * way
        )
        haze += wing
    texture = (
        1 + np.float32(0.16) * clouds(rng, scene.size, 18) + np.float32(0.14) * clouds(rng, scene.size, 44)
    )
    haze = np.clip(haze * texture, 0, 1) * half_of(scene, sign)
    return Effect(
        fill=haze * np.float32(0.12 + 0.62 * s), add=_congestion(scene, sign, rng) * np.float32(0.4 + 0.6 * s)
    )


def interstitial(scene: Scene, sign: Sign, rng: Draws) -> Effect:
    """Lines everywhere: septal lines at the bases, thick bronchial walls, blurred vessels."""
    s = np.float32(sign.severity)
    y = grid(scene.size)[1]
    lower = np.clip((y - np.float32(scene.shape.apex)) / np.float32(0.4), 0.3, 1)
    x0 = scene.shape.middle - scene.shape.inner
    net = strands(rng, scene.size, (x0, scene.shape.apex, 2 * scene.shape.inner, 0.7), 1100)
    haze = np.float32(0.15) + np.float32(0.045) * clouds(rng, scene.size, 30) + net * np.float32(0.12)
    fill = lung_of(scene, sign) * lower * haze * (0.25 + 1.1 * s)
    return Effect(fill=np.asarray(fill, np.float32), add=_congestion(scene, sign, rng) * (0.3 + 1.1 * s))


def strands(rng: Draws, size: int, area: tuple[float, float, float, float], n: int) -> Plane:
    """A net [S, S], 0 to 1, of `n` short fine lines that cross each other, in an area (x, y, width, height)."""
    x, y, width, height = area
    centre = rng.random((n, 1, 2)) * (width, height) + (x, y)
    turn = rng.uniform(0, np.pi, n)
    half = rng.uniform(0.004, 0.013, n)
    way = np.stack([np.cos(turn) * half, np.sin(turn) * half], axis=1)[:, None, :]
    bend = rng.normal(0, 0.002, (n, 1, 2))
    layer: Bytes = np.zeros((size, size), np.uint8)
    stroke(layer, np.concatenate([centre - way, centre + bend, centre + way], axis=1), 0.0026, 255)
    return soft(unit(layer), 0.001)


def _congestion(scene: Scene, sign: Sign, rng: Draws) -> Plane:
    """Kerley B lines at both bases, cuffed bronchi beside the hila, upper vessels as wide as lower ones."""
    shape, size = scene.shape, scene.size
    lines: Bytes = np.zeros((size, size), np.uint8)
    n = 7 + int(12 * sign.severity)
    for side, s in SIGN.items():
        heights = shape.dome[side] - rng.uniform(0.0, 0.17, n) + 0.05
        starts = np.array([shape.wall_x(side, float(y)) for y in heights]) - 0.003 * s
        length = rng.uniform(0.022, 0.045, n)
        tips = np.stack([starts - s * length, heights + rng.normal(0, 0.002, n)], axis=1)
        stroke(lines, np.stack([np.stack([starts, heights], axis=1), tips], axis=1), 0.0028, 130)
        hx, hy = shape.hilum[side]
        for _ in range(3):
            centre = (hx + s * float(rng.uniform(0.0, 0.05)), hy + float(rng.uniform(-0.05, 0.03)))
            ring = ellipse(centre, (0.0075, 0.0075), 14)
            stroke(lines, [np.concatenate([ring, ring[:1]])], 0.0042, 120)
    upper = np.clip((np.float32(shape.carina[1] + 0.05) - grid(size)[1]) / np.float32(0.08), 0, 1)
    wide = plane(size)
    for side in SIGN:
        wide += draw_tree(scene.trees[side], size, width=1.7, order=2)
    extra = np.float32(0.20) * soft(wide, 0.002) * upper + np.float32(0.30) * soft(unit(lines), 0.0008)
    return np.asarray(extra * (scene.lungs["left"] + scene.lungs["right"]), np.float32)


OPACITIES: Mapping[str, Drawer] = {
    "hazy patch": hazy_patch,
    "scattered haze": scattered_haze,
    "nodule": nodule,
    "nodules": nodules,
    "mass": mass,
    "spiculated mass": spiculated_mass,
    "cavity": cavity,
    "bat wing": bat_wing,
    "interstitial": interstitial,
}
"""Kind -> how it is drawn on a frontal film."""
