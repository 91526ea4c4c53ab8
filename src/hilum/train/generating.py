"""Learning to write reports by likelihood: teacher forcing of words and stop signals, as a task of the loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch

from hilum.core.rng import rng_for
from hilum.models.decoding import remove_repeats
from hilum.models.generating import Generator, Likelihood, Visual
from hilum.models.generator_spec import PAD
from hilum.models.report_generator import Decoding
from hilum.text.report_words import Sentences, joined
from hilum.train._generator_rewards import Judges
from hilum.train._generator_sides import Shown
from hilum.train._generator_words import Numbered
from hilum.train.image_data import Places
from hilum.train.loop import Evaluation
from hilum.train.moving_average import MovingAverage

_DEV_BATCH = 64
WORDS, STOPS = "words", "stops"
Tell = Callable[[int, int], None]


class Learner(torch.nn.Module):
    """A generator with what its training remembers besides: saved, loaded and moved as one.

    With `frozen` the convolutions stay as they are, and images come as the maps they make. With an `average` (the
    second stage) all of it stays in evaluation mode, so that what is sampled is what is written later: no dropout, and
    the running means of norms stay as they are.
    """

    def __init__(self, generator: Generator, *, frozen: bool, average: MovingAverage | None = None) -> None:
        super().__init__()
        self.generator = generator
        self.average = average
        self.frozen = frozen
        if frozen:
            generator.freeze_backbone()

    def train(self, mode: bool = True) -> Learner:
        """See torch; the second stage stays in evaluation mode."""
        super().train(mode)
        if self.average is not None:
            self.generator.eval()
        return self

    def visual(self, shown: torch.Tensor) -> Visual:
        """What the generator sees of pixels [B, C, H, W], or of maps of the frozen convolutions [B, K, F]."""
        encoder = self.generator.encoder
        if not self.frozen or encoder is None:
            return self.generator.encode(shown)
        return encoder.projected(shown)

    def forward(self, job: Callable[[Learner], Any]) -> Any:
        """What `job` makes of it; a step of training calls this once, as wrappers for several devices want it."""
        return job(self)


class Losses(NamedTuple):
    """Minus the log-probability of the words, and of the stop signals, of each of B reports."""

    words_B: torch.Tensor
    stops_B: torch.Tensor


def losses_of(found: Likelihood) -> Losses:
    """Cross-entropy summed over words, and binary cross-entropy summed over stop signals, of each report."""
    return Losses(-found.log_words_BSW.sum(dim=(1, 2)), -found.log_stops_BS.sum(dim=1))


@dataclass(frozen=True)
class Scale:
    """Words and sentences of an average report; losses of reports are divided by them, to be of a word, a stop."""

    words: float
    sentences: float


def scale_of(found: Numbered) -> Scale:
    """The scale of a training set."""
    known_NSW = found.words_NSW != PAD
    n = max(len(known_NSW), 1)
    return Scale(float(known_NSW.sum()) / n, float(known_NSW.any(axis=2).sum()) / n)


@dataclass(frozen=True, eq=False)
class Taught:
    """What both tasks learn from and are scored by: images, texts as numbers, and the texts themselves."""

    shown: Shown
    train: Numbered
    dev: Numbered
    dev_judges: Judges
    scale: Scale

    @property
    def n(self) -> int:
        """Number of training images."""
        return len(self.train.words_NSW)


@dataclass(frozen=True, eq=False)
class GeneratingTask:
    """A task of `train.loop`: the likelihood of words and of stop signals."""

    name: str
    taught: Taught
    batch_size: int
    seed: int
    chosen_by: str
    epoch_steps: int | None = None
    first_score: bool = False

    @property
    def parts(self) -> tuple[str, ...]:
        """Words and stops."""
        return (WORDS, STOPS)

    @property
    def higher_is_better(self) -> bool:
        """Whether the dev score is CIDEr-D and not a loss."""
        return self.chosen_by != "loss"

    def batches(self, epoch: int) -> list[Places]:
        """See `train.loop.Task`."""
        return epoch_batches(self, epoch)

    def losses(self, model: Any, rows: Places, device: torch.device) -> torch.Tensor:
        """See `train.loop.Task`: loss of a mean word and of a mean stop signal."""
        shown = self.taught.shown.take(rows).to(device, non_blocking=True)
        words_BSW = torch.from_numpy(self.taught.train.take(rows)).to(device)
        found: Losses = model(lambda own: taught_losses(own, shown, words_BSW))
        return scaled(found, self.taught.scale)

    def evaluate(self, model: Any, device: torch.device, tell: Tell) -> Evaluation:
        """See `train.loop.Task`. CIDEr-D, without repeated sentences, only when the checkpoint is chosen by it."""
        losses = dev_losses(model, self.taught, device, tell)
        total = sum(losses.values())
        scores: dict[str, float | None] = {}
        if self.chosen_by == "cider":
            written = write_greedily(model, self.taught, device)
            candidates = handed_out(written)
            scores["CIDEr-D"] = float(self.taught.dev_judges.overlap(range(len(written)), candidates).mean())
        score = scores.get("CIDEr-D")
        return Evaluation(total if score is None else score, total, losses, scores)


def taught_losses(own: Learner, shown: torch.Tensor, words_BSW: torch.Tensor) -> Losses:
    """Losses of given reports."""
    return losses_of(own.generator.log_probabilities(own.visual(shown), words_BSW))


def scaled(found: Losses, scale: Scale) -> torch.Tensor:
    """Losses summed over reports, of a mean word and of a mean stop signal, [2]."""
    return torch.stack([found.words_B.sum() / scale.words, found.stops_B.sum() / scale.sentences])


def epoch_batches(task: Any, epoch: int) -> list[Places]:
    """Shuffled rows of an epoch in batches, at most `epoch_steps` of them; what is shown is told of them."""
    names = (task.name, epoch)
    order = rng_for(task.seed, "batches", *names).permutation(task.taught.n)
    batches = [order[i : i + task.batch_size] for i in range(0, len(order), task.batch_size)]
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [np.concatenate(batches[-2:])]  # a norm over one image alone has no variance
    batches = batches[: task.epoch_steps]
    task.taught.shown.plan(batches, names=names)
    return batches


def dev_losses(model: Any, taught: Taught, device: torch.device, tell: Tell) -> dict[str, float]:
    """Cross-entropy of a word and binary cross-entropy of a stop signal over the dev set."""
    sums, n = np.zeros(2), len(taught.dev.words_NSW)
    scale = scale_of(taught.dev)
    starts = range(0, n, _DEV_BATCH)
    with torch.no_grad():
        for place, start in enumerate(starts, start=1):
            rows = np.arange(start, min(start + _DEV_BATCH, n))
            words_BSW = torch.from_numpy(taught.dev.take(rows)).to(device)
            shown = taught.shown.dev(rows).to(device)
            found = scaled(taught_losses(model, shown, words_BSW), scale)
            sums += found.double().cpu().numpy()
            tell(place, len(starts))
    return dict(zip((WORDS, STOPS), (sums / n).tolist(), strict=True))


def handed_out(written: Iterable[Sentences]) -> list[str]:
    """Reports as text, as a reader gets them: without sentences that they repeat."""
    return [joined(remove_repeats(one)) for one in written]


def write_greedily(model: Learner, taught: Taught, device: torch.device) -> list[Sentences]:
    """The greedy report of each dev image, repeated sentences and all."""
    found: list[Sentences] = []
    n = len(taught.dev.words_NSW)
    with torch.no_grad():
        for start in range(0, n, _DEV_BATCH):
            rows = np.arange(start, min(start + _DEV_BATCH, n))
            visual = model.visual(taught.shown.dev(rows).to(device))
            written = model.generator.decode(visual, how=Decoding(way="greedy"), generator=None)
            found += model.generator.spec.decode(written.words_BSW.cpu().numpy())
    return found
