"""The clinically coherent reward: do two reports agree on which diseases are there?

Liu et al. 2019, "Clinically Accurate Chest X-Ray Report Generation", equation 1: a labeler's state of a label says
how likely the disease is, p(+|state), and two reports earn, for each label, the chance that two independent draws
from their states agree. Axes: N pairs of reports, T labels.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError
from hilum.core.vocabulary import State

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Belief:
    """p(+|state): how likely a disease is when a report calls it positive, negative, uncertain, or not at all.

    The values are those of the paper (section 3.3): a rare disease is taken as absent unless it is affirmed,
    and `uncertain` is its beta_u. Raises InputError for a value outside 0 to 1.
    """

    positive: float = 1.0
    negative: float = 0.0
    absent: float = 0.0
    uncertain: float = 0.5

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value <= 1:
                raise InputError(
                    f"The belief in a disease that is called {name} is a probability; got {value}. Next step: 0 to 1."
                )

    def of_states(self) -> Floats:
        """p(+|state) by the code of the state, float64 [4]."""
        chances = np.empty(len(State))
        for state, chance in zip(
            (State.POSITIVE, State.NEGATIVE, State.BLANK, State.UNCERTAIN), astuple(self), strict=True
        ):
            chances[state] = chance
        return chances

    def table(self) -> Floats:
        """The reward of each pair of states, float64 [4, 4]; symmetric, in [0, 1]."""
        chances = self.of_states()
        return np.outer(chances, chances) + np.outer(1 - chances, 1 - chances)


PAPER = Belief()
"""Positive 1, negative and absent 0, uncertain 0.5."""


def coherence(
    truth_NT: npt.NDArray[np.integer], said_NT: npt.NDArray[np.integer], *, belief: Belief = PAPER
) -> Floats:
    """The reward of each label, float64 [N, T] in [0, 1]; the reward of a pair is the sum over its labels.

    Equation 1: p(+|truth) p(+|said) + p(-|truth) p(-|said), with p(-) = 1 - p(+). With the paper's belief, agreeing
    on positive, and negative or absent on both sides, earn 1; positive against negative or absent 0; and uncertain
    0.5 whatever the other says, so that being unsure is never lost and never won. Both are `State` codes.
    Raises InputError for arrays of different shapes and for codes that are no state.
    """
    truth, said = np.asarray(truth_NT), np.asarray(said_NT)
    if truth.shape != said.shape or truth.ndim != 2:
        raise InputError(
            f"States of references {truth.shape} and of candidates {said.shape} must both be [reports, labels]."
        )
    for name, states in (("references", truth), ("candidates", said)):
        if states.size and not 0 <= states.min() <= states.max() < len(State):
            raise InputError(
                f"The states of {name} go from {states.min()} to {states.max()}; codes of states go from 0 to "
                f"{len(State) - 1} (core.vocabulary.State)."
            )
    return np.asarray(belief.table()[truth, said], dtype=np.float64)


def coherence_limits(truth_NT: npt.NDArray[np.integer], *, belief: Belief = PAPER) -> tuple[Floats, Floats]:
    """The least and the most that any candidate could earn for each label of these references, each [N, T]."""
    table = belief.table()
    truth = np.asarray(truth_NT)
    return table.min(axis=1)[truth], table.max(axis=1)[truth]
