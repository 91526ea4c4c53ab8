"""What a training of a language model is: every choice that decides its weights, and where it is written."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from hilum.core.errors import InputError
from hilum.text.sections import SECTION_CHOICES
from hilum.train._checks import check_known, check_least, check_positive, check_shares, deciding_of

SCHEDULES = ("constant", "linear", "cosine")
PRECISIONS = ("auto", "no", "bf16", "fp16")
DEVICES = ("auto", "cpu", "cuda")
BATCHES = ("by-length", "shuffled", "packed")
"""Reports of similar length together; of any length; several in one row without padding, apart by their positions."""

ANSWERS = ("in-turn", "alone")
"""Findings of a row one after the other, in an order drawn per row; or each right behind the prompt, apart."""

OPTIMIZERS = ("adamw", "muon")
"""Muon is for the matrices of hidden layers; the rest learns by AdamW beside it (`train.muon`)."""

KEEP = ("last", "best")
"""Weights after the last epoch, or after the one with the best dev score."""


@dataclass(frozen=True)
class SmallModel:
    """A Qwen2 from scratch with a byte-level vocabulary made from the reports that it is trained on."""

    layers: int
    hidden: int
    attention_heads: int
    key_heads: int
    intermediate: int
    pieces: int
    context: int


@dataclass(frozen=True)
class Lora:
    """Low-rank adaptation (Hu et al. 2021) of all linear layers but the last: `rank`, `alpha`, dropout in front."""

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0


@dataclass(frozen=True)
class LlmTraining:
    """One training, resolved: nothing is worked out later but device, precision "auto", context and threads.

    `labels` are of any labeler, joined with `reports` by key, or row by row when one file holds both. `model` is a
    folder or hub id of an instruction-tuned model, also of an earlier training; without it, `architecture` is made
    from scratch. `vocabulary` and `prompt` are shipped names or TOML files. `batch_size` is rows per device and
    pass, `accumulation` passes per step. `warmup` is a share of all steps. `max_tokens` None is the context of the
    model. `dev_rows` of the dev side, at most, drawn by the seed, are scored after each epoch. `merge` adds a LoRA
    adapter to the weights at the end.
    """

    recipe: str
    output: Path
    reports: Path
    labels: Path | None
    model: str | None = None
    architecture: SmallModel | None = None
    lora: Lora | None = None
    merge: bool = False
    prompt: str = "brief"
    vocabulary: str = "chexpert14"
    section: str = "both"
    column: str | None = None
    key: str | None = None
    group: str | None = None
    max_tokens: int | None = None
    batches: str = "by-length"
    answers: str = "in-turn"
    epochs: int = 5
    batch_size: int = 2
    accumulation: int = 2
    optimizer: str = "adamw"
    learning_rate: float = 1e-4
    schedule: str = "linear"
    warmup: float = 0.0
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    dev_share: float = 0.05
    dev_rows: int = 200
    keep: str = "last"
    precision: str = "auto"
    seed: int = 0
    device: str = "auto"
    threads: int | None = None
    save_every: int = 500
    log_every: int = 50

    def __post_init__(self) -> None:
        _check_inputs(self)
        check_known((
            ("section choice", self.section, SECTION_CHOICES), ("way of batching", self.batches, BATCHES),
            ("way of answering in training", self.answers, ANSWERS), ("schedule", self.schedule, SCHEDULES),
            ("optimizer", self.optimizer, OPTIMIZERS), ("choice of weights", self.keep, KEEP),
            ("precision", self.precision, PRECISIONS), ("device", self.device, DEVICES),
        ))  # fmt: skip
        check_least(self, (
            ("epochs", 1), ("batch_size", 1), ("accumulation", 1), ("dev_rows", 1), ("save_every", 1),
            ("log_every", 1), ("threads", 1), ("max_tokens", 8),
        ))  # fmt: skip
        check_shares(self, (("dev_share", 0.0), ("warmup", 0.0)))
        check_positive(self, ("learning_rate", "clip_norm"))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values of all choices."""
        return dict(json.loads(json.dumps(asdict(self), default=str)))

    def deciding(self) -> dict[str, Any]:
        """The choices that decide the weights; files by name alone, their content is compared by checksum."""
        return deciding_of(self.to_json(), left_out=_NOT_DECIDING, files=_FILES)


_FILES = ("reports", "labels", "model", "prompt", "vocabulary")
_NOT_DECIDING = ("output", "device", "threads", "save_every", "log_every")


def _check_inputs(config: LlmTraining) -> None:
    if config.labels is None:
        raise InputError(
            "Training needs labels of the reports. Next step: --labels FILE (1, 0, -1, blank; the output of "
            "`hilum label REPORTS` is such a file)."
        )
    if (config.model is None) == (config.architecture is None):
        raise InputError(
            f"Recipe {config.recipe!r} needs an instruction-tuned model to start from (--model DIR or hub id), or a "
            "small one from scratch (--architecture small)"
            + ("." if config.model is None else ", and not both.")
        )
    if config.lora is not None and config.model is None:
        raise InputError(
            "LoRA adapts a trained model, and this one is from scratch. Next step: --model DIR|ID."
        )
    if config.merge and config.lora is None:
        raise InputError("There is no adapter to merge. Next step: --lora with --merge.")
    if config.batches == "packed" and config.answers == "alone":
        raise InputError(
            "Packed rows keep their reports apart by positions, which answers that stand alone need for themselves. "
            "Next step: --batches by-length with --answers alone."
        )
    if config.keep == "best" and not config.dev_share:
        raise InputError(
            "The best epoch is told by the dev side, and --dev-share is 0. Next step: --keep last."
        )


class LlmProgress(NamedTuple):
    """How far a training is: steps, mean `loss` and `tokens_per_second` since the last log, and the last dev scores."""

    epoch: int
    epochs: int
    done: int
    total: int
    loss: float | None
    tokens_per_second: float | None
    dev: dict[str, float | None]
    scored: bool = False
