"""COVID-19 image data collection: radiographs from publications with free-text clinical notes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from hilum.core.imaging import Image, Study, View
from hilum.core.records import Report
from hilum.datasets._base import Access, Card, DataSet, Expected, Item, ItemStatus
from hilum.datasets._files import examples, image_files, image_items
from hilum.datasets._series import Moment, Series
from hilum.datasets._tables import Row, TableFile

TABLES = ("metadata.csv", "pairs.csv", "*/metadata.csv", "*/pairs.csv")
VIEWS: Mapping[str, View] = {
    "pa": View.PA,
    "ap": View.AP,
    "ap supine": View.AP,
    "ap semi erect": View.AP,
    "ap erect": View.AP,
    "aps": View.AP,
    "l": View.LATERAL,
    "": View.UNKNOWN,
    "?": View.UNKNOWN,
}
"""View as the table has it, in lower case -> View."""

_CT_VIEWS = ("axial", "coronal", "ct")
_NEEDED = ("patientid", "filename", "view", "license")
_NOTES = ("clinical_notes", "clinical notes", "notes")
_TOLD = {
    "finding": "finding",
    "view": "view",
    "offset": "days since the start",
    "RT_PCR_positive": "RT-PCR positive",
    "survival": "survival",
    "intubated": "intubated",
    "went_icu": "went to ICU",
    "date": "date",
    "location": "location",
    "doi": "doi",
    "url": "url",
    "other_notes": "other notes",
}
_OPTIONAL = (*_TOLD, *_NOTES, "sex", "age", "modality", "folder", "image")
_OLDEST = 120.0

_CARD = Card(
    title="COVID-19 image data collection",
    access=Access.OPEN,
    licence="per image, see Study.licence (mostly CC BY-NC-SA); the tables CC BY-NC-SA 4.0",
    citation=(
        "Cohen JP, Morrison P, Dao L, Roth K, Duong TQ, Ghassemi M. COVID-19 Image Data Collection: Prospective "
        "Predictions Are the Future. Machine Learning for Biomedical Imaging, 2020."
    ),
    homepage="https://github.com/ieee8023/covid-chestxray-dataset",
    how_to_get=(
        "git clone https://github.com/ieee8023/covid-chestxray-dataset and give that folder: it has metadata.csv "
        "and images/. A smaller copy with pairs.csv in place of metadata.csv is read as well."
    ),
    expected=(
        Expected("metadata.csv", "table of images and notes", alternatives=TABLES[1:]),
        Expected("images/*.*", "images", alternatives=("*/images/*.*",)),
    ),
)


class _Picture(NamedTuple):
    """One row of the table, its image found or None."""

    name: str
    path: Path | None
    view: View
    said: str


@dataclass
class _Visit:
    """Rows of one patient that have the same day, notes and licence."""

    id: str
    first: Row
    patient: str
    moment: Moment | None
    notes: str
    pictures: list[_Picture] = field(default_factory=list)


class CovidNotes(DataSet):
    """Images of one patient with the same known day, notes and licence are one study; any other image is its own.

    The report is the clinical note: what an author told of patient and image, with history and CT findings in
    it, so not a radiologist's report. `Study.meta["finding"]` is the diagnosis, not what the image shows; there
    are no labels. Priors are by days since the first symptoms. CT images are left out.
    """

    card = _CARD

    def _studies(self, split: str | None) -> Iterator[Study]:  # noqa: ARG002 there are no splits
        table = TableFile(self.needed(*TABLES), needed=_NEEDED, optional=_OPTIONAL, dropped=self.dropped)
        visits = self._visits(table)
        series = Series()
        for visit in visits:
            series.add(visit.patient, visit.id, visit.moment)
        for visit in visits:
            yield self._study(visit, series)

    def _visits(self, table: TableFile) -> list[_Visit]:
        """The studies that have an image or a note here."""
        files = image_files(self.root)
        visits: dict[tuple[str, ...], _Visit] = {}
        seen: set[str] = set()
        for row in table:
            name = row["filename"]
            if _is_ct(row):
                self.dropped.add("CT images", name)
            elif not name or name in seen:
                self.dropped.add("rows that repeat an image or name none", name or f"row {row.number}")
            else:
                seen.add(name)
                notes = next((row[column] for column in _NOTES if row[column]), "")
                day, patient = row.real("offset"), row["patientid"]
                key = (patient, row["offset"], row["date"], notes, row["license"])
                visit = _Visit(Path(name).stem, row, patient, None if day is None else (day,), notes)
                visit = visits.setdefault(key if day is not None and patient else (name,), visit)
                visit.pictures.append(_Picture(name, self._path(row, files), self._view(row), row["view"]))
        return [visit for visit in visits.values() if self._is_here(visit)]

    def _path(self, row: Row, files: Mapping[str, Path]) -> Path | None:
        """The image of a row; smaller copies have it under the name of the column `image`."""
        name = _file(row)
        found = files.get(name)
        if found is None:
            self.dropped.add("images that the table names and that are not here", name)
        return found

    def _view(self, row: Row) -> View:
        view = VIEWS.get(row["view"].lower())
        if view is None:
            self.dropped.add("views that the data set does not describe (kept as unknown)", row["view"])
        return view or View.UNKNOWN

    def _is_here(self, visit: _Visit) -> bool:
        here = bool(visit.notes) or any(picture.path for picture in visit.pictures)
        if not here:
            self.dropped.add("studies of which neither an image nor a note is here", visit.id)
        return here

    def _study(self, visit: _Visit, series: Series) -> Study:
        row = visit.first
        told = {name: row[column] for column, name in _TOLD.items()}
        told["view"] = ", ".join(picture.said for picture in visit.pictures if picture.said)
        if not visit.notes:
            self.dropped.add("studies without notes (kept without a report)", visit.id)
        if not row["license"]:
            self.dropped.add("studies whose licence nobody states (kept)", visit.id)
        sex = row["sex"].upper()
        report = Report(visit.id, visit.notes, meta={"kind": "clinical notes"}) if visit.notes else None
        return Study(
            id=visit.id,
            patient=visit.patient,
            images=tuple(
                Image(Path(p.name).stem, path=p.path, view=p.view) for p in visit.pictures if p.path
            ),
            report=report,
            priors=series.before(visit.patient, visit.moment),
            sex=sex if sex in ("F", "M") else "",
            age_years=self._age(row),
            licence=row["license"],
            meta={name: value for name, value in told.items() if value},
        )

    def _age(self, row: Row) -> float | None:
        age = row.real("age")
        if row["age"] and (age is None or not 0 <= age <= _OLDEST):
            self.dropped.add("ages that are no age (left empty)", f"{row['filename']}: {row['age']}")
            return None
        return age

    def _verify(self) -> tuple[list[Item], dict[str, int]]:
        counts = self.count()
        table = TableFile(self.needed(*TABLES), needed=_NEEDED, optional=_OPTIONAL)
        all_rows = list(table)
        rows = [row for row in all_rows if not _is_ct(row)]
        ct = {_file(row) for row in all_rows if _is_ct(row)}
        here = [name for name in image_files(self.root) if name not in ct]
        items = image_items((_file(row) for row in rows), here, table=table.path.name, required=True)
        silent = [row["filename"] for row in rows if not row["license"]]
        if silent:
            note = f"nobody states it for {examples(silent)}; ask before passing these on"
            items.append(Item("licences", "", ItemStatus.PART, len(rows) - len(silent), len(rows), note))
        return items, counts


def _is_ct(row: Row) -> bool:
    return row["modality"].lower() == "ct" or row["view"].lower() in _CT_VIEWS


def _file(row: Row) -> str:
    return Path(row["image"] or row["filename"]).name


def build(root: Path | str) -> CovidNotes:
    """The COVID-19 image data collection below `root`."""
    return CovidNotes(root)
