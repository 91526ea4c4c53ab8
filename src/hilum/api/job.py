"""A file of reports to a file of labels, in parts that survive a kill."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hilum.api._outputs import read_summary, write_outputs
from hilum.api._plan import Plan, chunk_size_of, make_plan
from hilum.api._work import CUT_OFF, DOUBTFUL, WINDOWED
from hilum.core.errors import InputError
from hilum.core.records import RowStatus
from hilum.core.vocabulary import State
from hilum.labelers import Traits, traits_of
from hilum.labelers._base import Teller
from hilum.runner.local import Chunking, Progress, RunReport, run_chunks
from hilum.runner.store import FolderStore, PartStore
from hilum.tables.source import InputRow

_MOST_WORKERS = 8
_ENOUGH = 10
"""Reports, from which on it is odd that all labels are blank."""
_BLANK = State.BLANK.name.lower()


@dataclass(frozen=True)
class LabelJob:
    """What to label and how.

    `input` is a csv, tsv, parquet or jsonl file, a folder of .txt files, Open-I XML (a folder or .tgz), or
    "-" for standard input. `output` takes its format from its extension; "-" is csv to standard output; None
    is "-" for standard input, else `NAME.labels.csv` in the current folder (`.tsv`, `.parquet`, `.jsonl` for
    such an input). `evidence` is a .jsonl file, `html` a page of the first `html_limit` reports. `fresh`
    forgets the parts of an unfinished run. `workers` above 1 starts worker processes; None is one per CPU and
    at most 8, or one for a labeler that uses all cores itself. `vocabulary`, `convention` and `section` None
    are the labeler's own. `options` are further options of the labeler (`weights`, `device`, ...).
    `probabilities` adds a column `NAME probability` per finding. `chunk_size` reports are kept together, so that at
    most so many are lost when a run is killed; None is what suits the labeler.
    """

    input: str | Path
    output: str | Path | None = None
    labeler: str = "rules"
    vocabulary: str | None = None
    convention: str | None = None
    column: str | None = None
    section: str | None = None
    evidence: str | Path | None = None
    html: str | Path | None = None
    html_limit: int = 200
    workers: int | None = 1
    propagate_parents: bool = False
    fresh: bool = False
    chunk_size: int | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    probabilities: bool = False


@dataclass(frozen=True)
class JobSummary:
    """What a job did.

    `findings` is finding -> state name -> rows (and "abstained" -> rows, where a labeler was too doubtful),
    `status` row status -> rows, `coverage` what `SectionCoverage.to_dict` says of the reports' headings,
    `section` the choice of sections that were labeled. `resumed` rows were there from an earlier run.
    `failed` is why reports got no answer and so no label -> reports; the column `problem` says it for each of them.
    `notes` are for the user: what was unusual in the input and the run. `page_rows` is the number of reports
    on the page. Paths are None for outputs that were not asked for; `output` is None for standard output.
    """

    rows: int
    resumed: int
    seconds: float
    findings: Mapping[str, Mapping[str, int]]
    status: Mapping[str, int]
    coverage: Mapping[str, Any]
    notes: tuple[str, ...]
    output: Path | None
    provenance: Path | None
    evidence: Path | None
    html: Path | None
    page_rows: int = 0
    stamp: Mapping[str, str] = field(default_factory=dict)
    section: str = "both"
    failed: Mapping[str, int] = field(default_factory=dict)


def label_file(
    job: LabelJob, *, progress: Callable[[Progress, int | None], None] | None = None
) -> JobSummary:
    """Label every row of `job.input`; every output appears whole, or not at all.

    Beside the output stands `OUT.provenance.json`. A run that was stopped in any way goes on from its parts
    in `OUT.hilum-parts` when it is started again; the bytes are those of a run that was never stopped.
    Standard input and standard output cannot resume. `progress` is called with the progress and the (maybe
    estimated) number of rows, if it is known.

    Raises InputError, OutputError, UnknownNameError, LexiconError; ResumeError when the parts belong to
    another input or other options; WorkerError when some rows could not be labeled.
    """
    began = time.monotonic()
    plan = make_plan(job)
    try:
        with _opened(plan, fresh=job.fresh) as store:
            report = _run(job, plan, store, progress)
            counts = read_summary(store, report.chunks, findings=plan.vocabulary.names)
            page_rows = write_outputs(plan, store, report.chunks, counts)
            store.remove()
    finally:
        plan.clean_up()
    return _summary(plan, report, counts, page_rows=page_rows, seconds=time.monotonic() - began)


@contextmanager
def _opened(plan: Plan, *, fresh: bool) -> Iterator[PartStore]:
    """The job's store; after an error its parts stay for the next run, if there can be one."""
    store = FolderStore(plan.parts_folder, parts_alone=True)
    store.open(plan.manifest, fresh=fresh)
    try:
        yield store
    except BaseException:
        if plan.resumable:
            store.close()
        else:
            store.remove()
        raise


