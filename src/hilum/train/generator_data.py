"""Images with reports: data sets and tables to what a report generator learns from, before anything is decoded."""

from __future__ import annotations

import hashlib
import inspect
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError, UnknownNameError
from hilum.core.imaging import Image, Study, View
from hilum.core.records import Section
from hilum.datasets import DATA_SETS, DataSet, get_data_set
from hilum.datasets._sources import cut_part, in_part
from hilum.tables._label_rows import counted
from hilum.tables.image_tables import read_image_table
from hilum.text.report_words import Sentences, report_sentences
from hilum.text.sections import select_sections
from hilum.train.generator_config import GeneratorTraining
from hilum.train.image_cache import grey
from hilum.train.image_set import Source, fingerprint

REPORT_COLUMNS = ("report", "findings", "text", "report_text", "caption")
"""Names under which the column of reports is found by itself, the first of them that is there."""

_TELL_EVERY = 1_000
_COLUMNS = ("ids", "studies", "patients", "sources", "texts", "sentences")
Tell = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class ReportSet:
    """N images, each with the text to learn (its findings section, say) and the same in sentences of words.

    `ids` name the images, `studies` the studies, `patients` the patients ("" where not known). `sources` are files,
    or pixels in memory at the size of the model. `notes` say what was found and left out.
    """

    name: str
    ids: tuple[str, ...]
    studies: tuple[str, ...]
    patients: tuple[str, ...]
    sources: tuple[Source, ...]
    texts: tuple[str, ...]
    sentences: tuple[Sentences, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.sources)

    def take(self, places: Sequence[int] | npt.NDArray[np.intp]) -> ReportSet:
        """The images at these places, in this order."""
        rows = [int(i) for i in places]
        return self._with([tuple(column[i] for i in rows) for column in self._columns()])

    def joined(self, other: ReportSet) -> ReportSet:
        """These images, and then the others."""
        return self._with([a + b for a, b in zip(self._columns(), other._columns(), strict=True)])

    def _columns(self) -> list[tuple[Any, ...]]:
        return [getattr(self, name) for name in _COLUMNS]

    def _with(self, columns: Sequence[tuple[Any, ...]]) -> ReportSet:
        given: dict[str, Any] = dict(zip(_COLUMNS, columns, strict=True))
        return replace(self, **given)

    def digest(self) -> str:
        """SHA-256, in hex, of names, patients, texts and images; a file counts by its name and size."""
        total = hashlib.sha256(b"reports")
        for one, patient, text, source in zip(self.ids, self.patients, self.texts, self.sources, strict=True):
            total.update(f"\0{one}\0{patient}\0{text}\0".encode("utf-8", "surrogatepass"))
            total.update(fingerprint(source))
        return total.hexdigest()


class Named(NamedTuple):
    """A data set as it was named: its name, folder (None for one that is made), split, and which part of it."""

    name: str
    root: Path | None
    split: str | None
    part: int
    parts: int


def parse_data(said: str) -> Named:
    """What NAME[:ROOT[:SPLIT]][@PART/PARTS] names; "@2/3" is the second of three parts, drawn by patient.

    Raises InputError and UnknownNameError.
    """
    whole, number, parts = cut_part(said)
    name, _, rest = whole.partition(":")
    if name not in (known := DATA_SETS.names()):
        raise UnknownNameError("data set", name, known)
    root, _, split = rest.rpartition(":")
    if not root or Path(rest).exists():
        root, split = rest, ""
    if not 1 <= number <= parts:
        raise InputError(f"{said!r}: part {number} of {parts} cannot be; allowed: 1 to {parts}.")
    if root and not Path(root).is_dir():
        raise InputError(
            f"{said!r}: there is no folder {root}. Next step: NAME:ROOT[:SPLIT], ROOT the folder of the data set."
        )
    return Named(name, Path(root) if root else None, split or None, number, parts)


def read_report_sets(config: GeneratorTraining, *, tell: Tell) -> tuple[ReportSet, ReportSet | None]:
    """The images and reports to learn from and, where they were named, those to choose by.

    Raises InputError when none can be used.
    """
    if config.data is not None:
        learned = read_data(config.data, config, tell=tell)
        chosen = None if config.dev_data is None else read_data(config.dev_data, config, tell=tell)
    else:
        assert config.images is not None  # noqa: S101  (the configuration sees to it)
        learned = read_table(config.images, config)
        chosen = None if config.dev_images is None else read_table(config.dev_images, config)
    return learned, chosen


# --- data sets ---


def read_data(said: str, config: GeneratorTraining, *, tell: Tell) -> ReportSet:
    """The images of a data set, each with the report of its study."""
    named = parse_data(said)
    data = _data_set(named, config)
    rows = _Rows(said, config, population=f"{named.name} {getattr(data, 'population', '')}".strip())
    for number, study in enumerate(data.studies(named.split), start=1):
        if number % _TELL_EVERY == 0:
            tell(f"{number:,} studies were looked through")
        if in_part(study.patient or study.id, named.part, named.parts):
            rows.add_study(study)
    found = rows.finished()
    return replace(found, notes=(*found.notes, *data.dropped.lines()))


