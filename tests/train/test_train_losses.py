from __future__ import annotations

import math

import pytest
import torch

from hilum.train.losses import IGNORED, head_losses

CLASSES = (4, 2, 1)


def test_each_head_has_its_own_cross_entropy() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(5, 7, generator=generator)
    targets = torch.tensor([[0, 1], [3, 0], [2, 1], [1, 1], [0, 0]])
    found = head_losses(logits[:, :6], targets, classes=(4, 2))
    first = torch.nn.CrossEntropyLoss(reduction="sum")(logits[:, :4], targets[:, 0])
    second = torch.nn.CrossEntropyLoss(reduction="sum")(logits[:, 4:6], targets[:, 1])
    torch.testing.assert_close(found, torch.stack([first, second]))


def test_a_head_of_one_logit_is_held_against_probabilities() -> None:
    logits = torch.tensor([[0.3], [-2.0], [5.0]])
    soft = torch.tensor([[0.2], [0.0], [1.0]])
    found = head_losses(logits, soft, classes=(1,))
    torch.testing.assert_close(found[0], torch.nn.BCEWithLogitsLoss(reduction="sum")(logits, soft))


def test_values_by_hand() -> None:
    logits = torch.tensor([[0.0, 0.0, 0.0, math.log(3.0), 0.0]])
    assert head_losses(logits[:, :4], torch.tensor([[3]]), classes=(4,))[0].item() == pytest.approx(
        math.log(2)
    )
    soft = head_losses(torch.tensor([[0.0]]), torch.tensor([[0.25]]), classes=(1,))
    assert soft[0].item() == pytest.approx(math.log(2))


def test_ignored_cells_cost_nothing_and_teach_nothing() -> None:
    logits = torch.zeros(2, 2, requires_grad=True)
    loss = head_losses(logits, torch.tensor([[IGNORED], [1]]), classes=(2,))
    loss.sum().backward()
    assert loss[0].item() == pytest.approx(math.log(2))
    assert logits.grad is not None
    assert logits.grad[0].tolist() == [0.0, 0.0]
    assert head_losses(logits, torch.full((2, 1), IGNORED), classes=(2,))[0].item() == 0.0


def test_half_precision_logits_are_summed_as_float32() -> None:
    logits = torch.randn(64, 4, generator=torch.Generator().manual_seed(1)).to(torch.bfloat16)
    targets = torch.arange(64).remainder(4)[:, None]
    found = head_losses(logits, targets, classes=(4,))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, head_losses(logits.float(), targets, classes=(4,)))
