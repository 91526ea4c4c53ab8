"""Tables 4, 5 and 6 of VisualCheXbert on any data, with the printed numbers beside, and what else a reviewer asks."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hilum.analyses._bounds import resolve_uncertain
from hilum.analyses._differences import (
    Compared,
    compare_sources,
    difference_table,
    f1_table,
)
from hilum.analyses.baselines import LOGREG, ZERO_ONE, ZERO_ONE_PARENTS
from hilum.core.matrix import LabelMatrix
from hilum.core.results import Column, Estimate, ResultTable, Value
from hilum.core.rng import rng_for
from hilum.metrics.finding_ranks import Ranks, rank_findings
from hilum.recipes._visualchexbert_answers import (
    BERT_LOGREG,
    BERT_LOGREG_V,
    LOGREG_V,
    THRESHOLDING,
    WAYS,
    Answers,
)
from hilum.recipes._visualchexbert_sets import IMAGE_TRAIN, REPORT_TRAIN, VOCABULARY, StudySet, truth_of
from hilum.recipes._visualchexbert_stages import read_values, text_checksum

if TYPE_CHECKING:
    from hilum.recipes.visualchexbert import VisualChexbertStudy

Labels = npt.NDArray[np.int8]

HIGH, LOW = "Report, uncertain right", "Report, uncertain wrong"
"""The higher and the lower score of the report labels: uncertain is the image's label, or its opposite."""

PERFECT_ZERO, PERFECT_ONE = "Perfect reader, uncertain to zero", "Perfect reader, uncertain to one"
REPORT_TRUTH = "report"
"""The source of labels that says what a report says as its writer knows it."""

VISUAL = f"{BERT_LOGREG} on {REPORT_TRAIN}"
"""VisualCheXbert, as section 4.6.1 of the paper and the columns of its Table 5 have it."""

CONTROL = "reports alone"
"""What the control encoder learns from: the reports of report-train with labels of the same reports, no image."""

CONTROL_MODEL = f"{BERT_LOGREG} on {CONTROL}"

_LEVEL = "95 % intervals: percentiles of {replicates:,} bootstrap replicates of patients, the same for all columns."


@dataclass(frozen=True, eq=False)
class TestSide:
    """A set that has image truth: its studies, the truth int8 [N, F] of the evaluation findings, report labels."""

    __test__ = False

    studies: StudySet
    truth_NF: Labels
    report: LabelMatrix

    def digest(self) -> str:
        """SHA-256, in hex, of ids and truth."""
        return text_checksum(*self.studies.ids, self.truth_NF.tobytes().hex())


@dataclass(frozen=True, eq=False)
class Results:
    """All that the page is made of. `mapped` are labels by mappings of report labels, `encoders` answers by set."""

    study: VisualChexbertStudy
    sets: Mapping[str, StudySet]
    findings: tuple[str, ...]
    test: TestSide
    mapped: Mapping[str, Labels]
    encoders: Mapping[str, Answers]
    ranks: Mapping[str, Ranks]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]

    @cached_property
    def report_truth(self) -> LabelMatrix | None:
        """What the reports of the test set say, where that is known; None elsewhere."""
        known = all(REPORT_TRUTH in study.labels for study in self.test.studies.studies)
        return self.test.studies.states(REPORT_TRUTH) if known else None

    @cached_property
    def sources(self) -> dict[str, Labels]:
        """0/1 labels of everything that is compared with the image truth, by name."""
        truth_NF, told = self.test.truth_NF, self.report_truth
        report = self.test.report if told is None else told
        found = {
            HIGH: resolve_uncertain(report, truth_NF, self.findings, to="image"),
            LOW: resolve_uncertain(report, truth_NF, self.findings, to="opposite"),
        }
        if told is not None:
            chosen = told.select(self.findings)
            found[PERFECT_ZERO] = np.where(truth_NF < 0, truth_NF, chosen.binary("uncertain-to-zero"))
            found[PERFECT_ONE] = np.where(truth_NF < 0, truth_NF, chosen.binary("uncertain-to-one"))
        found |= self.mapped
        for role, answers in self.encoders.items():
            found |= {encoder_name(way, role): labels for way, labels in answers.ways.items()}
        return found

    @cached_property
    def compared(self) -> Compared:
        """F1 of all sources on the same resamples of patients."""
        return compare_sources(
            self.test.truth_NF,
            self.sources,
            findings=self.findings,
            replicates=self.study.replicates,
            seed=self.study.seed,
            groups=self.test.studies.groups,
        )

    @property
    def further_pairs(self) -> list[tuple[str, str]]:
        """VisualCheXbert and what a reviewer compares it with; and without truth of the test set on either side."""
        names = [ZERO_ONE, ZERO_ONE_PARENTS, LOGREG, HIGH, LOW, PERFECT_ZERO, PERFECT_ONE]
        pairs = [(VISUAL, name) for name in [*names, CONTROL_MODEL] if name in self.sources]
        return [*pairs, (encoder_name(BERT_LOGREG_V, REPORT_TRAIN), LOGREG_V), (LOGREG, ZERO_ONE)]

    @property
    def level(self) -> str:
        """What the intervals are, in words."""
        return _LEVEL.format(replicates=self.study.replicates)


