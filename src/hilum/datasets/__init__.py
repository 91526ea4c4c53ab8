"""Which data: each module whose name has no leading underscore and that has a `build` is a data set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hilum.core.errors import UnknownNameError
from hilum.core.plugins import Folder
from hilum.datasets._base import Access, Card, Checkup, DataSet, Dropped, Expected, Item, ItemStatus

__all__ = [
    "DATA_SETS",
    "Access",
    "Card",
    "Checkup",
    "DataSet",
    "Dropped",
    "Expected",
    "Item",
    "ItemStatus",
    "get_data_set",
]

DATA_SETS: Folder[Callable[..., DataSet]] = Folder("data_set", "hilum.datasets", "build")
"""All data sets: a module `hilum/datasets/NAME.py` with a function `build(root, **options) -> DataSet`."""


def get_data_set(name: str, root: Path | str, **options: object) -> DataSet:
    """The data set `name` below the folder `root`. Raises UnknownNameError, with the nearest name."""
    if name not in (names := DATA_SETS.names()):
        raise UnknownNameError("data set", name, names)
    return DATA_SETS.get(name)(root, **options)
