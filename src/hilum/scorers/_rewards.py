"""What every reward is: references and candidates in, one number for each pair out, and the parts it is the sum of.

A reward is a scorer as well (`scorers._base.Scorer`). Rewards are pure: a pair earns the same in any batch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median_low
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError
from hilum.core.records import Score
from hilum.scorers._base import Scorer, check_pairs, one_each, score_of
from hilum.text.sentences import find_sentences

Floats = npt.NDArray[np.float64]
Text = str | Sequence[str]
"""A text, or its tokens where a reward takes these."""


class PreparedReward(Protocol):
    """A reward with its references read once: candidates are compared with references by their row."""

    def __len__(self) -> int: ...

    def rewards(self, rows: Sequence[int], candidates: Sequence[Text]) -> Floats:
        """What each candidate earns against the reference of its row, float64 [N]."""
        ...

    def parts(self, rows: Sequence[int], candidates: Sequence[Text]) -> Floats:
        """The same by part, float64 [N, T]; the parts of a pair add up to its reward."""
        ...


class Reward(Scorer, Protocol):
    """A scorer that gives each pair a number by itself.

    `lowest` and `highest` are the ends of what a pair can earn; `part_names` name the T parts.
    """

    part_names: tuple[str, ...]

    def rewards(self, references: Sequence[str], candidates: Sequence[Text]) -> Floats:
        """What each of N candidates earns, float64 [N]. Raises InputError when the numbers differ or there is none."""
        ...

    def parts(self, references: Sequence[str], candidates: Sequence[Text]) -> Floats:
        """The same by part, float64 [N, T]; the parts of a pair add up to its reward."""
        ...

    def limits(self, references: Sequence[str]) -> tuple[Floats, Floats]:
        """The least and the most that any candidate could earn against each reference, two float64 [N]."""
        ...

    def prepared(self, references: Sequence[str]) -> PreparedReward:
        """The references of a training set, read once, for use by row."""
        ...


def reward_scores(
    reward: Reward, references: Sequence[Text], candidates: Sequence[str], *, per_sample: bool
) -> list[Score]:
    """Two scores: the mean reward, and the mean of what was earned of what could be.

    The second, NAME_attained, is (earned - least) / (most - least) of each pair, put on the range of the reward;
    a pair for which all candidates earn the same is left out of it, with a note.
    """
    known = one_each(references, scorer=reward.name)
    earned_N = reward.rewards(known, candidates)
    least_N, most_N = reward.limits(known)
    share_N = np.full(len(earned_N), np.nan)
    np.divide(earned_N - least_N, most_N - least_N, out=share_N, where=most_N > least_N)
    attained_N = reward.lowest + (reward.highest - reward.lowest) * share_N
    return [
        mean_score(reward, reward.name, earned_N, per_sample=per_sample),
        mean_score(reward, f"{reward.name}_attained", attained_N, per_sample=per_sample),
    ]


def mean_score(scorer: Scorer, name: str, values_N: Floats, *, per_sample: bool, note: str = "") -> Score:
    """The mean of what is defined; the note counts what is not, or says why where all are not."""
    defined = values_N[~np.isnan(values_N)]
    missing = len(values_N) - len(defined)
    left_out = f"not defined for {missing:,} of {len(values_N):,} reports, which are left out"
    return score_of(
        scorer,
        name,
        float(defined.mean()) if len(defined) else float("nan"),
        per_sample=tuple(values_N.tolist()) if per_sample else None,
        note=(left_out if len(defined) else note or left_out) if missing else "",
    )


def check_given(references: Sequence[Text], candidates: Sequence[Text]) -> None:
    """Raises InputError when there is nothing to reward or the numbers differ."""
    check_pairs(references, cast("Sequence[str]", candidates))


def check_rows(rows: Sequence[int], candidates: Sequence[Text], size: int) -> None:
    """Raises InputError unless there are as many rows as candidates, at least one, all from 0 to `size` - 1."""
    if len(rows) != len(candidates) or not len(rows):
        raise InputError(
            f"There are {len(rows):,} rows and {len(candidates):,} candidates. Next step: give the row of its "
            "reference for each candidate, and at least one."
        )
    if min(rows) < 0 or max(rows) >= size:
        raise InputError(f"Rows of references go from 0 to {size - 1:,}; got {min(rows):,} to {max(rows):,}.")


def simple_rewards(reward: Reward, references: Sequence[str], template: str) -> dict[str, float]:
    """What is earned without a look at any image: {"empty": mean reward of no text, "template": of one text for all}.

    To be printed beside a model's reward: a model that earns no more has learned nothing. NaN where the reward is
    not defined for a pair. `template` is `majority_report(...)` or `majority_sentences(...)` of the TRAINING
    reports.
    """
    return {
        name: float(reward.rewards(references, [text] * len(references)).mean())
        for name, text in (("empty", ""), ("template", template))
    }


def majority_report(reports: Sequence[str]) -> str:
    """The most frequent report that is not empty; case and white space do not tell reports apart.

    Of equally frequent ones the first, as it is first written. Raises InputError when all are empty.
    """
    counts = Counter(_same(report) for report in reports if report.strip())
    _check_any(counts)
    most = max(counts, key=counts.__getitem__)  # the first of equals
    return next(report for report in reports if _same(report) == most)


def majority_sentences(reports: Sequence[str], *, sentences: int | None = None) -> str:
    """A report of the sentences that the most reports have, in the order in which reports have them.

    `sentences` is how many; by itself the median of the reports that are not empty. Each is written as it is
    first written, with a full stop. Raises InputError when all are empty.
    """
    counts: Counter[str] = Counter()
    spelled: dict[str, str] = {}
    where: dict[str, float] = {}
    lengths = []
    for report in reports:
        found = [report[span.start : span.end] for span in find_sentences(report)]
        lengths += [len(found)] if found else []
        keys = [_same(sentence) for sentence in found]
        for place, key in reversed(list(enumerate(keys))):
            spelled.setdefault(key, found[place])
        for key in dict.fromkeys(keys):
            counts[key] += 1
            where[key] = where.get(key, 0.0) + keys.index(key) / len(keys)
    _check_any(counts)
    wanted = sentences or median_low(lengths)
    chosen = [key for key, _ in counts.most_common(wanted)]
    chosen.sort(key=lambda key: where[key] / counts[key])
    return " ".join(f"{spelled[key]}." for key in chosen)


def _same(text: str) -> str:
    return " ".join(text.casefold().split())


def _check_any(counts: Counter[str]) -> None:
    if not counts:
        raise InputError(
            "All reports are empty, so none is the most frequent. Next step: give reports with text."
        )
