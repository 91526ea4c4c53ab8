"""Learning to write reports by reward: REINFORCE over words and stop signals, as a task of the loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from hilum.models.generating import Generated, Likelihood
from hilum.models.generator_spec import PAD
from hilum.models.report_generator import Decoding
from hilum.text.report_words import Sentences, joined
from hilum.train._generator_rewards import Judged, Judges
from hilum.train.generating import (
    Learner,
    Losses,
    Taught,
    dev_losses,
    epoch_batches,
    handed_out,
    scaled,
    taught_losses,
    write_greedily,
)
from hilum.train.image_data import Places
from hilum.train.loop import Evaluation
from hilum.train.moving_average import MovingAverage

OVERLAP, FINDINGS, LIKELIHOOD = "overlap", "findings", "likelihood"
Floats = npt.NDArray[np.float64]
Tell = Callable[[int, int], None]


@dataclass(frozen=True)
class Weights:
    """Weights of the rewards and of the likelihood; a reward of weight 0 is not learned from, and still logged."""

    overlap: float
    findings: float
    likelihood: float = 0.0


def surrogate(log_probability_B: torch.Tensor, advantage_B: torch.Tensor) -> torch.Tensor:
    """A loss [B] whose expected gradient is that of minus the expected reward (Williams 1992, REINFORCE).

    That holds for reports drawn from the model, with their log-probability over words AND stop signals, and for any
    baseline in the advantage that does not depend on the report itself.
    """
    return -(advantage_B.detach().to(log_probability_B) * log_probability_B)


@dataclass
class RewardClock:
    """Seconds in which rewards of steps were worked out, so far."""

    reward_seconds: float = 0.0


class _Sampled(NamedTuple):
    """A batch that was sampled, with its log-probabilities, and the greedy reports where they are needed.

    `apart` are further samples, which are not learned from: the moving averages begin with them.
    """

    likelihood: Likelihood
    taught: Losses | None
    sampled: Generated
    greedy: Generated | None
    apart: Generated | None


@dataclass(frozen=True, eq=False)
class ReinforcingTask:
    """A task of `train.loop`: reports are sampled, and become more likely by their advantage over a baseline.

    Of likeness, the baseline is the reward of the greedy report (self-critical, Rennie et al. 2017); of findings, a
    moving average for each label that is moved after it was subtracted. `measures` are those of the last step.
    """

    name: str
    taught: Taught
    judges: Judges
    weights: Weights
    decoding: Decoding
    batch_size: int
    seed: int
    chosen_by: str
    epoch_steps: int | None = None
    first_score: bool = True
    clock: RewardClock = field(default_factory=RewardClock)
    measures: dict[str, Any] = field(default_factory=dict)

    @property
    def parts(self) -> tuple[str, ...]:
        """Losses of the two rewards and of the likelihood that is mixed in."""
        return (OVERLAP, FINDINGS, LIKELIHOOD)

    @property
    def higher_is_better(self) -> bool:
        """Whether the dev score is a reward and not a loss."""
        return self.chosen_by != "loss"

    def batches(self, epoch: int) -> list[Places]:
        """See `train.loop.Task`."""
        return epoch_batches(self, epoch)

    def losses(self, model: Any, rows: Places, device: torch.device) -> torch.Tensor:
        """See `train.loop.Task`. What a step did is in `measures` afterwards."""
        shown = self.taught.shown.take(rows).to(device, non_blocking=True)
        words_BSW = torch.from_numpy(self.taught.train.take(rows)).to(device)
        found: _Sampled = model(lambda own: self._sample(own, shown, words_BSW))
        bare: Learner = getattr(model, "module", model)
        spec, average = bare.generator.spec, _average_of(bare)
        words = found.sampled.words_BSW.cpu().numpy()  # a GPU has done its part when it hands them over
        since = time.perf_counter()
        sentences = spec.decode(words)
        candidates = [joined(one) for one in sentences]
        overlap_B = self.judges.overlap(rows.tolist(), candidates)
        judged = self.judges.findings(rows.tolist(), candidates)
        base_B = np.zeros(len(rows))
        if found.greedy is not None:
            greedy = [joined(one) for one in spec.decode(found.greedy.words_BSW.cpu().numpy())]
            base_B = self.judges.overlap(rows.tolist(), greedy)
        if found.apart is not None:
            first = [joined(one) for one in spec.decode(found.apart.words_BSW.cpu().numpy())]
            average.start(torch.from_numpy(self.judges.findings(rows.tolist(), first).parts_NT))
        self.clock.reward_seconds += time.perf_counter() - since
        advantage_BT = average.advantages(torch.from_numpy(judged.parts_NT).to(device))
        baseline_T = average.average_T.cpu().numpy().copy()
        average.update(torch.from_numpy(judged.parts_NT).to(device))
        self._measure(found, sentences, overlap_B, base_B, judged, advantage_BT, baseline_T)
        log_B = found.likelihood.total_B
        alike = surrogate(log_B, torch.from_numpy(overlap_B - base_B).to(device)).sum()
        right = surrogate(log_B, advantage_BT.sum(dim=1)).sum()
        said = log_B.new_zeros(()) if found.taught is None else scaled(found.taught, self.taught.scale).sum()
        return torch.stack(
            [self.weights.overlap * alike, self.weights.findings * right, self.weights.likelihood * said]
        )

    def _sample(self, own: Learner, shown: torch.Tensor, words_BSW: torch.Tensor) -> _Sampled:
        """Reports drawn from the model without a gradient, and then their log-probability with one."""
        visual = own.visual(shown)
        greedy = apart = None
        with torch.no_grad():
            sampled = own.generator.decode(visual, how=self.decoding, generator=None)
            if not _average_of(own).is_started:
                apart = own.generator.decode(visual, how=self.decoding, generator=None)
            if self.weights.overlap:
                greedy = own.generator.decode(visual, how=Decoding(way="greedy"), generator=None)
        found = own.generator.log_probabilities(
            visual, sampled.words_BSW, stops_BS=sampled.stops_BS, how=self.decoding
        )
        forced = taught_losses(own, shown, words_BSW) if self.weights.likelihood else None
        return _Sampled(found, forced, sampled, greedy, apart)

    def _measure(
        self,
        found: _Sampled,
        sentences: Sequence[Sentences],
        overlap_B: Floats,
        base_B: Floats,
        judged: Judged,
        advantage_BT: torch.Tensor,
        baseline_T: Floats,
    ) -> None:
        """What a step did, for its line of the log."""
        names = self.judges.part_names
        advantage_B = advantage_BT.sum(dim=1).double().cpu().numpy()
        alike_B = overlap_B - base_B
        total_B = self.weights.overlap * overlap_B + self.weights.findings * judged.parts_NT.sum(axis=1)
        self.measures.clear()
        self.measures.update(
            reward={"total": _mean(total_B), OVERLAP: _mean(overlap_B), FINDINGS: _mean(judged.parts_NT.sum(axis=1))},
            baseline={OVERLAP: _mean(base_B), FINDINGS: float(baseline_T.sum())},
            advantage={OVERLAP: _mean(alike_B), FINDINGS: _mean(advantage_B)},
            advantage_deviation={OVERLAP: float(alike_B.std()), FINDINGS: float(advantage_B.std())},
            findings_reward=_named(names, judged.parts_NT.mean(axis=0)),
            findings_baseline=_named(names, baseline_T),
            weight=asdict(self.weights),
            **_shape(sentences),
            positives={"recall": judged.recall, "precision": judged.precision},
            not_labeled=judged.failed,
            entropy=entropies(found.likelihood, found.sampled),
        )  # fmt: skip

    def evaluate(self, model: Any, device: torch.device, tell: Tell) -> Evaluation:
        """See `train.loop.Task`: rewards of greedy reports of the dev set, without sentences that they repeat.

        So the checkpoint is chosen by reports as they are handed out; that a report repeats itself is in the log.
        """
        losses = dev_losses(model, self.taught, device, tell)
        written = write_greedily(model, self.taught, device)
        candidates = handed_out(written)
        rows, judges = range(len(written)), self.taught.dev_judges
        judged = judges.findings(rows, candidates)
        alike = _mean(judges.overlap(rows, candidates))
        findings = float(judged.parts_NT.sum(axis=1).mean())
        reward = self.weights.overlap * alike + self.weights.findings * findings
        score = {"loss": sum(losses.values()), "cider": alike, "reward": reward}[self.chosen_by]
        scores = {"reward": reward, OVERLAP: alike, FINDINGS: findings}
        more: Mapping[str, dict[str, float | None]] = {
            "findings_reward": dict(_named(self.judges.part_names, judged.parts_NT.mean(axis=0))),
            "positives": {"recall": judged.recall, "precision": judged.precision},
            **{name: dict(values) for name, values in _shape(written).items()},
        }
        return Evaluation(score, sum(losses.values()), losses, dict(scores), more)


def entropies(found: Likelihood, sampled: Generated) -> dict[str, float]:
    """Entropy in nats of a word and of a stop signal, estimated by minus the mean log-probability of what was drawn."""
    words, sentences = (sampled.words_BSW != PAD).sum(), sampled.sentences_B.sum()
    return {
        "word": -float(found.log_words_BSW.detach().sum() / words),
        "stop": -float(found.log_stops_BS.detach().sum() / sentences),
    }


def _average_of(model: Learner) -> MovingAverage:
    average = model.average
    assert average is not None  # noqa: S101  (the second stage has one)
    return average


def _shape(sentences: Sequence[Sentences]) -> dict[str, dict[str, float]]:
    """How long reports are, and the share of them that says nothing or repeats a sentence."""
    n = max(len(sentences), 1)
    return {
        "length": {
            "words": sum(len(words) for one in sentences for words in one) / n,
            "sentences": sum(map(len, sentences)) / n,
            "empty": sum(not one for one in sentences) / n,
            "repeats": sum(len(set(one)) < len(one) for one in sentences) / n,
        }
    }


def _named(names: Sequence[str], values_T: Floats) -> dict[str, float]:
    return dict(zip(names, values_T.tolist(), strict=True))


def _mean(values_N: Floats) -> float:
    return float(np.mean(values_N))
