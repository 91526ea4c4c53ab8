"""The work of one worker on a file of reports: rows in, the parts of the output files out."""

from __future__ import annotations

import gc
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hilum.api._evidence import evidence_line, page_line
from hilum.api._reports import Given, Labeled, label_reports
from hilum.core.vocabulary import CSV_CODES, State
from hilum.labelers import Labeler, get_labeler
from hilum.tables.source import InputRow
from hilum.tables.write import encode_rows, utf8
from hilum.text.sections import SectionCoverage

ROWS, EVIDENCE, PAGE, SUMMARY, COVERAGE = "rows", "evidence", "page", "summary", "coverage"
"""Parts of a chunk: rows in the output format, evidence lines, page lines, counts; a key of the counts."""

MOST_PROBLEMS = 10
"""Rows that are named when something was wrong with them; the others are counted."""


@dataclass(frozen=True)
class RowWork:
    """How rows become parts; builds its labeler once per worker.

    `columns` and `schema` are those of the output; `id_place` is the input column that names a report.
    `built` is the labeler if there is one already; it stays in this process.
    """

    labeler: str
    options: Mapping[str, str]
    section: str
    headless_as: str | None
    parents: bool
    columns: tuple[str, ...]
    schema: Mapping[str, Any]
    output_format: str
    id_place: int | None
    evidence: bool
    page_rows: int
    built: Labeler | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "built": None}

    def build(self) -> Callable[[int, Sequence[InputRow]], Mapping[str, bytes]]:
        """A function that gives the parts of the rows from a place on."""
        labeler = self.built or get_labeler(self.labeler, **self.options)
        gc.freeze()  # the lexicon lives as long as the worker; collecting over it again and again costs a third
        return lambda first, rows: self._parts(labeler, first, rows)

    def _parts(self, labeler: Labeler, first: int, rows: Sequence[InputRow]) -> Mapping[str, bytes]:
        coverage = SectionCoverage()
        done = label_reports(
            labeler,
            [Given(row.text, row.status, row.problem) for row in rows],
            section=self.section,
            headless_as=self.headless_as,
            parents=self.parents,
            coverage=coverage,
        )
        parts = {
            ROWS: encode_rows(
                self.columns, list(map(_output_row, rows, done)), self.output_format, schema=self.schema
            ),
            SUMMARY: json.dumps(_summary(first, done) | {COVERAGE: coverage.to_dict()}).encode(),
        }
        if self.evidence:
            lines = [
                evidence_line(first + i + 1, self._name(row), row.text, done=one)
                for i, (row, one) in enumerate(zip(rows, done, strict=True))
            ]
            parts[EVIDENCE] = utf8("".join(lines))
        if first < self.page_rows:
            lines = [
                page_line(self._name(row) or f"row {first + i + 1}", row.text, done=one)
                for i, (row, one) in enumerate(zip(rows, done, strict=True))
                if first + i < self.page_rows
            ]
            parts[PAGE] = "".join(lines).encode()
        return parts

    def _name(self, row: InputRow) -> str | None:
        cell = None if self.id_place is None else row.cells[self.id_place]
        return None if cell is None or cell == "" else str(cell)


def _output_row(row: InputRow, done: Labeled) -> tuple[Any, ...]:
    codes = (CSV_CODES[state] for state in done.labels.states)
    return (*row.cells, *codes, done.labels.status.value)


def _summary(first: int, done: Sequence[Labeled]) -> dict[str, Any]:
    """Counts of one chunk, plain JSON."""
    names = done[0].labels.vocabulary.names
    by_finding = zip(*(one.labels.states for one in done), strict=True)
    return {
        "status": Counter(one.labels.status.value for one in done),
        "findings": {
            name: {State(state).name.lower(): n for state, n in sorted(Counter(states).items())}
            for name, states in zip(names, by_finding, strict=True)
        },
        "problems": sum(1 for one in done if one.problem),
        "first_problems": [
            f"row {first + i + 1:,}: {one.problem}" for i, one in enumerate(done) if one.problem
        ][:MOST_PROBLEMS],
    }
