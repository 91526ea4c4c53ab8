"""What the study of disagreement reads: label files, readers, probabilities and texts, row by row the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hilum.analyses.alignment import Alignment, align_many
from hilum.core.errors import InputError
from hilum.core.matrix import LabelMatrix, ProbabilityMatrix
from hilum.core.vocabulary import CSV_CODES, State, Vocabulary
from hilum.tables.labels import LabelFile, read_labels, read_probabilities, read_reports_by_key

_IMAGE, _REPORT, _TEXTS = "image labels", "report labels", "reports"
"""Names of the inputs in messages and in `DiscrepancyStudy.keys`."""
Named = tuple[str, str | Path]
"""The name of a source in tables, and its file."""


MOST_LEFT_OUT_ONE_BY_ONE = 5000
"""Studies up to which LogReg is judged by leave-one-out when nothing else is asked."""


@dataclass(frozen=True)
class DiscrepancyStudy:
    """What to study and how.

    `keys` names key columns as (source, column), the source "" for all files; `match_keys` is the form in which
    keys are compared. `labels` are further label files to compare, `readers` people who read the images,
    `models` probabilities of image models; each is joined to the image labels as the report labels are.
    `reports` has the texts, for examples and reasons; without it those of the report label file are used.
    `findings` are the evaluation findings; without them, those with a share of positives of at least
    `least_positives`. `ties` says what a tie of readers counts as. `folds` judges LogReg by cross-validation;
    without it by leave-one-out up to MOST_LEFT_OUT_ONE_BY_ONE studies, and by 10 folds above.
    """

    report_labels: str | Path
    image_labels: str | Path
    align: str = "auto"
    keys: tuple[tuple[str, str], ...] = ()
    match_keys: str = "exact"
    labels: tuple[Named, ...] = ()
    readers: tuple[Named, ...] = ()
    models: tuple[Named, ...] = ()
    reports: str | Path | None = None
    findings: tuple[str, ...] = ()
    least_positives: float = 0.1
    policy: str = "uncertain-to-zero"
    ties: str = "negative"
    folds: int | None = None
    replicates: int = 1000
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Loaded:
    """The inputs on the N studies that all of them share, in the order of the image labels.

    `report` and `truth_NF` have all findings that both label files have; `chosen` are the evaluation findings.
    """

    report: LabelMatrix
    truth_NF: npt.NDArray[np.int8]
    chosen: tuple[str, ...]
    ids: tuple[str, ...]
    texts: tuple[str | None, ...] | None
    labels: Mapping[str, LabelMatrix]
    readers: Mapping[str, LabelMatrix]
    models: Mapping[str, ProbabilityMatrix]
    told: tuple[str, ...]
    alignments: Mapping[str, Alignment]

    @property
    def places(self) -> list[int]:
        """Columns of the evaluation findings in `truth_NF`."""
        return [self.report.findings.index(finding) for finding in self.chosen]

    @property
    def chosen_truth_NF(self) -> npt.NDArray[np.int8]:
        """Image labels of the evaluation findings, int8 [N, F]."""
        return self.truth_NF[:, self.places]


def load(study: DiscrepancyStudy) -> Loaded:
    """Read and join everything that a study names.

    Raises InputError for files that cannot be read or joined, image labels other than 0 and 1, and when no
    finding has enough positives.
    """
    image = read_labels(study.image_labels, name=_IMAGE, key=_key_of(study, _IMAGE), texts=False)
    report = read_labels(study.report_labels, name=_REPORT, key=_key_of(study, _REPORT))
    vocabulary = report.matrix.vocabulary
    told = [
        f"{name}: {'; '.join(file.notes)}."
        for name, file in ((_IMAGE, image), (_REPORT, report))
        if file.notes
    ]
    truth = image.matrix.translated(vocabulary)
    shared = [f for f in report.matrix.findings if f in truth.findings]
    if not shared:
        raise InputError(
            f"{study.report_labels} and {study.image_labels} share no finding: "
            f"{', '.join(report.matrix.findings)} against {', '.join(image.matrix.findings)}."
        )
    told += _unshared(report.matrix, image.matrix)
    truth = truth.select(shared)
    _check_image_labels(truth, study.image_labels)
    labels, readers = (_read_labels(named, study, vocabulary) for named in (study.labels, study.readers))
    models = {
        name: read_probabilities(path, name=name, key=_key_of(study, name)).matrix.translated(vocabulary)
        for name, path in study.models
    }
    _check_names(study)
    others: dict[str, LabelMatrix | ProbabilityMatrix] = {
        _REPORT: report.matrix.select(shared),
        **labels,
        **readers,
        **models,
    }
    joined = align_many([truth, *others.values()], how=study.align, match_keys=study.match_keys)
    truth_rows, *other_rows = joined.rows
    rows_of = dict(zip(others, other_rows, strict=True))
    truth, report_rows = truth.take(truth_rows), rows_of[_REPORT]
    texts = _texts(study, report, report_rows, truth)
    return Loaded(
        report=replace(report.matrix.select(shared).take(report_rows), source=_REPORT),
        truth_NF=truth.binary(),
        chosen=_chosen(study, truth),
        ids=truth.ids or tuple(f"row {row + 1}" for row in truth_rows),
        texts=texts,
        labels={name: matrix.take(rows_of[name]) for name, matrix in labels.items()},
        readers={name: matrix.take(rows_of[name]) for name, matrix in readers.items()},
        models={name: matrix.take(rows_of[name]) for name, matrix in models.items()},
        told=tuple(told),
        alignments=dict(zip(others, joined.alignments, strict=True)),
    )


def _read_labels(
    named: Sequence[Named], study: DiscrepancyStudy, vocabulary: Vocabulary
) -> dict[str, LabelMatrix]:
    return {
        name: read_labels(path, name=name, key=_key_of(study, name), texts=False).matrix.translated(
            vocabulary
        )
        for name, path in named
    }


def _key_of(study: DiscrepancyStudy, name: str) -> str | None:
    keys = dict(study.keys)
    return keys.get(name, keys.get(""))


def _check_names(study: DiscrepancyStudy) -> None:
    names = [_REPORT, *(name for name, _ in (*study.labels, *study.readers, *study.models))]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"Two sources are called {name!r}. Next step: give each a name of its own.")


def _unshared(report: LabelMatrix, image: LabelMatrix) -> list[str]:
    same = report.vocabulary.counterparts(image.vocabulary)
    ours = [f for f in report.findings if same.get(f) not in image.findings]
    theirs = [f for f in image.findings if f not in {same.get(own) for own in report.findings}]
    return [
        f"Only in the {name}, not studied: {', '.join(names)}."
        for name, names in ((_REPORT, ours), (_IMAGE, theirs))
        if names
    ]


def _check_image_labels(truth: LabelMatrix, path: str | Path) -> None:
    wrong = (truth.states_NF != State.POSITIVE) & (truth.states_NF != State.NEGATIVE)
    if wrong.any():
        study, finding = (int(place) for place in np.argwhere(wrong)[0])
        state = State(int(truth.states_NF[study, finding]))
        code = CSV_CODES[state]
        raise InputError(
            f"{path}: image labels must be 1 or 0, and {int(wrong.sum()):,} cells are not: row {study + 1}, "
            f"column {truth.findings[finding]!r} is {state.name.lower()}{'' if code is None else f' ({code})'}. "
            "Next step: give labels of people who saw the image; labels with blanks and -1 are report labels."
        )


def _chosen(study: DiscrepancyStudy, truth: LabelMatrix) -> tuple[str, ...]:
    if study.findings:
        names = [truth.vocabulary.names[truth.vocabulary.index(name)] for name in study.findings]
        for name in names:
            truth.column(name)
        chosen = tuple(dict.fromkeys(names))
    else:
        least = study.least_positives * len(truth)
        positives = (truth.states_NF == State.POSITIVE).sum(axis=0)
        chosen = tuple(f for f, n in zip(truth.findings, positives, strict=True) if n >= max(least, 1))
    if not chosen:
        raise InputError(
            f"No finding is positive on {study.least_positives:.0%} of the {len(truth):,} images. Next step: "
            "a lower --least-positives, or --findings."
        )
    for finding in chosen:
        positives = int((truth.column(finding) == State.POSITIVE).sum())
        if positives in (0, len(truth)):
            raise InputError(
                f"{finding}: {positives:,} of {len(truth):,} images are positive, and a comparison needs both "
                "classes. Next step: leave it out with --findings."
            )
    return chosen


def _texts(
    study: DiscrepancyStudy, report: LabelFile, rows: npt.NDArray[np.intp], truth: LabelMatrix
) -> tuple[str | None, ...] | None:
    if study.reports is None:
        return tuple(report.texts[row] for row in rows) if report.texts else None
    found = read_reports_by_key(study.reports, key=_key_of(study, _TEXTS))
    if not (found.ids and truth.ids):
        if len(found.texts) != len(report.matrix):
            raise InputError(
                f"{study.reports} has {len(found.texts):,} reports for {len(report.matrix):,} rows of report "
                "labels and no key to join them by. Next step: --key COLUMN."
            )
        return tuple(found.texts[row] for row in rows)
    by_key = dict(zip(found.ids, found.texts, strict=True))
    texts = tuple(by_key.get(key) for key in truth.ids)
    if not any(texts):
        raise InputError(
            f"{study.reports}: none of its keys ({found.ids[0]!r}, ...) is a key of the image labels "
            f"({truth.ids[0]!r}, ...). Next step: --key COLUMN."
        )
    return texts