def _run(
    job: LabelJob, plan: Plan, store: PartStore, progress: Callable[[Progress, int | None], None] | None
) -> RunReport:
    total = plan.source.row_count_hint()
    chunk_size = chunk_size_of(job, plan.work)
    small = total is not None and total <= chunk_size
    traits = Traits() if plan.work.built is None else traits_of(plan.work.built)
    workers = 1 if small else _workers(job, traits)
    work = plan.work
    if traits.uses_all_cores and workers > 1:
        work = replace(work, worker_options={"threads": max(1, _cpus() // workers)})
    report = run_chunks(
        plan.source.rows(),
        work,
        store=store,
        chunking=Chunking(chunk_size, weigh=_weight),
        workers=workers,
        progress=None if progress is None else lambda done: progress(done, total),
    )
    if plan.source.fingerprint() != plan.fingerprint:
        raise InputError(
            f"{job.input} was changed while it was being labeled, so nothing was written. Next step: run the "
            "same command again with --fresh (in Python: fresh=True)."
        )
    return report


def _workers(job: LabelJob, traits: Traits) -> int:
    if job.workers is not None:
        return job.workers
    return 1 if traits.uses_all_cores else min(_cpus(), _MOST_WORKERS)


def _cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _weight(row: InputRow) -> int:
    try:
        return sum(map(len, row.cells))
    except TypeError:  # not all cells are texts
        return sum(len(cell) for cell in row.cells if isinstance(cell, (str, bytes)))


def _summary(
    plan: Plan, report: RunReport, counts: Mapping[str, Any], *, page_rows: int, seconds: float
) -> JobSummary:
    notes = [*plan.notes, *plan.source.notes, *report.retried, *_counted_notes(counts["counted"])]
    if isinstance(plan.work.built, Teller):
        notes += plan.work.built.after_run()
    notes += _blank_notes(counts["status"].get(RowStatus.LABELED, 0), counts["findings"])
    if counts["problems"]:
        shown = "; ".join(counts["first_problems"])
        notes.append(f"something was wrong with {counts['problems']:,} rows, in order: {shown}")
    if counts["failed"]:
        shown = "; ".join(counts["first_failed"])
        notes.append(
            f"{sum(counts['failed'].values()):,} reports got no answer and no label, in order: {shown}"
        )
    return JobSummary(
        rows=report.items,
        resumed=report.resumed,
        seconds=seconds,
        findings=counts["findings"],
        status=counts["status"],
        coverage=counts["coverage"],
        notes=tuple(notes),
        output=plan.output,
        provenance=plan.provenance,
        evidence=plan.evidence,
        html=plan.html,
        page_rows=page_rows,
        stamp=plan.stamp,
        section=plan.work.reading.section,
        failed=counts["failed"],
    )


_TOLD: Mapping[str, str] = {
    WINDOWED: "longer than the model reads at once: read in overlapping windows",
    CUT_OFF: "longer than the model reads and cut there, as in the original programs; "
    "--long windows reads all of a report",
    DOUBTFUL: "with a label too doubtful to give: its cell is empty and the finding is named in the column "
    "of abstained ones; such a cell is no blank",
}


def _blank_notes(labeled: int, findings: Mapping[str, Mapping[str, int]]) -> list[str]:
    others = sum(n for states in findings.values() for name, n in states.items() if name != _BLANK)
    if others or labeled < _ENOUGH:
        return []
    said = f"every label of the {labeled:,} labeled reports is blank"
    return [f"{said}. Next step: check the column, the section and the model"]


def _counted_notes(counted: Mapping[str, int]) -> list[str]:
    return [
        f"{counted[what]:,} report{'' if counted[what] == 1 else 's'} {told}"
        for what, told in _TOLD.items()
        if what in counted
    ]
