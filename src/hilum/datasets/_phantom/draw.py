"""Draws the radiographs of the phantom: `draw(film)` gives pixels, the boxes of what is to be seen, and masks.

A film is drawn as rays see it: tissue, less the air in it, more bone and metal, give an attenuation; the brightness
is 1 - exp(-attenuation), so that bone over the heart shows less than bone over lung. Invented throughout: for tests
of methods and pipelines, not for claims about patients.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hilum.core.errors import InputError, UnknownNameError
from hilum.core.imaging import Box, Image, Pixels, View
from hilum.core.rng import rng_for
from hilum.datasets._phantom.draw_airspace import AIRSPACE
from hilum.datasets._phantom.draw_canvas import (
    AIR,
    Effect,
    Layers,
    Plane,
    extent,
    grain,
    keep_memory,
    letters,
    soft,
    unit,
)
from hilum.datasets._phantom.draw_devices import DEVICES
from hilum.datasets._phantom.draw_fractures import FRACTURES
from hilum.datasets._phantom.draw_frontal import Scene, frontal_scene
from hilum.datasets._phantom.draw_implants import IMPLANTS
from hilum.datasets._phantom.draw_lateral import SideScene, lateral_scene
from hilum.datasets._phantom.draw_lateral_devices import LATERAL_DEVICES
from hilum.datasets._phantom.draw_lateral_signs import LATERAL
from hilum.datasets._phantom.draw_opacities import OPACITIES
from hilum.datasets._phantom.draw_pleura import PLEURA
from hilum.datasets._phantom.draw_shapes import SHAPES
from hilum.datasets._phantom.film import FIELD_MM, KINDS, Film, Sign, place, visible

SIZES = (64, 2048)
"""Smallest and largest width of an image, in pixels."""

FRONTAL = {**SHAPES, **OPACITIES, **AIRSPACE, **PLEURA, **FRACTURES, **DEVICES, **IMPLANTS}
"""Kind -> how it is drawn on a frontal film."""

SIDE = {**LATERAL, **LATERAL_DEVICES}
"""Kind -> how it is drawn on a lateral film."""


def draw(film: Film, *, size: int = 256) -> Image:
    """The image of one film: pixels [1, size, size], a multiple of 1/255; boxes; masks of lungs and heart.

    A sign that its view does not show gets no box. The lung masks are without what heart and mediastinum
    cover. The same film gives the same bytes. Raises InputError for a size outside `SIZES`, UnknownNameError
    for a finding or a kind that is not in `KINDS`.
    """
    if not SIZES[0] <= size <= SIZES[1]:
        raise InputError(
            f"The phantom cannot be drawn {size} pixels wide; give a size from {SIZES[0]} to {SIZES[1]}."
        )
    keep_memory()
    film = replace(film, signs=tuple(place(s) for s in film.signs if visible(_known(s), film.view)))
    is_lateral = film.view is View.LATERAL
    scene: Layers = lateral_scene(film, size) if is_lateral else frontal_scene(film, size)
    shown = [(sign, effect_of(scene, sign)) for sign in film.signs]
    boxes = tuple(box for sign, effect in shown for box in boxes_of(scene, sign, effect))
    masks = {f"{side} lung": lung > 0.5 for side, lung in scene.lungs.items()} | {"heart": scene.heart > 0.5}
    pixels = _develop(scene, [effect for _, effect in shown])
    spacing = FIELD_MM / size
    return Image("", pixels=pixels, view=film.view, boxes=boxes, masks=masks, spacing_mm=(spacing, spacing))


def _known(sign: Sign) -> Sign:
    if sign.finding not in KINDS:
        raise UnknownNameError("finding that the phantom draws", sign.finding, tuple(KINDS))
    if sign.kind not in KINDS[sign.finding]:
        raise UnknownNameError(f"kind of {sign.finding}", sign.kind, KINDS[sign.finding])
    return sign


def effect_of(scene: Layers, sign: Sign) -> Effect:
    """What a sign, at a place that its kind can take, does to a scene.

    Its details depend on the patient's pattern and on the sign, not on the film.
    """
    rng = rng_for(scene.film.anatomy.pattern, "sign", sign.kind, sign.side, sign.zone, sign.variant)
    if isinstance(scene, SideScene):
        return SIDE[sign.kind](scene, sign, rng)
    if isinstance(scene, Scene):
        return FRONTAL[sign.kind](scene, sign, rng)
    raise TypeError(f"{type(scene).__name__} is no scene")


def boxes_of(scene: Layers, sign: Sign, effect: Effect) -> list[Box]:
    """The smallest boxes around what a sign changes: one, or one for each side of a sign on both."""
    size = scene.size
    if effect.box is not None:
        x0, y0, x1, y1 = (float(np.clip(round(v * size), 0, size)) for v in effect.box)
        return [Box(sign.finding, x0, y0, x1, y1)] if x1 > x0 and y1 > y0 else []
    change = np.zeros((size, size), np.float32)
    if effect.fill is not None:
        change += np.abs(effect.fill) * scene.air * scene.tissue * np.float32(AIR)
    if effect.add is not None:
        change += np.abs(effect.add)
    if effect.bare is not None:
        change += effect.bare * scene.air * np.float32(0.06)
    level = max(0.2 * float(change.max()), 0.008)
    parts = [(0, size)]
    if isinstance(scene, Scene) and sign.side == "both":
        middle = int(np.clip(round(scene.shape.middle * size), 1, size - 1))
        parts = [(0, middle), (middle, size)]
    found = []
    for start, stop in parts:
        limits = extent(change[:, start:stop], level=level)
        if limits is not None:
            found.append(Box(sign.finding, limits[0] + start, limits[1], limits[2] + start, limits[3]))
    return found


def _develop(scene: Layers, effects: list[Effect]) -> Pixels:
    """Pixels [1, S, S] of a scene with its signs."""
    air, markings = scene.air, scene.vessels
    extra = scene.solid
    for effect in effects:
        if effect.fill is not None:
            air = air * (1 - effect.fill)
        if effect.bare is not None:
            markings = markings * (1 - effect.bare)
        if effect.add is not None:
            extra = extra + effect.add
    air = np.minimum(air, np.float32(1.06))
    attenuation = scene.tissue * (1 - np.float32(AIR) * air)
    attenuation += (
        markings * np.clip(scene.air * 1.3, 0, 1) * np.clip(air / (scene.air + np.float32(1e-3)) * 1.4, 0, 1)
        + extra
    )
    return expose(scene.film, soft(attenuation, 0.0009))


def expose(film: Film, attenuation: Plane) -> Pixels:
    """Brightness of an attenuation [S, S], with scatter, grain, collimation and marker, quantised to 1/255."""
    size = attenuation.shape[0]
    rng = rng_for(film.seed, "film")
    grainy = attenuation + grain(rng, size) * (attenuation + np.float32(0.5)) * np.float32(0.028 * film.noise)
    steps = np.clip(grainy * np.float32(1024 / (4.0 * film.exposure)), 0, 1023).astype(np.int16)
    value = _film_curve()[steps]
    finish(film, value, rng)
    return np.asarray(np.rint(value * 255) / np.float32(255), np.float32)[None]


@lru_cache(maxsize=1)
def _film_curve() -> NDArray[np.float32]:
    """Brightness [1024] of attenuations 0 to 4: a soft toe, a soft shoulder."""
    u = (np.linspace(0, 4, 1024) / 2.45) ** 0.92
    return np.clip(1.06 * u / (1 + u**4) ** 0.25, 0, 1).astype(np.float32)


def finish(film: Film, value: Plane, rng: np.random.Generator) -> None:
    """Collimation and a side marker, drawn into the brightness [S, S]."""
    size = len(value)
    if rng.random() < 0.35:
        for edge in range(4):
            width = int(size * float(rng.uniform(0.0, 0.022)))
            if width and rng.random() < 0.6:
                region = (slice(0, width), slice(size - width, size))[edge % 2]
                value[(region, slice(None)) if edge < 2 else (slice(None), region)] *= np.float32(0.12)
    if rng.random() < 0.7 and size >= 128:
        letter = "L" if rng.random() < 0.5 or film.view is View.LATERAL else "R"
        x = (0.925 if letter == "L" else 0.03) * size
        y = float(rng.uniform(0.05, 0.11)) * size
        scale = size / 256 * 0.5
        mark = letters((size, size), letter, (int(x), int(y)), scale)
        np.maximum(value, unit(mark), out=value)
