"""MIMIC-CXR and MIMIC-CXR-JPG: images, English reports and labels from the Beth Israel Deaconess Medical Center."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import NamedTuple

from hilum.core.imaging import Image, Study, View
from hilum.core.records import Labels, Report
from hilum.datasets._base import Access, Card, DataSet, Expected, Item, ItemStatus
from hilum.datasets._files import image_files, image_items
from hilum.datasets._mimic_tables import Person, number, read_labels, read_people, read_races, read_splits
from hilum.datasets._series import Moment, Series, day
from hilum.datasets._tables import Row, TableFile
from hilum.text.sections import find_sections


def _anywhere(*names: str) -> tuple[str, ...]:
    """Globs for files in the root or up to two folders below, as the downloads of PhysioNet are often kept."""
    return tuple(f"{folder}{name}" for name in names for folder in ("", "*/", "*/*/"))


TABLES = _anywhere("mimic-cxr-2*-metadata.csv*", "cxr-record-list.csv*", "cxr-study-list.csv*")
SPLITS = _anywhere("mimic-cxr-2*-split.csv*")
LABELS: Mapping[str, tuple[str, ...]] = {
    "chexpert": _anywhere("mimic-cxr-2*-chexpert.csv*"),
    "negbio": _anywhere("mimic-cxr-2*-negbio.csv*"),
    "radiologist": _anywhere("mimic-cxr-2*-test-set-labeled.csv*"),
}
"""Source of labels -> globs for its table; "radiologist" is one radiologist who labelled the test reports."""
PEOPLE = _anywhere("patients.csv*")
ADMISSIONS = _anywhere("admissions.csv*")
_FOLDERS = _anywhere("files")
_REPORTS = "p1*/p*/s*.txt"
_IMAGES = "p1*/p*/s*/*.jpg"
_SUFFIXES = (".jpg", ".dcm", ".png")

_LATERAL = ("LATERAL", "LL", "LEFT LATERAL")
_VIEWS = {
    **dict.fromkeys(("AP", "AP AXIAL", "AP LLD", "AP RLD", "ANTERO-POSTERIOR"), View.AP),
    **dict.fromkeys(("PA", "PA LLD", "PA RLD", "POSTERO-ANTERIOR"), View.PA),
    **dict.fromkeys(_LATERAL, View.LATERAL),
    "": View.UNKNOWN,
}
_NEEDED = ("subject_id", "study_id")
_TOLD = {
    "PerformedProcedureStepDescription": "procedure",
    "PatientOrientationCodeSequence_CodeMeaning": "orientation",
    "StudyDate": "date",
    "StudyTime": "time",
}
_OPTIONAL = ("dicom_id", "ViewPosition", "ViewCodeSequence_CodeMeaning", *_TOLD)

_CARD = Card(
    title="MIMIC-CXR",
    access=Access.CREDENTIALED,
    licence="PhysioNet Credentialed Health Data License 1.5.0",
    citation=(
        "Johnson AEW, Pollard TJ, Berkowitz SJ, et al. MIMIC-CXR, a de-identified publicly available database of "
        "chest radiographs with free-text reports. Scientific Data 6, 317, 2019; Johnson A, Lungren M, Peng Y, et al. "
        "MIMIC-CXR-JPG - chest radiographs with structured labels. PhysioNet, 2024."
    ),
    homepage="https://physionet.org/content/mimic-cxr-jpg/",
    how_to_get=(
        "Become a credentialed user of https://physionet.org, sign the agreement, and download mimic-cxr-reports.zip "
        "of https://physionet.org/content/mimic-cxr/ (unpack it) and the csv.gz files and files/ of "
        "https://physionet.org/content/mimic-cxr-jpg/ into one folder, beside or below each other."
    ),
    expected=(
        Expected(TABLES[0], "table of images", alternatives=TABLES[1:]),
        Expected(
            f"mimic-cxr-reports/files/{_REPORTS}",
            "reports",
            required=False,
            count=227_835,
            alternatives=_anywhere(f"files/{_REPORTS}"),
        ),
        Expected(
            f"files/{_IMAGES}",
            "images",
            required=False,
            count=377_110,
            alternatives=(*_anywhere(f"files/{_IMAGES}")[1:], *_anywhere("files/p1*/p*/s*/*.dcm")),
        ),
        Expected(SPLITS[0], "splits", False, alternatives=SPLITS[1:]),
        *(
            Expected(globs[0], f"labels, source {name}", False, alternatives=globs[1:])
            for name, globs in LABELS.items()
        ),
        Expected(PEOPLE[0], "sex and age, of MIMIC-IV", False, alternatives=PEOPLE[1:]),
        Expected(ADMISSIONS[0], "race, of MIMIC-IV", False, alternatives=ADMISSIONS[1:]),
    ),
    splits=("train", "validate", "test"),
    labels=tuple(LABELS),
)


class _Picture(NamedTuple):
    """An image of a study that is here."""

    name: str
    path: Path
    view: View


@dataclass
class _Visit:
    """The rows of one study."""

    subject: str
    told: Mapping[str, str]
    made: date | None
    moment: Moment | None
    report: Path | None
    pictures: list[_Picture] = field(default_factory=list)


class _Beside(NamedTuple):
    """What other tables say."""

    labels: Mapping[str, Mapping[str, Labels]]
    splits: Mapping[str, str]
    people: Mapping[str, Person]
    races: Mapping[str, str]


class MimicCxr(DataSet):
    """Studies by study_id, in the order in which the table of images first names them.

    Ids are the numbers of the tables ("50414267"), without the letters of the folders. A study without a report is
    kept, and so is one without images if it has a report. The labels "chexpert", "negbio" and "radiologist" are all
    of reports (vocabulary chexpert14). Sex, age and race need patients.csv and admissions.csv of MIMIC-IV.
    """

    card = _CARD

    def _studies(self, split: str | None) -> Iterator[Study]:
        table = TableFile(self.needed(*TABLES), needed=_NEEDED, optional=_OPTIONAL, dropped=self.dropped)
        beside = self._beside(split)
        visits = self._visits(table)
        series = Series()
        for name, visit in visits.items():
            series.add(visit.subject, name, visit.moment)
        for name, visit in visits.items():
            if split is None or beside.splits.get(name) == split:
                yield self._study(name, visit, beside, series)

    def _beside(self, split: str | None) -> _Beside:
        splits = self.needed(*SPLITS) if split else self.optional(*SPLITS)
        people, races = self.optional(*PEOPLE), self.optional(*ADMISSIONS)
        labels = {source: self.optional(*globs) for source, globs in LABELS.items()}
        return _Beside(
            {source: read_labels(path, self.dropped) for source, path in labels.items() if path},
            read_splits(splits, self.dropped, known=self.card.splits) if splits else {},
            read_people(people, self.dropped) if people else {},
            read_races(races, self.dropped) if races else {},
        )

    def _visits(self, table: TableFile) -> dict[str, _Visit]:
        """The studies that have an image or a report here, by study_id."""
        folders = [folder for glob in _FOLDERS for folder in sorted(self.root.glob(glob))]
        visits: dict[str, _Visit] = {}
        seen: set[str] = set()
        for row in table:
            subject, study = number(row["subject_id"], "p"), number(row["study_id"], "s")
            if not subject or not study:
                self.dropped.add("rows without a subject_id or study_id", f"row {row.number:,}", wrong=True)
                continue
            visit = visits.get(study)
            if visit is None:
                visit = visits[study] = self._visit(subject, study, row, folders)
            if visit.subject != subject:
                self.dropped.add("rows that give a study to a second subject (left out)", study, wrong=True)
            elif row["dicom_id"] in seen:
                self.dropped.add("rows that repeat an image", row["dicom_id"], wrong=True)
            elif row["dicom_id"]:
                seen.add(row["dicom_id"])
                self._add(visit, study, row, folders)
        for study in [name for name, visit in visits.items() if not (visit.pictures or visit.report)]:
            self.dropped.add("studies of which neither an image nor a report is here", study)
            del visits[study]
        return visits

    def _visit(self, subject: str, study: str, row: Row, folders: list[Path]) -> _Visit:
        made, time = day(row["StudyDate"]), row.real("StudyTime")
        if made is None and row["StudyDate"]:
            self.dropped.add("studies whose date is none (neither with priors nor one)", study, wrong=True)
        place = f"p{subject[:2]}/p{subject}/s{study}.txt"
        report = next((path for folder in folders if (path := folder / place).is_file()), None)
        told = {name: row[column] for column, name in _TOLD.items() if row[column]}
        return _Visit(subject, told, made, None if made is None else (made.toordinal(), time or 0.0), report)

    def _add(self, visit: _Visit, study: str, row: Row, folders: list[Path]) -> None:
        place = f"p{visit.subject[:2]}/p{visit.subject}/s{study}/{row['dicom_id']}"
        paths = (folder / f"{place}{suffix}" for folder in folders for suffix in _SUFFIXES)
        path = next((path for path in paths if path.is_file()), None)
        if path is None:
            self.dropped.add("images that the table names and that are not here", row["dicom_id"])
            return
        said = row["ViewPosition"] or row["ViewCodeSequence_CodeMeaning"]
        view = _VIEWS.get(said.upper())
        if view is None:
            self.dropped.add("views that are neither PA, AP nor lateral (kept as unknown)", said)
        visit.pictures.append(_Picture(row["dicom_id"], path, view or View.UNKNOWN))

    def _study(self, name: str, visit: _Visit, beside: _Beside, series: Series) -> Study:
        person = beside.people.get(visit.subject, Person())
        return Study(
            id=name,
            patient=visit.subject,
            images=tuple(Image(p.name, path=p.path, view=p.view) for p in visit.pictures),
            report=self._report(name, visit.report),
            labels={source: labels[name] for source, labels in beside.labels.items() if name in labels},
            priors=series.before(visit.subject, visit.moment),
            sex=person.sex,
            race=beside.races.get(visit.subject, ""),
            age_years=person.age(visit.made.year if visit.made else None),
            split=beside.splits.get(name, ""),
            licence=self.card.licence,
            meta=visit.told,
        )

    def _report(self, study: str, path: Path | None) -> Report | None:
        if path is None:
            self.dropped.add("studies without a report (kept)", study)
            return None
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            self.dropped.add(
                f"reports that cannot be read ({error.strerror}; studies kept)", study, wrong=True
            )
            return None
        if not text.strip():
            self.dropped.add("reports without any text (kept)", study)
        return Report(study, text, tuple(find_sections(text)))

    def _verify(self) -> tuple[list[Item], dict[str, int]]:
        counts = self.count()
        table = TableFile(self.needed(*TABLES), needed=_NEEDED, optional=_OPTIONAL)
        rows = [(number(row["study_id"], "s"), row["dicom_id"]) for row in table]
        here = {Path(name).stem for name in image_files(self.root)}
        items = image_items([image for _, image in rows if image], here, table=table.path.name)
        found = {path.stem[1:] for glob in _FOLDERS for path in self.root.glob(f"{glob}/{_REPORTS}")}
        strangers = found.difference(study for study, _ in rows)
        if strangers:
            note = f"no row of {table.path.name} names them: {', '.join(sorted(strangers)[:3])}"
            items.append(
                Item("reports of studies that no table names", "", ItemStatus.PART, len(strangers), 0, note)
            )
        packed = self.optional(*_anywhere("mimic-cxr-reports.zip"))
        if packed is not None and not found:
            items.append(
                Item("reports, still packed", packed.name, ItemStatus.PART, 1, None, f"unpack {packed}")
            )
        if not counts["studies"]:
            note = f"no image and no report of {table.path.name} is here. {self.card.how_to_get}"
            items.append(Item("studies", "", ItemStatus.MISSING, 0, None, note))
        return items, counts


def build(root: Path | str) -> MimicCxr:
    """MIMIC-CXR and MIMIC-CXR-JPG below `root`."""
    return MimicCxr(root)
