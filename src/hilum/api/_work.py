"""The work of one worker on a file of reports: rows in, the parts of the output files out."""

from __future__ import annotations

import gc
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hilum.api._evidence import evidence_line, page_line
from hilum.api._reports import Given, Labeled, Reading, label_reports
from hilum.core.records import Labels, RowStatus
from hilum.core.vocabulary import CSV_CODES, State
from hilum.labelers import Labeler, ModelLabels, get_labeler
from hilum.tables._label_own import ABSTAINED_JOIN
from hilum.tables.source import InputRow
from hilum.tables.write import encode_rows, utf8
from hilum.text.sections import SectionCoverage

ROWS, EVIDENCE, PAGE, SUMMARY, COVERAGE = "rows", "evidence", "page", "summary", "coverage"
"""Parts of a chunk: rows in the output format, evidence lines, page lines, counts; a key of the counts."""

MOST_PROBLEMS = 10
"""Rows that are named when something was wrong with them; the others are counted."""

PROBLEM = "problem"
"""The column that says why a report has no label, or what was wrong with it."""

ABSTAINED = "abstained"
"""The column, and the count of a finding, of labels that a labeler was too doubtful of to give."""

WINDOWED, CUT_OFF, DOUBTFUL = "read in windows", "cut off", "with a doubtful label"
"""Counts of reports: longer than the model reads at once, cut there, and with an abstained label."""

_DIGITS = 6
"""Decimals of a probability in a file; its noise between batch sizes is in the last of them."""


@dataclass(frozen=True)
class RowWork:
    """How rows become parts; builds its labeler once per worker.

    `columns` and `schema` are those of the output; `id_place` is the input column that names a report.
    `probabilities`, `abstained` and `problems` say that the output has these columns. `options` build the labeler,
    `worker_options` are added in a worker process. `built` is the labeler if there is one already; it stays
    in this process.
    """

    labeler: str
    options: Mapping[str, object]
    reading: Reading
    parents: bool
    columns: tuple[str, ...]
    schema: Mapping[str, Any]
    output_format: str
    id_place: int | None
    evidence: bool
    page_rows: int
    probabilities: bool = False
    abstained: bool = False
    problems: bool = False
    worker_options: Mapping[str, object] = field(default_factory=dict)
    built: Labeler | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "built": None}

    def build(self) -> Callable[[int, Sequence[InputRow]], Mapping[str, bytes]]:
        """A function that gives the parts of the rows from a place on."""
        labeler = self.built or get_labeler(self.labeler, **{**self.options, **self.worker_options})
        gc.freeze()  # the lexicon lives as long as the worker; collecting over it again and again costs a third
        return lambda first, rows: self._parts(labeler, first, rows)

    def _parts(self, labeler: Labeler, first: int, rows: Sequence[InputRow]) -> Mapping[str, bytes]:
        coverage = SectionCoverage()
        done = label_reports(
            labeler,
            [Given(row.text, row.status, row.problem) for row in rows],
            section=self.reading.section,
            headless_as=self.reading.headless_as,
            whole=self.reading.whole,
            parents=self.parents,
            coverage=coverage,
            explained=len(rows) if self.evidence else max(0, self.page_rows - first),
        )
        more = self.probabilities or self.abstained or self.problems
        written = self._more_columns if more else _output_row
        parts = {
            ROWS: encode_rows(
                self.columns, list(map(written, rows, done)), self.output_format, schema=self.schema
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

    def _more_columns(self, row: InputRow, done: Labeled) -> tuple[Any, ...]:
        *before, status = _output_row(row, done)
        labels = done.labels
        more: list[Any] = []
        if self.probabilities:
            values = labels.probabilities or (None,) * len(labels.states)
            more += [None if p is None or math.isnan(p) else round(p, _DIGITS) for p in values]
        if self.abstained:
            more.append(ABSTAINED_JOIN.join(abstained(labels)) or None)
        if self.problems:
            more.append(done.problem or None)
        return (*before, *more, status)

    def _name(self, row: InputRow) -> str | None:
        cell = None if self.id_place is None else row.cells[self.id_place]
        return None if cell is None or cell == "" else str(cell)


def _output_row(row: InputRow, done: Labeled) -> tuple[Any, ...]:
    codes = (CSV_CODES[state] for state in done.labels.states)
    return (*row.cells, *codes, done.labels.status.value)


def abstained(labels: Labels) -> tuple[str, ...]:
    """Findings without a label because their labeler was too doubtful; none once a kind of it is there."""
    if not isinstance(labels, ModelLabels):
        return ()
    return tuple(name for name in labels.abstained if labels[name] is State.BLANK)


def _summary(first: int, done: Sequence[Labeled]) -> dict[str, Any]:
    """Counts of one chunk, plain JSON."""
    names = done[0].labels.vocabulary.names
    by_finding = zip(*(one.labels.states for one in done), strict=True)
    findings = {
        name: {State(state).name.lower(): n for state, n in sorted(Counter(states).items())}
        for name, states in zip(names, by_finding, strict=True)
    }
    return {
        "status": Counter(one.labels.status.value for one in done),
        "findings": findings,
        **_counted([one.labels for one in done], findings),
        **_problems(first, done),
    }


def _problems(first: int, done: Sequence[Labeled]) -> dict[str, Any]:
    """Rows with a problem and the first of them; apart from them, reports without an answer, by reason."""
    failed = [(i, one) for i, one in enumerate(done, first + 1) if one.labels.status is RowStatus.FAILED]
    others = [
        (i, one)
        for i, one in enumerate(done, first + 1)
        if one.problem and one.labels.status is not RowStatus.FAILED
    ]
    return {
        "problems": len(others),
        "first_problems": [f"row {i:,}: {one.problem}" for i, one in others[:MOST_PROBLEMS]],
        "failed": Counter(one.problem for _, one in failed),
        "first_failed": [f"row {i:,}: {one.problem}" for i, one in failed[:MOST_PROBLEMS]],
    }


def _counted(labels: Sequence[Labels], findings: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """What is counted of a model's labels; labels without an answer are taken from the blank ones."""
    models = [one for one in labels if isinstance(one, ModelLabels)]
    if not models:
        return {}
    doubtful = [abstained(one) for one in models]
    for name, count in Counter(name for names in doubtful for name in names).items():
        findings[name]["blank"] -= count
        findings[name][ABSTAINED] = count
    counts = {
        WINDOWED: sum(one.windows > 1 for one in models),
        CUT_OFF: sum(one.cut for one in models),
        DOUBTFUL: sum(bool(names) for names in doubtful),
    }
    return {"counted": {what: count for what, count in counts.items() if count}}
