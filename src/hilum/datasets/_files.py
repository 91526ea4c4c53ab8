"""Image files of a data set: found once below a folder, held against what its tables name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from hilum.datasets._base import Item, ItemStatus

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".dcm", ".dicom", ".tif", ".tiff", ".bmp"})
"""Suffixes, in lower case, of the files that are taken for images."""

_SHOWN = 3


def image_files(folder: Path) -> dict[str, Path]:
    """File name -> path of all images in a folder and below, in the order of their paths.

    Hidden files and folders are left out; of two files with one name the first counts. {} without the folder.
    """
    found: dict[str, Path] = {}
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(one for one in folders if not one.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and name[name.rfind(".") :].lower() in IMAGE_SUFFIXES:
                found.setdefault(name, Path(place, name))
    return found


def image_items(
    named: Iterable[str], present: Mapping[str, Path] | Iterable[str], *, table: str, required: bool = False
) -> list[Item]:
    """Two lines for a checkup: images that `table` names and that are here, and images that it does not name.

    `named` and `present` are names in one form. None of the named ones here is MISSING, or ABSENT if not
    `required`; some of them is PART, and images that nobody names are PART too: no study has them.
    """
    wanted, here = list(dict.fromkeys(named)), set(present)
    absent = [name for name in wanted if name not in here]
    found = len(wanted) - len(absent)
    status = ItemStatus.FOUND if not absent else ItemStatus.PART
    if not found:
        status = ItemStatus.MISSING if required else ItemStatus.ABSENT
    note = f"{len(absent):,} are not here: {examples(absent)}" if absent else ""
    items = [Item(f"images named in {table}", "", status, found, len(wanted), note)]
    strangers = sorted(here.difference(wanted))
    if strangers:
        note = f"no row names them: {examples(strangers)}"
        items.append(Item(f"images not named in {table}", "", ItemStatus.PART, len(strangers), 0, note))
    return items


def examples(names: Iterable[str]) -> str:
    """The first few of some names, and "..." when there are more."""
    listed = list(names)
    return ", ".join(listed[:_SHOWN]) + (", ..." if len(listed) > _SHOWN else "")
