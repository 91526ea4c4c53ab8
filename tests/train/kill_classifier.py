"""Trains as `tiny_classifier` does, self-training with an average, and sends itself a signal after a step; 0: never."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch
from tiny_classifier import into, tiny_classifier

from hilum.train.classifier import train_classifier
from hilum.train.loop import Progress


def main(files: Path, output: Path, step: int, number: int) -> None:
    torch.set_num_threads(1)
    seen = 0

    def look(progress: Progress) -> None:
        nonlocal seen
        seen += progress.doing == "training"
        if seen == step and progress.doing == "training":
            os.kill(os.getpid(), number)

    result = train_classifier(
        into(tiny_classifier(files, "x", uncertain="self-training"), output), progress=look
    )
    sys.stdout.write("finished" if result.finished else f"stopped at {result.trained_steps}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
