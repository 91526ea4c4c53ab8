"""A second model whose weights are the moving average of those of a first."""

from __future__ import annotations

import torch


def follow(average: torch.nn.Module, model: torch.nn.Module, *, decay: float, step: int) -> None:
    """Move the weights of `average` towards those of `model`: an exponential moving average, in place.

    Step 0 and those after it move faster: the factor is min(decay, (1 + step) / (10 + step)), as in
    tf.train.ExponentialMovingAverage. Running means and variances are averaged too; whole numbers are copied.
    """
    factor = min(decay, (1 + step) / (10 + step))
    with torch.no_grad():
        now = model.state_dict()
        for name, kept in average.state_dict().items():
            if kept.is_floating_point():
                kept.lerp_(now[name].to(kept.dtype), 1 - factor)
            else:
                kept.copy_(now[name])
