"""A report as one long text: sentences one after the other, each with its end, and a second end after the last.

Words stay [B, S, W] for everyone else. A sentence longer than W goes on in the next row, and laid out again both come
back. The second end is no word: its log-probability is that of the stop with the last sentence.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any, NamedTuple

from hilum.models._decoding import State, Writer, Written, forbid_ngrams, log_shares, write
from hilum.models._neural import torch
from hilum.models.decoding import Decoding
from hilum.models.generating import (
    Generated,
    Generator,
    Likelihood,
    Teacher,
    Visual,
    check_numbers,
    check_rescored,
    check_words,
)
from hilum.models.generator_spec import END, PAD

functional = torch.nn.functional


class LongText(NamedTuple):
    """Texts [B, T], their second ends included, and where in [B, S * W] each word stands.

    The place of a second end is S * W, that of PAD S * W + 1.
    """

    words_BT: torch.Tensor
    places_BT: torch.Tensor


class Heard(NamedTuple):
    """Logits [B, T, V] of each word of a long text, attention [B, T, K1], and logits of findings, if any."""

    logits_BTV: torch.Tensor
    attention_BTK1: torch.Tensor
    finding_logits_BF: torch.Tensor | None = None


class LongTextGenerator(Generator):
    """A generator that writes a report as one long text."""

    @abc.abstractmethod
    def start(self, visual: Visual) -> State:
        """The state before the first word."""

    @abc.abstractmethod
    def step(self, state: Any, previous_N: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, Any]:
        """Logits of the next word [N, V], attention [N, K1] and the state after it."""

    @abc.abstractmethod
    def hear(self, visual: Visual, words_BT: torch.Tensor) -> Heard:
        """Logits of each word after the true words before it."""

    def forward_visual(self, visual: Visual, words_BSW: torch.Tensor) -> Teacher:
        """Logits of every word; those of a stop are the log odds of a second end after the end of a sentence."""
        check_words(words_BSW, visual, self.spec)
        text, heard = self._heard(visual, words_BSW)
        before_BT, _ = _before(text.words_BT)
        rest_BTV = heard.logits_BTV.index_fill(
            -1, torch.tensor([END], device=before_BT.device), float("-inf")
        )
        odds_BT = heard.logits_BTV[..., END] - rest_BTV.logsumexp(-1)
        shape = words_BSW.shape
        rows_BT = functional.pad(text.places_BT, (1, 0))[:, :-1] // shape[2]
        after_BT = (before_BT == END) & (text.words_BT != PAD)
        after_BT[:, 0] = False
        rows_BT = rows_BT.masked_fill(~after_BT, shape[1])
        stops_BS = odds_BT.new_zeros(len(odds_BT), shape[1] + 1).scatter(1, rows_BT, odds_BT)[:, :-1]
        return Teacher(
            _placed(heard.logits_BTV, text.places_BT, shape),
            stops_BS,
            _placed(heard.attention_BTK1, text.places_BT, shape),
            heard.finding_logits_BF,
        )

    def log_probabilities(
        self,
        visual: Visual,
        words_BSW: torch.Tensor,
        *,
        stops_BS: torch.Tensor | None = None,
        how: Decoding | None = None,
    ) -> Likelihood:
        """See `Generator.log_probabilities`; a stop that was not said counts as nothing."""
        check_words(words_BSW, visual, self.spec)
        check_rescored(how)
        text, heard = self._heard(visual, words_BSW)
        shares_BTV = log_shares(heard.logits_BTV, how)
        logs_BT = shares_BTV.gather(2, text.words_BT[..., None]).squeeze(2)
        logs_BT = logs_BT.masked_fill(text.words_BT == PAD, 0.0)
        shape = words_BSW.shape
        ends_B = logs_BT.gather(1, (text.words_BT != PAD).sum(1, keepdim=True) - 1)
        last_B1 = ((words_BSW[..., 0] != PAD).sum(1, keepdim=True) - 1).clamp(min=0)
        log_stops_BS = ends_B.new_zeros(shape[:2]).scatter(1, last_B1, ends_B)
        if stops_BS is not None:
            log_stops_BS = log_stops_BS * stops_BS.to(log_stops_BS.dtype)
        logs_BSW = _placed(logs_BT[..., None], text.places_BT, shape).squeeze(-1)
        return Likelihood(logs_BSW, log_stops_BS, heard.finding_logits_BF)

    def decode(
        self, visual: Visual, *, how: Decoding | None = None, generator: torch.Generator | None = None
    ) -> Generated:
        """See `Generator.decode`. A search goes over whole reports, and a report ends with its second end."""
        how = Decoding() if how is None else how
        sentences = how.most_sentences or self.spec.most_sentences
        most = how.most_words or self.spec.most_words

        def done(words_NT: torch.Tensor) -> torch.Tensor:
            return _ended(words_NT, sentences, most)

        def forbidden(_: int, said: list[int]) -> set[int]:
            return _forbidden(said, most, how)

        writer = Writer(self.step, done, sentences * most + 1, forbidden if how.forbids else None)
        written = write(writer, self.start(visual), len(visual.mean_BD), how=how, generator=generator)
        check_numbers(written.logs_NT)
        return _generated(written, sentences, most)

    def _heard(self, visual: Visual, words_BSW: torch.Tensor) -> tuple[LongText, Heard]:
        text = lay_out(words_BSW)
        return text, self.hear(visual, text.words_BT)


def lay_out(words_BSW: torch.Tensor) -> LongText:
    """The sentences of each report one after the other, and END after the last."""
    count, sentences, most = words_BSW.shape
    flat_BM = words_BSW.reshape(count, sentences * most)
    said_BM = flat_BM != PAD
    lengths_B1 = said_BM.sum(1, keepdim=True)
    steps = int(lengths_B1.max()) + 1 if count else 1
    first_BM = torch.argsort((~said_BM).to(torch.int8), dim=1, stable=True)
    words_BT = functional.pad(flat_BM.gather(1, first_BM), (0, 1))[:, :steps]
    places_BT = functional.pad(first_BM, (0, 1))[:, :steps]
    here_T = torch.arange(steps, device=words_BSW.device)
    end_BT, after_BT = here_T == lengths_B1, here_T > lengths_B1
    places_BT = places_BT.masked_fill(end_BT, sentences * most).masked_fill(after_BT, sentences * most + 1)
    return LongText(words_BT.masked_fill(end_BT, END), places_BT)


def _before(words_NT: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The word before each (END before the first), and which words are a second end."""
    before_NT = functional.pad(words_NT, (1, 0), value=END)[:, :-1]
    return before_NT, (words_NT == END) & (before_NT == END)


