"""What the study of retrieved reports reads: two sets, the gold, and what must not be found for each test report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hilum.core.errors import InputError, UnknownNameError
from hilum.core.imaging import Study
from hilum.core.matrix import LabelMatrix
from hilum.core.records import Section
from hilum.datasets._sources import Needs, StudySet, Tell, parse_source, read_set
from hilum.models.text_neighbours import text_mark
from hilum.tables.labels import read_labels
from hilum.text.sections import SECTION_CHOICES, select_sections

TEST, DATASTORE = "test", "datastore"
"""The two sets, as their options are called."""

BY_LABELER = "labeler"
"""In the place of the gold: labels of the rules on the plain test reports, for data that has no other."""

MARKER = "Similar report {n}:"
"""What stands above each report that is appended; {n} is its number, from 1."""

PRESETS = ("blank-as-class", "blank-excluded")
"""The readings of weighted F1 that are shown, of `analyses.labelers.PRESETS`."""

_SHOWN = 3


@dataclass(frozen=True)
class RetrievalStudy:
    """What to study and how. `test` and `datastore` are `NAME:ROOT[:SPLIT][@PART/PARTS]` of `hilum.datasets`.

    `gold`: a label file whose keys are study ids, a source of labels of the data set, or "labeler" (the rules' labels
    of the plain reports stand in). `labelers`: `NAME[,option=value...]` each. `images`: a model of images (see
    `models.image_embedding.load_embedder`) to find similar images with; or `text`, to find similar words. The `k` most
    similar reports are appended, each after `marker` ("" for none). `section` is read of a test report (without it
    what each labeler was made for), `append` of an appended one ("all": the whole report, as in the paper). `views`:
    frontal or all. `approximate` asks for the approximate index. `examples` reports are shown on the page.
    """

    test: str
    datastore: str
    gold: str | Path
    labelers: tuple[str, ...]
    k: int = 3
    images: str | None = None
    text: bool = False
    marker: str = MARKER
    section: str | None = None
    append: str = "all"
    views: str = "frontal"
    preset: str = PRESETS[0]
    findings: tuple[str, ...] = ()
    approximate: bool | None = None
    replicates: int = 1000
    seed: int = 0
    device: str = "auto"
    batch_size: int = 16
    workers: int = 2
    threads: int = 1
    examples: int = 5

    def __post_init__(self) -> None:
        if not self.labelers:
            raise InputError("No labeler was given. Next step: --labeler NAME, once per labeler.")
        if bool(self.images) == self.text:
            raise InputError(
                f"Similar reports are found {'by images and by text' if self.text else 'by neither images nor text'}. "
                "Next step: --images FOLDER, a model of images, or --text, and not both."
            )
        if self.k < 1:
            raise InputError(f"k is the number of reports to append, at least 1; got {self.k}.")
        if self.preset not in PRESETS:
            raise UnknownNameError("preset", self.preset, PRESETS)
        for section in (self.append, self.section or "both"):
            if section not in SECTION_CHOICES:
                raise UnknownNameError("section choice", section, SECTION_CHOICES)


@dataclass(frozen=True, eq=False)
class Sets:
    """The test set and the datastore with their reports, the gold of the test set if it has one, and what to tell."""

    test: StudySet
    datastore: StudySet
    gold: LabelMatrix | None
    told: tuple[str, ...]
    warnings: tuple[str, ...]


def read_sets(study: RetrievalStudy, *, tell: Tell) -> Sets:
    """Both sets and the gold. Raises InputError when they are the same, or lack what is needed."""
    gold_file = Path(study.gold) if Path(study.gold).is_file() else None
    source = "" if gold_file or study.gold == BY_LABELER else str(study.gold)
    if source and (Path(source).suffix or isinstance(study.gold, Path)):
        raise InputError(
            f"--gold {source}: there is no such file. Next step: a label file, a source, or labeler."
        )
    places = [
        parse_source(said, option=role) for role, said in ((TEST, study.test), (DATASTORE, study.datastore))
    ]
    keys = [(one.name, one.root.resolve(), one.split, one.part, one.parts) for one in places]
    if keys[0] == keys[1]:
        raise InputError(
            f"--test and --datastore are the same set, {study.test}. Reports to append must be of other patients. Next "
            f"step: other splits, or parts by patient: {study.test.split('@')[0]}@1/2 and @2/2."
        )
    images = not study.text
    needs = (Needs(True, images, source), Needs(True, images))
    sections = (study.section or "all", study.append)
    found = []
    for role, one, need, section in zip((TEST, DATASTORE), places, needs, sections, strict=True):
        tell(f"reading {role}: {one.said}")
        found.append(
            read_set(one, role=role, needs=need, section=section, views=study.views, tell=tell, reports=True)
        )
    test, datastore = found
    told = [f"{one.role}: {line}" for one in found for line in one.told]
    gold: LabelMatrix | None
    if gold_file is not None:
        test, gold, lines = _file_gold(test, gold_file)
        told += lines
    else:
        gold = _set_gold(test, source) if source else None
    return Sets(test, datastore, gold, tuple(told), tuple(_warnings(test, datastore)))


def marks_of(one: StudySet, study: Study, images: Sequence[str] = ()) -> tuple[str, ...]:
    """What a study must not be found by: its id, its patient, its text, and the digests of its images.

    Ids are those of a population: equal numbers of two data sets are two patients.
    """
    text = study.report.text if study.report else ""
    marks = [f"study {one.population}\x1f{study.id}", text_mark(text)]
    if study.patient:
        marks.append(f"patient {one.population}\x1f{study.patient}")
    return (*marks, *(f"image {digest}" for digest in images))


def text_of(study: Study) -> str:
    """The whole report of a study."""
    return study.report.text if study.report else ""


def appended_text(study: Study, section: str) -> str:
    """What of a report is appended: all of it as it stands, or the bodies of a section choice."""
    text = text_of(study)
    if section == "all":
        return text.strip()
    return "\n".join(text[one.start : one.end] for one in read_sections(study, section)).strip()


def read_sections(study: Study, section: str, *, headless_as: str | None = None) -> tuple[Section, ...]:
    """The sections of a study's report that are read; none when it has no such section."""
    known = study.report.sections if study.report else None
    return select_sections(text_of(study), section, headless_as=headless_as, sections=known)


