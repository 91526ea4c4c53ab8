"""The folder of a run: what is in it, whose it is, and the keeper that the loop saves to."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from hilum.core.errors import OutputError
from hilum.runner.store import FolderStore
from hilum.train.checkpoints import (
    LOG,
    STATE,
    RunLog,
    load_state,
    load_weights,
    save_state,
    save_weights,
    write_json,
)
from hilum.train.loop import Machine, Position, Progress

STATE_FOLDER, MODEL, TENSORBOARD, CONFIG, RESULT = (
    "state",
    "model",
    "tensorboard",
    "config.json",
    "result.json",
)


class RunFolder:
    """An output folder that belongs to one run and is locked while it is in use.

    `job` is everything that decides the weights, as plain JSON values; `also` are names of further files and
    folders in it that belong to the run.
    """

    def __init__(self, path: Path, job: Mapping[str, Any], *, also: Sequence[str] = ()) -> None:
        self.path = path
        self.job = job
        self._also = tuple(also)
        self.digest = hashlib.sha256(json.dumps(job, sort_keys=True).encode()).hexdigest()
        self._store = FolderStore(path / STATE_FOLDER)

    def open(self, *, fresh: bool) -> None:
        """Make and lock the folder. Raises OutputError and ResumeError when it is somebody else's."""
        if self.path.exists() and not self.path.is_dir():
            raise OutputError(f"{self.path} is a file. Next step: name a folder with -o.")
        ours = (self.path / STATE_FOLDER).is_dir()
        if self.path.is_dir() and any(self.path.iterdir()) and not ours:
            raise OutputError(f"{self.path} holds other files. Next step: name a new folder with -o.")
        self._store.open(self.job, fresh=fresh or not self._has_something())
        if fresh or self._stale():
            self._clear()

    def close(self) -> None:
        """Unlock."""
        self._store.close()

    def _has_something(self) -> bool:
        """Whether there is anything to lose: a result, or what was kept on the way to one."""
        kept = (".pt", ".safetensors", ".jsonl")
        state = self.path / STATE_FOLDER
        return (self.path / RESULT).exists() or (
            state.is_dir() and any(one.suffix in kept for one in state.iterdir())
        )

    def _stale(self) -> bool:
        """Whether the outputs are those of a run that was given up with `fresh` and not yet cleared."""
        mark = self.path / STATE_FOLDER / "run"
        return mark.exists() and mark.read_text(encoding="ascii") != self.digest

    def _clear(self) -> None:
        for name in (MODEL, TENSORBOARD, f"{MODEL}.tmp", *self._also):
            shutil.rmtree(self.path / name, ignore_errors=True)
        for name in (RESULT, LOG, CONFIG, *self._also):
            (self.path / name).unlink(missing_ok=True)
        for path in (self.path / STATE_FOLDER).iterdir():
            if path.suffix in (".pt", ".safetensors", ".jsonl", ".tmp") or path.name == "run":
                path.unlink()

    def begin(self, about: Mapping[str, Any]) -> None:
        """Write config.json, and mark the outputs as this run's."""
        write_json(self.path / CONFIG, about)
        (self.path / STATE_FOLDER / "run").write_text(self.digest, encoding="ascii")

    def earlier_machine(self) -> dict[str, Any]:
        """Device, threads and processes of the run that is to go on; empty for a new one."""
        try:
            found = json.loads((self.path / CONFIG).read_bytes())["machine"]
        except (OSError, ValueError, KeyError, TypeError):
            return {}
        return {name: found[name] for name in ("device", "threads", "processes") if name in found}

    def result(self) -> dict[str, Any] | None:
        """What `finish` wrote, when the run is finished."""
        try:
            found = json.loads((self.path / RESULT).read_bytes())
        except (OSError, ValueError):
            return None
        same = isinstance(found, dict) and found.get("run") == self.digest
        return found if same and (self.path / MODEL).is_dir() else None

    def finish(self, result: Mapping[str, Any]) -> None:
        """Write result.json, and remove what only a run that goes on needs."""
        write_json(self.path / RESULT, {"run": self.digest, **result})
        for path in (self.path / STATE_FOLDER).iterdir():
            if path.suffix in (".pt", ".safetensors"):
                path.unlink()

    def state(self, name: str) -> Path:
        """A file among those that only a run that goes on needs."""
        return self.path / STATE_FOLDER / name

    def best(self, task: int) -> Path:
        """The best weights of a task."""
        return self.state(f"best-{task}.safetensors")

    def resume(self) -> dict[str, Any] | None:
        """The state that was saved last, or None."""
        return load_state(self.state(STATE))


