"""What `hilum generate` writes at the end: counts of all parts, page and record; and its folder of pictures."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hilum.analyses._output import write_whole
from hilum.api._evidence import page_items
from hilum.api._image_job import COUNTS, digest_of_items, make_folder
from hilum.api._predict_images import Items
from hilum.core.errors import OutputError
from hilum.core.records import RowStatus
from hilum.core.version import VERSION
from hilum.core.vocabulary import CSV_CODES, PRECEDENCE, State, Vocabulary
from hilum.pages.evidence_page import PageItem, evidence_page
from hilum.pages.pictures import Map, Pictures
from hilum.runner.store import PartStore
from hilum.tables._label_rows import counted

if TYPE_CHECKING:
    from hilum.api._generate_work import GenerateWork
    from hilum.api.generate import GenerateJob

MARK = "attention.json"
"""The file by which a folder of pictures is known as ours, and of which run it is."""

_PICTURE = re.compile(r"\d{6,}-.*-w\d{3,}-.*\.png")


@dataclass(frozen=True)
class Counts:
    """The counts of all chunks: `failed` images with reasons, `status` and `findings` of reports, and the rest.

    `unstopped`: reports that ended because they had their most sentences.
    """

    written: int
    failed: tuple[tuple[str, str], ...]
    status: Mapping[str, int]
    findings: Mapping[str, Mapping[str, int]]
    problems: tuple[str, ...]
    pictures: int
    on_page: int
    unstopped: int

    def notes(self, sees: bool) -> list[str]:
        """What the user should know of the reports."""
        found = []
        if empty := self.status.get(RowStatus.EMPTY.value, 0):
            found.append(f"{counted(empty, 'report says', 'reports say')} nothing at all")
        if self.unstopped:
            said = counted(self.unstopped, "report", "reports")
            found.append(f"{said} ended with the most sentences that there may be, and not by a stop")
        if not sees:
            found.append("this generator sees no image: its reports are likely texts, and have no attention")
        return [*found, *self.problems[:5]]


def read_counts(store: PartStore, chunks: int, names: tuple[str, ...]) -> Counts:
    """The counts of all chunks added up."""
    sums: Counter[str] = Counter()
    status: Counter[str] = Counter()
    findings = {name: Counter({state.name.lower(): 0 for state in PRECEDENCE}) for name in names}
    failed: list[tuple[str, str]] = []
    problems: list[str] = []
    for chunk in range(chunks):
        part = json.loads(store.path(chunk, COUNTS).read_bytes())
        sums.update({key: part[key] for key in ("written", "pictures", "on_page", "unstopped")})
        status.update(part["status"])
        for name, states in part["findings"].items():
            findings[name].update(states)
        failed += [(str(name), str(why)) for name, why in part["failed"]]
        problems += part["problems"]
    return Counts(
        sums["written"], tuple(failed), dict(status), {name: dict(found) for name, found in findings.items()},
        tuple(problems), sums["pictures"], sums["on_page"], sums["unstopped"],
    )  # fmt: skip


def shown_items(parts: Iterable[Path], vocabulary: Vocabulary) -> Iterator[PageItem]:
    """The reports of the page parts, each with its pictures, if it has some."""
    for path in parts:
        if not path.exists():
            continue
        for line in path.read_text("utf-8").splitlines():
            text, pictures = json.loads(line)
            (item,) = page_items([text], vocabulary)
            yield item._replace(pictures=_pictures(pictures))


def _pictures(values: Any) -> Pictures | None:
    if values is None:
        return None
    source, caption, maps, more = values
    made = (Map(uri, word, State(state), tuple(lines)) for uri, word, state, lines in maps)
    return Pictures(source, caption, tuple(made), more)


def page_of(
    parts: Iterable[Path], vocabulary: Vocabulary, title: str, *, total: int, stamp: Mapping[str, str]
) -> str:
    """The page of the reports in these parts; `total`: how many reports there are in all."""
    subtitle = (
        "Written by a model, not by a radiologist; nothing in them is checked. Maps show what share of a word's "
        "attention fell on each place, the hottest place of a map the brightest: where a word was looked for, not "
        "whether it is true. Where nearly all attention is on no place, the map shows the little that is left. In a "
        "negated mention attention may rest on everything but the finding."
    )
    return evidence_page(title, shown_items(parts, vocabulary), total=total, subtitle=subtitle, stamp=stamp)


def record(job: GenerateJob, found: Items, work: GenerateWork, counts: Counts) -> dict[str, Any]:
    """How the reports were made: the same values for the same images, options and versions."""
    return {
        "hilum": VERSION,
        "generator": {"digest": work.digest, "kind": work.kind, "words": work.vocabulary_size},
        "decoding": work.decoding,
        "seed": job.seed,
        "borders_cropped": job.crop_borders,
        "labeler": dict(work.stamp),
        "section": "all: every word of a generated report is labeled",
        "codes": {state.name.lower(): CSV_CODES[state] for state in PRECEDENCE},
        "columns": list(work.columns),
        "images": {"count": len(found.items), "fingerprint": digest_of_items(found)},
        "reports": counts.written,
        "failed": len(counts.failed),
        "status": dict(counts.status),
        "ended_without_a_stop": counts.unstopped,
    }


def claim_folder(folder: Path, run: str, *, fresh: bool) -> None:
    """Make the folder of pictures that of this run.

    Raises OutputError when it holds other files, or the pictures of another run; `fresh` removes the latter.
    """
    make_folder(folder)
    mark = folder / MARK
    if not mark.is_file():
        if any(folder.iterdir()):
            raise OutputError(
                f"{folder} holds files that are not of hilum generate. Next step: name an empty or a new folder."
            )
    elif mark.read_text("utf-8", "replace").strip() != run:
        if not fresh:
            raise OutputError(
                f"{folder} holds the pictures of another run (other images, model or options). Next step: name "
                "another folder, or --fresh (in Python: fresh=True), which removes them."
            )
        for path in folder.iterdir():
            if _PICTURE.fullmatch(path.name):
                path.unlink()
    write_whole(mark, f"{run}\n".encode())
