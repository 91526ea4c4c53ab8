"""Labels and probabilities of many studies as arrays: what comparisons, studies and metrics work on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError, UnknownNameError
from hilum.core.vocabulary import BINARY_POLICIES, State, Vocabulary

LEFT_OUT = -1
"""In a binary array: this cell is not compared."""


@dataclass(frozen=True, eq=False)
class LabelMatrix:
    """States of N studies by F findings from one source (a label file, a reader, a labeler).

    `findings` are canonical names of `vocabulary`, in the order of the columns of `states_NF` (int8 `State`
    codes, LEFT_OUT where a reader was asked to tell no label from blank); they may be some of the vocabulary's
    only. `ids` are the N keys, or () when the source has none.
    """

    source: str
    vocabulary: Vocabulary
    findings: tuple[str, ...]
    ids: tuple[str, ...]
    states_NF: npt.NDArray[np.int8]

    def __post_init__(self) -> None:
        rows, columns = self.states_NF.shape
        if columns != len(self.findings) or (self.ids and rows != len(self.ids)):
            raise InputError(
                f"{self.source}: {rows} rows and {columns} columns of labels do not fit "
                f"{len(self.ids)} keys and {len(self.findings)} findings."
            )

    def __len__(self) -> int:
        return len(self.states_NF)

    def column(self, finding: str) -> npt.NDArray[np.int8]:
        """States of one finding, int8 [N]. Raises UnknownNameError when this source does not have it."""
        return self.states_NF[:, _place(self, finding)]

    def select(self, findings: Sequence[str]) -> LabelMatrix:
        """The same studies with these findings, in this order."""
        places = [_place(self, finding) for finding in findings]
        return replace(self, findings=tuple(findings), states_NF=self.states_NF[:, places])

    def take(self, rows: Sequence[int] | npt.NDArray[np.intp]) -> LabelMatrix:
        """The studies at these places, in this order."""
        places = np.asarray(rows, dtype=np.intp)
        ids = tuple(self.ids[place] for place in places) if self.ids else ()
        return replace(self, ids=ids, states_NF=self.states_NF[places])

    def translated(self, vocabulary: Vocabulary) -> LabelMatrix:
        """The columns that `vocabulary` has too, by name or alias, under its names and in its order."""
        same, places = _counterparts(self, vocabulary)
        return replace(self, vocabulary=vocabulary, findings=same, states_NF=self.states_NF[:, places])

    def binary(self, policy: str = "uncertain-to-zero") -> npt.NDArray[np.int8]:
        """0, 1 or LEFT_OUT for each cell under a policy of `core.vocabulary.BINARY_POLICIES`, int8 [N, F]."""
        if policy not in BINARY_POLICIES:
            raise UnknownNameError("policy", policy, BINARY_POLICIES)
        codes = np.full(len(State) + 1, LEFT_OUT, dtype=np.int8)  # the last one is that of LEFT_OUT
        for state, code in BINARY_POLICIES[policy].items():
            codes[state] = LEFT_OUT if code is None else code
        return codes[self.states_NF]

    def with_parents(self) -> LabelMatrix:
        """The same with every ancestor of a positive finding positive, where it has that column."""
        states = self.states_NF.copy()
        for place, finding in enumerate(self.findings):
            for parent in self.vocabulary.ancestors(finding):
                if parent in self.findings:
                    rows = self.states_NF[:, place] == State.POSITIVE
                    states[rows, self.findings.index(parent)] = State.POSITIVE
        return replace(self, states_NF=states)


@dataclass(frozen=True, eq=False)
class ProbabilityMatrix:
    """Probabilities of the state POSITIVE of N studies by F findings from one source, float64 in [0, 1]."""

    source: str
    vocabulary: Vocabulary
    findings: tuple[str, ...]
    ids: tuple[str, ...]
    values_NF: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.values_NF)

    def column(self, finding: str) -> npt.NDArray[np.float64]:
        """Probabilities of one finding, float64 [N]. Raises UnknownNameError when it has none."""
        return self.values_NF[:, _place(self, finding)]

    def translated(self, vocabulary: Vocabulary) -> ProbabilityMatrix:
        """The columns that `vocabulary` has too, by name or alias, under its names and in its order."""
        same, places = _counterparts(self, vocabulary)
        return replace(self, vocabulary=vocabulary, findings=same, values_NF=self.values_NF[:, places])

    def take(self, rows: Sequence[int] | npt.NDArray[np.intp]) -> ProbabilityMatrix:
        """The studies at these places, in this order."""
        places = np.asarray(rows, dtype=np.intp)
        ids = tuple(self.ids[place] for place in places) if self.ids else ()
        return replace(self, ids=ids, values_NF=self.values_NF[places])


def _place(matrix: LabelMatrix | ProbabilityMatrix, finding: str) -> int:
    if finding not in matrix.findings:
        raise UnknownNameError(f"finding in {matrix.source}:", finding, matrix.findings)
    return matrix.findings.index(finding)


def _counterparts(
    matrix: LabelMatrix | ProbabilityMatrix, vocabulary: Vocabulary
) -> tuple[tuple[str, ...], list[int]]:
    """Names in `vocabulary` of the columns that it has, and the places of these columns."""
    if vocabulary == matrix.vocabulary:
        return matrix.findings, list(range(len(matrix.findings)))
    same = {
        name: own
        for name, own in vocabulary.counterparts(matrix.vocabulary).items()
        if own in matrix.findings
    }
    return tuple(same), [matrix.findings.index(own) for own in same.values()]
