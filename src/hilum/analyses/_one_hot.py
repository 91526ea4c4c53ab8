"""Report labels as the 0/1 columns that the regressions of VisualCheXbert take (sections 4.3.2 and 4.5.2)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hilum.core.vocabulary import State

ENCODED = (State.POSITIVE, State.NEGATIVE, State.UNCERTAIN)
"""The states that get a column; a blank label is 0 in all three, as in the paper."""


def column_name(finding: str, state: State) -> str:
    """The name of a column, such as "Edema positive"."""
    return f"{finding} {state.name.lower()}"


def one_hot(
    states_NF: npt.NDArray[np.int8], findings: Sequence[str], states: Sequence[State] = ENCODED
) -> tuple[npt.NDArray[np.float64], tuple[str, ...]]:
    """0/1 columns float64 [N, K], K = F times the number of `states`, and their names, finding by finding."""
    codes = np.array([int(state) for state in states], dtype=np.int8)
    columns_NFS = states_NF[:, :, None] == codes
    names = tuple(column_name(finding, state) for finding in findings for state in states)
    return columns_NFS.reshape(len(states_NF), len(names)).astype(np.float64), names
