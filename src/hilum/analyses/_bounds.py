"""The lowest and highest agreement that uncertain labels allow (VisualCheXbert, section 4.1 and Table 1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError
from hilum.core.matrix import LEFT_OUT, LabelMatrix
from hilum.core.vocabulary import State
from hilum.metrics.labels import cohen_kappa, confusion, f1, macro, support

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Bounds:
    """F1 and Cohen's kappa per finding when every uncertain label is wrong (low) and when it is right (high).

    All arrays are float64 [F] in the order of `findings`; NaN where a value is not defined. `positives` are
    those of the image labels, `uncertain_positive` and `uncertain_negative` the uncertain report labels of
    images that are positive and negative.
    """

    findings: tuple[str, ...]
    positives: Array
    uncertain_positive: Array
    uncertain_negative: Array
    low_f1: Array
    high_f1: Array
    low_kappa: Array
    high_kappa: Array

    def columns(self) -> tuple[tuple[str, Array], ...]:
        """The four measures with their headings, in the order of Table 1."""
        return (
            ("Low F1", self.low_f1),
            ("High F1", self.high_f1),
            ("Low kappa", self.low_kappa),
            ("High kappa", self.high_kappa),
        )

    def averages(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and prevalence-weighted mean of the four measures over the findings where they are defined."""
        values = [column for _, column in self.columns()]
        plain = tuple(float(macro(column)) for column in values)
        weighted = tuple(float(macro(column, weights=self.positives)) for column in values)
        return plain, weighted


def check_rows(report: LabelMatrix, truth_NF: npt.NDArray[np.int8], findings: Sequence[str]) -> None:
    """Raises InputError when `truth_NF` has not one row per study and one column per finding."""
    if truth_NF.shape != (len(report), len(findings)):
        raise InputError(
            f"{report.source}: {len(report)} studies and {len(findings)} findings need image labels of that "
            f"shape, got {' x '.join(map(str, truth_NF.shape))}. Next step: align the two files first."
        )
    if not np.isin(truth_NF, (0, 1, LEFT_OUT)).all():
        raise InputError(
            f"Image labels must be 0, 1 or left out ({LEFT_OUT}), got {np.unique(truth_NF).tolist()}."
        )


def resolve_uncertain(
    report: LabelMatrix,
    truth_NF: npt.NDArray[np.int8],
    findings: Sequence[str],
    *,
    to: Literal["image", "opposite"],
) -> npt.NDArray[np.int8]:
    """Report labels as 0/1, int8 [N, F]: blank is 0, uncertain is the image label or its opposite.

    A cell whose image label is LEFT_OUT is LEFT_OUT. Raises InputError when the shapes do not fit and
    UnknownNameError when the report labels lack a finding.
    """
    check_rows(report, truth_NF, findings)
    chosen = report.select(findings)
    resolved = truth_NF if to == "image" else 1 - truth_NF
    labels = np.where(chosen.states_NF == State.UNCERTAIN, resolved, chosen.binary()).astype(np.int8)
    return np.where(truth_NF == LEFT_OUT, LEFT_OUT, labels).astype(np.int8)


def bounds(report: LabelMatrix, truth_NF: npt.NDArray[np.int8], findings: Sequence[str]) -> Bounds:
    """Low and high F1 and kappa of report labels against image labels, per finding (Table 1).

    `truth_NF` has 0, 1 or LEFT_OUT for each study (rows as in `report`) and finding (columns as `findings`).
    Raises InputError when the shapes do not fit and UnknownNameError when the report labels lack a finding.
    """
    low = confusion(truth_NF, resolve_uncertain(report, truth_NF, findings, to="opposite"))
    high = confusion(truth_NF, resolve_uncertain(report, truth_NF, findings, to="image"))
    uncertain = report.select(findings).states_NF == State.UNCERTAIN
    return Bounds(
        findings=tuple(findings),
        positives=support(high),
        uncertain_positive=(uncertain & (truth_NF == 1)).sum(axis=0).astype(np.float64),
        uncertain_negative=(uncertain & (truth_NF == 0)).sum(axis=0).astype(np.float64),
        low_f1=f1(low),
        high_f1=f1(high),
        low_kappa=cohen_kappa(low),
        high_kappa=cohen_kappa(high),
    )
