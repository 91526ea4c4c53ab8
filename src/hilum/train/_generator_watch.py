"""How long the steps of a training of a generator take, and which share of that rewards are."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hilum.train.generator import GeneratorSpeed
from hilum.train.loop import Progress
from hilum.train.reinforcing import ReinforcingTask


class Watch:
    """Hands progress on, and measures steps from the end of one to the end of the next.

    A line per step of the second stage goes to `path`: times differ from run to run, so they are not in the log.
    """

    def __init__(self, progress: Callable[[Progress], None], task: Any, path: Path | None) -> None:
        self._progress = progress
        self._clock = task.clock if isinstance(task, ReinforcingTask) else None
        self._path = path
        self._last: float | None = None
        self._seconds = self._rewards = self._counted = 0.0
        self._steps = 0

    def __call__(self, progress: Progress) -> None:
        """See `train.loop.Keeper.tell`."""
        training = progress.doing == "training"
        rewards = self._clock.reward_seconds if self._clock else 0.0
        if training and self._last is not None:
            self._count(progress, time.perf_counter() - self._last, rewards - self._counted)
        self._counted = rewards
        self._progress(progress)
        self._last = time.perf_counter() if training else None

    def _count(self, progress: Progress, seconds: float, rewards: float) -> None:
        self._seconds += seconds
        self._rewards += rewards
        self._steps += 1
        if self._clock and self._path is not None:
            line = {"step": progress.done, "seconds": round(seconds, 4), "reward_seconds": round(rewards, 4)}
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    def speed(self) -> GeneratorSpeed | None:
        """None before there are two steps in a row."""
        if not self._steps:
            return None
        return GeneratorSpeed(self._steps / self._seconds, self._rewards / self._seconds)
