"""From images with reports to what the tasks learn and are judged by: decoded, split, encoded, looked at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt
import torch

from hilum.core.rng import rng_for
from hilum.tables._label_rows import counted
from hilum.train._classifier_data import LEFT_OUT_FILE, workers_of, write_left_out
from hilum.train._image_sides import apart, of_patients, split_images
from hilum.train.classifying import normalised
from hilum.train.generator_config import GeneratorTraining
from hilum.train.generator_data import ReportSet
from hilum.train.image_cache import check_some_left, decode
from hilum.train.image_data import ImageRows, Loader, Places

_AT_ONCE = 64
Tell = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class GeneratorSides:
    """The images to learn from and those to choose by, decoded, with their reports."""

    train: ReportSet
    dev: ReportSet
    train_rows: ImageRows
    dev_rows: ImageRows
    notes: tuple[str, ...]
    left_out: int


def make_generator_sides(
    config: GeneratorTraining, learned: ReportSet, dev: ReportSet | None, cache: Path, *, tell: Tell
) -> GeneratorSides:
    """Decode all images once, leave out those that cannot be read, and put images aside for choosing.

    Images of one patient, and images that are equal to the byte, stay on one side. Raises InputError when no image
    can be used, or there are too few for two sides.
    """
    every = learned if dev is None else learned.joined(dev)
    workers = workers_of(cast("Any", config))
    decoded = decode(every.sources, cache, size=config.size_px, fit=config.fit, workers=workers, tell=tell)
    write_left_out(config.output / LEFT_OUT_FILE, cast("Any", every), decoded)
    check_some_left(decoded, every.sources, listed=config.output / LEFT_OUT_FILE)
    notes = [*learned.notes, *(() if dev is None else (f"dev: {note}" for note in dev.notes))]
    if decoded.failed:
        first = "; ".join(f"{every.ids[one.place]}: {one.reason}" for one in decoded.failed[:2])
        number = counted(
            len(decoded.failed), "image could not be read and was", "images could not be read and were"
        )
        notes.append(f"{number} left out ({first}); listed in {LEFT_OUT_FILE}")
    good = decoded.good()
    if dev is None:
        learn, choose = split_images(
            every, decoded, good, share=config.dev_share, seed=config.seed,
            elsewhere="--dev-images, --dev-data",
        )  # fmt: skip
    else:
        learn, choose, told = apart(every, good, len(learned))
        notes += told
    if config.dev_most is not None and len(choose) > config.dev_most:
        drawn = rng_for(config.seed, "dev").permutation(len(choose))[: config.dev_most]
        notes.append(f"{config.dev_most:,} of {len(choose):,} images to choose by were drawn")
        choose = choose[np.sort(drawn)]
    train, chosen = every.take(learn), every.take(choose)
    notes.append(
        f"{counted(len(train), 'image', 'images')} of {of_patients(train.patients)} to learn from, {len(chosen):,} of "
        f"{of_patients(chosen.patients)} to choose by"
    )
    rows = (ImageRows(decoded.pixels_NHW, learn), ImageRows(decoded.pixels_NHW, choose))
    return GeneratorSides(train, chosen, *rows, tuple(notes), len(decoded.failed))


# --- what a model is shown ---


class Shown(Protocol):
    """Images in the form that a model takes: pixels, or maps that a frozen encoder has made of them."""

    def plan(self, batches: Sequence[Places], *, names: Sequence[str | int]) -> None:
        """Take the batches of an epoch called `names`."""
        ...

    def take(self, rows: Places) -> torch.Tensor:
        """Some rows of the training images that stand together in a planned batch."""
        ...

    def dev(self, rows: Places) -> torch.Tensor:
        """Some rows of the dev images."""
        ...


@dataclass(frozen=True, eq=False)
class ShownPixels:
    """Normalised pixels [B, C, H, W], brought by threads."""

    loader: Loader
    dev_rows: ImageRows
    spec: Any

    def plan(self, batches: Sequence[Places], *, names: Sequence[str | int]) -> None:
        """See `Shown`."""
        self.loader.plan(batches, names=names)

    def take(self, rows: Places) -> torch.Tensor:
        """See `Shown`."""
        return normalised(self.loader.take(rows), self.spec)

    def dev(self, rows: Places) -> torch.Tensor:
        """See `Shown`."""
        return normalised(torch.from_numpy(self.dev_rows.plain(rows)), self.spec)


@dataclass(frozen=True, eq=False)
class ShownMaps:
    """Maps of the frozen convolutions, float32 [N, K, F], in files that are read as memory."""

    train_NKF: npt.NDArray[np.float32]
    dev_NKF: npt.NDArray[np.float32]

    def plan(self, batches: Sequence[Places], *, names: Sequence[str | int]) -> None:
        """See `Shown`."""

    def take(self, rows: Places) -> torch.Tensor:
        """See `Shown`."""
        return torch.from_numpy(np.ascontiguousarray(self.train_NKF[rows]))

    def dev(self, rows: Places) -> torch.Tensor:
        """See `Shown`."""
        return torch.from_numpy(np.ascontiguousarray(self.dev_NKF[rows]))


def look_once(
    rows: ImageRows,
    spec: Any,
    convolve: Callable[[torch.Tensor], torch.Tensor],
    path: Path,
    *,
    device: torch.device,
    tell: Tell,
) -> npt.NDArray[np.float32]:
    """The map that `convolve` makes of each image, float32 [N, K, F], in a file that is read as memory.

    It is worked out anew in every run, in the same batches: the same values whether a run was stopped or not.
    """
    found: Any = None
    with torch.no_grad():
        for start in range(0, len(rows), _AT_ONCE):
            some = np.arange(start, min(start + _AT_ONCE, len(rows)))
            pixels = normalised(torch.from_numpy(rows.plain(some)).to(device), spec)
            map_BKF = convolve(pixels).float().cpu().numpy()
            if found is None:
                found = np.memmap(path, np.float32, "w+", shape=(len(rows), *map_BKF.shape[1:]))
            found[some] = map_BKF
            if start and start % (100 * _AT_ONCE) == 0:
                tell(f"looked at {start:,} of {len(rows):,} images")
    found.flush()
    kept: npt.NDArray[np.float32] = found
    return kept
