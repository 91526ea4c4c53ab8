"""Four small phantoms, and a study of them so small that it takes seconds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hilum.datasets.phantom import build
from hilum.models.classifier_spec import densenet_architecture
from hilum.recipes.visualchexbert import VisualChexbertStudy
from hilum.train.config import Architecture

os.environ["HF_HUB_OFFLINE"] = "1"

SIZES = {"a": 48, "b": 48, "v": 30, "t": 40}
TINY = Architecture(layers=1, hidden=16, attention_heads=2, intermediate=32, pieces=300)
SMALL = densenet_architecture(blocks=(1, 1), growth=4, first=8, bottleneck=2)


def write_sets(folder: Path) -> Path:
    """A phantom for each role; the seeds are other patients."""
    for seed, (name, n) in enumerate(SIZES.items(), start=21):
        build(seed=seed, n=n, size=64).write(folder / name)
    return folder


def tiny_study(folder: Path, **choices: Any) -> VisualChexbertStudy:
    own: dict[str, Any] = {
        "image_train": f"phantom:{folder / 'a'}", "report_train": f"phantom:{folder / 'b'}",
        "valid": f"phantom:{folder / 'v'}", "test": f"phantom:{folder / 't'}", "device": "cpu",
        "threads": 1, "workers": 1,
        "classifier": {"architecture": SMALL, "size_px": 32, "epochs": 1, "batch_size": 16, "save_every": 1},
        "encoder": {"architecture": TINY, "epochs": 1, "max_tokens": 48, "save_every": 1}, "replicates": 50,
        "findings": ("Cardiomegaly", "Lung Opacity", "Support Devices"),
    }  # fmt: skip
    return VisualChexbertStudy(**{**own, **choices})


def page_bytes(folder: Path) -> dict[str, bytes]:
    """Relative name -> bytes of all that the study writes but its stages."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in files}
    return {name: path.read_bytes() for name, path in names.items() if not name.startswith("stages/")}


def stage_bytes(folder: Path) -> dict[str, bytes]:
    """Name -> bytes of the tables and weights of all stages."""
    found = sorted((folder / "stages").rglob("*"))
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in found
        if path.suffix in (".csv", ".safetensors")
    }
