"""Targets and masked losses of an image classifier, finding by finding."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from hilum.core.matrix import LEFT_OUT
from hilum.core.vocabulary import State
from hilum.models.classifier_spec import (
    BINARY,
    NEGATIVE_OUTPUT,
    POSITIVE_OUTPUT,
    THREE,
    UNCERTAIN_OUTPUT,
)
from hilum.train.losses import IGNORED

Targets = npt.NDArray[np.float32]
"""float32 [N, F]: the probability of positive, or the class of three; NaN where nothing is known."""

_UNCERTAIN_AS = {"zeros": 0.0, "ones": 1.0, "multiclass": float(UNCERTAIN_OUTPUT)}
_BLANK_AS = {"negative": 0.0, "ignore": np.nan}
_MOST_WEIGHT = 1e4


def outputs_of(uncertain: str) -> str:
    """The kind of outputs that a way with uncertain labels needs."""
    return THREE if uncertain == "multiclass" else BINARY


def targets_of(states_NF: npt.NDArray[np.int8], *, uncertain: str, blank: str) -> Targets:
    """Targets of states; `uncertain` and `blank` as in `ClassifierTraining`. Self-training begins as "ignore"."""
    targets = np.full(states_NF.shape, np.nan, dtype=np.float32)
    targets[states_NF == State.POSITIVE] = POSITIVE_OUTPUT
    targets[states_NF == State.NEGATIVE] = NEGATIVE_OUTPUT
    targets[states_NF == State.BLANK] = _BLANK_AS[blank]
    targets[states_NF == State.UNCERTAIN] = _UNCERTAIN_AS.get(uncertain, np.nan)
    return targets


def truth_of(states_NF: npt.NDArray[np.int8], *, blank: str) -> npt.NDArray[np.int8]:
    """What scores are worked out on, int8 [N, F]: 1, 0, or LEFT_OUT where uncertain, unknown, or blank and ignored."""
    targets = targets_of(states_NF, uncertain="ignore", blank=blank)
    return np.where(np.isnan(targets), LEFT_OUT, targets).astype(np.int8)


def relabeled(
    targets_NF: Targets, states_NF: npt.NDArray[np.int8], probabilities_NF: npt.ArrayLike
) -> Targets:
    """Targets with probabilities in the place of uncertain labels (U-SelfTrained, Irvin et al. 2019, section 3.2.4)."""
    return np.where(states_NF == State.UNCERTAIN, probabilities_NF, targets_NF).astype(np.float32)


def class_weights(targets_NF: Targets, *, classes: int, how: str) -> npt.NDArray[np.float32] | None:
    """Weights of the classes of each finding, float32 [F, K]; None for "none".

    "balanced": n / (K n_k) with n_k the labels of a class, K those that occur; "root" is its square root. A class
    that does not occur weighs 1. With balanced weights the classes of a finding count alike in all.
    """
    if how == "none":
        return None
    width = max(classes, 2)
    weights_FK = np.ones((targets_NF.shape[1], width), dtype=np.float64)
    for f, column in enumerate(targets_NF.T.astype(np.float64)):
        known = column[~np.isnan(column)]
        counts = (
            np.bincount(known.astype(np.intp), minlength=width).astype(np.float64)
            if classes > 1
            else np.array([(1 - known).sum(), known.sum()])
        )
        there = counts > 0
        weights_FK[f, there] = np.minimum(counts.sum() / (there.sum() * counts[there]), _MOST_WEIGHT)
    return np.asarray(np.sqrt(weights_FK) if how == "root" else weights_FK, dtype=np.float32)


def finding_losses(logits_BC: Any, targets_BF: Any, *, classes: int, weights_FK: Any = None) -> Any:
    """The loss of each finding summed over the batch, float32 [F]; what is NaN in the targets does not count.

    One logit: cross-entropy against the probability of positive. Three: cross-entropy against the class. `weights_FK`
    are those of `class_weights`. References: torch.nn.BCEWithLogitsLoss, torch.nn.CrossEntropyLoss.
    """
    logits_BC = logits_BC.float()
    known_BF = ~torch.isnan(targets_BF)
    if classes == 1:
        target_BF = torch.where(known_BF, targets_BF, 0.0)
        negative_F, positive_F = (1.0, 1.0) if weights_FK is None else (weights_FK[:, 0], weights_FK[:, 1])
        losses_BF = positive_F * target_BF * functional.softplus(-logits_BC)
        losses_BF = losses_BF + negative_F * (1 - target_BF) * functional.softplus(logits_BC)
        return torch.where(known_BF, losses_BF, 0.0).sum(dim=0)
    logits_BFK = logits_BC.unflatten(1, (targets_BF.shape[1], classes))
    target_BF = torch.where(known_BF, targets_BF, float(IGNORED)).long()
    return torch.stack(
        [
            functional.cross_entropy(
                logits_BFK[:, f],
                target_BF[:, f],
                weight=None if weights_FK is None else weights_FK[f],
                ignore_index=IGNORED,
                reduction="sum",
            )
            for f in range(targets_BF.shape[1])
        ]
    )
