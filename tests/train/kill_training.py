"""Trains as `test_train_labeler.two_steps` does and sends itself a signal after a step; 0: never."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import torch
from tiny_training import tiny_config

from hilum.train.labeler import train_labeler
from hilum.train.loop import Progress


def main(files: Path, output: Path, step: int, number: int) -> None:
    torch.set_num_threads(1)
    config = tiny_config(
        files, "x", expert_reports=files / "reports1.csv", expert_labels=files / "labels1.csv"
    )
    done = {"labels": 0, "experts": 14}

    def look(progress: Progress) -> None:
        if progress.doing == "training" and done[progress.task] + progress.done == step:
            os.kill(os.getpid(), number)

    result = train_labeler(replace(config, output=output), progress=look)
    sys.stdout.write("finished" if result.finished else f"stopped at {result.trained_steps}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
