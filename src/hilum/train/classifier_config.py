"""What a training of an image classifier is: every choice that decides its weights, and where it is written."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hilum.core.errors import InputError
from hilum.core.vocabulary import SHIPPED
from hilum.images.transforms import AUGMENTATIONS, FITS, NORMALISATIONS
from hilum.models.classifier_spec import DENSENET121
from hilum.train._checks import check_known, check_least, check_positive, check_shares, deciding_of
from hilum.train.config import DEVICES, PRECISIONS, SCHEDULES

UNCERTAIN: Mapping[str, str] = MappingProxyType(
    {
        "ignore": "uncertain labels are not counted (U-Ignore)",
        "zeros": "uncertain is negative (U-Zeros)",
        "ones": "uncertain is positive (U-Ones)",
        "multiclass": "uncertain is a class of its own; probability is positive against negative (U-MultiClass)",
        "self-training": "a first model that ignores them, then its probabilities in their place (U-SelfTrained)",
    }
)
"""What uncertain labels are, as in Irvin et al. 2019 (CheXpert), section 3.2."""

BLANKS: Mapping[str, str] = MappingProxyType(
    {
        "negative": "what a label file does not mention is negative, as in CheXpert",
        "ignore": "what a label file does not mention is not counted",
    }
)
"""What blank labels are."""

CLASS_WEIGHTS: Mapping[str, str] = MappingProxyType(
    {
        "none": "every label counts as one",
        "balanced": "the classes of a finding count alike in all: n / (classes x n of the class)",
        "root": "the square root of balanced, for rare findings",
    }
)
"""How labels of rare classes are weighed, finding by finding."""

VIEWS: Mapping[str, str] = MappingProxyType(
    {"frontal": "all but those known to be lateral", "all": "every image of a study"}
)
"""Which images are learned from."""


@dataclass(frozen=True)
class ClassifierTraining:
    """One training, resolved: nothing is worked out later but the device, and threads when they are None.

    Input is one of: `data`, the name of a data set below `root` with `data_options`, of which `source` names the
    labels; `images`, a table with a path and labels in each row; or images that are handed to `train_classifier`.
    `labels` is a label file that takes the place of the labels there, joined by key. Patients (`patient_column` of
    a table) stay on one side of the split. The rows for choosing are `dev_split` of the data set, the table
    `dev_images`, or `dev_share` of the rows.
    `architecture`: sizes of a DenseNet, or the id or folder of a backbone of transformers. `pretrained`: weights to
    start from with a new head, as `models.classifier.new_classifier` takes them; `checkpoint`: a folder of a
    classifier of hilum to go on from, whose findings, size, fit and normalisation are kept.
    `average`: decay of the moving average of the weights, 0 for none. `batch_size` is images per step, over all
    devices; `parts` cuts a batch into as many passes to save memory. `cache` is a folder for decoded images that
    several runs share; without it they are kept in the output until the run is finished.
    """

    recipe: str
    output: Path
    data: str | None = None
    root: Path | None = None
    data_options: Mapping[str, Any] = field(default_factory=dict)
    source: str | None = None
    split: str | None = None
    dev_split: str | None = None
    images: Path | None = None
    dev_images: Path | None = None
    labels: Path | None = None
    path_column: str | None = None
    patient_column: str | None = None
    key: str | None = None
    vocabulary: str | None = None
    findings: tuple[str, ...] = ()
    views: str = "frontal"
    uncertain: str = "ignore"
    blank: str = "negative"
    class_weights: str = "none"
    architecture: Mapping[str, Any] | str = field(default_factory=lambda: DENSENET121)
    pretrained: str | None = None
    checkpoint: Path | None = None
    size_px: int = 320
    fit: str = "pad"
    normalisation: str = "imagenet"
    channels: int = 3
    augmentation: str = "light"
    epochs: int = 3
    batch_size: int = 16
    parts: int = 1
    learning_rate: float = 1e-4
    schedule: str = "constant"
    warmup: float = 0.0
    weight_decay: float = 0.0
    clip_norm: float | None = None
    average: float = 0.0
    dev_share: float = 0.15
    patience: int = 3
    replicates: int = 1000
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

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values of all choices."""
        return dict(json.loads(json.dumps(_plain(self), default=str)))

    def deciding(self) -> dict[str, Any]:
        """The choices that decide the weights: all but where things are, device, threads and how often it saves.

        Files are given by name alone; their content is compared by checksum.
        """
        return deciding_of(self.to_json(), left_out=_NOT_DECIDING, files=_FILES)


def _plain(config: ClassifierTraining) -> dict[str, Any]:
    found = {one.name: getattr(config, one.name) for one in fields(config)}
    return {k: dict(v) if isinstance(v, Mapping) else v for k, v in found.items()}


_FILES = ("images", "dev_images", "labels", "pretrained")
_NOT_DECIDING = ("output", "root", "device", "threads", "workers", "save_every", "checkpoint", "cache")


def _check_inputs(config: ClassifierTraining) -> None:
    if config.data is not None and config.images is not None:
        raise InputError(
            "Images come from a data set (--data NAME) or from a table (--images FILE), not both."
        )
    if config.data is None and (config.dev_split or config.split or config.source):
        raise InputError(
            "A split and a source of labels belong to a data set. Next step: --data NAME --root DIR."
        )
    if config.images is None and config.dev_images is not None:
        raise InputError("--dev-images goes with --images FILE. Next step: name both, or --dev-share.")
    if config.dev_split is not None and config.dev_split == config.split:
        raise InputError(
            f"The split {config.split!r} is for learning and for choosing the checkpoint, so the scores would be of "
            "images that were learned. Next step: name two, or leave --dev-split out."
        )
    if config.pretrained is not None and config.checkpoint is not None:
        raise InputError("A training starts from a checkpoint (--init) or a classifier (--from), not both.")


def _check_names(config: ClassifierTraining) -> None:
    allowed: list[tuple[str, str, Collection[str]]] = [
        ("way with uncertain labels", config.uncertain, UNCERTAIN),
        ("way with blank labels", config.blank, BLANKS),
        ("class weights", config.class_weights, CLASS_WEIGHTS),
        ("choice of views", config.views, VIEWS),
        ("fit", config.fit, FITS),
        ("normalisation", config.normalisation, NORMALISATIONS),
        ("augmentation", config.augmentation, AUGMENTATIONS),
        ("schedule", config.schedule, SCHEDULES),
        ("precision", config.precision, PRECISIONS),
        ("device", config.device, DEVICES),
    ]
    if config.vocabulary is not None:
        allowed.append(("vocabulary", config.vocabulary, SHIPPED))
    check_known(allowed)


def _check_numbers(config: ClassifierTraining) -> None:
    check_least(config, (
        ("epochs", 1), ("batch_size", 2), ("parts", 1), ("patience", 1), ("save_every", 1), ("size_px", 32),
        ("threads", 1), ("workers", 1), ("replicates", 1),
    ))  # fmt: skip
    check_shares(config, (("dev_share", 1e-9), ("warmup", 0.0), ("average", 0.0)))
    if not 0 <= config.weight_decay < math.inf:
        raise InputError(f"weight_decay is {config.weight_decay}; it must be 0 or more.")
    check_positive(config, ("learning_rate", "clip_norm"))
