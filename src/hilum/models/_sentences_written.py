"""All sentences of a batch of reports, written together, or in order where none may repeat one before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from hilum.models._decoding import Writer, Written, forbid_ngrams, write
from hilum.models._neural import torch
from hilum.models._word_decoder import WordDecoder
from hilum.models.decoding import SAMPLE, Decoding
from hilum.models.generating import Visual
from hilum.models.generator_spec import END, PAD

Earlier = Sequence[Sequence[tuple[int, ...]]]


class Topics(NamedTuple):
    """What sentences are written from; `said_BS`: which sentences there are."""

    visual: Visual
    topics_BSD: torch.Tensor
    said_BS: torch.Tensor


def write_sentences(
    decoder: WordDecoder,
    topics: Topics,
    *,
    steps: int,
    how: Decoding,
    generator: torch.Generator | None,
) -> Written:
    """The words of every sentence, rows [B * S]; a sentence that there is not is PAD.

    Without repeats: drawn sentences are drawn one after the other. Else all are written at once, and those that repeat
    one before them again, in order: that gives a greedy sentence what writing them in order would have given.
    """
    said_M = topics.said_BS.flatten()
    found = _blank(len(said_M), steps, topics.visual)
    in_order = how.no_repeat_sentences and how.way == SAMPLE
    if not in_order:
        rows_N = torch.nonzero(said_M).squeeze(1)
        found = _put(
            found, rows_N, _rows(decoder, topics, rows_N, (), steps=steps, how=how, generator=generator)
        )
    if not how.no_repeat_sentences:
        return found
    texts, sentences = _said(found.words_NT), topics.said_BS.shape[1]
    for place in range(sentences):
        rows = (torch.nonzero(topics.said_BS[:, place]).squeeze(1) * sentences + place).tolist()
        if not in_order:
            rows = [row for row in rows if texts[row] in texts[row - place : row]]
        if rows:
            earlier = [texts[row - place : row] for row in rows]
            rows_N = torch.tensor(rows, device=said_M.device)
            written = _rows(decoder, topics, rows_N, earlier, steps=steps, how=how, generator=generator)
            found = _put(found, rows_N, written)
            for row, text in zip(rows, _said(written.words_NT), strict=True):
                texts[row] = text
    return found


def _rows(
    decoder: WordDecoder,
    topics: Topics,
    rows_N: torch.Tensor,
    earlier: Earlier,
    *,
    steps: int,
    how: Decoding,
    generator: torch.Generator | None,
) -> Written:
    """The sentences of these rows; `earlier`: for each, sentences that it may not be."""

    def ended(words_NT: torch.Tensor) -> torch.Tensor:
        return (words_NT == END).any(1)

    def forbidden(number: int, said: list[int]) -> set[int]:
        found = forbid_ngrams(said, how.no_repeat_ngram)
        here = tuple(said)
        for words in earlier[number] if earlier else ():
            if len(words) == len(here) + 1 and words[:-1] == here:
                found.add(words[-1])
        return found

    images_N = rows_N // topics.said_BS.shape[1]
    state = decoder.start(topics.visual, topics.topics_BSD.flatten(0, 1)[rows_N], images_N)
    writer = Writer(decoder.step, ended, steps, forbidden if how.forbids else None)
    return write(writer, state, len(rows_N), how=how, generator=generator)


def _said(words_NT: torch.Tensor) -> list[tuple[int, ...]]:
    """Each sentence with its end, without PAD."""
    return [tuple(word for word in words if word != PAD) for words in words_NT.tolist()]


def _blank(rows: int, steps: int, visual: Visual) -> Written:
    mean_BD, places = visual.mean_BD, visual.map_BKD.shape[1] + 1
    words_NT = torch.full((rows, steps), PAD, dtype=torch.int64, device=mean_BD.device)
    return Written(
        words_NT, mean_BD.new_zeros(rows, steps).float(), mean_BD.new_zeros(rows, steps, places).float()
    )


def _put(found: Written, rows_N: torch.Tensor, new: Written) -> Written:
    """The rows in place of what was there; gradients go on."""
    return Written(*(a.index_copy(0, rows_N, b) for a, b in zip(found, new, strict=True)))
