"""Broken ribs and clavicles of a frontal film."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hilum.datasets._phantom.draw_anatomy import SIGN
from hilum.datasets._phantom.draw_bones import (
    BACK,
    CLAVICLE,
    RIBS,
    clavicle,
    clavicle_line,
    clavicle_width,
    rib_layer,
    ribs,
)
from hilum.datasets._phantom.draw_canvas import (
    Bytes,
    Effect,
    Points,
    covered,
    curve,
    plane,
    ribbon,
    soft,
    stroke,
    unit,
)
from hilum.datasets._phantom.draw_frontal import Scene
from hilum.datasets._phantom.draw_opacities import Drawer, Draws, sides
from hilum.datasets._phantom.film import Sign


def _pieces(line: Points, cut: int, step: tuple[float, float], turn: float) -> tuple[Points, Points]:
    """A line broken at a point: what is nearer to the spine, and the rest moved and turned, less so further out."""
    far = line[cut:]
    c, s = np.cos(turn), np.sin(turn)
    moved = (far - far[0]) @ np.array([[c, s], [-s, c]]) + far[0] + np.asarray(step)
    fade = np.linspace(1.0, 0.0, len(far))[:, None] ** 0.7
    return line[: cut + 1], far + (moved - far) * fade


_LEVEL = {"upper": 2, "mid": 4, "lower": 6}


def rib_line(scene: Scene, sign: Sign, rng: Draws) -> Effect:
    """Fresh breaks: the outer part of a rib stands lower than the inner, with a dark gap; more ribs when severe."""
    s, side = sign.severity, sides(sign)[0]
    cage = ribs(scene.film, scene.shape, side)
    total = plane(scene.size)
    for i in range(1 + int(s > 0.5) + int(s > 0.8)):
        k = min(_LEVEL[sign.zone] + i + sign.variant % 2, RIBS - 2)
        cut = int(rng.integers(9, 12))
        line, width = cage.back[k], cage.back_width[k]
        step = (0.002 * SIGN[side], (0.007 + 0.017 * s) * (1 if rng.random() < 0.75 else -1))
        near, far = _pieces(line, cut, step, float(rng.uniform(-0.06, 0.06)))
        whole = rib_layer(line[None], width[None], scene.size, front=False)
        new = rib_layer(near[None], width[None, : cut + 1], scene.size, front=False)
        new = np.maximum(new, rib_layer(far[None], width[None, cut:], scene.size, front=False))
        gap: Bytes = np.zeros((scene.size, scene.size), np.uint8)
        across = float(width[cut])
        stroke(gap, [line[cut] + np.array([(0.003, -0.6 * across), (-0.003, 0.6 * across)])], 0.004, 255)
        total += (new - whole) * np.float32(BACK) - soft(unit(gap), 0.0008) * np.float32(0.06 + 0.06 * s)
    bone = np.float32(scene.film.anatomy.bone_density)
    return Effect(add=np.asarray(soft(total, 0.0012) * bone, np.float32))


def callus(scene: Scene, sign: Sign, rng: Draws) -> Effect:
    """Healed breaks: spindles of dense new bone around ribs, one above the other."""
    s, side = sign.severity, sides(sign)[0]
    cage = ribs(scene.film, scene.shape, side)
    total = plane(scene.size)
    for i in range(1 + int(s > 0.35) + int(s > 0.7)):
        k = min(_LEVEL[sign.zone] + i, RIBS - 2)
        cut = 11 + int(rng.integers(0, 2))
        piece = curve(cage.back[k, cut - 3 : cut + 4], 16)
        swell = np.sin(np.linspace(0, np.pi, 16)) ** 1.5
        outline = ribbon(piece, float(cage.back_width[k, cut]) * (0.35 + (0.9 + 1.0 * s) * swell))
        total = np.maximum(total, soft(covered([outline], scene.size), 0.003))
    return Effect(add=total * np.float32(0.13 + 0.26 * s))


def clavicle_break(scene: Scene, sign: Sign, _rng: Draws) -> Effect:
    """A clavicle broken in the middle, the outer part lower and overlapping."""
    s, side, size = sign.severity, sides(sign)[0], scene.size
    line, width = clavicle_line(scene.film, scene.shape, side), clavicle_width()
    cut = 11 + sign.variant % 3
    before: Bytes = np.zeros((size, size), np.uint8)
    before_edge, after, after_edge = before.copy(), before.copy(), before.copy()
    clavicle(before, before_edge, line, width)
    far = line[cut:].copy()
    fade = np.linspace(1.0, 0.0, len(far))[:, None] ** 1.5
    far += fade * np.array([-0.012 * SIGN[side] * s, 0.01 + 0.034 * s])
    near = line[: cut + 1].copy()
    near[:, 1] -= np.linspace(0, 1, len(near)) ** 5 * (0.004 + 0.012 * s)
    clavicle(after, after_edge, near, width[: cut + 1])
    clavicle(after, after_edge, far, width[cut:])
    change = unit(after) + unit(after_edge) - unit(before) - unit(before_edge)
    bone = np.float32(CLAVICLE * scene.film.anatomy.bone_density)
    return Effect(add=soft(change * bone, 0.0012))


FRACTURES: Mapping[str, Drawer] = {
    "rib line": rib_line,
    "callus": callus,
    "clavicle": clavicle_break,
}
"""Kind -> how it is drawn on a frontal film."""
