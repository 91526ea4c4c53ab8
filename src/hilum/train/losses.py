"""Losses of a report labeler, head by head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

IGNORED = -100
"""A target that is not counted."""


def head_losses(logits_BC: Any, targets_BF: Any, *, classes: Sequence[int]) -> Any:
    """The loss of each head summed over the batch, float32 [F].

    `classes` are the sizes of the heads in the order of the columns of `logits_BC`. A head of 2 classes or more has
    cross-entropy against class ids (int64, IGNORED is not counted); a head of one logit has cross-entropy against
    the probability of positive (float32; Jain et al. 2021, VisualCheXbert, section 4.6.1). No weights of classes
    and no smoothing, as in both papers. Reference: torch.nn.CrossEntropyLoss, torch.nn.BCEWithLogitsLoss.
    """
    import torch  # noqa: PLC0415  (an extra)
    from torch.nn import functional  # noqa: PLC0415

    losses = []
    for place, part_BC in enumerate(torch.split(logits_BC.float(), list(classes), dim=-1)):
        target_B = targets_BF[:, place]
        if part_BC.shape[-1] == 1:
            loss = functional.binary_cross_entropy_with_logits(
                part_BC[:, 0], target_B.to(part_BC.dtype), reduction="sum"
            )
        else:
            loss = functional.cross_entropy(part_BC, target_B.long(), ignore_index=IGNORED, reduction="sum")
        losses.append(loss)
    return torch.stack(losses)
