"""What a training of a report generator is: every choice that decides its weights, and where it is written."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hilum.core.errors import InputError
from hilum.images.transforms import AUGMENTATIONS, FITS, NORMALISATIONS
from hilum.models.classifier_spec import DENSENET121
from hilum.train._checks import check_known, check_least, check_positive, check_shares, deciding_of
from hilum.train.classifier_config import VIEWS
from hilum.train.config import DEVICES, PRECISIONS, SCHEDULES

LIKELIHOOD, REINFORCE = "likelihood", "reinforce"
STAGES: Mapping[str, str] = MappingProxyType(
    {
        LIKELIHOOD: "teacher forcing: cross-entropy of words, binary cross-entropy of stop signals",
        REINFORCE: "REINFORCE: reports are sampled, and the reward says which become more likely",
    }
)
"""The two stages of training, in their order."""

REWARDS: Mapping[str, str] = MappingProxyType(
    {
        "overlap": "likeness of words (CIDEr), less that of the greedy report",
        "findings": "agreement of the labeler's findings, less a moving average for each",
        "mix": "both: overlap + weight * findings",
    }
)
"""What reports are rewarded for in the second stage."""

CHOICES: Mapping[str, str] = MappingProxyType(
    {
        "loss": "least cross-entropy of words and stop signals",
        "cider": "best CIDEr-D of greedy reports",
        "reward": "best mean reward of greedy reports",
    }
)
"""What the kept checkpoint is chosen by, on the dev set."""

SECTIONS: Mapping[str, str] = MappingProxyType(
    {"findings": "the findings section of the report", "whole": "the whole report"}
)
"""Which text is learned."""


@dataclass(frozen=True)
class GeneratorTraining:
    """One training, resolved: nothing is worked out later but the device, and threads when they are None.

    Input is `data`, a data set as NAME:ROOT[:SPLIT][@PART/PARTS] (NAME alone for one that is made on the way, with
    `data_options`), or `images`, a table with path, report and maybe patient in each row. The rows for choosing are
    those of `dev_data` or `dev_images`, else `dev_share` of the rows, by patient; at most `dev_most` are scored.
    `init`: a generator to go on from; vocabulary and sizes are its own. `classifier`: a folder of an image classifier
    whose DenseNet starts the image encoder; architecture, size, fit and normalisation are its own. With
    `freeze_encoder` the convolutions stay as they are, and their maps are worked out once.
    `weight` is that of the findings in the reward "mix" (the paper's value is not known here), `decay` that of the
    moving averages, `beta_uncertain` the chance that an uncertain finding is there, `judge` a labeler of hilum, and
    `judge_weights` the folder of its weights where it has some.
    `likelihood_weight` mixes the loss of the first stage into the second; the paper has none. `temperature` divides the
    logits of words where reports are drawn in the second stage, and in their log-probability too: what is improved is
    the model as it writes at that temperature. `batch_size` is images
    per step, over all devices; `epoch_steps` ends an epoch after so many steps. `most_unknown`: share of words that
    a vocabulary may lack before the run is refused.
    """

    recipe: str
    output: Path
    data: str | None = None
    dev_data: str | None = None
    data_options: Mapping[str, Any] = field(default_factory=dict)
    images: Path | None = None
    dev_images: Path | None = None
    root: Path | None = None
    path_column: str | None = None
    report_column: str | None = None
    patient_column: str | None = None
    views: str = "frontal"
    section: str = "findings"
    stage: str = LIKELIHOOD
    init: Path | None = None
    classifier: Path | None = None
    freeze_encoder: bool = False
    architecture: Mapping[str, Any] = field(default_factory=lambda: DENSENET121)
    size_px: int = 224
    fit: str = "pad"
    normalisation: str = "imagenet"
    channels: int = 3
    augmentation: str = "none"
    width: int = 256
    hidden: int = 256
    least_count: int = 2
    most_sentences: int = 12
    most_words: int = 30
    most_unknown: float = 0.25
    reward: str = "mix"
    weight: float = 1.0
    beta_uncertain: float = 0.5
    decay: float = 0.95
    judge: str = "rules"
    judge_weights: Path | None = None
    likelihood_weight: float = 0.0
    temperature: float = 1.0
    choose_by: str | None = None
    dev_share: float = 0.1
    dev_most: int | None = None
    epochs: int = 20
    epoch_steps: int | None = None
    batch_size: int = 32
    parts: int = 1
    learning_rate: float = 1e-3
    schedule: str = "linear"
    warmup: float = 0.05
    weight_decay: float = 0.0
    clip_norm: float | None = 1.0
    patience: int = 5
    precision: str = "no"
    seed: int = 0
    device: str = "auto"
    threads: int | None = None
    workers: int | None = None
    save_every: int = 500
    cache: Path | None = None

    def __post_init__(self) -> None:
        _check_inputs(self)
        _check_names(self)
        _check_numbers(self)

    @property
    def chosen_by(self) -> str:
        """What the checkpoint is chosen by: a name of CHOICES."""
        return self.choose_by or ("loss" if self.stage == LIKELIHOOD else "reward")

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values of all choices."""
        found = {one.name: getattr(self, one.name) for one in fields(self)}
        plain = {k: dict(v) if isinstance(v, Mapping) else v for k, v in found.items()}
        return dict(json.loads(json.dumps(plain, default=str)))

    def deciding(self) -> dict[str, Any]:
        """The choices that decide the weights: all but where things are, device, threads and how often it saves.

        Files are given by name alone; their content is compared by checksum.
        """
        return deciding_of(self.to_json(), left_out=_NOT_DECIDING, files=_FILES)


_FILES = ("images", "dev_images", "judge_weights")
_NOT_DECIDING = (
    "output", "root", "data", "dev_data", "device", "threads", "workers", "save_every", "init", "classifier", "cache",
)  # fmt: skip


def _check_inputs(config: GeneratorTraining) -> None:
    if (config.data is None) == (config.images is None):
        raise InputError(
            "Images and reports come from one data set (--data NAME:ROOT) or one table (--images FILE), and not from "
            "both. Next step: name one of them."
        )
    if config.images is None and config.dev_images is not None:
        raise InputError("--dev-images goes with --images FILE. Next step: --dev-data NAME:ROOT.")
    if config.data is None and config.dev_data is not None:
        raise InputError("--dev-data goes with --data NAME:ROOT. Next step: --dev-images FILE.")
    if config.data is not None and config.dev_data == config.data:
        raise InputError(
            f"--data and --dev-data are both {config.data!r}, so the scores would be of reports that were learned. "
            "Next step: name another for --dev-data, or leave it out."
        )
    if config.init is not None and config.classifier is not None:
        raise InputError(
            "A generator (--init) has an image encoder; --classifier is for a new one. Name one."
        )
    if config.stage == REINFORCE and config.init is None:
        raise InputError(
            "The stage 'reinforce' goes on from a generator that was trained by likelihood. Next step: --init DIR, the "
            "model folder of such a run."
        )
    if config.freeze_encoder and config.init is None and config.classifier is None:
        raise InputError(
            "--freeze-encoder with an encoder that has learned nothing: the reports could not depend on the images. "
            "Next step: --classifier DIR or --init DIR."
        )
    if config.freeze_encoder and config.augmentation != "none":
        raise InputError(
            f"--freeze-encoder works out each image once, so it cannot be changed by --augment {config.augmentation}. "
            "Next step: --augment none."
        )


def _check_names(config: GeneratorTraining) -> None:
    check_known(
        [
            ("stage", config.stage, STAGES),
            ("reward", config.reward, REWARDS),
            ("way to choose the checkpoint", config.chosen_by, CHOICES),
            ("section", config.section, SECTIONS),
            ("choice of views", config.views, VIEWS),
            ("fit", config.fit, FITS),
            ("normalisation", config.normalisation, NORMALISATIONS),
            ("augmentation", config.augmentation, AUGMENTATIONS),
            ("schedule", config.schedule, SCHEDULES),
            ("precision", config.precision, PRECISIONS),
            ("device", config.device, DEVICES),
        ]
    )
    if config.stage == LIKELIHOOD and config.chosen_by == "reward":
        raise InputError("There is no reward in the stage 'likelihood'. Next step: choose by loss or cider.")


def _check_numbers(config: GeneratorTraining) -> None:
    check_least(config, (
        ("epochs", 1), ("epoch_steps", 1), ("batch_size", 1), ("parts", 1), ("patience", 1), ("save_every", 1),
        ("size_px", 32), ("width", 1), ("hidden", 1), ("least_count", 1), ("most_sentences", 1), ("most_words", 1),
        ("dev_most", 1), ("threads", 1), ("workers", 1),
    ))  # fmt: skip
    check_shares(config, (("dev_share", 1e-9), ("warmup", 0.0), ("decay", 0.0)))
    for name in ("beta_uncertain", "most_unknown"):
        if not 0 <= getattr(config, name) <= 1:
            raise InputError(f"{name} is {getattr(config, name)}; it must be from 0 to 1.")
    for name in ("weight", "likelihood_weight", "weight_decay"):
        if not 0 <= getattr(config, name) < math.inf:
            raise InputError(f"{name} is {getattr(config, name)}; it must be 0 or more.")
    check_positive(config, ("learning_rate", "clip_norm", "temperature"))
