"""Learning a TieNet-like model: the likelihood of the text and, beside it, findings from text and image.

After Wang et al. 2018, TieNet, section 3.3: one loss of the text decoder and one of the classification, added up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from hilum.core.matrix import LEFT_OUT
from hilum.train.generating import (
    STOPS,
    WORDS,
    GeneratingTask,
    Learner,
    Losses,
    Tell,
    losses_of,
    scale_of,
    scaled,
)
from hilum.train.image_data import Places
from hilum.train.loop import Evaluation

FINDINGS = "findings"
Labels = npt.NDArray[np.int8]
_DEV_BATCH = 64


@dataclass(frozen=True, eq=False)
class FindingTargets:
    """0, 1 or LEFT_OUT of each image and finding, int8 [N, F], to learn from and to choose by; and their weight.

    `weight` is that of the classification loss beside the loss of a mean word; the paper's value is one of its own
    sizes, ours is 1.
    """

    train_NF: Labels
    dev_NF: Labels
    weight: float = 1.0


@dataclass(frozen=True, eq=False, kw_only=True)
class TieNetTask(GeneratingTask):
    """Likelihood of words and of the end, and binary cross-entropy of findings."""

    targets: FindingTargets

    @property
    def parts(self) -> tuple[str, ...]:
        """Words, the end, findings."""
        return (WORDS, STOPS, FINDINGS)

    def losses(self, model: Any, rows: Places, device: torch.device) -> torch.Tensor:
        """See `train.loop.Task`."""
        shown = self.taught.shown.take(rows).to(device, non_blocking=True)
        words_BSW = torch.from_numpy(self.taught.train.take(rows)).to(device)
        targets_BF = torch.from_numpy(self.targets.train_NF[rows]).to(device)
        text, told_B = model(lambda own: _taught(own, shown, words_BSW, targets_BF))
        return torch.cat([scaled(text, self.taught.scale), self.targets.weight * told_B.sum()[None]])

    def evaluate(self, model: Any, device: torch.device, tell: Tell) -> Evaluation:
        """See `train.loop.Task`: the same losses over the dev set."""
        dev, sums = self.taught.dev, np.zeros(len(self.parts))
        n, scale = len(dev.words_NSW), scale_of(dev)
        starts = range(0, n, _DEV_BATCH)
        with torch.no_grad():
            for place, start in enumerate(starts, start=1):
                rows = np.arange(start, min(start + _DEV_BATCH, n))
                words_BSW = torch.from_numpy(dev.take(rows)).to(device)
                targets_BF = torch.from_numpy(self.targets.dev_NF[rows]).to(device)
                text, told_B = _taught(model, self.taught.shown.dev(rows).to(device), words_BSW, targets_BF)
                found = torch.cat([scaled(text, scale), self.targets.weight * told_B.sum()[None]])
                sums += found.double().cpu().numpy()
                tell(place, len(starts))
        losses = dict(zip(self.parts, (sums / n).tolist(), strict=True))
        total = sum(losses.values())
        return Evaluation(total, total, losses, {})


def _taught(
    own: Learner, shown: torch.Tensor, words_BSW: torch.Tensor, targets_BF: torch.Tensor
) -> tuple[Losses, torch.Tensor]:
    """Losses of given texts, and the mean loss of the known findings of each image [B]."""
    found = own.generator.log_probabilities(own.visual(shown), words_BSW)
    logits_BF = found.finding_logits_BF
    assert logits_BF is not None  # noqa: S101  (a TieNet has them)
    return losses_of(found), finding_losses(logits_BF, targets_BF)


def finding_losses(logits_BF: torch.Tensor, targets_BF: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy, the mean over the findings of an image that are known, [B]; 0 where none is."""
    known_BF = targets_BF != LEFT_OUT
    each_BF = torch.nn.functional.binary_cross_entropy_with_logits(
        logits_BF, targets_BF.clamp(min=0).to(logits_BF.dtype), reduction="none"
    )
    return (each_BF * known_BF).sum(1) / known_BF.sum(1).clamp(min=1)
