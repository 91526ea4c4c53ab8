"""What the reports of each system are worth: wording, findings, polarity of mentions, attention; with intervals.

Every value is worked out from sums over images, so that one matrix product gives it for all bootstrap replicates of
patients, the same replicates for all systems. Axes: B replicates, N images, F findings, M measures, L mentions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hilum.core.records import Labels
from hilum.core.results import Estimate
from hilum.core.rng import rng_for
from hilum.core.vocabulary import State
from hilum.metrics._bleu import _coco, bleu_counts
from hilum.metrics._ngrams import count_blocks
from hilum.metrics.labels import Confusion, accuracy, confusion, f1, macro, micro, precision, recall
from hilum.metrics.overlap import TOKENISERS, overlap_scores
from hilum.recipes._generation_looks import LOOKS, counts_of, ratio, statistic_of
from hilum.recipes._generation_polarity import Polarity, polarity_of
from hilum.recipes._generation_sets import FINDINGS, GenerationSet, positives_of, states_of
from hilum.recipes._generation_systems import Found
from hilum.recipes._visualchexbert_sets import label_texts
from hilum.recipes.generation import MAJOR, SYSTEMS
from hilum.scorers import findings as findings_reward
from hilum.scorers._overlap import PLAIN_TOKENS
from hilum.scorers._rewards import majority_report, majority_sentences
from hilum.stats.intervals import bootstrap, estimate
from hilum.text.report_words import report_sentences

if TYPE_CHECKING:
    from hilum.recipes._generation_writing import Reports

Floats = npt.NDArray[np.float64]

SIMPLE: Mapping[str, str] = MappingProxyType(
    {
        "empty": "Empty report",
        "template": "Most frequent training report",
        "sentences": "Most frequent training sentences",
    }
)
"""Reports that need no image: they stand beside every reward."""

WORDING = ("cider_d", "cider", "rouge_l", "bleu_1", "bleu_2", "bleu_3", "bleu_4")
CLINICAL = (
    "accuracy", "precision_macro", "recall_macro", "f1_macro", "precision_micro", "recall_micro", "f1_micro", "ccr",
)  # fmt: skip
SHAPE = ("words", "sentences", "repeated", "empty")
POLARITY = ("wrong", "wrong_positive", "wrong_negative", "wrong_stated", "mentions")
PER_LABEL = ("precision", "recall", "accuracy")
NAMES = (*WORDING, *CLINICAL, *SHAPE, *POLARITY)
EVERY = (*NAMES, *(f"{name} {finding}" for name in PER_LABEL for finding in FINDINGS))


@dataclass(frozen=True)
class Values:
    """Values of all systems and simple reports: points [S, M] and replicates [B, S, M]; NaN where not defined.

    `looks_SL` and `looks_BSL` are those of attention of the systems `lookers`; `mentions` counts what they go over.
    """

    systems: tuple[str, ...]
    points_SM: Floats
    replicates_BSM: Floats
    lookers: tuple[str, ...]
    looks_SL: Floats
    looks_BSL: Floats
    mentions: Mapping[str, Mapping[str, int]]
    counts: Mapping[str, Polarity]

    def point(self, system: str, name: str) -> float:
        """One value."""
        return float(self.points_SM[self.systems.index(system), EVERY.index(name)])

    def own(self, system: str, name: str) -> Estimate:
        """One value with its interval."""
        place, column = self.systems.index(system), EVERY.index(name)
        return estimate(float(self.points_SM[place, column]), self.replicates_BSM[:, place, column])

    def difference(self, first: str, second: str, name: str, *, relative: bool = False) -> Estimate:
        """First minus second, on the same replicates; `relative`: of the second."""
        a, b, column = self.systems.index(first), self.systems.index(second), EVERY.index(name)
        points, values = self.points_SM[:, column], self.replicates_BSM[:, :, column]
        with np.errstate(divide="ignore", invalid="ignore"):
            scale, scales = (points[b], values[:, b]) if relative else (1.0, 1.0)
            return estimate(
                float(np.divide(points[a] - points[b], scale)), (values[:, a] - values[:, b]) / scales
            )

    def look(self, system: str, name: str) -> Estimate:
        """One value of attention with its interval."""
        place, column = self.lookers.index(system), LOOKS.index(name)
        return estimate(float(self.looks_SL[place, column]), self.looks_BSL[:, place, column])


# --- one system ---


def major_class(states_NF: npt.NDArray[np.int8], count: int) -> npt.NDArray[np.int8]:
    """The label of most training reports, positive or not, for each finding and `count` images: 0 or 1 [count, F]."""
    most_F = (states_NF == State.POSITIVE).mean(axis=0) > 0.5
    return np.tile(most_F.astype(np.int8), (count, 1))


Statistic = Callable[[Floats], Floats]


def measure(found: Found) -> Values:
    """Values of all systems, with replicates."""
    test, study = found.test, found.study
    texts = _texts(found)
    judge = findings_reward.build(labeler=study.labeler)
    train_NF = found.sets["train"].states_NF
    statistics: list[Statistic] = []
    counts: dict[str, Polarity] = {}
    names = [*(name for name in study.chosen), *SIMPLE]
    for name in names:
        if name == MAJOR:
            statistics.append(_clinical_alone(test, major_class(train_NF, len(test))))
            continue
        labels = label_texts(texts[name], labeler=study.labeler)
        counts[name] = polarity_of(labels, test)
        statistics.append(
            _of_reports(test, texts[name], labels, counts[name], found.reports.get(name), judge=judge)
        )
    lookers = tuple(name for name in SYSTEMS if name in found.looks)
    looks = [statistic_of(found.looks[name], len(test)) for name in lookers]

    def both(weights_BN: Floats) -> Floats:
        values = [one(weights_BN) for one in statistics] + [one(weights_BN) for one in looks]
        return np.concatenate(values, axis=1)

    n, width = len(test), len(names) * len(EVERY)
    points = both(np.ones((1, n)))[0]
    replicates = bootstrap(
        both, n, replicates=study.replicates, rng=rng_for(study.seed, "generation"), groups=test.groups
    )
    shape, wide = (len(names), len(EVERY)), (len(lookers), len(LOOKS))
    return Values(
        tuple(names), points[:width].reshape(shape), replicates[:, :width].reshape(len(replicates), *shape),
        lookers, points[width:].reshape(wide), replicates[:, width:].reshape(len(replicates), *wide),
        {name: counts_of(found.looks[name]) for name in lookers}, counts,
    )  # fmt: skip


def _texts(found: Found) -> dict[str, Sequence[str]]:
    train = found.sets["train"].plain
    n = len(found.test)
    return {
        **{name: one.texts for name, one in found.reports.items()},
        "empty": [""] * n,
        "template": [majority_report(train)] * n,
        "sentences": [majority_sentences(train)] * n,
    }


def _of_reports(
    test: GenerationSet,
    texts: Sequence[str],
    labels: Sequence[Labels],
    counts: Polarity,
    written: Reports | None,
    *,
    judge: Any,
) -> Statistic:
    """The statistic of a system that writes reports: [B, N] -> [B, M]."""
    words = _wording(test.plain, texts)
    states_NF = states_of(labels)
    clinical = _clinical(test, positives_of(states_NF))
    ccr_N = judge.of_states(test.states_NF, states_NF).sum(axis=1)
    said = [report_sentences(text) for text in texts]
    sentences_N = np.array([len(one) for one in said], dtype=np.float64)
    rows = {
        "words": np.array([sum(map(len, one)) for one in said], dtype=np.float64),
        "sentences": sentences_N,
        "empty": (sentences_N == 0).astype(np.float64),
    }
    if written is None:
        written_N, repeated_N = sentences_N, np.array([len(one) - len(set(one)) for one in said], np.float64)
    else:
        written_N, repeated_N = written.sentences_N.astype(float), written.repeated_N.astype(float)

    def statistic(weights_BN: Floats) -> Floats:
        total_B = weights_BN.sum(axis=1)
        means = {name: weights_BN @ values_N / total_B for name, values_N in rows.items()}
        every_B = weights_BN @ (counts.positive + counts.negative)
        wrong_B = weights_BN @ (counts.wrong_positive + counts.wrong_negative)
        rates, per_label = clinical(weights_BN)
        columns = [
            *words(weights_BN).T, *rates, weights_BN @ ccr_N / total_B,
            means["words"], means["sentences"], ratio(weights_BN @ repeated_N, weights_BN @ written_N), means["empty"],
            ratio(wrong_B, every_B),
            ratio(weights_BN @ counts.wrong_positive, weights_BN @ counts.positive),
            ratio(weights_BN @ counts.wrong_negative, weights_BN @ counts.negative),
            ratio(weights_BN @ counts.wrong_stated, weights_BN @ counts.stated),
            every_B / total_B, *per_label.T,
        ]  # fmt: skip
        return np.stack(columns, axis=1)

    return statistic


def _wording(references: Sequence[str], texts: Sequence[str]) -> Statistic:
    """CIDEr-D, CIDEr, ROUGE-L and BLEU-1 to 4: [B, N] -> [B, 7]. Document frequencies are those of all references."""
    cut = TOKENISERS[PLAIN_TOKENS]
    truth, said = [[cut(text)] for text in references], [cut(text) for text in texts]
    scores = overlap_scores(truth, said)
    means_NM = np.stack([scores.cider_d, scores.cider, scores.rouge_l], axis=1)
    blocks = [bleu_counts(block) for block in count_blocks(truth, said, n=4)]
    matched_Nn, all_Nn, said_N, truth_N = (np.concatenate(part) for part in zip(*blocks, strict=True))

    def statistic(weights_BN: Floats) -> Floats:
        means_BM = weights_BN @ means_NM / weights_BN.sum(axis=1, keepdims=True)
        sums: list[Any] = [weights_BN @ part for part in (matched_Nn, all_Nn, said_N, truth_N)]
        return np.concatenate([means_BM, _coco(*sums)], axis=1)

    return statistic


def _clinical(
    test: GenerationSet, said_NF: npt.NDArray[np.int8]
) -> Callable[[Floats], tuple[list[Floats], Floats]]:
    """Averages, and precision, recall, accuracy of each label [B, 3 F]."""
    truth_NF = positives_of(test.states_NF)

    def statistic(weights_BN: Floats) -> tuple[list[Floats], Floats]:
        counts: Confusion = confusion(truth_NF, said_NF, weights_BN=weights_BN)
        pooled = micro(counts)
        every = [precision(counts), recall(counts), f1(counts)]
        averages = [macro(accuracy(counts)), *(macro(one) for one in every)]
        averages += [one(pooled)[..., 0] for one in (precision, recall, f1)]
        return averages, np.concatenate([every[0], every[1], accuracy(counts)], axis=1)

    return statistic


def _clinical_alone(test: GenerationSet, said_NF: npt.NDArray[np.int8]) -> Statistic:
    """The statistic of labels without reports: what is of words is not defined."""
    clinical = _clinical(test, said_NF)

    def statistic(weights_BN: Floats) -> Floats:
        found_BM = np.full((len(weights_BN), len(EVERY)), np.nan)
        averages, per_label = clinical(weights_BN)
        found_BM[:, len(WORDING) : len(WORDING) + len(averages)] = np.stack(averages, axis=1)
        found_BM[:, len(NAMES) :] = per_label
        return found_BM

    return statistic
