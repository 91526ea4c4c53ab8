"""Images to probabilities of findings: read ahead in threads, worked out in batches; a bad file costs no good one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hilum.core.errors import UnknownNameError
from hilum.core.matrix import ProbabilityMatrix
from hilum.core.vocabulary import SHIPPED
from hilum.models._neural import torch
from hilum.models._read_ahead import Failed, Progress, ReadAhead, Source, read_pixels
from hilum.models.classifier import LoadedClassifier, as_input
from hilum.models.classifier_spec import ClassifierSpec, probabilities

__all__ = ["PRECISIONS", "Failed", "Predictions", "Progress", "Source", "predict_images", "read_pixels"]

PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True, eq=False)
class Predictions:
    """Probabilities of positive, float64 [N, F], of the images that could be used, and what became of the others.

    `logits` [N, C] are not calibrated; `places` says where among the sources each image stood.
    """

    probabilities: npt.NDArray[np.float64]
    ids: tuple[str, ...]
    failed: tuple[Failed, ...]
    logits: npt.NDArray[np.float32]
    places: npt.NDArray[np.intp]
    spec: ClassifierSpec

    def matrix(self, source: str) -> ProbabilityMatrix:
        """The same as a matrix of that source."""
        vocabulary = SHIPPED[self.spec.vocabulary]
        return ProbabilityMatrix(source, vocabulary, self.spec.findings, self.ids, self.probabilities)


def predict_images(
    loaded: LoadedClassifier,
    sources: Sequence[Source],
    *,
    ids: Sequence[str] | None = None,
    batch_size: int = 16,
    workers: int = 2,
    on_error: str = "skip",
    precision: str = "float32",
    progress: Progress | None = None,
) -> Predictions:
    """Probabilities of images by a classifier, calibrated by the temperatures of its spec.

    `sources`: files, bytes of files, images of studies, or pixels float32 [1, H, W] in [0, 1]; `ids` names them, else
    the id of an image, the path, or the place from 1. `workers` threads read and resize ahead of the model. Images
    that cannot be used are in `failed`; `on_error="raise"` raises the first one's ImageError instead. Results are the
    same whatever the batches, up to float noise of about 1e-6 (float32).

    Raises InputError and UnknownNameError for options that cannot be used.
    """
    if precision not in PRECISIONS:
        raise UnknownNameError("precision", precision, PRECISIONS)
    read = ReadAhead(
        sources, loaded.spec, ids=ids, batch_size=batch_size, workers=workers, on_error=on_error, progress=progress
    )  # fmt: skip
    kept: list[int] = []
    given: list[torch.Tensor] = []
    for batch in read:
        given.append(_logits(loaded, np.stack(batch.pixels), precision))
        kept += batch.places
    logits_NC = torch.cat(given).cpu().numpy() if given else np.empty((0, loaded.spec.columns), np.float32)
    return Predictions(
        probabilities(logits_NC, loaded.spec),
        tuple(read.names[place] for place in kept),
        tuple(read.failed),
        logits_NC,
        np.array(kept, dtype=np.intp),
        loaded.spec,
    )


def _logits(loaded: LoadedClassifier, pixels_BCHW: npt.NDArray[np.float32], precision: str) -> torch.Tensor:
    """Logits [B, C], float32, on the device of the model, so that a GPU need not wait."""
    device = loaded.device
    mixed: AbstractContextManager[Any] = (
        torch.autocast(device.type, torch.bfloat16) if precision == "bfloat16" else nullcontext()
    )
    with torch.inference_mode(), mixed:
        logits: torch.Tensor = loaded.model(as_input(pixels_BCHW, device))
    return logits.float()
