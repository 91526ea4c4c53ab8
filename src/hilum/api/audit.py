"""The audit of a file's labels: draw a sample and write its form, then estimate from the answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hilum.analyses._audit_files import Sample, answers_json, read_answers, read_sample
from hilum.analyses._output import check_folder, write_page, write_whole
from hilum.analyses.audit import AuditedFile, audit_page, draw_sample, form_page
from hilum.api._reports import Given, label_reports
from hilum.core.errors import InputError, OutputError, UnknownNameError
from hilum.core.matrix import LabelMatrix
from hilum.core.records import RowStatus, Section
from hilum.core.results import ResultPage
from hilum.core.version import VERSION
from hilum.core.vocabulary import SHIPPED, Vocabulary
from hilum.labelers import get_labeler, labeler_options
from hilum.tables.columns import column_key, section_of_column
from hilum.tables.detect import open_reports
from hilum.tables.labels import KEY_COLUMNS, read_labels
from hilum.tables.source import ReportSource, report_text
from hilum.tables.write import output_error, utf8
from hilum.text.sections import SECTION_CHOICES, select_sections

__all__ = ["AuditSource", "AuditStart", "answers_json", "audit", "load_audited", "start_audit"]

SAMPLE_FILE, FORM_FILE, RESULTS = "sample.json", "form.html", "results"
_LEAST_FINDINGS = 2
_BATCH = 1000
_GIVEN, _MADE = "in the file", "made by hilum"


@dataclass(frozen=True)
class AuditSource:
    """A file whose labels are audited: one with columns of findings and the texts, or reports alone.

    Reports alone are labeled first, by `labeler` with `vocabulary` and `convention`. `section` is what is labeled
    and shown to the reader; without it, what the record beside a label file says, else "both". `column` is that of
    the texts.
    """

    input: str | Path
    section: str | None = None
    column: str | None = None
    labeler: str = "rules"
    vocabulary: str | None = None
    convention: str | None = None


class AuditStart(NamedTuple):
    """What was drawn, the files written, and notes on what was left out."""

    sample: Sample
    form: Path
    sample_file: Path
    notes: tuple[str, ...]


def start_audit(
    source: AuditSource, folder: str | Path, *, sample: int = 200, seed: int = 0, force: bool = False
) -> AuditStart:
    """Draw a sample of the labels of a file and write `form.html` and `sample.json` into `folder`.

    The same file, options and seed give the same bytes. Raises InputError for a file without labels, texts or
    enough reports, and OutputError when the folder has another audit (unless `force`) or cannot be written.
    """
    home = Path(folder)
    _check_home(home, force=force)
    file = load_audited(source)
    drawn = draw_sample(file, sample, seed=seed)
    try:
        write_whole(home / FORM_FILE, utf8(form_page(file, drawn)))
        write_whole(home / SAMPLE_FILE, utf8(drawn.to_json()))
    except OSError as error:
        raise output_error(error, home / FORM_FILE) from error
    notes = [*file.notes]
    if len(drawn.drawn) < sample:
        notes.append(f"The file has {len(drawn.drawn):,} reports to read: all were drawn.")
    return AuditStart(drawn, home / FORM_FILE, home / SAMPLE_FILE, tuple(notes))


def audit(
    source: AuditSource,
    answers: Sequence[str | Path],
    *,
    folder: str | Path,
    policy: str = "uncertain-to-zero",
    force: bool = False,
) -> tuple[ResultPage, list[Path]]:
    """How far the labels can be trusted, by the answers of one reader or more to the form in `folder`.

    Writes `folder`/results and returns the page and the files written. The file is read as it was when the sample
    was drawn. Raises InputError for answers to another form, labels that changed and too few answers.
    """
    if not answers:
        raise InputError("An audit needs the answers of at least one reader.")
    home = Path(folder)
    sample = read_sample(home / SAMPLE_FILE)
    read = [read_answers(Path(path), sample) for path in answers]
    names = [one.reader or f"reader {number}" for number, one in enumerate(read, start=1)]
    names = [name if names.count(name) == 1 else f"{name} ({n})" for n, name in enumerate(names, start=1)]
    read = [replace(one, reader=name) for one, name in zip(read, names, strict=True)]
    check_folder(home / RESULTS, force=force)
    page = audit_page(load_audited(_as_drawn(source, sample.options)), sample, read, policy=policy)
    return page, write_page(page, home / RESULTS, force=force)


def _as_drawn(source: AuditSource, options: Mapping[str, str]) -> AuditSource:
    return AuditSource(
        source.input,
        section=options.get("section") or source.section,
        column=options.get("column") or source.column,
        labeler=options.get("labeler") or source.labeler,
        vocabulary=options.get("vocabulary") or source.vocabulary,
        convention=options.get("convention") or source.convention,
    )


def load_audited(source: AuditSource) -> AuditedFile:
    """The reports of a file that can be read, with their labels: those in the file, or made by the labeler.

    Raises InputError when the file has no texts, or no report with a text of the section.
    """
    if str(source.input) == "-":
        raise InputError(
            "An audit reads its input twice, so it cannot be standard input. Next step: name a file."
        )
    if source.section is not None and source.section not in SECTION_CHOICES:
        raise UnknownNameError("section choice", source.section, SECTION_CHOICES)
    opened = open_reports(source.input, column=source.column)
    vocabulary = _vocabulary(source)
    given = any(
        len(v.match_columns(opened.columns)) >= _LEAST_FINDINGS
        for v in ([vocabulary] if vocabulary else SHIPPED.values())
    )
    return _with_labels(source, opened, vocabulary) if given else _labeled(source, opened)


def _vocabulary(source: AuditSource) -> Vocabulary | None:
    if source.vocabulary is None:
        return None
    if source.vocabulary in SHIPPED:
        return SHIPPED[source.vocabulary]
    return get_labeler(source.labeler, vocabulary=source.vocabulary).vocabulary


def _with_labels(source: AuditSource, opened: ReportSource, vocabulary: Vocabulary | None) -> AuditedFile:
    read = read_labels(source.input, vocabulary=vocabulary, text_column=opened.text_column)
    section = source.section or _recorded_section(Path(source.input)) or "both"
    headless = section_of_column(opened.text_column)
    chosen: list[tuple[str, tuple[Section, ...]]] = []
    for cell in read.texts or ():
        text, status, _ = report_text(cell)
        usable = text is not None and bool(text.strip()) and status is not RowStatus.UNREADABLE
        sections = select_sections(text or "", section, headless_as=headless) if usable else ()
        chosen.append((text or "", tuple(sections)))
    options = {"labels": _GIVEN, "section": section, "column": opened.text_column}
    options |= {"vocabulary": source.vocabulary} if source.vocabulary else {}
    notes = [note for note in read.notes if not note.startswith("the key is")]
    return _audited(read.matrix, chosen, options, notes)


def _labeled(source: AuditSource, opened: ReportSource) -> AuditedFile:
    section = source.section or "both"
    given = {"vocabulary": source.vocabulary, "convention": source.convention}
    options = labeler_options(source.labeler, given)
    labeler = get_labeler(source.labeler, **options)
    keys = [column_key(column) for column in opened.columns]
    key = next((keys.index(column_key(k)) for k in KEY_COLUMNS if column_key(k) in keys), None)
    rows = list(opened.rows())
    headless = section_of_column(opened.text_column)
    states: list[tuple[int, ...]] = []
    chosen: list[tuple[str, tuple[Section, ...]]] = []
    for start in range(0, len(rows), _BATCH):
        batch = [Given(row.text, row.status, row.problem) for row in rows[start : start + _BATCH]]
        for one, done in zip(
            batch,
            label_reports(labeler, batch, section=section, headless_as=headless, parents=False),
            strict=True,
        ):
            states.append(tuple(map(int, done.labels.states)))
            chosen.append((one.text or "", done.sections))
    ids = () if key is None else tuple("" if row.cells[key] is None else str(row.cells[key]) for row in rows)
    matrix = LabelMatrix(
        Path(source.input).name,
        labeler.vocabulary,
        labeler.vocabulary.names,
        ids,
        np.array(states, dtype=np.int8).reshape(len(rows), len(labeler.vocabulary)),
    )
    made = {"labels": _MADE, "section": section, "column": opened.text_column, "labeler": source.labeler}
    return _audited(matrix, chosen, {**made, **{k: str(v) for k, v in options.items()}}, list(opened.notes))


def _audited(
    labels: LabelMatrix,
    chosen: Sequence[tuple[str, tuple[Section, ...]]],
    options: Mapping[str, str],
    notes: Sequence[str],
) -> AuditedFile:
    """The rows of a file that have something to read."""
    parts = [_parts(text, sections) for text, sections in chosen]
    kept = [place for place, one in enumerate(parts) if one]
    told = [f"{note}." for note in notes]
    if not kept:
        raise InputError(
            f"{labels.source}: none of its {len(labels):,} rows has a text in the section {options['section']!r}. "
            "Next step: --section all, or --column NAME for the texts."
        )
    if len(kept) < len(labels):
        told.append(
            f"{len(labels) - len(kept):,} of {len(labels):,} rows have no text in the section "
            f"{options['section']!r} and cannot be judged; the estimates are for the other {len(kept):,}."
        )
    return AuditedFile(
        labels.take(kept),
        tuple(place + 1 for place in kept),
        tuple(parts[place] for place in kept),
        {**options, "hilum": VERSION},
        tuple(told),
    )


def _parts(text: str, sections: Sequence[Section]) -> tuple[tuple[str, str], ...]:
    found = ((section.name, text[section.start : section.end]) for section in sections)
    return tuple(
        (name if name not in ("body", "other") else "", part) for name, part in found if part.strip()
    )


def _recorded_section(path: Path) -> str | None:
    """The section that the record of `hilum label` beside a label file names."""
    try:
        record = json.loads(path.with_name(f"{path.name}.provenance.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    section = record.get("section") if isinstance(record, dict) else None
    return section if section in SECTION_CHOICES else None


def _check_home(home: Path, *, force: bool) -> None:
    """Raises OutputError, before any work is done, when the form cannot be written there."""
    if home.exists() and not home.is_dir():
        raise OutputError(
            f"{home} is a file, and an audit needs a folder. Next step: name another with -o DIR."
        )
    if not home.exists() and not home.resolve().parent.is_dir():
        raise OutputError(f"{home}: the folder {home.resolve().parent} does not exist. Next step: make it.")
    there = [name for name in (FORM_FILE, SAMPLE_FILE) if (home / name).exists()]
    if there and not force:
        raise OutputError(
            f"{home} has an audit already ({', '.join(there)}), and answers to its form may be in use. Next step: "
            "another folder with -o DIR, or --force to draw anew."
        )


def default_folder(source: AuditSource) -> Path:
    """`NAME.audit` in the current folder, after the file."""
    return Path(f"{Path(source.input).name.split('.')[0]}.audit")
