"""Invented images with labels in a table, and trainings of image classifiers that take a second."""

from __future__ import annotations

import csv
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from hilum.core.rng import rng_for
from hilum.models.classifier_spec import densenet_architecture
from hilum.recipes.classifier import recipe
from hilum.train.classifier_config import ClassifierTraining

os.environ["HF_HUB_OFFLINE"] = "1"

FINDINGS = ("Edema", "Cardiomegaly", "Fracture")
TINY = densenet_architecture(blocks=(1, 1), growth=4, first=8, bottleneck=2)
SIZE = 32


def picture(codes: tuple[int | None, ...], *, seed: int, size: int = SIZE) -> npt.NDArray[np.uint8]:
    """Noise, with a bright corner for each finding that is positive; uncertain ones show half of the time."""
    draws = rng_for(seed, "picture")
    plane = draws.normal(90.0, 12.0, (size, size))
    half = size // 2
    for code, (down, across) in zip(codes, ((0, 0), (half, half), (0, half)), strict=True):
        if code == 1 or (code == -1 and draws.random() < 0.5):
            plane[down : down + half, across : across + half] += 70.0
    return np.clip(plane, 0, 255).astype(np.uint8)


def invented_rows(n: int, *, seed: int = 0) -> list[tuple[str, str, tuple[int | None, ...]]]:
    """(file, patient, codes) of n images; two images in a row are of one patient."""
    rows = []
    for i in range(n):
        draws = rng_for(seed, "codes", i)
        codes = tuple((1, 1, 0, 0, 0, -1, None)[int(draws.integers(7))] for _ in FINDINGS)
        rows.append((f"images/i{seed}-{i}.png", f"p{seed}-{i // 2}", codes))
    return rows


def write_images(folder: Path, *, n: int = 60, seed: int = 0, name: str = "images.csv") -> Path:
    """A table with path, patient and labels, and its images."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    with (folder / name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["Path", "patient_id", *FINDINGS])
        for i, (path, patient, codes) in enumerate(invented_rows(n, seed=seed)):
            cv2.imwrite(str(folder / path), picture(codes, seed=1000 * seed + i))
            writer.writerow([path, patient, *("" if c is None else c for c in codes)])
    return folder / name


def tiny_classifier(folder: Path, output: str = "run", **choices: Any) -> ClassifierTraining:
    """A training of a second; images are made when they are not there."""
    table = folder / "images.csv"
    if not table.exists():
        write_images(folder)
    own: dict[str, Any] = {
        "images": table, "size_px": SIZE, "architecture": TINY, "epochs": 2, "batch_size": 8, "threads": 1,
        "workers": 2, "save_every": 2, "device": "cpu", "replicates": 50, "dev_share": 0.3, "average": 0.9,
        "learning_rate": 1e-2,
    }  # fmt: skip
    if choices.get("data"):
        del own["images"]
    return recipe("mini")(folder / output, **{**own, **choices})


def into(config: ClassifierTraining, output: Path) -> ClassifierTraining:
    return replace(config, output=output)


def files_of(folder: Path) -> dict[str, bytes]:
    """Name -> bytes of the model, of the dev scores and of the log."""
    kept = [*sorted((folder / "model").iterdir()), folder / "dev.csv", folder / "log.jsonl"]
    return {path.name: path.read_bytes() for path in kept}
