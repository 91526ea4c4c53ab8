"""The weighted sum of rewards: wording and findings, by name (Liu et al. 2019, "full")."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from hilum.core.errors import InputError
from hilum.core.records import Score
from hilum.metrics.coherence import PAPER, Belief
from hilum.metrics.overlap import DocumentFrequencies
from hilum.scorers import findings, overlap
from hilum.scorers._base import References, Tick, check_pairs
from hilum.scorers._overlap import PLAIN_TOKENS, Words
from hilum.scorers._rewards import Floats, PreparedReward, Reward, Text, reward_scores

EVEN: Mapping[str, float] = MappingProxyType({overlap.Overlap.name: 1.0, findings.Findings.name: 1.0})
"""Both rewards as they are. The paper's text does not name its weight: sweep it, and say which it was."""


class Mix:
    """The reward: the sum of rewards, each times its weight. A weight may be 0: then the reward is only told.

    Its range is worked out from those of the parts; a negative weight turns a range round. `part_names` are
    those of the parts behind the name of their reward: "findings.NAME". Parts are weighted, and add up.
    """

    name = "mix"
    version = "1"
    higher_is_better = True

    def __init__(self, rewards: Mapping[str, Reward], weights: Mapping[str, float]) -> None:
        _check(rewards, weights)
        self.members = dict(rewards)
        self.weights = {name: float(weights[name]) for name in self.members}
        ends = [
            sorted((weight * self.members[name].lowest, weight * self.members[name].highest))
            for name, weight in self.weights.items()
        ]
        self.lowest, self.highest = sum(low for low, _ in ends), sum(high for _, high in ends)
        self.part_names = tuple(
            f"{name}.{part}" for name, member in self.members.items() for part in member.part_names
        )
        counted = [self.members[name] for name, weight in self.weights.items() if weight]
        self.clinical = any(member.clinical for member in counted)
        self.plain = all(member.plain for member in counted)
        self.preset = "; ".join(
            f"{w:g} x {name} ({self.members[name].preset})" for name, w in self.weights.items()
        )
        stamps = [getattr(member, "stamp", {}) for member in self.members.values()]
        self.stamp = {key: value for stamp in stamps for key, value in stamp.items()}

    def rewards(self, references: Sequence[str], candidates: Sequence[Text]) -> Floats:
        """What each candidate earns, float64 [N]."""
        return self.weighted(self.each(references, candidates))

    def parts(self, references: Sequence[str], candidates: Sequence[Text]) -> Floats:
        """The same by part of each reward, weighted, float64 [N, T]."""
        return self.joined({name: m.parts(references, candidates) for name, m in self.members.items()})

    def each(self, references: Sequence[str], candidates: Sequence[Text]) -> dict[str, Floats]:
        """What each candidate earns of each reward by itself, without weights, float64 [N]: for logs."""
        return {name: member.rewards(references, candidates) for name, member in self.members.items()}

    def weighted(self, each: Mapping[str, Floats]) -> Floats:
        """The sum of what `each` gives; a reward of weight 0 adds nothing, even where it is not defined."""
        counted = {name: weight for name, weight in self.weights.items() if weight}
        return np.asarray(sum(weight * each[name] for name, weight in counted.items()), dtype=np.float64)

    def joined(self, parts: Mapping[str, Floats]) -> Floats:
        """The parts of all rewards side by side, each times its weight; 0 for a weight of 0."""
        return np.concatenate(
            [weight * parts[name] if weight else 0 * np.nan_to_num(parts[name])
             for name, weight in self.weights.items()],
            axis=1,
        )  # fmt: skip

    def limits(self, references: Sequence[str]) -> tuple[Floats, Floats]:
        """The least and most of each reference, two float64 [N]: sums of those of the parts.

        One candidate need not reach all of them at once, so these are bounds.
        """
        least_N, most_N = np.zeros((2, len(references)))
        for name, weight in self.weights.items():
            if not weight:
                continue
            low_N, high_N = self.members[name].limits(references)
            least_N = least_N + np.minimum(weight * low_N, weight * high_N)
            most_N = most_N + np.maximum(weight * low_N, weight * high_N)
        return least_N, most_N

    def prepared(self, references: Sequence[str]) -> PreparedMix:
        """The references, read once by each reward."""
        return PreparedMix(self, {name: member.prepared(references) for name, member in self.members.items()})

    def score(
        self,
        references: References,
        candidates: Sequence[str],
        *,
        ids: Sequence[str] | None = None,  # noqa: ARG002  (nothing is looked up)
        per_sample: bool = False,
        progress: Tick | None = None,
    ) -> list[Score]:
        """Two scores: the mean reward, and of what could be earned (`scorers._rewards.reward_scores`)."""
        check_pairs(references, candidates)
        scores = reward_scores(self, references, candidates, per_sample=per_sample)
        if progress is not None:
            progress(len(candidates), len(candidates))
        return scores


class PreparedMix:
    """References by row, read once by each reward."""

    def __init__(self, reward: Mix, members: Mapping[str, PreparedReward]) -> None:
        self._reward = reward
        self.members = dict(members)

    def __len__(self) -> int:
        return len(next(iter(self.members.values())))

    def rewards(self, rows: Sequence[int], candidates: Sequence[Text]) -> Floats:
        """What each candidate earns against the reference of its row, float64 [N]."""
        return self._reward.weighted(self.each(rows, candidates))

    def parts(self, rows: Sequence[int], candidates: Sequence[Text]) -> Floats:
        """The same by part of each reward, weighted, float64 [N, T]."""
        return self._reward.joined({name: m.parts(rows, candidates) for name, m in self.members.items()})

    def each(self, rows: Sequence[int], candidates: Sequence[Text]) -> dict[str, Floats]:
        """What each candidate earns of each reward by itself, without weights, float64 [N]."""
        return {name: member.rewards(rows, candidates) for name, member in self.members.items()}


def _check(rewards: Mapping[str, Reward], weights: Mapping[str, float]) -> None:
    if set(rewards) != set(weights):
        raise InputError(
            f"The rewards are {', '.join(rewards) or 'none'}, the weights are for {', '.join(weights) or 'none'}. "
            "Next step: give one weight for each reward, by its name."
        )
    wrong = {name: weight for name, weight in weights.items() if not math.isfinite(weight)}
    if wrong or not any(weights.values()):
        raise InputError(
            f"The weights of rewards are numbers, and one at least is not 0; got {dict(weights)}. "
            "Next step: change them."
        )


def build(  # noqa: PLR0913  (the options of both)
    *,
    shares: Mapping[str, float] = EVEN,
    measure: str = "cider_d",
    tokens: str = PLAIN_TOKENS,
    frequencies: DocumentFrequencies | None = None,
    words: Words | None = None,
    labeler: str = "rules",
    vocabulary: str | None = None,
    convention: str | None = None,
    weights: str | None = None,
    section: str = findings.WHOLE,
    belief: Belief = PAPER,
) -> Mix:
    """The reward of wording and that of findings; `shares` are their weights, the rest as those two take it.

    Other sums: `Mix({name: reward, ...}, {name: weight, ...})`.
    """
    members: dict[str, Reward] = {
        overlap.Overlap.name: overlap.build(
            measure=measure, tokens=tokens, frequencies=frequencies, words=words
        ),
        findings.Findings.name: findings.build(
            labeler=labeler, vocabulary=vocabulary, convention=convention, weights=weights, section=section,
            belief=belief,
        ),
    }  # fmt: skip
    return Mix(members, shares)
