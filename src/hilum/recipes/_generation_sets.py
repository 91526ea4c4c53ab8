"""The three sets of the study of report generation: one row per image, with its report, labels, truth and boxes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError
from hilum.core.imaging import Image
from hilum.core.matrix import LEFT_OUT
from hilum.core.records import Labels
from hilum.core.vocabulary import State
from hilum.datasets._sources import VOCABULARY, Needs, StudySet, parse_source, read_set
from hilum.recipes._visualchexbert_sets import check_apart, label_texts, truth_of
from hilum.text.report_words import Sentences, joined, report_sentences
from hilum.train.generator_data import ReportSet
from hilum.train.image_cache import grey
from hilum.train.image_set import Source

if TYPE_CHECKING:
    from hilum.recipes.generation import GenerationStudy

TRAIN, VALID, TEST = "train", "valid", "test"
ROLES = (TRAIN, VALID, TEST)
FINDINGS = tuple(finding.name for finding in VOCABULARY.findings if finding.role != "none")
"""The labels that are judged: all findings and devices, without No Finding."""

PLACES = [VOCABULARY.index(name) for name in FINDINGS]
Tell = Callable[[str], object]


class Row(NamedTuple):
    """One image: its study in the set, and the image."""

    study: int
    image: Image


@dataclass(frozen=True, eq=False)
class GenerationSet:
    """Images of one set with reports. `texts` [N] are the reports, `plain` the same in the words that are learned.

    `labels` [N] are those of the labeler on the reports, `truth_NF` of the images (LEFT_OUT where not known).
    """

    role: str
    studies: StudySet
    rows: tuple[Row, ...]
    texts: tuple[str, ...]
    sentences: tuple[Sentences, ...]
    labels: tuple[Labels, ...]
    truth_NF: npt.NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def ids(self) -> tuple[str, ...]:
        """Image ids."""
        return tuple(row.image.id for row in self.rows)

    @property
    def groups(self) -> tuple[str, ...]:
        """Who each image is of."""
        groups = self.studies.groups
        return tuple(groups[row.study] for row in self.rows)

    @property
    def plain(self) -> tuple[str, ...]:
        """The reports in lower case, as a perfect generator would write them."""
        return tuple(joined(one) for one in self.sentences)

    @property
    def states_NF(self) -> npt.NDArray[np.int8]:
        """States of the judged labels in the reports, int8 [N, F]."""
        return states_of(self.labels)

    def take(self, places: Sequence[int]) -> GenerationSet:
        """The images at these places."""
        return replace(
            self,
            rows=tuple(self.rows[i] for i in places),
            texts=tuple(self.texts[i] for i in places),
            sentences=tuple(self.sentences[i] for i in places),
            labels=tuple(self.labels[i] for i in places),
            truth_NF=self.truth_NF[np.asarray(places, dtype=np.intp)],
        )

    def reports(self, *, size: int, fit: str) -> ReportSet:
        """The set as a generator learns it; pixels in memory are brought to the size of the model.

        Patients are named with their population: equal ids of two populations are two patients.
        """
        population = self.studies.population
        named = [one.patient and f"{population} {one.patient}" for one in self.studies.studies]
        patients = tuple(named[row.study] for row in self.rows)
        studies = tuple(self.studies.ids[row.study] for row in self.rows)
        return ReportSet(
            self.studies.source.said, self.ids, studies, patients,
            tuple(source_of(row.image, size=size, fit=fit) for row in self.rows), self.texts, self.sentences,
        )  # fmt: skip


def states_of(labels: Sequence[Labels]) -> npt.NDArray[np.int8]:
    """States of the judged labels, int8 [N, F]."""
    every_NF = np.array([one.states for one in labels], dtype=np.int8).reshape(len(labels), -1)
    return np.asarray(every_NF[:, PLACES])


def positives_of(states_NF: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """1 where positive, else 0."""
    return np.asarray(states_NF == State.POSITIVE, dtype=np.int8)


def source_of(image: Image, *, size: int, fit: str) -> Source:
    """A file, or pixels at the size of a model."""
    if image.path is not None:
        return image.path
    pixels: Any = image.pixels
    return grey(pixels, size, fit=fit)


def read_sets(study: GenerationStudy, *, tell: Tell) -> dict[str, GenerationSet]:
    """The three sets by role. Raises InputError when one cannot be used or two share patients."""
    sources = {role: parse_source(getattr(study, role), option=role) for role in ROLES}
    found: dict[str, StudySet] = {}
    for role, source in sources.items():
        tell(f"reading {role}: {source.said}")
        found[role] = read_set(
            source, role=role, needs=Needs(True, True), section=study.section, views=study.views, tell=tell
        )
    warnings = check_apart(list(found.values()))
    for line in warnings:
        tell(line)
    return {role: _rows(one, study, tell=tell) for role, one in found.items()}


def _rows(studies: StudySet, study: GenerationStudy, *, tell: Tell) -> GenerationSet:
    sentences = [report_sentences(text) for text in studies.texts]
    good = [place for place, one in enumerate(sentences) if any(one)]
    rows = tuple(Row(place, image) for place in good for image in studies.studies[place].images)
    if not rows:
        raise InputError(f"--{studies.role} {studies.source.said}: no report has words.")
    ids = [row.image.id for row in rows]
    if len(set(ids)) < len(ids):
        raise InputError(
            f"--{studies.role} {studies.source.said}: two images are called {_twice(ids)!r}; each needs a name."
        )
    tell(f"labels of {studies.role} by {study.labeler}")
    labels = label_texts(studies.texts, labeler=study.labeler)
    return GenerationSet(
        studies.role, studies, rows,
        tuple(studies.texts[row.study] for row in rows), tuple(sentences[row.study] for row in rows),
        tuple(labels[row.study] for row in rows), _truth(studies, rows, study.truth),
    )  # fmt: skip


def _twice(ids: Sequence[str]) -> str:
    seen: set[str] = set()
    return next(one for one in ids if one in seen or seen.add(one))  # type: ignore[func-returns-value]


def _truth(studies: StudySet, rows: Sequence[Row], source: str) -> npt.NDArray[np.int8]:
    truth_NF = np.full((len(rows), len(FINDINGS)), LEFT_OUT, dtype=np.int8)
    if source and all(source in one.labels for one in studies.studies):
        of_studies_NF = truth_of(studies.states(source), FINDINGS)
        truth_NF[:] = of_studies_NF[[row.study for row in rows]]
    return truth_NF
