"""What all report generators share: what goes in, what comes out, and the image encoder.

Axes: B images, K places of a map, D width, S sentences, W words of a sentence with its end, V words of the vocabulary,
K1 the places and, last, the share that looks at no place (the sentinel).
"""

from __future__ import annotations

import abc
from typing import NamedTuple

from hilum.core.errors import InputError
from hilum.models._neural import torch
from hilum.models.decoding import Decoding
from hilum.models.densenet import DenseNet, DenseNetConfig
from hilum.models.generator_spec import PAD, GeneratorSpec

NEVER = -1e4
"""The logit of PAD: its probability is 0 in every precision, and its loss is a finite number."""


class Visual(NamedTuple):
    """What is seen of images: a vector for each place, and their mean. Of a frozen encoder it can be kept."""

    map_BKD: torch.Tensor
    mean_BD: torch.Tensor

    def take(self, rows: torch.Tensor) -> Visual:
        """What is seen of these images."""
        return Visual(self.map_BKD[rows], self.mean_BD[rows])


class Teacher(NamedTuple):
    """Logits of each word after the true words before it, and of the stop with each sentence.

    Where `words` was PAD, all three are 0. `stop_logits_BS`: targets are 0, and 1 with the last sentence.
    `finding_logits_BF`: of a TieNet alone.
    """

    word_logits_BSWV: torch.Tensor
    stop_logits_BS: torch.Tensor
    attention_BSWK1: torch.Tensor
    finding_logits_BF: torch.Tensor | None = None


class Likelihood(NamedTuple):
    """Log-probabilities of given words, with their ends, and of given stops; 0 where there is none.

    All that teacher forcing and REINFORCE need: minus their sum is the loss. `finding_logits_BF`: of a TieNet alone.
    """

    log_words_BSW: torch.Tensor
    log_stops_BS: torch.Tensor
    finding_logits_BF: torch.Tensor | None = None

    @property
    def total_B(self) -> torch.Tensor:
        """The log-probability of each report."""
        return self.log_words_BSW.sum((1, 2)) + self.log_stops_BS.sum(1)


class Generated(NamedTuple):
    """Reports that were generated, int64 numbers of words and PAD, with the log-probability of each choice.

    `stops_BS`: 1 where a sentence was said to be the last. A report that reaches its most sentences ends there whatever
    its last stop is. `sentences_B`: how many it has. Attention is 0 where there is no word.
    """

    words_BSW: torch.Tensor
    stops_BS: torch.Tensor
    log_words_BSW: torch.Tensor
    log_stops_BS: torch.Tensor
    attention_BSWK1: torch.Tensor
    sentences_B: torch.Tensor

    @property
    def total_B(self) -> torch.Tensor:
        """The log-probability of each report."""
        return self.log_words_BSW.sum((1, 2)) + self.log_stops_BS.sum(1)


