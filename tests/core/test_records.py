from __future__ import annotations

from itertools import permutations

import pytest

from hilum.core.errors import UnknownNameError
from hilum.core.records import Evidence, Labels, RowStatus, propagate_parents, strongest
from hilum.core.vocabulary import CHEXPERT14, State

B, P, N, U = State.BLANK, State.POSITIVE, State.NEGATIVE, State.UNCERTAIN


def labels(**states: State) -> Labels:
    given = {name.replace("_", " "): state for name, state in states.items()}
    return Labels(CHEXPERT14, tuple(given.get(name, B) for name in CHEXPERT14.names))


@pytest.mark.parametrize(
    ("given", "winner"),
    [((P, U, N, B), P), ((U, N, B), U), ((N, B), N), ((B,), B), ((), B), ((N, N), N)],
)
def test_the_strongest_state_wins_in_any_order(given: tuple[State, ...], winner: State) -> None:
    assert {strongest(*order) for order in permutations(given)} == {winner}


@pytest.mark.parametrize(
    ("child", "parent", "after"),
    [
        (P, B, P), (P, N, P), (P, U, P), (P, P, P),
        (U, B, U), (U, N, U), (U, U, U), (U, P, P),
        (N, B, B), (N, N, N), (N, U, U), (N, P, P),
        (B, B, B), (B, N, N), (B, U, U), (B, P, P),
    ],
)  # fmt: skip
def test_parents_are_at_least_as_strong_as_affirmed_or_hedged_children(
    child: State, parent: State, after: State
) -> None:
    done = propagate_parents(labels(Cardiomegaly=child, Enlarged_Cardiomediastinum=parent))
    assert done["Enlarged Cardiomediastinum"] is after
    assert done["Cardiomegaly"] is child


def test_every_ancestor_is_reached_and_nothing_else() -> None:
    done = propagate_parents(labels(Pneumonia=U, Edema=P))
    assert {n: s for n, s in done.as_dict().items() if s} == {
        "Pneumonia": U,
        "Consolidation": U,
        "Lung Opacity": P,
        "Edema": P,
    }


def test_propagation_keeps_all_else_and_the_given_labels() -> None:
    given = Labels(CHEXPERT14, labels(Pneumonia=P).states, (), RowStatus.CUT, (0.5,) * 14)
    done = propagate_parents(given)
    assert (done.status, done.probabilities) == (RowStatus.CUT, (0.5,) * 14)
    assert given["Lung Opacity"] is B
    assert propagate_parents(done) == done


def test_labels_are_read_by_any_spelling() -> None:
    one = labels(Pleural_Effusion=N)
    assert one["effusion"] is N
    assert list(one.as_dict()) == list(CHEXPERT14.names)
    with pytest.raises(UnknownNameError, match="Did you mean 'Edema'"):
        one["Edemaa"]


def test_deciding_evidence_is_that_of_the_winning_state() -> None:
    def one(state: State, start: int) -> Evidence:
        return Evidence("Edema", state, start, start + 5, "e", "", -1, -1, 0, 40, "body")

    found = (one(N, 0), one(P, 10), one(P, 20))
    given = Labels(CHEXPERT14, labels(Edema=P).states, found)
    assert given.deciding("Edema") == found[1:]
    assert given.deciding("oedema") == found[1:]
    assert given.deciding("Fracture") == ()
