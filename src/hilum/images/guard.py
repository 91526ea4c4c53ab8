"""Simple measured rules that say what is odd about an image before a model sees it.

The measures work on the grey ranks of a 32 x 32 copy without its empty borders. The outlines they are compared with
are invented (`_templates.py`); the thresholds and the four numbers of the lateral rule were set on one half of public
images, and `benchmarks/image_guard.py` counts on the other half how often the rules are wrong. `docs/images.md` has
the counts. The rules see what they measure and no more: a photograph of a dog can pass.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilum.core.imaging import Pixels, View
from hilum.images._opencv import check_pixels, opencv
from hilum.images._templates import SIDE, Small, likeness, ranks, unit

LOOK = 256
"""Borders are looked for in a copy of this many pixels a side."""


@dataclass(frozen=True, slots=True)
class GuardRules:
    """The numbers of the rules. The defaults are those whose error rates are measured.

    `smallest_side` (pixels), `largest_aspect` and `film_mm` (shortest and longest side) are bounds set by reason:
    models are fed 224 pixels and more, films are 18 x 24 to 35 x 43 cm, and cropped or stitched ones a little
    beyond. `lateral` is a weighted sum of (symmetry, side, spine) of `Measures`, and its constant, by logistic
    regression on the development half.
    """

    smallest_side: int = 128
    largest_aspect: float = 2.0
    film_mm: tuple[float, float] = (120.0, 600.0)
    flat: float = 0.02
    border: float = 0.35
    inverted: float = 0.0
    lateral_weights: tuple[float, float, float] = (-8.5, -21.0, -13.0)
    lateral_constant: float = 2.8
    lateral: float = 0.5


RULES = GuardRules()


@dataclass(frozen=True, slots=True)
class Concern:
    """One thing that is odd: its kind, the measure and the threshold that it passed, and a message for people."""

    kind: str
    measure: float
    threshold: float
    message: str


@dataclass(frozen=True, slots=True)
class Measures:
    """What the rules look at.

    `spread`: standard deviation of grey values. `border`: share of the image outside the part that varies.
    `inverted`: minus the signed likeness to both outlines, in [-2, 2], positive when it looks inverted. The rest
    is measured after inverting such an image back: `symmetry`, the highest correlation with its mirror image over
    axes near the middle, in [-1, 1]; `side`, mean grey rank of the outermost columns, in [-0.5, 0.5]; `spine`, how
    far the column of ranks in the middle rises over the darker of its two sides, in [-1, 1].
    """

    height: int
    width: int
    spread: float
    border: float
    inverted: float
    symmetry: float
    side: float
    spine: float


def inspect(
    pixels: Pixels,
    *,
    view: View | None = None,
    spacing_mm: tuple[float, float] | None = None,
    rules: GuardRules = RULES,
) -> tuple[Concern, ...]:
    """What is odd about an image, empty if nothing is; kinds: see `KINDS`.

    `view`: what is known of it; a lateral that is known to be one is no concern. `spacing_mm`: size of a pixel
    (down, across), if known. An image without contrast or of an odd size is not judged further. Raises
    ImageError for an array that is no image.
    """
    found = measure(pixels)
    concerns = [*_size_concerns(found, spacing_mm, rules), *_flat_concerns(found, rules)]
    if concerns:
        return tuple(concerns)
    if found.border > rules.border:
        concerns.append(
            Concern(
                "border",
                found.border,
                rules.border,
                f"{found.border:.0%} of the image is an empty border; crop it, or the chest is small in the frame",
            )
        )
    if found.inverted > rules.inverted:
        concerns.append(
            Concern(
                "inverted",
                found.inverted,
                rules.inverted,
                "air looks bright and bone dark: the greys seem inverted (compare MONOCHROME1)",
            )
        )
    lateral = lateral_score(found, rules=rules)
    if lateral > rules.lateral and view is not View.LATERAL:
        said = f", but is said to be {view}" if view is not None and view.is_frontal else ""
        concerns.append(Concern("lateral", lateral, rules.lateral, f"it looks like a lateral view{said}"))
    return tuple(concerns)


KINDS = ("not a chest X-ray sized image", "flat", "border", "inverted", "lateral")
"""All kinds of concern, in the order in which they are told."""


def measure(pixels: Pixels) -> Measures:
    """The measures of an image. Raises ImageError for an array that is no image."""
    height, width = check_pixels(pixels)
    cv2 = opencv()
    look = cv2.resize(pixels[0], (LOOK, LOOK), interpolation=cv2.INTER_AREA)
    inner = inside_border(look)
    small = ranks(cv2.resize(look[inner], (SIDE, SIDE), interpolation=cv2.INTER_AREA))
    inverted = -sum(likeness(small))
    if inverted > 0.0:
        small = -small
    return Measures(
        height=height,
        width=width,
        spread=float(look.std()),
        border=1.0 - look[inner].size / look.size,
        inverted=inverted,
        symmetry=_symmetry(small),
        side=float(small[:, [0, 1, -2, -1]].mean()),
        spine=_spine(small),
    )


def lateral_score(measures: Measures, *, rules: GuardRules = RULES) -> float:
    """How much an image looks like a lateral view: above 0 more likely than not, on a balanced mix of views."""
    values = (measures.symmetry, measures.side, measures.spine)
    weighted = sum(w * v for w, v in zip(rules.lateral_weights, values, strict=True))
    return weighted + rules.lateral_constant


def inside_border(
    plane: NDArray[np.float32], *, even: float = 0.04, most: float = 0.45
) -> tuple[slice, slice]:
    """The rows and columns left after even ones are cut off from each edge.

    A row or column is even when the 10th and the 90th percentile of its values are less than `even` apart. Uneven
    ones count only in runs of a sixteenth of the side, so that writing in a border does not end it. At most the
    share `most` is cut from one edge. Rows first, then columns of what is left.
    """
    rows = _varied(plane, even, most)
    return rows, _varied(plane[rows].T, even, most)


def _varied(lines: NDArray[np.float32], even: float, most: float) -> slice:
    length = lines.shape[1]
    low, high = int(0.1 * (length - 1)), int(np.ceil(0.9 * (length - 1)))
    ordered = np.partition(lines, (low, high), axis=1)
    varied = ordered[:, high] - ordered[:, low] >= even
    run = max(1, len(varied) // 16)
    runs = np.flatnonzero(np.convolve(varied, np.ones(run), mode="valid") >= run)  # where a run starts
    limit = int(len(varied) * most)
    first, last = (int(runs[0]), int(runs[-1]) + run) if runs.size else (0, len(varied))
    return slice(min(first, limit), max(last, len(varied) - limit))


def _symmetry(small: Small) -> float:
    best = -1.0
    for shift in range(-6, 7):
        part = unit(small[:, max(0, shift) : SIDE + min(0, shift)])
        best = max(best, float((part * part[:, ::-1]).sum()))
    return best


def _spine(small: Small) -> float:
    profile = np.convolve(np.pad(small[8:22].mean(axis=0), 1, mode="edge"), (0.25, 0.5, 0.25), mode="valid")
    return max(
        float(profile[k] - max(profile[max(0, k - 10) : k - 2].min(), profile[k + 3 : k + 11].min()))
        for k in range(10, 22)
    )


def _size_concerns(
    found: Measures, spacing_mm: tuple[float, float] | None, rules: GuardRules
) -> list[Concern]:
    kind = "not a chest X-ray sized image"
    shorter, longer = sorted((found.height, found.width))
    concerns = []
    if shorter < rules.smallest_side:
        text = f"{found.width} x {found.height} pixels; the shorter side should have {rules.smallest_side} or more"
        concerns.append(Concern(kind, shorter, rules.smallest_side, text))
    if longer / shorter > rules.largest_aspect:
        text = f"{found.width} x {found.height} pixels; one side is {longer / shorter:.1f} times the other"
        concerns.append(Concern(kind, longer / shorter, rules.largest_aspect, text))
    if spacing_mm is not None:
        low, high = rules.film_mm
        for millimetres in (found.height * spacing_mm[0], found.width * spacing_mm[1]):
            if not low <= millimetres <= high:
                text = f"by its pixel spacing one side is {millimetres:.0f} mm; {low:.0f} to {high:.0f} is expected"
                concerns.append(Concern(kind, millimetres, low if millimetres < low else high, text))
    return concerns


def _flat_concerns(found: Measures, rules: GuardRules) -> list[Concern]:
    if found.spread >= rules.flat:
        return []
    text = "hardly any contrast: it is (almost) one grey value all over"
    return [Concern("flat", found.spread, rules.flat, text)]
