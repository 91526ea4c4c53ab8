"""Words one after the other: the most probable, drawn, or searched for; for many rows at once.

A row is a sentence or a whole text. A writer gives logits of its next word and says when it has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from hilum.core.errors import InputError
from hilum.models._neural import torch
from hilum.models.decoding import BEAM, SAMPLE, Decoding
from hilum.models.generator_spec import END, PAD, UNKNOWN

Step = Callable[[Any, torch.Tensor], tuple[torch.Tensor, torch.Tensor, Any]]
Ended = Callable[[torch.Tensor], torch.Tensor]
Forbidden = Callable[[int, list[int]], set[int]]


class State(Protocol):
    """What writing on needs, for each row."""

    def take(self, rows: torch.Tensor) -> Any:
        """The state of these rows."""
        ...


class Writer(NamedTuple):
    """How rows are written.

    `step` gives logits [N, V], attention [N, K1] and the next state from a state and the words before. `ended` says of
    words [N, T] so far, T at least 1, which rows are complete. `forbidden`, where there is one, gives the words that a
    row may not go on with, by its number and its words so far.
    """

    step: Step
    ended: Ended
    steps: int
    forbidden: Forbidden | None = None


class Written(NamedTuple):
    """Words [N, T] with PAD after the end, the log-probability of each, and where it looked."""

    words_NT: torch.Tensor
    logs_NT: torch.Tensor
    attention_NTK1: torch.Tensor


def write(
    writer: Writer, state: State, rows: int, *, how: Decoding, generator: torch.Generator | None
) -> Written:
    """So many rows, written as `how` says."""
    if how.way != BEAM or how.beams == 1 or not rows:
        return _straight(writer, state, rows, how=how, generator=generator)
    greedy = _straight(writer, state, rows, how=how, generator=generator)
    found = _beam(writer, state, rows, how=how)
    better_N = greedy.logs_NT.sum(1) > found.logs_NT.sum(1)  # a beam may lose the greedy text on its way
    return Written(
        *(
            torch.where(better_N.view(-1, *[1] * (a.dim() - 1)), a, b)
            for a, b in zip(greedy, found, strict=True)
        )
    )


def log_shares(logits_NV: torch.Tensor, how: Decoding | None) -> torch.Tensor:
    """Log-probabilities of words as they are drawn: with the temperature, without the unknown word unless it may be."""
    if how is None:
        return torch.log_softmax(logits_NV, -1)
    if not how.unknown:
        logits_NV = logits_NV.index_fill(-1, torch.tensor([UNKNOWN], device=logits_NV.device), float("-inf"))
    return torch.log_softmax(logits_NV / how.heat, -1)


def _straight(
    writer: Writer, state: Any, rows: int, *, how: Decoding, generator: torch.Generator | None
) -> Written:
    """Greedy and drawn: one text for each row; rows that have ended are left behind."""
    device = _device(state)
    alive_N = torch.arange(rows, device=device)
    words_NT = torch.full((rows, writer.steps), PAD, dtype=torch.int64, device=device)
    previous_N = torch.full((rows,), END, dtype=torch.int64, device=device)
    logs: list[torch.Tensor] = []
    looked: list[torch.Tensor] = []
    for step in range(writer.steps):
        logits_NV, weights_NK1, state = writer.step(state, previous_N)
        shares_NV = _allowed(logits_NV, words_NT[alive_N, :step], alive_N, how=how, writer=writer)
        chosen_N = _chosen(shares_NV, alive_N, rows, how=how, generator=generator)
        words_NT[alive_N, step] = chosen_N
        log_N = shares_NV.gather(1, chosen_N[:, None]).squeeze(1)
        logs.append(log_N.new_zeros(rows).index_copy(0, alive_N, log_N))
        looked.append(weights_NK1.new_zeros(rows, weights_NK1.shape[1]).index_copy(0, alive_N, weights_NK1))
        going_N = ~writer.ended(words_NT[alive_N, : step + 1])
        kept = torch.nonzero(going_N).squeeze(1)
        if not len(kept):
            break
        previous_N = chosen_N
        if len(kept) < len(alive_N):
            alive_N, previous_N, state = alive_N[kept], chosen_N[kept], state.take(kept)
    return _filled(words_NT, logs, looked)


def _filled(words_NT: torch.Tensor, logs: list[torch.Tensor], looked: list[torch.Tensor]) -> Written:
    rows, steps = words_NT.shape
    left = steps - len(logs)
    return Written(
        words_NT,
        torch.cat([torch.stack(logs, 1), logs[0].new_zeros(rows, left)], 1),
        torch.cat([torch.stack(looked, 1), looked[0].new_zeros(rows, left, looked[0].shape[1])], 1),
    )


def _chosen(
    shares_NV: torch.Tensor,
    alive_N: torch.Tensor,
    rows: int,
    *,
    how: Decoding,
    generator: torch.Generator | None,
) -> torch.Tensor:
    """One word for each row. A number is drawn for every row, ended or not: what is drawn depends on no other row."""
    with torch.no_grad():
        if how.way != SAMPLE:
            return shares_NV.argmax(-1)
        device = shares_NV.device if generator is None else generator.device
        drawn_N = torch.rand(rows, generator=generator, device=device, dtype=torch.float64)
        drawn_N = drawn_N.to(shares_NV.device)[alive_N]
        sums_NV = shares_NV.double().exp().cumsum(-1)
        found_N = torch.searchsorted(sums_NV, (drawn_N * sums_NV[:, -1])[:, None], right=True).squeeze(1)
        return found_N.clamp(max=shares_NV.shape[1] - 1)


def _allowed(
    logits_NV: torch.Tensor,
    words_NT: torch.Tensor,
    numbers_N: torch.Tensor,
    *,
    how: Decoding,
    writer: Writer,
) -> torch.Tensor:
    """Log-probabilities without the words that may not be said. Raises InputError when none may."""
    if writer.forbidden is None:
        return log_shares(logits_NV, how)
    allowed = logits_NV.shape[1] - 1 - (not how.unknown)
    places, words = [], []
    for place, (number, said) in enumerate(zip(numbers_N.tolist(), words_NT.tolist(), strict=True)):
        forbidden = writer.forbidden(number, said)
        if len(forbidden) >= allowed:
            raise InputError(
                "Every word of the vocabulary is forbidden by what was said before. Next step: decode without "
                "no_repeat_sentences or no_repeat_ngram, or with fewer words in a sentence."
            )
        places += [place] * len(forbidden)
        words += sorted(forbidden)
    if places:
        logits_NV = logits_NV.clone()
        logits_NV[places, words] = float("-inf")
    return log_shares(logits_NV, how)


def forbid_ngrams(said: Sequence[int], n: int) -> set[int]:
    """Words that would say n words again that stand in `said` already."""
    if not n or len(said) < n:
        return set()
    last = tuple(said[len(said) - n + 1 :])
    return {said[i + n - 1] for i in range(len(said) - n + 1) if tuple(said[i : i + n - 1]) == last}


# --- beams ---


def _beam(writer: Writer, state: Any, rows: int, *, how: Decoding) -> Written:
    """The most probable of `beams` texts of each row; a text that has ended stays among them."""
    device, beams = _device(state), how.beams
    first_N = torch.arange(rows, device=device) * beams
    state = state.take(torch.arange(rows, device=device).repeat_interleave(beams))
    totals_NB = torch.full((rows, beams), float("-inf"), device=device)
    totals_NB[:, 0] = 0.0
    words_MT = torch.full((rows * beams, 0), PAD, dtype=torch.int64, device=device)
    logs_MT, looked_MTK1 = totals_NB.new_zeros(rows * beams, 0), None
    ended_M = torch.zeros(rows * beams, dtype=torch.bool, device=device)
    previous_M = torch.full((rows * beams,), END, dtype=torch.int64, device=device)
    for _ in range(writer.steps):
        logits_MV, weights_MK1, state = writer.step(state, previous_M)
        shares_MV = _beam_shares(logits_MV, words_MT, ended_M, beams, how=how, writer=writer)
        totals_NBV = totals_NB[..., None] + shares_MV.view(rows, beams, -1)
        totals_NB, flat_NB = totals_NBV.flatten(1).topk(beams, -1)
        words = shares_MV.shape[1]
        from_M = (first_N[:, None] + flat_NB // words).flatten()
        previous_M = (flat_NB % words).flatten()
        log_M = shares_MV[from_M, previous_M]
        weights_MK1 = weights_MK1.masked_fill(ended_M[:, None], 0.0)[from_M]
        words_MT = torch.cat([words_MT[from_M], previous_M[:, None]], 1)
        logs_MT = torch.cat([logs_MT[from_M], log_M[:, None]], 1)
        looked = weights_MK1[:, None]
        looked_MTK1 = looked if looked_MTK1 is None else torch.cat([looked_MTK1[from_M], looked], 1)
        state, ended_M = state.take(from_M), ended_M[from_M]
        ended_M = ended_M | writer.ended(words_MT)
        if bool(ended_M[first_N].all()):  # more words make no text more probable
            break
    return _best(words_MT[first_N], logs_MT[first_N], looked_MTK1, first_N, writer.steps)


def _beam_shares(
    logits_MV: torch.Tensor,
    words_MT: torch.Tensor,
    ended_M: torch.Tensor,
    beams: int,
    *,
    how: Decoding,
    writer: Writer,
) -> torch.Tensor:
    """Log-probabilities; a text that has ended goes on with PAD alone, which costs nothing."""
    numbers_M = torch.arange(len(words_MT), device=words_MT.device) // beams
    shares_MV = _allowed(logits_MV, words_MT, numbers_M, how=how, writer=writer)
    shares_MV = shares_MV.masked_fill(ended_M[:, None], float("-inf"))
    shares_MV[:, PAD] = torch.where(ended_M, 0.0, float("-inf"))
    return shares_MV


def _best(
    words_NT: torch.Tensor,
    logs_NT: torch.Tensor,
    looked_MTK1: torch.Tensor | None,
    first_N: torch.Tensor,
    steps: int,
) -> Written:
    if looked_MTK1 is None:
        raise InputError("A search needs at least one word.")
    looked_NTK1 = looked_MTK1[first_N]
    left, rows = steps - words_NT.shape[1], len(words_NT)
    return Written(
        torch.cat([words_NT, words_NT.new_full((rows, left), PAD)], 1),
        torch.cat([logs_NT, logs_NT.new_zeros(rows, left)], 1),
        torch.cat([looked_NTK1, looked_NTK1.new_zeros(rows, left, looked_NTK1.shape[2])], 1),
    )


def _device(state: Any) -> torch.device:
    found: torch.device = next(iter(state)).device
    return found
