"""Learning to label: the task that the loop goes through, from rows of text with targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from hilum.core.matrix import LEFT_OUT
from hilum.core.vocabulary import State
from hilum.metrics.labels import macro, weighted_state_f1
from hilum.models.encoder_spec import EncoderSpec
from hilum.train.batches import Tokens, by_length, epoch_batches, padded
from hilum.train.loop import Evaluation
from hilum.train.losses import head_losses

SCORED_STATES = (State.NEGATIVE, State.UNCERTAIN, State.POSITIVE)
"""What the weighted F1 of a dev set goes over: CheXbert's public code weighs these by their counts in the dev set
and leaves blank out (`get_weighted_f1_weights` and `weighted_avg` in src/utils.py)."""

_DEV_BATCH = 64


@dataclass(frozen=True, eq=False)
class Encoded:
    """Rows as token ids, with targets [N, F] and, for hard labels, int8 states [N, F]."""

    ids: Sequence[Tokens]
    targets_NF: npt.NDArray[Any]
    states_NF: npt.NDArray[np.int8] | None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lengths(self) -> list[int]:
        """Tokens of each row."""
        return [len(one) for one in self.ids]


@dataclass(frozen=True, eq=False)
class LabelingTask:
    """A task of `train.loop`: rows to learn from, and rows to choose the checkpoint by."""

    name: str
    spec: EncoderSpec
    train: Encoded
    dev: Encoded
    pad: int
    batch_size: int
    bucketed: bool
    seed: int
    first_score: bool = False

    @property
    def parts(self) -> tuple[str, ...]:
        """The finding of each head."""
        return self.spec.findings

    @property
    def higher_is_better(self) -> bool:
        """Weighted F1 for hard labels, cross-entropy for probabilities."""
        return self.dev.states_NF is not None

    def batches(self, epoch: int) -> list[npt.NDArray[np.intp]]:
        """See `train.loop.Task`."""
        return epoch_batches(
            self.train.lengths,
            batch_size=self.batch_size,
            bucketed=self.bucketed,
            seed=self.seed,
            names=(self.name, epoch),
        )

    def losses(self, model: Any, rows: npt.NDArray[np.intp], device: torch.device) -> torch.Tensor:
        """See `train.loop.Task`."""
        logits_BC, targets_BF = self._forward(model, self.train, rows, device)
        found: torch.Tensor = head_losses(logits_BC, targets_BF, classes=self.spec.sizes)
        return found

    def _forward(
        self, model: Any, rows: Encoded, places: npt.NDArray[np.intp], device: torch.device
    ) -> tuple[torch.Tensor, torch.Tensor]:
        ids_BT, mask_BT = padded([rows.ids[i] for i in places], pad=self.pad)
        logits_BC = model(torch.from_numpy(ids_BT).to(device), torch.from_numpy(mask_BT).to(device))
        return logits_BC, torch.from_numpy(rows.targets_NF[places]).to(device)

    def evaluate(self, model: Any, device: torch.device, tell: Callable[[int, int], None]) -> Evaluation:
        """See `train.loop.Task`. Every process scores all rows of the dev set, so that all decide the same."""
        total_F = torch.zeros(len(self.parts), dtype=torch.float64)
        predicted_NF = np.zeros((len(self.dev), len(self.parts)), dtype=np.int8)
        batches = by_length(self.dev.lengths, batch_size=_DEV_BATCH)
        for place, rows in enumerate(batches):
            logits_BC, targets_BF = self._forward(model, self.dev, rows, device)
            total_F += head_losses(logits_BC, targets_BF, classes=self.spec.sizes).double().cpu()
            if self.higher_is_better:
                predicted_NF[rows] = self._states(logits_BC)
            tell(place + 1, len(batches))
        losses = dict(zip(self.parts, (total_F / len(self.dev)).tolist(), strict=True))
        loss = sum(losses.values())
        if self.dev.states_NF is None:
            return Evaluation(loss / len(losses), loss, losses, {})
        scores_F = weighted_state_f1(self.dev.states_NF, predicted_NF, SCORED_STATES)
        scores = {
            name: None if np.isnan(score) else float(score)
            for name, score in zip(self.parts, scores_F, strict=True)
        }
        return Evaluation(float(macro(scores_F)), loss, losses, scores)

    def _states(self, logits_BC: torch.Tensor) -> npt.NDArray[np.int8]:
        parts = torch.split(logits_BC.float(), list(self.spec.sizes), dim=-1)
        return torch.stack([part.argmax(dim=-1) for part in parts], dim=-1).cpu().numpy().astype(np.int8)


def has_scored_states(states_NF: npt.NDArray[np.int8]) -> bool:
    """Whether a weighted F1 is defined for any finding."""
    return bool(np.any((states_NF != State.BLANK) & (states_NF != LEFT_OUT)))
