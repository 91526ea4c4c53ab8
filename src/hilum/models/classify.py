"""Images to probabilities of findings: read ahead in threads, worked out in batches; a bad file costs no good one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.core.errors import ImageError, InputError, UnknownNameError
from hilum.core.imaging import Image, Pixels
from hilum.core.matrix import ProbabilityMatrix
from hilum.core.vocabulary import SHIPPED
from hilum.images.read import read_image
from hilum.models._neural import torch
from hilum.models.classifier import LoadedClassifier, as_input
from hilum.models.classifier_spec import ClassifierSpec, prepare, probabilities

ON_ERROR = ("skip", "raise")
PRECISIONS = ("float32", "bfloat16")

Source = Path | str | bytes | Image | Pixels
Progress = Callable[[int, int], None]
"""Called after each batch with the images done and all of them."""


class Failed(NamedTuple):
    """An image that could not be used: its place among the sources, its id and why."""

    place: int
    id: str
    why: str


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
    _check(len(sources), ids, batch_size, workers, on_error, precision)
    names = tuple(ids) if ids is not None else tuple(_name(one, k) for k, one in enumerate(sources))
    kept: list[int] = []
    failed: list[Failed] = []
    given: list[torch.Tensor] = []
    done = 0
    with ThreadPoolExecutor(workers) as pool:
        ready = _ahead(pool, sources, names, spec=loaded.spec, window=2 * batch_size + workers)
        for batch in _batches(ready, batch_size):
            good = [(place, array) for place, array in batch if isinstance(array, np.ndarray)]
            bad = [(place, error) for place, error in batch if isinstance(error, ImageError)]
            if bad and on_error == "raise":
                raise bad[0][1]
            failed += [Failed(place, names[place], str(error)) for place, error in bad]
            if good:
                given.append(_logits(loaded, np.stack([array for _, array in good]), precision))
                kept += [place for place, _ in good]
            done += len(batch)
            if progress is not None:
                progress(done, len(sources))
    logits_NC = torch.cat(given).cpu().numpy() if given else np.empty((0, loaded.spec.columns), np.float32)
    return Predictions(
        probabilities(logits_NC, loaded.spec),
        tuple(names[place] for place in kept),
        tuple(failed),
        logits_NC,
        np.array(kept, dtype=np.intp),
        loaded.spec,
    )


def read_pixels(source: Source, *, name: str | None = None) -> Pixels:
    """The pixels of a source, float32 [1, H, W] in [0, 1]. Raises ImageError."""
    if isinstance(source, Image):
        if source.pixels is not None:
            return source.pixels
        if source.path is None:
            raise ImageError(f"Image {source.id!r} has neither pixels nor a file.")
        return read_image(source.path).pixels
    if isinstance(source, np.ndarray):
        return source
    if isinstance(source, bytes):
        return read_image(source, name=name).pixels
    return read_image(Path(source)).pixels


def _check(
    count: int, ids: Sequence[str] | None, batch_size: int, workers: int, on_error: str, precision: str
) -> None:
    if ids is not None and len(ids) != count:
        raise InputError(f"There are {len(ids)} ids for {count} images.")
    if batch_size < 1 or workers < 1:
        raise InputError(f"batch_size {batch_size} and workers {workers} must be at least 1.")
    if on_error not in ON_ERROR:
        raise UnknownNameError("way with images that cannot be read", on_error, ON_ERROR)
    if precision not in PRECISIONS:
        raise UnknownNameError("precision", precision, PRECISIONS)


def _name(source: Source, place: int) -> str:
    if isinstance(source, Image):
        return source.id
    return str(source) if isinstance(source, Path | str) else f"image {place + 1}"


Prepared = tuple[int, "npt.NDArray[np.float32] | ImageError"]


def _ahead(
    pool: ThreadPoolExecutor,
    sources: Sequence[Source],
    names: Sequence[str],
    *,
    spec: ClassifierSpec,
    window: int,
) -> Iterator[Prepared]:
    """What the model gets of each source, in order; at most `window` of them wait in memory."""

    def one(place: int) -> npt.NDArray[np.float32] | ImageError:
        try:
            return prepare(read_pixels(sources[place], name=names[place]), spec)
        except ImageError as error:
            return error

    waiting: deque[tuple[int, Future[Any]]] = deque()
    try:
        for place in range(len(sources)):
            waiting.append((place, pool.submit(one, place)))
            if len(waiting) >= window:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    finally:
        for _, future in waiting:
            future.cancel()


def _batches(ready: Iterator[Prepared], size: int) -> Iterator[list[Prepared]]:
    batch: list[Prepared] = []
    for one in ready:
        batch.append(one)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _logits(loaded: LoadedClassifier, pixels_BCHW: npt.NDArray[np.float32], precision: str) -> torch.Tensor:
    """Logits [B, C], float32, on the device of the model, so that a GPU need not wait."""
    device = loaded.device
    mixed: AbstractContextManager[Any] = (
        torch.autocast(device.type, torch.bfloat16) if precision == "bfloat16" else nullcontext()
    )
    with torch.inference_mode(), mixed:
        logits: torch.Tensor = loaded.model(as_input(pixels_BCHW, device))
    return logits.float()
