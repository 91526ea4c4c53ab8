"""What a data set is: a card, the files it expects, and studies one after the other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import ClassVar, NamedTuple

from hilum.core.errors import InputError, UnknownNameError
from hilum.core.imaging import Study

_EXAMPLES = 5
_TELL_EVERY = 2_000


class Access(StrEnum):
    """What it takes to get a data set."""

    OPEN = "open"
    REGISTRATION = "registration"
    CREDENTIALED = "credentialed"
    GENERATED = "generated"


@dataclass(frozen=True, slots=True)
class Expected:
    """Files that belong to a data set: a glob below its root, what they are, whether one can do without.

    `count`: how many the complete data set has, where that is known. `alternatives`: other globs for the same
    files, as other distributions lay them out; the first that matches counts.
    """

    pattern: str
    what: str
    required: bool = True
    count: int | None = None
    alternatives: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """What to know of a data set before using it. `labels`: the sources that `Study.labels` of its studies can have."""

    title: str
    access: Access
    licence: str
    citation: str
    homepage: str
    how_to_get: str
    expected: tuple[Expected, ...]
    splits: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    synthetic: bool = False


class ItemStatus(StrEnum):
    """What became of one thing that was looked for. PART: fewer than the complete data set has, but usable.

    ODD: not as it should be, but known of the published files and put right on the way; there is nothing to do.
    """

    FOUND = "found"
    PART = "in part"
    ABSENT = "absent, optional"
    MISSING = "missing"
    ODD = "odd, and dealt with"
    WRONG = "wrong"


class Item(NamedTuple):
    """One line of a checkup: what was looked for, what was found of it, and what to do next if it is not right."""

    what: str
    pattern: str
    status: ItemStatus
    found: int
    expected: int | None = None
    note: str = ""


@dataclass(frozen=True)
class Checkup:
    """What is found, missing or wrong of a data set below a folder.

    `counts`: studies, images, reports, ... `left_out`: lines on what gave no study or lost an image, and why; what
    is wrong or odd among it (`Dropped.wrong`, `Dropped.odd`) is an item instead.
    """

    root: Path
    items: tuple[Item, ...]
    counts: dict[str, int] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing needed is missing and nothing is wrong."""
        return not any(i.status in (ItemStatus.MISSING, ItemStatus.WRONG) for i in self.items)


