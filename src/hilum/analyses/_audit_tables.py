"""The tables and examples of an audit's page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from hilum.analyses._audit_estimates import Judged, estimates, linear, together
from hilum.analyses._audit_files import UNANSWERED, Answers, Sample
from hilum.core.matrix import LEFT_OUT
from hilum.core.results import Column, Estimate, Example, ResultTable, Value
from hilum.core.vocabulary import State
from hilum.metrics.labels import cohen_kappa, confusion, kappa_states

_FINDING = Column("finding", "finding", "text")
_COUNTS = (
    Column("labels", "positive labels in the file", "count"),
    Column("judged", "reports judged", "count"),
    Column("right", "labelled and read positive", "count"),
    Column("false", "labelled positive alone", "count"),
    Column("missed", "read positive alone", "count"),
)
_MEASURES = (Column("precision", "precision"), Column("recall", "recall"), Column("f1", "F1"))
_MOST_EXAMPLES = 100
_WHOLE_FILE = "Of the whole file, with 95 % intervals: each report judged counts by how many it stands for."
_SAMPLE = "Numbers of the sample as it was drawn, not reweighted; labels of the whole file."
Bools = npt.NDArray[np.bool_]


def findings_tables(
    judged: Judged,
    labels_nF: npt.NDArray[np.int8],
    truth_nF: npt.NDArray[np.int8],
    answered_nF: Bools,
    *,
    findings: Sequence[str],
    counted: Sequence[int],
    names: tuple[str, str],
    title: str,
) -> tuple[ResultTable, ResultTable]:
    """Precision, recall and F1 per finding and of all `counted` findings together; and the counts behind them.

    `labels_nF` and `truth_nF` are 0, 1 or LEFT_OUT for the reports of the sample; `names` are those of the tables.
    """
    parts = [linear(judged, [place]) for place in range(len(findings))]
    usable = [place for place in counted if judged.asked_F[place]]
    compared_nF = answered_nF & (labels_nF != LEFT_OUT) & (truth_nF != LEFT_OUT)
    counts = confusion(np.where(compared_nF, truth_nF, LEFT_OUT), labels_nF)
    numbers_F5 = np.stack(
        [judged.positives_F, answered_nF.sum(axis=0), counts.tp, counts.fp, counts.fn], axis=1
    ).astype(int)
    counted_rows = [(finding, *row) for finding, row in zip(findings, numbers_F5.tolist(), strict=True)]
    rows: list[tuple[Value, ...]] = [
        (finding, *estimates(judged, part)) for finding, part in zip(findings, parts, strict=True)
    ]
    note = _note([(*a, *b[1:]) for a, b in zip(counted_rows, rows, strict=True)], counted, usable)
    if usable:
        rows.append(("all together (micro)", *estimates(judged, linear(judged, usable))))
        mean = together([parts[place] for place in usable])
        rows.append(("mean over findings (macro)", *estimates(judged, mean)))
    return (
        ResultTable(names[0], title, (_FINDING, *_MEASURES), tuple(rows), note),
        ResultTable(names[1], f"{title}: counts", (_FINDING, *_COUNTS), tuple(counted_rows), _SAMPLE),
    )


def _note(rows: Sequence[tuple[Value, ...]], counted: Sequence[int], usable: Sequence[int]) -> str:
    """What the numbers are, and why there are dashes; `rows` have name, counts and measures."""
    parts = [_WHOLE_FILE]
    apart = [str(row[0]) for place, row in enumerate(rows) if place not in counted]
    if apart:
        parts.append(f"{', '.join(apart)} is not part of micro and macro.")
    why: dict[str, list[str]] = {}
    for row in rows:
        reason = _why_undefined(row)
        if reason:
            why.setdefault(reason, []).append(str(row[0]))
    parts += [f"{reason.format(', '.join(names))}." for reason, names in why.items()]
    if any(place not in usable for place in counted):
        parts.append("Micro leaves out findings that were not answered, macro every dash.")
    elif why:
        parts.append("Macro leaves out every dash.")
    return " ".join(parts)


def _why_undefined(row: tuple[Value, ...]) -> str:
    """Why a row of the table has a dash, with a place for the finding; "" when it has none."""
    labels, judged, precision, recall, f1 = row[1], row[2], *row[6:]
    if not judged:
        return "{} was not answered"
    if f1 is None and labels:
        return "No positive label of {} was judged, or too few answers were given, so nothing can be said"
    if f1 is None:
        return "{}: positive neither in the labels nor in the answers"
    if precision is None:
        return "No precision for {}: the file has no positive label of it"
    return "No recall for {}: no report was read as positive" if recall is None else ""


def strata_table(sample: Sample, answered_nF: Bools) -> ResultTable:
    """How many reports each stratum has, and how many were drawn and judged."""
    judged = np.bincount(sample.strata_n[answered_nF.any(axis=1)], minlength=len(sample.strata))
    rows = tuple(
        (s.name, s.reports, s.drawn, int(many), s.weight)
        for s, many in zip(sample.strata, judged, strict=True)
    )
    columns = (
        Column("stratum", "labels of the report", "text"),
        Column("reports", "reports in the file", "count"),
        Column("drawn", "drawn", "count"),
        Column("judged", "judged", "count"),
        Column("weight", "each stands for"),
    )
    note = "A report belongs to its rarest positive finding. Of each kind a random sample was drawn."
    return ResultTable("strata", "Kinds of reports, by their labels", columns, rows, note)


def agreement_table(one: Answers, other: Answers, findings: Sequence[str], *, name: str) -> ResultTable:
    """How far two readers agree on the reports that both answered, not reweighted."""
    both_nF = (one.states_nF != UNANSWERED) & (other.states_nF != UNANSWERED)
    rows = []
    for place, finding in enumerate(findings):
        a, b = (answers.states_nF[both_nF[:, place], place] for answers in (one, other))
        positive = cohen_kappa(confusion((a == State.POSITIVE)[:, None], (b == State.POSITIVE)[:, None]))
        same = float((a == b).mean()) if len(a) else None
        rows.append((finding, len(a), same, float(kappa_states(a, b)), float(positive[0])))
    a, b = one.states_nF[both_nF], other.states_nF[both_nF]
    positive = cohen_kappa(confusion((a == State.POSITIVE)[:, None], (b == State.POSITIVE)[:, None]))
    same = float((a == b).mean()) if len(a) else None
    rows.append(("all together", len(a), same, float(kappa_states(a, b)), float(positive[0])))
    columns = (
        Column("finding", "finding", "text"),
        Column("both", "answered by both", "count"),
        Column("same", "same state"),
        Column("kappa_states", "kappa, four states"),
        Column("kappa_positive", "kappa, positive or not"),
    )
    note = (
        "Cohen's kappa, on the sample as it is, not reweighted. A dash: both gave one and the same answer to all "
        "reports, or none was answered by both."
    )
    return ResultTable(name, f"{one.reader} and {other.reader}", columns, tuple(rows), note)


def error_examples(
    sample: Sample,
    labels_nF: npt.NDArray[np.int8],
    truth_nF: npt.NDArray[np.int8],
    compared_nF: Bools,
    *,
    states: tuple[npt.NDArray[np.int8], npt.NDArray[np.int8]],
    texts: Sequence[str],
) -> tuple[Example, ...]:
    """The reports in which a label and the answer differ under the policy; at most 100.

    `states` are the labels and the answers as four states.
    """
    wrong_nF = compared_nF & (labels_nF != truth_nF)
    return tuple(
        Example(
            f"{_where(sample, row)}: {'; '.join(_errors(sample, wrong_nF[row], states, row))}", texts[row]
        )
        for row in np.flatnonzero(wrong_nF.any(axis=1))[:_MOST_EXAMPLES]
    )


def _where(sample: Sample, row: int) -> str:
    one = sample.drawn[row]
    return f"Report {one.number}, row {one.row:,}" + (f", {one.key}" if one.key else "")


def _errors(
    sample: Sample, wrong_F: Bools, states: tuple[npt.NDArray[np.int8], npt.NDArray[np.int8]], row: int
) -> Iterator[str]:
    for place in np.flatnonzero(wrong_F):
        label, answer = (State(int(matrix[row, place])).name.lower() for matrix in states)
        yield f"{sample.findings[place]} is labelled {label} and read as {answer}"


def estimate_of(table: ResultTable, row: str, column: str) -> Estimate | None:
    """One estimate of a table of findings, by the beginning of its row's name."""
    place = [one.key for one in table.columns].index(column)
    found = next((cells[place] for cells in table.rows if str(cells[0]).startswith(row)), None)
    return found if isinstance(found, Estimate) else None
