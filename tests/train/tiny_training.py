"""Invented reports with labels in files, and trainings so small that they take a second."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hilum.core.rng import rng_for
from hilum.recipes.labeler import recipe
from hilum.train.config import Architecture, LabelerTraining

os.environ["HF_HUB_OFFLINE"] = "1"

FINDINGS = ("Edema", "Pneumonia", "Pleural Effusion")
TINY = Architecture(layers=1, hidden=16, attention_heads=2, intermediate=32, pieces=120)
SAID = {1: "There is {} today.", 0: "No {}.", -1: "Possible {}."}


def invented(n: int, *, seed: int = 0) -> list[tuple[str, str, tuple[int | None, ...]]]:
    """(id, text, codes) of n reports that say something of each finding or leave it out."""
    rows = []
    for i in range(n):
        draws = rng_for(seed, "invented", i)
        codes = [(1, 0, -1, None)[int(draws.integers(4))] for _ in FINDINGS]
        said = [SAID[c].format(f.lower()) for f, c in zip(FINDINGS, codes, strict=True) if c is not None]
        text = " ".join([*said, f"Seen in room {int(draws.integers(30))}."])
        rows.append((f"r{seed}-{i}", text, tuple(codes)))
    return rows


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def write_files(folder: Path, *, n: int = 60, seed: int = 0) -> tuple[Path, Path]:
    """A file of reports and one of labels, joined by `id`; the labels stand in another order."""
    rows = invented(n, seed=seed)
    reports = write_csv(folder / f"reports{seed}.csv", ["id", "text"], [(i, t) for i, t, _ in rows])
    labels = write_csv(
        folder / f"labels{seed}.csv",
        ["id", *FINDINGS],
        [(i, *("" if c is None else c for c in codes)) for i, _, codes in reversed(rows)],
    )
    return reports, labels


def write_soft(folder: Path, *, n: int = 60, seed: int = 0) -> Path:
    """Probabilities for the reports of `write_files`."""
    values = {1: 0.9, 0: 0.1, -1: 0.5, None: 0.2}
    rows = [(i, *(values[c] for c in codes)) for i, _, codes in invented(n, seed=seed)]
    return write_csv(folder / f"soft{seed}.csv", ["id", *FINDINGS], rows)


def tiny_config(folder: Path, output: str = "run", *, name: str = "mini", **choices: Any) -> LabelerTraining:
    """A training of a second; the files are made when they are not there."""
    reports, labels = folder / "reports0.csv", folder / "labels0.csv"
    if not reports.exists():
        write_files(folder)
    own: dict[str, Any] = {
        "findings": FINDINGS, "epochs": 2, "expert_epochs": 2, "batch_size": 8, "max_tokens": 32, "threads": 1,
        "save_every": 3, "device": "cpu", "section": "both", "labels": labels,
    }  # fmt: skip
    if not {"pretrained", "checkpoint"} & set(choices):
        own["architecture"] = TINY
    if "soft_labels" in choices:
        own["labels"] = None
    return recipe(name)(folder / output, choices.pop("reports", reports), **{**own, **choices})


def weights(folder: Path) -> dict[str, bytes]:
    """Name -> bytes of all files of the trained model."""
    return {path.name: path.read_bytes() for path in sorted((folder / "model").iterdir())}
