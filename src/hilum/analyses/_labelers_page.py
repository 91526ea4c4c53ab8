"""The page of the study of labelers: its sections, figures, and what they mean in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

from hilum.analyses._labelers_inputs import LabelersStudy, LoadedLabelers
from hilum.analyses._labelers_tables import (
    extraction_tables,
    gold_table,
    over_findings,
    overview_table,
    preset_table,
    score_table,
    sources_table,
)
from hilum.analyses._labelers_tests import difference_table, mcnemar_table, pair_name, tests_tables
from hilum.analyses._labelers_values import PRESETS, TASKS, Compared, Resampled
from hilum.core.results import Column, Estimate, ResultFigure, ResultSection, ResultTable, Value
from hilum.core.vocabulary import State
from hilum.metrics.labels import macro
from hilum.pages.figures import grouped_bars, heat_map
from hilum.stats.intervals import estimate, estimates

Floats = npt.NDArray[np.float64]

WHAT_IS_F1 = (
    "F1 is 1 when a labeler finds every label of the gold and invents none, and 0 when it finds none. A weighted F1 "
    "puts the F1 of several kinds of labels (positive, negative, uncertain, perhaps blank) into one number per "
    "finding, and each kind counts by how often the gold has it."
)

_LAYOUT = (
    "The first table is laid out as Table 1 of the LLM labeler paper, the second as its Table 2, the figure as its "
    "Figure 2."
)
_BINARY_LAYOUT = (
    "The figure is laid out as Figure 2 of the LLM labeler paper; its scores are not weighted F1."
)
_PRESETS_DIFFER = (
    "Numbers of different presets cannot be compared with each other. The LLM labeler paper does not say which it "
    "used. Its printed numbers fit task-mean and not the other two: under task-mean, three times Table 1 minus twice "
    "Table 2 is the uncertain task alone, which must be 1 for a finding that is never uncertain, and is."
)
_TWO_QUESTIONS = (
    "The tests over findings ask whether one labeler is better on most findings; intervals and McNemar's test ask "
    "whether the difference would stay with other reports of the same kind."
)


def lead(study: LabelersStudy, loaded: LoadedLabelers, resampled: Resampled) -> tuple[str, ...]:
    """What was compared, what the score is, and the averages with their differences, in plain words."""
    compared = loaded.compared
    count = len(compared.findings)
    gold_file = next(file for name, file, *_ in loaded.sources if name == compared.gold.source)
    joined = (
        f"{len(compared.gold):,} reports have labels in the gold and from every labeler. Compared: {count} "
        f"finding{'' if count == 1 else 's'} ({', '.join(compared.findings)}). The gold is {gold_file}; it is "
        "taken as the truth, so a mistake of the gold counts as one of the labeler."
    )
    if compared.policy is not None:
        score = (
            f"All labels were first made 0 or 1 ({compared.policy}; blank is 0). The score is the F1 of positive "
            "labels: 1 when a labeler finds every positive of the gold and invents none, 0 when it finds none."
        )
    else:
        score = (
            f"{WHAT_IS_F1} Papers differ in how they count blank. Primary here is the preset "
            f"{study.preset}: {PRESETS[study.preset]}. The other presets are shown below it."
        )
    return joined, score, _averages_in_words(compared, resampled)


def _averages_in_words(compared: Compared, resampled: Resampled) -> str:
    means = [(name, estimate(*resampled.average(place))) for place, name in enumerate(compared.names)]
    told = f"Average {resampled.label}: " + ", ".join(f"{n} {_told(e)}" for n, e in means) + "."
    for pair in compared.pairs:
        point, values = resampled.difference(*pair)
        difference = estimate(float(point[-1]), values[:, -1])
        verdict = "the interval holds 0" if difference.low <= 0 <= difference.high else "0 is outside"
        told += f" {pair_name(compared.names, pair)}: {_told(difference)}, {verdict}."
    return told + " In brackets: 95 % bootstrap intervals over reports."


def _told(value: Estimate) -> str:
    return f"{value.value:.3f} ({value.low:.3f} to {value.high:.3f})".replace("-", "\N{MINUS SIGN}")


def inputs_section(loaded: LoadedLabelers) -> ResultSection:
    """Files, how their rows were joined, what was left out, and the gold's labels."""
    return ResultSection(
        "What was compared", loaded.told, (sources_table(loaded.sources), gold_table(loaded.compared))
    )


def scores_section(study: LabelersStudy, compared: Compared, found: Sequence[Resampled]) -> ResultSection:
    """Tables 1 and 2 of the LLM labeler paper under the primary preset, and its Figure 2."""
    note = f"In brackets: 95 % bootstrap intervals over reports, {study.replicates:,} replicates."
    if compared.policy is not None:
        tables = [
            score_table(compared, found[0], name="f1_positive", title="F1 of positive labels", note=note),
            *extraction_tables(compared, State.POSITIVE),
        ]
        heading, paragraphs = "F1 of positive labels", (_BINARY_LAYOUT,)
    else:
        preset = f"Preset {study.preset}: {PRESETS[study.preset]}."
        names = ("weighted_f1_all", "weighted_f1_positive_negative")
        tables = [
            score_table(compared, one, name=name, title=f"Weighted F1, {one.level}", note=f"{note} {preset}")
            for name, one in zip(names, found, strict=True)
        ]
        heading = "Weighted F1 per finding"
        paragraphs = (_LAYOUT,)
    figure = bars(compared.names, compared.findings, found[0])
    return ResultSection(heading, paragraphs, (tables[0], figure, *tables[1:]))


