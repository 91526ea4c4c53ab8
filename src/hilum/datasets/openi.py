"""Open-I: the Indiana University chest X-ray collection, 3,955 reports with their images (Demner-Fushman et al. 2016).

Reports are XML files, in the published archive or unpacked. What is in their MeSH tags is never read: human labels
come from a table of their own. The files name no patient, so every study stands alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from hilum.core.errors import InputError
from hilum.core.imaging import Image, Study, View
from hilum.core.records import Labels, Report, RowStatus
from hilum.core.vocabulary import CHEXPERT14, NIH14
from hilum.datasets._base import Access, Card, DataSet, Expected, Item, ItemStatus
from hilum.datasets._files import examples, image_files, image_items
from hilum.datasets._tables import TableFile, labels_by_key
from hilum.tables.binary import PlainFile
from hilum.tables.folder import list_files
from hilum.tables.openi_xml import OpeniArchive, OpeniFolder
from hilum.tables.source import InputRow
from hilum.text.sections import find_sections

LICENCE = "CC BY-NC-ND 4.0"
REPORTS = 3_955
"""Reports of the complete collection."""

_ARCHIVE = "NLMCXR_reports.tgz"
_XML = ("ecgen-radiology/*.xml", "*.xml", "*/ecgen-radiology/*.xml")
_GOLD, _LABELER = "mesh_gold_dev.csv", "chexpert_labeler_on_findings_dev.csv"
_VIEWS, _SPLIT = "projections.csv", "r2gen_annotation.json"
_IMAGE = re.compile(r"(?:CXR)?(\d+)(?:_\d+)?_(IM-[\w-]+)")
_DIRECTIONS: Mapping[str, View] = {"frontal": View.FRONTAL, "lateral": View.LATERAL}


def image_key(name: str) -> str:
    """What names of one image have in common: "CXR1_1_IM-0001-3001.png" and "1_IM-0001-3001.dcm.png" are one.

    "" for a name that is not of this collection.
    """
    found = _IMAGE.match(name.partition(".")[0])
    return f"{found[1]}_{found[2]}" if found else ""


def image_ids(data: bytes) -> tuple[str, ...]:
    """Ids of the images that one report file names, () when it cannot be parsed."""
    try:
        root = fromstring(data, forbid_dtd=False, forbid_entities=True, forbid_external=True)
    except (DefusedXmlException, ParseError, ValueError, LookupError):
        return ()
    return tuple(found for one in root.iter("parentImage") if (found := one.get("id")))


class _Archive(OpeniArchive):
    def __init__(self, path: Path) -> None:
        self.images: dict[str, tuple[str, ...]] = {}
        super().__init__(PlainFile(path), column=None)

    def _row_of(self, stem: str, data: bytes) -> InputRow:
        row = super()._row_of(stem, data)
        self.images[row.cells[0]] = image_ids(data)
        return row


class _Folder(OpeniFolder):
    def __init__(self, folder: Path) -> None:
        self.images: dict[str, tuple[str, ...]] = {}
        names = [name for name in list_files(folder) if name.lower().endswith(".xml")]
        super().__init__(folder, names, others=0, column=None)

    def row_of(self, row_id: str, data: bytes) -> InputRow:
        """See OpeniFolder; also keeps the ids of the images."""
        row = super().row_of(row_id, data)
        self.images[row.cells[0]] = image_ids(data)
        return row


@dataclass(frozen=True)
class _Sides:
    """What stands beside the reports: label tables, views by image, splits by report, image files by key."""

    labels: Mapping[str, Mapping[str, Labels]] = field(default_factory=dict)
    views: Mapping[str, View] = field(default_factory=dict)
    splits: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)


class OpenI(DataSet):
    """One study per report. Labels: `mesh` (people coding the report, nih14, 0 or 1) and `chexpert` (its labeler).

    `split` is that of the usual report-generation benchmark, "" for reports that are not in it. Images whose file
    is not here are left out and counted.
    """

    card = Card(
        title="Open-I (Indiana University chest X-rays)",
        access=Access.OPEN,
        licence=LICENCE,
        citation=(
            "Demner-Fushman D, et al. Preparing a collection of radiology examinations for distribution and "
            "retrieval. J Am Med Inform Assoc 2016;23(2):304-310. Labels: Peng Y, et al. NegBio. AMIA Jt Summits "
            "Transl Sci Proc 2018. Split: Chen Z, et al. Generating radiology reports via memory-driven "
            "transformer. EMNLP 2020."
        ),
        homepage="https://openi.nlm.nih.gov",
        how_to_get=(
            "Download NLMCXR_reports.tgz (reports) and NLMCXR_png.tgz (images, unpack it into images/) from "
            "https://openi.nlm.nih.gov/faq into one folder; no account is needed."
        ),
        expected=(
            Expected(_ARCHIVE, "reports", alternatives=_XML),
            Expected(
                "images/*.png",
                "images",
                required=False,
                count=7_470,
                alternatives=("images/*.dcm", "images/**/*.png", "*.png", "NLMCXR_png/*.png", "**/*IM-*.dcm"),
            ),
            Expected(_VIEWS, "view of each image (Kaggle's copy)", required=False),
            Expected(_GOLD, "human labels, 14 findings of NIH and normal", required=False),
            Expected(_LABELER, "output of the CheXpert labeler on FINDINGS", required=False),
            Expected(_SPLIT, "train, val and test of R2Gen", required=False),
        ),
        splits=("train", "val", "test"),
        labels=("mesh", "chexpert"),
    )

    def _studies(self, split: str | None) -> Iterator[Study]:
        if split is not None:
            self.needed(_SPLIT)
        reports, sides = self._open()
        yield from (s for s in self._walk(reports, sides) if split in (None, s.split))

    def _open(self) -> tuple[_Archive | _Folder, _Sides]:
        first = self.needed(_ARCHIVE, *_XML)
        reports = _Archive(first) if first.name == _ARCHIVE else _Folder(first.parent)
        return reports, _Sides(self._labels(), self._views(), self._splits(), self._files())

    def _walk(self, reports: _Archive | _Folder, sides: _Sides) -> Iterator[Study]:
        seen: set[str] = set()
        for row in reports.rows():
            name = str(row.cells[0])
            if row.status is RowStatus.UNREADABLE:
                self.dropped.add("reports that cannot be read", row.problem or name, wrong=True)
            elif name in seen:
                self.dropped.add("reports with an id that occurred before", name, wrong=True)
            else:
                seen.add(name)
                yield self._study(name, row.text or "", reports.images.get(name, ()), sides)
        for source, table in sides.labels.items():
            for name in table:
                if name not in seen:
                    self.dropped.add(f"rows of labels ({source}) whose report is not here", name)
        for note in reports.notes:
            if "damaged" in note or "refused" in note:
                self.dropped.add(f"archive of reports: {note}", _ARCHIVE, wrong=True)

    def _study(self, name: str, text: str, images: tuple[str, ...], sides: _Sides) -> Study:
        found: list[Image] = []
        for image in images:
            key = image_key(image)
            if key in sides.files:
                found.append(Image(image, sides.files[key], view=sides.views.get(key, View.UNKNOWN)))
            else:
                self.dropped.add("images that a report names and that are not here", image)
        return Study(
            name,
            images=tuple(found),
            report=Report(name, text, tuple(find_sections(text))),
            labels={source: table[name] for source, table in sides.labels.items() if name in table},
            split=sides.splits.get(name, ""),
            licence=LICENCE,
        )

    def _files(self) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for name, path in image_files(self.root).items():
            key = image_key(name)
            if key:
                found.setdefault(key, path)
        return found

    def _labels(self) -> dict[str, dict[str, Labels]]:
        tables: dict[str, dict[str, Labels]] = {}
        gold, labeler = self.optional(_GOLD), self.optional(_LABELER)
        if gold is not None:
            tables["mesh"] = labels_by_key(gold, key="filename", vocabulary=NIH14, dropped=self.dropped)
        if labeler is not None:
            tables["chexpert"] = labels_by_key(
                labeler,
                key="report_id",
                vocabulary=CHEXPERT14,
                dropped=self.dropped,
                form=lambda name: name and f"CXR{name.removeprefix('CXR')}",
            )
        return tables

    def _views(self) -> dict[str, View]:
        path = self.optional(_VIEWS)
        if path is None:
            return {}
        views: dict[str, View] = {}
        for row in TableFile(path, needed=("filename", "projection"), dropped=self.dropped):
            view = _DIRECTIONS.get(row["projection"].lower())
            if view is None or not image_key(row["filename"]):
                self.dropped.add(
                    f"rows of {_VIEWS} that give no view of an image", row["filename"], wrong=True
                )
            else:
                views[image_key(row["filename"])] = view
        return views

    def _splits(self) -> dict[str, str]:
        path = self.optional(_SPLIT)
        if path is None:
            return {}
        try:
            listed: Any = json.loads(path.read_text("utf-8"))
            return {str(e["id"]).split("_")[0]: str(e["split"]) for part in listed.values() for e in part}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{path} is no annotation file of R2Gen ({type(error).__name__}: {error}); needed is an object of "
                "lists (train, val, test) of objects with id and split. Next step: get it again or take it away."
            ) from error

    def _verify(self) -> tuple[list[Item], dict[str, int]]:
        reports, sides = self._open()
        empty: list[str] = []

        def watched() -> Iterator[Study]:
            for study in self._walk(reports, sides):
                sections = study.report.sections if study.report else None
                if not any(s.name in ("findings", "impression") and s.end > s.start for s in sections or ()):
                    empty.append(study.id)
                yield study

        counts = self.count(watched())
        total = counts["studies"]
        short = f"{REPORTS - total:,} of {REPORTS:,} are not here" if total < REPORTS else ""
        said = f"{len(empty):,} have neither findings nor impression: {examples(empty)}" if empty else ""
        named = {
            image_key(i) or i: i for images in reversed(reports.images.values()) for i in reversed(images)
        }
        here = [named.get(key, path.name) for key, path in sides.files.items()]
        return [
            Item("reports read", "", ItemStatus.PART if short else ItemStatus.FOUND, total, REPORTS, short),
            Item(
                "reports with findings or impression", "", ItemStatus.FOUND, total - len(empty), total, said
            ),
            *image_items(reversed(named.values()), here, table="the reports"),
        ], counts


def build(root: Path | str) -> OpenI:
    """Open-I below `root`: NLMCXR_reports.tgz or its XML files, images, and the tables that the card names."""
    return OpenI(root)