def encoder_name(way: str, role: str) -> str:
    """The name of one way with the answers of one encoder."""
    first, comma, rest = way.partition(",")
    return f"{first} on {role}{comma}{rest}"


def rank_test(test: TestSide, path: Path, study: VisualChexbertStudy) -> Ranks:
    """AUROC of a table of probabilities on the studies of the test set that are in it, by patient."""
    ids, columns, values_NF = read_values(path)
    side = test.studies.keep(ids)
    findings = tuple(name for name in VOCABULARY.names if name in columns)
    truth_NF = truth_of(side.states(study.truth), findings)
    places = [columns.index(name) for name in findings]
    return rank_findings(
        truth_NF, values_NF[:, places], findings, rng=rng_for(study.seed, "ranks"), groups=side.groups,
        replicates=study.replicates,
    )  # fmt: skip


@cache
def paper() -> Mapping[str, Any]:
    """The numbers that the paper prints: `auroc`, `f1` and `improvement`, by finding."""
    return tomllib.loads((files("hilum.recipes") / "visualchexbert_paper.toml").read_text("utf-8"))


def _beside(table: ResultTable, columns: Mapping[str, tuple[str, str, str]]) -> ResultTable:
    """The table with columns of the paper: heading -> (key, part of the paper's numbers, field)."""
    heads = tuple(Column(key, heading) for heading, (key, _, _) in columns.items())
    rows = tuple(
        (*row, *(_printed(part, str(row[0]), name) for _, part, name in columns.values()))
        for row in table.rows
    )
    return replace(table, columns=(*table.columns, *heads), rows=rows)


def _printed(part: str, row: str, name: str) -> Value:
    found = paper()[part].get(row, {}).get(name)
    return Estimate(*found) if isinstance(found, list) else found


def table_4(results: Results) -> ResultTable:
    """F1 of the mappings of report labels."""
    table = f1_table(
        results.compared, [ZERO_ONE, ZERO_ONE_PARENTS, LOGREG, LOGREG_V], name="table_4",
        title="Table 4: mappings of report labels, F1 against the image",
        note=f"Zero-One takes for each finding the better of uncertain to zero and to one on the test set itself, the "
        f"most that it can reach. {LOGREG} is leave-one-out on the test set, as in the paper; the column fitted on "
        f"valid has seen none of its truth. {results.level}",
    )  # fmt: skip
    return _beside(
        table,
        {
            "Paper: Zero-One": ("paper_zero_one", "f1", "zero_one"),
            "Paper: LogReg": ("paper_logreg", "f1", "logreg"),
        },
    )


def table_5(results: Results) -> ResultTable:
    """F1 of the models: two ways with each encoder as in the paper, and regressions fitted on the validation set."""
    roles = [role for role in (REPORT_TRAIN, IMAGE_TRAIN) if role in results.encoders]
    names = [encoder_name(way, role) for role in roles for way in (THRESHOLDING, BERT_LOGREG)]
    names += [encoder_name(BERT_LOGREG_V, role) for role in roles]
    names += [encoder_name(way, CONTROL) for way in WAYS if CONTROL in results.encoders]
    table = f1_table(
        results.compared, names, name="table_5", title="Table 5: report encoders, F1 against the image",
        note=f"{VISUAL} is VisualCheXbert. Thresholds are Youden's on valid; regressions are leave-one-out on the test "
        f"set, and fitted on valid in the columns that say so. {results.level} In the paper report-train is MIMIC-CXR "
        "and image-train is CheXpert.",
    )  # fmt: skip
    prefixes = {REPORT_TRAIN: ("", "MIMIC"), IMAGE_TRAIN: ("other_", "CheXpert")}
    columns = {
        f"Paper: {way} on {prefixes[role][1]}": (
            f"paper_{prefixes[role][0]}{name}",
            "f1",
            prefixes[role][0] + name,
        )
        for role in roles
        for way, name in ((THRESHOLDING, "thresholding"), (BERT_LOGREG, "bert_logreg"))
    }
    return _beside(table, columns)


