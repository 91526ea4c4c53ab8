"""Tiny work for the runner's tests: importable by name, as work for worker processes must be."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hilum.core.errors import UnreachableError


@dataclass(frozen=True)
class Words:
    """Counts words; can be slow, fail, die, miss what it needs, or write a note of each chunk that it does."""

    fail_at: int = -1
    die_at: int = -1
    die_once: str = ""
    notes: str = ""
    seconds: float = 0.0
    broken: bool = False
    alone_from: int = 1_000_000

    def build(self) -> Callable[[int, Sequence[str]], Mapping[str, bytes]]:
        if self.broken:
            raise RuntimeError("no model here")
        return self._work

    def _work(self, first: int, items: Sequence[str]) -> Mapping[str, bytes]:
        time.sleep(self.seconds)
        if first >= self.alone_from:
            raise UnreachableError(f"nobody answers, also at {first}")
        if first == self.fail_at:
            raise ValueError("bad words")
        if first == self.die_at and not (self.die_once and Path(self.die_once).exists()):
            if self.die_once:
                Path(self.die_once).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if self.notes:
            (Path(self.notes) / f"{first}.{os.getpid()}").touch()
        print("work prints", first)  # noqa: T201  (must not get among the answers)
        counts = "".join(f"{first + i} {len(item.split())}\n" for i, item in enumerate(items))
        return {"counts": counts.encode(), "size": str(len(items)).encode()}
