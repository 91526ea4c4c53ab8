"""How far two sources of labels agree: the quick table of precision, recall, F1 and kappa per finding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hilum.analyses._agree_states import state_tables
from hilum.analyses.alignment import align
from hilum.core.errors import InputError, UnknownNameError
from hilum.core.matrix import LabelMatrix
from hilum.core.results import Column, Estimate, ResultPage, ResultSection, ResultTable, Value
from hilum.core.rng import rng_for
from hilum.core.version import VERSION
from hilum.core.vocabulary import BINARY_POLICIES, State
from hilum.metrics.labels import (
    Confusion,
    cohen_kappa,
    compared,
    confusion,
    f1,
    macro,
    precision,
    recall,
    support,
)
from hilum.stats.intervals import bootstrap, distinct_rows, estimates

Floats = npt.NDArray[np.float64]
Progress = Callable[[int, int], None]

_MEASURES = (("precision", precision), ("recall", recall), ("F1", f1), ("kappa", cohen_kappa))
_WHY = {
    "precision": "no positive in B",
    "recall": "no positive in A",
    "F1": "no positive in either",
    "kappa": "both have one and the same value everywhere, or nothing was compared",
}


@dataclass(frozen=True)
class AgreeConfig:
    """How two sources are compared. `policy` is one of BINARY_POLICIES; no `findings` means all that both have.

    `align` and `match_keys` are those of `analyses.alignment.align`; 0 `replicates` means no intervals.
    """

    policy: str = "uncertain-to-zero"
    findings: tuple[str, ...] = ()
    align: str = "auto"
    match_keys: str = "exact"
    replicates: int = 1000
    level: float = 0.95
    seed: int = 0
    force: bool = False


def agreement(
    a: LabelMatrix,
    b: LabelMatrix,
    *,
    config: AgreeConfig | None = None,
    notes: Sequence[str] = (),
    progress: Progress | None = None,
) -> ResultPage:
    """B compared with A, which is taken as the truth, on the rows and findings that both have.

    Table `agreement`: precision, recall, F1 with its bootstrap interval, Cohen's kappa, and positives; with the
    plain average and the average weighted by A's positives. Where both sources have uncertain or blank labels,
    tables `states` and `cross` compare all four states. Raises InputError when rows cannot be aligned (see
    `align`) or no finding is shared, UnknownNameError for an unknown finding or policy.
    """
    config = config or AgreeConfig()
    if config.policy not in BINARY_POLICIES:
        raise UnknownNameError("policy", config.policy, BINARY_POLICIES)
    pairs = _shared(a, b, config.findings)
    joined = align(a, b, how=config.align, match_keys=config.match_keys, force=config.force, seed=config.seed)
    a_taken = a.select([one for one, _ in pairs]).take(joined.rows_a)
    b_taken = b.select([other for _, other in pairs]).take(joined.rows_b)
    tables = [_table(a_taken, b_taken, config, progress)]
    if all(_has_more_than_two(one) for one in (a_taken, b_taken)):
        tables += state_tables(a_taken, b_taken)
    told = [*_unshared(a, b, _shared(a, b, ())), *notes]
    return ResultPage(
        f"Agreement of {b.source} with {a.source}",
        (f"A, taken as the truth: {a.source} ({len(a):,} rows). B: {b.source} ({len(b):,} rows).",),
        (
            ResultSection("How the rows were joined", (joined.message, *told)),
            ResultSection("Agreement", (), tuple(tables)),
        ),
        warnings=joined.warnings,
        stamp={
            "a": a.source,
            "b": b.source,
            "rows": str(len(joined.rows_a)),
            "joined by": joined.how,
            "policy": config.policy,
            "replicates": str(config.replicates),
            "seed": str(config.seed),
            "hilum": VERSION,
        },
    )


def _shared(a: LabelMatrix, b: LabelMatrix, wanted: Sequence[str]) -> list[tuple[str, str]]:
    """(finding of A, the same finding of B) in the order of A's vocabulary, or as `wanted`."""
    pairs = {}
    for finding in a.vocabulary.names:
        if finding in a.findings and finding in b.vocabulary:
            other = b.vocabulary.names[b.vocabulary.index(finding)]
            if other in b.findings:
                pairs[finding] = other
    if not pairs:
        raise InputError(
            f"{a.source} and {b.source} share no finding: {', '.join(a.findings)} against "
            f"{', '.join(b.findings)}. Next step: read both with one vocabulary."
        )
    if not wanted:
        return list(pairs.items())
    names = list(dict.fromkeys(a.vocabulary.names[a.vocabulary.index(name)] for name in wanted))
    for name in names:
        if name not in pairs:
            lacks = a.source if name not in a.findings else b.source
            raise InputError(f"{lacks} has no column for {name}. Both have: {', '.join(pairs)}.")
    return [(name, pairs[name]) for name in names]


