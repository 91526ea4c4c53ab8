"""Agreement of all four states: per finding, and which state meets which."""

from __future__ import annotations

import numpy as np

from hilum.core.matrix import LabelMatrix
from hilum.core.results import Column, ResultTable, Value
from hilum.core.vocabulary import PRECEDENCE, State
from hilum.metrics.labels import kappa_states


def state_tables(a: LabelMatrix, b: LabelMatrix) -> list[ResultTable]:
    """Tables `states` (per finding) and `cross` (A's states by B's, all findings) of two aligned sources."""
    return [_per_finding(a, b), _cross(a, b)]


def _per_finding(a: LabelMatrix, b: LabelMatrix) -> ResultTable:
    rows: list[tuple[Value, ...]] = []
    for place, finding in enumerate(a.findings):
        a_N, b_N = a.states_NF[:, place], b.states_NF[:, place]
        other = a_N != b_N
        one_blank = other & ((a_N == State.BLANK) | (b_N == State.BLANK))
        one_uncertain = other & ~one_blank & ((a_N == State.UNCERTAIN) | (b_N == State.UNCERTAIN))
        parts = (other & ~one_blank & ~one_uncertain, one_uncertain, one_blank)
        counts = [int(np.count_nonzero(part)) for part in parts]
        rows.append((finding, float(np.mean(~other)), float(kappa_states(a_N, b_N)), *counts))
    columns = (
        Column("finding", "Finding", "text"), Column("same", "Same state"), Column("kappa", "Kappa of states"),
        Column("opposite", "Positive against negative", "count"),
        Column("uncertain", "Uncertain in one", "count"), Column("blank", "Blank in one", "count"),
    )  # fmt: skip
    note = "Same state: share of rows. Kappa is Cohen's, over positive, negative, uncertain and blank."
    if any(np.isnan(row[2]) for row in rows if isinstance(row[2], float)):
        note += " It is not defined where both sources have one and the same state everywhere."
    return ResultTable("states", "All four states", columns, tuple(rows), note)


def _cross(a: LabelMatrix, b: LabelMatrix) -> ResultTable:
    rows: list[tuple[Value, ...]] = []
    for state in PRECEDENCE:
        where = a.states_NF == state
        counts = [int(np.count_nonzero(where & (b.states_NF == other))) for other in PRECEDENCE]
        rows.append((f"A {state.name.lower()}", *counts))
    columns = tuple(
        Column(f"b_{other.name.lower()}", f"B {other.name.lower()}", "count") for other in PRECEDENCE
    )
    title = "Which state meets which, all findings together"
    return ResultTable("cross", title, (Column("a", "", "text"), *columns), tuple(rows))
