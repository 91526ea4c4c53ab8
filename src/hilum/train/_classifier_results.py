"""What a finished training of a classifier says: ranks and calibration per finding, and the same as JSON and csv."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from hilum.core.matrix import LEFT_OUT
from hilum.core.results import Column, Estimate, ResultTable, Value
from hilum.core.rng import rng_for
from hilum.metrics.finding_ranks import Ranks, rank_findings
from hilum.metrics.ranking import youden_threshold
from hilum.metrics.reliability import calibration_error, fit_temperature, log_loss
from hilum.models.classifier_spec import ClassifierSpec
from hilum.tables._label_rows import counted
from hilum.train._image_sides import of_patients
from hilum.train._kept import fields_of, kept_fields, step_results, table_of_json
from hilum.train.checkpoints import write_whole
from hilum.train.classifier import ClassifierResult, DevScores, Speed
from hilum.train.classifying import ClassifyingTask
from hilum.train.labeler import StepResult

DEV_FILE = "dev.csv"
LEAST_LABELS, LEAST_OF_EACH = 20, 5
"""Labels of a finding, and labels of each class of it, below which its temperature stays 1."""

_METRIC = "mean AUROC"
_DIGITS = 9


def temperatures_of(truth_NF: Any, log_odds_NF: Any) -> tuple[float, ...]:
    """A temperature per finding for the least log loss; 1 with too few labels of it, or of a class of it."""
    return tuple(
        round(fit_temperature(truth, odds), _DIGITS) if _enough(truth) else 1.0
        for truth, odds in zip(truth_NF.T, log_odds_NF.T, strict=True)
    )


def _enough(truth_N: Any) -> bool:
    each = [int((truth_N == value).sum()) for value in (0, 1)]
    return sum(each) >= LEAST_LABELS and min(each) >= LEAST_OF_EACH


def probabilities_of(dev: DevScores, *, calibrated: bool = True) -> Any:
    """Probabilities of positive of a dev set, float64 [N, F]."""
    odds_NF = dev.log_odds_NF / np.array(dev.temperatures) if calibrated else dev.log_odds_NF
    return np.exp(-np.logaddexp(0.0, -odds_NF))


def calibrated_spec(spec: ClassifierSpec, dev: DevScores) -> ClassifierSpec:
    """The spec with temperatures, and Youden's thresholds of calibrated probabilities where there are both classes."""
    values_NF = probabilities_of(dev)
    thresholds = {
        name: round(youden_threshold(dev.truth_NF[:, f], values_NF[:, f]).value, _DIGITS)
        for f, name in enumerate(dev.findings)
        if {0, 1} <= set(dev.truth_NF[:, f].tolist())
    }
    return replace(spec, temperatures=dev.temperatures, thresholds=thresholds or None)


def tables_of(dev: DevScores, *, seed: int, replicates: int) -> tuple[ResultTable, ...]:
    """Ranks with intervals by patient, and calibration before and after, of a dev set."""
    ranks = rank_findings(
        dev.truth_NF, dev.log_odds_NF, dev.findings, rng=rng_for(seed, "bootstrap", "dev"), groups=dev.groups,
        replicates=replicates,
    )  # fmt: skip
    images = counted(len(dev.ids), "image", "images")
    note = (
        f"On {images} of {of_patients(dev.patients)}; they were not learned from, but the checkpoint was chosen by "
        f"them, so the numbers are a little too good. 95% intervals from {replicates:,} bootstrap replicates of "
        f"{_drawn(dev.patients)}. A dash: one class only among these images; the mean goes over the others. A "
        "replicate in which a finding has one class only is not in that finding's interval."
    )
    return rank_table(ranks, "dev", "Dev scores of the model that was kept", note), _calibration(dev)


def _drawn(patients: Sequence[str]) -> str:
    """What the bootstrap draws."""
    if all(patients):
        return "patients"
    if any(patients):
        return "patients, and of single images where the patient is not named"
    return "images, not of patients, because no patient is named, so they are too narrow if a patient has several"


def rank_table(ranks: Ranks, name: str, title: str, note: str) -> ResultTable:
    """A table of ranks: finding, positives, negatives, AUROC, average precision; the last row has the means."""
    columns = (
        Column("finding", "Finding", "text"),
        Column("positives", "positive", "count"),
        Column("negatives", "negative", "count"),
        Column("auroc", "AUROC"),
        Column("average_precision", "Average precision"),
    )
    rows: list[tuple[Value, ...]] = [tuple(one) for one in ranks.findings]
    rows.append(("Mean", None, None, ranks.auroc, ranks.average_precision))
    return ResultTable(name, title, columns, tuple(rows), note)


