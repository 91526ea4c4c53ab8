"""Recipes of report labelers: what the papers did, and the small model that trains in minutes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hilum.core.errors import UnknownNameError
from hilum.train.config import Architecture, LabelerTraining

MINI_ARCHITECTURE = Architecture(layers=4, hidden=192, attention_heads=6, intermediate=768, pieces=4000)
"""About 2.6 million parameters, 10.6 MB as float32."""


def chexbert(output: Path, reports: Path, **choices: Any) -> LabelerTraining:
    """CheXbert: labels of any labeler first, then a smaller set of experts (Smit et al. 2020, sections 3.2 and 4).

    Adam, learning rate 2e-5, batches of 18 shuffled reports, 85/15 split, dropout 0.1 before the heads, impressions,
    the checkpoint of the best dev weighted F1. Needs `pretrained` or `checkpoint`. Unlike the public program, the
    dev set is scored once an epoch, no text stands on both sides of the split, the starting point of the second
    step is a candidate too, and training ends when `patience` epochs brought nothing.
    """
    return LabelerTraining(
        recipe="chexbert", output=output, reports=reports, **{"section": "impression", **choices}
    )


def visualchexbert(output: Path, reports: Path, **choices: Any) -> LabelerTraining:
    """VisualCheXbert: probabilities of an image model as targets (Jain et al. 2021, section 4.6).

    As `chexbert`, with heads of one logit, and the checkpoint of the least dev cross-entropy.
    """
    return LabelerTraining(
        recipe="visualchexbert",
        output=output,
        reports=reports,
        **{"heads": "probability", "section": "impression", **choices},
    )


def mini(output: Path, reports: Path, **choices: Any) -> LabelerTraining:
    """A small BERT from scratch with a vocabulary of its own, for minutes on a CPU. It is not CheXbert.

    Batches of 32 reports of similar length, learning rate 5e-4 (1e-4 in the second step) up and down in straight
    lines, at most 256 tokens.
    """
    own: dict[str, Any] = {
        "max_tokens": 256,
        "epochs": 12,
        "expert_epochs": 12,
        "batch_size": 32,
        "bucketed": True,
        "learning_rate": 5e-4,
        "expert_learning_rate": 1e-4,
        "schedule": "linear",
        "warmup": 0.1,
        "clip_norm": 1.0,
        "patience": 4,
    }
    if choices.get("pretrained") is None and choices.get("checkpoint") is None:
        own["architecture"] = MINI_ARCHITECTURE
    return LabelerTraining(recipe="mini", output=output, reports=reports, **{**own, **choices})


RECIPES: Mapping[str, Callable[..., LabelerTraining]] = MappingProxyType(
    {"chexbert": chexbert, "visualchexbert": visualchexbert, "mini": mini}
)
"""Name -> function of (output, reports, **choices)."""


def recipe(name: str) -> Callable[..., LabelerTraining]:
    """The recipe of that name. Raises UnknownNameError when there is none."""
    if name not in RECIPES:
        raise UnknownNameError("recipe", name, RECIPES)
    return RECIPES[name]