class ImageEncoder(torch.nn.Module):
    """Normalised images to a map: the last map of a DenseNet before pooling, projected to the width of words."""

    def __init__(self, spec: GeneratorSpec) -> None:
        super().__init__()
        sizes = {name: value for name, value in spec.architecture.items() if name != "kind"}
        self.backbone = DenseNet(DenseNetConfig(**sizes, channels=spec.channels), outputs=0)
        self.project = torch.nn.Linear(self.backbone.config.features, spec.width)
        self.frozen = False

    def features(self, pixels_BCHW: torch.Tensor) -> torch.Tensor:
        """The map before it is projected, [B, K, features]: what may be kept of a frozen backbone."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            map_BFHW = self.backbone.features_map(pixels_BCHW)
        return map_BFHW.flatten(2).transpose(1, 2)

    def projected(self, features_BKF: torch.Tensor) -> Visual:
        """The map in the width of words, and its mean."""
        map_BKD = self.project(features_BKF)
        return Visual(map_BKD, map_BKD.mean(1))

    def forward(self, pixels_BCHW: torch.Tensor) -> Visual:
        """What is seen of images [B, C, H, W]."""
        return self.projected(self.features(pixels_BCHW))

    def train(self, mode: bool = True) -> ImageEncoder:
        """Training mode; a frozen backbone stays as it is when it is used."""
        super().train(mode)
        self.backbone.train(mode and not self.frozen)
        return self


class Generator(torch.nn.Module, abc.ABC):
    """A report generator. `encode`, then `forward_visual`, `log_probabilities` or `decode` of what it gave."""

    def __init__(self, spec: GeneratorSpec) -> None:
        super().__init__()
        self.spec = spec
        self.encoder: ImageEncoder | None = None

    def encode(self, pixels_BCHW: torch.Tensor) -> Visual:
        """What is seen of normalised images [B, C, H, W]."""
        if self.encoder is None:
            raise InputError(f"A {self.spec.kind} sees no images.")
        found: Visual = self.encoder(pixels_BCHW)
        return found

    def freeze_backbone(self, on: bool = True) -> None:
        """Let the DenseNet as it is: no gradients, norms as when it is used. Its projection still learns."""
        if self.encoder is None:
            return
        self.encoder.frozen = on
        self.encoder.backbone.requires_grad_(not on)
        self.encoder.train(self.training)

    def forward(self, pixels_BCHW: torch.Tensor, words_BSW: torch.Tensor) -> Teacher:
        """Teacher forcing; see `forward_visual`."""
        return self.forward_visual(self.encode(pixels_BCHW), words_BSW)

    @abc.abstractmethod
    def forward_visual(self, visual: Visual, words_BSW: torch.Tensor) -> Teacher:
        """Logits of every word after the words before it. Raises InputError for words that do not fit the spec."""

    @abc.abstractmethod
    def log_probabilities(
        self,
        visual: Visual,
        words_BSW: torch.Tensor,
        *,
        stops_BS: torch.Tensor | None = None,
        how: Decoding | None = None,
    ) -> Likelihood:
        """Log-probabilities of words and stops, in one pass over all words: much faster than decoding with gradients.

        `stops_BS`: as they were drawn; None: 1 with the last sentence. `how`: that the words were drawn with, so that
        its temperature and the unknown word count as they did. Raises InputError for one that forbids repeats: what was
        forbidden depends on all that was said, and is not worked out again.
        """

    @abc.abstractmethod
    def decode(
        self, visual: Visual, *, how: Decoding | None = None, generator: torch.Generator | None = None
    ) -> Generated:
        """Reports of what is seen. `generator` is for drawn words; None: torch's own.

        Log-probabilities keep their gradient where gradients are on. Raises InputError when the weights give values
        that are no numbers.
        """


def check_words(words_BSW: torch.Tensor, visual: Visual, spec: GeneratorSpec) -> None:
    """Raises InputError for words of another form, of another vocabulary, or with PAD before a word."""
    if words_BSW.dim() != 3 or words_BSW.dtype != torch.int64 or len(words_BSW) != len(visual.mean_BD):
        raise InputError(
            f"Words must be int64 [B, S, W] with B {len(visual.mean_BD)}; got {words_BSW.dtype} "
            f"{list(words_BSW.shape)}."
        )
    if not words_BSW.numel():
        return
    low, high = (int(value) for value in words_BSW.aminmax())
    if low < 0 or high >= len(spec.words):
        raise InputError(
            f"Words are numbered from {low} to {high}, and the vocabulary has {len(spec.words)}. Next step: number the "
            "reports with the vocabulary of this generator."
        )
    said_BSW = words_BSW != PAD
    holes = (said_BSW[..., 1:] & ~said_BSW[..., :-1]).any() | (
        said_BSW[:, 1:, 0] & ~said_BSW[:, :-1, 0]
    ).any()
    if holes:
        raise InputError("A report has padding before a word or a sentence; padding stands after them alone.")


def check_rescored(how: Decoding | None) -> None:
    """Raises InputError for words whose probabilities depend on what was forbidden."""
    if how is not None and how.forbids:
        raise InputError(
            "Words that were drawn with no_repeat_sentences or no_repeat_ngram cannot be given their probabilities "
            "afterwards. Next step: decode with gradients, or draw without them."
        )


def check_numbers(*values: torch.Tensor) -> None:
    """Raises InputError when a value is no finite number."""
    if not all(bool(torch.isfinite(value).all()) for value in values):
        raise InputError(
            "The generator's weights give values that are no numbers. Next step: take an earlier save, or train with a "
            "lower learning rate."
        )
