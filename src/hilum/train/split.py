"""Which reports are for training and which for choosing the checkpoint: drawn once, never one text on both sides."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError
from hilum.core.rng import rng_for

Places = npt.NDArray[np.intp]


class Split(NamedTuple):
    """Places of the rows for training and of those for choosing, each ascending."""

    train: Places
    dev: Places


def same_text(text: str) -> str:
    """What two texts share when they count as one: their words without case and without white space between them."""
    return "".join(text.casefold().split())


def split_rows(
    texts: Sequence[Sequence[str]],
    *,
    share: float,
    seed: int,
    groups: Sequence[Sequence[str]] | None = None,
) -> list[Split]:
    """One split per list of texts (a step of training), about `share` of the rows of each for choosing.

    Rows of the same text or the same group (a patient; "" is none) stay on one side, also between steps: what a
    later step is judged by was never trained on in an earlier one. Whole groups are drawn in random order as
    long as they fit, the later steps first, so a share can stay a little below what was asked. Raises InputError
    when a side of a step stays empty.
    """
    sizes = [len(one) for one in texts]
    flat = [text for one in texts for text in one]
    marks: list[list[Hashable]] = [[("text", same_text(text)) for text in flat]]
    if groups is not None:
        names = [name for one in groups for name in one]
        marks.append([("group", name) if name else ("row", i) for i, name in enumerate(names)])
    component_N = _components(len(flat), marks)
    step_N = np.repeat(np.arange(len(sizes)), sizes)
    in_dev = _draw(component_N, step_N, share=share, seed=seed)
    splits: list[Split] = []
    for step, size in enumerate(sizes):
        own = in_dev[step_N == step]
        splits.append(Split(np.flatnonzero(~own), np.flatnonzero(own)))
        if not own.any() or own.all():
            raise InputError(
                f"{size} rows with {len(set(component_N[step_N == step].tolist()))} different texts or groups are too "
                f"few to put {share:.0%} of them aside for choosing the checkpoint. "
                "Next step: more reports, or another --dev-share."
            )
    return splits


def _components(n: int, marks: Sequence[Sequence[Hashable]]) -> npt.NDArray[np.intp]:
    """A number per row, the same for rows that share a mark, directly or through others."""
    parent = list(range(n))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    for kind in marks:
        first: dict[Hashable, int] = {}
        for place, mark in enumerate(kind):
            one, other = root(first.setdefault(mark, place)), root(place)
            parent[max(one, other)] = min(one, other)
    return np.array([root(place) for place in range(n)], dtype=np.intp)


def _draw(
    component_N: npt.NDArray[np.intp], step_N: npt.NDArray[np.intp], *, share: float, seed: int
) -> npt.NDArray[np.bool_]:
    """Whether each row is for choosing."""
    names, component_N = np.unique(component_N, return_inverse=True)
    steps = int(step_N.max(initial=0)) + 1
    size_CS = np.zeros((len(names), steps), dtype=np.int64)
    np.add.at(size_CS, (component_N, step_N), 1)
    room_S = np.rint(size_CS.sum(axis=0) * share).astype(np.int64)
    chosen = np.zeros(len(names), dtype=bool)
    decided = np.zeros(len(names), dtype=bool)
    for step in reversed(range(steps)):
        order = rng_for(seed, "split", step).permutation(len(names))
        for component in order[size_CS[order, step] > 0]:
            if decided[component]:
                continue
            decided[component] = True
            if np.all((size_CS[component] <= room_S) | (size_CS[component] == 0)):
                chosen[component] = True
                room_S = room_S - size_CS[component]
    return chosen[component_N]
