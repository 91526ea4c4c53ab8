"""A language model that sees no image: what reports score that are only likely text.

Source: Liu et al. 2019, baselines ("Noise-RNN: simple RNN language model with random initial state"). Ours is an LSTM,
as the other decoders are; its first state is drawn from a normal distribution, while training as well.
"""

from __future__ import annotations

from typing import NamedTuple

from hilum.models._long_text import Heard, LongTextGenerator
from hilum.models._neural import torch
from hilum.models.decoding import SAMPLE, Decoding
from hilum.models.generating import NEVER, Generated, Visual
from hilum.models.generator_spec import END, PAD, GeneratorSpec

functional = torch.nn.functional


class _NoiseState(NamedTuple):
    hidden_NH: torch.Tensor
    memory_NH: torch.Tensor

    def take(self, rows: torch.Tensor) -> _NoiseState:
        return _NoiseState(self.hidden_NH[rows], self.memory_NH[rows])


class NoiseRnn(LongTextGenerator):
    """The language model. What it "sees" is noise: a Visual without places, its mean the first state."""

    def __init__(self, spec: GeneratorSpec) -> None:
        super().__init__(spec)
        words = len(spec.words)
        self.embedding = torch.nn.Embedding(words, spec.width)
        self.lstm = torch.nn.LSTM(spec.width, spec.hidden, batch_first=True)
        self.out = torch.nn.Linear(spec.hidden, words)
        self.dropout = torch.nn.Dropout(spec.dropout)
        torch.nn.init.normal_(self.embedding.weight, std=0.1)

    def encode(self, pixels_BCHW: torch.Tensor) -> Visual:
        """Noise for each image, drawn from torch's own generator; the images are not looked at."""
        return self.noise(len(pixels_BCHW))

    def noise(self, count: int, *, generator: torch.Generator | None = None) -> Visual:
        """First states: standard normal, [count, H]. Drawn on the generator's device (the CPU without one)."""
        weight = self.out.weight
        device = "cpu" if generator is None else generator.device
        drawn_BH = torch.randn(count, self.spec.hidden, generator=generator, device=device).to(weight)
        return Visual(drawn_BH.new_zeros(count, 0, self.spec.width), drawn_BH)

    def sample(
        self, count: int, *, how: Decoding | None = None, generator: torch.Generator | None = None
    ) -> Generated:
        """So many reports, drawn from noise; `how` None: words are drawn as well."""
        how = Decoding(way=SAMPLE) if how is None else how
        return self.decode(self.noise(count, generator=generator), how=how, generator=generator)

    def start(self, visual: Visual) -> _NoiseState:
        """The noise as hidden state, squeezed to its range, and an empty memory."""
        hidden_BH = torch.tanh(visual.mean_BD)
        return _NoiseState(hidden_BH, torch.zeros_like(hidden_BH))

    def step(
        self, state: _NoiseState, previous_N: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, _NoiseState]:
        """See `LongTextGenerator.step`; attention is 1 for the place that is no place."""
        first = (state.hidden_NH[None], state.memory_NH[None])
        hidden_N1H, (hidden, memory) = self.lstm(self.embedding(previous_N)[:, None], first)
        logits_NV = self._logits(hidden_N1H[:, 0])
        return logits_NV, logits_NV.new_ones(len(logits_NV), 1), _NoiseState(hidden[0], memory[0])

    def hear(self, visual: Visual, words_BT: torch.Tensor) -> Heard:
        """See `LongTextGenerator.hear`."""
        state = self.start(visual)
        before_BT = functional.pad(words_BT, (1, 0), value=END)[:, :-1]
        hidden_BTH, _ = self.lstm(self.embedding(before_BT), (state.hidden_NH[None], state.memory_NH[None]))
        logits_BTV = self._logits(hidden_BTH)
        return Heard(logits_BTV, logits_BTV.new_ones(*words_BT.shape, 1))

    def _logits(self, hidden: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.out(self.dropout(hidden)).float()
        return logits.index_fill(-1, torch.tensor([PAD], device=logits.device), NEVER)
