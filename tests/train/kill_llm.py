"""Trains as `tiny_llm` does and sends itself a signal after a step; 0: never."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

from tiny_llm import tiny_llm

from hilum.train.llm import train_llm
from hilum.train.llm_config import LlmProgress


def main(files: Path, output: Path, step: int, number: int) -> None:
    def look(progress: LlmProgress) -> None:
        if not progress.scored and progress.done == step:
            os.kill(os.getpid(), number)

    result = train_llm(replace(tiny_llm(files), output=output), progress=look)
    sys.stdout.write("finished" if result.finished else f"stopped at {result.trained_steps}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
