"""CheXpert: chest X-rays of Stanford with labels, train, valid and the test set (Irvin et al. 2019).

Its reports are not published with it. In the published `chexpert_labels.csv` of the test set the column Study is
shifted by one in 100 rows; such rows are joined by position (see `labels_beside`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from hilum.core.imaging import Image, Study
from hilum.core.records import Labels
from hilum.datasets._base import Access, Card, DataSet, Expected, Item, ItemStatus
from hilum.datasets._chexpert_files import (
    READERS,
    TABLES,
    Gathered,
    Images,
    gather,
    labels_beside,
    reader_of,
    view_of,
)

LICENCE = "Stanford University Dataset Research Use Agreement"
_LABELER = ("chexpert_labels.csv", "CheXpert*/chexpert_labels.csv")
_FURTHER: Mapping[str, tuple[str, ...]] = {
    "chexbert": ("train_cheXbert.csv", "CheXpert*/train_cheXbert.csv"),
    "visualchexbert": ("train_visualCheXbert.csv", "CheXpert*/train_visualCheXbert.csv"),
}
_SOURCE = {"train": "chexpert", "valid": "image", "test": "image"}
_TABLES = tuple(pattern for patterns in TABLES.values() for pattern in patterns)


def _files(split: str, count: int | None) -> Expected:
    patterns = [f"{split}/patient*/study*/*.jpg", f"CheXpert*/{split}/patient*/study*/*.jpg"]
    if split == "train":
        patterns.append("CheXpert-v1.0 batch */patient*/study*/*.jpg")
    return Expected(
        patterns[0], f"images of {split}", required=False, count=count, alternatives=tuple(patterns[1:])
    )


def _table(patterns: tuple[str, ...], what: str, count: int | None = None) -> Expected:
    return Expected(patterns[0], what, required=False, count=count, alternatives=patterns[1:])


class CheXpert(DataSet):
    """One study per patientNNN/studyN of the tables that are here; the splits are train, valid and test.

    Labels: `image` (radiologists reading the image: the majority of three in valid, of five in test), `chexpert`
    (its labeler on the report: train, and chexpert_labels.csv of test), `chexbert` and `visualchexbert` (other
    labelers on the reports of train), `reader bc1` ... (single readers of test). Priors are the studies of the
    patient with a lower number.
    """

    card = Card(
        title="CheXpert",
        access=Access.REGISTRATION,
        licence=LICENCE,
        citation=(
            "Irvin J, Rajpurkar P, et al. CheXpert: a large chest radiograph dataset with uncertainty labels and "
            "expert comparison. AAAI 2019."
        ),
        homepage="https://stanfordmlgroup.github.io/competitions/chexpert/",
        how_to_get=(
            "Register at https://stanfordmlgroup.github.io/competitions/chexpert/ (Stanford AIMI), accept the "
            "agreement and unpack CheXpert-v1.0 or CheXpert-v1.0-small; labels of the test set are in "
            "https://github.com/rajpurkarlab/cheXpert-test-set-labels."
        ),
        expected=(
            Expected(_TABLES[0], "a table of labels (train, valid or test)", alternatives=tuple(_TABLES[1:])),
            _table(TABLES["train"], "labels of train"),
            _table(TABLES["valid"], "labels of valid"),
            _table(TABLES["test"], "labels of test"),
            _files("train", 223_414),
            _files("valid", 234),
            _files("test", 668),
            _table(READERS, "single readers of test", 8),
            _table(_LABELER, "output of the CheXpert labeler on the reports of test"),
            _table(_FURTHER["chexbert"], "output of CheXbert on the reports of train"),
            _table(_FURTHER["visualchexbert"], "output of VisualCheXbert on the reports of train"),
        ),
        splits=tuple(TABLES),
        labels=("image", "chexpert", "chexbert", "visualchexbert", *(f"reader bc{n}" for n in range(1, 9))),
    )

    def _studies(self, split: str | None) -> Iterator[Study]:
        if split is not None:
            self.needed(*TABLES[split])
        else:
            self.needed(*_TABLES)
        for name, patterns in TABLES.items():
            path = self.optional(*patterns)
            if path is not None and split in (None, name):
                yield from self._of_table(path, name)

    def _of_table(self, path: Path, split: str) -> Iterator[Study]:
        rows = gather(path, self.dropped)
        numbers: dict[str, list[int]] = {}
        for study in rows.values():
            numbers.setdefault(study.place.patient, []).append(study.place.number)
        beside = self._beside(split, tuple(rows))
        images = Images(self.root, path, split)
        for name, study in rows.items():
            own = {} if study.labels is None else {_SOURCE[split]: study.labels}
            others = {source: table[name] for source, table in beside.items() if name in table}
            yield Study(
                name,
                patient=study.place.patient,
                images=self._images(study, images),
                labels={**own, **others},
                priors=_earlier(study, numbers[study.place.patient]),
                sex=study.sex,
                age_years=study.age_years,
                split=split,
                licence=LICENCE,
            )

    def _images(self, study: Gathered, images: Images) -> tuple[Image, ...]:
        place = study.place
        found: list[Image] = []
        for name, view in study.images or [(name, view_of(name)) for name in images.listed(place)]:
            path = images.find(place, name)
            if path is None:
                self.dropped.add("images that a table names and that are not here", f"{place.id}/{name}")
            else:
                found.append(Image(f"{place.id}/{name.rpartition('.')[0]}", path, view=view))
        return tuple(found)

    def _beside(self, split: str, studies: tuple[str, ...]) -> dict[str, dict[str, Labels]]:
        """Source -> study -> Labels, of the tables beside that of the split."""
        paths: dict[str, Path | None] = {}
        if split == "train":
            paths = {source: self.optional(*patterns) for source, patterns in _FURTHER.items()}
        elif split == "test":
            readers = {reader_of(path): path for pattern in READERS for path in self.root.glob(pattern)}
            paths = {"chexpert": self.optional(*_LABELER), **dict(sorted(readers.items()))}
        return {
            source: labels_beside(path, studies, self.dropped)
            for source, path in paths.items()
            if source and path is not None
        }

    def _verify(self) -> tuple[list[Item], dict[str, int]]:
        missing = "images that a table names and that are not here"
        counts = self.count()
        lost = self.dropped.counts[missing]
        named = counts["images"] + lost
        if not named:
            return [], counts
        status = ItemStatus.FOUND if not lost else ItemStatus.PART if counts["images"] else ItemStatus.ABSENT
        note = f"{lost:,} are not here: {self.dropped.some(missing)}" if lost else ""
        return [Item("images named in the tables", "", status, counts["images"], named, note)], counts


def _earlier(study: Gathered, numbers: list[int]) -> tuple[str, ...]:
    place = study.place
    return tuple(f"{place.patient}/study{n}" for n in sorted(numbers) if n < place.number)


def build(root: Path | str) -> CheXpert:
    """CheXpert below `root`: the folder with train.csv or groundtruth.csv, or the one above it."""
    return CheXpert(root)
