"""The tables of MIMIC-CXR and MIMIC-IV that stand beside the table of images: labels, splits, people."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from hilum.core.records import Labels
from hilum.core.vocabulary import CHEXPERT14
from hilum.datasets._base import Dropped
from hilum.datasets._tables import TableFile, labels_by_key

_UNSTATED = ("", "UNKNOWN", "UNABLE TO OBTAIN", "PATIENT DECLINED TO ANSWER", "OTHER")
_OLDEST = 120


class Person(NamedTuple):
    """Sex, and an age in a year from which the age in other years follows (patients.csv of MIMIC-IV)."""

    sex: str = ""
    anchor_age: float | None = None
    anchor_year: float | None = None

    def age(self, year: int | None) -> float | None:
        """Age in a year; None when it is not known or none that anybody can have."""
        if year is None or self.anchor_age is None or self.anchor_year is None:
            return None
        age = self.anchor_age + year - self.anchor_year
        return age if 0 <= age <= _OLDEST else None


def number(text: str, letter: str) -> str:
    """The digits of an id that may be written "50414267", "s50414267" or "50414267.0"; "" when it has no such form."""
    digits = text.lower().removeprefix(letter).removesuffix(".0")
    return digits if digits.isascii() and digits.isdigit() else ""


def read_labels(path: Path, dropped: Dropped) -> dict[str, Labels]:
    """study_id -> labels of a table with the columns of CheXpert's findings, in any order. The first row counts."""
    return labels_by_key(
        path,
        key="study_id",
        vocabulary=CHEXPERT14,
        dropped=dropped,
        form=lambda text: number(text, "s"),
        at_least=len(CHEXPERT14) - 2,
    )


def read_splits(path: Path, dropped: Dropped, *, known: tuple[str, ...]) -> dict[str, str]:
    """study_id -> split. A study of two splits, and a split that is not `known`, are counted; the first row counts."""
    found: dict[str, str] = {}
    for row in TableFile(path, needed=("study_id", "split"), dropped=dropped):
        study, split = number(row["study_id"], "s"), row["split"]
        if split not in known or not study:
            dropped.add(
                "rows without a study or a known split", f"{path.name} row {row.number:,}", wrong=True
            )
        elif found.setdefault(study, split) != split:
            dropped.add("studies of two splits (the first counts)", study, wrong=True)
    return found


def read_people(path: Path, dropped: Dropped) -> dict[str, Person]:
    """subject_id -> Person of patients.csv. `anchor_age` 91 stands for everybody above 89."""
    columns = ("anchor_age", "anchor_year")
    found: dict[str, Person] = {}
    for row in TableFile(path, needed=("subject_id", "gender"), optional=columns, dropped=dropped):
        sex = row["gender"].upper()
        if sex not in ("F", "M"):
            dropped.add("people whose gender is neither F nor M (left empty)", row["subject_id"])
            sex = ""
        found[number(row["subject_id"], "p")] = Person(sex, row.real("anchor_age"), row.real("anchor_year"))
    return found


def read_races(path: Path, dropped: Dropped) -> Mapping[str, str]:
    """subject_id -> the race that most admissions of admissions.csv state; of two, the first by alphabet.

    Answers like UNKNOWN and OTHER count only where there is nothing else. MIMIC-IV 1.0 calls the column ethnicity.
    """
    told: dict[str, Counter[str]] = defaultdict(Counter)
    table = TableFile(path, needed=("subject_id",), optional=("race", "ethnicity"), dropped=dropped)
    for row in table:
        told[number(row["subject_id"], "p")][row["race"] or row["ethnicity"]] += 1
    return {
        subject: min(races, key=lambda race: (race.upper() in _UNSTATED, -races[race], race))
        for subject, races in told.items()
    }
