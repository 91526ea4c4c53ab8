"""What is in a lung: vessels that branch from the hilum, the hilum itself, and the grain between them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hilum.core.rng import rng_for
from hilum.datasets._phantom.draw_canvas import Bytes, Plane, Points, stroke, unit

Lines = NDArray[np.float64]
"""Lines of one length: float64 [B, N, 2]."""


class Tree(NamedTuple):
    """Branches of one lung by order, trunks first: Lines, and a width for each branch at its start [B]."""

    lines: tuple[Lines, ...]
    widths: tuple[NDArray[np.float64], ...]


_STEPS = 9
_THICK = ((slice(5, 9), 0.55), (slice(2, 6), 0.75), (slice(0, 3), 1.0))
_THIN = ((slice(4, 9, 2), 0.65), (slice(0, 5, 2), 0.95))
_TRUNKS = 10


def vessel_tree(
    pattern: int,
    name: str,
    start: tuple[float, float],
    reach: tuple[float, float],
    *,
    fan: tuple[float, float],
) -> Tree:
    """A tree of vessels from a hilum.

    `start`: the hilum; `reach`: how far the lung extends from it to the side (signed: the side) and up or down;
    `fan`: first and last angle of the trunks in degrees, 0 to the side, -90 up.
    """
    rng = rng_for(pattern, "vessels", name)
    angles = np.radians(np.linspace(fan[0], fan[1], _TRUNKS) + rng.normal(0, 6, _TRUNKS))
    lengths = rng.uniform(0.4, 0.72, _TRUNKS)
    origin = np.asarray(start) + np.stack([np.zeros(_TRUNKS), 0.022 * np.sin(angles)], axis=1)
    origin += rng.normal(0, 0.008, (_TRUNKS, 2))
    widths = rng.uniform(0.008, 0.0125, _TRUNKS) * (1 + 0.3 * np.sin(angles))
    widths[-2] *= 1.7
    lines, all_widths = [], []
    scale = np.asarray(reach)
    for order in range(4):
        bend = rng.normal(0, 0.35, len(angles))
        level = _grow(origin, angles, lengths, bend, scale)
        lines.append(level)
        all_widths.append(widths)
        if order == 3:
            break
        kids = (5, 3, 2)[order]
        parent = np.repeat(np.arange(len(angles)), kids)
        along = np.tile(np.linspace(0.3, 0.98, kids), len(angles)) + rng.uniform(-0.1, 0.02, len(parent))
        step = np.clip((along * (_STEPS - 1)).astype(int), 1, _STEPS - 1)
        origin = level[parent, step]
        side = np.where(rng.random(len(parent)) < 0.5, -1.0, 1.0)
        angles = angles[parent] + bend[parent] * along + side * rng.uniform(0.3, 0.95, len(parent))
        lengths = lengths[parent] * rng.uniform(0.45, 0.75, len(parent))
        widths = np.maximum(widths[parent] * (1 - 0.5 * along) * rng.uniform(0.55, 0.8, len(parent)), 0.0022)
    return Tree(tuple(lines), tuple(all_widths))


def _grow(
    origin: Points,
    angles: NDArray[np.float64],
    lengths: NDArray[np.float64],
    bend: NDArray[np.float64],
    scale: Points,
) -> Lines:
    t = np.linspace(0.0, 1.0, _STEPS)
    heading = angles[:, None] + bend[:, None] * t[None, :] * 1.4
    step = np.stack([np.cos(heading), np.sin(heading)], axis=2) * (lengths[:, None, None] / (_STEPS - 1))
    path = np.cumsum(step, axis=1) - step[:, :1]
    return np.asarray(origin[:, None, :] + path * scale[None, None, :])


def draw_tree(tree: Tree, size: int, *, width: float = 1.0, order: int = 4) -> Plane:
    """Amplitude [S, S], about 1 in a trunk, of the branches up to an order; `width` scales their calibre."""
    out: Bytes = np.zeros((size, size), np.uint8)
    for lines, widths in reversed(list(zip(tree.lines[:order], tree.widths[:order], strict=True))):
        rank = np.argsort(widths, kind="stable")
        is_trunk = len(lines) == _TRUNKS
        for group in np.array_split(rank, 3):
            for points, shrink in _THICK if is_trunk else _THIN:
                w = float(widths[group].mean()) * shrink * width
                shade = 255 * min(1.0, 0.28 + w / 0.016)
                stroke(out, lines[group, points], w, shade)
    return unit(out)
