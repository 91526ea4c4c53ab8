"""The section on several readers of the same images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from hilum.analyses._inputs import Loaded
from hilum.analyses._readers import (
    MOST_READERS_SEARCHED,
    against_others,
    among_readers,
    reader_table,
    readers_behind,
    votes_of,
)
from hilum.core.matrix import LabelMatrix
from hilum.core.results import ResultSection


@dataclass(frozen=True, eq=False)
class Readers:
    """Votes of all readers, who of them is behind the image labels, and who is independent of them."""

    votes_RNF: npt.NDArray[np.int8] = field(default_factory=lambda: np.zeros((0, 0, 0), dtype=np.int8))
    behind: tuple[str, ...] = ()
    same: float = 0.0
    independent: Mapping[str, LabelMatrix] = field(default_factory=dict)


def find_readers(loaded: Loaded, *, ties: str) -> Readers:
    """Readers whose majority the image labels are, found by comparing, and the independent others."""
    if not loaded.readers:
        return Readers()
    names = list(loaded.readers)
    votes = votes_of(list(loaded.readers.values()), loaded.chosen)
    group, same = readers_behind(loaded.chosen_truth_NF, votes, ties=ties)
    behind = tuple(names[place] for place in group)
    independent = {name: matrix for name, matrix in loaded.readers.items() if name not in behind}
    return Readers(votes, behind, same, independent)


def readers_section(loaded: Loaded, readers: Readers, *, ties: str) -> ResultSection:
    """Readers against the majority of the others, the independent ones against the image labels, agreement."""
    names = list(loaded.readers)
    blocks = []
    if readers.independent:
        places = [names.index(name) for name in readers.independent]
        blocks.append(
            reader_table(
                list(readers.independent),
                [(loaded.chosen_truth_NF, readers.votes_RNF[place]) for place in places],
                findings=loaded.chosen,
                name="readers_against_image_labels",
                title="Independent readers against the image labels",
                note="Only readers who are not part of the majority that the image labels are.",
            )
        )
    if len(names) >= 3:
        blocks.append(against_others(names, readers.votes_RNF, findings=loaded.chosen, ties=ties))
    if len(names) >= 2:
        blocks.append(among_readers(readers.votes_RNF, findings=loaded.chosen))
    return ResultSection("The readers", _paragraphs(readers, len(names)), tuple(blocks))


def _paragraphs(readers: Readers, count: int) -> tuple[str, ...]:
    if readers.behind:
        return (
            (
                f"The image labels are the majority of {', '.join(readers.behind)} ({readers.same:.2%} of the cells "
                "are equal). These readers are compared with the majority of the others, never with the image labels."
            ),
        )
    if count > MOST_READERS_SEARCHED:
        return (
            (
                f"With more than {MOST_READERS_SEARCHED} readers it is not checked whose majority the image labels "
                "are; all are compared with them."
            ),
        )
    return (
        "No group of the readers has the image labels as its majority: all count as independent of them.",
    )
