"""From a topic to the words of its sentence, with attention and a visual sentinel.

x_j = [v; topic; E z_{j-1}]; h_j, m_j = LSTM(x_j; h_{j-1}, m_{j-1}); the sentinel s_j = sigmoid(W_x x_j + W_h h_{j-1}) *
tanh(m_j); places and sentinel are weighed by softmax(w tanh(W_v v_k + W_g h_j)) (Lu et al. 2017, equations 6 to 13,
adaptive attention). Attention is read after the LSTM and does not go back into it: while the words are known, the LSTM
runs over all sentences of a batch at once and everything else over all words at once.
"""

from __future__ import annotations

from typing import NamedTuple

from hilum.models._neural import torch
from hilum.models.generating import NEVER, Visual
from hilum.models.generator_spec import END, PAD, GeneratorSpec

functional = torch.nn.functional


class WordState(NamedTuple):
    """What writing a sentence needs, for each of N sentences; the last three stay as they are."""

    hidden_NH: torch.Tensor
    memory_NH: torch.Tensor
    context_NG: torch.Tensor
    keys_NKA: torch.Tensor
    map_NKD: torch.Tensor

    def take(self, rows: torch.Tensor) -> WordState:
        """The state of these sentences."""
        return WordState(*(value.index_select(0, rows) for value in self))


class Spoken(NamedTuple):
    """Every word of a batch that is no padding, T of them: its place in [B, S, W] laid flat, its logits and weights."""

    places_T: torch.Tensor
    words_T: torch.Tensor
    logits_TV: torch.Tensor
    attention_TK1: torch.Tensor


