"""Images to generated reports with their labels, in parts that survive a kill; and pictures of where words looked."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hilum.analyses._output import write_whole
from hilum.api._generate_outputs import Counts, claim_folder, page_of, read_counts, record, shown_items
from hilum.api._image_job import (
    ROWS,
    check_installed,
    check_model_folder,
    digest_of_items,
    list_failed,
    none_of,
)
from hilum.api._predict_images import Items, failed_file, find_images
from hilum.core.errors import InputError, OutputError, UnknownNameError
from hilum.core.version import VERSION
from hilum.pages.evidence_page import PageItem
from hilum.runner.local import Chunking, Progress, RunReport, run_chunks
from hilum.runner.store import FolderStore, PartStore
from hilum.tables.write import assemble, check_writable, output_format

if TYPE_CHECKING:
    from hilum.api._generate_work import GenerateWork

FORBID, REMOVE, KEEP = REPEATS = ("forbid", "remove", "keep")
"""What becomes of sentences that repeat one before them in their report."""

NAMED, ALL = ATTENTION_WORDS = ("named", "all")
"""Words whose attention is drawn: those that the labeler's evidence names, or all."""

FEW = 5
"""So many reports are shown in the terminal when no output is named; more are written as csv."""

_SPEC, _CLASSIFIER = "hilum_generator.json", "hilum_classifier.json"


@dataclass(frozen=True)
class GenerateJob:
    """What reports to generate and how.

    `images`: image files, folders of them (searched throughout), or one table with an image in each row, whose other
    columns are kept. `model` is the folder of a report generator. `output` takes its format from its extension; None:
    up to FEW reports come back in the summary, more go to standard output as csv. `path_column` of a table; `root`:
    what its paths are relative to, else its folder.

    `way`, `beams`, `temperature`, `no_repeat_ngram`: see `models.decoding.Decoding`; `seed`: of what is drawn.
    `repeats`: a name of REPEATS. `labeler` with its options (`weights`, ...) labels every word of each report.
    `evidence`: a .jsonl file of the words behind each label. `attention`: a folder for one PNG per image and word,
    `attention_words` a name of ATTENTION_WORDS. `html`: a page of the first `html_limit` reports. `crop_borders`: cut
    even margins of images.
    """

    images: tuple[str | Path, ...]
    model: str | Path
    output: str | Path | None = None
    path_column: str | None = None
    root: str | Path | None = None
    way: str = "greedy"
    beams: int = 3
    temperature: float = 1.0
    seed: int = 0
    repeats: str = FORBID
    no_repeat_ngram: int = 0
    labeler: str = "rules"
    labeler_options: Mapping[str, object] = field(default_factory=dict)
    evidence: str | Path | None = None
    attention: str | Path | None = None
    attention_words: str = NAMED
    html: str | Path | None = None
    html_limit: int = 50
    device: str = "cpu"
    batch_size: int = 16
    workers: int = 2
    crop_borders: bool = False
    chunk_size: int = 64
    fresh: bool = False


@dataclass(frozen=True)
class GenerateSummary:
    """What a job did: images, reports, images that could not be used with the first reasons, and where everything is.

    `failed_file` lists all of them, and files of folders that are no images; None when there is none. `resumed` images
    were there from an earlier run. `findings`: finding -> state name -> reports. `shown`: the reports, when they were
    few and no output was named. `pictures`: how many PNGs of attention there are.
    """

    images: int
    written: int
    failed: int
    first_failed: tuple[tuple[str, str], ...]
    resumed: int
    seconds: float
    output: Path | None
    failed_file: Path | None
    provenance: Path | None
    evidence: Path | None
    attention: Path | None
    pictures: int
    html: Path | None
    page_reports: int
    findings: Mapping[str, Mapping[str, int]]
    shown: tuple[PageItem, ...] = ()
    notes: tuple[str, ...] = ()
    stamp: Mapping[str, str] = field(default_factory=dict)


def generate_file(
    job: GenerateJob, *, progress: Callable[[Progress, int], None] | None = None
) -> GenerateSummary:
    """Generate and label a report for every image; each output appears whole, or not at all.

    A bad image costs no good one: those that could not be used stand not in the output but in a list beside it,
    `reports.csv.failed.csv` for `reports.csv`. A run that was stopped goes on from `OUT.hilum-parts`; the bytes are
    those of a run that was never stopped, with any `batch_size` and `workers`. Standard output cannot resume.

    Raises InputError when there is no image, none can be used, or the generator cannot be loaded; OutputError;
    UnknownNameError; ResumeError when the parts are of another job; MissingExtraError without the extras `neural` and
    `images`.
    """
    began = time.monotonic()
    _check(job)
    found = find_images(job)
    from hilum.api._generate_work import GenerateWork  # noqa: PLC0415  (loads torch)

    if job.output is not None:
        return _run(job, found, GenerateWork.of(job, found.columns, output_format(job.output)), Path(job.output),
                    began=began, progress=progress)  # fmt: skip
    work = GenerateWork.of(job, found.columns, "csv", shown=FEW if len(found.items) <= FEW else 0)
    with tempfile.TemporaryDirectory(prefix="hilum-") as folder:
        return _run(job, found, work, Path(folder) / "reports.csv", began=began, progress=progress)


