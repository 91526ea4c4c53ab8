"""A frontal film without signs: soft tissue, air, vessels and bone as layers that signs then change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hilum.core.rng import rng_for
from hilum.datasets._phantom.draw_anatomy import SIGN, Frontal, frontal
from hilum.datasets._phantom.draw_bones import skeleton
from hilum.datasets._phantom.draw_canvas import (
    Layers,
    Plane,
    blob,
    clouds,
    covered,
    curve,
    ellipse,
    enlarge,
    grid,
    plane,
    ribbon,
    soft,
)
from hilum.datasets._phantom.draw_lungs import Tree, draw_tree, vessel_tree
from hilum.datasets._phantom.film import Film


@dataclass(frozen=True, eq=False)
class Scene(Layers):
    """A frontal film before signs, with its geometry and side -> vessels."""

    shape: Frontal
    trees: Mapping[str, Tree]


def frontal_scene(film: Film, size: int) -> Scene:
    """The layers of a frontal film; signs that change shapes are already in its geometry."""
    shape = frontal(film)
    lung = {side: covered([shape.lung[side]], size) for side in SIGN}
    heart = covered([shape.heart], size)
    middle = covered([shape.mediastinum], size)
    centre = np.maximum(heart, middle)
    lungs = {side: lung[side] * (1 - centre) for side in SIGN}
    body = _body(film, shape, size)
    tissue = body * _thickness(film, shape, size)
    tissue += _abdomen(film, shape, size) * body
    both = lung["left"] + lung["right"]
    air = _air(shape, both, heart, middle, size)
    trees = {side: _tree(film, shape, side) for side in SIGN}
    vessels = _vessels(film, shape, trees, size)
    tissue = _tubes(film, shape, tissue, size)
    return Scene(
        film,
        size,
        tissue,
        air,
        vessels,
        skeleton(film, shape, size) * np.minimum(body * 4, 1),
        lungs,
        heart,
        shape,
        trees,
    )


def _air(shape: Frontal, both: Plane, heart: Plane, middle: Plane, size: int) -> Plane:
    """Lungs are thick in the middle and thin at their edges; a little lung lies behind heart and diaphragm."""
    lung = soft(both, 0.0022)
    deep = np.clip(soft(both, 0.03) * 1.5 - 0.5, 0, 1)
    inside = lung * (0.78 + 0.22 * deep)
    solid = 1 - (1 - 0.80 * soft(heart, 0.005)) * (1 - 0.96 * soft(middle, 0.004))
    recess = covered([shape.lung[s] + np.array([0.0, 0.03]) for s in SIGN], size) * (1 - both)
    return np.asarray(inside * (1 - solid) + 0.06 * soft(recess, 0.008), np.float32)


def _body(film: Film, shape: Frontal, size: int) -> Plane:
    """Coverage of neck, shoulders, arms and trunk, dimmed towards the edges."""
    rng = rng_for(film.seed, "arms")
    fat = film.anatomy.body_fat
    chest = shape.inner + 0.035 + 0.045 * fat
    apart = 0.0 if shape.is_bedside else float(rng.uniform(0.0, 1.0))
    neck = 0.075 + 0.02 * fat
    top = shape.apex - (0.05 if shape.is_bedside else 0.03)
    trunk = [
        (chest + 0.012, 0.45 + 0.1 * apart),
        (chest, 0.62),
        (chest - 0.004, 0.8),
        (chest + 0.004 + 0.01 * fat, 1.05),
    ]
    upper = [
        (neck, -0.06),
        (neck + 0.004, top - 0.1),
        (neck + 0.04, top - 0.055),
        (0.2, top - 0.03),
        (0.34, top - 0.012),
        (0.45, top + 0.015),
        (0.52, top + 0.06),
        (0.62, top + 0.16),
    ]
    arm = (
        [(0.64, 0.6 - 0.1 * apart), (0.56 - 0.02 * apart, 0.52 - 0.08 * apart)]
        if apart > 0.35
        else [(0.64, 1.06)]
    )
    side = np.array(upper + arm + trunk) if apart > 0.35 else np.array(upper + arm)
    outlines = []
    for s in SIGN.values():
        line = curve(side, 60) if apart > 0.35 else np.concatenate([curve(upper, 40), np.array(arm)])
        line = np.concatenate([[(-0.02, -0.06)], line, [(-0.02, 1.06)]])
        outlines.append(np.stack([shape.middle + s * line[:, 0], line[:, 1]], axis=1))
    mask = covered(outlines, size)
    return np.asarray(mask * (0.25 + 0.75 * np.sqrt(np.clip(soft(mask, 0.035) * 2 - 1.0, 0, 1))), np.float32)


def _thickness(film: Film, shape: Frontal, size: int) -> Plane:
    """How much tissue the rays cross: less towards the sides of the trunk and in the neck, more with fat."""
    x, y = grid(size // 4)
    fat, turn = film.anatomy.body_fat, film.rotation_degrees
    across = np.abs(x - np.float32(shape.middle)) / np.float32(shape.inner * 1.25)
    trunk = 1.62 + 0.35 * fat - 0.55 * np.clip(across, 0, 1.3) ** 2
    along = np.clip((y - 0.1) / 0.8, -0.2, 1.0)
    slant = 1 + np.float32(0.012 * turn) * (x - np.float32(shape.middle)) / np.float32(shape.inner)
    return enlarge(np.asarray(trunk * (0.88 + 0.2 * along) * slant, np.float32), size)


def _abdomen(film: Film, shape: Frontal, size: int) -> Plane:
    """Liver and stomach below the diaphragm, breasts over the lower lungs, the column of the mediastinum."""
    x, y = grid(size // 4)
    floor = (shape.dome["left"] + shape.dome["right"]) / 2
    below = np.clip((y - floor + 0.02) / 0.22, 0, 1) * np.float32(0.55)
    near = np.exp(-(((x - np.float32(shape.middle)) / np.float32(0.4)) ** 4))
    extra = np.asarray(below * near, np.float32)
    extra += (
        np.float32(0.22)
        * np.exp(-(((x - np.float32(shape.heart_x + 0.02)) / np.float32(0.085)) ** 2))
        * np.clip((y - 0.12) / 0.3, 0, 1)
    )
    extra = enlarge(extra, size)
    b = film.anatomy.breast
    if b > 0.05:
        for s in SIGN.values():
            centre = (shape.middle + s * 0.215, floor - 0.075 + 0.05 * b)
            mound = covered([ellipse(centre, (0.11 + 0.05 * b, 0.105 + 0.045 * b), 40)], size)
            hill = blob(size, (centre[0], centre[1] + 0.03), (0.14, 0.12))
            extra += np.float32(0.42 * b) * soft(mound, 0.005) * (0.25 + 0.75 * hill)
    return extra


def _tubes(film: Film, shape: Frontal, tissue: Plane, size: int) -> Plane:
    """Air outside the lungs: windpipe, main bronchi, the bubble in the stomach."""
    cx, cy = shape.carina
    x0 = shape.middle
    trachea = curve([(x0 - 0.002, -0.05), (x0 - 0.002, shape.apex), (cx + 0.002, cy - 0.08), (cx, cy)], 30)
    wide = np.full(30, 0.04)
    wide[:8] = np.linspace(0.032, 0.04, 8)
    air = covered([ribbon(trachea, wide)], size)
    r, lf = shape.hilum["right"], shape.hilum["left"]
    bronchi = [
        ribbon(
            curve([(cx - 0.004, cy - 0.006), (cx - 0.035, cy + 0.032), (r[0] + 0.012, r[1] + 0.022)], 12),
            np.linspace(0.034, 0.02, 12),
        ),
        ribbon(
            curve([(cx + 0.004, cy - 0.006), (cx + 0.05, cy + 0.03), (lf[0] - 0.006, lf[1] + 0.03)], 12),
            np.linspace(0.03, 0.017, 12),
        ),
    ]
    air = np.maximum(soft(air, 0.0035), np.float32(0.85) * soft(covered(bronchi, size), 0.004))
    tissue = tissue * (1 - np.float32(0.30) * air)
    return tissue * (1 - _bubbles(film, shape, size))


def _bubbles(film: Film, shape: Frontal, size: int) -> Plane:
    """Gas in stomach and bowel, as a part of the tissue there."""
    rng = rng_for(film.seed, "gas")
    gas = plane(size)
    dome = shape.dome["left"]
    if rng.random() < 0.75:
        rx, ry = float(rng.uniform(0.03, 0.075)), float(rng.uniform(0.018, 0.04))
        centre = (shape.middle + float(rng.uniform(0.13, 0.21)), dome + 0.026 + ry)
        outline = ellipse(centre, (rx, ry), 40, angle=float(rng.uniform(-0.2, 0.1)))
        if not film.supine:
            outline[:, 1] = np.minimum(outline[:, 1], centre[1] + 0.35 * ry)
        gas += np.float32(0.33) * soft(covered([outline], size), 0.004)
    for _ in range(int(rng.integers(0, 4))):
        centre = (shape.middle + float(rng.uniform(0.02, 0.3)), dome + float(rng.uniform(0.13, 0.25)))
        gas += np.float32(0.2) * blob(size, centre, (float(rng.uniform(0.015, 0.04)), 0.018))
    lung = covered([shape.lung["left"]], size)
    return np.asarray(np.clip(gas, 0, 0.4) * (1 - lung), np.float32)


def _tree(film: Film, shape: Frontal, side: str) -> Tree:
    s = SIGN[side]
    hx, hy = shape.hilum[side]
    start = (hx - 0.01 * s, hy)
    reach = (s * (shape.inner * 0.98 - abs(hx - shape.middle)) * 1.0, (shape.dome[side] - shape.apex) * 0.5)
    return vessel_tree(film.anatomy.pattern, side, start, reach, fan=(-82.0, 100.0))


def _vessels(film: Film, shape: Frontal, trees: Mapping[str, Tree], size: int) -> Plane:
    """Attenuation of vessels, hila and grain as if all of it lay in air."""
    density = film.anatomy.vessel_density
    layer = plane(size)
    for side, s in SIGN.items():
        layer += np.float32(0.31 * density) * draw_tree(trees[side], size)
        hx, hy = shape.hilum[side]
        layer += np.float32(0.30) * blob(size, (hx - 0.014 * s, hy), (0.026, 0.04), angle=0.35 * s)
        layer += np.float32(0.16) * blob(size, (hx, hy + 0.02), (0.06, 0.085))
    layer = soft(layer, 0.0018)
    rng = rng_for(film.anatomy.pattern, "grain")
    grain = clouds(rng, size, 24) * np.float32(0.010) + clouds(rng, size, 64) * np.float32(0.016)
    _, y = grid(size)
    basal = np.clip((y - np.float32(shape.apex)) / np.float32(0.6), 0, 1)
    return np.asarray(layer + grain * density + np.float32(0.06) * basal, np.float32)
