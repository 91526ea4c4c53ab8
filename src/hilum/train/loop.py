"""One training loop that can be stopped at any moment and goes on to the same end."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import FrameType, MappingProxyType
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch

from hilum.core.errors import InputError
from hilum.core.rng import rng_for
from hilum.train.averaging import follow

Places = npt.NDArray[np.intp]


class Evaluation(NamedTuple):
    """How good a model is: the score it is chosen by, its loss, and losses and scores of its parts.

    `more` are further measures, name -> value of each part; they are logged and decide nothing.
    """

    score: float
    loss: float
    part_losses: dict[str, float]
    part_scores: dict[str, float | None]
    more: Mapping[str, dict[str, float | None]] = MappingProxyType({})


class Task(Protocol):
    """What is learned: batches of rows, the loss of some rows, and how good a model is."""

    @property
    def name(self) -> str:
        """Its name in the log."""
        ...

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts of the loss."""
        ...

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher score is better."""
        ...

    @property
    def first_score(self) -> bool:
        """Whether the model as it comes is scored too, before the first epoch."""
        ...

    def batches(self, epoch: int) -> list[Places]:
        """Rows of each batch of an epoch; the same for the same epoch."""
        ...

    def losses(self, model: Any, rows: Places, device: torch.device) -> torch.Tensor:
        """Loss of each part, summed over the rows, [F]."""
        ...

    def evaluate(self, model: Any, device: torch.device, tell: Callable[[int, int], None]) -> Evaluation:
        """How good the model is; `tell` gets batches done and in all."""
        ...


@dataclass(frozen=True)
class LoopSettings:
    """How to go through a task."""

    epochs: int
    parts: int
    learning_rate: float
    schedule: str
    warmup: float
    clip_norm: float | None
    patience: int
    seed: int
    save_every: int


@dataclass
class Position:
    """Where a run is; all that a loop remembers besides weights and optimizer. Plain values only."""

    task: int = 0
    epoch: int = 0
    batch: int = 0
    step: int = 0
    total: int = 0
    best: float | None = None
    best_epoch: int = 0
    waited: int = 0
    rows: int = 0
    sums: list[float] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    past: list[list[dict[str, Any]]] = field(default_factory=list)
    log: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values; `Position(**values)` gives it back."""
        return asdict(self)

    def next_task(self) -> None:
        """Move to the beginning of the next task."""
        past = [*self.past, self.history]
        moved = Position(task=self.task + 1, total=self.total, past=past, log=self.log)
        for name, value in moved.to_dict().items():
            setattr(self, name, value)


class Progress(NamedTuple):
    """How far a run is. `done` and `total` are steps of this task; `loss` is the mean of this epoch so far.

    `doing` is "training" or "scoring" (then `done` and `total` are batches of the dev set); `scored` is True once
    per epoch, when its `score` is known.
    """

    task: str
    epoch: int
    epochs: int
    done: int
    total: int
    loss: float | None
    score: float | None
    best: float | None
    doing: str = "training"
    scored: bool = False


class Keeper(Protocol):
    """Where a run keeps what it needs to go on, and tells what it does."""

    def save(self, position: Position) -> None:
        """Keep weights, optimizer and position."""
        ...

    def save_best(self, position: Position) -> None:
        """Keep the weights as the best of the task of `position`."""
        ...

    def log(self, position: Position, line: dict[str, Any]) -> None:
        """Write one line of the log."""
        ...

    def tell(self, progress: Progress) -> None:
        """Say how far the run is."""
        ...


class Stopped(Exception):  # noqa: N818  (no error: the user asked for it)
    """The run was asked to stop, and has saved where it is."""


class Stop:
    """Whether somebody asked to stop, by Ctrl-C or SIGTERM; a second Ctrl-C stops at once."""

    def __init__(self) -> None:
        self.asked = False

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals while inside; does nothing outside the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        wanted = [signal.SIGINT, signal.SIGTERM]
        before = {one: signal.signal(one, self._take) for one in wanted}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)

    def _take(self, number: int, _: FrameType | None) -> None:
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = True


