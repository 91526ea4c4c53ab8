"""Strata of an audit: reports whose labels are alike, so that rare positives are drawn often enough."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hilum.core.matrix import LabelMatrix
from hilum.core.vocabulary import State

_DRAWN_OF_EACH = 8
"""There are at most sample / 8 strata; with fewer drawn of each, little could be said of any."""

_POSITIVE = "positive: "
UNCERTAIN = "something uncertain, nothing positive"
OTHER = "no finding positive, not labelled normal"
NORMAL = "nothing positive or uncertain"


@dataclass(frozen=True, eq=False)
class Strata:
    """Names of H strata, rarest findings first, and the stratum of each of N reports, intp [N]."""

    names: tuple[str, ...]
    of_N: npt.NDArray[np.intp]

    @property
    def sizes_H(self) -> npt.NDArray[np.int64]:
        """Reports of each stratum, int64 [H]."""
        return np.bincount(self.of_N, minlength=len(self.names)).astype(np.int64)


def make_strata(labels: LabelMatrix, sample: int) -> Strata:
    """Strata by labels alone: each report belongs to its rarest positive finding.

    Reports without a positive finding are uncertain ones, those that are not labelled normal although no finding
    is positive (something outside the vocabulary is), and the rest. When the sample is small for so many strata,
    the rarest findings are put together, then uncertain with positive, then what is left.
    """
    roles = {f.name: f.role for f in labels.vocabulary.findings}
    asked = [place for place, finding in enumerate(labels.findings) if roles[finding] != "none"]
    positive_NF = labels.states_NF[:, asked] == State.POSITIVE
    names = [labels.findings[place] for place in asked]
    order = sorted(range(len(names)), key=lambda f: (positive_NF[:, f].sum(), f))
    of_N = np.full(len(labels), -1, dtype=np.intp)
    for place in reversed(order):
        of_N[positive_NF[:, place]] = place
    groups = [({place}, f"{_POSITIVE}{names[place]}") for place in order]
    groups.sort(key=lambda group: int((of_N == min(group[0])).sum()))
    uncertain_N = (labels.states_NF[:, asked] == State.UNCERTAIN).any(axis=1)
    normal = labels.vocabulary.no_finding
    normal_N = (
        labels.column(normal) == State.POSITIVE
        if normal in labels.findings and normal is not None
        else np.ones(len(labels), dtype=bool)
    )
    last = len(names)
    for place, (which_N, name) in enumerate(
        ((uncertain_N, UNCERTAIN), (~normal_N, OTHER), (np.ones_like(normal_N), NORMAL)), start=last
    ):
        of_N[(of_N < 0) & which_N] = place
        groups.append(({place}, name))
    present = [group for group in groups if np.isin(of_N, list(group[0])).any()]
    return _few(present, of_N, findings=last, most=max(2, sample // _DRAWN_OF_EACH))


def _few(
    groups: list[tuple[set[int], str]], of_N: npt.NDArray[np.intp], *, findings: int, most: int
) -> Strata:
    """The groups, joined until there are at most `most`, as strata."""
    sizes = {place: int((of_N == place).sum()) for group, _ in groups for place in group}
    while len(groups) > most:
        rare = [group for group in groups if max(group[0]) < findings]
        if len(rare) > 1:
            rare.sort(key=lambda group: sum(sizes[place] for place in group[0]))
            both = (rare[0][0] | rare[1][0], _joined(rare[0][1], rare[1][1]))
            groups = [both, *(group for group in groups if group not in rare[:2])]
        elif len(rare) == 1 and groups[1][1] == UNCERTAIN:
            groups = [(rare[0][0] | groups[1][0], "something positive or uncertain"), *groups[2:]]
        else:
            groups = [*groups[:-2], (groups[-2][0] | groups[-1][0], "nothing positive")]
    stratum = np.empty(max(sizes) + 1, dtype=np.intp)
    for place, (group, _) in enumerate(groups):
        stratum[list(group)] = place
    return Strata(tuple(name for _, name in groups), stratum[of_N])


def _joined(one: str, other: str) -> str:
    """The name of two strata of positive findings together."""
    return f"{one} or {other.removeprefix(_POSITIVE)}"
