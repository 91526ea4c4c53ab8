"""What is found, missing or wrong of a data set below a folder, and which data sets there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hilum.core.errors import ImageError, InputError
from hilum.core.rng import rng_for
from hilum.datasets import DATA_SETS, Card, Checkup, DataSet, get_data_set

__all__ = ["Diagnosis", "Opened", "card_of", "doctor", "list_data_sets"]


@dataclass(frozen=True)
class Opened:
    """Images that were opened as a test: how many, how many of them read well, and what was wrong with the others."""

    asked: int
    tried: int
    read: int
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Diagnosis:
    """A checkup of the data set `name`, with its card; `opened` when images were opened too."""

    name: str
    card: Card
    checkup: Checkup
    opened: Opened | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing needed is missing, nothing is wrong, and every image that was opened could be read."""
        return self.checkup.ok and (self.opened is None or not self.opened.problems)

    def as_dict(self) -> dict[str, Any]:
        """All of it as values that JSON knows."""
        found: dict[str, Any] = {
            "data_set": self.name,
            "title": self.card.title,
            "access": self.card.access.value,
            "licence": self.card.licence,
            "synthetic": self.card.synthetic,
            "root": str(self.checkup.root),
            "ok": self.ok,
            "items": [{**item._asdict(), "status": item.status.value} for item in self.checkup.items],
            "counts": dict(self.checkup.counts),
            "left_out": list(self.checkup.left_out),
        }
        if self.opened is not None:
            found["images_opened"] = {
                "tried": self.opened.tried,
                "read": self.opened.read,
                "problems": list(self.opened.problems),
            }
        return found


def list_data_sets() -> list[tuple[str, Card]]:
    """Name and card of every data set, in the order of the names."""
    return [(name, card_of(name)) for name in DATA_SETS.names()]


def card_of(name: str) -> Card:
    """The card of a data set. Raises UnknownNameError, with the nearest name."""
    return get_data_set(name, Path()).card


def doctor(
    name: str,
    root: str | Path,
    *,
    images: int = 0,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Diagnosis:
    """Check the data set `name` below the folder `root`; with `images`, open that many drawn at random too.

    A wrong folder is no error but an answer: see `Checkup`. `progress` is called now and then with the number
    of studies counted. Raises UnknownNameError for a data set that there is not, InputError when `images` is
    negative, and MissingExtraError when images are to be opened without the extra `images`.
    """
    if images < 0:
        raise InputError(f"{images} images cannot be opened. Next step: give 0 or more.")
    data = get_data_set(name, root)
    checkup = data.check(progress=progress)
    opened = _open_some(data, images, seed) if images and checkup.counts.get("studies") else None
    return Diagnosis(name, data.card, checkup, opened)


def _open_some(data: DataSet, images: int, seed: int) -> Opened:
    from hilum.images.read import read_image  # noqa: PLC0415 - needs the extra `images`

    paths = [image.path for study in data.studies() for image in study.images if image.path is not None]
    drawn = rng_for(seed, "doctor", "images").permutation(len(paths))[:images]
    problems: list[str] = []
    for place in sorted(drawn):
        try:
            read_image(paths[place])
        except (ImageError, OSError) as error:
            problems.append(str(error))
    return Opened(images, len(drawn), len(drawn) - len(problems), tuple(problems))
