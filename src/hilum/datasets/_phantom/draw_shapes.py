"""Signs that are shapes of heart and mediastinum: the geometry has them already, here is where they are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hilum.datasets._phantom.draw_canvas import Effect, covered, curve, ribbon, soft
from hilum.datasets._phantom.draw_frontal import Scene
from hilum.datasets._phantom.draw_opacities import Drawer, Draws
from hilum.datasets._phantom.film import Sign


def large_heart(scene: Scene, _sign: Sign, _rng: Draws) -> Effect:
    """The box of the heart's outline."""
    low, high = scene.shape.heart.min(axis=0), scene.shape.heart.max(axis=0)
    return Effect(box=(float(low[0]), float(low[1]), float(high[0]), float(high[1])))


def wide_mediastinum(scene: Scene, _sign: Sign, _rng: Draws) -> Effect:
    """The box of the mediastinum above the heart."""
    shape = scene.shape
    upper = shape.mediastinum[
        (shape.mediastinum[:, 1] > shape.apex - 0.02) & (shape.mediastinum[:, 1] < shape.carina[1] + 0.05)
    ]
    low, high = upper.min(axis=0), upper.max(axis=0)
    return Effect(box=(float(low[0]), shape.apex, float(high[0]), shape.carina[1] + 0.05))


def tortuous_aorta(scene: Scene, sign: Sign, _rng: Draws) -> Effect:
    """A large knob with lime in its wall, a limb to the right and one that winds behind the heart."""
    shape, s = scene.shape, sign.severity
    kx, ky, radius = shape.knob
    floor = shape.dome["left"]
    t = np.linspace(-2.6, 0.9, 24)
    arc = np.stack([kx + 0.93 * radius * np.cos(t), ky + 0.93 * radius * np.sin(t)], axis=1)
    lime = covered([ribbon(arc, 0.0045)], scene.size)
    path = curve(
        [(kx, ky), (shape.heart_x + 0.06 + 0.05 * s, shape.carina[1] + 0.13), (shape.heart_x + 0.035, floor)],
        24,
    )
    limb = soft(covered([ribbon(path, 0.065)], scene.size), 0.004)
    add = soft(lime, 0.001) * np.float32(0.25 * s) + limb * np.float32(0.12 * s)
    right = float(shape.mediastinum[:, 0].min())
    return Effect(
        add=add, box=(right, ky - 1.2 * radius, max(kx + 1.05 * radius, shape.heart_x + 0.115), floor - 0.02)
    )


SHAPES: Mapping[str, Drawer] = {
    "large heart": large_heart,
    "globular heart": large_heart,
    "wide mediastinum": wide_mediastinum,
    "tortuous aorta": tortuous_aorta,
}
"""Kind -> how it is drawn on a frontal film."""
