"""The phantom, synthetic chest studies with known truth, written to a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hilum.datasets.phantom import CAUSES, Phantom, PhantomOptions, build
from hilum.runner.local import Progress

__all__ = ["CAUSES", "PhantomOptions", "write_phantom"]


def write_phantom(
    folder: str | Path,
    options: PhantomOptions,
    *,
    workers: int = 1,
    progress: Callable[[Progress], None] | None = None,
    fresh: bool = False,
) -> dict[str, int]:
    """Write the phantom of `options` below `folder`, and count what is there: studies, patients, images, splits.

    The bytes do not depend on `workers` or on interruptions; what was done before a kill is not done again. Raises
    OutputError when the folder holds another phantom (`fresh` replaces it).
    """
    Phantom(None, options).write(folder, workers=workers, progress=progress, fresh=fresh)
    return build(folder).count()