@dataclass(frozen=True)
class Machine:
    """The accelerator, the model as it is prepared for it, the bare model, and the optimizer.

    `average`, where there is one, is a second model that follows the weights of the first (see `follow`); it is
    the one that is scored and kept.
    """

    accelerator: Any
    model: Any
    bare: Any
    optimizer: Any
    average: Any = None
    decay: float = 0.0

    @property
    def judged(self) -> Any:
        """The model that is scored and kept."""
        return self.bare if self.average is None else self.average

    @property
    def world(self) -> int:
        """Number of processes."""
        return int(self.accelerator.num_processes)


def fit(
    task: Task,
    machine: Machine,
    settings: LoopSettings,
    position: Position,
    *,
    keeper: Keeper,
    stop: Stop,
) -> None:
    """Go through a task from `position`, which is moved along, to its last epoch or until nothing gets better.

    What is random in a step is drawn from the seed and the number of the step alone, so a run that was stopped
    anywhere ends with the same weights. Raises Stopped after the step in which `stop` was asked for.
    """
    if position.epoch == 0 and position.batch == 0 and task.first_score and not position.history:
        _judge(task, machine, position, settings, keeper, losses=None)
    while position.epoch < settings.epochs and position.waited < settings.patience:
        batches = task.batches(position.epoch)
        while position.batch < len(batches):
            _step(task, machine, settings, position, batches, keeper)
            asked = _anybody(stop, machine)
            if asked or (position.batch < len(batches) and position.total % settings.save_every == 0):
                keeper.save(position)
            if asked:
                raise Stopped
        position.epoch, position.batch = position.epoch + 1, 0
        losses = [value / max(position.rows, 1) for value in position.sums]
        _judge(task, machine, position, settings, keeper, losses=losses)
        if _anybody(stop, machine):
            raise Stopped


def learning_rate(settings: LoopSettings, step: int, *, steps: int) -> float:
    """The learning rate of one step: up in a straight line at first, then constant or down to 0 in a straight line."""
    warm = math.ceil(settings.warmup * steps)
    if step < warm:
        return settings.learning_rate * (step + 1) / (warm + 1)
    if settings.schedule == "constant":
        return settings.learning_rate
    return settings.learning_rate * max(steps - step, 0) / max(steps - warm, 1)


def _step(
    task: Task,
    machine: Machine,
    settings: LoopSettings,
    position: Position,
    batches: Sequence[Places],
    keeper: Keeper,
) -> None:
    steps = len(batches) * settings.epochs
    rate = learning_rate(settings, position.step, steps=steps)
    for group in machine.optimizer.param_groups:
        group["lr"] = rate
    rows = batches[position.batch]
    rank = int(machine.accelerator.process_index)
    draws = rng_for(settings.seed, "step", task.name, position.step, rank)
    torch.manual_seed(int(draws.integers(2**62)))
    values, norm = _learn(task, machine, settings, rows)
    if machine.average is not None:
        follow(machine.average, machine.bare, decay=machine.decay, step=position.step)
    if not math.isfinite(sum(values)):
        raise InputError(
            f"The loss is {sum(values)} in step {position.total + 1}: training has run away. Next step: start again "
            "with a smaller --lr, or with --clip-norm 1."
        )
    if not position.batch:
        position.sums, position.rows = [0.0] * len(task.parts), 0
    position.sums = [a + b for a, b in zip(position.sums, values, strict=True)]
    position.rows += len(rows)
    position.batch += 1
    position.step += 1
    position.total += 1
    line: dict[str, Any] = {
        "kind": "step", "task": task.name, "epoch": position.epoch + 1, "step": position.total,
        "rows": len(rows), "learning_rate": rate, "loss": sum(values) / len(rows),
        "losses": {name: v / len(rows) for name, v in zip(task.parts, values, strict=True)},
    }  # fmt: skip
    keeper.log(position, line if norm is None else {**line, "gradient_norm": norm})
    score = position.history[-1]["score"] if position.history else None
    mean = sum(position.sums) / max(position.rows, 1)
    keeper.tell(
        Progress(
            task.name, position.epoch + 1, settings.epochs, position.step, steps, mean, score, position.best
        )
    )