def _unshared(a: LabelMatrix, b: LabelMatrix, pairs: Sequence[tuple[str, str]]) -> list[str]:
    told = []
    for one, place in ((a, 0), (b, 1)):
        left = [finding for finding in one.findings if finding not in {pair[place] for pair in pairs}]
        told += [f"Not compared, of {one.source}: {', '.join(left)}."] if left else []
    return told


def _has_more_than_two(matrix: LabelMatrix) -> bool:
    return bool(np.isin(matrix.states_NF, [State.UNCERTAIN, State.BLANK]).any())


def _table(a: LabelMatrix, b: LabelMatrix, config: AgreeConfig, progress: Progress | None) -> ResultTable:
    a_NF, b_NF = a.binary(config.policy), b.binary(config.policy)
    counts = confusion(a_NF, b_NF)
    values = {name: measure(counts) for name, measure in _MEASURES}
    scores = _f1_estimates(a_NF, b_NF, config, progress)
    positives_b, cells = counts.tp + counts.fp, compared(counts)
    rows: list[tuple[Value, ...]] = []
    for place, finding in enumerate(a.findings):
        p, r, kappa = (float(values[name][place]) for name in ("precision", "recall", "kappa"))
        numbers = (int(one[place]) for one in (support(counts), positives_b, cells))
        rows.append((finding, p, r, scores[place], kappa, *numbers))
    for place, (label, weights) in enumerate((("Average", None), ("Weighted average", support(counts)))):
        p, r, kappa = (float(macro(values[n], weights=weights)) for n in ("precision", "recall", "kappa"))
        rows.append((label, p, r, scores[len(a.findings) + place], kappa, "", "", ""))
    heading = f"F1 ({config.level:.0%} interval)" if config.replicates else "F1"
    columns = (
        Column("finding", "Finding", "text"), Column("precision", "Precision"), Column("recall", "Recall"),
        Column("f1", heading), Column("kappa", "Kappa"), Column("support", "Positive in A", "count"),
        Column("positive_in_b", "Positive in B", "count"), Column("compared", "Rows", "count"),
    )  # fmt: skip
    note = " ".join([*_notes(a, b, config), *_undefined(values, a.findings)])
    return ResultTable("agreement", f"{b.source} against {a.source}", columns, tuple(rows), note)


def _f1_estimates(
    a_NF: npt.NDArray[np.int8], b_NF: npt.NDArray[np.int8], config: AgreeConfig, progress: Progress | None
) -> list[Value]:
    """F1 of each finding, its average and its weighted average, with intervals when replicates are asked for."""
    points_G = _f1_values(confusion(a_NF, b_NF))
    if not config.replicates:
        return [float(value) for value in points_G]
    places, many = distinct_rows(a_NF, b_NF)
    a_kinds, b_kinds = a_NF[places], b_NF[places]
    drawn_BG = bootstrap(
        lambda weights_BN: _f1_values(confusion(a_kinds, b_kinds, weights_BN=weights_BN)),
        len(places),
        replicates=config.replicates,
        rng=rng_for(config.seed, "agree"),
        multiplicity=many,
        progress=progress,
    )
    found: Sequence[Estimate] = estimates(points_G, drawn_BG, level=config.level)
    return list(found)


def _f1_values(counts: Confusion) -> Floats:
    f1_F = f1(counts)
    averages = [macro(f1_F), macro(f1_F, weights=support(counts))]
    return np.concatenate([f1_F, np.stack(averages, axis=-1)], axis=-1)


def _notes(a: LabelMatrix, b: LabelMatrix, config: AgreeConfig) -> list[str]:
    notes = ["Weights are A's positives."]
    codes = BINARY_POLICIES[config.policy]
    for state in (State.UNCERTAIN, State.BLANK):
        counts = [int(np.count_nonzero(one.states_NF == state)) for one in (a, b)]
        if any(counts):
            code = codes[state]
            counted_as = "left out" if code is None else f"counted as {'positive' if code else 'negative'}"
            notes.append(
                f"{state.name.capitalize()} is {counted_as} ({counts[0]:,} cells of A, {counts[1]:,} of B)."
            )
    if len(notes) > 1:
        notes.append(f"Policy: {config.policy}.")
    if config.replicates:
        notes.append(f"Intervals: bootstrap over rows, {config.replicates:,} replicates.")
    return notes


def _undefined(values: dict[str, Floats], findings: Sequence[str]) -> list[str]:
    """Why values are not defined, and over how many findings averages go then."""
    notes = []
    for name, values_F in values.items():
        missing = [finding for finding, value in zip(findings, values_F, strict=True) if np.isnan(value)]
        if missing:
            over = len(findings) - len(missing)
            average = f"its averages are over {over} of {len(findings)}" if over else "it has no average"
            notes.append(
                f"{name[0].upper()}{name[1:]} is not defined ({_WHY[name]}) for {', '.join(missing)}; {average}."
            )
    return notes
