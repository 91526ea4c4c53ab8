"""What a job will read, do and write, worked out and checked before anything is done."""

from __future__ import annotations

import hashlib
import shutil
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hilum.api._reports import reading_of
from hilum.api._work import ABSTAINED, PROBLEM, RowWork
from hilum.core.errors import InputError, OutputError, UnknownNameError
from hilum.core.version import VERSION
from hilum.core.vocabulary import Vocabulary
from hilum.labelers import Labeler, Traits, get_labeler, labeler_options, traits_of
from hilum.tables.columns import column_key, unique_columns
from hilum.tables.detect import open_reports
from hilum.tables.source import ReportSource
from hilum.tables.write import OUTPUT_FORMATS, check_writable, output_format
from hilum.text.sections import SECTION_CHOICES

if TYPE_CHECKING:
    from hilum.api.job import LabelJob

_ID_COLUMNS = (
    "id", "report_id", "study_id", "accession", "accession_number", "uid", "study", "dicom_id", "image_id",
    "path", "path_to_image", "file", "filename", "file_name", "patient_id", "subject_id",
)  # fmt: skip
"""Columns that can name a report, the most specific first."""


@dataclass(frozen=True)
class Plan:
    """A job with everything looked up.

    `output` None means standard output. `temporary` is the folder of the parts when the output is a stream
    (standard output, a pipe, a device), which cannot resume.
    """

    source: ReportSource
    input_name: str
    fingerprint: str
    vocabulary: Vocabulary
    stamp: Mapping[str, str]
    work: RowWork
    manifest: Mapping[str, object]
    output: Path | None
    evidence: Path | None
    html: Path | None
    parts_folder: Path
    resumable: bool
    notes: tuple[str, ...]
    temporary: Path | None

    @property
    def provenance(self) -> Path | None:
        """The record beside the output; None for a stream."""
        return None if self.output is None or self.temporary else _provenance(self.output)

    def clean_up(self) -> None:
        """Remove what was made for this run alone."""
        if self.temporary is not None:
            shutil.rmtree(self.temporary, ignore_errors=True)


def make_plan(job: LabelJob) -> Plan:
    """Everything of `job` opened, looked up and checked; nothing is written.

    Raises InputError, OutputError, UnknownNameError, LexiconError.
    """
    if job.section is not None and job.section not in SECTION_CHOICES:
        raise UnknownNameError("section choice", job.section, SECTION_CHOICES)
    output, evidence, html = _outputs(job)
    given = {"vocabulary": job.vocabulary, "convention": job.convention, **job.options}
    options = labeler_options(job.labeler, given)
    labeler = get_labeler(job.labeler, **options)
    if job.probabilities and not traits_of(labeler).probabilities:
        raise InputError(
            f"The labeler {job.labeler!r} has no probabilities as it is asked here. Next step: leave that option out, "
            f"or {traits_of(labeler).no_probabilities}."
        )
    source = open_reports(job.input, column=job.column)
    work, notes = _work(job, source, labeler, output, options, evidence is not None)
    fingerprint = source.fingerprint()
    stream = output is None or _is_stream(output)
    if stream and source.resumable:
        notes.append("standard output cannot resume: a run that is stopped starts again from zero")
    temporary = Path(tempfile.mkdtemp(prefix="hilum-")) if stream else None
    return Plan(
        source=source,
        input_name="standard input" if str(job.input) == "-" else Path(job.input).resolve().name,
        fingerprint=fingerprint,
        vocabulary=labeler.vocabulary,
        stamp=labeler.stamp,
        work=work,
        manifest=_manifest(job, work, fingerprint, labeler.stamp),
        output=output,
        evidence=evidence,
        html=html,
        parts_folder=temporary / "parts" if temporary else parts_folder(output or Path()),
        resumable=source.resumable and not stream,
        notes=tuple(notes),
        temporary=temporary,
    )


def default_output(source: str | Path) -> Path | None:
    """Where labels go when nothing is said: None (standard output) for "-", else a file in this folder."""
    if str(source) == "-":
        return None
    name = Path(source).resolve().name
    for packed in (".gz", ".tar"):
        name = name.removesuffix(packed)
    suffix = Path(name).suffix.lower()
    stem = Path(name).stem if suffix in (*OUTPUT_FORMATS, ".tgz", ".ndjson", ".xml") else name
    return Path(f"{stem}.labels{suffix if suffix in OUTPUT_FORMATS else '.csv'}")