def _check(job: GenerateJob) -> None:
    """Raises the errors of all that can be told before anything is loaded."""
    model = Path(job.model)
    check_model_folder(
        model, _SPEC, option="--model", called="report generator", writer="hilum train generator"
    )
    if not (model / _SPEC).is_file():
        for folder in (model, model / "model"):
            if (folder / _CLASSIFIER).is_file():
                raise InputError(
                    f"{folder} is an image classifier, and it writes no reports. Next step: --model DIR with a folder "
                    f"that `hilum train generator` wrote; or hilum predict IMAGES --weights {folder} -o probs.csv"
                )
    if job.repeats not in REPEATS:
        raise UnknownNameError("way with repeated sentences", job.repeats, REPEATS)
    if job.attention_words not in ATTENTION_WORDS:
        raise UnknownNameError("choice of words", job.attention_words, ATTENTION_WORDS)
    if job.evidence is not None and Path(job.evidence).suffix.lower() != ".jsonl":
        raise OutputError(
            f"{job.evidence}: evidence is written as JSON lines. Next step: name a file ending in .jsonl."
        )
    if job.output is not None:
        output_format(job.output)
    taken: dict[Path, str] = {}
    for what, path in (("output", job.output), ("evidence", job.evidence), ("page", job.html)):
        if path is not None:
            other = taken.setdefault(Path(path).resolve(), what)
            if other != what:
                raise OutputError(
                    f"{path} is both the {other} and the {what}. Next step: give one another name."
                )
            check_writable(path)
    check_installed()


def _run(
    job: GenerateJob,
    found: Items,
    work: GenerateWork,
    output: Path,
    *,
    began: float,
    progress: Callable[[Progress, int], None] | None,
) -> GenerateSummary:
    store = FolderStore(output.with_name(output.name + ".hilum-parts"))
    same = manifest(job, found, work)
    store.open(same, fresh=job.fresh)
    try:
        if job.attention is not None:
            digest = hashlib.sha256(json.dumps(same, sort_keys=True).encode()).hexdigest()
            claim_folder(Path(job.attention), digest, fresh=job.fresh)
        report = run_chunks(
            found.items,
            work,
            store=store,
            chunking=Chunking(job.chunk_size),
            progress=None if progress is None else lambda done: progress(done, len(found.items)),
        )
        counts = read_counts(store, report.chunks, work.vocabulary.names)
        summary = _write(job, found, work, store, report, counts, output, began=began)
        store.remove()
    finally:
        store.close()
    if not summary.written:
        name, why = summary.first_failed[0]
        more = "" if summary.failed_file is None else f" All are in {summary.failed_file}."
        raise InputError(f"{none_of(summary.images)}; {name}: {why}{more}")
    return summary


def manifest(job: GenerateJob, found: Items, work: GenerateWork) -> dict[str, Any]:
    """What must be the same for two runs to share parts; a changed value is named to the user by its key."""
    return {
        "hilum": VERSION,
        "images": digest_of_items(found),
        "generator": work.digest,
        "decoding": work.decoding,
        "seed": job.seed,
        "labeler": dict(work.stamp),
        "columns": list(work.columns),
        "format": work.format,
        "borders cropped": job.crop_borders,
        "evidence": job.evidence is not None,
        "attention": None if job.attention is None else [str(job.attention), job.attention_words],
        "reports on the page": work.page_reports,
        "chunk size": job.chunk_size,
    }


def _write(
    job: GenerateJob,
    found: Items,
    work: GenerateWork,
    store: PartStore,
    report: RunReport,
    counts: Counts,
    output: Path,
    *,
    began: float,
) -> GenerateSummary:
    """Join the parts: the output, evidence, page, record, and the list of images that could not be used."""

    def parts(name: str) -> Iterator[Path]:
        return (store.path(chunk, name) for chunk in range(report.chunks))

    named = job.output is not None
    provenance = output.with_name(f"{output.name}.provenance.json") if named and counts.written else None
    shown: tuple[PageItem, ...] = ()
    if counts.written:
        assemble(parts(ROWS), output, work.columns, work.format, schema=work.schema)
        if job.evidence is not None:
            assemble(parts("evidence"), Path(job.evidence), (), "jsonl")
        if job.html is not None:
            title = f"Reports generated by {'/'.join(Path(job.model).resolve().parts[-2:])}"
            page = page_of(parts("page"), work.vocabulary, title, total=counts.written, stamp=work.stamps)
            write_whole(Path(job.html), page.encode("utf-8", "replace"))
        if provenance is not None:
            text = json.dumps(record(job, found, work, counts), indent=2, ensure_ascii=False) + "\n"
            write_whole(provenance, text.encode("utf-8", "replace"))
        if work.shown:
            shown = tuple(shown_items(parts("page"), work.vocabulary))
        elif not named:
            with output.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.buffer.flush()
    listed = list_failed(failed_file(output), [*counts.failed, *found.others], store) if named else None
    return GenerateSummary(
        images=len(found.items), written=counts.written, failed=len(counts.failed),
        first_failed=tuple(counts.failed[:5]), resumed=report.resumed, seconds=time.monotonic() - began,
        output=output if named else None, failed_file=listed, provenance=provenance,
        evidence=_path(job.evidence), attention=_path(job.attention), pictures=counts.pictures, html=_path(job.html),
        page_reports=min(counts.on_page, work.page_reports), findings=counts.findings, shown=shown,
        notes=(*found.notes, *work.notes, *counts.notes(work.sees)), stamp=work.stamps,
    )  # fmt: skip


def _path(given: str | Path | None) -> Path | None:
    return None if given is None else Path(given)
