"""Recipes of report generators: the sizes of the paper's method on a GPU, and a small model for minutes on a CPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hilum.core.errors import UnknownNameError
from hilum.models.classifier_spec import SMALL_DENSENET
from hilum.train.generator_config import REINFORCE, GeneratorTraining


def paper(output: Path, **choices: Any) -> GeneratorTraining:
    """The method of Liu et al. 2019, Clinically Accurate Chest X-Ray Report Generation, at real size, for a GPU.

    The paper's: DenseNet-121 as encoder, image features as wide as word embeddings, sentence and word LSTM with a
    visual sentinel, likelihood first and REINFORCE after it, CIDEr less that of the greedy report, the labeler's
    reward with a chance of 0.5 for uncertain findings less a moving average for each label. Ours, because its
    appendix is not known here: 320 px, width 512, hidden 512, words from 5 occurrences, 12 sentences of 40 words,
    Adam 5e-4 and then 1e-5, batches of 64, the weight 1 of the clinical reward and the decay 0.99: log and sweep them.
    """
    own: dict[str, Any] = {
        "size_px": 320, "width": 512, "hidden": 512, "least_count": 5, "most_sentences": 12, "most_words": 40,
        "batch_size": 64, "learning_rate": 5e-4, "epochs": 30, "patience": 5, "precision": "no", "decay": 0.99,
    }  # fmt: skip
    return _made("paper", output, own, {"learning_rate": 1e-5, "epochs": 5}, choices)


def small(output: Path, **choices: Any) -> GeneratorTraining:
    """A small DenseNet on one grey channel at 96 px and small LSTMs, for minutes on a CPU; all sizes are ours.

    Reports of the second stage are drawn at temperature 0.4, and the learning rate goes down in a straight line: at 1
    the greedy reports of so small a model got no better (LOG.md).
    """
    own: dict[str, Any] = {
        "size_px": 96, "channels": 1, "normalisation": "minus-one-to-one", "width": 128, "hidden": 192,
        "architecture": SMALL_DENSENET, "least_count": 2, "most_sentences": 12, "most_words": 28, "batch_size": 32,
        "learning_rate": 2e-3, "epochs": 20, "patience": 20, "decay": 0.95,
    }  # fmt: skip
    second = {"learning_rate": 1e-4, "epochs": 4, "temperature": 0.4, "schedule": "linear", "warmup": 0.1}
    return _made("small", output, own, second, choices)


def _made(
    name: str, output: Path, own: Mapping[str, Any], second: Mapping[str, Any], choices: Mapping[str, Any]
) -> GeneratorTraining:
    """The training of a recipe; `second` has what the second stage does otherwise, by default at a constant rate."""
    values = dict(own)
    if choices.get("stage") == REINFORCE:
        values |= {"schedule": "constant", "warmup": 0.0, **second}
    return GeneratorTraining(recipe=name, output=output, **{**values, **choices})


RECIPES: Mapping[str, Callable[..., GeneratorTraining]] = MappingProxyType({"small": small, "paper": paper})
"""Name -> function of (output, **choices)."""


def recipe(name: str) -> Callable[..., GeneratorTraining]:
    """The recipe of that name. Raises UnknownNameError when there is none."""
    if name not in RECIPES:
        raise UnknownNameError("recipe", name, RECIPES)
    return RECIPES[name]