def _learn(
    task: Task, machine: Machine, settings: LoopSettings, rows: Places
) -> tuple[list[float], float | None]:
    """One step of the optimizer: losses of the parts summed over all rows, and the norm of the gradient."""
    accelerator, model = machine.accelerator, machine.model
    model.train()
    own = rows[accelerator.process_index :: machine.world]
    shares = np.array_split(own, min(settings.parts, max(len(own), 1)))
    total = torch.zeros(len(task.parts), device=accelerator.device)
    for place, share in enumerate(shares):
        last = place == len(shares) - 1
        with contextlib.nullcontext() if last else accelerator.no_sync(model):
            losses_F = task.losses(model, share if len(share) else rows[:1], accelerator.device)
            losses_F = losses_F * float(len(share) > 0)
            accelerator.backward(losses_F.sum() * (machine.world / len(rows)))
            total += losses_F.detach()
    norm = None
    if settings.clip_norm is not None:
        norm = float(accelerator.clip_grad_norm_(model.parameters(), settings.clip_norm))
    machine.optimizer.step()
    machine.optimizer.zero_grad()
    if machine.world > 1:
        total = accelerator.reduce(total, "sum")
    return [float(value) for value in total.tolist()], norm


def _judge(
    task: Task,
    machine: Machine,
    position: Position,
    settings: LoopSettings,
    keeper: Keeper,
    *,
    losses: list[float] | None,
) -> None:
    """Score the model, keep it when it is the best so far, and save."""

    def tell(done: int, total: int) -> None:
        score = position.history[-1]["score"] if position.history else None
        keeper.tell(
            Progress(
                task.name, position.epoch, settings.epochs, done, total, None, score, position.best, "scoring"
            )
        )

    machine.judged.eval()
    with torch.no_grad():
        found = _agreed(task.evaluate(machine.judged, machine.accelerator.device, tell), machine)
    better = position.best is None or (
        found.score > position.best if task.higher_is_better else found.score < position.best
    )
    position.waited = 0 if better else position.waited + 1
    if better:
        position.best, position.best_epoch = found.score, position.epoch
    line = {
        "kind": "epoch", "task": task.name, "epoch": position.epoch, "step": position.total,
        "score": found.score, "best": position.best, "best_epoch": position.best_epoch,
        "train_loss": None if losses is None else sum(losses),
        "train_losses": None if losses is None else dict(zip(task.parts, losses, strict=True)),
        "dev_loss": found.loss, "dev_losses": found.part_losses, "dev_scores": found.part_scores,
        **{f"dev_{name}": values for name, values in found.more.items()},
    }  # fmt: skip
    position.history.append(line)
    keeper.log(position, line)
    if better:
        keeper.save_best(position)
    keeper.save(position)
    loss = None if losses is None else sum(losses)
    where = (task.name, position.epoch, settings.epochs, 1, 1)
    keeper.tell(Progress(*where, loss, found.score, position.best, "scoring", True))


def _agreed(found: Evaluation, machine: Machine) -> Evaluation:
    """The evaluation of the main process, in all processes, so that all decide the same."""
    if machine.world == 1:
        return found
    from accelerate.utils import broadcast_object_list  # noqa: PLC0415

    holder: list[Evaluation] = broadcast_object_list([found])
    return holder[0]


def _anybody(stop: Stop, machine: Machine) -> bool:
    """Whether any process was asked to stop, so that all stop at the same step."""
    if machine.world == 1:
        return stop.asked
    asked = torch.tensor(float(stop.asked), device=machine.accelerator.device)
    return bool(machine.accelerator.reduce(asked, "sum").item() > 0)
