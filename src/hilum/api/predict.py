"""Images to a file of probabilities, in parts that survive a kill; and pictures of where a finding was seen."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from hilum.core.errors import InputError, OutputError, UnknownNameError
from hilum.core.vocabulary import SHIPPED
from hilum.runner.local import Chunking, Progress, RunReport, run_chunks
from hilum.runner.store import FolderStore, PartStore
from hilum.tables.image_tables import PATH_COLUMNS, image_rows
from hilum.tables.write import assemble, check_writable, encode_rows, output_format

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".dcm", ".dicom", "")
"""Endings of files that are taken from a folder; "" is none, as DICOM files often have."""

TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".gz")

ROWS, FAILED, COUNTS = "rows", "failed", "counts"
_DIGITS = 6
_SCHEMA = "float"


@dataclass(frozen=True)
class PredictJob:
    """What to predict and how.

    `images`: image files, folders of them (searched throughout), or one table with an image in each row, whose other
    columns are kept. `weights` is the folder of a classifier. `output` takes its format from its extension.
    `path_column` of a table; `root`: what its paths are relative to, else its folder. `grad_cam`: a folder for one
    PNG per image and each of `findings`. `calibrated` divides by the classifier's temperatures.
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

    `failed_file` lists all images that could not be used; None when there is none. `resumed` images were there from
    an earlier run.
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


class Item(NamedTuple):
    """One image: its file, what messages call it, and the cells that stand before its probabilities."""

    path: str
    name: str
    cells: tuple[Any, ...]


class Items(NamedTuple):
    """All images of a job, and the columns of their cells."""

    items: tuple[Item, ...]
    columns: tuple[str, ...]
    notes: tuple[str, ...]


def predict_file(
    job: PredictJob, *, progress: Callable[[Progress, int], None] | None = None
) -> PredictSummary:
    """Predict every image; the output appears whole, or not at all, and a bad image costs no good one.

    Images that could not be used stand in `OUT.failed.csv`, not in the output. A run that was stopped goes on from
    `OUT.hilum-parts`; the bytes are those of a run that was never stopped. Raises InputError when there is no image,
    none can be used, or the classifier cannot be loaded; OutputError; ResumeError when the parts are of another job.
    """
    from hilum.api._predict_work import PredictWork  # noqa: PLC0415  (loads torch)

    began = time.monotonic()
    output = Path(job.output)
    fmt = output_format(output)
    check_writable(output)
    found = find_images(job)
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
        raise InputError(
            f"None of {summary.images:,} images could be used; {name}: {why} All are in {summary.failed_file}."
        )
    return summary


def find_images(job: PredictJob) -> Items:
    """The images of a job in order: those of a table, or files and the files of folders, sorted.

    Raises InputError when there is none.
    """
    given = [Path(one) for one in job.images]
    if len(given) == 1 and given[0].is_file() and given[0].suffix.lower() in TABLE_SUFFIXES:
        return _of_table(given[0], job)
    items: list[Item] = []
    other = 0
    for path in given:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.is_file() and not _hidden(p, path))
            good = [p for p in inside if p.suffix.lower() in IMAGE_SUFFIXES]
            other += len(inside) - len(good)
            items += [Item(str(p), str(p), (str(p),)) for p in good]
        else:
            items.append(Item(str(path), str(path), (str(path),)))
    if not items:
        raise InputError(
            f"There is no image in {', '.join(map(str, given)) or 'nothing'}. Next step: name image files, folders of "
            "them, or a table with a column of image files."
        )
    notes = (f"{other:,} files with other endings were left out",) if other else ()
    return Items(tuple(items), ("path",), notes)


def _hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)


def _of_table(path: Path, job: PredictJob) -> Items:
    columns, place, rows = image_rows(path, path_column=job.path_column)
    root = path.parent if job.root is None else Path(job.root)
    findings = {name for vocabulary in SHIPPED.values() for name in vocabulary.names}
    kept = [i for i, name in enumerate(columns) if name not in findings]
    items = [
        Item(str(root / str(row[place])), str(row[place]), tuple(row[i] for i in kept))
        for row in rows
        if row[place]
    ]
    empty = len(rows) - len(items)
    if not items:
        raise InputError(
            f"{path}: no row names an image in the column {columns[place]!r} (also {PATH_COLUMNS[0]})."
        )
    dropped = [name for name in columns if name in findings]
    notes = [f"{empty:,} rows name no image and were left out"] if empty else []
    notes += [f"columns of labels of the table were not kept: {', '.join(dropped)}"] if dropped else []
    return Items(tuple(items), tuple(columns[i] for i in kept), tuple(notes))


def _manifest(job: PredictJob, found: Items, digest: str) -> dict[str, Any]:
    total = hashlib.sha256()
    for item in found.items:
        path = Path(item.path)
        size = path.stat().st_size if path.is_file() else -1
        total.update(f"{item.path}\0{size}\0{item.cells!r}\n".encode("utf-8", "surrogatepass"))
    return {
        "images": total.hexdigest(),
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
    for chunk in range(report.chunks):
        counts = json.loads(store.path(chunk, COUNTS).read_bytes())
        predicted += counts["predicted"]
        failed += len(counts["failed"])
        bad += [(str(name), str(why)) for name, why in counts["failed"]]
    parts: Iterator[Path] = (store.path(chunk, ROWS) for chunk in range(report.chunks))
    if predicted:
        assemble(parts, output, work.columns, work.format, schema=work.schema)
    failed_file = output.with_name(f"{output.stem}.failed.csv")
    if bad:
        part = store.path(0, ROWS).with_name("failed")
        part.write_bytes(encode_rows(("image", "reason"), bad, "csv"))
        assemble([part], failed_file, ("image", "reason"), "csv")
        part.unlink()
    else:
        failed_file.unlink(missing_ok=True)
    return PredictSummary(
        images=len(found.items), predicted=predicted, failed=failed, first_failed=tuple(bad[:5]),
        resumed=report.resumed, seconds=time.monotonic() - began, output=output,
        failed_file=failed_file if bad else None, findings=work.findings, notes=found.notes,
        grad_cam=None if job.grad_cam is None else Path(job.grad_cam), stamp={"classifier": work.digest},
    )  # fmt: skip


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


def make_folder(path: str | Path) -> Path:
    """The folder, made when it is not there. Raises OutputError."""
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be made: {error.strerror or error}. Next step: name a folder."
        ) from error
    return folder


def file_name(text: str) -> str:
    """A name as part of a file name: letters, digits, dot and dash."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", text).strip("-.") or "image"
