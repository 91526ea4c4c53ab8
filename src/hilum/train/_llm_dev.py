"""How good a language model is on the dev side: its loss there, and its labels as the labeler would give them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from hilum.core.matrix import LEFT_OUT
from hilum.core.vocabulary import State
from hilum.metrics.labels import macro, weighted_state_f1
from hilum.models.engine import Question
from hilum.train._llm_trainer import TOKENS, Collator
from hilum.train.batches import by_length
from hilum.train.llm_data import TokenRow
from hilum.train.losses import IGNORED

SCORED = (State.POSITIVE, State.NEGATIVE, State.UNCERTAIN)
"""The states that the dev score goes over; answering blank everywhere gains nothing."""

_ROWS_TOGETHER = 16


class DevSide(NamedTuple):
    """Rows that are not trained on: as tokens, and as questions with the states that are right, int8 [N, F]."""

    rows: list[TokenRow]
    questions: list[Question]
    states_NF: npt.NDArray[np.int8]


@contextlib.contextmanager
def full_precision(model: Any) -> Iterator[None]:
    """The forward pass in the type of the weights, as it is when the model is used.

    For bf16 and fp16 accelerate puts another `forward` on the model itself, which `torch.autocast(enabled=False)`
    around a call does not undo.
    """
    mixed, plain = model.forward, model.__dict__.get("_original_forward")
    if plain is not None:
        model.forward = plain
    try:
        yield
    finally:
        if plain is not None:
            model.forward = mixed


def dev_scores(
    model: Any, tokenizer: Any, dev: DevSide, *, collator: Collator, device: torch.device
) -> dict[str, float | None]:
    """`dev_loss` per learned token, `accuracy` of states, and `weighted_f1` over SCORED, its mean over the findings.

    The labels are those of `models.local_engine` by scoring. `weighted_f1` is None when no finding has a label of
    SCORED.
    """
    training = bool(model.training)
    model.eval()
    try:
        with torch.no_grad():
            loss = _loss(model, dev.rows, collator, device)
        chosen_NF = _answers(model, tokenizer, dev.questions)
    finally:
        model.train(training)
    f1 = float(macro(weighted_state_f1(dev.states_NF, chosen_NF, SCORED)))
    return {
        "dev_loss": loss,
        "accuracy": float((chosen_NF == dev.states_NF)[dev.states_NF != LEFT_OUT].mean()),
        "weighted_f1": None if np.isnan(f1) else f1,
    }


def _answers(model: Any, tokenizer: Any, questions: Sequence[Question]) -> npt.NDArray[np.int8]:
    from hilum.models.local_engine import LocalEngine  # noqa: PLC0415

    engine = LocalEngine(model, tokenizer, digest="in training", answer="scoring")
    replies = engine.ask(questions)
    return np.array([reply.chosen for reply in replies], dtype=np.int8)


def _loss(model: Any, rows: Sequence[TokenRow], collator: Collator, device: torch.device) -> float:
    total, counted = 0.0, 0
    for batch in by_length([len(row.ids) for row in rows], batch_size=_ROWS_TOGETHER):
        made = collator(
            [{"input_ids": rows[i].ids, "labels": rows[i].labels, "lines": rows[i].lines} for i in batch]
        )
        made.pop(TOKENS)
        inputs = {name: value.to(device) for name, value in made.items()}
        labels = inputs.pop("labels")[:, 1:]
        logits = model(**inputs).logits[:, :-1]
        marked = labels != IGNORED
        total += float(
            torch.nn.functional.cross_entropy(logits[marked].float(), labels[marked], reduction="sum")
        )
        counted += int(marked.sum())
    return total / max(counted, 1)
