"""Asking a causal language model on this machine: every item is decided right behind the prompt, by all choices.

Two ways give the same numbers (`_local_forward`): "scoring" reads all lines of an answer in one pass over a tree behind
a shared prompt, "generation" is constrained decoding, step by step. Neither can give anything but one of the choices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError, UnknownNameError
from hilum.models import _local_forward as forward
from hilum.models._choice_tree import ChoiceTree, Ids, choice_tree
from hilum.models._local_loading import load_language_model
from hilum.models._neural import torch
from hilum.models.answer_lines import choice_ids, item_ids, prompt_ids
from hilum.models.batches import buckets
from hilum.models.engine import Message, Question, Reply, Usage

SCORING, GENERATION = "scoring", "generation"
ANSWERS: tuple[str, ...] = (SCORING, GENERATION)

BATCH_TOKENS = {"cpu": 2048, "cuda": 16_384}
"""Tokens of a batch, prompts and lines together, on each kind of device."""

LEAST_SHARED = 16
"""Tokens that prompts must begin with in common before these are read once for all of them."""

NO_NUMBERS = "the model gave values that are no numbers"

_PROBE = "Answer each line below with one of the words, behind the colon: first item, second item; yes or no."
_PROBED_WINDOW = 1024
_TOLERANCE = {torch.float32: 2e-3, torch.bfloat16: 0.5, torch.float16: 0.5}


class _Lines(NamedTuple):
    """Items and choices of a question as ids."""

    items: tuple[Ids, ...]
    choices: tuple[Ids, ...]
    tree: ChoiceTree


class LocalEngine:
    """An `Engine` around a causal model of transformers and its tokenizer.

    `answer` is "scoring" or "generation". Batches are filled by tokens (`batch_tokens`), or have `batch_size`
    questions. What several questions begin with is read once. In float32 an answer's numbers are the same whatever else
    is asked, up to float noise of about 1e-6; in bfloat16 that noise is about 1e-2. Raises InputError when the model's
    numbers are not those that it gives when it reads each line alone.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        digest: str,
        answer: str = SCORING,
        batch_tokens: int | None = None,
        batch_size: int | None = None,
    ) -> None:
        if answer not in ANSWERS:
            raise UnknownNameError("way of answering", answer, ANSWERS)
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.answer = answer
        self.batch_size = batch_size
        self.batch_tokens = batch_tokens or BATCH_TOKENS.get(model.device.type, BATCH_TOKENS["cuda"])
        self.context: int | None = _context(model.config)
        self.stamp: Mapping[str, str] = {
            "engine": "local",
            "model": digest,
            "answer": answer,
            "precision": str(model.dtype).removeprefix("torch."),
        }
        self._known: dict[tuple[tuple[str, ...], tuple[str, ...]], _Lines] = {}
        self._check()

    def count(self, messages: Sequence[Message]) -> int:
        """The number of tokens of a conversation, up to where its answer begins."""
        return len(prompt_ids(self.tokenizer, messages))

    def room(self, question: Question) -> int | None:
        """How many tokens the conversation of such a question may have; None where there is no limit."""
        return None if self.context is None else self.context - self._lines(question).tree.longest

    def ask(self, questions: Sequence[Question]) -> list[Reply]:
        """One `Reply` per question, in order.

        Raises InputError when the tokenizer has no chat template or one that refuses the roles, when it cannot tell the
        choices apart, and when the memory is too small for one question.
        """
        replies = [Reply()] * len(questions)
        groups: dict[tuple[tuple[str, ...], tuple[str, ...]], list[int]] = {}
        for place, question in enumerate(questions):
            groups.setdefault((question.items, question.choices), []).append(place)
        for places in groups.values():
            lines = self._lines(questions[places[0]])
            prompts = [prompt_ids(self.tokenizer, questions[place].messages) for place in places]
            for place, reply in zip(places, self._replies(prompts, lines), strict=True):
                replies[place] = reply
        return replies

    def log_probabilities(
        self, prompts: Sequence[Ids], items: Sequence[Ids], choices: Sequence[Ids]
    ) -> npt.NDArray[np.float64]:
        """Natural logarithms of the probabilities of all lines behind each prompt [N, I, C], not renormalised."""
        return self._run(prompts, _Lines(tuple(items), tuple(choices), choice_tree(items, choices)))

    def _lines(self, question: Question) -> _Lines:
        key = question.items, question.choices
        if key not in self._known:
            items = tuple(item_ids(self.tokenizer, item) for item in question.items)
            choices = choice_ids(self.tokenizer, question.choices)
            self._known[key] = _Lines(items, choices, choice_tree(items, choices))
        return self._known[key]

    def _replies(self, prompts: Sequence[Ids], lines: _Lines) -> list[Reply]:
        longest = lines.tree.longest
        most = None if self.context is None else self.context - longest
        fits = [n for n, ids in enumerate(prompts) if most is None or len(ids) <= most]
        replies = [_too_long(len(ids), longest, self.context) for ids in prompts]
        found_NIC = self._run([prompts[n] for n in fits], lines)
        for n, lines_IC in zip(fits, found_NIC, strict=True):
            replies[n] = self._reply(lines_IC, len(prompts[n]), lines)
        return replies

    def _reply(self, lines_IC: npt.NDArray[np.float64], read: int, lines: _Lines) -> Reply:
        with np.errstate(invalid="ignore"):
            shares_IC = lines_IC - np.logaddexp.reduce(lines_IC, axis=1, keepdims=True)
        stepped = self.answer == GENERATION
        if np.isnan(shares_IC).any():
            return Reply(problem=NO_NUMBERS, usage=Usage(read + lines.tree.nodes, 0, 1))
        chosen = tuple(int(place) for place in shares_IC.argmax(axis=1))
        written = sum(len(lines.choices[place]) for place in chosen) if stepped else 0
        return Reply(chosen, shares_IC, usage=Usage(read + lines.tree.nodes, written, 1))

    # --- batches ---

    def _run(self, prompts: Sequence[Ids], lines: _Lines) -> npt.NDArray[np.float64]:
        """Log-probabilities [N, I, C], batch by batch, longest first."""
        found_NIC = np.empty((len(prompts), len(lines.items), len(lines.choices)), dtype=np.float64)
        with torch.inference_mode(), np.errstate(invalid="ignore"):
            shared = _shared(prompts) if self.answer == SCORING else ()
            beginning = forward.begin(self.model, shared)
            lengths = [len(ids) - len(shared) + lines.tree.nodes for ids in prompts]
            tokens = None if self.batch_size is not None else self.batch_tokens
            for batch in buckets(lengths, batch_size=self.batch_size, batch_tokens=tokens):
                asked = [prompts[n] for n in batch]
                found_NIC[batch] = self._batch(asked, lines, beginning)
        return found_NIC

    def _batch(
        self, prompts: Sequence[Ids], lines: _Lines, beginning: forward.Beginning | None
    ) -> npt.NDArray[np.float64]:
        try:
            if self.answer == SCORING:
                return forward.scored(self.model, prompts, lines.tree, beginning=beginning)
            return forward.stepped(self.model, prompts, lines.items, lines.choices)
        except torch.OutOfMemoryError as error:
            raise InputError(
                f"The memory of {self.model.device} is too small for {len(prompts)} reports of up to "
                f"{max(map(len, prompts))} tokens at once. Next step: a smaller --batch-size, or --device cpu."
            ) from error

    # --- is it right? ---

    def _check(self) -> None:
        """Raises InputError unless a model's numbers are those of one pass over each line alone."""
        ids = prompt_ids(self.tokenizer, [Message("user", _PROBE)])
        distinct = list(dict.fromkeys(ids))
        if len(distinct) < 6:
            raise InputError("The model's tokenizer has hardly any tokens for English text.")
        window = forward.window_of(self.model.config.get_text_config()) or 0
        times = 1 + (window // len(ids) + 1 if window <= _PROBED_WINDOW else 0)
        prompts = [ids * times, ids[: len(ids) // 2]]
        if self.context is not None:
            prompts = [one[: max(1, self.context - 8)] for one in prompts]
        items = (tuple(distinct[:3]), tuple(distinct[3:5]))
        choices = ((distinct[5],), (distinct[0], distinct[1]))
        try:
            found_NIC = self._run(prompts, _Lines(items, choices, choice_tree(items, choices)))
            alone_NIC = self._alone(prompts, items, choices)
        except (
            RuntimeError,
            TypeError,
            ValueError,
            AttributeError,
            IndexError,
            NotImplementedError,
        ) as error:
            raise self._unfit(" ".join(str(error).split())[:200]) from error
        if np.isnan(found_NIC).any() or np.isnan(alone_NIC).any():
            raise InputError(
                f"The model is of no use: {NO_NUMBERS}. Next step: check its weights, or another --precision."
            )
        far = float(np.abs(found_NIC - alone_NIC).max())
        if far > _TOLERANCE.get(self.model.dtype, 0.5):
            raise self._unfit(f"its log-probabilities differ by {far:.2g} from those of each line read alone")

    def _alone(
        self, prompts: Sequence[Ids], items: Sequence[Ids], choices: Sequence[Ids]
    ) -> npt.NDArray[np.float64]:
        short, long = choices
        found_NIC = np.empty((len(prompts), len(items), 2))
        with torch.inference_mode():
            for n, prompt in enumerate(prompts):
                for i, item in enumerate(items):
                    logp_TV = forward.plain(self.model, (*prompt, *item, long[0]), 2)
                    found_NIC[n, i] = (
                        logp_TV[0, short[0]].item(),
                        (logp_TV[0, long[0]] + logp_TV[1, long[1]]).item(),
                    )
        return found_NIC

    def _unfit(self, why: str) -> InputError:
        other = "answer generation, which asks less of a model" if self.answer == SCORING else "another model"
        return InputError(
            f"A model of the kind {self.model.config.model_type} cannot be used for {self.answer} here: {why}. Next "
            f"step: {other}; or ask it through a server (--endpoint)."
        )


def load_local_engine(
    folder_or_id: str | Path,
    *,
    device: str = "auto",
    precision: str | None = None,
    answer: str = SCORING,
    batch_size: int | None = None,
    threads: int | None = None,
    adapter: str | Path | None = None,
    revision: str | None = None,
) -> LocalEngine:
    """The engine of a model's folder, of a PEFT adapter's folder, or of a hub id (see `load_language_model`).

    `batch_size` questions are asked at once, by default as many as fit a number of tokens; `threads` is set for
    all of torch. Raises InputError, UnknownNameError and MissingExtraError.
    """
    if answer not in ANSWERS:
        raise UnknownNameError("way of answering", answer, ANSWERS)
    if threads is not None:
        torch.set_num_threads(int(threads))
    loaded = load_language_model(
        folder_or_id, device=device, precision=precision, adapter=adapter, revision=revision
    )
    return LocalEngine(
        loaded.model, loaded.tokenizer, digest=loaded.digest, answer=answer, batch_size=batch_size
    )


def _context(config: Any) -> int | None:
    found = getattr(config.get_text_config(), "max_position_embeddings", None)
    return int(found) if found and int(found) > 0 else None


def _too_long(read: int, longest: int, context: int | None) -> Reply:
    return Reply(
        problem=f"the prompt has {read} tokens and an answer up to {longest}, and the model takes {context}",
        too_long=True,
    )


def _shared(prompts: Sequence[Ids]) -> Ids:
    """What all prompts begin with, short of the last token of any; nothing when it is not worth it."""
    if len(prompts) < 2:
        return ()
    least, most = min(prompts), max(prompts)
    size = min(map(len, prompts)) - 1
    pairs = enumerate(zip(least[:size], most[:size], strict=True))
    common = least[: next((place for place, (one, other) in pairs if one != other), size)]
    return common if len(common) >= LEAST_SHARED else ()
