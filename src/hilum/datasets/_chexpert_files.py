"""Where the files of CheXpert lie, and what their names say: the distributions differ in their folders."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from hilum.core.imaging import View
from hilum.core.records import Labels
from hilum.core.vocabulary import CHEXPERT14
from hilum.datasets._base import Dropped
from hilum.datasets._tables import LabelColumns, TableFile

BATCHES = "CheXpert-v1.0 batch *"
"""Folders of the distribution in batches: images lie right in them, by patient."""

TABLES: Mapping[str, tuple[str, ...]] = {
    "train": ("train.csv", "CheXpert*/train.csv"),
    "valid": ("valid.csv", "CheXpert*/valid.csv", "val_labels.csv", "CheXpert*/val_labels.csv"),
    "test": (
        "groundtruth.csv", "CheXpert*/groundtruth.csv", "test_labels.csv", "CheXpert*/test_labels.csv",
        "test.csv", "CheXpert*/test.csv",
    ),
}  # fmt: skip
"""Split -> globs of its table, the first that matches counts."""

READERS = ("radiologist_bc*.csv", "CheXpert*/radiologist_bc*.csv")
"""Globs of the tables of single readers of the test set."""

_PLACE = re.compile(r"(?:^|/)(?:train|valid|val|test)/(patient\w+)/(study(\d+))(?:/([^/]+))?/?$")
_READER = re.compile(r"radiologist_(bc\d+)(?:_gt)?\.csv")
_SIDES = ("Frontal/Lateral", "AP/PA")
_FOLDERS = {"train": ("train",), "valid": ("valid", "val"), "test": ("test",)}
_SEXES = {"male": "M", "female": "F"}


class Place(NamedTuple):
    """What a path in a table says: "CheXpert-v1.0/train/patient00001/study1/view1_frontal.jpg"; `image` may be ""."""

    patient: str
    study: str
    number: int
    image: str

    @property
    def id(self) -> str:
        """Id of the study: no patient is in two splits."""
        return f"{self.patient}/{self.study}"


@dataclass(slots=True)
class Gathered:
    """The rows of one study in a table: labels, sex and age of its first row, name and view of each image."""

    place: Place
    labels: Labels | None
    sex: str
    age_years: float | None
    images: list[tuple[str, View]] = field(default_factory=list)


def place_of(path: str) -> Place | None:
    """The parts of a path or study of a table; None when it is neither."""
    found = _PLACE.search(path.strip().replace("\\", "/"))
    return Place(found[1], found[2], int(found[3]), found[4] or "") if found else None


def reader_of(path: Path) -> str:
    """Source of the labels of a reader's table: "reader bc1" for radiologist_bc1_gt.csv; "" for other files."""
    found = _READER.fullmatch(path.name)
    return f"reader {found[1]}" if found else ""


def view_of(name: str, *, side: str = "", direction: str = "") -> View:
    """The view by the columns Frontal/Lateral and AP/PA, else by the name of the file."""
    word = (side or name).lower()
    if "lateral" in word:
        return View.LATERAL
    if "frontal" in word:
        return {"AP": View.AP, "PA": View.PA}.get(direction.upper(), View.FRONTAL)
    return View.UNKNOWN


def gather(path: Path, dropped: Dropped) -> dict[str, Gathered]:
    """The rows of a table by study, in the order in which studies first occur.

    Rows without a study, images named twice and images with other labels than the first of their study are
    counted. Age 0 stands in rows of unknown sex, and is taken as not known.
    """
    table, columns, key = _open_table(path, dropped)
    found: dict[str, Gathered] = {}
    seen: set[tuple[str, str]] = set()
    for row in table:
        place = place_of(row[key])
        if place is None:
            dropped.add(f"rows whose {key} names no study", f"{path.name} row {row.number:,}", wrong=True)
            continue
        if (place.id, place.image) in seen:
            dropped.add(f"rows whose {key} occurred before", f"{path.name} row {row.number:,}", wrong=True)
            continue
        seen.add((place.id, place.image))
        labels = columns.of(row)
        study = found.get(place.id)
        if study is None:
            age = row.real("Age") or None
            study = found[place.id] = Gathered(place, labels, _SEXES.get(row["Sex"].lower(), ""), age)
        elif labels != study.labels:
            dropped.add("images with other labels than the first of their study", row[key], wrong=True)
        if place.image:
            side, direction = (row[name] for name in _SIDES)
            study.images.append((place.image, view_of(place.image, side=side, direction=direction)))
    return found