class Dropped:
    """Rows and files that gave no study, counted by reason, with the first few of each by name.

    `wrong` are the reasons that no complete and sound copy of a data set has; a checkup calls them wrong. `odd` are
    those that the published files have and that were put right; a checkup tells them, and they are no fault.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.examples: dict[str, list[str]] = {}
        self.wrong: set[str] = set()
        self.odd: set[str] = set()

    def add(self, reason: str, name: str, *, wrong: bool = False, odd: bool = False) -> None:
        """Count `name` under `reason`; `wrong` and `odd` mark the reason."""
        self.counts[reason] += 1
        if wrong:
            self.wrong.add(reason)
        if odd:
            self.odd.add(reason)
        if self.counts[reason] <= _EXAMPLES:
            self.examples.setdefault(reason, []).append(name)

    def lines(self, *, marked: bool = True) -> list[str]:
        """One line per reason: how many, why, which ones first. Without `marked`, wrong and odd ones are left out."""
        return [
            f"{n:,} {reason}: {self.some(reason)}"
            for reason, n in self.counts.most_common()
            if marked or reason not in self.wrong | self.odd
        ]

    def some(self, reason: str) -> str:
        """The first few names of a reason, and "..." when there are more."""
        return ", ".join(self.examples[reason]) + (", ..." if self.counts[reason] > _EXAMPLES else "")


class DataSet(ABC):
    """A data set below a folder. Subclasses say what it is (`card`) and read its studies.

    Making one touches no file. `dropped` counts, of the last walk through `studies`, what gave no study or lost
    an image, a report or labels on the way.
    """

    card: ClassVar[Card]

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        self.dropped = Dropped()
        self._tell: Callable[[int], None] | None = None

    def studies(self, split: str | None = None) -> Iterator[Study]:
        """All studies, or those of one split, in the order of the data set's own table.

        Images are not read: `Image.path` says where they are. Raises, before the first study is asked for,
        InputError when a needed file is missing or has not the columns it should have, naming it and how to get
        it, and UnknownNameError for a split that there is not.
        """
        if split is not None and split not in self.card.splits:
            raise UnknownNameError(f"split of {self.card.title}", split, self.card.splits)
        self.dropped = Dropped()
        walk = self._studies(split)
        first = next(walk, None)
        return iter(()) if first is None else chain((first,), walk)

    @abstractmethod
    def _studies(self, split: str | None) -> Iterator[Study]:
        """The studies; what is left out goes to `self.dropped`. Needed files are opened before the first one."""

    def check(self, *, progress: Callable[[int], None] | None = None) -> Checkup:
        """What is found, missing or wrong below the root, with counts. Raises nothing for a wrong folder.

        `progress` is called now and then with the number of studies counted so far.
        """
        if not self.root.is_dir():
            what = "is a file" if self.root.exists() else "does not exist"
            note = f"{self.root} {what}; give the folder of the data set. {self.card.how_to_get}"
            return Checkup(self.root, (Item("folder", str(self.root), ItemStatus.WRONG, 0, None, note),))
        self.dropped, self._tell = Dropped(), progress
        found = Checkup(self.root, tuple(self._look_for(one) for one in self.card.expected))
        if any(i.status == ItemStatus.MISSING for i in found.items):
            return found
        try:
            further, counts = self._verify()
        except (InputError, OSError) as error:
            further, counts = [Item("can be read", "", ItemStatus.WRONG, 0, None, str(error))], {}
        finally:
            self._tell = None
        lines = tuple(self.dropped.lines(marked=False))
        items = (*found.items, *further, *self._marked())
        return replace(found, items=items, counts=counts, left_out=lines)

    def _marked(self) -> Iterator[Item]:
        for reason, n in self.dropped.counts.items():
            if reason in self.dropped.wrong | self.dropped.odd:
                status = ItemStatus.WRONG if reason in self.dropped.wrong else ItemStatus.ODD
                yield Item(reason, "", status, n, None, self.dropped.some(reason))

    def _verify(self) -> tuple[list[Item], dict[str, int]]:
        """Deeper looks at what is there (columns, files named in tables, ...), and counts.

        Called only when no needed file is missing; an InputError or OSError becomes an item.
        """
        return [], self.count()

    def count(self, studies: Iterator[Study] | None = None) -> dict[str, int]:
        """Counts of one walk through `studies`, or all: patients, images, reports, splits, labels by source.

        What there is none of is left out, but for studies, images and reports.
        """
        total = images = reports = priors = 0
        patients: set[str] = set()
        splits, sources = Counter[str](), Counter[str]()
        for total, study in enumerate(self.studies() if studies is None else studies, start=1):
            images += len(study.images)
            reports += study.report is not None and bool(study.report.text.strip())
            priors += bool(study.priors)
            patients.update((study.patient,) if study.patient else ())
            splits[study.split] += 1
            sources.update(study.labels.keys())
            if self._tell is not None and total % _TELL_EVERY == 0:
                self._tell(total)
        further = {"patients": len(patients), "studies with a prior": priors}
        further |= {f"studies of split {name}": splits[name] for name in self.card.splits}
        further |= {f"studies with labels: {name}": n for name, n in sources.items()}
        kept = {what: n for what, n in further.items() if n}
        return {"studies": total, "images": images, "reports": reports, **kept}

    def _look_for(self, one: Expected) -> Item:
        for pattern in (one.pattern, *one.alternatives):
            found = sum(1 for _ in self.root.glob(pattern))
            if found:
                short = max(0, one.count - found) if one.count is not None else 0
                note = f"{short:,} of {one.count:,} are not here" if short else ""
                status = ItemStatus.PART if short else ItemStatus.FOUND
                return Item(one.what, pattern, status, found, one.count, note)
        status = ItemStatus.MISSING if one.required else ItemStatus.ABSENT
        wanted = " or ".join((one.pattern, *one.alternatives))
        return Item(one.what, wanted, status, 0, one.count, self.card.how_to_get if one.required else "")

    def optional(self, *patterns: str) -> Path | None:
        """The first file that one of these globs below the root names, the globs tried in order; None without one."""
        for pattern in patterns:
            found = min(self.root.glob(pattern), default=None)
            if found is not None:
                return found
        return None

    def needed(self, *patterns: str) -> Path:
        """As `optional`, but raises InputError, with the next step, when there is no such file."""
        found = self.optional(*patterns)
        if found is None:
            what = "is no folder" if not self.root.is_dir() else f"has no {' or '.join(patterns)}"
            raise InputError(
                f"{self.root} {what}; {self.card.title} needs {' or '.join(patterns)}. {self.card.how_to_get} "
                "Next step: hilum doctor says what is there and what is missing."
            )
        return found
