"""Mappings from report labels to image labels, fitted once and used on other label files.

The Zero-One and LogReg Baselines of VisualCheXbert (sections 4.4 and 4.5) as objects: `fit_zero_one` and
`fit_logreg` make them, `apply` uses them, `save_mapping` and `load_mapping` keep them as JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hilum.analyses._bounds import check_rows
from hilum.analyses._mapping_file import Fields, read_fields, write_fields
from hilum.analyses._mapping_kinds import (
    KINDS,
    ONES,
    ZEROS,
    Labels,
    LogRegMapping,
    Mapping,
    Origin,
    ZeroOneMapping,
    ZeroOneParentsMapping,
)
from hilum.analyses._one_hot import ENCODED, one_hot
from hilum.core.errors import InputError
from hilum.core.matrix import LEFT_OUT, LabelMatrix
from hilum.core.vocabulary import State
from hilum.metrics.labels import confusion, f1
from hilum.stats.regression import fit_logistic

__all__ = [
    "KINDS", "ONES", "ZEROS", "LogRegMapping", "Mapping", "Origin", "ZeroOneMapping", "ZeroOneParentsMapping",
    "fit_logreg", "fit_zero_one", "fit_zero_one_parents", "load_mapping", "save_mapping",
]  # fmt: skip


def fit_zero_one(report: LabelMatrix, truth_NF: Labels, findings: Sequence[str]) -> ZeroOneMapping:
    """The better of zeros and ones per finding, by F1 against `truth_NF` [N, F] (0, 1 or LEFT_OUT).

    On equal F1, and where F1 is not defined, zeros. As in the paper the choice is made on the very studies
    it is judged on, "the most optimistic global mapping" (section 4.4.1). Raises InputError when shapes do
    not fit and UnknownNameError when the report labels lack a finding.
    """
    check_rows(report, truth_NF, findings)
    policies, scores = _better(report.select(findings), truth_NF)
    origin = _origin(report, truth_NF)
    return ZeroOneMapping(report.vocabulary.name, tuple(findings), policies, scores, origin)


def fit_zero_one_parents(
    report: LabelMatrix, truth_NF: Labels, findings: Sequence[str]
) -> ZeroOneParentsMapping:
    """As `fit_zero_one`, after positive findings have made their ancestors positive. Raises the same."""
    check_rows(report, truth_NF, findings)
    related = [
        f for f in report.findings if f in findings or set(report.vocabulary.ancestors(f)) & set(findings)
    ]
    filled = report.select(related).with_parents().select(findings)
    policies, scores = _better(filled, truth_NF)
    return ZeroOneParentsMapping(
        report.vocabulary.name,
        tuple(findings),
        tuple(related),
        policies,
        scores,
        _origin(report, truth_NF),
    )


def fit_logreg(
    report: LabelMatrix,
    truth_NF: Labels,
    findings: Sequence[str],
    *,
    C: float = 1.0,
    max_iter: int = 500,
) -> LogRegMapping:
    """A regression per finding on the one-hot labels of ALL findings of the report (section 4.5.2).

    Studies whose image label is LEFT_OUT are not used for that finding. Raises InputError when shapes do not
    fit or a finding has images of one class only.
    """
    check_rows(report, truth_NF, findings)
    X_NK, _ = one_hot(report.states_NF, report.findings)
    fits = []
    for place, finding in enumerate(findings):
        known = truth_NF[:, place] != LEFT_OUT
        try:
            fits.append(fit_logistic(X_NK[known], truth_NF[known, place], C=C, max_iter=max_iter))
        except InputError as error:
            raise InputError(f"{finding}: {error}") from error
    return LogRegMapping(
        vocabulary=report.vocabulary.name,
        findings=tuple(findings),
        inputs=report.findings,
        states=ENCODED,
        intercepts=tuple(fit.intercept for fit in fits),
        coefficients=tuple(tuple(float(c) for c in fit.coefficients_K) for fit in fits),
        C=C,
        max_iter=max_iter,
        converged=tuple(fit.converged for fit in fits),
        fitted_on=_origin(report, truth_NF),
    )


def save_mapping(mapping: Mapping, path: str | Path) -> Path:
    """Write a mapping as JSON; the same mapping gives the same bytes. Raises OutputError."""
    origin = mapping.fitted_on
    fields: dict[str, object] = {
        "hilum": origin.hilum,
        "kind": mapping.kind,
        "vocabulary": mapping.vocabulary,
        "findings": mapping.findings,
        "inputs": mapping.inputs,
        "fitted_on": {"source": origin.source, "studies": origin.studies, "positives": origin.positives},
    }
    if isinstance(mapping, LogRegMapping):
        fields |= {
            "states": [state.name.lower() for state in mapping.states],
            "C": mapping.C,
            "max_iter": mapping.max_iter,
            "converged": mapping.converged,
            "intercepts": mapping.intercepts,
            "coefficients": mapping.coefficients,
        }
    else:
        fields |= {"policies": mapping.policies, "f1_zeros_ones": mapping.f1}
    return write_fields(fields, path)


def load_mapping(path: str | Path) -> Mapping:
    """The mapping in a JSON file. Raises InputError, with file and field, for anything else."""
    fields = read_fields(path, KINDS)
    findings = fields.texts("findings", unique=True)
    inputs = fields.texts("inputs", unique=True)
    vocabulary, kind = fields.text("vocabulary"), fields.text("kind")
    on = fields.inner("fitted_on")
    origin = Origin(
        on.text("source"), on.whole("studies"), on.counts("positives", len(findings)), fields.text("hilum")
    )
    if kind == LogRegMapping.kind:
        return _load_logreg(fields, vocabulary, findings, inputs, origin)
    policies = fields.texts("policies")
    if len(policies) != len(findings) or not set(policies) <= {ZEROS, ONES}:
        raise fields.bad("policies", f"{ZEROS} or {ONES} for each of {len(findings)} findings")
    if not set(findings) <= set(inputs):
        raise fields.bad("inputs", "a list with all findings")
    scores = fields.table("f1_zeros_ones", len(findings), 2, none=True)
    pairs = tuple((zeros, ones) for zeros, ones in scores)
    if kind == ZeroOneMapping.kind:
        return ZeroOneMapping(vocabulary, findings, policies, pairs, origin)
    return ZeroOneParentsMapping(vocabulary, findings, inputs, policies, pairs, origin)


def _load_logreg(
    fields: Fields, vocabulary: str, findings: tuple[str, ...], inputs: tuple[str, ...], origin: Origin
) -> LogRegMapping:
    by_name = {state.name.lower(): state for state in State}
    states = fields.texts("states", unique=True)
    if not set(states) <= set(by_name):
        raise fields.bad("states", f"states of {', '.join(by_name)}")
    number = len(findings)
    return LogRegMapping(
        vocabulary=vocabulary,
        findings=findings,
        inputs=inputs,
        states=tuple(by_name[state] for state in states),
        intercepts=fields.numbers("intercepts", number),
        coefficients=fields.table("coefficients", number, len(inputs) * len(states)),
        C=fields.number("C"),
        max_iter=fields.whole("max_iter"),
        converged=fields.flags("converged", number),
        fitted_on=origin,
    )


def _better(
    labels: LabelMatrix, truth_NF: Labels
) -> tuple[tuple[str, ...], tuple[tuple[float | None, float | None], ...]]:
    zeros, ones = (f1(confusion(truth_NF, labels.binary(policy))) for policy in (ZEROS, ONES))
    policies = tuple(ONES if better else ZEROS for better in ones > zeros)
    scores = tuple((_defined(a), _defined(b)) for a, b in zip(zeros, ones, strict=True))
    return policies, scores


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _origin(report: LabelMatrix, truth_NF: Labels) -> Origin:
    return Origin(report.source, len(report), tuple(int(n) for n in (truth_NF == 1).sum(axis=0)))
