"""PadChest: images with Spanish reports and labels of them, from the hospital San Juan de Alicante."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import NamedTuple

from hilum.core.errors import InputError
from hilum.core.imaging import Image, Study, View
from hilum.core.records import Labels, Report
from hilum.datasets._base import Access, Card, DataSet, Expected, Item
from hilum.datasets._files import image_files, image_items
from hilum.datasets._padchest_labels import padchest_labels, parse_list
from hilum.datasets._pixels import scaled_spacing, size_of
from hilum.datasets._series import Series, day
from hilum.datasets._tables import Row, TableFile

TABLES = (
    "PADCHEST_chest_x_ray_images_labels*.csv",
    "PADCHEST_chest_x_ray_images_labels*.csv.gz",
    "*/PADCHEST_chest_x_ray_images_labels*.csv",
    "*/PADCHEST_chest_x_ray_images_labels*.csv.gz",
    "chest_x_ray_images_labels*.csv",
)
VIEWS: Mapping[str, View] = {
    "PA": View.PA,
    "AP": View.AP,
    "AP_horizontal": View.AP,
    "L": View.LATERAL,
    "COSTAL": View.UNKNOWN,
    "UNK": View.UNKNOWN,
    "": View.UNKNOWN,
}
"""Projection -> view; COSTAL is a film of the ribs."""
EXCLUDED = "EXCLUDE"
"""The projection of images that PadChest itself tells to leave out."""

_NEEDED = ("ImageID", "StudyID", "PatientID", "Labels")
_OPTIONAL = (
    "ImageDir", "StudyDate_DICOM", "PatientBirth", "PatientSex_DICOM", "Projection", "Pediatric",
    "PhotometricInterpretation_DICOM", "SpatialResolution_DICOM", "Rows_DICOM", "Columns_DICOM", "ReportID",
    "Report", "MethodLabel",
)  # fmt: skip
_OLDEST = 120

_CARD = Card(
    title="PadChest",
    access=Access.REGISTRATION,
    licence="PadChest Dataset Research Use Agreement",
    citation=(
        "Bustos A, Pertusa A, Salinas JM, de la Iglesia-Vayá M. PadChest: A large chest x-ray image dataset with "
        "multi-label annotated reports. Medical Image Analysis 66, 2020."
    ),
    homepage="https://bimcv.cipf.es/bimcv-projects/padchest/",
    how_to_get=(
        "Ask for access at https://bimcv.cipf.es/bimcv-projects/padchest/, unpack the zip files 0.zip, 1.zip, ... "
        "into folders of these names, and put PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv (unpacked or "
        ".gz) beside them."
    ),
    expected=(
        Expected(TABLES[0], "table of images, reports and labels", alternatives=TABLES[1:]),
        Expected(
            "[0-9]*/*.png",
            "images",
            False,
            160_861,
            alternatives=("images*/*.png", "*.png", "*/[0-9]*/*.png"),
        ),
    ),
    labels=("padchest",),
)


class _Picture(NamedTuple):
    """One row of the table, its image found."""

    name: str
    path: Path
    view: View
    row: Row


@dataclass
class _Visit:
    """The rows of one study."""

    first: Row
    made: date | None
    pictures: list[_Picture] = field(default_factory=list)
    report: str = ""
    excluded: bool = False


class PadChest(DataSet):
    """Studies by StudyID, in the order in which the table first names them.

    Reports are Spanish, lower-cased and stemmed by their authors: `Report.meta["language"]` is "es", and no
    labeler for English reads them. Labels (source "padchest", vocabulary chexpert14) are mapped from PadChest's
    own by padchest_labels.toml; `Study.meta["label method"]` says who made them: "Physician", or a network.
    Images that PadChest excludes are left out. `spacing_mm` is that of the image as it is here, which may have
    been resized (pass `spacing=False` to leave it out and open no image).
    """

    card = _CARD

    def __init__(self, root: Path | str, *, spacing: bool = True) -> None:
        super().__init__(root)
        self.spacing = spacing

    def _studies(self, split: str | None) -> Iterator[Study]:  # noqa: ARG002 PadChest has no splits
        table = TableFile(self.needed(*TABLES), needed=_NEEDED, optional=_OPTIONAL, dropped=self.dropped)
        visits = self._visits(table)
        series = Series()
        for name, visit in visits.items():
            series.add(visit.first["PatientID"], name, _moment(visit))
        for name, visit in visits.items():
            yield self._study(name, visit, series)

    def _visits(self, table: TableFile) -> dict[str, _Visit]:
        """The studies that have an image or a report here, by StudyID."""
        files = image_files(self.root)
        visits: dict[str, _Visit] = {}
        seen: set[str] = set()
        for row in table:
            name, study = row["ImageID"], row["StudyID"]
            if not name or not study:
                self.dropped.add("rows without ImageID or StudyID", f"row {row.number:,}", wrong=True)
            elif name in seen:
                self.dropped.add("rows that repeat an image", name, wrong=True)
            else:
                seen.add(name)
                if study not in visits:
                    visits[study] = _Visit(row, self._day(row))
                self._add(visits[study], row, files.get(name))
        for study in [name for name, visit in visits.items() if not (visit.pictures or visit.report)]:
            self.dropped.add("studies of which neither an image nor a report is here", study)
            del visits[study]
        return visits

    def _add(self, visit: _Visit, row: Row, path: Path | None) -> None:
        """Adds image and report of a row to its study."""
        name, projection = row["ImageID"], row["Projection"]
        if any(row[column] != visit.first[column] for column in ("PatientID", "Labels")):
            self.dropped.add("rows whose patient or labels are not those of their study's first row", name)
        if projection == EXCLUDED:
            self.dropped.add("images that PadChest excludes (projection EXCLUDE)", name)
            return
        visit.report = visit.report or row["Report"]
        if path is None:
            self.dropped.add("images that the table names and that are not here", name)
            return
        view = VIEWS.get(projection)
        if view is None:
            self.dropped.add("projections that PadChest does not describe (kept as unknown)", projection)
        visit.pictures.append(_Picture(name, path, view or View.UNKNOWN, row))

    def _day(self, row: Row) -> date | None:
        found = day(row["StudyDate_DICOM"])
        if found is None:
            reason = "studies whose date is none (neither with priors nor one)"
            self.dropped.add(reason, row["StudyID"], wrong=bool(row["StudyDate_DICOM"]))
        return found

    def _study(self, name: str, visit: _Visit, series: Series) -> Study:
        first = visit.first
        inverted = [
            p.name for p in visit.pictures if p.row["PhotometricInterpretation_DICOM"] == "MONOCHROME1"
        ]
        meta = {
            "language": "es",
            "label method": first["MethodLabel"],
            "projections": ", ".join(picture.row["Projection"] for picture in visit.pictures),
            "date": visit.made.isoformat() if visit.made else "",
            "pediatric": first["Pediatric"],
            "MONOCHROME1 originals": ", ".join(inverted),
        }
        if not visit.report:
            self.dropped.add("studies without a report (kept)", name)
        labels = self._labels(name, first["Labels"])
        return Study(
            id=name,
            patient=first["PatientID"],
            images=tuple(self._image(picture) for picture in visit.pictures),
            report=Report(name, visit.report, meta={"language": "es"}) if visit.report else None,
            labels={} if labels is None else {"padchest": labels},
            priors=series.before(first["PatientID"], _moment(visit)),
            sex=self._sex(first),
            age_years=self._age(first, visit.made),
            licence=self.card.licence,
            meta={key: value for key, value in meta.items() if value},
        )

    def _image(self, picture: _Picture) -> Image:
        row = picture.row
        mm = row.real("SpatialResolution_DICOM")
        original = (row.real("Rows_DICOM"), row.real("Columns_DICOM"))
        size = size_of(picture.path, self.dropped) if self.spacing and mm and all(original) else None
        spacing = scaled_spacing((mm, mm), original, size) if size else None
        return Image(Path(picture.name).stem, path=picture.path, view=picture.view, spacing_mm=spacing)

    def _labels(self, study: str, text: str) -> Labels | None:
        named = parse_list(text)
        if named is None:
            reason = "studies whose labels are no list" if text else "studies without labels"
            self.dropped.add(f"{reason} (kept)", study, wrong=bool(text))
            return None
        mapped = padchest_labels().map(named)
        for label in mapped.elsewhere:
            self.dropped.add("labels that stand for no finding of the vocabulary (left out)", label)
        for label in mapped.unknown:
            self.dropped.add("labels that padchest_labels.toml does not know", label)
        return mapped.labels

    def _sex(self, row: Row) -> str:
        sex = row["PatientSex_DICOM"].upper()
        if sex not in ("F", "M", ""):
            self.dropped.add("sexes that are neither F nor M (left empty)", sex)
        return sex if sex in ("F", "M") else ""

    def _age(self, row: Row, made: date | None) -> float | None:
        """Year of the study less year of birth, which is all that PadChest tells: up to a year too much."""
        born = row.real("PatientBirth")
        if born is None or made is None:
            return None
        age = made.year - born
        if 0 <= age <= _OLDEST:
            return age
        self.dropped.add("ages that nobody can have (left empty)", f"{row['StudyID']}: {age:g}")
        return None

    def _verify(self) -> tuple[list[Item], dict[str, int]]:
        counts = self.count()
        table = TableFile(self.needed(*TABLES), needed=_NEEDED, optional=_OPTIONAL)
        named = [row["ImageID"] for row in table if row["ImageID"]]
        return image_items(named, image_files(self.root), table=table.path.name), counts


def _moment(visit: _Visit) -> tuple[float, ...] | None:
    return None if visit.made is None else (float(visit.made.toordinal()),)


def build(root: Path | str, *, spacing: bool = True) -> PadChest:
    """PadChest below `root`. Raises InputError for an option that is no bool."""
    if not isinstance(spacing, bool):
        raise InputError(f"spacing is {spacing!r}; allowed: True, False.")
    return PadChest(root, spacing=spacing)
