"""A small phantom on disk, for the contract of all data sets."""

from __future__ import annotations

from pathlib import Path

from hilum.datasets.phantom import build


def write(root: Path) -> None:
    """Twelve studies at 64 px."""
    build(seed=3, n=12, size=64).write(root)
