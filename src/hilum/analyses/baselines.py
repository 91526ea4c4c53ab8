"""What simple mappings from report labels reach: Zero-One, Zero-One with parents, LogReg (VisualCheXbert, 4.4, 4.5).

And the odds ratios of report labels for image labels (4.3, Figure 2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hilum.analyses._bounds import check_rows
from hilum.analyses._one_hot import column_name, one_hot
from hilum.analyses.mappings import (
    LogRegMapping,
    Mapping,
    fit_logreg,
    fit_zero_one,
    fit_zero_one_parents,
)
from hilum.core.errors import InputError
from hilum.core.matrix import LEFT_OUT, LabelMatrix
from hilum.core.rng import rng_for
from hilum.stats.regression import HeldOut, OddsRatios, cross_validate, leave_one_out, odds_ratios

__all__ = [
    "LOGREG",
    "ZERO_ONE",
    "ZERO_ONE_PARENTS",
    "Baselines",
    "ImageOdds",
    "baselines",
    "column_name",
    "image_odds",
    "one_hot",
]

Labels = npt.NDArray[np.int8]
Progress = Callable[[str, int, int], object]
"""Called with a finding and the number of its fits done and of all."""

ZERO_ONE, ZERO_ONE_PARENTS, LOGREG = "Zero-One", "Zero-One with parents", "LogReg"
"""Names of the baselines in tables, and keys of `Baselines.predictions`."""


@dataclass(frozen=True, eq=False)
class Baselines:
    """Predictions of three mappings for the studies they were fitted on, and the mappings.

    `predictions` has, by name, 0/1 (int8 [N, F], columns as `findings`): Zero-One takes the better of two
    policies on these studies, as the paper does, and so is optimistic; LogReg predicts each study from the
    others. A cell is LEFT_OUT where the image label is, and for LogReg where a finding has too few studies of
    a class, which `notes` says. `mappings` has, by kind (a name for
    files), what was fitted on all studies.
    """

    findings: tuple[str, ...]
    predictions: dict[str, Labels]
    mappings: dict[str, Mapping]
    notes: tuple[str, ...]

    @property
    def zero_one_NF(self) -> Labels:
        """Predictions of Zero-One."""
        return self.predictions[ZERO_ONE]

    @property
    def zero_one_parents_NF(self) -> Labels:
        """Predictions of Zero-One with parents."""
        return self.predictions[ZERO_ONE_PARENTS]

    @property
    def logreg_NF(self) -> Labels:
        """Predictions of LogReg for studies that were held out."""
        return self.predictions[LOGREG]


def baselines(
    report: LabelMatrix,
    truth_NF: Labels,
    findings: Sequence[str],
    *,
    folds: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Baselines:
    """The three mappings of the report labels to image labels `truth_NF` [N, F] (0, 1 or LEFT_OUT).

    LogReg uses all findings of `report` and is judged by leave-one-out, or by `folds`-fold cross-validation
    (drawn with `seed`) where so many fits take too long. Raises InputError when shapes do not fit and
    UnknownNameError when the report labels lack a finding.
    """
    check_rows(report, truth_NF, findings)
    zero_one = fit_zero_one(report, truth_NF, findings)
    parents = fit_zero_one_parents(report, truth_NF, findings)
    held_out_NF, fitted, notes = _logreg(
        report, truth_NF, findings, folds=folds, seed=seed, progress=progress
    )
    mappings: dict[str, Mapping] = {zero_one.kind: zero_one, parents.kind: parents}
    if fitted:
        mappings[LogRegMapping.kind] = fit_logreg(
            report, truth_NF[:, [findings.index(f) for f in fitted]], fitted
        )
    predictions = {
        ZERO_ONE: zero_one.apply(report),
        ZERO_ONE_PARENTS: parents.apply(report),
        LOGREG: held_out_NF,
    }
    known = truth_NF != LEFT_OUT
    for name, labels in predictions.items():
        predictions[name] = np.where(known, labels, LEFT_OUT).astype(np.int8)
    return Baselines(tuple(findings), predictions, mappings, tuple(notes))


def _logreg(
    report: LabelMatrix,
    truth_NF: Labels,
    findings: Sequence[str],
    *,
    folds: int | None,
    seed: int,
    progress: Progress | None,
) -> tuple[Labels, list[str], list[str]]:
    """Held-out predictions, the findings that have them, and notes."""
    X_NK, _ = one_hot(report.states_NF, report.findings)
    labels_NF = np.full(truth_NF.shape, LEFT_OUT, dtype=np.int8)
    fitted, notes = [], []
    for place, finding in enumerate(findings):
        known = truth_NF[:, place] != LEFT_OUT
        X, y = X_NK[known], truth_NF[known, place]

        def tell(done: int, total: int, finding: str = finding) -> None:
            if progress:
                progress(finding, done, total)

        try:
            held: HeldOut = (
                leave_one_out(X, y, progress=tell)
                if folds is None
                else cross_validate(
                    X, y, folds=folds, rng=rng_for(seed, "baselines", "folds", finding), progress=tell
                )
            )
        except InputError as error:
            notes.append(f"LogReg has no prediction for {finding}: {error}")
            continue
        labels_NF[known, place] = held.predictions_N
        fitted.append(finding)
        if held.unconverged:
            notes.append(
                f"LogReg, {finding}: {held.unconverged} of {held.fits} fits stopped before they converged."
            )
    return labels_NF, fitted, notes


@dataclass(frozen=True)
class ImageOdds:
    """Odds ratios of every report label for the image label of each finding, and what could not be fitted."""

    by_finding: dict[str, OddsRatios]
    notes: tuple[str, ...]


def image_odds(
    report: LabelMatrix, truth_NF: Labels, findings: Sequence[str], *, alpha: float = 0.5, level: float = 0.95
) -> ImageOdds:
    """`stats.regression.odds_ratios` of the one-hot report labels (all findings) for each image label.

    Columns are called by `column_name`, such as "Edema positive". A finding with images of one class only is
    left out, with a note. Raises InputError when shapes do not fit.
    """
    check_rows(report, truth_NF, findings)
    X_NK, names = one_hot(report.states_NF, report.findings)
    found, notes = {}, []
    for place, finding in enumerate(findings):
        known = truth_NF[:, place] != LEFT_OUT
        try:
            found[finding] = odds_ratios(
                X_NK[known], truth_NF[known, place], names=names, alpha=alpha, level=level
            )
        except InputError as error:
            notes.append(f"No odds ratios for {finding}: {error}")
    return ImageOdds(found, tuple(notes))
