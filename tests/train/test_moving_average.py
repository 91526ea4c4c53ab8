"""The moving averages that findings are rewarded above: equation 2, part by part."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.core.errors import InputError
from hilum.train.moving_average import MovingAverage


def drawn(steps: int, parts: int, *, seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(5, parts, generator=generator, dtype=torch.float64) for _ in range(steps)]


def test_it_is_the_recurrence_of_the_paper() -> None:
    average = MovingAverage(2, decay=0.75)
    assert not average.is_started
    first, second = drawn(2, 2)
    average.start(first)
    assert average.is_started
    expected = first.mean(0)
    torch.testing.assert_close(average.average_T, expected, rtol=0, atol=1e-15)
    average.update(second)
    torch.testing.assert_close(average.average_T, 0.75 * expected + 0.25 * second.mean(0), rtol=0, atol=1e-15)


def test_what_is_subtracted_is_the_average_before_the_rewards_at_hand() -> None:
    average = MovingAverage(3, decay=0.5)
    first, second = drawn(2, 3)
    average.start(first)
    before = average.average_T.clone()
    torch.testing.assert_close(average.advantages(second), second - before, rtol=0, atol=0)
    average.update(second)
    assert not torch.equal(average.average_T, before)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.0, 0.999), st.integers(1, 8), st.integers(1, 13), st.integers(0, 99))
def test_averages_of_the_parts_add_up_to_the_average_of_the_sum(
    decay: float, steps: int, parts: int, seed: int
) -> None:
    each, total = MovingAverage(parts, decay=decay), MovingAverage(1, decay=decay)
    rewards = drawn(steps + 1, parts, seed=seed)
    each.start(rewards[0])
    total.start(rewards[0].sum(1, keepdim=True))
    for rewards_NT in rewards[1:]:
        sum_N1 = rewards_NT.sum(1, keepdim=True)
        torch.testing.assert_close(
            each.advantages(rewards_NT).sum(1), total.advantages(sum_N1)[:, 0], rtol=0, atol=1e-12
        )
        each.update(rewards_NT)
        total.update(sum_N1)
    torch.testing.assert_close(each.average_T.sum(), total.average_T[0], rtol=0, atol=1e-12)


def test_it_is_saved_and_loaded_with_the_weights() -> None:
    average = MovingAverage(4, decay=0.9)
    average.start(drawn(1, 4)[0])
    other = MovingAverage(4, decay=0.9)
    other.load_state_dict(average.state_dict())
    assert other.is_started
    assert torch.equal(other.average_T, average.average_T)
    assert other.average_T.dtype == torch.float64
    assert not list(other.parameters())


@pytest.mark.parametrize("decay", [-0.1, 1.0, float("nan")])
def test_a_decay_that_is_none_is_refused(decay: float) -> None:
    with pytest.raises(InputError, match="decay"):
        MovingAverage(1, decay=decay)
