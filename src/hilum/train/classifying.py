"""Learning to see findings: the task that the loop goes through, from images with targets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from hilum.core.errors import InputError
from hilum.images.transforms import NORMALISATIONS
from hilum.metrics.finding_ranks import auroc_by_finding
from hilum.metrics.labels import macro
from hilum.models.classifier_spec import ClassifierSpec, log_odds
from hilum.train.classifier_losses import Targets, finding_losses
from hilum.train.image_data import ImageRows, Loader, Places, image_batches
from hilum.train.loop import Evaluation

_DEV_BATCH = 64

Tell = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Shown:
    """Images with targets [N, F] (see `Targets`) and truth for scores, int8 [N, F] of 1, 0, LEFT_OUT."""

    rows: ImageRows
    targets_NF: Targets
    truth_NF: npt.NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, eq=False)
class ClassifyingTask:
    """A task of `train.loop`: images to learn from, and images to choose the checkpoint by (mean AUROC)."""

    name: str
    spec: ClassifierSpec
    train: Shown
    dev: Shown
    loader: Loader
    batch_size: int
    seed: int
    weights_FK: npt.NDArray[np.float32] | None = None
    first_score: bool = False
    higher_is_better: bool = True

    @property
    def parts(self) -> tuple[str, ...]:
        """The findings."""
        return self.spec.findings

    def batches(self, epoch: int) -> list[Places]:
        """See `train.loop.Task`; the loader gets them too."""
        names = (self.name, epoch)
        batches = image_batches(len(self.train), batch_size=self.batch_size, seed=self.seed, names=names)
        self.loader.plan(batches, names=names)
        return batches

    def losses(self, model: Any, rows: Places, device: torch.device) -> torch.Tensor:
        """See `train.loop.Task`."""
        images = self.loader.take(rows).to(device, non_blocking=True)
        logits_BC = model(normalised(images, self.spec))
        return self._losses(logits_BC, self.train.targets_NF[rows], weights_FK=self.weights_FK)

    def _losses(
        self,
        logits_BC: torch.Tensor,
        targets_BF: Targets,
        *,
        weights_FK: npt.NDArray[np.float32] | None = None,
    ) -> torch.Tensor:
        weights = None if weights_FK is None else torch.from_numpy(weights_FK).to(logits_BC.device)
        found: torch.Tensor = finding_losses(
            logits_BC,
            torch.from_numpy(targets_BF).to(logits_BC.device),
            classes=self.spec.classes,
            weights_FK=weights,
        )
        return found

    def evaluate(self, model: Any, device: torch.device, tell: Tell) -> Evaluation:
        """See `train.loop.Task`. Every process scores all images of the dev set, so that all decide the same."""
        self.loader.clock.stop()
        logits_NC = predict_logits(model, self.dev.rows, self.spec, device, tell)
        loss_F = self._losses(torch.from_numpy(logits_NC), self.dev.targets_NF).double().numpy()
        known_F = (~np.isnan(self.dev.targets_NF)).sum(axis=0)
        losses = {name: float(loss_F[f] / max(known_F[f], 1)) for f, name in enumerate(self.parts)}
        auroc_F, precision_F = auroc_by_finding(self.dev.truth_NF, log_odds(logits_NC, self.spec))
        return Evaluation(
            float(macro(auroc_F)),
            sum(losses.values()),
            losses,
            _by_name(self.parts, auroc_F),
            {"average_precision": _by_name(self.parts, precision_F)},
        )


def _by_name(names: tuple[str, ...], values_F: npt.NDArray[np.float64]) -> dict[str, float | None]:
    return {name: None if np.isnan(v) else float(v) for name, v in zip(names, values_F, strict=True)}


def normalised(images_B1HW: torch.Tensor, spec: ClassifierSpec) -> torch.Tensor:
    """What the model gets, [B, channels, H, W]; as `models.classifier_spec.channels_of`, for a batch."""
    chosen = NORMALISATIONS[spec.normalisation]
    mean_C11 = torch.tensor(chosen.mean, device=images_B1HW.device)[:, None, None]
    std_C11 = torch.tensor(chosen.std, device=images_B1HW.device)[:, None, None]
    return ((images_B1HW - mean_C11) / std_C11).expand(-1, spec.channels, -1, -1)


def predict_logits(
    model: Any, rows: ImageRows, spec: ClassifierSpec, device: torch.device, tell: Tell = lambda _, __: None
) -> npt.NDArray[np.float32]:
    """Logits of images that are not augmented, float32 [N, C]; the model should be in evaluation mode.

    Raises InputError when one of them is no number.
    """
    found_NC = np.empty((len(rows), spec.columns), dtype=np.float32)
    with torch.no_grad():
        starts = range(0, len(rows), _DEV_BATCH)
        for place, start in enumerate(starts, start=1):
            some = np.arange(start, min(start + _DEV_BATCH, len(rows)))
            images = torch.from_numpy(rows.plain(some)).to(device)
            found_NC[some] = model(normalised(images, spec)).float().cpu().numpy()
            tell(place, len(starts))
    if not np.isfinite(found_NC).all():
        raise InputError(
            "The outputs of the model are no numbers any more: training has run away. Next step: start again with a "
            "smaller --lr, or with --clip-norm 1."
        )
    return found_NC
