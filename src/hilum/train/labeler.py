"""Training a report labeler: reports and labels in, the folder of a report encoder out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hilum.core.errors import MissingExtraError
from hilum.core.results import ResultTable
from hilum.train.config import LabelerTraining

if TYPE_CHECKING:
    from hilum.train.loop import Progress

__all__ = ["LabelerTraining", "StepResult", "TrainingResult", "train_labeler"]


@dataclass(frozen=True)
class StepResult:
    """What came out of one step: rows on each side, and the score of the best epoch (0: before the first)."""

    name: str
    train_rows: int
    dev_rows: int
    epochs: int
    best_epoch: int
    best: float
    metric: str


@dataclass(frozen=True)
class TrainingResult:
    """A finished training, or one that was stopped (`finished` is False) and can go on.

    `model` is the folder of the encoder, for `hilum label --weights`; `table` has the dev scores per finding of
    the last step, of the checkpoint that was kept. `resumed_at` is the step at which an earlier run went on, 0 for
    none, and `trained_steps` the number of steps in all.
    """

    folder: Path
    model: Path
    finished: bool
    steps: tuple[StepResult, ...]
    notes: tuple[str, ...]
    table: ResultTable | None
    seconds: float
    trained_steps: int
    resumed_at: int = 0


def train_labeler(
    config: LabelerTraining,
    *,
    progress: Callable[[Progress], None] = lambda _: None,
    tell: Callable[[str], None] = lambda _: None,
    fresh: bool = False,
) -> TrainingResult:
    """Train a report labeler into `config.output`, or go on with a run that was stopped there.

    Two runs of one configuration give the same bytes on a CPU with the same libraries and number of threads,
    stopped and resumed or not. `progress` gets every step, `tell` what is done in words; `fresh` forgets an
    earlier run in the folder. Sources: Smit et al. 2020 (CheXbert), section 4; Jain et al. 2021 (VisualCheXbert),
    section 4.6.

    Raises InputError for inputs that cannot be learned from, OutputError and ResumeError for the folder.
    """
    try:
        import accelerate  # noqa: F401, PLC0415
        import safetensors  # noqa: F401, PLC0415
        import tensorboard  # type: ignore[import-untyped]  # noqa: F401, PLC0415
        import torch  # noqa: F401, PLC0415
        import transformers  # noqa: F401, PLC0415
    except ImportError as error:
        raise MissingExtraError(error.name or "torch", "neural") from error
    from hilum.train._run import run  # noqa: PLC0415

    return run(config, progress=progress, tell=tell, fresh=fresh)
