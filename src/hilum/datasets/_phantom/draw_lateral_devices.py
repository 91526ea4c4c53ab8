"""Devices of a lateral film."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

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
from hilum.datasets._phantom.draw_lateral import SideScene
from hilum.datasets._phantom.draw_lateral_signs import Draws, SideDrawer
from hilum.datasets._phantom.film import Sign


def device(scene: SideScene, sign: Sign, rng: Draws) -> Effect:
    """Tubes and metal, from the side."""
    layer: Bytes = np.zeros((scene.size, scene.size), np.uint8)
    _DEVICES[sign.kind](scene, layer, sign, rng)
    strength = {"sternal wires": 1.2, "pacer": 1.6, "valve": 1.3}.get(sign.kind, 0.8)
    return Effect(add=soft(unit(layer), 0.0007) * np.float32(strength * (0.35 + 0.65 * sign.severity)))


def _vein(scene: SideScene) -> Points:
    x, y = scene.shape.hilum
    return np.array([(x - 0.05, y - 0.17), (x - 0.06, y - 0.08), (x - 0.055, y + 0.03)])


def _draw_tube(scene: SideScene, layer: Bytes, _sign: Sign, _rng: Draws) -> None:
    outline = ribbon(scene.shape.trachea[:16], 0.02)
    stroke(layer, [outline[:16], outline[16:]], 0.0035, 160)
    stroke(layer, [scene.shape.trachea[:16]], 0.003, 220)


def _draw_stomach_tube(scene: SideScene, layer: Bytes, _sign: Sign, _rng: Draws) -> None:
    x, y = scene.shape.hilum
    low = float(scene.shape.floor["left"][20, 1])
    stroke(
        layer,
        [
            curve(
                [
                    (0.575, -0.03),
                    (0.6, 0.12),
                    (x + 0.05, y),
                    (x + 0.06, low - 0.04),
                    (x - 0.02, low + 0.06),
                    (x - 0.12, low + 0.08),
                ],
                50,
            )
        ],
        0.005,
        215,
    )


def _draw_line(scene: SideScene, layer: Bytes, _sign: Sign, _rng: Draws) -> None:
    start = np.array([(0.47, -0.03), (0.48, 0.06)])
    stroke(layer, [curve(np.concatenate([start, _vein(scene)]), 40)], 0.0055, 205)


def _draw_drain(scene: SideScene, layer: Bytes, _sign: Sign, _rng: Draws) -> None:
    line = curve(
        [
            scene.shape.at(0.3, 0.85),
            scene.shape.at(0.55, 0.6),
            scene.shape.at(0.65, 0.3),
            scene.shape.at(0.6, 0.1),
        ],
        40,
    )
    outline = ribbon(line, 0.018)
    stroke(layer, [outline[:40], outline[40:]], 0.0034, 120)
    stroke(layer, [line], 0.004, 235)


def _draw_wires(scene: SideScene, layer: Bytes, sign: Sign, _rng: Draws) -> None:
    line = scene.shape.sternum - np.array([0.012, 0.0])
    for i in np.linspace(4, 27, 5 + sign.variant % 3).astype(int):
        x, y = line[i]
        stroke(
            layer,
            [
                curve(
                    [
                        (x - 0.013, y - 0.004),
                        (x, y - 0.008),
                        (x + 0.012, y + 0.001),
                        (x, y + 0.006),
                        (x - 0.013, y + 0.004),
                    ],
                    16,
                )
            ],
            0.004,
            240,
        )


def _draw_pacer(scene: SideScene, layer: Bytes, _sign: Sign, _rng: Draws) -> None:
    heart, front = scene.shape.heart, scene.shape.sternum[7]
    box = ellipse((front[0] - 0.03, front[1] + 0.0), (0.012, 0.048), 40, angle=0.45)
    tip = [
        (float(heart[:, 0].min()) + 0.12, float(heart[:, 1].max()) - 0.05),
        (float(heart[:, 0].min()) + 0.045, float(heart[:, 1].max()) - 0.045),
    ]
    path = curve([(front[0] - 0.01, front[1] - 0.03), (0.43, 0.1), *_vein(scene).tolist(), *tip], 60)
    stroke(layer, [path], 0.0052, 110)
    stroke(layer, [path[-2:]], 0.009, 200)
    paint(layer, [box], 245)


def _draw_leads(scene: SideScene, layer: Bytes, _sign: Sign, rng: Draws) -> None:
    for i in (6, 18, 26):
        x, y = scene.shape.sternum[i] - np.array([0.045, 0.0])
        paint(layer, [ellipse((x, y), (0.007, 0.012), 16)], 220)
        stroke(
            layer,
            [curve([(x, y), (x + 0.06, y + 0.12), (0.35 + float(rng.uniform(-0.1, 0.1)), 1.02)], 24)],
            0.0042,
            110,
        )


def _draw_valve(scene: SideScene, layer: Bytes, sign: Sign, _rng: Draws) -> None:
    low, high = scene.shape.heart.min(axis=0), scene.shape.heart.max(axis=0)
    centre = low + (high - low) * np.array([0.62, 0.5] if sign.variant % 2 else [0.55, 0.33])
    outline = ellipse((centre[0], centre[1]), (0.012, 0.03), 36, angle=0.7)
    stroke(layer, [np.concatenate([outline, outline[:1]])], 0.0065, 240)


def _draw_port(scene: SideScene, layer: Bytes, _sign: Sign, _rng: Draws) -> None:
    x, y = scene.shape.sternum[6] - np.array([0.03, 0.0])
    paint(layer, [ellipse((x, y), (0.014, 0.026), 24, angle=0.45)], 170)
    stroke(layer, [curve([(x, y), (0.42, 0.09), *_vein(scene).tolist()], 40)], 0.005, 190)


_DEVICES: Mapping[str, Callable[[SideScene, Bytes, Sign, Draws], None]] = {
    "endotracheal tube": _draw_tube,
    "nasogastric tube": _draw_stomach_tube,
    "central line": _draw_line,
    "chest tube": _draw_drain,
    "sternal wires": _draw_wires,
    "pacer": _draw_pacer,
    "leads": _draw_leads,
    "valve": _draw_valve,
    "port": _draw_port,
}


LATERAL_DEVICES: Mapping[str, SideDrawer] = dict.fromkeys(_DEVICES, device)
"""Kind -> how it is drawn on a lateral film."""
