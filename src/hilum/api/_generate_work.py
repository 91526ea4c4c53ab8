"""The work on one chunk of images: files in, rows of reports with their labels, evidence, and pictures out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from hilum.api._evidence import evidence_line, page_line
from hilum.api._generate_pictures import named_words, pictures_of, write_maps
from hilum.api._image_job import COUNTS, ROWS
from hilum.api._predict_images import Item, bare_reason
from hilum.api._reports import Given, Labeled, label_reports, reading_of
from hilum.api._work import ABSTAINED, PROBLEM, abstained
from hilum.api.generate import ALL, FORBID, REMOVE, GenerateJob
from hilum.core.vocabulary import CSV_CODES, State, Vocabulary
from hilum.labelers import Labeler, get_labeler, labeler_options, traits_of
from hilum.models.decoding import BEAM, SAMPLE, Decoding
from hilum.models.report_generator import LoadedGenerator, load_generator
from hilum.models.write_reports import ReportWriter, WrittenReport, write_reports
from hilum.tables._label_own import ABSTAINED_JOIN
from hilum.tables.columns import unique_columns
from hilum.tables.write import encode_rows, utf8

REPORT, LOG_PROBABILITY, WORD_PROBABILITY = "report", "log_probability", "word_probability"
"""Columns of a generated report: its text, the natural logarithm of its probability, and that of a mean word."""

_LOG_DIGITS, _DIGITS = 4, 6


@dataclass(frozen=True, eq=False)
class GenerateWork:
    """How images become parts; `columns` and `schema` are those of the output.

    `page_reports`: of how many images, from the first, the parts of the page are kept; `shown`: that they are for the
    terminal.
    """

    job: GenerateJob
    loaded: LoadedGenerator
    writer: ReportWriter
    labeler: Labeler
    columns: tuple[str, ...]
    schema: Mapping[str, Any]
    format: str
    decoding: Mapping[str, Any]
    notes: tuple[str, ...]
    page_reports: int
    shown: int

    @classmethod
    def of(cls, job: GenerateJob, columns: Sequence[str], fmt: str, *, shown: int = 0) -> GenerateWork:
        """The work of a job. Raises InputError when the generator, the labeler or an option cannot be used."""
        how = Decoding(
            way=job.way, beams=job.beams, temperature=job.temperature,
            no_repeat_sentences=job.repeats == FORBID, no_repeat_ngram=job.no_repeat_ngram,
        )  # fmt: skip
        device = job.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        labeler = get_labeler(job.labeler, **labeler_options(job.labeler, job.labeler_options))
        loaded = load_generator(job.model, device=device)
        writer = ReportWriter(loaded, how=how, repeats_removed=job.repeats == REMOVE, seed=job.seed)
        new, schema = _columns(labeler)
        added = unique_columns(columns, new)
        notes = [
            f"the table has a column {old!r} already, so the new one is called {name!r}"
            for old, name in zip(new, added, strict=True)
            if old != name
        ]
        return cls(
            job, loaded, writer, labeler, (*columns, *added), dict(zip(added, schema, strict=True)), fmt,
            {**asdict(how), "repeats": job.repeats}, (*notes, *_unused(job)),
            max(job.html_limit if job.html is not None else 0, shown), shown,
        )  # fmt: skip

    @property
    def digest(self) -> str:
        """SHA-256 of the generator."""
        return self.loaded.digest

    @property
    def kind(self) -> str:
        """The kind of the generator."""
        return self.loaded.spec.kind

    @property
    def sees(self) -> bool:
        """Whether the generator looks at images."""
        return self.loaded.spec.sees

    @property
    def vocabulary_size(self) -> int:
        """Words that the generator knows."""
        return len(self.loaded.spec.words)

    @property
    def vocabulary(self) -> Vocabulary:
        """The findings of the labeler."""
        return self.labeler.vocabulary

    @property
    def stamp(self) -> Mapping[str, str]:
        """What labels the reports."""
        return self.labeler.stamp

    @property
    def stamps(self) -> dict[str, str]:
        """What made the reports and their labels."""
        job = self.job
        how = {
            BEAM: f"{BEAM} of {job.beams}",
            SAMPLE: f"{SAMPLE}, seed {job.seed}, temperature {job.temperature:g}",
        }.get(job.way, job.way)
        twice = f", no {job.no_repeat_ngram} words in a row twice" if job.no_repeat_ngram else ""
        return {
            "generator": self.digest[:16],
            "decoding": f"{how}, repeats: {job.repeats}{twice}",
            **{key: value[:16] for key, value in self.stamp.items()},
        }

    def build(self) -> Callable[[int, Sequence[Item]], Mapping[str, bytes]]:
        """See `runner.WorkerSpec`."""
        return self._work

    def _work(self, first: int, items: Sequence[Item]) -> Mapping[str, bytes]:
        job = self.job
        found = write_reports(
            self.writer,
            [Path(item.path) for item in items],
            ids=[item.name for item in items],
            batch_size=job.batch_size,
            workers=job.workers,
            crop_borders=job.crop_borders,
        )
        places = [(first + place, items[place]) for place in found.places]
        labels = self._label(found.reports)
        parts = {ROWS: self._rows(places, found.reports, labels)}
        if job.evidence is not None:
            lines = (
                evidence_line(place + 1, item.name, report.text, done=done)
                for (place, item), report, done in zip(places, found.reports, labels, strict=True)
            )
            parts["evidence"] = utf8("".join(lines))
        pictures, pages = 0, []
        for (place, item), report, done in zip(places, found.reports, labels, strict=True):
            named = named_words(report, done.labels, everything=job.attention_words == ALL)
            if job.attention is not None and self.sees:
                pictures += write_maps(place, item, named, spec=self.loaded.spec, job=job)
            if place < self.page_reports:
                drawn = (
                    None
                    if job.html is None
                    else pictures_of(item, report, done.labels, self.loaded.spec, job)
                )
                pages.append(
                    json.dumps([page_line(item.name, report.text, done=done._replace(sections=())), drawn])
                )
        if first < self.page_reports:
            parts["page"] = utf8("".join(f"{line}\n" for line in pages))
        failed = [
            [one.id, bare_reason(one.why, items[one.place].path, items[one.place].name)]
            for one in found.failed
        ]
        parts[COUNTS] = json.dumps(
            {"written": len(labels), "failed": failed, "pictures": pictures, "on_page": len(pages),
             "unstopped": sum(not report.stopped for report in found.reports), **_counts(places, labels)}
        ).encode()  # fmt: skip
        return parts

    def _label(self, reports: Sequence[WrittenReport]) -> list[Labeled]:
        """Labels of every word of the reports, with evidence."""
        if not reports:
            return []
        reading = reading_of("all", traits_of(self.labeler))
        return label_reports(
            self.labeler,
            [Given(report.text) for report in reports],
            section="all",
            headless_as=reading.headless_as,
            whole=True,
            parents=False,
            explained=len(reports),
        )

    def _rows(
        self,
        places: Sequence[tuple[int, Item]],
        reports: Sequence[WrittenReport],
        labels: Sequence[Labeled],
    ) -> bytes:
        traits = traits_of(self.labeler)
        rows = []
        for (_, item), report, done in zip(places, reports, labels, strict=True):
            told = [
                *([ABSTAINED_JOIN.join(abstained(done.labels)) or None] if traits.abstains else []),
                *([done.problem or None] if traits.problems else []),
            ]
            numbers = (round(report.log_probability, _LOG_DIGITS), round(report.word_probability, _DIGITS))
            codes = (CSV_CODES[state] for state in done.labels.states)
            rows.append((*item.cells, report.text, *numbers, *codes, *told, done.labels.status.value))
        return encode_rows(self.columns, rows, self.format, schema=self.schema)


def _columns(labeler: Labeler) -> tuple[list[str], list[Any]]:
    """The columns after those of the table, and their types: the report, its labels as `hilum label` writes them."""
    traits, names = traits_of(labeler), labeler.vocabulary.names
    told = [*([ABSTAINED] if traits.abstains else []), *([PROBLEM] if traits.problems else []), "status"]
    types = ["str", "float64", "float64", *["int8"] * len(names), *["str"] * len(told)]
    return [REPORT, LOG_PROBABILITY, WORD_PROBABILITY, *names, *told], types


def _unused(job: GenerateJob) -> list[str]:
    if job.temperature != 1.0 and job.way != "sample":
        return [f"--temperature {job.temperature:g} is for --decode sample alone, and was not used"]
    return []


def _counts(places: Sequence[tuple[int, Item]], labels: Sequence[Labeled]) -> dict[str, Any]:
    findings: dict[str, Counter[str]] = {}
    for done in labels:
        for name, state in done.labels.as_dict().items():
            findings.setdefault(name, Counter())[State(state).name.lower()] += 1
    return {
        "status": Counter(done.labels.status.value for done in labels),
        "findings": findings,
        "problems": [
            f"{item.name}: {done.problem}"
            for (_, item), done in zip(places, labels, strict=True)
            if done.problem
        ],
    }
