"""The baseline of a reward of several parts: an exponential moving average for each part (equation 2 of the paper)."""

from __future__ import annotations

import torch

from hilum.core.errors import InputError


class MovingAverage(torch.nn.Module):
    """An exponential moving average r of each of T parts of a reward: r <- decay * r + (1 - decay) * (new mean).

    Source: equation 2 of Liu et al. 2019, Clinically Accurate Chest X-Ray Report Generation. `advantages` subtracts
    the average as it was before the rewards at hand: a baseline that does not depend on them leaves the expected
    gradient as it is. With one decay, the averages of the parts add up to the average of their sum, so keeping them
    apart changes what can be logged and not what is learned. Values are float64 buffers, so they are saved and
    loaded with the weights.
    """

    average_T: torch.Tensor
    started: torch.Tensor

    def __init__(self, parts: int, *, decay: float) -> None:
        super().__init__()
        if not 0 <= decay < 1:
            raise InputError(f"The decay of the moving average is {decay}; allowed: 0 up to, and without, 1.")
        self.decay = decay
        self.register_buffer("average_T", torch.zeros(parts, dtype=torch.float64))
        self.register_buffer("started", torch.zeros((), dtype=torch.bool))

    @property
    def is_started(self) -> bool:
        """Whether `start` or `update` was called."""
        return bool(self.started)

    def start(self, rewards_NT: torch.Tensor) -> None:
        """Begin with the mean of these rewards, which must not be those of the samples that are learned from.

        The paper does not say where the averages begin; a run begins them with reports drawn apart
        for its first batch.
        """
        self.average_T.copy_(_mean(rewards_NT))
        self.started.fill_(True)

    def advantages(self, rewards_NT: torch.Tensor) -> torch.Tensor:
        """Rewards less the average so far, float64 [N, T]."""
        found: torch.Tensor = rewards_NT.to(self.average_T) - self.average_T
        return found

    def update(self, rewards_NT: torch.Tensor) -> None:
        """Move the average towards the mean of these rewards [N, T]."""
        self.average_T.mul_(self.decay).add_(_mean(rewards_NT).to(self.average_T), alpha=1 - self.decay)
        self.started.fill_(True)


def _mean(rewards_NT: torch.Tensor) -> torch.Tensor:
    return rewards_NT.detach().to(torch.float64).mean(dim=0)
