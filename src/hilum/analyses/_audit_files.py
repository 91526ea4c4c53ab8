"""The files of an audit: the sample that was drawn, and the answers to its form."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError
from hilum.core.matrix import LabelMatrix
from hilum.core.vocabulary import State
from hilum.pages.audit_form import ANSWERS_FORMAT, answer_state

SAMPLE_FORMAT = "hilum audit sample 1"
_NOTE = "Weights and strata come from the labels: who fills in the form should not see this file before."
UNANSWERED = -1
"""In an array of answered states: this finding of this report has no answer."""


class Stratum(NamedTuple):
    """A stratum of the file: its name, how many reports it has and how many of them were drawn."""

    name: str
    reports: int
    drawn: int

    @property
    def weight(self) -> float:
        """How many reports each report drawn stands for; 1 / weight is its inclusion probability."""
        return self.reports / self.drawn


class Drawn(NamedTuple):
    """One report of the sample: its number on the form, its row in the file (both from 1), key and stratum."""

    number: int
    row: int
    key: str
    stratum: int


@dataclass(frozen=True)
class Sample:
    """What was drawn from which labels, and how.

    `digest` is that of labels and texts (`labels_digest`), `options` are what the labels were read or made with.
    """

    digest: str
    seed: int
    findings: tuple[str, ...]
    strata: tuple[Stratum, ...]
    drawn: tuple[Drawn, ...]
    options: Mapping[str, str]

    @property
    def id(self) -> str:
        """A name that no other sample has, 16 hexadecimal digits; the form and its answers carry it."""
        parts = [self.digest, self.seed, [(one.number, one.row) for one in self.drawn], list(self.findings)]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    @property
    def sizes_H(self) -> npt.NDArray[np.int64]:
        """Reports of each stratum, int64 [H]."""
        return np.array([stratum.reports for stratum in self.strata], dtype=np.int64)

    @property
    def strata_n(self) -> npt.NDArray[np.intp]:
        """Stratum of each report drawn, in the order of the form, intp [n]."""
        return np.array([one.stratum for one in self.drawn], dtype=np.intp)

    def to_json(self) -> str:
        """The text of sample.json."""
        record = {
            "format": SAMPLE_FORMAT,
            "note": _NOTE,
            "sample": self.id,
            **asdict(self),
            "strata": [{**s._asdict(), "weight": round(s.weight, 6)} for s in self.strata],
            "drawn": [one._asdict() for one in self.drawn],
        }
        return json.dumps(record, ensure_ascii=False, indent=1) + "\n"


@dataclass(frozen=True, eq=False)
class Answers:
    """What one reader answered: `State` codes or UNANSWERED, int8 [n, F], in the order of form and sample.

    `notes` say what could not be used.
    """

    reader: str
    states_nF: npt.NDArray[np.int8]
    notes: tuple[str, ...] = ()


def labels_digest(labels: LabelMatrix, texts: Sequence[str]) -> str:
    """SHA-256 of the names of the findings, all labels and the texts that were labeled."""
    digest = hashlib.sha256(json.dumps([labels.vocabulary.name, labels.findings, len(labels)]).encode())
    digest.update(np.ascontiguousarray(labels.states_NF).tobytes())
    for text in texts:
        one = text.encode("utf-8", "surrogatepass")
        digest.update(f"\x1f{len(one)}\x1f".encode())
        digest.update(one)
    return digest.hexdigest()


def read_sample(path: Path) -> Sample:
    """The sample of a sample.json. Raises InputError when it is not there, or no such file."""
    record = _read(path, SAMPLE_FORMAT, "sample of hilum audit")
    try:
        sample = Sample(
            str(record["digest"]),
            int(record["seed"]),
            tuple(map(str, record["findings"])),
            tuple(Stratum(str(s["name"]), int(s["reports"]), int(s["drawn"])) for s in record["strata"]),
            tuple(
                Drawn(int(d["number"]), int(d["row"]), str(d["key"]), int(d["stratum"]))
                for d in record["drawn"]
            ),
            {str(key): str(value) for key, value in record["options"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: this sample was changed: {type(error).__name__}: {error}.") from error
    counts = np.bincount(sample.strata_n, minlength=len(sample.strata)).tolist()
    if record.get("sample") != sample.id or counts != [stratum.drawn for stratum in sample.strata]:
        raise InputError(
            f"{path}: this sample was changed after it was drawn. Next step: draw it again with the same seed "
            f"({sample.seed}) and size ({len(sample.drawn):,}); the same file gives the same sample."
        )
    return sample


def read_answers(path: Path, sample: Sample) -> Answers:
    """The answers of one reader to the form of `sample`.

    Raises InputError for a file of another kind, answers to another form, and when there is none.
    """
    record = _read(path, ANSWERS_FORMAT, "file of answers that the form of hilum audit saved")
    if record.get("sample") != sample.id:
        raise InputError(
            f"{path}: these are answers to the form {record.get('sample')!r}, and this sample is {sample.id!r}. "
            "Next step: name the folder of the audit that the form came from with -o DIR."
        )
    given = record.get("answers")
    if not isinstance(given, dict) or not given:
        raise InputError(f"{path}: there are no answers in it. Next step: fill in the form and save again.")
    states = np.full((len(sample.drawn), len(sample.findings)), UNANSWERED, dtype=np.int8)
    places = {str(one.number): place for place, one in enumerate(sample.drawn)}
    columns = {finding: place for place, finding in enumerate(sample.findings)}
    unknown: list[str] = []
    for number, one in given.items():
        for finding, name in one.items() if isinstance(one, dict) else [("", one)]:
            state = answer_state(name)
            if number not in places or finding not in columns or state is None:
                unknown.append(f"report {number}, {finding or 'answers'}: {name!r}")
            else:
                states[places[number], columns[finding]] = state
    notes = []
    if unknown:
        notes.append(f"{len(unknown):,} answers could not be used, the first: {unknown[0]}")
    return Answers(str(record.get("reader") or path.stem).strip(), states, tuple(notes))


def answers_json(sample: Sample, states_nF: npt.NDArray[np.int8], *, reader: str = "") -> str:
    """The text of a file of answers as the form saves it, for programs that fill in the form.

    `states_nF` are `State` codes or UNANSWERED in the order of the form.
    """
    answers = {
        str(one.number): {
            finding: State(int(code)).name.lower()
            for finding, code in zip(sample.findings, row, strict=True)
            if code != UNANSWERED
        }
        for one, row in zip(sample.drawn, states_nF, strict=True)
        if (row != UNANSWERED).any()
    }
    return (
        json.dumps({"format": ANSWERS_FORMAT, "sample": sample.id, "reader": reader, "answers": answers})
        + "\n"
    )


def _read(path: Path, kind: str, words: str) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise InputError(
            f"There is no {path}. Next step: hilum audit FILE --sample N -o DIR draws a sample and writes its form."
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as JSON: {error}.") from error
    if not isinstance(record, dict) or record.get("format") != kind:
        got = record.get("format") if isinstance(record, dict) else type(record).__name__
        raise InputError(f"{path} is no {words}: its format is {got!r}, not {kind!r}.")
    return record
