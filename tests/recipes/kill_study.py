"""Runs the tiny study and kills itself at the training step `number` of the task `name`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tiny_study import tiny_study

from hilum.api.study_visualchexbert import study_visualchexbert
from hilum.train.loop import Progress


def main(sets: Path, output: Path, name: str, number: int, kind: int) -> None:
    def look(progress: Progress) -> None:
        if progress.task == name and progress.doing == "training" and progress.done == number:
            os.kill(os.getpid(), kind)

    study_visualchexbert(tiny_study(sets), output, meter=look)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
