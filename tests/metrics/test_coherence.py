from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.core.errors import InputError
from hilum.core.vocabulary import State
from hilum.metrics.coherence import Belief, coherence, coherence_limits

P, N, U, A = State.POSITIVE, State.NEGATIVE, State.UNCERTAIN, State.BLANK

PINNED = {
    (P, P): 1.0, (N, N): 1.0, (A, A): 1.0, (N, A): 1.0, (P, N): 0.0, (P, A): 0.0,
    (U, U): 0.5, (P, U): 0.5, (N, U): 0.5, (A, U): 0.5,
}  # fmt: skip


@pytest.mark.parametrize(("pair", "reward"), PINNED.items())
def test_every_pair_of_states_earns_what_equation_1_says(pair: tuple[State, State], reward: float) -> None:
    for truth, said in (pair, pair[::-1]):
        assert coherence(np.array([[truth]]), np.array([[said]])).tolist() == [[reward]]


def test_the_sum_over_labels_is_equation_1_written_out() -> None:
    belief = Belief(positive=0.9, negative=0.02, absent=0.1, uncertain=0.4)
    chance = {P: 0.9, N: 0.02, A: 0.1, U: 0.4}
    states = list(itertools.product(State, repeat=2))
    truth = np.array([[a for a, _ in states]])
    said = np.array([[b for _, b in states]])
    wanted = [
        sum(pa * pb for pa, pb in ((chance[a], chance[b]), (1 - chance[a], 1 - chance[b]))) for a, b in states
    ]
    earned = coherence(truth, said, belief=belief)
    np.testing.assert_allclose(earned[0], wanted, atol=1e-15)
    assert earned.sum() == pytest.approx(sum(wanted))


state_rows = st.lists(st.lists(st.sampled_from(list(State)), min_size=3, max_size=3), min_size=1, max_size=6)
chances = st.builds(Belief, *[st.floats(0, 1)] * 4)


@given(state_rows, state_rows, chances)
def test_it_is_symmetric_and_within_the_limits_of_each_reference(
    truth: list[list[State]], said: list[list[State]], belief: Belief
) -> None:
    size = min(len(truth), len(said))
    a, b = np.array(truth[:size]), np.array(said[:size])
    earned = coherence(a, b, belief=belief)
    np.testing.assert_array_equal(earned, coherence(b, a, belief=belief))
    least, most = coherence_limits(a, belief=belief)
    assert (least <= earned).all()
    assert (earned <= most).all()
    assert (least >= 0).all()
    assert (most <= 1 + 1e-12).all()


def test_bad_arrays_and_beliefs_are_refused() -> None:
    with pytest.raises(InputError, match=r"\(1, 2\).*\(2, 2\)"):
        coherence(np.zeros((1, 2), int), np.zeros((2, 2), int))
    with pytest.raises(InputError, match="candidates go from 0 to 4"):
        coherence(np.zeros((1, 2), int), np.array([[0, 4]]))
    with pytest.raises(InputError, match="references go from -1"):
        coherence(np.array([[-1, 0]]), np.zeros((1, 2), int))
    with pytest.raises(InputError, match=r"uncertain is a probability; got 1\.5"):
        Belief(uncertain=1.5)
