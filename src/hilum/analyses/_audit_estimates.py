"""Precision, recall and F1 of labels in a whole file, from the reports of a stratified sample that were judged.

The labels of all reports are known, so the number of positive labels is; false positives are estimated as a share
of it (a ratio estimator, Cochran 1977, section 6.11), false negatives as a weighted total. Variances are those of
the linearised measure (Särndal, Swensson and Wretman 1992, section 5.5); the intervals are
`stats.sampling.error_interval`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError
from hilum.core.matrix import LEFT_OUT
from hilum.core.results import Estimate
from hilum.stats.sampling import Design, error_interval, merge_strata

Floats = npt.NDArray[np.float64]
MEASURES = ("precision", "recall", "f1")
_FALSE_POSITIVES = (1.0, 0.0, 0.5)
"""Share of false positives in the one error more of `error_interval`, per measure; the rest false negatives."""


@dataclass(frozen=True, eq=False)
class Judged:
    """Reports of a sample that were judged, against the labels: n reports, F findings.

    Cells are 0 or 1, times the share of answers that is missing in their stratum: label positive, and then false
    or left out by the policy; false negative. `positives_F` are the positive labels of the whole file, `asked_F`
    whether a finding was answered in every stratum.
    """

    design: Design
    positives_F: Floats
    label_nF: Floats
    false_nF: Floats
    ignored_nF: Floats
    missed_nF: Floats
    asked_F: npt.NDArray[np.bool_]


def judge(
    labels_NF: npt.NDArray[np.int8],
    truth_nF: npt.NDArray[np.int8],
    answered_nF: npt.NDArray[np.bool_],
    *,
    rows_n: npt.NDArray[np.intp],
    sizes_H: npt.NDArray[np.int64],
    strata_n: npt.NDArray[np.intp],
) -> Judged:
    """The judged reports of a sample; labels and truth are 0, 1 or LEFT_OUT under one policy.

    Reports without any answer are taken as not drawn, and strata without answers are joined with their neighbours;
    a finding that was not answered in some report is taken as answered in a random part of its stratum. Raises
    InputError when fewer than two reports were judged.
    """
    used = np.asarray(answered_nF.any(axis=1))
    if used.sum() < min(2, int(sizes_H.sum())):
        raise InputError(
            f"{int(used.sum())} of the {len(used):,} reports of the sample have answers; an estimate needs 2 at "
            "least, and 100 or more to be of use. Next step: fill in more of the form."
        )
    design = merge_strata(sizes_H, strata_n[used])
    answered, truth, labels = answered_nF[used], truth_nF[used], labels_NF[rows_n][used]
    answers_HF = np.zeros((len(design.sizes_H), labels.shape[1]))
    np.add.at(answers_HF, design.strata_n, answered)
    share_HF = design.drawn_H[:, None] / np.maximum(answers_HF, 1)
    scale_nF = np.where(answered, share_HF[design.strata_n], 0.0)
    positive = np.asarray(labels == 1)
    return Judged(
        design,
        (labels_NF == 1).sum(axis=0).astype(np.float64),
        scale_nF * positive,
        scale_nF * (positive & (truth == 0)),
        scale_nF * (positive & (truth == LEFT_OUT)),
        scale_nF * ((labels == 0) & (truth == 1)),
        np.asarray((answers_HF > 0).all(axis=0)),
    )


@dataclass(frozen=True, eq=False)
class Linear:
    """The measures of some findings taken together: 1 - measure, and how it follows from each report.

    Three values each, in the order of MEASURES: `errors_3`, NaN where not defined; the linearised errors of each
    report `parts_n3`; what one false positive and one false negative more would add at most, `slopes_23`, and
    the squares of that. `positives` is the estimated number of positives in the whole file.
    """

    errors_3: Floats
    parts_n3: Floats
    slopes_23: Floats
    squares_23: Floats
    positives: float


def linear(judged: Judged, columns: Sequence[int]) -> Linear:
    """Precision, recall and F1 of the findings at these columns together, linearised."""
    places = list(columns)
    label, false, ignored, missed = (
        cells[:, places].sum(axis=1)
        for cells in (judged.label_nF, judged.false_nF, judged.ignored_nF, judged.missed_nF)
    )
    known = float(judged.positives_F[places].sum())
    totals = judged.design.totals(np.stack([label, false, ignored, missed], axis=1))
    if (known > 0 and totals[0] <= 0) or not judged.asked_F[places].all():
        nothing_23 = np.zeros((2, 3))
        return Linear(np.full(3, np.nan), np.zeros((len(label), 3)), nothing_23, nothing_23, np.nan)
    scale = known / totals[0] if known else 0.0
    fp, lo, fn = scale * totals[1], scale * totals[2], float(totals[3])
    tp = max(known - fp - lo, 0.0)
    said, true, both = tp + fp, tp + fn, 2 * tp + fp + fn
    below_3 = np.array([said, true, both])
    defined_3, safe_3 = below_3 > 0, np.where(below_3 > 0, below_3, 1.0)
    errors = np.where(defined_3, np.array([fp, fn, fp + fn]) / safe_3, np.nan)
    by_tp = -np.array([fp, fn, 2 * (fp + fn)]) * defined_3 / safe_3**2
    by_fp = defined_3 * np.array([tp, 0.0, 2 * tp]) / safe_3**2
    by_fn = defined_3 * np.array([0.0, tp, 2 * tp]) / safe_3**2
    more_false = scale * (false - fp / known * label) if known else np.zeros_like(false)
    more_ignored = scale * (ignored - lo / known * label) if known else np.zeros_like(ignored)
    parts = np.outer(more_false, by_fp - by_tp) - np.outer(more_ignored, by_tp) + np.outer(missed, by_fn)
    slopes = np.stack([by_fp - by_tp, np.maximum(by_fn, -by_tp)]) if known else np.zeros((2, 3))
    return Linear(errors, parts, slopes, slopes**2, true)


def together(parts: Sequence[Linear]) -> Linear:
    """The mean of each measure over the findings in which it is defined (macro), linearised."""
    errors_F3 = np.stack([part.errors_3 for part in parts])
    defined_F3 = ~np.isnan(errors_F3)
    many_3 = np.maximum(defined_F3.sum(axis=0), 1)
    share_F3 = defined_F3 / many_3
    mean = np.where(defined_F3, errors_F3, 0.0).sum(axis=0) / many_3
    return Linear(
        np.where(defined_F3.any(axis=0), mean, np.nan),
        np.einsum("fns,fs->ns", np.stack([part.parts_n3 for part in parts]), share_F3),
        np.einsum("fks,fs->ks", np.stack([part.slopes_23 for part in parts]), share_F3) / many_3,
        np.einsum("fks,fs->ks", np.stack([part.squares_23 for part in parts]), share_F3**2) / many_3,
        np.nan,
    )


def estimates(judged: Judged, what: Linear, *, level: float = 0.95) -> tuple[Estimate | None, ...]:
    """Precision, recall and F1 with intervals, None where not defined."""
    variances = judged.design.variances(what.parts_n3)
    weights_2, squares_2 = _one_more(judged)
    found: list[Estimate | None] = []
    for place, share in enumerate(_FALSE_POSITIVES):
        if np.isnan(what.errors_3[place]):
            found.append(None)
            continue
        kinds = np.array([share, 1 - share])
        error = error_interval(
            float(what.errors_3[place]),
            float(variances[place]),
            unit=float(kinds @ (what.slopes_23[:, place] * weights_2)),
            unit_variance=float(kinds @ (what.squares_23[:, place] * squares_2)),
            level=level,
        )
        found.append(Estimate(1 - error.value, 1 - error.high, 1 - error.low))
    return tuple(found)


def _one_more(judged: Judged) -> tuple[Floats, Floats]:
    """Mean weight, and mean of weight squared times the unseen share, of one drawn error more: two kinds.

    A false positive would fall on a positive label drawn, a false negative on any report drawn, each with the same
    chance.
    """
    design = judged.design
    labels = judged.label_nF.sum(axis=1)
    chances = np.stack([labels / max(labels.sum(), 1e-9), np.full(len(labels), 1 / len(labels))])
    weights = design.weights_n
    return chances @ weights, chances @ (weights**2 * design.unseen_H[design.strata_n])
