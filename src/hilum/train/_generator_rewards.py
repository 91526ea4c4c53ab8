"""Who rewards generated reports in a training: likeness of words, and a labeler that reads both reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError
from hilum.core.vocabulary import State
from hilum.metrics.coherence import PAPER
from hilum.scorers import findings as findings_reward
from hilum.scorers import overlap as overlap_reward
from hilum.scorers._rewards import majority_report, majority_sentences
from hilum.text.report_words import report_sentences
from hilum.train.generator_config import GeneratorTraining

Floats = npt.NDArray[np.float64]
States = npt.NDArray[np.int8]


class Judged(NamedTuple):
    """What the labeler says of N reports: agreement with the references [N, T], and their positive labels.

    `recall` and `precision` are those of all positive labels together, None where there is none to count. `failed`:
    pairs with a report that could not be labeled; they earn nothing.
    """

    parts_NT: Floats
    recall: float | None
    precision: float | None
    failed: int


class Simple(NamedTuple):
    """Scores of some reports, as a row of a table."""

    reports: str
    cider: float | None
    findings: float
    recall: float | None
    precision: float | None
    words: float
    sentences: float


@dataclass(frozen=True, eq=False)
class Judges:
    """The rewards with the references of one side read once: candidates are judged by row."""

    overlap_reward: Any
    findings_reward: Any
    overlap_known: Any
    findings_known: Any

    @property
    def part_names(self) -> tuple[str, ...]:
        """The labels that are judged."""
        names: tuple[str, ...] = self.findings_reward.part_names
        return names

    def overlap(self, rows: Sequence[int], candidates: Sequence[str]) -> Floats:
        """How alike the words are (CIDEr-D), [N]."""
        found: Floats = self.overlap_known.rewards(rows, candidates)
        return found

    def findings(self, rows: Sequence[int], candidates: Sequence[str]) -> Judged:
        """How well the findings agree."""
        truth_NT: States = self.findings_known.states_RT[np.asarray(rows)]
        said_NT: States = self.findings_reward.states(candidates)
        parts_NT = self.findings_reward.of_states(truth_NT, said_NT)
        failed_N = np.isnan(parts_NT).any(axis=1)
        true_NT, positive_NT = truth_NT == State.POSITIVE, said_NT == State.POSITIVE
        both = int((true_NT & positive_NT).sum())
        return Judged(
            np.where(failed_N[:, None], 0.0, parts_NT),
            _share(both, int(true_NT.sum())),
            _share(both, int(positive_NT.sum())),
            int(failed_N.sum()),
        )

    def score(self, name: str, candidates: Sequence[str]) -> Simple:
        """Scores of one candidate for each reference, in their order."""
        rows = range(len(candidates))
        judged = self.findings(rows, candidates)
        cider = float(self.overlap(rows, candidates).mean())
        sentences = [report_sentences(text) for text in candidates]
        n = len(candidates)
        return Simple(
            name, None if np.isnan(cider) else cider, float(judged.parts_NT.sum(axis=1).mean()), judged.recall,
            judged.precision, sum(len(words) for one in sentences for words in one) / n, sum(map(len, sentences)) / n,
        )  # fmt: skip


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


@dataclass(frozen=True, eq=False)
class Rewards:
    """The two rewards of a training, before any reference is read."""

    overlap: Any
    findings: Any

    def judges(self, references: Sequence[str]) -> Judges:
        """The same with these references read once."""
        return Judges(
            self.overlap, self.findings, self.overlap.prepared(references), self.findings.prepared(references)
        )


def parts_judged(config: GeneratorTraining) -> tuple[str, ...]:
    """The labels that the judge of a training knows. Raises UnknownNameError for a labeler that there is not."""
    return _judge(config).part_names


def _judge(config: GeneratorTraining) -> findings_reward.Findings:
    weights = None if config.judge_weights is None else str(config.judge_weights)
    belief = replace(PAPER, uncertain=config.beta_uncertain)
    return findings_reward.build(labeler=config.judge, weights=weights, belief=belief)


def make_rewards(config: GeneratorTraining, texts: Sequence[str]) -> Rewards:
    """The rewards of a training; CIDEr-D counts documents in `texts`, the training reports.

    Raises InputError when CIDEr-D is learned from or chosen by, and these are one report or all alike.
    """
    counted = overlap_reward.training_frequencies(texts)
    if not counted.weighs and (config.stage == "reinforce" or config.chosen_by == "cider"):
        raise InputError(
            f"CIDEr-D is not defined: the {len(texts):,} training reports are all alike, so no word tells them "
            "apart. Next step: more reports; or --stage likelihood with --choose-by loss."
        )
    return Rewards(
        overlap_reward.build(frequencies=counted if counted.weighs else None),
        _judge(config),
    )


def simple_reports(texts: Sequence[str], n: int) -> dict[str, list[str]]:
    """N times the empty report, and N times each template of the training reports: what needs no image."""
    return {
        "empty": [""] * n,
        "most frequent report": [majority_report(texts)] * n,
        "most frequent sentences": [majority_sentences(texts)] * n,
    }


def simple_lines(judges: Judges, texts: Sequence[str], n: int) -> list[str]:
    """What reports earn that need no image, in words; `texts` are the training reports, `n` the references."""
    lines = []
    for name, candidates in simple_reports(texts, n).items():
        found = judges.score(name, candidates)
        cider = "not defined" if found.cider is None else f"{found.cider:.4f}"
        lines.append(
            f"without any image, the report {name!r} earns: CIDEr-D {cider}, findings {found.findings:.4f} of "
            f"{judges.findings_reward.highest:g}"
        )
    return lines
