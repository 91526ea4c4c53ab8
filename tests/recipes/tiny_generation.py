"""Three small phantoms, and a study of report generation so small that it takes seconds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hilum.datasets.phantom import build
from hilum.models.classifier_spec import densenet_architecture
from hilum.recipes.generation import GenerationStudy

os.environ["HF_HUB_OFFLINE"] = "1"

SIZES = {"train": 40, "valid": 16, "test": 24}
SMALL = densenet_architecture(blocks=(1, 1), growth=4, first=8, bottleneck=2)


def write_phantoms(folder: Path) -> Path:
    """A phantom for each role; the seeds are other patients, though their ids are the same."""
    for seed, (name, n) in enumerate(SIZES.items(), start=31):
        build(seed=seed, n=n, size=64).write(folder / name)
    return folder


def tiny_generation(folder: Path, **choices: Any) -> GenerationStudy:
    sizes = {"width": 12, "hidden": 12, "batch_size": 16, "least_count": 1, "epochs": 1, "most_words": 8}
    own: dict[str, Any] = {
        **{role: f"phantom:{folder / role}" for role in SIZES}, "device": "cpu", "threads": 1, "workers": 1,
        "image": {"architecture": SMALL, "size_px": 64, "epochs": 1, "batch_size": 16}, "generator": sizes,
        "baseline": sizes, "reinforce": {"epochs": 1, "epoch_steps": 2, "batch_size": 8, "save_every": 1},
        "replicates": 30, "examples": 3,
    }  # fmt: skip
    return GenerationStudy(**{**own, **choices})


def outputs(folder: Path) -> dict[str, bytes]:
    """Relative name -> bytes of all that the study writes but its stages."""
    files = {
        path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()
    }
    return {name: path.read_bytes() for name, path in files.items() if not name.startswith("stages/")}
