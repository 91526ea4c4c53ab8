"""Training an image classifier: images and labels in, the folder of a classifier out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from hilum.core.errors import MissingExtraError
from hilum.core.results import ResultTable
from hilum.train.classifier_config import ClassifierTraining
from hilum.train.image_set import ImageSet
from hilum.train.labeler import StepResult

if TYPE_CHECKING:
    from hilum.train.loop import Progress

__all__ = ["ClassifierResult", "ClassifierTraining", "DevScores", "ImageSet", "Speed", "train_classifier"]


@dataclass(frozen=True, eq=False)
class DevScores:
    """The images that the checkpoint was chosen by: truth int8 [N, F] (1, 0, LEFT_OUT), log odds float64 [N, F].

    The log odds are not calibrated; `temperatures` are those of the model, one per finding.
    """

    findings: tuple[str, ...]
    ids: tuple[str, ...]
    patients: tuple[str, ...]
    truth_NF: npt.NDArray[np.int8]
    log_odds_NF: npt.NDArray[np.float64]
    temperatures: tuple[float, ...]

    @property
    def groups(self) -> tuple[str, ...]:
        """Who each image is of; an image whose patient is not known is its own."""
        pairs = zip(self.patients, self.ids, strict=True)
        return tuple(f"patient {patient}" if patient else f"image {one}" for patient, one in pairs)


@dataclass(frozen=True)
class Speed:
    """Images learned in a second, and the share of the training steps' time that was spent waiting for images."""

    images_per_second: float
    waiting_share: float


@dataclass(frozen=True)
class ClassifierResult:
    """A finished training, or one that was stopped (`finished` is False) and can go on.

    `model` is the folder of the classifier, for `hilum predict --weights`; `tables` has AUROC and average precision
    per finding of the checkpoint that was kept, with intervals by patient, and its calibration. `left_out` counts
    images that could not be used. `resumed_at` is the step at which an earlier run went on, 0 for none.
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
    speed: Speed | None = None
    dev: DevScores | None = None


def train_classifier(
    config: ClassifierTraining,
    *,
    images: ImageSet | None = None,
    dev: ImageSet | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
    tell: Callable[[str], None] = lambda _: None,
    fresh: bool = False,
) -> ClassifierResult:
    """Train an image classifier into `config.output`, or go on with a run that was stopped there.

    `images` and `dev` take the place of the table or data set of `config`. Two runs of one configuration give the
    same bytes on a CPU with the same libraries and number of threads, stopped and resumed or not. `progress` gets
    every step, `tell` what is done in words; `fresh` forgets an earlier run in the folder. Sources: Irvin et al.
    2019 (CheXpert), sections 3.2 and 4; Rajpurkar et al. 2017 (CheXNet), section 2.

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
    from hilum.train._classifier_run import run  # noqa: PLC0415

    return run(config, images, dev, progress=progress, tell=tell, fresh=fresh)
