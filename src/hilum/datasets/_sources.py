"""Sets of studies as commands name them, `NAME:ROOT[:SPLIT][@PART/PARTS]`, read with what each study must have."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hilum.core.errors import InputError, UnknownNameError
from hilum.core.imaging import Image, Study, View
from hilum.core.matrix import LabelMatrix
from hilum.core.records import Labels
from hilum.core.vocabulary import SHIPPED
from hilum.datasets import DATA_SETS, get_data_set
from hilum.text.sections import SECTION_CHOICES, select_sections

VOCABULARY = SHIPPED["chexpert14"]
_PART = re.compile(r"@(\d+)/(\d+)$")
_TELL_EVERY = 5_000

Tell = Callable[[str], object]


class Source(NamedTuple):
    """A set as it is asked for: data set, folder, split, and which part of how many of its patients."""

    said: str
    name: str
    root: Path
    split: str | None = None
    part: int = 1
    parts: int = 1


class Needs(NamedTuple):
    """What every study of a set must have; others are left out and counted."""

    text: bool = False
    images: bool = False
    labels: str = ""


@dataclass(frozen=True, eq=False)
class StudySet:
    """The studies of one set that have what is needed; `texts` are the sections that are read of their reports.

    `population` says whose patients they are: equal ids of one population are one patient. `told` says what was
    left out. `synthetic`: of no patient.
    """

    role: str
    source: Source
    population: str
    studies: tuple[Study, ...]
    texts: tuple[str, ...]
    told: tuple[str, ...] = ()
    synthetic: bool = False
    label_sources: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.studies)

    @property
    def ids(self) -> tuple[str, ...]:
        """Study ids."""
        return tuple(study.id for study in self.studies)

    @property
    def groups(self) -> tuple[str, ...]:
        """Who each study is of; a study whose patient is not known is its own."""
        return tuple(
            f"patient {study.patient}" if study.patient else f"study {study.id}" for study in self.studies
        )

    @property
    def images(self) -> int:
        """Number of images that are used."""
        return sum(len(study.images) for study in self.studies)

    def keep(self, ids: Sequence[str]) -> StudySet:
        """The studies of these ids, in the order of the set."""
        wanted = set(ids)
        places = [place for place, study in enumerate(self.studies) if study.id in wanted]
        return replace(
            self,
            studies=tuple(self.studies[i] for i in places),
            texts=tuple(self.texts[i] for i in places),
        )

    def states(self, source: str) -> LabelMatrix:
        """Labels of one source that every study has, in the findings of chexpert14 that it has."""
        labels = [study.labels[source] for study in self.studies]
        vocabulary = labels[0].vocabulary
        states_NF = np.array([one.states for one in labels], dtype=np.int8)
        matrix = LabelMatrix(source, vocabulary, vocabulary.names, self.ids, states_NF)
        return matrix if vocabulary == VOCABULARY else matrix.translated(VOCABULARY)

    def with_labels(self, source: str, labels: Sequence[Labels]) -> StudySet:
        """The same with labels of one more source."""
        studies = (
            replace(study, labels={**study.labels, source: one})
            for study, one in zip(self.studies, labels, strict=True)
        )
        return replace(self, studies=tuple(studies))


def cut_part(said: str) -> tuple[str, int, int]:
    """What stands before "@2/3", and the 2 and the 3; 1 of 1 where nothing is said."""
    part = _PART.search(said)
    return (said[: part.start()], int(part[1]), int(part[2])) if part else (said, 1, 1)


def in_part(patient: str, part: int, parts: int) -> bool:
    """Whether a patient is in this part of so many, drawn by a checksum of the name."""
    digest = hashlib.sha256(patient.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % parts == part - 1


def parse_source(said: str, *, option: str) -> Source:
    """The set that `NAME:ROOT[:SPLIT][@PART/PARTS]` names. Raises InputError and UnknownNameError.

    `@2/3` is the second of three parts, drawn by patient, for data that has no splits.
    """
    whole, number, parts = cut_part(said)
    name, colon, rest = whole.partition(":")
    known = DATA_SETS.names()
    if not colon or not rest or not name:
        raise InputError(
            f"--{option} {said!r}: NAME:ROOT[:SPLIT][@PART/PARTS] is needed, e.g. phantom:DIR:test."
        )
    if name not in known:
        raise UnknownNameError("data set", name, known)
    root, _, split = rest.rpartition(":")
    if not root or Path(rest).exists():
        root, split = rest, ""
    if not 1 <= number <= parts:
        raise InputError(f"--{option} {said!r}: part {number} of {parts} cannot be; allowed: 1 to {parts}.")
    if not Path(root).is_dir():
        raise InputError(f"--{option} {said!r}: there is no folder {root}. Next step: NAME:ROOT[:SPLIT].")
    return Source(said, name, Path(root), split or None, number, parts)


def read_set(
    source: Source,
    *,
    role: str,
    needs: Needs,
    section: str,
    views: str,
    tell: Tell,
    reports: bool = False,
) -> StudySet:
    """The studies of a set that have what it needs; with `reports`, their whole reports are kept.

    Raises InputError, saying what they lack, when none has.
    """
    if section not in SECTION_CHOICES:
        raise UnknownNameError("section choice", section, SECTION_CHOICES)
    data = get_data_set(source.name, source.root)
    kept: list[Study] = []
    texts: list[str] = []
    dropped: Counter[str] = Counter()
    seen: set[str] = set()
    for number, study in enumerate(data.studies(source.split), start=1):
        if number % _TELL_EVERY == 0:
            tell(f"{role}: {number:,} studies were looked through")
        seen.update(study.labels)
        if not _in_part(study, source):
            continue
        text = _text(study, section)
        images = tuple(one for one in study.images if _usable(one, views))
        lacking = _lacking(text, images, study, needs, section)
        if lacking:
            dropped[lacking] += 1
            continue
        report = study.report if reports else None
        kept.append(replace(study, images=images, report=report, priors=(), meta={}))
        texts.append(text)
    told = [f"{n:,} studies {what} were left out" for what, n in dropped.items()]
    if not kept:
        raise InputError(
            f"--{role} {source.said}: no study can be used ({'; '.join(told) or 'there are none'}). "
            f"{_help(seen, needs)}"
        )
    population = f"{source.name} {getattr(data, 'population', '')}".strip()
    return StudySet(
        role, source, population, tuple(kept), tuple(texts), (*told, *data.dropped.lines()), data.card.synthetic,
        tuple(sorted(seen)),
    )  # fmt: skip


def _in_part(study: Study, source: Source) -> bool:
    return in_part(study.patient or study.id, source.part, source.parts)


def _text(study: Study, section: str) -> str:
    report = study.report
    if report is None or not report.text.strip():
        return ""
    found = select_sections(report.text, section, sections=report.sections)
    return "\n".join(report.text[one.start : one.end] for one in found).strip()


def _usable(image: Image, views: str) -> bool:
    return (views == "all" or image.view is not View.LATERAL) and (
        image.path is not None or image.pixels is not None
    )


def _lacking(text: str, images: tuple[Image, ...], study: Study, needs: Needs, section: str) -> str:
    """What keeps a study from being used, or ""."""
    if needs.text and not text:
        return "without a report" if study.report is None else f"with nothing in the section {section!r}"
    if needs.images and not images:
        return "without an image that can be used"
    if needs.labels and needs.labels not in study.labels:
        return f"without labels of {needs.labels!r}"
    return ""


def _help(seen: set[str], needs: Needs) -> str:
    wanted = [what for what, is_needed in (("reports", needs.text), ("images", needs.images)) if is_needed]
    if needs.labels:
        wanted.append(
            f"labels of {needs.labels!r} (there are labels of {', '.join(sorted(seen)) or 'no source'})"
        )
    return (
        f"It needs {', '.join(wanted)}. Next step: hilum doctor NAME --root DIR says what is there; --section and "
        "--truth choose others."
    )
