"""Images to a file of probabilities, in parts that survive a kill; and pictures of where a finding was seen."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hilum.api._image_job import COUNTS, ROWS, digest_of_items, list_failed, none_of
from hilum.api._predict_images import Items, check_ready, failed_file, find_images
from hilum.core.errors import InputError, UnknownNameError
from hilum.core.vocabulary import SHIPPED
from hilum.runner.local import Chunking, Progress, RunReport, run_chunks
from hilum.runner.store import FolderStore, PartStore
from hilum.tables._label_rows import counted
from hilum.tables.write import assemble, check_writable, output_format

_SHOWN = 3


@dataclass(frozen=True)
class PredictJob:
    """What to predict and how.

    `images`: image files, folders of them (searched throughout), or one table with an image in each row, whose other
    columns are kept. `weights` is the folder of a classifier. `output` takes its format from its extension.
    `path_column` of a table; `root`: what its paths are relative to, else its folder. `grad_cam`: a folder for one
    PNG per image and each of `findings`.
    """

    images: tuple[str | Path, ...]
    weights: str | Path
    output: str | Path
    path_column: str | None = None
    root: str | Path | None = None
    grad_cam: str | Path | None = None
    findings: tuple[str, ...] = ()
    device: str = "cpu"
    precision: str = "float32"
    batch_size: int = 16
    workers: int = 2
    chunk_size: int = 256
    fresh: bool = False


@dataclass(frozen=True)
class PredictSummary:
    """What a job did: images, those predicted, those that could not be used with the first reasons, and where it is.

    `failed_file` lists all of them, and files of folders that are no images; None when there is none. `resumed` images
    were there from an earlier run.
    """

    images: int
    predicted: int
    failed: int
    first_failed: tuple[tuple[str, str], ...]
    resumed: int
    seconds: float
    output: Path
    failed_file: Path | None
    findings: tuple[str, ...]
    notes: tuple[str, ...] = ()
    grad_cam: Path | None = None
    stamp: Mapping[str, str] = field(default_factory=dict)


def predict_file(
    job: PredictJob, *, progress: Callable[[Progress, int], None] | None = None
) -> PredictSummary:
    """Predict every image; the output appears whole, or not at all, and a bad image costs no good one.

    Images that could not be used stand not in the output but in a list beside it, `probs.csv.failed.csv` for
    `probs.csv`. A run that was stopped goes on from `OUT.hilum-parts`; the bytes are those of a run that was never
    stopped. Raises InputError when there is no image, none can be used, or the classifier cannot be loaded;
    OutputError; ResumeError when the parts are of another job; MissingExtraError without the extras `neural` and
    `images`.
    """
    began = time.monotonic()
    output = Path(job.output)
    fmt = output_format(output)
    check_writable(output)
    found = find_images(job)
    check_ready(job)
    from hilum.api._predict_work import PredictWork  # noqa: PLC0415  (loads torch)

    work = PredictWork.of(job, found.columns, fmt)
    store = FolderStore(output.with_name(output.name + ".hilum-parts"))
    store.open(_manifest(job, found, work.digest), fresh=job.fresh)
    try:
        report = run_chunks(
            found.items,
            work,
            store=store,
            chunking=Chunking(job.chunk_size),
            progress=None if progress is None else lambda done: progress(done, len(found.items)),
        )
        summary = _write(job, found, work, store, report, began=began)
        store.remove()
    finally:
        store.close()
    if not summary.predicted:
        name, why = summary.first_failed[0]
        raise InputError(f"{none_of(summary.images)}; {name}: {why} All are in {summary.failed_file}.")
    return summary


def _manifest(job: PredictJob, found: Items, digest: str) -> dict[str, Any]:
    return {
        "images": digest_of_items(found),
        "classifier": digest,
        "columns": list(found.columns),
        "format": output_format(job.output),
        "precision": job.precision,
        "grad_cam": None if job.grad_cam is None else [str(job.grad_cam), *job.findings],
        "chunk_size": job.chunk_size,
    }


def _write(
    job: PredictJob, found: Items, work: Any, store: PartStore, report: RunReport, *, began: float
) -> PredictSummary:
    """Join the parts: the output, and the list of images that could not be used."""
    output = Path(job.output)
    predicted = failed = 0
    bad: list[tuple[str, str]] = []
    flat: list[list[str]] = []
    for chunk in range(report.chunks):
        counts = json.loads(store.path(chunk, COUNTS).read_bytes())
        predicted += counts["predicted"]
        failed += len(counts["failed"])
        bad += [(str(name), str(why)) for name, why in counts["failed"]]
        flat += counts.get("flat", [])
    parts: Iterator[Path] = (store.path(chunk, ROWS) for chunk in range(report.chunks))
    if predicted:
        assemble(parts, output, work.columns, work.format, schema=work.schema)
    listed = list_failed(failed_file(output), [*bad, *found.others], store)
    return PredictSummary(
        images=len(found.items), predicted=predicted, failed=failed, first_failed=tuple(bad[:5]),
        resumed=report.resumed, seconds=time.monotonic() - began, output=output,
        failed_file=listed, findings=work.findings, notes=(*found.notes, *_flat_notes(flat)),
        grad_cam=None if job.grad_cam is None else Path(job.grad_cam), stamp={"classifier": work.digest},
    )  # fmt: skip


def _flat_notes(flat: Sequence[Sequence[str]]) -> list[str]:
    """A note on each finding for which nothing spoke in some images, whose pictures show no heat."""
    notes = []
    for finding in dict.fromkeys(one for _, one in flat):
        names = [name for name, one in flat if one == finding]
        more = ", ..." if len(names) > _SHOWN else ""
        notes.append(
            f"nothing spoke for {finding} in {counted(len(names), 'image', 'images')} "
            f"({', '.join(names[:_SHOWN])}{more}); Grad-CAM shows no heat there"
        )
    return notes


def findings_shown(names: Sequence[str], wanted: Sequence[str], vocabulary: str) -> tuple[int, ...]:
    """Places of the findings that are drawn. Raises UnknownNameError for one that the classifier does not have."""
    known = SHIPPED[vocabulary]
    places = []
    for one in wanted:
        name = known.names[known.index(one)]
        if name not in names:
            raise UnknownNameError("finding of this classifier", one, names)
        places.append(names.index(name))
    return tuple(places)
