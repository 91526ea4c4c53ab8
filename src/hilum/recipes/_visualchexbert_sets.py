"""The four sets of studies of the VisualCheXbert study: read from data sets, with what each must have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError
from hilum.core.matrix import LEFT_OUT, LabelMatrix
from hilum.core.records import Labels
from hilum.core.vocabulary import State
from hilum.datasets._sources import VOCABULARY, Needs, Source, StudySet, Tell, parse_source, read_set
from hilum.labelers import ReportSpans, get_labeler, labeler_options

__all__ = [
    "VOCABULARY",
    "Needs",
    "Source",
    "StudySet",
    "Tell",
    "parse_source",
    "read_set",
]

IMAGE_TRAIN, REPORT_TRAIN, VALID, TEST = "image-train", "report-train", "valid", "test"
"""The sets by what they are for, as their options are called."""

BY_LABELER = "labeler"
"""In the place of a source of image truth: labels of the reports, for data that has no other."""

_BATCH = 500
_UNCERTAIN = {"zeros": 0.0, "ones": 1.0}
_SHOWN = 3


def check_apart(sets: Sequence[StudySet]) -> tuple[str, ...]:
    """Warnings on patients that are not known. Raises InputError when two sets share a patient.

    The classifier must not give labels for images that it has seen, and nothing may be judged or chosen on studies
    of patients that were learned from.
    """
    for one, other in combinations(sets, 2):
        if one.population != other.population:
            continue
        shared = sorted(set(one.groups) & set(other.groups))
        if shared:
            named = ", ".join(name.split(" ", 1)[1] for name in shared[:_SHOWN])
            more = ", ..." if len(shared) > _SHOWN else ""
            raise InputError(
                f"--{one.role} {one.source.said} and --{other.role} {other.source.said} share {len(shared):,} patients "
                f"({named}{more}). What is labeled or judged must not have been learned from. Next step: other splits, "
                f"or parts by patient: {one.source.said.split('@')[0]}@1/2 and @2/2."
            )
    return tuple(
        f"{one.role}: {n:,} studies have no patient id, so whether their patients are in another set was not checked; "
        "each counts as a patient of its own."
        for one in sets
        if (n := sum(not study.patient for study in one.studies))
    )


def label_texts(texts: Sequence[str], *, labeler: str) -> list[Labels]:
    """Labels of texts by a labeler, in the findings of chexpert14."""
    chosen = get_labeler(labeler, **labeler_options(labeler, {}))
    found: list[Labels] = []
    for start in range(0, len(texts), _BATCH):
        found += chosen.label_batch([ReportSpans(text) for text in texts[start : start + _BATCH]])
    return found


def stand_in(labels: Labels) -> Labels:
    """Labels of a report in the place of image truth: blank is negative; uncertain stays, and is left out later."""
    states = tuple(State.NEGATIVE if one is State.BLANK else one for one in labels.states)
    return replace(labels, states=states, evidence=())


def soft_of(labels: LabelMatrix, *, uncertain: str) -> npt.NDArray[np.float64]:
    """Labels of reports as probabilities [N, F]: positive 1, negative and blank 0, uncertain as the classifier has it.

    Where the classifier does not count uncertain labels as one or the other, they are 0.5.
    """
    value = _UNCERTAIN.get(uncertain, 0.5)
    return np.where(labels.states_NF == State.UNCERTAIN, value, labels.states_NF == State.POSITIVE).astype(
        np.float64
    )


def truth_of(labels: LabelMatrix, findings: Sequence[str]) -> npt.NDArray[np.int8]:
    """Image labels int8 [N, F]: 1, 0, or LEFT_OUT where they are neither positive nor negative, or are not there."""
    truth_NF = np.full((len(labels), len(findings)), LEFT_OUT, dtype=np.int8)
    for place, finding in enumerate(findings):
        if finding in labels.findings:
            states = labels.column(finding)
            truth_NF[states == State.POSITIVE, place] = 1
            truth_NF[states == State.NEGATIVE, place] = 0
    return truth_NF


def choose_findings(
    truth_NF: npt.NDArray[np.int8], wanted: Sequence[str], *, least: float
) -> tuple[str, ...]:
    """The evaluation findings: those asked for, else those positive on a share of `least` of the studies.

    `truth_NF` has a column per finding of chexpert14. Raises InputError when there is none, or one has one class.
    """
    counts = {
        name: (int((column == 1).sum()), int((column == 0).sum()))
        for name, column in zip(VOCABULARY.names, truth_NF.T, strict=True)
    }
    if wanted:
        chosen = tuple(dict.fromkeys(VOCABULARY.names[VOCABULARY.index(name)] for name in wanted))
    else:
        floor = max(least * len(truth_NF), 2)
        chosen = tuple(name for name, (ones, zeros) in counts.items() if ones >= floor and zeros >= 2)
    bad = {name: counts[name] for name in chosen if min(counts[name]) < 2}
    if bad or not chosen:
        told = "; ".join(f"{name}: {ones} positive, {zeros} negative" for name, (ones, zeros) in bad.items())
        raise InputError(
            f"Nothing can be compared on the {len(truth_NF):,} studies of the test set: "
            f"{told or f'no finding is positive on {least:.0%} of them'}. Next step: more studies, other --findings, "
            "or a lower --least-positives."
        )
    return chosen
