"""Clinical F1 and its kin: how well the findings of generated reports fit those of the references.

The literature uses opposite conventions under one name. Here every convention is a preset with a name; it says
what uncertain and blank count as, and what becomes of a value that is not defined.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError, UnknownNameError
from hilum.core.matrix import LabelMatrix
from hilum.core.vocabulary import State
from hilum.metrics.labels import Confusion, accuracy, confusion, f1, macro, micro, precision, recall, support

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ClinicalPreset:
    """One convention.

    `policy` makes 0/1 of states (`core.vocabulary.BINARY_POLICIES`); None keeps all four states as classes.
    `undefined` says what a precision, recall or F1 without any case is in averages: 0 ("zero"), or no part of
    the average ("left-out"). `text` says who uses it and what it does.
    """

    name: str
    policy: str | None
    undefined: Literal["zero", "left-out"]
    text: str


_ZERO = "A finding or report without a positive in either counts as 0 in averages (zero_division=0)."
_OUT = "A finding or report without a positive in either is left out of averages, and the scores say so."

PRESETS: Mapping[str, ClinicalPreset] = MappingProxyType(
    {
        preset.name: preset
        for preset in (
            ClinicalPreset(
                "f1chexbert",
                "uncertain-to-one",
                "zero",
                "As the f1chexbert package (RRG shared tasks, ViLMedic, RadEval): uncertain counts as positive, "
                f"blank and negative as negative. {_ZERO}",
            ),
            ClinicalPreset(
                "r2gen",
                "uncertain-to-zero",
                "zero",
                "As the clinical efficacy of R2Gen (compute_ce.py) and PromptMRG (metrics_clinical.py): only "
                f"positive counts as positive; uncertain, blank and negative as negative. {_ZERO}",
            ),
            ClinicalPreset(
                "uncertain-to-one",
                "uncertain-to-one",
                "left-out",
                f"Uncertain counts as positive, blank and negative as negative. {_OUT}",
            ),
            ClinicalPreset(
                "uncertain-to-zero",
                "uncertain-to-zero",
                "left-out",
                f"Only positive counts as positive; uncertain, blank and negative as negative. {_OUT}",
            ),
            ClinicalPreset(
                "uncertain-ignored",
                "uncertain-ignored",
                "left-out",
                "A finding that is uncertain in the reference or the candidate of a report is not compared there; "
                f"blank and negative count as negative. {_OUT}",
            ),
            ClinicalPreset(
                "four-state",
                None,
                "left-out",
                "Positive, negative, uncertain and blank are four classes, each against the rest. A finding's "
                "value is the mean over the classes that occur; micro pools findings and classes; weighted weighs "
                "findings by the labels in the references that are not blank. Nobody's published numbers.",
            ),
        )
    }
)
"""All presets by name."""

AVERAGES = ("micro", "macro", "weighted", "example")
"""Pooled over findings; mean over findings; mean weighted by positives of the references; mean over reports."""


def get_preset(name: str) -> ClinicalPreset:
    """The preset called `name`. Raises UnknownNameError, with the nearest name."""
    if name not in PRESETS:
        raise UnknownNameError("preset", name, PRESETS)
    return PRESETS[name]


class Rates(NamedTuple):
    """Precision, recall, F1 and accuracy: of each finding [F], of each report [N], or of all (one number)."""

    precision: Floats
    recall: Floats
    f1: Floats
    accuracy: Floats


@dataclass(frozen=True)
class ClinicalAverages:
    """The averages under one preset.

    `values` is by name: `f1_micro`, `precision_macro`, `accuracy`, ... and `exact_match`. `counted` says of a
    name over how many findings or reports it goes, and of how many, where a part of them is not defined
    (under "zero" these are counted as 0, else left out). `reports` has the values per report, [N], of the
    averages over reports, NaN where not defined.
    """

    values: Mapping[str, float]
    counted: Mapping[str, tuple[int, int]]
    reports: Mapping[str, Floats]


@dataclass(frozen=True)
class ClinicalScores:
    """What `clinical_scores` gives: values per finding, [F], NaN where not defined, and the averages.

    `support` is the number of positives in the references [F] (under four-state: of labels not blank).
    """

    preset: ClinicalPreset
    findings: tuple[str, ...]
    rates: Rates
    support: Floats
    averages: ClinicalAverages


def clinical_scores(truth: LabelMatrix, predicted: LabelMatrix, *, preset: str) -> ClinicalScores:
    """Precision, recall, F1 and accuracy of `predicted` against `truth`, N reports in the same order.

    Averages are those of scikit-learn's multilabel `precision_recall_fscore_support` and `accuracy_score`
    ("example" is its average="samples"; `exact_match` its subset accuracy). Accuracy is that of each
    finding, averaged over findings (Liu et al. 2019). Raises InputError for matrices that do not fit.
    """
    chosen = get_preset(preset)
    if truth.findings != predicted.findings or len(truth) != len(predicted) or not len(truth):
        raise InputError(
            f"{truth.source} has {len(truth):,} reports and {len(truth.findings)} findings, {predicted.source} "
            f"{len(predicted):,} and {len(predicted.findings)}. Next step: give the same reports and findings."
        )
    if chosen.policy is None:
        return _four_states(chosen, truth, predicted)
    truth_NF, said_NF = truth.binary(chosen.policy), predicted.binary(chosen.policy)
    counts = confusion(truth_NF, said_NF)
    rates, weights = _rates(counts), support(counts)
    reports = _rates(confusion(truth_NF.T, said_NF.T))
    pooled = _rates(micro(counts))
    averages = _averages(chosen, rates, pooled=pooled, reports=reports, weights_F=weights)
    return ClinicalScores(chosen, truth.findings, rates, weights, averages)


def _rates(counts: Confusion) -> Rates:
    return Rates(precision(counts), recall(counts), f1(counts), accuracy(counts))


def _averages(
    preset: ClinicalPreset, rates: Rates, *, pooled: Rates, reports: Rates, weights_F: Floats
) -> ClinicalAverages:
    zero = preset.undefined == "zero"
    values: dict[str, float] = {}
    counted: dict[str, tuple[int, int]] = {}
    per_report: dict[str, Floats] = {}
    for place, name in enumerate(("precision", "recall", "f1")):
        of_findings, of_reports = rates[place], reports[place]
        parts = {
            "micro": (pooled[place].reshape(-1)[:1], None),
            "macro": (of_findings, None),
            "weighted": (of_findings, weights_F),
            "example": (of_reports, None),
        }
        for average, (part, weights) in parts.items():
            key = f"{name}_{average}"
            values[key] = _mean(part, weights, zero=zero)
            if np.isnan(part).any():
                whole = len(of_findings) if average == "micro" else len(part)
                counted[key] = (int((~np.isnan(part)).sum()), whole)
        per_report[f"{name}_example"] = np.nan_to_num(of_reports) if zero else of_reports
    values["accuracy"] = _mean(rates.accuracy, None, zero=False)
    right = np.where(np.isnan(reports.accuracy), np.nan, (reports.accuracy == 1.0).astype(np.float64))
    values["exact_match"], per_report["exact_match"] = _mean(right, None, zero=False), right
    return ClinicalAverages(MappingProxyType(values), MappingProxyType(counted), MappingProxyType(per_report))


def _mean(values: Floats, weights: Floats | None, *, zero: bool) -> float:
    """The mean of what is defined (under `zero`, of all, with 0 for what is not); NaN when nothing is."""
    if zero:
        values = np.nan_to_num(values, nan=0.0)
    if weights is not None and not weights.sum() > 0:
        return 0.0 if zero else float("nan")
    return float(macro(values, weights=weights))


def _four_states(preset: ClinicalPreset, truth: LabelMatrix, predicted: LabelMatrix) -> ClinicalScores:
    by_state = [
        confusion((truth.states_NF == s).astype(np.int8), (predicted.states_NF == s).astype(np.int8))
        for s in State
    ]
    counts_FS = Confusion(*(np.stack(parts, axis=-1) for parts in zip(*by_state, strict=True)))
    occurs_FS = counts_FS.tp + counts_FS.fp + counts_FS.fn > 0
    of_states = _rates(counts_FS)
    same_NF = (truth.states_NF == predicted.states_NF).astype(np.float64)
    rates = Rates(
        _mean_where(of_states.precision, occurs_FS),
        _mean_where(of_states.recall, occurs_FS),
        _mean_where(of_states.f1, occurs_FS),
        same_NF.mean(axis=0),
    )
    pooled = _rates(Confusion(*(part.sum().reshape(1) for part in counts_FS)))
    share_N = same_NF.mean(axis=1)
    weights_F = (truth.states_NF != State.BLANK).sum(axis=0).astype(np.float64)
    reports = Rates(share_N, share_N, share_N, share_N)
    averages = _averages(preset, rates, pooled=pooled, reports=reports, weights_F=weights_F)
    return ClinicalScores(preset, truth.findings, rates, weights_F, averages)


def _mean_where(values_FS: Floats, where_FS: npt.NDArray[np.bool_]) -> Floats:
    """The mean over the states that occur, [F]; a precision or recall that is not defined there is 0."""
    total_F = (np.nan_to_num(values_FS, nan=0.0) * where_FS).sum(axis=-1)
    return np.asarray(total_F / where_FS.sum(axis=-1), dtype=np.float64)
