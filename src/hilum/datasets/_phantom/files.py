"""Names of the files of a phantom on disk, and the phantom read back from them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hilum.core.errors import InputError
from hilum.core.imaging import Box, Image, Mask, Study, View
from hilum.core.records import Labels, Report
from hilum.core.vocabulary import CHEXPERT14, state_from_csv

TABLE, BOXES, SETTINGS, README = "studies.jsonl", "boxes.csv", "phantom.json", "README.md"
IMAGES, MASKS, REPORTS = "images", "masks", "reports"
MASK_NAMES = ("left lung", "right lung", "heart")
PARTS = ".hilum-parts"
"""The folder that is there from the start of a run until it is finished."""


def population(folder: Path | str) -> str:
    """Whose patients a written phantom has: those of its seed; "" where that is not known."""
    try:
        return f"seed {json.loads((Path(folder) / SETTINGS).read_bytes())['seed']}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


@dataclass(frozen=True)
class MaskFile(Mapping[str, Mask]):
    """Masks in a file, read when one is asked for."""

    path: Path
    names: tuple[str, ...]

    def __getitem__(self, name: str) -> Mask:
        if name not in self.names:
            raise KeyError(name)
        from hilum.images.read import read_image  # noqa: PLC0415  (labels and reports need no image package)

        bits = np.rint(read_image(self.path).pixels[0] * 255).astype(np.uint8)
        mask: Mask = (bits >> MASK_NAMES.index(name)) & 1 == 1
        return mask

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def read_phantom(table: Path, split: str | None = None) -> Iterator[Study]:
    """The studies of `studies.jsonl`; images and masks are not read. Raises InputError for a bad row."""
    folder = table.parent
    with table.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                study = _study(folder, json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
                raise InputError(
                    f"{table}, line {number}: this is no study of the phantom ({type(error).__name__}: {error}). "
                    "Next step: write the phantom again with --fresh (in Python: fresh=True)."
                ) from error
            if split is None or study.split == split:
                yield study


def _study(folder: Path, row: Mapping[str, Any]) -> Study:
    report = folder / REPORTS / f"{row['id']}.txt"
    text = report.read_bytes().decode() if report.is_file() else None
    labels = {
        source: Labels(CHEXPERT14, tuple(state_from_csv(codes[name]) for name in CHEXPERT14.names))
        for source, codes in row["labels"].items()
    }
    return Study(
        id=row["id"],
        patient=row["patient"],
        images=tuple(_image(folder, image) for image in row["images"]),
        report=None if text is None else Report(row["id"], text, meta={"synthetic": "yes"}),
        labels=labels,
        priors=tuple(row["priors"]),
        sex=row["sex"],
        race=row["race"],
        age_years=row["age_years"],
        split=row["split"],
        licence=row["licence"],
        meta=row["meta"],
    )


def _image(folder: Path, row: Mapping[str, Any]) -> Image:
    name, masks = f"{row['id']}.png", tuple(row["masks"])
    path = folder / IMAGES / name
    return Image(
        id=row["id"],
        path=path if row["is_drawn"] and path.is_file() else None,
        view=View(row["view"]),
        boxes=tuple(Box(*box) for box in row["boxes"]),
        masks=MaskFile(folder / MASKS / name, masks) if masks else {},
        spacing_mm=tuple(row["spacing_mm"]) if row["spacing_mm"] else None,
    )
