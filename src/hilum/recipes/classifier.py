"""Recipes of image classifiers: what the papers did, and the small model that trains in minutes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hilum.core.errors import UnknownNameError
from hilum.models.classifier_spec import SMALL_DENSENET
from hilum.train.classifier_config import ClassifierTraining


def chexpert(output: Path, **choices: Any) -> ClassifierTraining:
    """The classifier of CheXpert: DenseNet-121, 320 px, Adam 1e-4, batches of 16, 3 epochs (Irvin et al. 2019, 4.1).

    Uncertain labels are ignored unless `uncertain` says otherwise. Unlike the paper, the dev set is scored once an
    epoch and one checkpoint is kept, not an ensemble of thirty; images are augmented lightly. ImageNet's weights, as
    in the paper, are given with `pretrained`.
    """
    return ClassifierTraining(recipe="chexpert", output=output, **choices)


def chexnet(output: Path, **choices: Any) -> ClassifierTraining:
    """The classifier of CheXNet: DenseNet-121, 224 px, class weights, horizontal flips (Rajpurkar et al. 2017, 2).

    Flips put the heart on the wrong side; they are here because the paper has them. Unlike the paper, the learning
    rate goes down in a straight line.
    """
    own: dict[str, Any] = {
        "size_px": 224, "class_weights": "balanced", "augmentation": "chexnet-like", "learning_rate": 1e-3,
        "schedule": "linear", "epochs": 20, "fit": "squash",
    }  # fmt: skip
    return ClassifierTraining(recipe="chexnet", output=output, **{**own, **choices})


def mini(output: Path, **choices: Any) -> ClassifierTraining:
    """A small DenseNet from scratch on one grey channel at 128 px, for minutes on a CPU. It is not DenseNet-121.

    Batches of 32, learning rate up and down in straight lines, a moving average of the weights.
    """
    own: dict[str, Any] = {
        "size_px": 128, "channels": 1, "normalisation": "minus-one-to-one", "epochs": 8, "batch_size": 32,
        "learning_rate": 1e-3, "schedule": "linear", "warmup": 0.1, "average": 0.995, "patience": 8,
    }  # fmt: skip
    if choices.get("checkpoint") is None:
        own["architecture"] = SMALL_DENSENET
    return ClassifierTraining(recipe="mini", output=output, **{**own, **choices})


RECIPES: Mapping[str, Callable[..., ClassifierTraining]] = MappingProxyType(
    {"chexpert": chexpert, "chexnet": chexnet, "mini": mini}
)
"""Name -> function of (output, **choices)."""


def recipe(name: str) -> Callable[..., ClassifierTraining]:
    """The recipe of that name. Raises UnknownNameError when there is none."""
    if name not in RECIPES:
        raise UnknownNameError("recipe", name, RECIPES)
    return RECIPES[name]
