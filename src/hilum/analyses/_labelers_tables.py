"""Tables of the study of labelers: what was compared, weighted F1 (Tables 1 and 2), extraction tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from hilum.analyses._labelers_values import LEVELS, PRESETS, Compared, Resampled, extraction, scores
from hilum.core.results import Column, ResultTable, Value
from hilum.core.vocabulary import State
from hilum.metrics.labels import Confusion, f1, macro, micro, precision, recall, support
from hilum.stats.intervals import estimate

Floats = npt.NDArray[np.float64]
Row = tuple[Value, ...]

FINDING = Column("finding", "Finding", "text")
AVERAGE = "Average"


def sources_table(sources: Sequence[tuple[str, str, str, str | None, int, int]]) -> ResultTable:
    """One row per file: its name here, the file, vocabulary, key column, rows, and rows compared."""
    columns = (
        Column("name", "Name", "text"),
        Column("file", "File", "text"),
        Column("vocabulary", "Vocabulary", "text"),
        Column("key", "Key column", "text"),
        Column("rows", "Rows", "count"),
        Column("compared", "Rows compared", "count"),
    )
    return ResultTable("sources", "Files", columns, tuple(sources))


def gold_table(compared: Compared) -> ResultTable:
    """How often the gold has each state, per finding, as it stands in the file."""
    states = (State.POSITIVE, State.NEGATIVE, State.UNCERTAIN, State.BLANK)
    gold_NF = compared.gold.states_NF
    rows: tuple[Row, ...] = tuple(
        (finding, *(int((gold_NF[:, place] == state).sum()) for state in states))
        for place, finding in enumerate(compared.findings)
    )
    columns = (FINDING, *(Column(s.name.lower(), s.name.capitalize(), "count") for s in states))
    note = f"Of {len(compared.gold):,} reports, before any policy."
    return ResultTable("gold", "Labels of the gold", columns, rows, note)


def score_table(compared: Compared, resampled: Resampled, *, name: str, title: str, note: str) -> ResultTable:
    """One score of every labeler with intervals; the averages stand below the findings."""
    labelers = range(len(compared.labelers))
    findings = compared.findings
    rows: list[Row] = [
        (
            finding,
            *(
                estimate(float(resampled.point_LF[x, place]), resampled.values_BLF[:, x, place])
                for x in labelers
            ),
        )
        for place, finding in enumerate(findings)
    ]
    rows += [
        (words, *(estimate(*resampled.average(x, places=places)) for x in labelers))
        for words, places in _averages(compared)
    ]
    columns = (FINDING, *(Column(labeler, labeler) for labeler in compared.names))
    told = over_findings(compared.names, resampled.point_LF, findings)
    return ResultTable(name, title, columns, tuple(rows), f"{told} {note}".strip())


def _averages(compared: Compared) -> list[tuple[str, list[int]]]:
    every = list(range(len(compared.findings)))
    none = compared.gold.vocabulary.no_finding
    rest = [place for place in every if compared.findings[place] != none]
    found = [(AVERAGE, every)]
    if none in compared.findings and rest:
        found.append((f"{AVERAGE} without {none}", rest))
    return found


def over_findings(names: Sequence[str], values_LF: Floats, findings: Sequence[str]) -> str:
    """A sentence on how many findings the average of each labeler goes over, and which are missing."""
    missing = {
        name: [finding for finding, value in zip(findings, values, strict=True) if np.isnan(value)]
        for name, values in zip(names, values_LF, strict=True)
    }
    if not any(missing.values()):
        return f"Average: plain mean over all {len(findings)} findings."
    parts = [
        f"{name} over {len(findings) - len(left)} of {len(findings)}"
        + (f" (not defined for {', '.join(left)})" if left else "")
        for name, left in missing.items()
    ]
    return f"Average: plain mean over the findings where the score is defined: {'; '.join(parts)}."


def overview_table(compared: Compared, *, preset: str) -> ResultTable:
    """The average of every preset and level, the primary preset first."""
    order = sorted(PRESETS, key=lambda name: name != preset)
    rows: list[Row] = []
    for name in order:
        for level in LEVELS:
            values_LF = scores(compared, preset=name, level=level)
            shown = name + (" (primary)" if name == preset else "")
            fewest = int((~np.isnan(values_LF)).sum(axis=-1).min())
            rows.append((shown, level, fewest, *(float(v) for v in macro(values_LF))))
    columns = (
        Column("preset", "Preset", "text"),
        Column("levels", "Certainty levels", "text"),
        Column("findings", "Findings averaged", "count"),
        *(Column(name, name) for name in compared.names),
    )
    note = " ".join(f"{name}: {PRESETS[name]}." for name in order)
    return ResultTable("presets", "Average weighted F1 under each preset", columns, tuple(rows), note)


def preset_table(compared: Compared, *, preset: str) -> ResultTable:
    """Weighted F1 per finding under another preset, both levels side by side, without intervals."""
    values = {level: scores(compared, preset=preset, level=level) for level in LEVELS}
    stacked_SF = np.concatenate(list(values.values()))
    heads = [f"{name}, {level.removesuffix(' only')}" for level in LEVELS for name in compared.names]
    rows: list[Row] = [
        (finding, *(float(v) for v in stacked_SF[:, place]))
        for place, finding in enumerate(compared.findings)
    ]
    rows.append((AVERAGE, *(float(v) for v in macro(stacked_SF))))
    columns = (FINDING, *(Column(head, head) for head in heads))
    return ResultTable(
        f"weighted_f1_{preset.replace('-', '_')}",
        f"Weighted F1 under the preset {preset}",
        columns,
        tuple(rows),
        over_findings(heads, stacked_SF, compared.findings),
    )


def extraction_tables(compared: Compared, state: State) -> tuple[ResultTable, ResultTable]:
    """F1 of one state against the rest, per finding and labeler, and the precision and recall behind it."""
    counts = [extraction(compared, state, labeler) for labeler in range(len(compared.labelers))]
    word = state.name.lower()
    over = over_findings(compared.names, np.stack([f1(c) for c in counts]), compared.findings)
    gold = Column("gold", f"{word.capitalize()} in gold", "count")
    scores_of = tuple(Column(name, name) for name in compared.names)
    halves = tuple(
        Column(f"{name} {measure}", f"{name}, {measure}")
        for measure in ("precision", "recall")
        for name in compared.names
    )
    return (
        ResultTable(
            f"extraction_{word}",
            f"Extraction of {word} labels: F1",
            (FINDING, gold, *scores_of),
            _measured(compared, counts, (f1,)),
            f"{over} A dash is not defined: neither gold nor labeler has the label.",
        ),
        ResultTable(
            f"extraction_{word}_precision_recall",
            f"Extraction of {word} labels: precision and recall",
            (FINDING, gold, *halves),
            _measured(compared, counts, (precision, recall)),
            "A dash is not defined: precision where the labeler never gives the label, recall where the gold never "
            "has it. Averages leave these findings out.",
        ),
    )


def _measured(
    compared: Compared, counts: Sequence[Confusion], measures: Sequence[Callable[[Confusion], Floats]]
) -> tuple[Row, ...]:
    """Each measure of each labeler per finding, their means, and of all cells together."""
    values = [measure(c) for measure in measures for c in counts]
    pooled = [micro(c) for c in counts]
    together = [float(measure(c)[0]) for measure in measures for c in pooled]
    rows: list[Row] = [
        (finding, int(support(counts[0])[place]), *(float(v[place]) for v in values))
        for place, finding in enumerate(compared.findings)
    ]
    rows.append((AVERAGE, None, *(float(macro(v)) for v in values)))
    rows.append(("All cells together", int(support(pooled[0])[0]), *together))
    return tuple(rows)
