"""Training a language model to label reports: reports and labels in, the folder of a model out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from hilum.core.errors import InputError, MissingExtraError
from hilum.labelers._prompt import load_prompt
from hilum.tables._label_rows import counted
from hilum.train.llm_config import LlmProgress, LlmTraining, Lora, SmallModel
from hilum.train.llm_data import InstructionRows, read_instructions, write_instances
from hilum.train.split import split_rows

__all__ = [
    "LlmProgress",
    "LlmResult",
    "LlmTraining",
    "Lora",
    "Plan",
    "SmallModel",
    "train_llm",
    "write_instructions",
]

PAPER_BATCH = 16
"""Reports per step in the paper: 2 per device and pass, 2 passes, 4 GPUs (LLM labeler paper, Training Details)."""

MODEL = "model"


class Plan(NamedTuple):
    """How many reports and steps a training has."""

    config: LlmTraining
    rows: int
    processes: int

    @property
    def batch(self) -> int:
        """Rows per step, over all devices and passes."""
        return self.config.batch_size * self.config.accumulation * self.processes

    @property
    def steps(self) -> int:
        """Steps in all, when every row is of its own."""
        passes = math.ceil(math.ceil(self.rows / self.config.batch_size) / self.processes)
        return math.ceil(passes / self.config.accumulation) * self.config.epochs

    def lines(self, parameters: int) -> list[str]:
        """The plan in words."""
        c = self.config
        said = [
            (
                f"model of {parameters:,} parameters, {self.rows:,} reports, "
                f"{counted(c.epochs, 'epoch', 'epochs')}, {c.optimizer}, learning rate "
                f"{c.learning_rate:g} ({c.schedule})"
            ),
            (
                f"effective batch: {c.batch_size} reports x {c.accumulation} passes x {self.processes} devices = "
                f"{self.batch} reports a step"
            ),
        ]
        if c.recipe == "paper" and self.batch != PAPER_BATCH:
            need = PAPER_BATCH / (c.batch_size * self.processes)
            hint = f"; --accumulation {int(need)} gives it here" if need >= 1 and need.is_integer() else ""
            said.append(f"the paper has {PAPER_BATCH} reports a step (2 x 2 on 4 GPUs){hint}")
        return said


@dataclass(frozen=True)
class LlmResult:
    """A finished training, or one that was stopped (`finished` is False) and can go on.

    `model` is the folder for `hilum label --labeler llm --model`. `dev` has the scores of each epoch (see
    `train._llm_dev.dev_scores`), `kept_epoch` the epoch whose weights were kept. `tokens_per_second` goes over the
    steps of this process.
    """

    folder: Path
    model: Path
    finished: bool
    notes: tuple[str, ...]
    train_rows: int
    dev_rows: int
    dev: tuple[Mapping[str, Any], ...]
    kept_epoch: int
    trained_steps: int
    resumed_at: int
    seconds: float
    tokens_per_second: float | None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values of all but where it is."""
        return {name: value for name, value in asdict(self).items() if name not in ("folder", "model")}

    @classmethod
    def from_json(cls, found: Mapping[str, Any], folder: Path) -> LlmResult:
        """The result that `to_json` kept."""
        names = {one.name for one in fields(cls)}
        kept = {name: value for name, value in found.items() if name in names}
        lists = {"notes": tuple(found["notes"]), "dev": tuple(found["dev"])}
        return cls(**{**kept, **lists, "folder": folder, "model": folder / MODEL})


def sides_of(rows: InstructionRows, config: LlmTraining) -> tuple[InstructionRows, InstructionRows]:
    """Rows to learn from and rows to score by: no text and no group is on both sides."""
    if not config.dev_share:
        return rows, rows.take([])
    groups = None if rows.groups is None else [rows.groups]
    split = split_rows([rows.texts], share=config.dev_share, seed=config.seed, groups=groups)[0]
    return rows.take(split.train), rows.take(split.dev)


def plan_of(config: LlmTraining, *, rows: int, processes: int) -> Plan:
    """The plan of a training on so many rows and devices."""
    return Plan(config, rows, processes)


def write_instructions(
    config: LlmTraining, path: Path, *, tell: Callable[[str], None] = lambda _: None
) -> int:
    """Write what a training would learn from as JSON lines (see `train.llm_data.write_instances`); number of rows.

    The rows that a training puts aside are left out. Raises InputError and OutputError.
    """
    rows = read_instructions(config)
    train, dev = sides_of(rows, config)
    write_instances(path, train, load_prompt(config.prompt), seed=config.seed)
    for note in rows.notes:
        tell(note)
    if len(dev):
        tell(f"{len(dev):,} reports are put aside as the dev side and were not written")
    return len(train)


def train_llm(
    config: LlmTraining,
    *,
    progress: Callable[[LlmProgress], None] = lambda _: None,
    tell: Callable[[str], None] = lambda _: None,
    fresh: bool = False,
) -> LlmResult:
    """Train a language model into `config.output`, or go on with a run that was stopped there.

    Supervised fine-tuning by TRL, loss on the states and the ends of their lines alone. Two runs of one
    configuration give the same bytes on a CPU with the same libraries and number of threads, stopped and resumed
    or not. `progress` gets every step, `tell` what is done in words; `fresh` forgets an earlier run in the folder.
    Source: the LLM labeler paper, Training Details.

    Raises InputError for inputs that cannot be learned from, OutputError and ResumeError for the folder,
    MissingExtraError without the extra `llm`.
    """
    try:
        import accelerate  # noqa: F401, PLC0415
        import jinja2  # noqa: F401, PLC0415
        import peft  # noqa: F401, PLC0415
        import torch  # noqa: F401, PLC0415
        import trl  # noqa: F401, PLC0415

        import datasets  # noqa: F401, PLC0415
    except ImportError as error:
        raise MissingExtraError(error.name or "trl", "llm") from error
    from hilum.train._llm_run import run  # noqa: PLC0415

    if not config.reports.exists():
        raise InputError(f"There is no file {config.reports}. Next step: check --reports.")
    return run(config, progress=progress, tell=tell, fresh=fresh)