def _calibration(dev: DevScores) -> ResultTable:
    columns = (
        Column("finding", "Finding", "text"),
        Column("temperature", "Temperature"),
        Column("loss_before", "Log loss before"),
        Column("loss_after", "after"),
        Column("error_before", "Calibration error before"),
        Column("error_after", "after"),
    )
    before_NF, after_NF = probabilities_of(dev, calibrated=False), probabilities_of(dev)
    rows: list[tuple[Value, ...]] = []
    for f, name in enumerate(dev.findings):
        truth, odds, heat = dev.truth_NF[:, f], dev.log_odds_NF[:, f], dev.temperatures[f]
        values = (
            log_loss(truth, odds),
            log_loss(truth, odds, temperature=heat),
            calibration_error(truth, before_NF[:, f]),
            calibration_error(truth, after_NF[:, f]),
        )
        rows.append((name, heat, *(None if np.isnan(v) else v for v in values)))
    note = (
        "Logits are divided by the temperature, fitted on these same images for the least log loss; a finding with "
        f"fewer than {LEAST_LABELS} labels, or fewer than {LEAST_OF_EACH} of a class, keeps 1. Calibration error: mean "
        "distance of probability and share of positives over ten bins."
    )
    return ResultTable("calibration", "Calibration on the dev set", columns, tuple(rows), note)


# --- kept in files ---


def write_dev(path: Path, dev: DevScores) -> None:
    """The dev set as a table: image, patient, and of each finding its truth and its log odds."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "patient", *dev.findings, *(f"{name} log odds" for name in dev.findings)])
    for place, (one, patient) in enumerate(zip(dev.ids, dev.patients, strict=True)):
        truth = ["" if value == LEFT_OUT else int(value) for value in dev.truth_NF[place]]
        writer.writerow([one, patient, *truth, *map(repr, dev.log_odds_NF[place].tolist())])
    content = text.getvalue().encode("utf-8", "replace")
    write_whole(path, lambda file: file.write(content))


def read_dev(path: Path, temperatures: Sequence[float]) -> DevScores | None:
    """The dev set that `write_dev` wrote; None when it is not there any more."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
    except (OSError, ValueError):
        return None
    width = (len(header) - 2) // 2
    return DevScores(
        tuple(header[2 : 2 + width]),
        tuple(row[0] for row in rows),
        tuple(row[1] for row in rows),
        np.array(
            [[LEFT_OUT if c == "" else int(c) for c in row[2 : 2 + width]] for row in rows], dtype=np.int8
        ),
        np.array([[float(c) for c in row[2 + width :]] for row in rows], dtype=np.float64),
        tuple(temperatures),
    )


def steps_of(
    tasks: Sequence[ClassifyingTask], histories: Sequence[Sequence[Mapping[str, Any]]]
) -> tuple[StepResult, ...]:
    """One result per task that was scored at least once."""
    return step_results(tasks, histories, metric=lambda _: _METRIC)


def to_json(result: ClassifierResult) -> dict[str, Any]:
    """The parts of a result that result.json keeps."""
    return {
        **kept_fields(result),
        "left_out": result.left_out,
        "speed": result.speed and asdict(result.speed),
        "temperatures": list(result.dev.temperatures) if result.dev else [],
        "tables": [_table_json(table) for table in result.tables],
    }


def _table_json(table: ResultTable) -> dict[str, Any]:
    rows = [[list(v) if isinstance(v, Estimate) else v for v in row] for row in table.rows]
    return {**json.loads(json.dumps({**asdict(table), "rows": []})), "rows": rows}


def from_json(found: Mapping[str, Any], folder: Path, *, seconds: float) -> ClassifierResult:
    """The result that `to_json` kept."""
    return ClassifierResult(
        **fields_of(found, folder, seconds=seconds),
        tables=tuple(table_of_json(table) for table in found["tables"]),
        left_out=int(found["left_out"]),
        speed=Speed(**found["speed"]) if found["speed"] else None,
        dev=read_dev(folder / DEV_FILE, found["temperatures"]),
    )
