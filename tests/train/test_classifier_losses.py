"""Targets, masks and weights of image classifiers, against PyTorch's own losses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from hilum.core.matrix import LEFT_OUT
from hilum.core.vocabulary import State
from hilum.train.averaging import follow
from hilum.train.classifier_losses import (
    class_weights,
    finding_losses,
    outputs_of,
    relabeled,
    targets_of,
    truth_of,
)

STATES = np.array(
    [[State.POSITIVE, State.NEGATIVE], [State.UNCERTAIN, State.BLANK], [LEFT_OUT, State.UNCERTAIN]],
    dtype=np.int8,
)
NAN = float("nan")


@pytest.mark.parametrize(
    ("uncertain", "blank", "expected"),
    [
        ("ignore", "negative", [[1, 0], [NAN, 0], [NAN, NAN]]),
        ("self-training", "negative", [[1, 0], [NAN, 0], [NAN, NAN]]),
        ("zeros", "negative", [[1, 0], [0, 0], [NAN, 0]]),
        ("ones", "ignore", [[1, 0], [1, NAN], [NAN, 1]]),
        ("multiclass", "negative", [[1, 0], [2, 0], [NAN, 2]]),
    ],
)
def test_targets_by_policy(uncertain: str, blank: str, expected: list[list[float]]) -> None:
    np.testing.assert_array_equal(targets_of(STATES, uncertain=uncertain, blank=blank), expected)
    assert outputs_of(uncertain) == ("three" if uncertain == "multiclass" else "binary")


def test_truth_leaves_uncertain_and_unknown_out() -> None:
    assert truth_of(STATES, blank="negative").tolist() == [[1, 0], [LEFT_OUT, 0], [LEFT_OUT, LEFT_OUT]]
    assert truth_of(STATES, blank="ignore").tolist() == [[1, 0], [LEFT_OUT, LEFT_OUT], [LEFT_OUT, LEFT_OUT]]


def test_probabilities_take_the_place_of_uncertain_labels_alone() -> None:
    targets = targets_of(STATES, uncertain="self-training", blank="negative")
    found = relabeled(targets, STATES, np.full((3, 2), 0.25))
    np.testing.assert_array_equal(found, np.array([[1, 0], [0.25, 0], [NAN, 0.25]], dtype=np.float32))


def test_one_logit_is_masked_cross_entropy() -> None:
    torch.manual_seed(0)
    logits = torch.randn(6, 3, requires_grad=True)
    targets = torch.tensor([[1, 0, NAN], [0, 0.3, 1], [NAN, NAN, NAN], [1, 1, 0], [0, NAN, 0], [1, 0, 0]])
    found = finding_losses(logits, targets, classes=1)
    for f in range(3):
        known = ~torch.isnan(targets[:, f])
        wanted = functional.binary_cross_entropy_with_logits(
            logits[known, f], targets[known, f], reduction="sum"
        )
        torch.testing.assert_close(found[f], wanted)
    found.sum().backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert logits.grad[2].abs().sum() == 0


def test_weights_of_one_logit_are_those_of_pos_weight() -> None:
    logits = torch.tensor([[0.3], [-1.0], [2.0]])
    targets = torch.tensor([[1.0], [0.0], [0.0]])
    found = finding_losses(logits, targets, classes=1, weights_FK=torch.tensor([[1.0, 4.0]]))
    wanted = functional.binary_cross_entropy_with_logits(
        logits, targets, pos_weight=torch.tensor(4.0), reduction="sum"
    )
    torch.testing.assert_close(found[0], wanted)


def test_three_logits_are_masked_cross_entropy_of_classes() -> None:
    torch.manual_seed(0)
    logits = torch.randn(4, 6, requires_grad=True)
    targets = torch.tensor([[0, 2], [1, NAN], [NAN, 1], [2, 0]])
    found = finding_losses(logits, targets, classes=3)
    for f in range(2):
        known = ~torch.isnan(targets[:, f])
        wanted = functional.cross_entropy(
            logits[known, 3 * f : 3 * f + 3], targets[known, f].long(), reduction="sum"
        )
        torch.testing.assert_close(found[f], wanted)
    assert finding_losses(logits, torch.full((4, 2), NAN), classes=3).tolist() == [0, 0]


def test_balanced_classes_count_alike() -> None:
    targets = np.array([[1, 2], [0, 0], [0, 0], [0, np.nan], [np.nan, 1]], dtype=np.float32)
    weights = class_weights(targets, classes=1, how="balanced")
    assert weights is not None
    np.testing.assert_allclose(weights[0], [4 / (2 * 3), 4 / (2 * 1)])
    three = class_weights(targets, classes=3, how="balanced")
    assert three is not None
    np.testing.assert_allclose(three[1], [4 / (3 * 2), 4 / 3, 4 / 3])
    root = class_weights(targets, classes=3, how="root")
    assert root is not None
    np.testing.assert_allclose(root, np.sqrt(three), rtol=1e-6)
    assert class_weights(targets, classes=1, how="none") is None
    none_of_one = class_weights(np.zeros((3, 1), np.float32), classes=1, how="balanced")
    assert none_of_one is not None
    assert none_of_one.tolist() == [[1, 1]]


def test_an_average_follows_the_weights() -> None:
    model, average = torch.nn.BatchNorm1d(2), torch.nn.BatchNorm1d(2)
    with torch.no_grad():
        model.weight.fill_(3.0)
    model(torch.randn(4, 2))
    follow(average, model, decay=0.9, step=0)
    assert average.weight.tolist() == pytest.approx([1 + 2 * 0.9] * 2)  # (1 + 0) / (10 + 0) of the old
    assert average.num_batches_tracked == 1
    follow(average, model, decay=0.5, step=1000)
    assert average.weight.tolist() == pytest.approx([2.9] * 2)
