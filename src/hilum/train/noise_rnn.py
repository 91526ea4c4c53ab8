"""Learning a language model from noise by likelihood (Liu et al. 2019, baselines): images are not looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from hilum.core.rng import rng_for
from hilum.train.generating import GeneratingTask, Tell
from hilum.train.image_data import Places
from hilum.train.loop import Evaluation


@dataclass(frozen=True, eq=False)
class ShownNothing:
    """In the place of images: their number alone, [B, 0]. See `train._generator_sides.Shown`."""

    def plan(self, batches: Sequence[Places], *, names: Sequence[str | int]) -> None:
        """See `Shown`."""

    def take(self, rows: Places) -> torch.Tensor:
        """See `Shown`."""
        return torch.empty(len(rows), 0)

    def dev(self, rows: Places) -> torch.Tensor:
        """See `Shown`."""
        return torch.empty(len(rows), 0)


@dataclass(frozen=True, eq=False)
class NoiseTask(GeneratingTask):
    """The likelihood of words and of the end. In training, noise is drawn from the step; in scoring, always alike."""

    def evaluate(self, model: Any, device: torch.device, tell: Tell) -> Evaluation:
        """See `train.loop.Task`."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(noise_seed(self.seed, "dev"))
            return super().evaluate(model, device, tell)


def noise_seed(seed: int, *names: str) -> int:
    """The seed of torch for the noise of a set of reports."""
    return int(rng_for(seed, "noise", *names).integers(2**62))
