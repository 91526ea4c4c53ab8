"""A lateral film without signs: the front of the patient at the left of the image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hilum.core.rng import rng_for
from hilum.datasets._phantom.draw_anatomy import kinds_of
from hilum.datasets._phantom.draw_canvas import (
    Layers,
    Plane,
    blob,
    clouds,
    covered,
    curve,
    ellipse,
    grid,
    ribbon,
    soft,
)
from hilum.datasets._phantom.draw_lateral_anatomy import Lateral, lateral, side_bones
from hilum.datasets._phantom.draw_lungs import Tree, draw_tree, vessel_tree
from hilum.datasets._phantom.film import Film

_SIDES = ("left", "right")


@dataclass(frozen=True, eq=False)
class SideScene(Layers):
    """A lateral film before signs, with its geometry and vessels."""

    shape: Lateral
    tree: Tree


def lateral_scene(film: Film, size: int) -> SideScene:
    """The layers of a lateral film; signs that change shapes are already in its geometry."""
    shape = lateral(film)
    heart = covered([shape.heart], size)
    lung = {side: covered([shape.lung[side]], size) for side in _SIDES}
    both = np.float32(0.5) * (lung["left"] + lung["right"])
    inside = soft(both, 0.0025) * (0.72 + 0.28 * np.clip(soft(both, 0.03) * 1.5 - 0.5, 0, 1))
    near = 1 - np.float32(0.3) * blob(size, shape.at(0.1, 0.45), (0.09, 0.12), angle=-0.4)
    air = inside * (1 - np.float32(0.5) * (0.55 * soft(heart, 0.006) + 0.45 * soft(heart, 0.02)) * near)
    tissue = _tissue(film, shape, size)
    windpipe = soft(covered([ribbon(shape.trachea, 0.034)], size), 0.004)
    tissue *= 1 - np.float32(0.16) * windpipe
    tissue *= 1 - _gas(film, shape, size) * (1 - both)
    hx, hy = shape.hilum
    tree = vessel_tree(film.anatomy.pattern, "lateral", (hx, hy), (0.24, 0.27), fan=(-95.0, 240.0))
    vessels = np.float32(0.29 * film.anatomy.vessel_density) * draw_tree(tree, size, width=0.85)
    vessels += np.float32(0.34) * blob(size, (hx - 0.005, hy + 0.02), (0.032, 0.05)) + np.float32(
        0.17
    ) * blob(size, (hx, hy), (0.11, 0.12))
    vessels += _aorta(film, shape, size)
    grain = clouds(rng_for(film.anatomy.pattern, "grain"), size, 56)
    vessels = soft(vessels, 0.0018) + np.float32(0.022) * grain
    lungs = {side: lung[side] * (1 - heart) for side in _SIDES}
    return SideScene(
        film,
        size,
        tissue,
        np.asarray(air, np.float32),
        vessels,
        side_bones(film, shape, size),
        lungs,
        heart,
        shape,
        tree,
    )


def _gas(film: Film, shape: Lateral, size: int) -> Plane:
    """The bubble in the stomach, as a part of the tissue there."""
    rng = rng_for(film.seed, "gas")
    radii = (float(rng.uniform(0.03, 0.07)), float(rng.uniform(0.015, 0.035)))
    centre = shape.floor["left"][14] + np.array([float(rng.uniform(0.0, 0.06)), radii[1] + 0.025])
    outline = ellipse((centre[0], centre[1]), radii, 30, angle=0.15)
    return soft(covered([outline], size), 0.007) * np.float32(rng.uniform(0.0, 0.26))


def _aorta(film: Film, shape: Lateral, size: int) -> Plane:
    hx, hy = shape.hilum
    winding = kinds_of(film).get("tortuous aorta", 0.0)
    arch = curve(
        [
            (hx - 0.09, hy + 0.01),
            (hx - 0.075, hy - 0.075),
            (hx - 0.01, hy - 0.115 - 0.03 * winding),
            (hx + 0.075, hy - 0.075),
            (hx + 0.115 + 0.03 * winding, hy + 0.05),
            (hx + 0.125, hy + 0.25),
        ],
        40,
    )
    tube = soft(covered([ribbon(arch, 0.062 + 0.02 * winding)], size), 0.006)
    return np.asarray(tube * np.float32(0.13 + 0.12 * winding), np.float32)


def _tissue(film: Film, shape: Lateral, size: int) -> Plane:
    """Attenuation without air [S, S]: trunk, breast, raised arms."""
    x, y = grid(size)
    a, rng = film.anatomy, rng_for(film.seed, "arms")
    skin = 0.035 + 0.05 * a.body_fat
    bosom = 0.075 * a.breast
    front = shape.sternum[[2, 8, 15, 22, 29]] - np.array([skin, 0.0])
    front[:, 0] -= bosom * np.array([0.0, 0.1, 0.55, 1.0, 0.8])
    last = front[-1]
    back = shape.back[[10, 20, 30]] + np.array([0.055 + 0.04 * a.body_fat, 0.0])
    outline = [
        (0.14, -0.08), (0.25, 0.05), (0.32, 0.13), *front[1:].tolist(), (last[0] - 0.005, last[1] + 0.16),
        (last[0] - 0.02 - 0.05 * a.body_fat, 1.05),
        (back[-1, 0] - 0.01, 1.05), *back[::-1].tolist(), (back[0, 0] + 0.05, 0.15), (0.94, 0.03), (1.0, -0.08),
    ]  # fmt: skip
    trunk = covered([curve(np.array(outline), 90, closed=True)], size)
    arm_x = 0.4 + 0.06 * float(rng.normal())
    arm = [(arm_x - 0.3, -0.02), (arm_x + 0.12, -0.02), (0.66, 0.1), (0.6, 0.22), (0.44, 0.2), (0.36, 0.1)]
    arms = covered([np.array(arm)], size)
    edge = 0.3 + 0.7 * np.sqrt(np.clip(soft(trunk, 0.03) * 2 - 1, 0, 1))
    thick = (
        1.75 + 0.4 * a.body_fat + 0.5 * np.clip((np.float32(shape.apex + 0.14) - y) / np.float32(0.14), 0, 1)
    )
    floor = np.interp(x[0], shape.floor["right"][:, 0], shape.floor["right"][:, 1]).astype(np.float32)[
        None, :
    ]
    below = np.clip((y - floor + 0.01) / 0.15, 0, 1) * np.float32(0.6)
    fall = np.float32(0.35) * np.clip((y - 0.35) / 0.4, 0, 1) * np.clip((x - 0.6) / 0.1, 0, 1)
    return np.asarray(trunk * edge * (thick + below - fall) + np.float32(0.6) * soft(arms, 0.022), np.float32)
