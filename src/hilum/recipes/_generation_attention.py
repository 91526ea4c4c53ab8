"""Where the words that name a finding look: attention inside the true box, against the share of the image it covers.

Axes: N images, F findings, K places of the map (G x G, row by row), K1 with the share that looks at no place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import isqrt
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.core.imaging import Image
from hilum.core.records import Labels
from hilum.core.vocabulary import State
from hilum.images.geometry import move_boxes
from hilum.images.read import read_image
from hilum.images.transforms import resize
from hilum.recipes._generation_sets import FINDINGS, GenerationSet
from hilum.text.report_words import Sentences

Floats = npt.NDArray[np.float64]
Tell = Callable[[str], object]

MENTION = ("row", "finding", "state", "inside", "box_share", "typical_inside", "typical_share", "no_place")
"""Columns of a mention: image, finding, State, attention inside the true box and its share of the image (NaN without a
box), the same for the typical region of the finding, and the share of attention that looks at no place."""

TYPICAL_FROM = 1_000
"""Training images with boxes from which the typical region of a finding is worked out, at most."""


class Word(NamedTuple):
    """A word of a mention, for a picture: image, word, finding, state, and its weights, of the K places and of none."""

    row: int
    word: str
    finding: str
    state: str
    weights: Sequence[float]


class Boxes(NamedTuple):
    """How much of each place is inside the boxes of a finding, float64 [N, F, K] (NaN without a box); typically [F, K].

    The typical region is the mean over training images that have the finding; NaN where none has.
    """

    own_NFK: Floats
    typical_FK: Floats


def find_boxes(test: GenerationSet, train: GenerationSet, *, grid: int, size: int, fit: str) -> Boxes:
    """Boxes of the test images, and typical regions of the training images, in the frame that the model sees."""
    own_NFK = np.full((len(test), len(FINDINGS), grid * grid), np.nan)
    for place, row in enumerate(test.rows):
        if row.image.boxes:
            own_NFK[place] = covered(row.image, grid=grid, size=size, fit=fit)
    sums_FK = np.zeros(own_NFK.shape[1:])
    counts_F = np.zeros(len(FINDINGS))
    boxed = [row.image for row in train.rows if row.image.boxes]
    for image in boxed[:TYPICAL_FROM]:
        found_FK = covered(image, grid=grid, size=size, fit=fit)
        known_F = ~np.isnan(found_FK[:, 0])
        sums_FK[known_F] += found_FK[known_F]
        counts_F += known_F
    with np.errstate(invalid="ignore"):
        return Boxes(own_NFK, np.where(counts_F[:, None] > 0, sums_FK / counts_F[:, None], np.nan))


def covered(image: Image, *, grid: int, size: int, fit: str) -> Floats:
    """How much of each place is inside the boxes of each finding, [F, K]; NaN for a finding without a box."""
    pixels: Any = image.pixels if image.path is None else read_image(image.path).pixels
    moved = move_boxes(image.boxes, resize(pixels, size, fit=fit).matrix, size=(size, size), keep=0.0).boxes
    found_FK = np.full((len(FINDINGS), grid * grid), np.nan)
    for place, finding in enumerate(FINDINGS):
        mask = np.zeros((size, size))
        for box in moved:
            if box.finding == finding:
                rows = slice(round(box.y0), max(round(box.y1), round(box.y0) + 1))
                mask[rows, round(box.x0) : max(round(box.x1), round(box.x0) + 1)] = 1.0
        if mask.any():
            found_FK[place] = cells(mask, grid)
    return found_FK


def cells(mask_HW: Floats, grid: int) -> Floats:
    """The mean of a square mask over each place of a grid, row by row, [K]."""
    size = len(mask_HW)
    cell = np.arange(size) * grid // size
    share = np.zeros((grid, size))
    share[cell, np.arange(size)] = 1.0
    share /= share.sum(axis=1, keepdims=True)
    return np.asarray((share @ mask_HW @ share.T).reshape(-1))


def side_of(places: int) -> int:
    """G of a map of G x G places; 0 when it is not square."""
    side = isqrt(places)
    return side if side * side == places else 0


def word_spans(sentences: Sentences, text: str) -> Iterator[tuple[int, int, int, int]]:
    """Sentence, word in it, first character and the one after the last, of each word of `joined(sentences)`."""
    place = 0
    for number, words in enumerate(sentences):
        for word_number, word in enumerate(words):
            start = text.index(word, place)
            place = start + len(word)
            yield number, word_number, start, place


class Written(NamedTuple):
    """A report that was kept: its sentences, the rows of the decoding they stand in, its text, labels, attention.

    `attention_SWK1` is that of the decoding.
    """

    sentences: Sentences
    rows: tuple[int, ...]
    text: str
    labels: Labels
    attention_SWK1: npt.NDArray[np.float32]


def mentions(
    row: int, written: Written, boxes: Boxes, *, words: list[Word] | None = None
) -> Iterator[tuple[float, ...]]:
    """For each mention of a finding that is affirmed or negated: the values of MENTION, means over its words.

    `words` gets its last words, for pictures.
    """
    spans = list(word_spans(written.sentences, written.text))
    for mention in written.labels.evidence:
        if mention.finding not in FINDINGS or mention.state not in (State.POSITIVE, State.NEGATIVE):
            continue
        here = [span for span in spans if span[2] < mention.end and span[3] > mention.start]
        looked = [written.attention_SWK1[written.rows[s], w] for s, w, *_ in here]
        if not looked:
            continue
        weights_K1 = np.mean(np.array(looked, dtype=np.float64), axis=0)
        place = FINDINGS.index(mention.finding)
        yield (
            row, place, int(mention.state),
            *_inside(weights_K1, boxes.own_NFK[row, place]), *_inside(weights_K1, boxes.typical_FK[place]),
            float(weights_K1[-1]),
        )  # fmt: skip
        if words is not None:
            s, w, *_ = here[-1]
            weights = written.attention_SWK1[written.rows[s], w]
            words.append(
                Word(
                    row, " ".join(written.sentences[a][b] for a, b, *_ in here), mention.finding,
                    mention.state.name.lower(), tuple(float(one) for one in weights.astype(np.float64).round(5)),
                )
            )  # fmt: skip


def _inside(weights_K1: Floats, share_K: Floats) -> tuple[float, float]:
    """Attention inside a region, of all that looks at a place; and the region's share of the image."""
    looked = weights_K1[:-1].sum()
    if np.isnan(share_K).any() or looked <= 0:
        return float("nan"), float("nan")
    return float((weights_K1[:-1] * share_K).sum() / looked), float(share_K.mean())


def example_rows(test: GenerationSet, count: int, rng: np.random.Generator) -> tuple[int, ...]:
    """Images to show: drawn, three of four among those with a finding in their report or image, in their order."""
    states_NF = test.states_NF
    some = (states_NF == State.POSITIVE).any(axis=1) | (test.truth_NF == 1).any(axis=1)
    order = rng.permutation(len(test))
    with_findings = [int(i) for i in order if some[i]][: count - count // 4]
    without = [int(i) for i in order if not some[i]]
    chosen = [*with_findings, *without][:count]
    more: Sequence[int] = [int(i) for i in order if int(i) not in chosen]
    return tuple(sorted([*chosen, *more[: count - len(chosen)]]))
