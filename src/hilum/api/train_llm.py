"""Training of language models that label reports, by recipe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hilum.core.errors import InputError, UnknownNameError
from hilum.recipes.llm import ARCHITECTURES, RECIPES, recipe
from hilum.train.llm import LlmResult, LlmTraining, write_instructions
from hilum.train.llm import train_llm as run
from hilum.train.llm_config import LlmProgress, Lora

__all__ = ["RECIPES", "LlmProgress", "LlmResult", "LlmTraining", "train_llm", "write_llm_instructions"]


def train_llm(
    name: str,
    output: str | Path,
    *,
    reports: str | Path,
    fresh: bool = False,
    progress: Callable[[LlmProgress], None] = lambda _: None,
    tell: Callable[[str], None] = lambda _: None,
    **choices: Any,
) -> LlmResult:
    """Train a language model by the recipe `name` into the folder `output`, or go on with a stopped run.

    `choices` are fields of `LlmTraining` that differ from the recipe; None leaves the recipe's. `architecture` may
    be a name ("small"), `lora` True. Returns what came out; the model is in `output/model`. Raises InputError for
    inputs that cannot be learned from, OutputError and ResumeError for a folder that cannot be used,
    MissingExtraError without the extra `llm`.
    """
    config = resolved(name, output, reports=reports, **choices)
    return run(config, progress=progress, tell=tell, fresh=fresh)


def write_llm_instructions(
    name: str,
    path: str | Path,
    *,
    reports: str | Path,
    tell: Callable[[str], None] = lambda _: None,
    **choices: Any,
) -> int:
    """Write what `train_llm` would learn from as JSON lines for other trainers; the number of rows."""
    config = resolved(name, Path(path).with_suffix(".run"), reports=reports, **{"model": "none", **choices})
    return write_instructions(config, Path(path), tell=tell)


def resolved(name: str, output: str | Path, *, reports: str | Path, **choices: Any) -> LlmTraining:
    """The configuration of a training, all choices made."""
    given = {key: value for key, value in choices.items() if value is not None}
    if "labels" in given:
        given["labels"] = Path(given["labels"])
    if isinstance(given.get("architecture"), str):
        if given["architecture"] not in ARCHITECTURES:
            raise UnknownNameError("architecture", given["architecture"], ARCHITECTURES)
        given["architecture"] = ARCHITECTURES[given["architecture"]]
    given["lora"] = Lora() if given.get("lora") is True else given.get("lora") or None
    for key in ("reports", "labels"):
        path = reports if key == "reports" else given.get("labels")
        if path is not None and not Path(path).exists():
            raise InputError(f"There is no file {path}. Next step: check --{key}.")
    return recipe(name)(Path(output), Path(reports), **given)
