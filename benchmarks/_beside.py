"""Heavy runs beside each other: each in a process and a folder of its own with one thread, their last lines shown."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

RESULTS, LOG = "results.json", "log.txt"
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class Job(NamedTuple):
    """A run: the arguments of its Python process, and its folder, which has RESULTS when it is done."""

    name: str
    folder: Path
    arguments: tuple[str, ...]

    @property
    def log(self) -> Path:
        """Where it writes what it says."""
        return self.folder / LOG


def run_beside(jobs: Sequence[Job], *, processes: int) -> None:
    """Do the jobs that are not done, `processes` at a time. Raises SystemExit when one fails, and ends the others."""
    waiting = [job for job in jobs if not (job.folder / RESULTS).is_file()]
    running: dict[Job, subprocess.Popen[bytes]] = {}
    shown: dict[Job, str] = {}
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                job = waiting.pop(0)
                running[job] = _started(job)
            time.sleep(2)
            for job, child in list(running.items()):
                last = _last_line(job.log)
                if last != shown.get(job):
                    shown[job] = last
                    print(f"[{job.name}] {last}", file=sys.stderr, flush=True)
                if child.poll() is not None:
                    del running[job]
                    if child.returncode:
                        raise SystemExit(f"{job.name} failed: see {job.log}")
    finally:
        for child in running.values():
            child.terminate()


def _started(job: Job) -> subprocess.Popen[bytes]:
    job.folder.mkdir(parents=True, exist_ok=True)
    with job.log.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, *job.arguments],
            stdout=log, stderr=subprocess.STDOUT, env={**os.environ, **_ONE_THREAD, "HF_HUB_OFFLINE": "1"},
        )  # fmt: skip


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return lines[-1] if lines else ""


def telling() -> Callable[[str], None]:
    """A function that prints a line with the seconds since now."""
    begun = time.monotonic()
    return lambda line: print(f"{time.monotonic() - begun:6.0f} s  {line}", flush=True)


def scores_told(tell: Callable[[str], None]) -> Callable[[Any], None]:
    """A meter of trainings that tells the score of each epoch."""

    def scored(progress: Any) -> None:
        if progress.scored:
            tell(f"  {progress.task}, epoch {progress.epoch} of {progress.epochs}: dev {progress.score:.4f}")

    return scored


def told(value: Any, *, digits: int = 3) -> str:
    """A number, an estimate with its interval, or a dash."""
    if isinstance(value, dict):
        if value["value"] is None:
            return "-"
        return f"{told(value['value'])} ({told(value['low'])}, {told(value['high'])})"
    return "-" if value is None else f"{value:.{digits}f}" if isinstance(value, float) else str(value)