def bars(names: Sequence[str], findings: Sequence[str], resampled: Resampled) -> ResultFigure:
    """Figure 2: a group of bars per finding, one bar per labeler, with bootstrap whiskers."""
    own = [estimates(resampled.point_LF[x], resampled.values_BLF[:, x]) for x in range(len(names))]
    label = resampled.label
    return grouped_bars(
        "scores",
        f"{label[0].upper()}{label[1:]}, per finding and labeler",
        groups=findings,
        series={name: [one.value for one in part] for name, part in zip(names, own, strict=True)},
        intervals={
            name: [(one.low, one.high) for one in part] for name, part in zip(names, own, strict=True)
        },
        xlabel=label,
    )


def presets_section(study: LabelersStudy, compared: Compared) -> ResultSection:
    """The same labels under every preset: what the choice alone changes."""
    others = [name for name in PRESETS if name != study.preset]
    return ResultSection(
        "The same labels under other presets",
        (_PRESETS_DIFFER,),
        (
            overview_table(compared, preset=study.preset),
            *(preset_table(compared, preset=name) for name in others),
        ),
    )


def extraction_section(compared: Compared) -> ResultSection:
    """Positive, negative and uncertain extraction, each one against the rest."""
    return ResultSection(
        "Positive, negative and uncertain labels apart",
        ("Each kind of label is looked for alone; all other labels and blank count as not it.",),
        tuple(table for state in TASKS for table in extraction_tables(compared, state)),
    )


def tests_section(study: LabelersStudy, compared: Compared, found: Sequence[Resampled]) -> ResultSection:
    """Table 3 and Figure 3 of the LLM labeler paper, paired bootstrap, and McNemar per finding."""
    if not compared.pairs:
        return ResultSection("Are the differences real?", ("One labeler alone has nothing to differ from.",))
    note = (
        f"Extension, not in the paper. Paired bootstrap over reports, {study.replicates:,} replicates, 95 % "
        "percentile intervals: both labelers are scored on the same resampled reports. The average goes over the "
        "findings where both have the score."
    )
    *tests, details = tests_tables(compared.names, {one.label: one.point_LF for one in found})
    return ResultSection(
        "Are the differences real?",
        (_TWO_QUESTIONS,),
        (
            tests[0],
            differences_map(compared.names, compared.findings, found[0].point_LF, found[0].label),
            difference_table(compared, found[0], note=note),
            mcnemar_table(compared),
            *tests[1:],
            details,
        ),
    )


def differences_map(
    names: Sequence[str], findings: Sequence[str], values_LF: Floats, label: str
) -> ResultFigure:
    """Figure 3: differences per finding (rows) and pair of labelers (columns), signed, the average last."""
    pairs = list(combinations(range(len(names)), 2))
    differences_FP = np.stack([values_LF[a] - values_LF[b] for a, b in pairs], axis=-1)
    cells = [[float(v) for v in row] for row in (*differences_FP, macro(differences_FP.T))]
    return heat_map(
        "differences",
        f"Differences in {label}, per finding",
        rows=[*findings, "Average"],
        columns=[pair_name(names, pair) for pair in pairs],
        values_RC=cells,
        label=f"difference in {label}",
    )


def published_sections(
    names: Sequence[str], findings: Sequence[str], values_LF: Floats
) -> tuple[ResultSection, ...]:
    """Scores as given with Figure 2, and the tests with Figure 3, without labels."""
    rows: list[tuple[Value, ...]] = [
        (finding, *(float(v) for v in values_LF[:, place])) for place, finding in enumerate(findings)
    ]
    rows.append(("Average", *(float(v) for v in macro(values_LF))))
    table = ResultTable(
        "scores",
        "Scores as given",
        (Column("finding", "Finding", "text"), *(Column(name, name) for name in names)),
        tuple(rows),
        f"{over_findings(names, values_LF, findings)} Worked out here, not read from the file.",
    )
    series: Mapping[str, list[float]] = {
        name: [float(v) for v in values] for name, values in zip(names, values_LF, strict=True)
    }
    tests, details = tests_tables(names, {"scores as given": values_LF})
    figure = grouped_bars(
        "scores", "Scores per finding and labeler", groups=findings, series=series, xlabel="score"
    )
    return (
        ResultSection("Scores", (), (table, figure)),
        ResultSection(
            "Are the differences real?",
            (
                "Without labels there are no reports to resample, so there are no intervals and no McNemar test.",
            ),
            (
                tests,
                differences_map(names, findings, values_LF, "score"),
                details,
            ),
        ),
    )
