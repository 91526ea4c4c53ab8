"""Temperatures for the probabilities of a neural labeler, fitted on labeled reports."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from hilum.core.errors import InputError
from hilum.core.results import Column, ResultTable, Value
from hilum.labelers import get_labeler
from hilum.labelers._calibration import (
    Calibration,
    expected_calibration_error,
    fit_calibration,
    save_calibration,
)
from hilum.labelers._neural import NeuralLabeler
from hilum.tables.write import check_writable
from hilum.train.config import LabelerTraining
from hilum.train.data import read_rows

__all__ = ["Calibrated", "calibrate"]


class Calibrated(NamedTuple):
    """The calibration, a table of what it changed, and notes on the rows."""

    calibration: Calibration
    table: ResultTable
    notes: tuple[str, ...]


def calibrate(
    labeler: str,
    weights: str | Path,
    reports: str | Path,
    labels: str | Path,
    output: str | Path,
    *,
    section: str | None = None,
    column: str | None = None,
    key: str | None = None,
) -> Calibrated:
    """Fit one temperature per finding of a neural labeler and write them to `output` (JSON).

    Reports and labels are joined as in training: by key, or row by row in one file. Labels should be of people, on
    reports that the model was not trained on. Raises InputError for a labeler without weights, rows that cannot be
    joined and labels of no finding of the model; OutputError when `output` cannot be written.
    """
    check_writable(output)
    built = get_labeler(labeler, weights=weights)
    if not isinstance(built, NeuralLabeler):
        raise InputError(f"The labeler {labeler!r} has no probabilities, so there is nothing to calibrate.")
    spec = built.engine.spec
    config = LabelerTraining(
        recipe="calibration",
        output=Path(output),
        reports=Path(reports),
        labels=Path(labels),
        checkpoint=Path(weights),
        vocabulary=spec.vocabulary,
        findings=spec.findings,
        section=section or built.section,
        column=column,
        key=key,
    )
    [rows] = read_rows(config, spec)
    if rows.states_NF is None:
        raise InputError(f"{labels} has no labels of people, only probabilities.")
    logits_NC = np.stack([one.logits[0] for one in built.engine.logits(list(rows.texts))])
    found = fit_calibration(logits_NC, rows.states_NF, spec, weights=built.engine.digest)
    save_calibration(output, found)
    plain, scaled = (
        expected_calibration_error(logits_NC, rows.states_NF, spec, temperatures)
        for temperatures in ((1.0,) * len(spec.heads), found.temperatures_of(spec))
    )
    return Calibrated(found, _table(found, plain, scaled), rows.notes)


def _table(found: Calibration, plain_F: np.ndarray, scaled_F: np.ndarray) -> ResultTable:
    rows: list[tuple[Value, ...]] = [
        (name, found.rows[name], found.temperatures[name], found.before.get(name), found.after.get(name),
         float(plain_F[place]), float(scaled_F[place]))
        for place, name in enumerate(found.temperatures)
    ]  # fmt: skip
    columns = (
        Column("finding", "Finding", "text"),
        Column("rows", "Reports", "count"),
        Column("temperature", "Temperature"),
        Column("loss_before", "Loss before"),
        Column("loss_after", "after"),
        Column("error_before", "Calibration error before"),
        Column("error_after", "after"),
    )
    note = (
        "Loss: mean negative log-likelihood; calibration error: Guo et al. 2017, equation 3, 10 bins; both on the "
        "reports that it was fitted on. A dash: too few reports, so the temperature stays 1."
    )
    return ResultTable("calibration", "Temperatures", columns, tuple(rows), note)
