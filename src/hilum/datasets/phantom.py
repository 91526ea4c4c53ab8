"""The phantom: invented patients, chest radiographs that are drawn, and reports that part from them as published.

Synthetic throughout: for testing methods and pipelines, not for claims about patients. Causes of disagreement and
their rates follow section 4.2 and Table 3 of the VisualCheXbert paper (doi 10.1145/3450439.3451862).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path

from hilum.core.errors import InputError
from hilum.core.imaging import Study
from hilum.datasets._base import Access, Card, Checkup, DataSet, Expected, Item, ItemStatus
from hilum.datasets._phantom.files import (
    BOXES,
    IMAGES,
    MASKS,
    PARTS,
    README,
    REPORTS,
    SETTINGS,
    TABLE,
    population,
    read_phantom,
)
from hilum.datasets._phantom.folder import write_phantom
from hilum.datasets._phantom.study import IMAGE, REPORT, WHOLE, PhantomOptions, causes_of, phantom_studies
from hilum.datasets._phantom.tables import CAUSES
from hilum.runner.local import Progress

__all__ = ["CAUSES", "Phantom", "PhantomOptions", "build", "causes_of"]

_CARD = Card(
    title="hilum phantom (synthetic)",
    access=Access.GENERATED,
    licence="Apache-2.0; synthetic, of no patient",
    citation="hilum phantom. Causes and rates of disagreement after Jain et al., VisualCheXbert, ACM CHIL 2021.",
    homepage="",
    how_to_get="Nothing to get: hilum.datasets.phantom.build(seed=0, n=1000) makes it, and its write(folder) keeps it.",
    expected=(
        Expected(TABLE, "table of studies"),
        Expected(f"{REPORTS}/*.txt", "reports"),
        Expected(f"{IMAGES}/*.png", "images", required=False),
        Expected(f"{MASKS}/*.png", "masks of lungs and heart", required=False),
        Expected(BOXES, "boxes of what is drawn", required=False),
        Expected(SETTINGS, "what decides every byte", required=False),
        Expected(README, "says that all is synthetic", required=False),
    ),
    splits=("train", "valid", "test"),
    labels=(IMAGE, REPORT, WHOLE),
    synthetic=True,
)


class Phantom(DataSet):
    """The phantom, made as it is walked through, or read from a folder that `write` has made.

    Labels: `image` (what is drawn), `report` (what the impression says), `whole report`. `meta["causes"]` says why
    image and report part; `causes_of(study)` reads it.
    """

    card = _CARD

    def __init__(self, root: Path | str | None, options: PhantomOptions) -> None:
        super().__init__(Path() if root is None else root)
        self.is_made = root is None
        self.options = options

    @property
    def population(self) -> str:
        """Whose patients these are: equal patient ids of phantoms of two seeds are two patients."""
        return f"seed {self.options.seed}" if self.is_made else population(self.root)

    def _studies(self, split: str | None) -> Iterator[Study]:
        if self.is_made:
            return phantom_studies(self.options, split)
        return read_phantom(self.needed(TABLE), split)

    def check(self, *, progress: Callable[[int], None] | None = None) -> Checkup:
        """What is found of a written phantom; one that is made on the way needs nothing."""
        if self.is_made:
            note = "made as it is walked through; no file is needed"
            return Checkup(
                self.root, (Item("files", "", ItemStatus.FOUND, 0, None, note),), {"studies": self.options.n}
            )
        found = super().check(progress=progress)
        if not (self.root / PARTS).is_dir():
            return found
        note = (
            f"{self.root / PARTS} is here: hilum phantom was stopped, or is still at work. Next step: repeat the same "
            "command, with the same options, and it goes on; with others, --fresh starts anew"
        )
        stopped = Item("unfinished run", "", ItemStatus.WRONG, 0, None, note)
        return replace(found, items=(stopped, *found.items))

    def _verify(self) -> tuple[list[Item], dict[str, int]]:
        images = named = reports = studies = 0
        for study in self.studies():
            studies += 1
            named += len(study.images)
            images += sum(image.path is not None for image in study.images)
            reports += study.report is not None
        items = []
        for what, found, expected in (("images named", images, named), ("reports named", reports, studies)):
            status = ItemStatus.FOUND if found == expected else ItemStatus.PART
            note = "" if found == expected else f"{expected - found:,} are not here"
            items.append(Item(f"{what} in {TABLE}", "", status, found, expected, note))
        return items, self.count()

    def write(
        self,
        folder: Path | str,
        *,
        workers: int = 1,
        progress: Callable[[Progress], None] | None = None,
        fresh: bool = False,
    ) -> None:
        """Write all studies below `folder`: the same bytes for any number of workers and after any kill.

        Raises InputError for a phantom that was itself read from a folder, OutputError when `folder` holds another.
        """
        if not self.is_made:
            raise InputError(
                f"This phantom is read from {self.root}. Next step: copy the folder, or build(seed=...)."
            )
        write_phantom(folder, self.options, workers=workers, progress=progress, fresh=fresh)


def build(
    root: Path | str | None = None,
    *,
    seed: int = 0,
    n: int = 1000,
    size: int = 256,
    causes: Collection[str] = CAUSES,
    noise: float = 0.0,
    draw: bool = True,
    times: float = 1.0,
) -> Phantom:
    """The phantom: without `root` made on the way, with it read from what `write` has put there.

    seed, n, size: which, how many studies, how wide the images. causes: the causes of disagreement that are on
    (`CAUSES`; none of them: the report says what is drawn). noise: slips of typing. draw: False leaves pixels out.
    times: all rates of disagreement are multiplied by it; 0 is the same as no cause. Images do not depend on it.
    """
    return Phantom(root, PhantomOptions(seed, n, size, frozenset(causes), noise, draw, times))
