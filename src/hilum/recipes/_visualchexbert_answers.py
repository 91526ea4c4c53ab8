"""From probabilities of a report encoder to 0 and 1: thresholds from one set, regressions (VisualCheXbert, 4.6.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.analyses.baselines import LOGREG, baselines
from hilum.analyses.mappings import fit_logreg
from hilum.core.errors import InputError
from hilum.core.matrix import LEFT_OUT, LabelMatrix
from hilum.metrics.ranking import youden_threshold
from hilum.stats.regression import fit_logistic, leave_one_out

Labels = npt.NDArray[np.int8]
Floats = npt.NDArray[np.float64]
Tell = Callable[[str], object]

LOGREG_V = f"{LOGREG}, fitted on valid"


class Cut(NamedTuple):
    """Youden's threshold of one finding on the validation set; None where that has one class only."""

    finding: str
    positives: int
    value: float | None
    sensitivity: float | None
    specificity: float | None


@dataclass(frozen=True, eq=False)
class Answers:
    """0/1 answers int8 [N, F] of one encoder for the test set by name of the way, thresholds, and notes.

    LEFT_OUT where the truth is, and where a way could not be fitted.
    """

    ways: dict[str, Labels]
    cuts: tuple[Cut, ...]
    notes: tuple[str, ...]


class Judged(NamedTuple):
    """Probabilities [N, 14] or report labels of a set, and its image truth [N, F]."""

    inputs: Any
    truth_NF: Labels


THRESHOLDING, BERT_LOGREG, BERT_LOGREG_V = "BERT+Thresholding", "BERT+LogReg", "BERT+LogReg, fitted on valid"
WAYS = (THRESHOLDING, BERT_LOGREG, BERT_LOGREG_V)
"""Ways from probabilities to labels: the two of the paper, and regressions that see no truth of the test set."""


def answer(
    columns: Sequence[str], valid: Judged, test: Judged, findings: Sequence[str], *, tell: Tell
) -> Answers:
    """Answers for the test set: thresholds from `valid`, regressions leave-one-out on `test`, and fitted on `valid`.

    `columns` are the findings of the probabilities; all of them go into each regression (L2, C = 1, 500 iterations,
    inverse prevalence; section 4.6.2).
    """
    ways = {way: np.full(test.truth_NF.shape, LEFT_OUT, dtype=np.int8) for way in WAYS}
    cuts: list[Cut] = []
    notes: list[str] = []
    for place, finding in enumerate(findings):
        tell(f"thresholds and regressions: {finding}")
        known = test.truth_NF[:, place] != LEFT_OUT
        known_v = valid.truth_NF[:, place] != LEFT_OUT
        y, y_v = test.truth_NF[known, place], valid.truth_NF[known_v, place]
        cut, label = _cut(columns, finding, valid.inputs[known_v], y_v)
        cuts.append(cut)
        if cut.value is not None:
            scores = test.inputs[known, list(columns).index(finding)]
            ways[THRESHOLDING][known, place] = scores >= cut.value
        try:
            held = leave_one_out(test.inputs[known], y)
            ways[BERT_LOGREG][known, place] = held.predictions_N
            if held.unconverged:
                notes.append(
                    f"{BERT_LOGREG}, {finding}: {held.unconverged} of {held.fits} fits did not converge."
                )
        except InputError as error:
            notes.append(f"{BERT_LOGREG} has no answer for {finding}: {error}")
        try:
            fit = fit_logistic(valid.inputs[known_v], y_v)
            ways[BERT_LOGREG_V][known, place] = fit.log_odds(test.inputs[known]) > 0
        except InputError as error:
            label = label or f"No threshold or regression from the validation set for {finding}: {error}"
        notes += [label] if label else []
    return Answers(ways, tuple(cuts), tuple(notes))


def _cut(columns: Sequence[str], finding: str, inputs_NF: Floats, y_N: Labels) -> tuple[Cut, str]:
    """The threshold, and a note when there is none."""
    positives = int((y_N == 1).sum())
    nothing = Cut(finding, positives, None, None, None)
    if finding not in columns:
        return nothing, f"The encoder has no head for {finding}, so no threshold."
    try:
        found = youden_threshold(y_N, inputs_NF[:, list(columns).index(finding)])
    except InputError as error:
        return nothing, f"No threshold for {finding}: {error}"
    return Cut(finding, positives, found.value, found.sensitivity, found.specificity), ""


class ReportAnswers(NamedTuple):
    """Answers of the mappings of report labels, int8 [N, F] by name, and notes."""

    ways: dict[str, Labels]
    notes: tuple[str, ...]


def map_reports(test: Judged, valid: Judged, findings: Sequence[str], *, tell: Tell) -> ReportAnswers:
    """Zero-One, Zero-One with parents, LogReg (leave-one-out on `test`), and LogReg fitted on `valid`.

    `inputs` are `LabelMatrix` of the labeler.
    """
    tell("mappings of report labels")
    found = baselines(test.inputs, test.truth_NF, findings)
    fitted = np.full(test.truth_NF.shape, LEFT_OUT, dtype=np.int8)
    notes = list(found.notes)
    report: LabelMatrix = valid.inputs
    for place, finding in enumerate(findings):
        try:
            mapping = fit_logreg(report, valid.truth_NF[:, [place]], [finding])
        except InputError as error:
            notes.append(f"{LOGREG_V} has no answer for {finding}: {error}")
            continue
        fitted[:, place] = mapping.apply(test.inputs)[:, 0]
    known = test.truth_NF != LEFT_OUT
    return ReportAnswers(
        {**found.predictions, LOGREG_V: np.where(known, fitted, LEFT_OUT).astype(np.int8)}, tuple(notes)
    )
