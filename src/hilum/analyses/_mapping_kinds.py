"""The kinds of mappings from report labels to image labels, and how each is applied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hilum.analyses._one_hot import one_hot
from hilum.core.errors import InputError
from hilum.core.matrix import LabelMatrix
from hilum.core.version import VERSION
from hilum.core.vocabulary import State

ZEROS, ONES = "uncertain-to-zero", "uncertain-to-one"
"""The two policies of the Zero-One Baseline; on equal F1 the first is taken."""

Labels = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Origin:
    """What a mapping was fitted on: the source's name, studies, and positive images per finding."""

    source: str
    studies: int
    positives: tuple[int, ...]
    hilum: str = VERSION


@dataclass(frozen=True)
class ZeroOneMapping:
    """Per finding the policy for uncertain labels that had the better F1; blank is negative.

    `policies` has one name of `core.vocabulary.BINARY_POLICIES` per finding; `f1` what zeros and ones
    reached where it was fitted, None where F1 is not defined.
    """

    kind: ClassVar[str] = "zero-one"
    vocabulary: str
    findings: tuple[str, ...]
    policies: tuple[str, ...]
    f1: tuple[tuple[float | None, float | None], ...]
    fitted_on: Origin

    @property
    def inputs(self) -> tuple[str, ...]:
        """The findings that `apply` needs."""
        return self.findings

    def apply(self, labels: LabelMatrix) -> Labels:
        """0/1 of each study and each of `findings`, int8 [N, F].

        Raises InputError when the labels lack a finding that is needed or are of another vocabulary.
        """
        return _by_policies(_needed(self, labels).select(self.findings), self.policies)


@dataclass(frozen=True)
class ZeroOneParentsMapping:
    """`ZeroOneMapping` of labels in which a positive finding first makes its ancestors positive.

    `inputs` are the findings and those of their descendants that the labels had where it was fitted.
    """

    kind: ClassVar[str] = "zero-one-parents"
    vocabulary: str
    findings: tuple[str, ...]
    inputs: tuple[str, ...]
    policies: tuple[str, ...]
    f1: tuple[tuple[float | None, float | None], ...]
    fitted_on: Origin

    def apply(self, labels: LabelMatrix) -> Labels:
        """0/1 of each study and each of `findings`, int8 [N, F].

        Raises InputError when the labels lack a finding that is needed or are of another vocabulary.
        """
        return _by_policies(_needed(self, labels).with_parents().select(self.findings), self.policies)


@dataclass(frozen=True)
class LogRegMapping:
    """One logistic regression per finding on the one-hot states of all `inputs` (`columns` names them).

    `coefficients` has one row per finding in the order of the columns; `converged` is per finding.
    """

    kind: ClassVar[str] = "logreg"
    vocabulary: str
    findings: tuple[str, ...]
    inputs: tuple[str, ...]
    states: tuple[State, ...]
    intercepts: tuple[float, ...]
    coefficients: tuple[tuple[float, ...], ...] = field(repr=False)
    C: float
    max_iter: int
    converged: tuple[bool, ...]
    fitted_on: Origin

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the one-hot columns."""
        return one_hot(np.zeros((0, len(self.inputs)), np.int8), self.inputs, self.states)[1]

    def probabilities(self, labels: LabelMatrix) -> npt.NDArray[np.float64]:
        """Probabilities of a positive image, float64 [N, F], as if half of the images were positive.

        The class weights of the fit make both classes count the same, so these are no shares of positives.
        Raises InputError as `apply` does.
        """
        return np.asarray(1 / (1 + np.exp(-np.clip(self._log_odds(labels), -700, 700))))

    def apply(self, labels: LabelMatrix) -> Labels:
        """0/1 of each study and each of `findings`, int8 [N, F]; 1 is a probability above 0.5.

        Raises InputError when the labels lack a finding that is needed or are of another vocabulary.
        """
        return (self._log_odds(labels) > 0).astype(np.int8)

    def _log_odds(self, labels: LabelMatrix) -> npt.NDArray[np.float64]:
        X_NK, _ = one_hot(_needed(self, labels).states_NF, self.inputs, self.states)
        return np.asarray(X_NK @ np.array(self.coefficients).T + np.array(self.intercepts))


Mapping = ZeroOneMapping | ZeroOneParentsMapping | LogRegMapping
KINDS: tuple[str, ...] = (ZeroOneMapping.kind, ZeroOneParentsMapping.kind, LogRegMapping.kind)
"""Names of the kinds, as they stand in a mapping file."""


def _needed(mapping: Mapping, labels: LabelMatrix) -> LabelMatrix:
    """The labels with the findings that the mapping needs, in its order."""
    if labels.vocabulary.name != mapping.vocabulary:
        raise InputError(
            f"{labels.source} has labels of the vocabulary {labels.vocabulary.name!r}, and this mapping was "
            f"fitted with {mapping.vocabulary!r}. Next step: label the reports with that vocabulary."
        )
    missing = [finding for finding in mapping.inputs if finding not in labels.findings]
    if missing:
        raise InputError(
            f"{labels.source} has no column for {', '.join(missing)}, which this {mapping.kind} mapping "
            f"needs. Columns there are: {', '.join(labels.findings)}. Next step: add what is missing, or fit a "
            "mapping on labels without it."
        )
    return labels.select(mapping.inputs)


def _by_policies(labels: LabelMatrix, policies: Sequence[str]) -> Labels:
    by_policy = {policy: labels.binary(policy) for policy in set(policies)}
    columns = [by_policy[policy][:, place] for place, policy in enumerate(policies)]
    return np.stack(columns, axis=1).astype(np.int8)
