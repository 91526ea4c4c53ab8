"""Tables of the study of retrieved reports: what was read, what changed, how near the neighbours are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hilum.analyses._labelers_tables import AVERAGE, FINDING, over_findings
from hilum.analyses._labelers_values import PRESETS as MEANINGS
from hilum.analyses._retrieval_inputs import PRESETS, RetrievalStudy
from hilum.analyses._retrieval_labels import Labeled
from hilum.analyses._retrieval_near import KINDS, Similar
from hilum.analyses._retrieval_values import Changes, moves
from hilum.core.matrix import LEFT_OUT
from hilum.core.results import Column, Estimate, ResultTable, Value
from hilum.core.vocabulary import State

Row = tuple[Value, ...]
LABELER = Column("labeler", "Labeler", "text")
BOTH = ("report alone", "with similar reports")


def sets_table(similar: Similar) -> ResultTable:
    """Studies, patients and images of each set, and images that could not be used."""
    rows: list[Row] = []
    for one in (similar.test, similar.stored):
        patients = len({study.patient for study in one.studies if study.patient})
        images, damaged = similar.images.get(one.role), len(similar.damaged.get(one.role, ()))
        rows.append((one.role, one.source.said, len(one), patients, images, damaged))
    columns = (
        Column("set", "Set", "text"), Column("source", "Source", "text"), Column("studies", "Studies", "count"),
        Column("patients", "Patients", "count"), Column("images", "Images used", "count"),
        Column("damaged", "Images that could not be used", "count"),
    )  # fmt: skip
    return ResultTable("sets", "Sets", columns, tuple(rows), "A dash: images were not asked for.")


def damaged_table(similar: Similar) -> ResultTable:
    """Each image that could not be used, and why."""
    rows: list[Row] = [(role, line) for role, lines in similar.damaged.items() for line in lines]
    columns = (Column("set", "Set", "text"), Column("why", "Study and reason", "text"))
    return ResultTable("damaged_images", "Images that could not be used", columns, tuple(rows))


def lengths_table(labeled: Sequence[Labeled]) -> ResultTable:
    """How much each labeler read of a report, alone and with similar reports."""
    rows: list[Row] = []
    for one in labeled:
        for what, read in zip(BOTH, one.read, strict=True):
            some = len(read.words) > 0
            rows.append(
                (
                    one.name, what, len(read.words),
                    float(read.characters.mean()) if some else None, int(read.characters.max()) if some else None,
                    float(read.words.mean()) if some else None, int(read.words.max()) if some else None,
                    None if read.tokens is None or not some else float(read.tokens.mean()),
                    None if read.tokens is None or not some else int(read.tokens.max()),
                    int((read.windows > 1).sum()), int(read.windows.max()) if some else None, read.cut,
                )
            )  # fmt: skip
    columns = (
        LABELER, Column("read", "Read", "text"), Column("reports", "Reports", "count"),
        Column("characters_mean", "Characters, mean"), Column("characters_most", "most", "count"),
        Column("words_mean", "Words, mean"), Column("words_most", "most words", "count"),
        Column("tokens_mean", "Tokens, mean"), Column("tokens_most", "most tokens", "count"),
        Column("windowed", "In several windows", "count"), Column("windows_most", "Windows, most", "count"),
        Column("cut", "Cut", "count"),
    )  # fmt: skip
    note = (
        "Words stand between spaces. Tokens are those of the model, without any prompt; a dash: it has none, or they "
        "are not known. What a model does not read at once it reads in overlapping windows, unless it was told to cut "
        "(its option long=cut)."
    )
    return ResultTable("lengths", "How much was read", columns, tuple(rows), note)


def averages_table(changes: Changes) -> ResultTable:
    """The average weighted F1 of every labeler and preset, alone, with similar reports, and the change."""
    rows: list[Row] = [
        (preset, name, *changes.average(preset, place))
        for preset in PRESETS
        for place, name in enumerate(changes.names)
    ]
    columns = (
        Column("preset", "Preset", "text"), LABELER, Column("alone", "Report alone"),
        Column("longer", "With similar reports"), Column("change", "Change"),
    )  # fmt: skip
    note = " ".join(f"{name}: {MEANINGS[name]}." for name in PRESETS)
    return ResultTable("change_average", "Average weighted F1 and its change", columns, tuple(rows), note)


def findings_table(changes: Changes, preset: str) -> ResultTable:
    """Weighted F1 per finding and labeler, and the change with its interval."""
    found = changes.by_preset[preset]
    rows: list[list[Value]] = [[name] for name in (*changes.findings, AVERAGE)]
    columns = [FINDING]
    for place, name in enumerate(changes.names):
        change = changes.change(preset, place)
        for number in range(len(changes.findings)):
            rows[number] += [float(found.point_LF[2 * place + k, number]) for k in (0, 1)]
        rows[-1] += [found.average(2 * place + k)[0] for k in (0, 1)]
        for row, one in zip(rows, change, strict=True):
            row.append(one)
        columns += [
            Column(f"{name} alone", f"{name}, alone"), Column(f"{name} longer", f"{name}, longer"),
            Column(f"{name} change", f"{name}, change"),
        ]  # fmt: skip
    heads = [f"{name}, {what}" for name in changes.names for what in BOTH]
    return ResultTable(
        f"change_{preset.replace('-', '_')}",
        f"Weighted F1 per finding, {preset}",
        tuple(columns),
        tuple(tuple(row) for row in rows),
        over_findings(heads, found.point_LF, changes.findings),
    )


def moves_table(changes: Changes) -> ResultTable:
    """How many labels changed, and whether for the better."""
    rows: list[Row] = [(name, *moves(changes, place)) for place, name in enumerate(changes.names)]
    columns = (
        LABELER, Column("cells", "Labels compared", "count"), Column("changed", "Changed", "count"),
        Column("worse", "Right to wrong", "count"), Column("better", "Wrong to right", "count"),
        Column("wrong", "Wrong to otherwise wrong", "count"),
    )  # fmt: skip
    return ResultTable("moves", "Labels that changed", columns, tuple(rows))


def states_table(changes: Changes) -> ResultTable:
    """From which state to which the labels of each labeler changed."""
    rows: list[Row] = []
    for place, name in enumerate(changes.names):
        before, after = (one.states_NF for one in changes.pair(place))
        for was in State:
            counts = [int(((before == was) & (after == now)).sum()) for now in State]
            rows.append((name, was.name.lower(), *counts))
    columns = (
        LABELER, Column("alone", "Report alone", "text"),
        *(Column(s.name.lower(), f"then {s.name.lower()}", "count") for s in State),
    )  # fmt: skip
    return ResultTable("states", "From which label to which", columns, tuple(rows))


def similarity_table(similar: Similar, k: int) -> ResultTable:
    """How similar the neighbours are, by rank."""
    values_NK = np.array([[one.similarity for one in near.neighbours] for near in similar.nearest])
    rows: list[Row] = [
        (rank + 1, *(float(v) for v in (column.mean(), column.min(), np.median(column), column.max())))
        for rank, column in enumerate(values_NK[:, :k].T)
    ]
    columns = (
        Column("rank", "Neighbour", "count"), Column("mean", "Cosine similarity, mean"), Column("least", "least"),
        Column("median", "median"), Column("most", "most"),
    )  # fmt: skip
    return ResultTable("similarity", "How similar the neighbours are", columns, tuple(rows))


def passed_table(similar: Similar, pairs: int) -> ResultTable:
    """Reports that were nearer than the last neighbour and were passed over, by what they shared."""
    rows: list[Row] = [
        (
            kind,
            sum(near.passed_over.get(kind, 0) for near in similar.nearest),
            sum(near.passed_over.get(kind, 0) > 0 for near in similar.nearest),
            0,
        )
        for kind in KINDS
    ]
    columns = (
        Column("shared", "Shared with the test report", "text"), Column("passed", "Passed over", "count"),
        Column("tests", "Test reports concerned", "count"), Column("leaks", "Among the neighbours", "count"),
    )  # fmt: skip
    note = (
        f"A report can count for several reasons. All {pairs:,} pairs of test report and neighbour were checked again "
        "after the search, from the studies themselves."
    )
    return ResultTable("passed_over", "Reports that were not allowed", columns, tuple(rows), note)


def told_change(name: str, change: Estimate) -> str:
    """One change in words."""
    verdict = (
        "the interval holds 0"
        if change.low <= 0 <= change.high
        else "worse"
        if change.value < 0
        else "better"
    )
    numbers = f"{change.value:+.3f} ({change.low:+.3f} to {change.high:+.3f})".replace("-", "\N{MINUS SIGN}")
    return f"{name} {numbers}, {verdict}"


def changed_cells(changes: Changes, labeler: int) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Which labels of a labeler changed, bool [N, F]."""
    before, after = (one.states_NF for one in changes.pair(labeler))
    return np.asarray((before != LEFT_OUT) & (before != after))


def stamp_of(study: RetrievalStudy) -> dict[str, str]:
    """What decides the numbers of the page."""
    return {
        "test": study.test, "datastore": study.datastore, "gold": str(study.gold), "k": str(study.k),
        "similar by": "text" if study.text else "images", "marker": study.marker or "none",
        "section": study.section or "as each labeler was made for", "appended": study.append, "views": study.views,
        "bootstrap replicates": str(study.replicates), "seed": str(study.seed),
    }  # fmt: skip
