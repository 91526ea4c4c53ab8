"""What a training of a report labeler is: every choice that decides its weights, and where it is written."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hilum.core.errors import InputError
from hilum.core.vocabulary import BINARY_POLICIES, SHIPPED
from hilum.train._checks import check_known, check_least, check_positive, check_shares, deciding_of

HEADS: Mapping[str, str] = MappingProxyType(
    {
        "states": "blank, positive, negative or uncertain; blank or positive for the finding that means none",
        "presence": "positive or not",
        "probability": "one probability of positive",
    }
)
"""What the heads of a model tell apart."""

SCHEDULES = ("constant", "linear")
PRECISIONS = ("no", "bf16", "fp16")
DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class Architecture:
    """A BERT from scratch with a WordPiece vocabulary made from the reports that it is trained on."""

    layers: int
    hidden: int
    attention_heads: int
    intermediate: int
    pieces: int


@dataclass(frozen=True)
class LabelerTraining:
    """One training, resolved: nothing is worked out later but the device, and threads when they are None.

    `labels` are of any labeler and `expert_labels` of a smaller set that training goes on with (the two steps of
    CheXbert); `soft_labels` are probabilities instead (VisualCheXbert). Rows are joined with `reports` by key, or
    row by row when one file holds both. `pretrained` is a folder or hub id of a BERT-like encoder, `checkpoint`
    a folder of an earlier model to go on from; without both, `architecture` is made from scratch.
    `batch_size` is rows per step, over all devices; `parts` cuts a batch into as many passes to save memory.
    `expert_learning_rate`, where given, is that of the second step.
    """

    recipe: str
    output: Path
    reports: Path
    labels: Path | None = None
    expert_labels: Path | None = None
    expert_reports: Path | None = None
    soft_labels: Path | None = None
    vocabulary: str = "chexpert14"
    findings: tuple[str, ...] = ()
    heads: str = "states"
    policy: str = "uncertain-to-zero"
    section: str = "both"
    column: str | None = None
    key: str | None = None
    group: str | None = None
    pretrained: str | None = None
    checkpoint: Path | None = None
    architecture: Architecture | None = None
    max_tokens: int = 512
    window_tokens: int | None = None
    epochs: int = 8
    expert_epochs: int = 20
    batch_size: int = 18
    parts: int = 1
    bucketed: bool = False
    learning_rate: float = 2e-5
    expert_learning_rate: float | None = None
    schedule: str = "constant"
    warmup: float = 0.0
    weight_decay: float = 0.0
    clip_norm: float | None = None
    dropout: float = 0.1
    dev_share: float = 0.15
    patience: int = 3
    paraphrase: str | None = None
    precision: str = "no"
    seed: int = 0
    device: str = "auto"
    threads: int | None = None
    save_every: int = 500

    def __post_init__(self) -> None:
        _check_inputs(self)
        _check_names(self)
        _check_numbers(self)

    @property
    def soft(self) -> bool:
        """Whether it is trained on probabilities."""
        return self.soft_labels is not None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values of all choices."""
        return dict(json.loads(json.dumps(asdict(self), default=str)))

    def deciding(self) -> dict[str, Any]:
        """The choices that decide the weights: all but where it is written, device, threads and how often it saves.

        Files are given by name alone; their content is compared by checksum.
        """
        return deciding_of(self.to_json(), left_out=_NOT_DECIDING, files=_FILES)


_FILES = ("reports", "labels", "expert_labels", "expert_reports", "soft_labels", "pretrained")
_NOT_DECIDING = ("output", "device", "threads", "save_every", "checkpoint")


def _check_inputs(config: LabelerTraining) -> None:
    if (config.labels is None) == (config.soft_labels is None):
        raise InputError(
            "Training needs labels (--labels FILE: 1, 0, -1, blank) or probabilities of an image model "
            "(--soft-labels FILE: 0 to 1), and not both."
        )
    if config.soft and config.expert_labels is not None:
        raise InputError("Expert labels are a second step after --labels; with --soft-labels there is none.")
    if config.expert_reports is not None and config.expert_labels is None:
        raise InputError("There are expert reports and no expert labels. Next step: --expert-labels FILE.")
    if (config.heads == "probability") != config.soft:
        wanted = "probability heads" if config.soft else "heads of states or presence"
        kind = "Probabilities" if config.soft else "Labels"
        raise InputError(
            f"{kind} train {wanted}, and recipe {config.recipe!r} has heads {config.heads!r}. "
            "Next step: --recipe visualchexbert with --soft-labels, chexbert or mini with --labels."
        )
    given = [config.pretrained is not None, config.checkpoint is not None, config.architecture is not None]
    if sum(given) != 1:
        raise InputError(
            f"Recipe {config.recipe!r} needs one of: a pretrained encoder (--init DIR or hub id), or a model of hilum "
            "to go on from (--from DIR)" + (", and not both." if sum(given) > 1 else ".")
        )


def _check_names(config: LabelerTraining) -> None:
    allowed: list[tuple[str, str, Collection[str]]] = [
        ("vocabulary", config.vocabulary, SHIPPED),
        ("kind of heads", config.heads, HEADS),
        ("policy", config.policy, BINARY_POLICIES),
        ("schedule", config.schedule, SCHEDULES),
        ("precision", config.precision, PRECISIONS),
        ("device", config.device, DEVICES),
    ]
    check_known(allowed)
    for finding in config.findings:
        SHIPPED[config.vocabulary].index(finding)


def _check_numbers(config: LabelerTraining) -> None:
    check_least(config, (
        ("epochs", 1), ("expert_epochs", 1), ("batch_size", 1), ("parts", 1), ("patience", 1),
        ("save_every", 1), ("max_tokens", 8), ("threads", 1),
    ))  # fmt: skip
    check_shares(config, (("dev_share", 1e-9), ("dropout", 0.0), ("warmup", 0.0)))
    check_positive(config, ("learning_rate", "expert_learning_rate", "clip_norm"))
