"""Training a report generator: images and reports in, the folder of a generator out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hilum.core.errors import MissingExtraError
from hilum.core.results import ResultTable
from hilum.train.generator_config import GeneratorTraining
from hilum.train.generator_data import ReportSet
from hilum.train.labeler import StepResult

if TYPE_CHECKING:
    from hilum.train.loop import Progress

__all__ = ["GeneratorResult", "GeneratorSpeed", "GeneratorTraining", "ReportSet", "train_generator"]


@dataclass(frozen=True)
class GeneratorSpeed:
    """Steps of training in a second, and the share of their time in which rewards were worked out (0 without)."""

    steps_per_second: float
    reward_share: float


@dataclass(frozen=True)
class GeneratorResult:
    """A finished training, or one that was stopped (`finished` is False) and can go on.

    `model` is the folder of the generator. `tables` have rewards and likeness on the dev set of the kept model, beside
    those of empty and template reports; `examples` are (id, report, generated) of the first dev images. `left_out`
    counts images that could not be used; `resumed_at` is the step at which an earlier run went on, 0 for none.
    """

    folder: Path
    model: Path
    finished: bool
    steps: tuple[StepResult, ...]
    notes: tuple[str, ...]
    tables: tuple[ResultTable, ...]
    seconds: float
    trained_steps: int
    resumed_at: int = 0
    left_out: int = 0
    speed: GeneratorSpeed | None = None
    examples: tuple[tuple[str, str, str], ...] = ()


def train_generator(
    config: GeneratorTraining,
    *,
    learned: ReportSet | None = None,
    dev: ReportSet | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
    tell: Callable[[str], None] = lambda _: None,
    fresh: bool = False,
) -> GeneratorResult:
    """Train a report generator into `config.output`, or go on with a run that was stopped there.

    `learned` and `dev` take the place of the data of `config`. Two runs of one configuration give the same bytes on
    a CPU with the same libraries and number of threads, stopped and resumed or not. `progress` gets every step,
    `tell` what is done in words; `fresh` forgets an earlier run in the folder. Source: Liu et al. 2019, Clinically
    Accurate Chest X-Ray Report Generation, section 3.

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
    from hilum.train._generator_run import run  # noqa: PLC0415

    return run(config, learned, dev, progress=progress, tell=tell, fresh=fresh)