class WordDecoder(torch.nn.Module):
    """The word decoder. Gates in order: input, forget, output, sentinel, new memory."""

    never_V: torch.Tensor

    def __init__(self, spec: GeneratorSpec) -> None:
        super().__init__()
        width, hidden, inner, words = spec.width, spec.hidden, spec.attention, len(spec.words)
        linear = torch.nn.Linear
        self.embedding = torch.nn.Embedding(words, width)
        self.context = linear(2 * width, 5 * hidden)
        self.previous = linear(width, 5 * hidden, bias=False)
        self.recurrent = linear(hidden, 5 * hidden, bias=False)
        self.place_key = linear(width, inner, bias=False)
        self.state_key = linear(hidden, inner)
        self.sentinel_key = linear(hidden, inner, bias=False)
        self.compare = linear(inner, 1, bias=False)
        self.sentinel_value = linear(hidden, width)
        self.state_value = linear(hidden, width)
        self.out = linear(width, words)
        self.dropout = torch.nn.Dropout(spec.dropout)
        self.hidden = hidden
        self.register_buffer(
            "never_V", torch.zeros(words).index_fill(0, torch.tensor([PAD]), NEVER), persistent=False
        )
        torch.nn.init.normal_(self.embedding.weight, std=0.1)
        with torch.no_grad():
            self.context.bias[hidden : 2 * hidden] = 1.0  # what is remembered stays, at first

    def start(self, visual: Visual, topics_ND: torch.Tensor, images_N: torch.Tensor) -> WordState:
        """The state before the first word; `images_N`: the image of each sentence."""
        seen_N2D = torch.cat([visual.mean_BD[images_N], topics_ND], -1)
        zeros = topics_ND.new_zeros(len(topics_ND), self.hidden)
        keys_BKA = self.place_key(visual.map_BKD)
        return WordState(zeros, zeros, self.context(seen_N2D), keys_BKA[images_N], visual.map_BKD[images_N])

    def step(
        self, state: WordState, previous_N: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, WordState]:
        """Logits of the next word [N, V], attention [N, K1] and the state after it."""
        gates_NG = state.context_NG + self.previous(self.embedding(previous_N))
        hidden, memory, sentinel = self._cell(gates_NG, state.hidden_NH, state.memory_NH)
        logits_NV, weights_NK1 = self._said(hidden, sentinel, state.keys_NKA, state.map_NKD)
        return logits_NV, weights_NK1, state._replace(hidden_NH=hidden, memory_NH=memory)

    def spoken(self, visual: Visual, topics_BSD: torch.Tensor, words_BSW: torch.Tensor) -> Spoken:
        """Logits and attention of all words at once, each after the true words before it."""
        images_N, sentences_N = torch.nonzero(words_BSW[..., 0] != PAD, as_tuple=True)
        lengths_N = (words_BSW[images_N, sentences_N] != PAD).sum(1)
        longest_first = torch.argsort(lengths_N, descending=True, stable=True)
        images_N, sentences_N = images_N[longest_first], sentences_N[longest_first]
        words_WN = words_BSW[images_N, sentences_N].T
        said_WN = words_WN != PAD
        before_WN = torch.cat([torch.full_like(words_WN[:1], END), words_WN[:-1]])
        steps_T, rows_T = torch.nonzero(said_WN, as_tuple=True)
        seen_N2D = torch.cat([visual.mean_BD[images_N], topics_BSD[images_N, sentences_N]], -1)
        gates_TG = self._embedded(before_WN[said_WN]) + self.context(seen_N2D).index_select(0, rows_T)
        hidden_TH, sentinel_TH = self._run(gates_TG, said_WN.sum(1).tolist())
        images_T = images_N[rows_T]
        logits_TV, weights_TK1 = self._said(
            hidden_TH,
            sentinel_TH,
            self.place_key(visual.map_BKD).index_select(0, images_T),
            visual.map_BKD.index_select(0, images_T),
        )
        _, most_sentences, most_words = words_BSW.shape
        places_T = (images_T * most_sentences + sentences_N[rows_T]) * most_words + steps_T
        return Spoken(places_T, words_WN[said_WN], logits_TV, weights_TK1)

    def _embedded(self, words_T: torch.Tensor) -> torch.Tensor:
        """What the words before give to the gates; of a small vocabulary, all words are worked out instead of all T."""
        if len(words_T) < len(self.embedding.weight):
            found: torch.Tensor = self.previous(self.embedding(words_T))
            return found
        return functional.embedding(words_T, self.previous(self.embedding.weight))

    def _run(self, gates_TG: torch.Tensor, rows: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Hidden states and sentinels [T, H]; words stand step by step, the longest sentences first in each step."""
        hidden = memory = gates_TG.new_zeros(rows[0] if rows else 0, self.hidden)
        states, sentinels = [hidden[:0]], [hidden[:0]]
        for gates_NG in torch.split(gates_TG, [count for count in rows if count]):
            count = len(gates_NG)
            hidden, memory, sentinel = self._cell(gates_NG, hidden[:count], memory[:count])
            states.append(hidden)
            sentinels.append(sentinel)
        return torch.cat(states), torch.cat(sentinels)

    def _cell(
        self, gates_NG: torch.Tensor, hidden_NH: torch.Tensor, memory_NH: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        gates_NG = gates_NG + self.recurrent(hidden_NH)
        opened_NG, new_NH = torch.split(gates_NG, [4 * self.hidden, self.hidden], -1)
        enter, keep, leave, look = torch.sigmoid(opened_NG).chunk(4, -1)
        memory_NH = keep * memory_NH + enter * torch.tanh(new_NH)
        shown_NH = torch.tanh(memory_NH)
        return leave * shown_NH, memory_NH, look * shown_NH

    def _said(
        self,
        hidden_NH: torch.Tensor,
        sentinel_NH: torch.Tensor,
        keys_NKA: torch.Tensor,
        map_NKD: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits [N, V] and weights [N, K1] that add up to 1."""
        asked_NA = self.state_key(hidden_NH)
        own_NA = self.sentinel_key(sentinel_NH)
        compared_NK1A = torch.tanh(torch.cat([keys_NKA, own_NA[:, None]], 1) + asked_NA[:, None])
        weights_NK1 = torch.softmax(self.compare(compared_NK1A).squeeze(-1).float(), -1)
        weights = weights_NK1.to(map_NKD.dtype)
        seen_ND = torch.bmm(weights[:, None, :-1], map_NKD).squeeze(1)
        read_ND = seen_ND + weights[:, -1:] * self.sentinel_value(sentinel_NH) + self.state_value(hidden_NH)
        logits_NV = functional.linear(self.dropout(read_ND), self.out.weight, self.out.bias + self.never_V)
        return logits_NV.float(), weights_NK1
