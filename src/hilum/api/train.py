"""Training of report labelers, by recipe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hilum.recipes.labeler import RECIPES, recipe
from hilum.train.labeler import LabelerTraining, StepResult, TrainingResult
from hilum.train.labeler import train_labeler as run

if TYPE_CHECKING:
    from hilum.train.loop import Progress

__all__ = ["RECIPES", "LabelerTraining", "StepResult", "TrainingResult", "train_labeler"]


def train_labeler(
    name: str,
    output: str | Path,
    *,
    reports: str | Path,
    fresh: bool = False,
    progress: Callable[[Progress], None] = lambda _: None,
    tell: Callable[[str], None] = lambda _: None,
    **choices: Any,
) -> TrainingResult:
    """Train a report labeler by the recipe `name` into the folder `output`, or go on with a stopped run.

    `choices` are fields of `LabelerTraining` that differ from the recipe; None leaves the recipe's. Returns what
    came out; the model is in `output/model`. Raises InputError for inputs that cannot be learned from,
    OutputError and ResumeError for a folder that cannot be used, MissingExtraError without the extra `neural`.
    """
    paths = ("labels", "expert_labels", "expert_reports", "soft_labels", "checkpoint")
    given = {
        key: Path(value) if key in paths else value for key, value in choices.items() if value is not None
    }
    config = recipe(name)(Path(output), Path(reports), **given)
    return run(config, progress=progress, tell=tell, fresh=fresh)