def _data_set(named: Named, config: GeneratorTraining) -> DataSet:
    takes = inspect.signature(DATA_SETS.get(named.name)).parameters
    unknown = [one for one in config.data_options if one not in takes or one == "root"]
    if unknown:
        options = ", ".join(one for one in takes if one != "root") or "none"
        raise InputError(f"The data set {named.name} has no option {unknown[0]!r}. Options: {options}.")
    if named.root is not None:
        return get_data_set(named.name, named.root, **dict(config.data_options))
    if "root" in takes and takes["root"].default is inspect.Parameter.empty:
        raise InputError(
            f"The data set {named.name} is read from files. Next step: --data {named.name}:DIR[:SPLIT]."
        )
    return DATA_SETS.get(named.name)(**dict(config.data_options))


# --- tables ---


def read_table(path: Path, config: GeneratorTraining) -> ReportSet:
    """The images of a table with a path, a report and maybe a patient in each row.

    Paths are relative to `config.root`, else to the folder of the table.
    """
    names = REPORT_COLUMNS if config.report_column is None else (config.report_column,)
    table = read_image_table(
        path, path_column=config.path_column, patient_column=config.patient_column, more=names
    )
    reports = next((cells for cells in table.more if cells), None)
    if reports is None:
        raise InputError(
            f"{path} has no column of reports ({', '.join(names)}). Next step: name it with --report-column COLUMN."
        )
    rows = _Rows(path.name, config)
    rows.notes += table.notes
    if table.patients is None:
        rows.notes.append(
            "no column of patients was found: images of one patient can stand on both sides of the split"
        )
    root = config.root or path.parent
    patients = table.patients or ("",) * len(table.paths)
    for one, report, patient in zip(table.paths, reports, patients, strict=True):
        if one:
            rows.add(one, study=one, patient=patient, source=root / one, text=rows.text_of(report, None))
        else:
            rows.dropped["rows that name no image"] += 1
    return rows.finished()


# --- both ---


class _Rows:
    """Collects images with their texts, and counts what cannot be used.

    `population` says whose patients they are: equal ids of two populations are two patients.
    """

    def __init__(self, name: str, config: GeneratorTraining, *, population: str = "") -> None:
        self.name = name
        self.config = config
        self.population = population
        self.dropped: Counter[str] = Counter()
        self.notes: list[str] = []
        self._headless = 0
        self._kept: list[tuple[str, str, str, Source, str, Sentences]] = []
        self._read: dict[str, Sentences] = {}

    def text_of(self, report: str, sections: tuple[Section, ...] | None) -> str:
        """The text to learn of a report; "" when there is none, which is counted."""
        if not report.strip():
            self.dropped["empty reports"] += 1
            return ""
        if self.config.section == "whole":
            return report.strip()
        found = select_sections(report, "findings", sections=sections)
        if not found:
            found = select_sections(report, "findings", headless_as="findings", sections=sections)
            self._headless += bool(found)
        text = "\n".join(report[one.start : one.end] for one in found).strip()
        self.dropped["reports without a findings section"] += not text
        return text

    def add_study(self, study: Study) -> None:
        """All images of a study that are used, each with its report."""
        if study.report is None:
            self.dropped["studies without a report"] += 1
            return
        text = self.text_of(study.report.text, study.report.sections)
        self.dropped["studies without images"] += bool(text) and not study.images
        for image in study.images if text else ():
            if self.config.views == "frontal" and image.view is View.LATERAL:
                self.dropped["lateral images"] += 1
            elif (source := self._source(image)) is None:
                self.dropped["images with neither file nor pixels"] += 1
            else:
                patient = study.patient and f"{self.population} {study.patient}"
                self.add(image.id, study=study.id, patient=patient, source=source, text=text)

    def _source(self, image: Image) -> Source | None:
        if image.pixels is None:
            return image.path
        return grey(image.pixels, self.config.size_px, fit=self.config.fit)

    def add(self, name: str, *, study: str, patient: str, source: Source, text: str) -> None:
        """One image with its text; without words it is left out, and counted."""
        if not text:
            return
        if text not in self._read:
            self._read[text] = report_sentences(text)
        if not any(self._read[text]):
            self.dropped["reports without words"] += 1
            return
        self._kept.append((name, study, patient, source, text, self._read[text]))

    def finished(self) -> ReportSet:
        """The set, with notes. Raises InputError when it is empty."""
        told = [f"{n:,} {what}: left out" for what, n in self.dropped.items() if n]
        if not self._kept:
            help_ = " or --section whole" if self.dropped["reports without a findings section"] else ""
            raise InputError(
                f"{self.name}: no image has a report to learn from ({'; '.join(told) or 'there is none'}). Next step: "
                f"check images and reports{help_}."
            )
        if self._headless:
            said = counted(
                self._headless, "report has no headings and was", "reports have no headings and were"
            )
            told.append(f"{said} taken as findings")
        columns: dict[str, Any] = dict(zip(_COLUMNS, zip(*self._kept, strict=True), strict=True))
        return ReportSet(self.name, notes=(*self.notes, *told), **columns)