@contextlib.contextmanager
def opened(folder: RunFolder, accelerator: Any, *, fresh: bool) -> Iterator[None]:
    """Locks the folder, by the main process alone, as long as the run lasts; see `RunFolder.open`."""
    main = bool(accelerator.is_main_process)
    if main:
        folder.open(fresh=fresh)
    accelerator.wait_for_everyone()
    try:
        yield
    finally:
        if main:
            folder.close()


def begin_run(
    folder: RunFolder,
    about: Mapping[str, Any],
    *,
    accelerator: Any,
    threads: int | None,
    tell: Callable[[str], None],
) -> None:
    """Set threads, warn of another machine than the run began on, and write how it is made: `about` and the machine."""
    earlier = folder.earlier_machine()
    torch.set_num_threads(threads or earlier.get("threads") or torch.get_num_threads())
    machine = {
        "device": accelerator.device.type,
        "threads": torch.get_num_threads(),
        "processes": int(accelerator.num_processes),
    }
    for what, was in earlier.items():
        if was != machine[what]:
            tell(
                f"warning: this run began with {what} {was} and goes on with {machine[what]}; the model will be as "
                "good, and not the same to the byte"
            )
    if accelerator.is_main_process:
        folder.begin({**about, "machine": machine})
    accelerator.wait_for_everyone()


class RunKeeper:
    """A `train.loop.Keeper` that writes into a RunFolder; only the main process writes."""

    def __init__(
        self, folder: RunFolder, machine: Machine, position: Position, progress: Callable[[Progress], None]
    ) -> None:
        self._folder = folder
        self._machine = machine
        self._progress = progress
        self._main = bool(machine.accelerator.is_main_process)
        self._board: Any = None
        if self._main:
            from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415

            self._log = RunLog(folder.path / LOG, keep=position.log)
            self._board = SummaryWriter(str(folder.path / TENSORBOARD), purge_step=position.total + 1)

    def close(self) -> None:
        """Close log and TensorBoard's file."""
        if self._main:
            self._log.close()
            self._board.close()

    def save(self, position: Position) -> None:
        """See `train.loop.Keeper`."""
        if not self._main:
            return
        position.log = self._log.size
        scaler = self._machine.accelerator.scaler
        save_state(
            self._folder.state(STATE),
            {
                "position": position.to_dict(),
                "model": self._machine.bare.state_dict(),
                "optimizer": self._machine.optimizer.state_dict(),
                "scaler": None if scaler is None else scaler.state_dict(),
                "average": None if self._machine.average is None else self._machine.average.state_dict(),
            },
        )

    def save_best(self, position: Position) -> None:
        """See `train.loop.Keeper`."""
        if self._main:
            save_weights(self._folder.best(position.task), self._machine.judged)

    def load_best(self, task: int) -> None:
        """Put the best weights of a task into the model, in every process."""
        self._machine.accelerator.wait_for_everyone()
        load_weights(self._folder.best(task), self._machine.bare)

    def log(self, position: Position, line: dict[str, Any]) -> None:
        """See `train.loop.Keeper`."""
        if not self._main:
            return
        self._log.write(line)
        task = line["task"].replace(" ", "_")
        scalars = {
            "step": (("loss/train", "loss"), ("learning_rate", "learning_rate"), ("gradient_norm", "gradient_norm")),
            "epoch": (("loss/dev", "dev_loss"), ("score/dev", "score")),
        }  # fmt: skip
        for tag, name in scalars[line["kind"]]:
            if line.get(name) is not None:
                self._board.add_scalar(f"{task}/{tag}", line[name], position.total)
        kinds = {"train_losses": "loss_train", "dev_losses": "loss_dev", "dev_scores": "score_dev"}
        for name, tag in kinds.items():
            for part, value in (line.get(name) or {}).items():
                if value is not None:
                    self._board.add_scalar(f"{task}/{tag}/{part.replace(' ', '_')}", value, position.total)
        if line["kind"] == "epoch":
            self._board.flush()

    def tell(self, progress: Progress) -> None:
        """See `train.loop.Keeper`."""
        if self._main:
            self._progress(progress)


def restore(machine: Machine, state: Mapping[str, Any]) -> None:
    """Put weights, their average, optimizer and scaler of a saved state back."""
    machine.bare.load_state_dict(state["model"])
    if machine.average is not None:
        machine.average.load_state_dict(state["average"])
    machine.optimizer.load_state_dict(state["optimizer"])
    if state["scaler"] is not None and machine.accelerator.scaler is not None:
        machine.accelerator.scaler.load_state_dict(state["scaler"])
