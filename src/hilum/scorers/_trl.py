"""Rewards as TRL takes them: a function of prompts and completions with the columns of the data set.

TRL itself is not imported. Checked with the GRPO trainer of TRL 1.16.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from hilum.core.errors import InputError
from hilum.scorers._rewards import Floats, Reward
from hilum.scorers.mix import Mix


class TrlReward:
    """`reward` as a reward function of TRL. Its `__name__` is what TRL logs it as.

    The reference of each completion is in the column `column` of the data set. A completion is a text or a list
    of messages, of which those of the assistant are read. What is not defined is None, which TRL leaves out.
    TRL is handed, for its log, the mean of each part (NAME/PART), the mean number of words of the completions
    (NAME/words) and the share of empty ones (NAME/empty): that a generator falls silent should be seen.
    """

    def __init__(self, reward: Reward, *, column: str = "reference", name: str | None = None) -> None:
        self.reward = reward
        self.column = column
        self.__name__ = name or reward.name

    def __call__(
        self, prompts: Sequence[Any] | None = None, completions: Sequence[Any] = (), **columns: Any
    ) -> list[float | None]:
        """What each completion earns. Raises InputError when the column is not there."""
        references = columns.get(self.column)
        if references is None:
            raise InputError(
                f"The reward {self.__name__!r} reads the true reports in the column {self.column!r} of the data set, "
                f"which has {', '.join(columns) or 'no column'} besides {'prompts' if prompts else 'completions'}. "
                "Next step: add the column, or name another one (column=...)."
            )
        texts = [completion_text(completion) for completion in completions]
        parts_NT = self.reward.parts(list(references), texts)
        log = columns.get("log_metric")
        if callable(log):
            self._tell(log, texts, parts_NT)
        return [value if math.isfinite(value) else None for value in parts_NT.sum(axis=1).tolist()]

    def _tell(self, log: Callable[[str, float], object], texts: Sequence[str], parts_NT: Floats) -> None:
        defined_NT = parts_NT[~np.isnan(parts_NT).any(axis=1)]
        if len(defined_NT):
            for name, mean in zip(self.reward.part_names, defined_NT.mean(axis=0).tolist(), strict=True):
                log(f"{self.__name__}/{name}", mean)
        lengths = [len(text.split()) for text in texts]
        log(f"{self.__name__}/words", sum(lengths) / len(lengths))
        log(f"{self.__name__}/empty", lengths.count(0) / len(lengths))


def trl_rewards(mix: Mix, *, column: str = "reference") -> tuple[list[TrlReward], list[float]]:
    """The rewards of a mix one by one, and their weights: for `reward_funcs` and `reward_weights` of TRL.

    TRL then logs each by its name, and trains on the same weighted sum.
    """
    functions = [TrlReward(member, column=column, name=name) for name, member in mix.members.items()]
    return functions, [mix.weights[function.__name__] for function in functions]


def completion_text(completion: object) -> str:
    """The text of a completion: itself, or what the assistant says in a list of messages."""
    if isinstance(completion, str):
        return completion
    if isinstance(completion, Sequence) and all(isinstance(message, Mapping) for message in completion):
        said = [message.get("content") or "" for message in completion if message.get("role") == "assistant"]
        return "\n".join(one if isinstance(one, str) else _written(one) for one in said)
    raise InputError(
        f"A completion is a text or a list of messages with a role and a content; got {type(completion).__name__}."
    )


def _written(content: Sequence[Mapping[str, Any]]) -> str:
    """The written parts of a message that may have images too."""
    return "\n".join(str(part.get("text", "")) for part in content if part.get("type") == "text")