def _set_gold(test: StudySet, source: str) -> LabelMatrix:
    labels = [study.labels[source] for study in test.studies]
    vocabulary = labels[0].vocabulary
    states_NF = np.array([one.states for one in labels], dtype=np.int8)
    return LabelMatrix("gold", vocabulary, vocabulary.names, test.ids, states_NF)


def _file_gold(test: StudySet, path: Path) -> tuple[StudySet, LabelMatrix, list[str]]:
    """The studies that a label file has, in the order of the set, and their labels. Raises InputError for none."""
    file = read_labels(path, name="gold", texts=False)
    place_of = {key: place for place, key in enumerate(file.matrix.ids)}
    kept = [name for name in test.ids if name in place_of]
    if not kept:
        first = ", ".join(file.matrix.ids[:_SHOWN]) or "no keys"
        raise InputError(
            f"--gold {path.name}: none of its {len(file.matrix):,} keys ({first}, ...) is a study of the test set "
            f"({', '.join(test.ids[:_SHOWN])}, ...). Next step: a label file whose key column has the study ids."
        )
    told = []
    if len(kept) < len(test):
        told.append(f"test: {len(test) - len(kept):,} studies that {path.name} does not have were left out")
    if len(kept) < len(file.matrix):
        told.append(
            f"gold: {len(file.matrix) - len(kept):,} rows of {path.name} are no study of the test set"
        )
    return test.keep(kept), file.matrix.take([place_of[name] for name in kept]), told


def _warnings(test: StudySet, datastore: StudySet) -> list[str]:
    found = []
    for one in (test, datastore):
        unknown = sum(not study.patient for study in one.studies)
        if unknown:
            found.append(
                f"{one.role}: {unknown:,} studies have no patient id; of these, study, text and image alone could be "
                "kept apart."
            )
    if test.population == datastore.population:
        shared = {s.patient for s in test.studies if s.patient} & {s.patient for s in datastore.studies}
        if shared:
            found.append(
                f"Test set and datastore share {len(shared):,} patients. Their reports are in the datastore and were "
                "never appended to reports of the same patient."
            )
    return found
