"""ChestX-ray14 of the NIH: frontal images with text-mined labels, boxes of some, and no reports."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from hilum.core.errors import InputError
from hilum.core.imaging import Box, Image, Study, View
from hilum.core.records import Labels
from hilum.core.vocabulary import NIH14
from hilum.datasets._base import Access, Card, DataSet, Expected, Item, ItemStatus
from hilum.datasets._files import examples, image_files, image_items
from hilum.datasets._pixels import scaled_spacing, size_of
from hilum.datasets._series import Moment, Series
from hilum.datasets._tables import Row, TableFile, labels_from_names

TABLES = ("Data_Entry_2017*.csv", "Data_Entry_2017*.csv.gz", "*/Data_Entry_2017*.csv", "labels.csv")
BOXES = ("BBox_List_2017.csv", "*/BBox_List_2017.csv")
SPLIT_LISTS = {"train_val": "train_val_list.txt", "test": "test_list.txt"}
RELEASED_PX = 1024
"""Width and height of the released images, which the boxes refer to (README of ChestX-ray14)."""

_NEEDED = ("Image Index", "Finding Labels")
_WIDTH, _HEIGHT, _ACROSS, _DOWN = "OriginalImage[Width", "Height]", "OriginalImagePixelSpacing[x", "y]"
_OPTIONAL = (
    "Follow-up #", "Patient ID", "Patient Age", "Patient Gender", "Patient Sex", "View Position",
    _WIDTH, _HEIGHT, _ACROSS, _DOWN,
)  # fmt: skip
_VIEWS = {"PA": View.PA, "AP": View.AP, "": View.FRONTAL}
_AGE = re.compile(r"(\d+(?:\.\d+)?) *([YMWD]?)", re.IGNORECASE)
_UNITS = {"Y": 1.0, "M": 12.0, "W": 52.18, "D": 365.25}
_OLDEST = 120.0

_CARD = Card(
    title="NIH ChestX-ray14",
    access=Access.OPEN,
    licence="no restrictions on use; the NIH Clinical Center asks to be named, and the paper to be cited",
    citation=(
        "Wang X, Peng Y, Lu L, Lu Z, Bagheri M, Summers RM. ChestX-ray8: Hospital-scale chest X-ray database and "
        "benchmarks on weakly-supervised classification and localization of common thorax diseases. CVPR 2017."
    ),
    homepage="https://nihcc.app.box.com/v/ChestXray-NIHCC",
    how_to_get=(
        "Download Data_Entry_2017_v2020.csv, BBox_List_2017.csv, train_val_list.txt, test_list.txt and the twelve "
        "images_*.tar.gz from https://nihcc.app.box.com/v/ChestXray-NIHCC, unpack the images below one folder, and "
        "put the tables into it."
    ),
    expected=(
        Expected("Data_Entry_2017*.csv", "table of images and findings", alternatives=TABLES[1:]),
        Expected(
            "images*/images/*.png",
            "images",
            count=112_120,
            alternatives=("images/*.png", "images*/*.png", "images/*.jpg", "*/images/*.png"),
        ),
        Expected(
            "train_val_list.txt",
            "split: training and validation",
            False,
            alternatives=("*/train_val_list.txt",),
        ),
        Expected("test_list.txt", "split: test", False, alternatives=("*/test_list.txt",)),
        Expected("BBox_List_2017.csv", "boxes of 880 images", False, alternatives=BOXES[1:]),
    ),
    splits=tuple(SPLIT_LISTS),
    labels=("nih",),
)


class _Entry(NamedTuple):
    """One row of the table, its image found."""

    name: str
    path: Path
    row: Row
    patient: str
    moment: Moment | None


class Nih(DataSet):
    """Every image is a study: the table says which visit of its patient it is, not which images belong together.

    Priors follow the visits, not the numbers in file names: for some patients these run in another order, and by
    the visits no patient grows younger.

    Labels (source "nih", vocabulary nih14) are text-mined: findings that a row does not list are NEGATIVE, though
    nobody may have looked for them. `spacing_mm` is that of the image as it is here: the table's spacing is of the
    original, which had another size and often another shape (pass `spacing=False` to leave it out; then only images
    with boxes are opened). Boxes are scaled from the released 1024 x 1024 px to the size of the image.
    """

    card = _CARD

    def __init__(self, root: Path | str, *, spacing: bool = True) -> None:
        super().__init__(root)
        self.spacing = spacing
        self._splits: Mapping[str, str] = {}
        self._boxes: Mapping[str, tuple[Box, ...]] = {}

    def _studies(self, split: str | None) -> Iterator[Study]:
        table = self._table()
        self._splits = self._read_splits(split)
        self._boxes = self._read_boxes()
        entries = list(self._entries(table))
        series = Series()
        for entry in entries:
            series.add(entry.patient, Path(entry.name).stem, entry.moment)
        for entry in entries:
            of = self._splits.get(entry.name, "")
            if split is None or of == split:
                yield self._study(entry, series, of)

    def _table(self) -> TableFile:
        path = self.needed(*TABLES)
        return TableFile(path, needed=_NEEDED, optional=_OPTIONAL, dropped=self.dropped)

    def _entries(self, table: TableFile) -> Iterator[_Entry]:
        files = _by_stem(image_files(self.root))
        seen: set[str] = set()
        for row in table:
            name = row["Image Index"]
            if name in seen:
                self.dropped.add("rows that repeat an image", name, wrong=True)
                continue
            seen.add(name)
            path = files.get(Path(name).stem)
            if path is None:
                self.dropped.add("images that the table names and that are not here", name)
                continue
            visit = row.real("Follow-up #")
            patient = row["Patient ID"].lstrip("0") or name.partition("_")[0].lstrip("0")
            yield _Entry(name, path, row, patient, None if visit is None else (visit,))

    def _study(self, entry: _Entry, series: Series, split: str) -> Study:
        row, stem = entry.row, Path(entry.name).stem
        spacing, moved = self._placed(entry, self._boxes.get(entry.name, ()))
        view = _VIEWS.get(row["View Position"].upper())
        if view is None:
            self.dropped.add(
                "views that are neither PA nor AP (kept as unknown)", row["View Position"], wrong=True
            )
            view = View.UNKNOWN
        labels = self._labels(row)
        meta = {"visit": row["Follow-up #"]}
        if row[_WIDTH] and row[_HEIGHT]:
            meta["original size"] = f"{row[_WIDTH]} x {row[_HEIGHT]}"
        return Study(
            id=stem,
            patient=entry.patient,
            images=(Image(stem, path=entry.path, view=view, boxes=moved, spacing_mm=spacing),),
            labels={} if labels is None else {"nih": labels},
            priors=series.before(entry.patient, entry.moment),
            sex=self._sex(row),
            age_years=self._age(row),
            split=split,
            licence=self.card.licence,
            meta={key: value for key, value in meta.items() if value},
        )

    def _labels(self, row: Row) -> Labels | None:
        named = [name.strip() for name in row["Finding Labels"].split("|") if name.strip()]
        labels, foreign = labels_from_names(NIH14, named)
        none = NIH14.no_finding
        for name in foreign:
            self.dropped.add("findings that the vocabulary nih14 has not (left out)", name, wrong=True)
        if len(named) == len(foreign):
            self.dropped.add(
                "rows without a known finding (kept without labels)", row["Image Index"], wrong=True
            )
            return None
        if none in named and len(named) > 1:
            self.dropped.add(
                f"rows with {none} beside a finding (kept without labels)", row["Image Index"], wrong=True
            )
            return None
        return labels

    def _sex(self, row: Row) -> str:
        sex = (row["Patient Gender"] or row["Patient Sex"]).upper()
        if sex in ("F", "M", ""):
            return sex
        self.dropped.add("sexes that are neither F nor M (left empty)", sex, wrong=True)
        return ""

    def _age(self, row: Row) -> float | None:
        age = age_in_years(row["Patient Age"])
        if row["Patient Age"] and (age is None or age > _OLDEST):
            self.dropped.add(
                "ages that nobody can have (left empty)", f"{row['Image Index']}: {row['Patient Age']}"
            )
            return None
        return age

    def _placed(
        self, entry: _Entry, boxes: tuple[Box, ...]
    ) -> tuple[tuple[float, float] | None, tuple[Box, ...]]:
        """Spacing and boxes for the image as it is here: it may have another size than the table's."""
        row = entry.row
        original = (row.real(_HEIGHT), row.real(_WIDTH))
        spacing = (row.real(_DOWN), row.real(_ACROSS))
        wants_spacing = self.spacing and None not in (*original, *spacing)
        size = size_of(entry.path, self.dropped) if boxes or wants_spacing else None
        if size is None:
            return None, ()
        y, x = size[0] / RELEASED_PX, size[1] / RELEASED_PX
        moved = tuple(Box(b.finding, b.x0 * x, b.y0 * y, b.x1 * x, b.y1 * y) for b in boxes)
        return scaled_spacing(spacing, original, size) if wants_spacing else None, moved

    def _read_splits(self, split: str | None) -> Mapping[str, str]:
        found: dict[str, str] = {}
        for name, file in SPLIT_LISTS.items():
            patterns = (file, f"*/{file}")
            path = self.needed(*patterns) if name == split else self.optional(*patterns)
            for image in path.read_text(encoding="utf-8", errors="replace").split() if path else ():
                if found.setdefault(image, name) != name:
                    self.dropped.add("images that two splits list (the first counts)", image, wrong=True)
        return found

    def _read_boxes(self) -> Mapping[str, tuple[Box, ...]]:
        path = self.optional(*BOXES)
        found: dict[str, list[Box]] = defaultdict(list)
        if path is None:
            return {}
        columns = ("Image Index", "Finding Label", "Bbox [x", "y", "w", "h]")
        for row in TableFile(path, needed=columns, dropped=self.dropped):
            numbers = [row.real(column) for column in columns[2:]]
            if row["Finding Label"] not in NIH14 or None in numbers:
                self.dropped.add(
                    "boxes without a known finding or four numbers", f"row {row.number}", wrong=True
                )
                continue
            x, y, w, h = (number or 0.0 for number in numbers)
            finding = NIH14.names[NIH14.index(row["Finding Label"])]
            found[row["Image Index"]].append(Box(finding, x, y, x + w, y + h))
        return {name: tuple(boxes) for name, boxes in found.items()}

    def _verify(self) -> tuple[list[Item], dict[str, int]]:
        counts = self.count()
        table = TableFile(self.needed(*TABLES), needed=_NEEDED)
        named = list(dict.fromkeys(Path(row["Image Index"]).stem for row in table))
        items = image_items(named, _by_stem(image_files(self.root)), table=table.path.name, required=True)
        known = {Path(name).stem for name in self._boxes}
        counts["images with boxes"] = len(known.intersection(named))
        listed = {Path(name).stem for name in self._splits}
        unlisted = [name for name in named if name not in listed]
        if listed and unlisted:
            note = f"in no split: {examples(unlisted)}"
            items.append(
                Item("images in a split", "", ItemStatus.PART, len(named) - len(unlisted), len(named), note)
            )
        return items, counts


def age_in_years(text: str) -> float | None:
    """An age as NIH writes it, "58", "058Y", "006M" (months), "013D" (days), in years; None for anything else."""
    match = _AGE.fullmatch(text.strip())
    return float(match[1]) / _UNITS[match[2].upper() or "Y"] if match else None


def _by_stem(files: Mapping[str, Path]) -> dict[str, Path]:
    """Stem -> path: smaller copies of the data set are jpg where the table says png."""
    found: dict[str, Path] = {}
    for name, path in files.items():
        found.setdefault(Path(name).stem, path)
    return found


def build(root: Path | str, *, spacing: bool = True) -> Nih:
    """ChestX-ray14 below `root`. Raises InputError for an option that is no bool."""
    if not isinstance(spacing, bool):
        raise InputError(f"spacing is {spacing!r}; allowed: True, False.")
    return Nih(root, spacing=spacing)
