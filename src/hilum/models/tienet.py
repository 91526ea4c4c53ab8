"""One long text with attention, taught to classify as well: a decoder like TieNet, in words of our own.

After Wang et al. 2018, TieNet: Text-Image Embedding Network. What is taken from there: attention over the places of the
map feeds the LSTM; several readings ("hops") weigh the words of a text; findings are told from the text as it was
weighed, and from the places that the weighed words looked at. What is ours: DenseNet, sizes, and one end of a sentence
more as the end of a report.
"""

from __future__ import annotations

from typing import NamedTuple

from hilum.models._long_text import Heard, LongTextGenerator
from hilum.models._neural import torch
from hilum.models.generating import NEVER, ImageEncoder, Visual
from hilum.models.generator_spec import END, PAD, GeneratorSpec

functional = torch.nn.functional


class _TieState(NamedTuple):
    hidden_NH: torch.Tensor
    memory_NH: torch.Tensor
    keys_NKA: torch.Tensor
    map_NKD: torch.Tensor

    def take(self, rows: torch.Tensor) -> _TieState:
        return _TieState(*(value.index_select(0, rows) for value in self))


class TieNet(LongTextGenerator):
    """The decoder: x_t = [E z_{t-1}; sum_k a_k v_k], a = softmax(w tanh(W_v v_k + W_h h_{t-1})), h_t = LSTM(x_t).

    The share of no place, last in attention, is always 0: there is no sentinel.
    """

    def __init__(self, spec: GeneratorSpec) -> None:
        super().__init__(spec)
        width, hidden, inner, words = spec.width, spec.hidden, spec.attention, len(spec.words)
        linear = torch.nn.Linear
        self.encoder = ImageEncoder(spec)
        self.embedding = torch.nn.Embedding(words, width)
        self.first_hidden = linear(width, hidden)
        self.first_memory = linear(width, hidden)
        self.place_key = linear(width, inner, bias=False)
        self.state_key = linear(hidden, inner)
        self.compare = linear(inner, 1, bias=False)
        self.previous = linear(width, 4 * hidden)
        self.seen = linear(width, 4 * hidden, bias=False)
        self.recurrent = linear(hidden, 4 * hidden, bias=False)
        self.out = linear(hidden, words)
        self.dropout = torch.nn.Dropout(spec.dropout)
        self.reading = linear(hidden, inner, bias=False)
        self.hops = linear(inner, spec.hops, bias=False)
        self.findings = linear(hidden + width, len(spec.findings))
        self.hidden = hidden
        torch.nn.init.normal_(self.embedding.weight, std=0.1)

    def start(self, visual: Visual) -> _TieState:
        """First states from the mean of the map."""
        return _TieState(
            torch.tanh(self.first_hidden(visual.mean_BD)),
            torch.tanh(self.first_memory(visual.mean_BD)),
            self.place_key(visual.map_BKD),
            visual.map_BKD,
        )

    def step(
        self, state: _TieState, previous_N: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, _TieState]:
        """See `LongTextGenerator.step`."""
        weights_NK, state = self._cell(state, self.previous(self.embedding(previous_N)))
        return self._logits(state.hidden_NH), functional.pad(weights_NK, (0, 1)), state

    def hear(self, visual: Visual, words_BT: torch.Tensor) -> Heard:
        """See `LongTextGenerator.hear`; findings are told from the true words too, as they are while training."""
        before_BT = functional.pad(words_BT, (1, 0), value=END)[:, :-1]
        gates_BTG = self.previous(self.embedding(before_BT))
        state, states, looked = self.start(visual), [], []
        for gates_BG in gates_BTG.unbind(1):
            weights_BK, state = self._cell(state, gates_BG)
            states.append(state.hidden_NH)
            looked.append(weights_BK)
        hidden_BTH, weights_BTK = torch.stack(states, 1), torch.stack(looked, 1)
        findings_BF = self._told(hidden_BTH, weights_BTK, words_BT != PAD, visual)
        return Heard(self._logits(hidden_BTH), functional.pad(weights_BTK, (0, 1)), findings_BF)

    def _cell(self, state: _TieState, gates_NG: torch.Tensor) -> tuple[torch.Tensor, _TieState]:
        asked_NKA = torch.tanh(state.keys_NKA + self.state_key(state.hidden_NH)[:, None])
        weights_NK = torch.softmax(self.compare(asked_NKA).squeeze(-1).float(), -1)
        seen_ND = torch.bmm(weights_NK[:, None].to(state.map_NKD.dtype), state.map_NKD).squeeze(1)
        gates_NG = gates_NG + self.seen(seen_ND) + self.recurrent(state.hidden_NH)
        opened_NG, new_NH = torch.split(gates_NG, [3 * self.hidden, self.hidden], -1)
        enter, keep, leave = torch.sigmoid(opened_NG).chunk(3, -1)
        memory_NH = keep * state.memory_NH + enter * torch.tanh(new_NH)
        return weights_NK, state._replace(hidden_NH=leave * torch.tanh(memory_NH), memory_NH=memory_NH)

    def _told(
        self,
        hidden_BTH: torch.Tensor,
        weights_BTK: torch.Tensor,
        said_BT: torch.Tensor,
        visual: Visual,
    ) -> torch.Tensor:
        """Logits of findings [B, F]: the strongest of the readings of the text, and where its words looked."""
        scores_BTR = self.hops(torch.tanh(self.reading(hidden_BTH))).float()
        read_BTR = torch.softmax(scores_BTR.masked_fill(~said_BT[..., None], NEVER), 1)
        text_BH = torch.einsum("btr,bth->brh", read_BTR.to(hidden_BTH.dtype), hidden_BTH).amax(1)
        words_BT = read_BTR.amax(2)
        places_BK = torch.einsum("bt,btk->bk", words_BT / words_BT.sum(1, keepdim=True), weights_BTK)
        seen_BD = torch.einsum("bk,bkd->bd", places_BK.to(visual.map_BKD.dtype), visual.map_BKD)
        told: torch.Tensor = self.findings(torch.cat([text_BH, seen_BD], 1)).float()
        return told

    def _logits(self, hidden: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.out(self.dropout(hidden)).float()
        return logits.index_fill(-1, torch.tensor([PAD], device=logits.device), NEVER)