def _outputs(job: LabelJob) -> tuple[Path | None, Path | None, Path | None]:
    """Output, evidence and page, each checked: a file that can be written and is none of the others."""
    named = default_output(job.input) if job.output is None else Path(job.output)
    output = None if named is None or str(named) in ("-", "/dev/stdout") else named
    evidence, html = (None if path is None else Path(path) for path in (job.evidence, job.html))
    _format(output)
    if evidence is not None and evidence.suffix.lower() != ".jsonl":
        raise OutputError(
            f"{evidence}: evidence is written as JSON lines. Next step: name a file ending in .jsonl."
        )
    wanted = {"evidence": evidence, "page": html}
    if output is not None and not _is_stream(output):
        wanted = {"output": output, "record of the output": _provenance(output), **wanted}
    _check_distinct(job, wanted)
    return output, evidence, html


def _check_distinct(job: LabelJob, wanted: Mapping[str, Path | None]) -> None:
    taken: dict[Path, str] = {} if str(job.input) == "-" else {Path(job.input).resolve(): "input"}
    for what, path in wanted.items():
        if path is None:
            continue
        other = taken.setdefault(path.resolve(), what)
        if other != what:
            raise OutputError(
                f"{path} is both the {other} and the {what}; nothing was written. "
                f"Next step: give the {what} another name."
            )
        check_writable(path)


def _format(output: Path | None) -> str:
    return "csv" if output is None or (_is_stream(output) and not output.suffix) else output_format(output)


def _is_stream(path: Path) -> bool:
    return path.exists() and not stat.S_ISREG(path.stat().st_mode) and not path.is_dir()


def _beside(output: Path, ending: str) -> Path:
    return output.with_name(output.name + ending)


def parts_folder(output: Path) -> Path:
    """Where the parts of an unfinished run are kept."""
    return _beside(output, ".hilum-parts")


def _provenance(output: Path) -> Path:
    return _beside(output, ".provenance.json")


def _work(
    job: LabelJob,
    source: ReportSource,
    labeler: Labeler,
    output: Path | None,
    options: Mapping[str, object],
    evidence: bool,
) -> tuple[RowWork, list[str]]:
    traits, names = traits_of(labeler), labeler.vocabulary.names
    probabilities = [f"{name} probability" for name in names] if job.probabilities else []
    told = [*([ABSTAINED] if traits.abstains else []), *([PROBLEM] if traits.problems else [])]
    wanted = (*names, *probabilities, *told, "status")
    added = unique_columns(source.columns, wanted)
    notes = [
        f"the input has a column {old!r} already, so the new one is called {new!r}"
        for old, new in zip(wanted, added, strict=True)
        if old != new
    ]
    notes += traits.notes
    if traits.learned and job.section not in (None, traits.section):
        notes.append(f"the model was trained on the section {traits.section!r}, and {job.section!r} is read")
    cut = len(names) + len(probabilities)
    types = {
        **dict.fromkeys(added[: len(names)], "int8"),
        **dict.fromkeys(added[len(names) : cut], "float64"),
    }
    schema: dict[str, Any] = {**source.schema, **types, **dict.fromkeys(added[cut:], "str")}
    work = RowWork(
        labeler=job.labeler,
        options=options,
        reading=reading_of(job.section, traits, column=source.text_column),
        parents=job.propagate_parents,
        columns=(*source.columns, *added),
        schema=schema,
        output_format=_format(output),
        id_place=_id_place(source),
        evidence=evidence,
        page_rows=job.html_limit if job.html is not None else 0,
        probabilities=job.probabilities,
        abstained=traits.abstains,
        problems=traits.problems,
        built=labeler,
    )
    return work, notes


def _id_place(source: ReportSource) -> int | None:
    keys = [column_key(column) for column in source.columns]
    places = [keys.index(column_key(name)) for name in _ID_COLUMNS if column_key(name) in keys]
    return next((place for place in places if place != source.text_index), None)


def chunk_size_of(job: LabelJob, work: RowWork) -> int:
    """Reports that are kept together: what was asked for, else what suits the labeler."""
    traits = Traits() if work.built is None else traits_of(work.built)
    return traits.chunk_size if job.chunk_size is None else job.chunk_size


def _manifest(job: LabelJob, work: RowWork, fingerprint: str, stamp: Mapping[str, str]) -> dict[str, object]:
    """What must be the same for two runs to share parts; a changed value is named to the user by its key."""
    columns = hashlib.sha256("\0".join(work.columns).encode("utf-8", "replace")).hexdigest()
    return {
        "hilum": VERSION,
        "input": fingerprint,
        "text column": job.column,
        "columns": columns,
        "section": work.reading.section,
        "labeler": dict(stamp),
        "propagate parents": work.parents,
        "output format": work.output_format,
        "evidence": work.evidence,
        "reports on the page": work.page_rows,
        "chunk size": chunk_size_of(job, work),
        "versions": _versions(work.output_format),
    }


def _versions(fmt: str) -> dict[str, str]:
    if fmt != "parquet":
        return {}
    import polars as pl  # noqa: PLC0415  (slow to import)

    return {"polars": pl.__version__}
