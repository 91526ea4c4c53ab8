"""Batches of images, drawn and augmented by threads ahead of the step that needs them; and how long steps wait."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from hilum.core.rng import rng_for
from hilum.images.transforms import Augmentation, Framed, augment

Places = npt.NDArray[np.intp]

_AHEAD = 3


@dataclass(frozen=True, eq=False)
class ImageRows:
    """Images at the size of the model, uint8 [N, S, S], in memory or in a file that is read as memory.

    `places` are those of these rows among the decoded images; a view costs nothing.
    """

    pixels_NHW: npt.NDArray[np.uint8]
    places: Places

    def __len__(self) -> int:
        return len(self.places)

    @property
    def size_px(self) -> int:
        """Height and width."""
        return int(self.pixels_NHW.shape[1])

    def plain(self, rows: Places) -> npt.NDArray[np.float32]:
        """The images of these rows as they are, float32 [B, 1, S, S] in [0, 1]."""
        found: npt.NDArray[np.float32] = self.pixels_NHW[self.places[rows]][:, None].astype(np.float32)
        found /= 255.0
        return found

    def augmented(
        self, row: int, augmentation: Augmentation, *, seed: int, names: Sequence[str | int]
    ) -> Any:
        """One image, changed as seed, names and row alone say, float32 [1, S, S]."""
        pixels = self.pixels_NHW[self.places[row]][None].astype(np.float32)
        pixels /= 255.0
        return augment(Framed(pixels), augmentation, rng_for(seed, "augment", *names, row)).pixels


@dataclass
class Clock:
    """Seconds of training steps, and those of them in which a step waited for its images."""

    stepped: float = 0.0
    waited: float = 0.0
    images: int = 0
    _since: float | None = None

    def step(self, waited: float, images: int) -> None:
        """A step has its images, after having waited for them; the time since the one before was a step."""
        now = time.perf_counter()
        if self._since is None:
            self._since = now  # the first has nothing ahead of it, and is no measure
            return
        self.stepped += now - self._since
        self.waited += waited
        self.images += images
        self._since = now

    def stop(self) -> None:
        """What follows is no training."""
        self._since = None

    @property
    def share(self) -> float | None:
        """Share of the time of the steps that was spent waiting; None before there are two steps."""
        return self.waited / self.stepped if self.stepped else None

    @property
    def images_per_second(self) -> float | None:
        """Images learned in a second; None before there are two steps."""
        return self.images / self.stepped if self.stepped else None


@dataclass
class _Pending:
    """A batch on its way: where its images go, and who brings them."""

    rows: Places
    images: Any
    parts: list[Future[None]] = field(default_factory=list)


class Loader:
    """Brings the images of an epoch's batches, up to three batches ahead, by threads.

    `own` is which rows of a batch this process learns. What an image becomes depends on seed, names and row alone.
    Close it, or use it in `with`.
    """

    def __init__(
        self,
        rows: ImageRows,
        augmentation: Augmentation,
        *,
        seed: int,
        workers: int,
        rank: int = 0,
        world: int = 1,
        pinned: bool = False,
    ) -> None:
        self.rows = rows
        self.clock = Clock()
        self._augmentation = augmentation
        self._still = not augmentation.changes()
        self._seed, self._rank, self._world, self._pinned = seed, rank, world, pinned
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="hilum-images")
        self._workers = workers
        self._batches: list[Places] = []
        self._batch_of: dict[int, int] = {}
        self._pending: dict[int, _Pending] = {}
        self._names: tuple[str | int, ...] = ()

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(cancel_futures=True)

    def plan(self, batches: Sequence[Places], *, names: Sequence[str | int]) -> None:
        """Forget what was planned, and take the batches of an epoch called `names`."""
        for pending in self._pending.values():
            for part in pending.parts:
                part.cancel()
        self._pending = {}
        self._names = tuple(names)
        self._batches = [batch[self._rank :: self._world] for batch in batches]
        self._batch_of = {int(row): place for place, batch in enumerate(self._batches) for row in batch}
        self.clock.stop()

    def take(self, rows: Places) -> torch.Tensor:
        """The images of some rows that stand together in a planned batch, float32 [B, 1, S, S] in [0, 1]."""
        begun = time.perf_counter()
        number = self._batch_of.get(int(rows[0]))
        if number is None:  # a row of another process, so that all take part in the step
            return torch.from_numpy(self.rows.plain(rows))
        for place in range(number, min(number + _AHEAD + 1, len(self._batches))):
            if place not in self._pending:
                self._pending[place] = self._begin(self._batches[place])
        for place in [p for p in self._pending if p < number]:
            del self._pending[place]
        pending = self._pending[number]
        for part in pending.parts:
            part.result()
        start = int(np.flatnonzero(pending.rows == rows[0])[0])
        self.clock.step(time.perf_counter() - begun, len(rows))
        found: torch.Tensor = pending.images[start : start + len(rows)]
        return found

    def _begin(self, rows: Places) -> _Pending:
        size = self.rows.size_px
        images = torch.empty((len(rows), 1, size, size), pin_memory=self._pinned)
        pending = _Pending(rows, images)
        target, names = images.numpy(), self._names
        for share in np.array_split(np.arange(len(rows)), min(len(rows), 2 * self._workers)):
            pending.parts.append(self._pool.submit(self._bring, rows, share, target, names))
        return pending

    def _bring(self, rows: Places, share: Places, target: Any, names: tuple[str | int, ...]) -> None:
        if self._still:
            target[share[0] : share[-1] + 1] = self.rows.plain(rows[share])
            return
        for place in share:
            target[place] = self.rows.augmented(
                int(rows[place]), self._augmentation, seed=self._seed, names=names
            )


def image_batches(n: int, *, batch_size: int, seed: int, names: Sequence[str | int]) -> list[Places]:
    """Rows of each batch of one epoch, shuffled by `seed` and `names`; every row is in one batch.

    A single row that is left over joins the batch before it: a norm over one image alone has no variance.
    """
    order = rng_for(seed, "batches", *names).permutation(n)
    batches = [order[i : i + batch_size] for i in range(0, n, batch_size)]
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [np.concatenate(batches[-2:])]
    return batches
