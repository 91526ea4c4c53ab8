"""Several readers of the same images: each against the majority of the others, and all among themselves."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

from hilum.core.matrix import LEFT_OUT, LabelMatrix
from hilum.core.results import Column, ResultTable, Value
from hilum.metrics.labels import Confusion, cohen_kappa, confusion, f1, macro, recall, specificity, support
from hilum.stats.agreement import fleiss_kappa, krippendorff_alpha, majority, majority_of_others

MOST_READERS_SEARCHED = 12
"""Up to this many readers, all groups of them are tried when looking for those behind the image labels."""

SAME_CELLS = 0.995
"""Share of equal cells from which a group's majority counts as the image labels."""


def votes_of(readers: Sequence[LabelMatrix], findings: Sequence[str]) -> npt.NDArray[np.int8]:
    """Votes 0/1 of R readers, int8 [R, N, F]; LEFT_OUT for uncertain, and for a finding a reader lacks."""
    votes = np.full((len(readers), len(readers[0]), len(findings)), LEFT_OUT, dtype=np.int8)
    for place, reader in enumerate(readers):
        shared = [f for f in findings if f in reader.findings]
        votes[place][:, [list(findings).index(f) for f in shared]] = reader.select(shared).binary(
            "uncertain-ignored"
        )
    return votes


def readers_behind(
    truth_NF: npt.NDArray[np.int8], votes_RNF: npt.NDArray[np.int8], *, ties: str
) -> tuple[tuple[int, ...], float]:
    """The readers whose majority the image labels are, and the share of equal cells; () when there are none.

    The smallest group with at least SAME_CELLS equal cells and the largest share. A reader of that group must
    not be compared with these image labels.
    """
    readers = len(votes_RNF)
    best: tuple[tuple[int, ...], float] = ((), 0.0)
    if readers > MOST_READERS_SEARCHED:
        return best
    for size in range(1, readers + 1):
        for group in combinations(range(readers), size):
            same = float((majority(votes_RNF[list(group)], ties=ties) == truth_NF).mean())
            if same >= SAME_CELLS and same > best[1]:
                best = (group, same)
    return best


def measures(truth_NF: npt.NDArray[np.int8], other_NF: npt.NDArray[np.int8]) -> Confusion:
    """Confusion of one reader or source with 0/1 labels, [F]."""
    return confusion(truth_NF, other_NF)


def reader_table(
    names: Sequence[str],
    pairs: Sequence[tuple[npt.NDArray[np.int8], npt.NDArray[np.int8]]],
    *,
    findings: Sequence[str],
    name: str,
    title: str,
    note: str,
) -> ResultTable:
    """Sensitivity, specificity, F1 and kappa of each reader; `pairs` has (compared with, reader) per reader."""
    rows: list[tuple[Value, ...]] = []
    for reader, (against_NF, own_NF) in zip(names, pairs, strict=True):
        c = measures(against_NF, own_NF)
        columns = (recall(c), specificity(c), f1(c), cohen_kappa(c))
        rows += [
            (reader, finding, int(support(c)[place]), *(float(column[place]) for column in columns))
            for place, finding in enumerate(findings)
        ]
        rows.append((reader, "Average", None, *(float(macro(column)) for column in columns)))
    heads = (
        Column("reader", "Reader", "text"),
        Column("finding", "Finding", "text"),
        Column("positives", "Positive", "count"),
        Column("sensitivity", "Sensitivity"),
        Column("specificity", "Specificity"),
        Column("f1", "F1"),
        Column("kappa", "Cohen's kappa"),
    )
    return ResultTable(name, title, heads, tuple(rows), note)


def against_others(
    names: Sequence[str], votes_RNF: npt.NDArray[np.int8], *, findings: Sequence[str], ties: str
) -> ResultTable:
    """Each reader against the majority of all other readers; nobody is compared with a majority he is part of."""
    pairs = [
        (majority_of_others(votes_RNF, reader, ties=ties), votes_RNF[reader]) for reader in range(len(names))
    ]
    return reader_table(
        names,
        pairs,
        findings=findings,
        name="readers_against_others",
        title="Each reader against the majority of the others",
        note=f"Ties of the others count as: {ties}. {_tied(votes_RNF)}",
    )


def _tied(votes_RNF: npt.NDArray[np.int8]) -> str:
    others = [np.delete(votes_RNF, reader, axis=0) for reader in range(len(votes_RNF))]
    ties = sum(int(((v == 1).sum(axis=0) == (v == 0).sum(axis=0)).sum()) for v in others)
    cells = sum(v[0].size for v in others)
    return f"{ties:,} of {cells:,} cells were ties."


def among_readers(votes_RNF: npt.NDArray[np.int8], *, findings: Sequence[str]) -> ResultTable:
    """Fleiss' kappa and Krippendorff's alpha of all readers per finding."""
    fleiss, alpha = fleiss_kappa(votes_RNF), krippendorff_alpha(votes_RNF)
    positive = (votes_RNF == 1).sum(axis=(0, 1)) / np.maximum((votes_RNF >= 0).sum(axis=(0, 1)), 1)
    rows: list[tuple[Value, ...]] = [
        (finding, float(positive[place]), float(fleiss[place]), float(alpha[place]))
        for place, finding in enumerate(findings)
    ]
    rows.append(("Average", float(positive.mean()), float(macro(fleiss)), float(macro(alpha))))
    return ResultTable(
        "readers_among_themselves",
        f"Agreement of all {len(votes_RNF)} readers among themselves",
        (
            Column("finding", "Finding", "text"),
            Column("positive", "Share of positive votes"),
            Column("fleiss_kappa", "Fleiss' kappa"),
            Column("krippendorff_alpha", "Krippendorff's alpha"),
        ),
        tuple(rows),
        "Krippendorff's alpha is nominal and leaves out missing votes; Fleiss' kappa needs a vote of everybody.",
    )