def table_6(results: Results) -> ResultTable:
    """Improvement of VisualCheXbert over Zero-One and over both scores of the report labels."""
    compared = results.compared
    over = {"zero_one": ZERO_ONE, "high": HIGH, "low": LOW}
    found = {key: compared.difference(VISUAL, name) for key, name in over.items()}
    rows = [
        (name, (*compared.positives, None, None)[place], *(found[key][place] for key in over))
        for place, name in enumerate(compared.row_names)
    ]
    columns = (
        Column("finding", "Finding", "text"),
        Column("positives", "Positive", "count"),
        *(Column(key, f"over {name}") for key, name in over.items()),
    )
    whose = (
        "as whoever wrote them knows"
        if results.report_truth is not None
        else f"by {results.study.labeler}: labels of people who read the reports are not known here"
    )
    table = ResultTable(
        "table_6", "Table 6: improvement of VisualCheXbert in F1", columns, tuple(rows),
        f"Report labels: {whose}; uncertain is right (the image's label) or wrong (its opposite). Paired differences. "
        f"{results.level}",
    )  # fmt: skip
    return _beside(
        table, {f"Paper: over {name}": (f"paper_{key}", "improvement", key) for key, name in over.items()}
    )


def further_table(results: Results) -> ResultTable:
    """Differences of all comparators, per finding and on average."""
    return difference_table(
        results.compared, results.further_pairs, name="differences", title="Differences per finding and on average",
        note=f"Paired differences in F1. {results.level}",
    )  # fmt: skip


def readers_table(results: Results) -> ResultTable:
    """F1 of the reports themselves: a reader who makes no mistake, and the bounds that uncertain labels leave."""
    names = [name for name in (LOW, HIGH, PERFECT_ZERO, PERFECT_ONE) if name in results.sources]
    known = (
        ""
        if results.report_truth is not None
        else " What the reports say is not known here but by the labeler."
    )
    return f1_table(
        results.compared, names, name="readers", title="What the reports themselves reach, F1 against the image",
        note=f"A perfect reader labels exactly what the report says.{known} {results.level}",
    )  # fmt: skip


def rank_tables(results: Results) -> tuple[ResultTable, ...]:
    """AUROC on the test set of classifiers (images) and encoders (reports)."""
    columns = (
        Column("finding", "Finding", "text"),
        Column("positives", "Positive", "count"),
        *(Column(_key(name), name) for name in results.ranks),
    )
    names = list(dict.fromkeys(one.finding for ranks in results.ranks.values() for one in ranks.findings))
    rows: list[tuple[Value, ...]] = []
    for name in names:
        by = {
            who: next((o for o in r.findings if o.finding == name), None) for who, r in results.ranks.items()
        }
        positives = next(one.positives for one in by.values() if one is not None)
        rows.append((name, positives, *(None if one is None else one.auroc for one in by.values())))
    rows.append(("Mean", None, *(ranks.auroc for ranks in results.ranks.values())))
    printed = paper()["auroc"]
    note = (
        f"AUROC on the test set, patients that no model has seen. {results.level} A dash: one class only; the mean "
        f"goes over the others. Paper, mean over all conditions: {printed['chexpert']} (trained on CheXpert) and "
        f"{printed['mimic']} (on MIMIC-CXR)."
    )
    return (
        ResultTable("auroc", "How well images and reports rank the image truth", columns, tuple(rows), note),
    )


def _key(name: str) -> str:
    return "_".join(name.casefold().replace("-", " ").split())


def sets_table(results: Results) -> ResultTable:
    """The four sets: studies, patients, images, where they come from."""
    columns = (
        Column("role", "For", "text"),
        Column("source", "Set", "text"),
        Column("studies", "Studies", "count"),
        Column("patients", "Patients", "count"),
        Column("images", "Images", "count"),
    )
    rows = tuple(
        (role, _named(one), len(one), len(set(one.groups)), one.images) for role, one in results.sets.items()
    )
    note = "Patients of one set are in no other; this was checked by their ids."
    return ResultTable("sets", "Sets", columns, rows, note)


def _named(one: StudySet) -> str:
    split = f", {one.source.split}" if one.source.split else ""
    part = f", part {one.source.part} of {one.source.parts}" if one.source.parts > 1 else ""
    return f"{one.source.name}{split}{part}"


def thresholds_table(results: Results) -> ResultTable:
    """Youden's thresholds of each encoder on the validation set."""
    columns = (
        Column("encoder", "Encoder on", "text"),
        Column("finding", "Finding", "text"),
        Column("positives", "Positive in valid", "count"),
        Column("threshold", "Threshold"),
        Column("sensitivity", "Sensitivity there"),
        Column("specificity", "Specificity there"),
    )
    rows = tuple(
        (role, cut.finding, cut.positives, cut.value, cut.sensitivity, cut.specificity)
        for role, answers in results.encoders.items()
        for cut in answers.cuts
    )
    return ResultTable(
        "thresholds",
        "Thresholds from valid",
        columns,
        rows,
        "A probability at or above the threshold is positive.",
    )
