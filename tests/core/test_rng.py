"""Draws depend on seed and names alone: the same in any order and in any process."""

from __future__ import annotations

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from hilum.core.rng import rng_for


def draw(seed: int, *names: str | int) -> list[int]:
    return [int(n) for n in rng_for(seed, *names).integers(1 << 30, size=3)]


def test_equal_names_give_equal_draws_whatever_was_drawn_before() -> None:
    first = draw(0, "bootstrap", "Edema")
    rng_for(0, "other").random(1000)
    assert draw(0, "bootstrap", "Edema") == first
    code = "from hilum.core.rng import rng_for; print(*rng_for(0, 'bootstrap', 'Edema').integers(1 << 30, size=3))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [int(n) for n in done.stdout.split()] == first


def test_other_names_seeds_types_and_joints_give_other_draws() -> None:
    others = [draw(0, "a", "b"), draw(1, "a", "b"), draw(0, "ab"), draw(0, "a", "b", ""), draw(0, "b", "a")]
    others += [draw(0, 1), draw(0, "1"), draw(0)]
    assert len({tuple(one) for one in others}) == len(others)


@given(st.integers(), st.lists(st.text() | st.integers(), max_size=3))
def test_any_seed_and_names_are_taken(seed: int, names: list[str | int]) -> None:
    assert draw(seed, *names) == draw(seed, *names)


def test_draws_never_change_between_versions() -> None:
    assert draw(0, "bootstrap", "Edema") == [171567286, 692223872, 656445109]
