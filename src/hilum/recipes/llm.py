"""Recipes of language models that label reports: what the paper did, and the small model that trains on a CPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hilum.core.errors import UnknownNameError
from hilum.train.llm_config import LlmTraining, SmallModel

SMALL = SmallModel(
    layers=4, hidden=192, attention_heads=4, key_heads=2, intermediate=512, pieces=2000, context=1024
)
"""About 2 million parameters."""

ARCHITECTURES: Mapping[str, SmallModel] = MappingProxyType({"small": SMALL})

PAPER_PARAMETERS = 463_987_712
"""The paper's count, which is that of Qwen1.5-0.5B."""

PAPER_MODEL: Mapping[str, Any] = MappingProxyType(
    {
        "vocab_size": 151_936, "hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16,
        "num_key_value_heads": 16, "intermediate_size": 2816, "tie_word_embeddings": True,
    }
)  # fmt: skip
"""What decides the number of parameters of Qwen1.5-0.5B, as a Qwen2 configuration."""


def paper(output: Path, reports: Path, **choices: Any) -> LlmTraining:
    """The LLM labeler: instruction tuning of Qwen1.5-0.5B with TRL (LLM labeler paper, Training Details).

    Batch 2, accumulation 2, learning rate 1e-4 down in a straight line (the default of the trainer that the paper
    names), 5 epochs, Adam without weight decay, the weights of the last epoch. On the paper's 4 GPUs a step has
    2 x 2 x 4 = 16 reports; with fewer, raise `accumulation` to keep 16. Needs `model`, a folder or hub id. Unlike
    the paper, which says nothing of it, 5% of the reports are put aside and scored after each epoch.
    """
    own: dict[str, Any] = {
        "epochs": 5, "batch_size": 2, "accumulation": 2, "learning_rate": 1e-4, "schedule": "linear",
        "batches": "shuffled", "keep": "last",
    }  # fmt: skip
    return LlmTraining(recipe="paper", output=output, reports=reports, **{"labels": None, **own, **choices})


def mini(output: Path, reports: Path, **choices: Any) -> LlmTraining:
    """A small Qwen2 from scratch with a vocabulary of its own, for an hour on a CPU. It is no Qwen.

    Batches of 32 reports of similar length, Muon with learning rate 3e-3 (AdamW, where it is chosen: 1.5e-3), up and
    down in straight lines, the epoch with the best dev weighted F1, each finding right behind the prompt, as the
    labeler asks it.
    """
    rate = 1.5e-3 if choices.get("optimizer") == "adamw" else 3e-3
    own: dict[str, Any] = {
        "epochs": 8, "batch_size": 32, "accumulation": 1, "optimizer": "muon", "learning_rate": rate,
        "schedule": "linear", "warmup": 0.05, "weight_decay": 0.01, "batches": "by-length", "answers": "alone",
        "keep": "best",
    }  # fmt: skip
    if choices.get("model") is None:
        own["architecture"] = SMALL
    return LlmTraining(recipe="mini", output=output, reports=reports, **{"labels": None, **own, **choices})


RECIPES: Mapping[str, Callable[..., LlmTraining]] = MappingProxyType({"paper": paper, "mini": mini})
"""Name -> function of (output, reports, **choices)."""


def recipe(name: str) -> Callable[..., LlmTraining]:
    """The recipe of that name. Raises UnknownNameError when there is none."""
    if name not in RECIPES:
        raise UnknownNameError("recipe", name, RECIPES)
    return RECIPES[name]
