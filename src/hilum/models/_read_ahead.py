"""Images read and resized in threads ahead of a model, in order; a bad file costs no good one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.core.errors import ImageError, InputError, UnknownNameError
from hilum.core.imaging import Image, Pixels
from hilum.images.read import read_image
from hilum.models.classifier_spec import ClassifierSpec, prepare

ON_ERROR = ("skip", "raise")

Source = Path | str | bytes | Image | Pixels
Progress = Callable[[int, int], None]
"""Called after each batch with the images done and all of them."""


class Failed(NamedTuple):
    """An image that could not be used: its place among the sources, its id and why."""

    place: int
    id: str
    why: str


class Ready(NamedTuple):
    """What a model gets of each image of a batch, [channels, H, W], and where among the sources it stood."""

    places: tuple[int, ...]
    pixels: tuple[npt.NDArray[np.float32], ...]


class ReadAhead:
    """Batches of `batch_size` sources, prepared by `workers` threads; those that cannot be used go to `failed`.

    `ids` names the sources, else the id of an image, the path, or the place from 1. `crop_borders`: cut even margins
    of files. Raises InputError and UnknownNameError for options that cannot be used; while it is gone through, with
    `on_error="raise"`, the first ImageError.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        spec: ClassifierSpec,
        *,
        ids: Sequence[str] | None = None,
        batch_size: int = 16,
        workers: int = 2,
        on_error: str = "skip",
        crop_borders: bool = False,
        progress: Progress | None = None,
    ) -> None:
        if ids is not None and len(ids) != len(sources):
            raise InputError(f"There are {len(ids)} ids for {len(sources)} images.")
        if batch_size < 1 or workers < 1:
            raise InputError(f"batch_size {batch_size} and workers {workers} must be at least 1.")
        if on_error not in ON_ERROR:
            raise UnknownNameError("way with images that cannot be read", on_error, ON_ERROR)
        self.names = tuple(ids) if ids is not None else tuple(_name(one, k) for k, one in enumerate(sources))
        self.failed: list[Failed] = []
        self._sources, self._spec, self._crop = sources, spec, crop_borders
        self._batch_size, self._workers, self._raises = batch_size, workers, on_error == "raise"
        self._progress = progress

    def __iter__(self) -> Iterator[Ready]:
        done = 0
        with ThreadPoolExecutor(self._workers) as pool:
            for batch in _batches(self._ahead(pool), self._batch_size):
                bad = [(place, error) for place, error in batch if isinstance(error, ImageError)]
                if bad and self._raises:
                    raise bad[0][1]
                self.failed += [Failed(place, self.names[place], str(error)) for place, error in bad]
                good = [(place, array) for place, array in batch if isinstance(array, np.ndarray)]
                if good:
                    yield Ready(tuple(place for place, _ in good), tuple(array for _, array in good))
                done += len(batch)
                if self._progress is not None:
                    self._progress(done, len(self._sources))

    def _ahead(self, pool: ThreadPoolExecutor) -> Iterator[_Prepared]:
        """What the model gets of each source, in order; so many of them wait in memory as two batches need."""
        window = 2 * self._batch_size + self._workers
        waiting: deque[tuple[int, Future[Any]]] = deque()
        try:
            for place in range(len(self._sources)):
                waiting.append((place, pool.submit(self._one, place)))
                if len(waiting) >= window:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            for _, future in waiting:
                future.cancel()

    def _one(self, place: int) -> npt.NDArray[np.float32] | ImageError:
        try:
            pixels = read_pixels(self._sources[place], name=self.names[place], crop_borders=self._crop)
            return prepare(pixels, self._spec)
        except ImageError as error:
            return error


_Prepared = tuple[int, "npt.NDArray[np.float32] | ImageError"]


def read_pixels(source: Source, *, name: str | None = None, crop_borders: bool = False) -> Pixels:
    """The pixels of a source, float32 [1, H, W] in [0, 1], of files without margins if asked. Raises ImageError."""
    if isinstance(source, Image):
        if source.pixels is not None:
            return source.pixels
        if source.path is None:
            raise ImageError(f"Image {source.id!r} has neither pixels nor a file.")
        return read_image(source.path, crop_borders=crop_borders).pixels
    if isinstance(source, np.ndarray):
        return source
    if isinstance(source, bytes):
        return read_image(source, name=name, crop_borders=crop_borders).pixels
    return read_image(Path(source), crop_borders=crop_borders).pixels


def _name(source: Source, place: int) -> str:
    if isinstance(source, Image):
        return source.id
    return str(source) if isinstance(source, Path | str) else f"image {place + 1}"


def _batches(ready: Iterator[_Prepared], size: int) -> Iterator[list[_Prepared]]:
    batch: list[_Prepared] = []
    for one in ready:
        batch.append(one)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