def _rows(words_NT: torch.Tensor, most: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The row (sentence, or part of a long one) and the place in it of each word."""
    here_T = torch.arange(words_NT.shape[1], device=words_NT.device)
    before_NT, _ = _before(words_NT)
    begun_NT = torch.where(before_NT == END, here_T, 0).cummax(1).values
    place_NT = (here_T - begun_NT) % most
    return (place_NT == 0).long().cumsum(1) - 1, place_NT


def _ended(words_NT: torch.Tensor, sentences: int, most: int) -> torch.Tensor:
    """Which texts are complete: a second end, or the last word of the last row that there may be."""
    rows_NT, place_NT = _rows(words_NT, most)
    full_N = (words_NT[:, -1] == END) | (place_NT[:, -1] == most - 1)
    _, second_NT = _before(words_NT)
    return second_NT.any(1) | (words_NT[:, -1] == PAD) | ((rows_NT[:, -1] >= sentences - 1) & full_N)


def _forbidden(said: Sequence[int], most: int, how: Decoding) -> set[int]:
    rows: list[list[int]] = [[]]
    for word in said:
        rows[-1].append(word)
        if word == END or len(rows[-1]) == most:
            rows.append([])
    here = rows.pop()
    found = forbid_ngrams(here, how.no_repeat_ngram)
    if how.no_repeat_sentences:
        stops = not said or said[-1] == END  # an end would be the second: that of the report
        found |= {row[-1] for row in rows if row[:-1] == here and not (stops and row[-1] == END)}
    return found


def _generated(written: Written, sentences: int, most: int) -> Generated:
    words_BT = written.words_NT
    rows_BT, place_BT = _rows(words_BT, most)
    _, second_BT = _before(words_BT)
    size = sentences * most
    places_BT = (
        (rows_BT * most + place_BT).masked_fill(words_BT == PAD, size + 1).masked_fill(second_BT, size)
    )
    shape = torch.Size((len(words_BT), sentences, most))
    words_BSW = _placed(words_BT[..., None], places_BT, shape).squeeze(-1)
    sentences_B = (words_BSW[..., 0] != PAD).sum(1)
    last_B1 = (sentences_B - 1).clamp(min=0)[:, None]
    stop_B = second_BT.any(1)
    log_stop_B = torch.where(second_BT, written.logs_NT, torch.zeros_like(written.logs_NT)).sum(1)
    return Generated(
        words_BSW,
        torch.zeros(shape[:2], dtype=torch.int64, device=words_BT.device).scatter(
            1, last_B1, stop_B.long()[:, None]
        ),
        _placed(written.logs_NT[..., None], places_BT, shape).squeeze(-1),
        log_stop_B.new_zeros(shape[:2]).scatter(1, last_B1, log_stop_B[:, None]),
        _placed(written.attention_NTK1, places_BT, shape),
        sentences_B,
    )


def _placed(values_BTX: torch.Tensor, places_BT: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """Values of long texts where they stand in [B, S, W]; 0 elsewhere. Second ends and PAD are left out."""
    count, sentences, most = shape
    size = sentences * most
    index_BTX = places_BT[..., None].expand(-1, -1, values_BTX.shape[2])
    flat = values_BTX.new_zeros(count, size + 2, values_BTX.shape[2]).scatter(1, index_BTX, values_BTX)
    return flat[:, :size].reshape(count, sentences, most, values_BTX.shape[2])
