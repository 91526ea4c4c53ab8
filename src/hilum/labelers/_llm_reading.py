"""Texts to the answers of a language model: questions, windows of what is too long, probabilities of states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from hilum.core.errors import InputError
from hilum.core.vocabulary import State, Vocabulary
from hilum.labelers._decide import Floats, combined, combined_states
from hilum.labelers._few_shot import readings_of
from hilum.labelers._prompt import LINES, Example, Prompt
from hilum.labelers._text_windows import halves, windows
from hilum.models.engine import Engine, Question, Reply

LEAST_ROOM = 32
"""Tokens that must be left for the text of a report."""


class Reading(NamedTuple):
    """What a model said of a text: probabilities of the states in each window, float64 [W, F, 4].

    They are 1 and 0 where the engine has no probabilities, which `measured` says. `problem` says why there is no
    answer; then W is the number of windows that were asked about, and the values are NaN.
    """

    values_WFS: Floats
    measured: bool = True
    problem: str = ""


class Answered(NamedTuple):
    """Readings of N texts, windows put together: states (codes), and probabilities of all states [N, F, 4]."""

    states_NF: np.ndarray[tuple[int, ...], np.dtype[np.int8]]
    values_NFS: Floats


@dataclass(frozen=True)
class Asker:
    """Asks one engine about texts with one prompt. `form` is LINES or JSON; `context` limits what the engine takes."""

    engine: Engine
    prompt: Prompt
    vocabulary: Vocabulary
    examples: tuple[Example, ...] = ()
    form: str = LINES
    context: int | None = None

    def question(self, text: str) -> Question:
        """The question about one text; an example of the same text is not shown, since it has the answer."""
        shown = tuple(
            one
            for one, texts in zip(self.examples, self._examples_read, strict=True)
            if text.strip() not in texts
        )
        return self.prompt.question(text, self.vocabulary, examples=shown, form=self.form)

    @cached_property
    def _examples_read(self) -> list[frozenset[str]]:
        """What may be read of each example, by any choice of sections."""
        return [readings_of(example.report) for example in self.examples]

    @cached_property
    def limit(self) -> int | None:
        """Tokens that the conversation of a question may have; None where nobody knows."""
        room = getattr(self.engine, "room", None)
        known = (self.engine.context if room is None else room(self.question("")), self.context)
        return min((n for n in known if n is not None), default=None)

    def check_room(self) -> None:
        """Raises InputError when the prompt and its examples leave no room for a report."""
        if self.limit is None:
            return
        needed = self.engine.count(self.question("").messages)
        if needed + LEAST_ROOM > self.limit:
            examples = f" and its {len(self.examples)} examples" if self.examples else ""
            unit = getattr(self.engine, "unit", "tokens")
            raise InputError(
                f"The prompt {self.prompt.name!r}{examples} is {needed:,} {unit} long without a report, and a question "
                f"may have {self.limit:,}. Next step: {'fewer examples, ' if examples else ''}a shorter prompt "
                "(--prompt brief), or a longer context."
            )

    def fits(self, text: str) -> bool:
        """Whether a text can be asked about in one question, as far as that is known."""
        return self.limit is None or self.engine.count(self.question(text).messages) <= self.limit

    def read(self, texts: Sequence[str]) -> list[Reading]:
        """One `Reading` per text. A question that turns out too long is asked again in halves."""
        replies: list[list[Reply]] = [[] for _ in texts]
        waiting = [(place, part) for place, text in enumerate(texts) for part in windows(text, self.fits)]
        while waiting:
            again: list[tuple[int, str]] = []
            given = self.engine.ask([self.question(part) for _, part in waiting])
            for (place, part), reply in zip(waiting, given, strict=True):
                smaller = halves(part) if reply.too_long else None
                if smaller is None:
                    replies[place].append(_told_of_room(reply) if reply.too_long else reply)
                else:
                    again += [(place, half) for half in smaller]
            waiting = again
        return [self._reading(of_text) for of_text in replies]

    def answered(self, readings: Sequence[Reading]) -> Answered:
        """The windows of each text put together by `WINDOW_RULE`; probabilities of a text without an answer are NaN."""
        counts = [len(one.values_WFS) for one in readings]
        values_WFS = np.concatenate([one.values_WFS for one in readings])
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.intp)
        values_NFS = combined(values_WFS, starts, none=self._none)
        return Answered(combined_states(values_WFS, starts, none=self._none), values_NFS)

    @cached_property
    def _none(self) -> int | None:
        name = self.vocabulary.no_finding
        return None if name is None else self.vocabulary.index(name)

    def _reading(self, replies: Sequence[Reply]) -> Reading:
        items = len(self.vocabulary)
        problem = next((r.problem or "no answer" for r in replies if r.problem or len(r.chosen) != items), "")
        if problem:
            return Reading(
                np.full((len(replies), items, len(State)), np.nan), measured=False, problem=problem
            )
        values_WFS = np.stack([self._values(reply) for reply in replies])
        return Reading(values_WFS, measured=all(reply.log_probabilities is not None for reply in replies))

    def _values(self, reply: Reply) -> Floats:
        """Probabilities [F, 4] in the order of `State`. What No Finding cannot be says that it is not positive."""
        given_FC = (
            np.eye(len(State))[list(reply.chosen)]
            if reply.log_probabilities is None
            else np.exp(reply.log_probabilities)
        )
        values_FS = np.zeros_like(given_FC)
        values_FS[:, [self.prompt.state_of(choice) for choice in range(given_FC.shape[1])]] = given_FC
        if self._none is not None:
            never = [State.NEGATIVE, State.UNCERTAIN]
            values_FS[self._none, State.BLANK] += values_FS[self._none, never].sum()
            values_FS[self._none, never] = 0.0
        return values_FS


def _told_of_room(reply: Reply) -> Reply:
    """The same with what to do about a prompt that fills the context alone."""
    hint = "a shorter prompt, such as --prompt brief, or a longer context of the server"
    said = f"{reply.problem}, also with a piece of the report alone ({hint})"
    return Reply(problem=said, too_long=True, usage=reply.usage)