def _open_table(path: Path, dropped: Dropped) -> tuple[TableFile, LabelColumns, str]:
    """A table of labels with its finding columns and the name of its key: Path, or Study in the test set."""
    headers = {header.lower() for header in TableFile(path).headers}
    key = "Study" if "study" in headers else "Path"
    table = TableFile(path, needed=(key,), optional=("Sex", "Age", *_SIDES), dropped=dropped)
    return table, LabelColumns(table, CHEXPERT14, at_least=5, dropped=dropped), key


def labels_beside(path: Path, studies: Sequence[str], dropped: Dropped) -> dict[str, Labels]:
    """Study -> Labels of a table beside that of a split, whose studies are given in their order.

    Joined by study, but by position where the key column alone slipped (see `shifted_rows`); such rows, and
    studies that the split has not, are counted.
    """
    rows = gather(path, dropped)
    names = tuple(rows)
    slipped = shifted_rows(names, studies)
    if slipped is not None:
        reason = (
            f"rows of {path.name} with the study of a neighbour (shifted by one, as in the published file; joined by "
            "position, nothing to do)"
        )
        for place in range(slipped[0], slipped[1] + 1):
            dropped.add(reason, f"row {place + 1:,} has {names[place]} for {studies[place]}", odd=True)
        names = tuple(studies)
    known = set(studies)
    for name in names:
        if name not in known:
            dropped.add(f"studies of {path.name} that the table of the split has not", name)
    return {n: row.labels for n, row in zip(names, rows.values(), strict=True) if row.labels and n in known}


class Images:
    """Finds the image files of one split in any of the distributions' folders."""

    def __init__(self, root: Path, table: Path, split: str) -> None:
        bases = [folder / name for folder in (table.parent, root) for name in _FOLDERS[split]]
        bases += [one / name for one in sorted(root.glob("CheXpert*")) for name in _FOLDERS[split]]
        bases += [one for folder in (root, table.parent.parent) for one in sorted(folder.glob(BATCHES))]
        self._bases = [one for one in dict.fromkeys(bases) if one.is_dir()]

    def find(self, place: Place, name: str) -> Path | None:
        """The file of an image of a study; None when it is not here."""
        for number, base in enumerate(self._bases):
            path = os.path.join(base, place.patient, place.study, name)  # noqa: PTH118 - called 223,414 times
            if os.path.isfile(path):  # noqa: PTH113
                self._bases.insert(0, self._bases.pop(number))
                return Path(path)
        return None

    def listed(self, place: Place) -> list[str]:
        """Names of the images in the folder of a study, in order; the test set's table names studies alone."""
        for base in self._bases:
            folder = base / place.patient / place.study
            if folder.is_dir():
                return sorted(
                    p.name for p in folder.iterdir() if p.suffix.lower() in (".jpg", ".jpeg", ".png")
                )
        return []


def shifted_rows(keys: Sequence[str], reference: Sequence[str]) -> tuple[int, int] | None:
    """First and last place (from 0) of a block in which the keys are those of the reference, turned by one.

    None unless both have the same keys, all other places agree, and the block is so turned: then the rows are
    in the order of the reference and the key column alone slipped, as in the published chexpert_labels.csv.
    """
    if len(keys) != len(reference):
        return None
    differing = [i for i, (a, b) in enumerate(zip(keys, reference, strict=True)) if a != b]
    if not differing:
        return None
    first, last = differing[0], differing[-1]
    block, wanted = list(keys[first : last + 1]), list(reference[first : last + 1])
    turned = (block[1:] + block[:1], block[-1:] + block[:-1])
    return (first, last) if len(block) > 2 and wanted in turned else None
