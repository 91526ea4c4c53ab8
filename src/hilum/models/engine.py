"""What a language model is asked and what it answers: the nouns of all engines. No torch.

A question is a conversation, a list of items and a list of choices; every item gets one of the choices and nothing
else. Engines differ in where the model runs: `local_engine` (transformers, on this machine), `http_engine` (a server
that speaks the OpenAI chat protocol), `fake` (scripted answers).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt


class Message(NamedTuple):
    """One turn of a conversation; `role` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True)
class Question:
    """A conversation that ends with a user's turn, the `items` to decide and the `choices` for each of them.

    `items` and `choices` are names as a reader would write them ("Edema", "positive"), each one once.
    """

    messages: tuple[Message, ...]
    items: tuple[str, ...]
    choices: tuple[str, ...]


class Usage(NamedTuple):
    """Tokens that were read and written for one answer, as far as the engine knows; `asked` counts requests."""

    read: int = 0
    written: int = 0
    asked: int = 0


@dataclass(frozen=True)
class Reply:
    """The answer to a `Question` of I items and C choices.

    `chosen` has the place of a choice per item. `log_probabilities` float64 [I, C], where the engine has them, are
    natural logarithms of the probabilities of the choices, renormalised over the choices. `problem` says why there is
    no answer: then `chosen` is empty. `too_long` says that the question did not fit into the model's context.
    """

    chosen: tuple[int, ...] = ()
    log_probabilities: npt.NDArray[np.float64] | None = None
    problem: str = ""
    too_long: bool = False
    usage: Usage = Usage()  # noqa: RUF009  (an immutable tuple)


@runtime_checkable
class Engine(Protocol):
    """A language model somewhere. Answers do not depend on what else is asked in the same call.

    `stamp` is what decides an answer: model, digest or address without secrets, way of answering. `context` is the
    number of tokens that a question may have, None where it is not known.
    """

    stamp: Mapping[str, str]
    context: int | None

    def count(self, messages: Sequence[Message]) -> int:
        """The number of tokens of a conversation; an estimate, never too small, where the tokens are not known."""
        ...

    def ask(self, questions: Sequence[Question]) -> list[Reply]:
        """One `Reply` per question, in order. Raises InputError only for what no question could survive."""
        ...
