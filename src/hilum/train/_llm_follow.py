"""What follows a training of a language model step by step: log, progress, dev scores, when to save and to stop."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import torch
import transformers

from hilum.train._folder import RunFolder
from hilum.train._llm_dev import DevSide, dev_scores, full_precision
from hilum.train._llm_trainer import Collator, check_loss
from hilum.train.checkpoints import RunLog, save_weights, write_whole
from hilum.train.llm_config import LlmProgress, LlmTraining
from hilum.train.loop import Stop

_Callback: Any = transformers.TrainerCallback


class Follower(_Callback):  # type: ignore[misc]
    """Decides at every step; `history` has the dev scores of each epoch, `stopped` says that it was asked to stop."""

    def __init__(  # noqa: PLR0913  (what it follows, and whom it tells)
        self,
        config: LlmTraining,
        dev: DevSide,
        tokenizer: Any,
        *,
        trainer: Any,
        stop: Stop,
        log: RunLog | None,
        folder: RunFolder,
        tell: Callable[[str], None],
        progress: Callable[[LlmProgress], None],
    ) -> None:
        self.history: list[dict[str, Any]] = _history(folder)
        self.stopped = False
        self._config, self._dev, self._tokenizer, self._trainer = config, dev, tokenizer, trainer
        self._stop, self._log, self._folder, self._tell, self._progress = stop, log, folder, tell, progress
        self._loss: float | None = None
        self._speed: float | None = None
        self._marked = (time.monotonic(), 0)
        self._spent = 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """The clock starts."""
        self._marked = (time.monotonic(), self._trainer.tokens)
        self._trainer.order.epoch = self._epoch(state)
        self.history = [one for one in self.history if one["epoch"] <= self._epoch(state)]

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """The order of rows is that of the epoch."""
        self._trainer.order.epoch = self._epoch(state)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Progress; saves where it is time, and stops where it was asked. The end of an epoch is dealt with there."""
        self._say(state, self._epoch(state, before=1))
        if state.global_step % self._per_epoch(state):
            asked = self._asked()
            control.should_save = (
                control.should_save or asked or not state.global_step % self._config.save_every
            )
            control.should_training_stop = control.should_training_stop or asked
            self.stopped = self.stopped or asked

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:  # noqa: ARG002
        """Loss and tokens a second since the last log."""
        if not logs or "loss" not in logs:
            return
        self._loss = float(logs["loss"])
        check_loss(self._loss, state.global_step)
        now, tokens = time.monotonic(), self._trainer.tokens
        seconds = now - self._marked[0]
        self._spent += seconds
        self._speed = (
            (tokens - self._marked[1]) * self._trainer.accelerator.num_processes / max(seconds, 1e-9)
        )
        self._marked = (now, tokens)
        self._write({
            "kind": "step", "step": state.global_step, "loss": self._loss,
            "learning_rate": logs.get("learning_rate"), "gradient_norm": logs.get("grad_norm"),
        })  # fmt: skip

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Scores of the dev side, once an epoch is whole; then everything is saved."""
        if state.global_step % self._per_epoch(state) or self.stopped:
            return
        epoch = self._epoch(state)
        if self._dev.rows:
            self._score(epoch, state)
        last = state.global_step >= state.max_steps
        asked = self._asked() and not last
        control.should_save = not last
        control.should_training_stop = control.should_training_stop or asked
        self.stopped = asked
        self._marked = (time.monotonic(), self._trainer.tokens)

    def before_seal(self) -> int:
        """The size of the log; from now on the folder has something to lose, so another run is refused."""
        self._folder.state("saved.jsonl").touch()
        return 0 if self._log is None else self._log.size

    def kept_epoch(self) -> int:
        """The epoch whose weights are kept, counted from 1."""
        if self._config.keep == "last" or not self.history:
            return self._config.epochs
        return int(max(self.history, key=_score_of)["epoch"])

    def mean_speed(self) -> float | None:
        """Tokens a second of all logged steps of this process; None before the first log."""
        if not self._spent:
            return None
        return float(self._trainer.tokens * self._trainer.accelerator.num_processes / self._spent)

    def _score(self, epoch: int, state: Any) -> None:
        self._trainer.accelerator.wait_for_everyone()
        if self._log is not None:
            bare = self._trainer.accelerator.unwrap_model(self._trainer.model)
            collator = Collator(pad=int(self._tokenizer.pad_token_id), alone=self._config.answers == "alone")
            device = next(bare.parameters()).device
            with full_precision(bare):
                found = dev_scores(bare, self._tokenizer, self._dev, collator=collator, device=device)
            line = {"epoch": epoch, **found}
            if self._config.keep == "best" and all(_score_of(line) > _score_of(one) for one in self.history):
                save_weights(self._folder.state("best.safetensors"), bare)
            self.history.append(line)
            content = "".join(json.dumps(one) + "\n" for one in self.history).encode()
            write_whole(self._folder.state("dev.jsonl"), lambda file: file.write(content))
            self._write({"kind": "epoch", "step": state.global_step, **line})
            self._say(state, epoch, scored=True)
        self._trainer.accelerator.wait_for_everyone()

    def _say(self, state: Any, epoch: int, *, scored: bool = False) -> None:
        dev = {k: v for k, v in self.history[-1].items() if k != "epoch"} if self.history else {}
        self._progress(
            LlmProgress(
                min(epoch, self._config.epochs), self._config.epochs, int(state.global_step), int(state.max_steps),
                self._loss, self._speed, dev, scored,
            )
        )  # fmt: skip

    def _write(self, line: dict[str, Any]) -> None:
        if self._log is not None:
            self._log.write(line)

    def _per_epoch(self, state: Any) -> int:
        return max(int(state.max_steps) // self._config.epochs, 1)

    def _epoch(self, state: Any, *, before: int = 0) -> int:
        """Whole epochs that are behind; with `before` 1 the number, from 1, of the one that a step belongs to."""
        return (int(state.global_step) - before) // self._per_epoch(state) + before

    def _asked(self) -> bool:
        """Whether any process was asked to stop; all of them have to agree."""
        accelerator = self._trainer.accelerator
        if accelerator.num_processes == 1:
            return self._stop.asked
        mine = torch.tensor([int(self._stop.asked)], device=accelerator.device)
        return bool(accelerator.reduce(mine).item())


def _score_of(line: dict[str, Any]) -> tuple[float, float]:
    """What the best epoch is told by: the weighted F1; where it is the same or not defined, minus the loss."""
    f1 = line["weighted_f1"]
    return (-1.0 if f1 is None else float(f1), -float(line["dev_loss"]))


def _history(folder: RunFolder) -> list[dict[str, Any]]:
    """The dev scores that were kept; whole epochs are not scored twice."""
    try:
        lines = folder.state("dev.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]
    except (OSError, ValueError):
        return []
