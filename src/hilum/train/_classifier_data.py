"""From images with labels to what the tasks of a training learn and are judged by: decoded, split, checked."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError
from hilum.core.matrix import LEFT_OUT
from hilum.tables._label_rows import counted
from hilum.train._image_sides import apart, of_patients, split_images
from hilum.train.checkpoints import write_whole
from hilum.train.classifier_config import ClassifierTraining
from hilum.train.classifier_losses import targets_of, truth_of
from hilum.train.classifying import Shown
from hilum.train.image_cache import Decoded, check_some_left, decode
from hilum.train.image_data import ImageRows
from hilum.train.image_set import ImageSet

LEFT_OUT_FILE = "left_out.csv"
_MOST_WORKERS = 16


class Sides(NamedTuple):
    """The images to learn from and those to choose by, decoded, with what they are."""

    train: ImageSet
    dev: ImageSet
    train_rows: ImageRows
    dev_rows: ImageRows
    notes: tuple[str, ...]
    left_out: int


def workers_of(config: ClassifierTraining) -> int:
    """Threads that bring images: those asked for, else one per CPU and at most 16."""
    if config.workers is not None:
        return config.workers
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cpus, _MOST_WORKERS)


def make_sides(
    config: ClassifierTraining,
    images: ImageSet,
    dev: ImageSet | None,
    cache: Path,
    *,
    tell: Callable[[str], None],
) -> Sides:
    """Decode all images once, leave out those that cannot be read, and put images aside for choosing.

    Images of one patient, and images that are equal to the byte, stay on one side. Raises InputError when no image
    can be used, or no finding can be ranked on the images put aside.
    """
    every = images if dev is None else _joined(images, dev)
    decoded = decode(
        every.sources, cache, size=config.size_px, fit=config.fit, workers=workers_of(config), tell=tell
    )
    write_left_out(config.output / LEFT_OUT_FILE, every, decoded)
    check_some_left(decoded, every.sources, listed=config.output / LEFT_OUT_FILE)
    notes = [*images.notes, *(() if dev is None else (f"dev: {note}" for note in dev.notes))]
    if decoded.failed:
        first = "; ".join(f"{every.ids[one.place]}: {one.reason}" for one in decoded.failed[:2])
        number = counted(
            len(decoded.failed), "image could not be read and was", "images could not be read and were"
        )
        notes.append(f"{number} left out ({first}); listed in {LEFT_OUT_FILE}")
    good = decoded.good()
    if dev is None:
        learned, chosen = split_images(
            every, decoded, good, share=config.dev_share, seed=config.seed,
            elsewhere="--dev-images, --dev-split",
        )  # fmt: skip
    else:
        learned, chosen, told = apart(every, good, len(images))
        notes += told
    sides = Sides(
        every.take(learned), every.take(chosen), ImageRows(decoded.pixels_NHW, learned),
        ImageRows(decoded.pixels_NHW, chosen), (), len(decoded.failed),
    )  # fmt: skip
    return sides._replace(notes=(*notes, *_check_classes(sides, config)))


def shown(images: ImageSet, rows: ImageRows, config: ClassifierTraining) -> Shown:
    """Images with the targets of the way with uncertain labels, and the truth for scores."""
    targets_NF = targets_of(images.states_NF, uncertain=config.uncertain, blank=config.blank)
    return Shown(rows, targets_NF, truth_of(images.states_NF, blank=config.blank))


def _joined(images: ImageSet, dev: ImageSet) -> ImageSet:
    return replace(
        images,
        ids=(*images.ids, *dev.ids),
        studies=(*images.studies, *dev.studies),
        patients=(*images.patients, *dev.patients),
        sources=(*images.sources, *dev.sources),
        states_NF=np.concatenate([images.states_NF, dev.states_NF]),
    )


def _check_classes(sides: Sides, config: ClassifierTraining) -> list[str]:
    """Notes on findings with one class; raises InputError when none can be learned or ranked."""
    learned = truth_of(sides.train.states_NF, blank=config.blank)
    chosen = truth_of(sides.dev.states_NF, blank=config.blank)
    names = sides.train.findings
    notes = [
        (
            f"{counted(len(sides.train), 'image', 'images')} of {of_patients(sides.train.patients)} to learn from, "
            f"{len(sides.dev):,} of {of_patients(sides.dev.patients)} to choose by"
        )
    ]
    for what, truth_NF, lost in (
        ("to learn from", learned, "nothing can be learned"),
        ("to choose by", chosen, "there is no AUROC to choose by"),
    ):
        one = [name for name, column in zip(names, truth_NF.T, strict=True) if not _both(column)]
        if len(one) == len(names):
            raise InputError(
                f"Every finding has one class only among the {len(truth_NF):,} images {what} "
                f"({_counts(names, truth_NF)}), so {lost}. Next step: more images, "
                "other --findings, another --dev-share or --seed."
            )
        if one:
            each = "nothing is learned of" if truth_NF is learned else "the score leaves out"
            it = "it" if len(one) == 1 else "them"
            notes.append(f"{', '.join(one)}: one class only among the images {what}, so {each} {it}")
    return notes


def _both(column: npt.NDArray[np.int8]) -> bool:
    return len(np.unique(column[column != LEFT_OUT])) == 2


def _counts(names: Sequence[str], truth_NF: npt.NDArray[np.int8]) -> str:
    shown_names = list(names)[:3]
    parts = [
        f"{name}: {int((truth_NF[:, f] == 1).sum()):,} positive, {int((truth_NF[:, f] == 0).sum()):,} negative"
        for f, name in enumerate(shown_names)
    ]
    return "; ".join(parts) + ("; ..." if len(names) > len(shown_names) else "")


def write_left_out(path: Path, every: ImageSet, decoded: Decoded) -> None:
    """A table of the images that could not be read, and why; none when all could."""
    if not decoded.failed:
        path.unlink(missing_ok=True)
        return
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "reason"])
    writer.writerows((every.ids[one.place], one.reason) for one in decoded.failed)
    content = text.getvalue().encode("utf-8", "replace")
    write_whole(path, lambda file: file.write(content))
