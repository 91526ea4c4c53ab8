"""Training of report generators, by recipe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hilum.api._image_job import check_installed
from hilum.recipes.generator import RECIPES, recipe
from hilum.train.generator import GeneratorResult, GeneratorTraining, ReportSet
from hilum.train.generator import train_generator as run

if TYPE_CHECKING:
    from hilum.train.loop import Progress

__all__ = ["RECIPES", "GeneratorResult", "GeneratorTraining", "ReportSet", "train_generator"]

_PATHS = ("images", "dev_images", "root", "init", "classifier", "judge_weights", "cache")


def train_generator(
    name: str,
    output: str | Path,
    *,
    fresh: bool = False,
    progress: Callable[[Progress], None] = lambda _: None,
    tell: Callable[[str], None] = lambda _: None,
    **choices: Any,
) -> GeneratorResult:
    """Train a report generator by the recipe `name` into the folder `output`, or go on with a stopped run.

    `choices` are fields of `GeneratorTraining` that differ from the recipe; None leaves the recipe's. The model is in
    `output/model`. Raises InputError for inputs that cannot be learned from, OutputError and ResumeError for a folder
    that cannot be used, MissingExtraError without the extras `neural` and `images`.
    """
    check_installed()
    given = {k: Path(v) if k in _PATHS else v for k, v in choices.items() if v is not None}
    return run(recipe(name)(Path(output), **given), progress=progress, tell=tell, fresh=fresh)
