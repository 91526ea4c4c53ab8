"""An engine that answers from a script: for tests of what asks, and to try a prompt without a model. No torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from hilum.core.errors import InputError
from hilum.models.engine import Message, Question, Reply, Usage

Scripted = Reply | Mapping[str, str] | str
"""One scripted answer: a `Reply` as it is, a choice per item, or a sentence that says why there is no answer."""

Script = Callable[[Question], Scripted] | Mapping[str, Scripted]

_TURN_TOKENS = 4


class FakeEngine:
    """Answers by `script`, in order, from memory; `questions` keeps all that it was asked.

    A script is a function of the question, or answers by a piece of text: the first piece that is in the last turn
    decides. An item that the answer does not name gets the choice `default`; without a default the reply has a
    problem. With `sure` (between 0 and 1) each reply has log-probabilities: `sure` for the choice, the rest shared by
    the others. A question of more than `context` tokens (words, and 4 for each turn) is too long.
    """

    def __init__(
        self,
        script: Script | None = None,
        *,
        default: str | None = None,
        sure: float | None = None,
        context: int | None = None,
        stamp: Mapping[str, str] | None = None,
    ) -> None:
        if sure is not None and not 0 < sure < 1:
            raise InputError(f"sure is {sure}; it is a probability between 0 and 1. Next step: such as 0.9.")
        self._script: Script = {} if script is None else script
        self._default, self._sure = default, sure
        self.context = context
        self.stamp: Mapping[str, str] = MappingProxyType(
            {"engine": "fake", "model": "script"} if stamp is None else dict(stamp)
        )
        self.questions: list[Question] = []

    def count(self, messages: Sequence[Message]) -> int:
        """Words, and 4 for each turn."""
        return sum(len(message.content.split()) + _TURN_TOKENS for message in messages)

    def ask(self, questions: Sequence[Question]) -> list[Reply]:
        """One scripted `Reply` per question. Raises InputError when the script has a choice that was not asked."""
        return [self._reply(question) for question in questions]

    def _reply(self, question: Question) -> Reply:
        self.questions.append(question)
        read = self.count(question.messages)
        if self.context is not None and read > self.context:
            return Reply(
                problem=f"the question has {read} tokens, the model's context {self.context}", too_long=True
            )
        found = self._scripted(question)
        if isinstance(found, Reply):
            return found
        usage = Usage(read=read, written=2 * len(question.items), asked=1)
        if isinstance(found, str):
            return Reply(problem=found, usage=usage)
        silent = [item for item in question.items if item not in found and self._default is None]
        if silent:
            return Reply(problem=f"the script has no answer for {silent[0]!r}", usage=usage)
        chosen = tuple(_place(found.get(item, self._default), question.choices) for item in question.items)
        return Reply(chosen=chosen, log_probabilities=self._log_probabilities(chosen, question), usage=usage)

    def _scripted(self, question: Question) -> Scripted:
        if not isinstance(self._script, Mapping):
            return self._script(question)
        last = question.messages[-1].content if question.messages else ""
        return next((answer for text, answer in self._script.items() if text in last), {})

    def _log_probabilities(
        self, chosen: Sequence[int], question: Question
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]] | None:
        if self._sure is None:
            return None
        others = len(question.choices) - 1
        values_IC = np.full((len(chosen), others + 1), math.log((1 - self._sure) / max(1, others)))
        values_IC[np.arange(len(chosen)), list(chosen)] = math.log(self._sure) if others else 0.0
        return values_IC


def _place(choice: str | None, choices: Sequence[str]) -> int:
    if choice not in choices:
        raise InputError(
            f"The script answers {choice!r}; allowed: {', '.join(choices)}. Next step: one of these words."
        )
    return choices.index(choice)
