"""What a finished run says: steps, scores per finding, and the same as JSON for when it is asked again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from hilum.core.results import Column, ResultTable, Value
from hilum.core.vocabulary import State
from hilum.train._kept import fields_of, kept_fields, step_results, table_of_json
from hilum.train.labeler import StepResult, TrainingResult
from hilum.train.labeling import LabelingTask

_F1, _LOSS = "weighted F1", "cross-entropy"


def steps_of(
    tasks: Sequence[LabelingTask], histories: Sequence[Sequence[Mapping[str, Any]]]
) -> tuple[StepResult, ...]:
    """One result per step that was scored at least once."""
    return step_results(tasks, histories, metric=lambda task: _F1 if task.higher_is_better else _LOSS)


def table_of(task: LabelingTask, history: Sequence[Mapping[str, Any]]) -> ResultTable:
    """Dev scores per finding of the epoch whose weights were kept."""
    best = next(line for line in history if line["epoch"] == history[-1]["best_epoch"])
    states = task.dev.states_NF
    if states is None:
        means = task.train.targets_NF.mean(axis=0, dtype=np.float64)
        rows: tuple[tuple[Value, ...], ...] = tuple(
            (name, best["dev_losses"][name], float(_entropy(task.dev.targets_NF[:, i], means[i])))
            for i, name in enumerate(task.parts)
        )
        columns: tuple[Column, ...] = (
            Column("finding", "Finding", "text"),
            Column("loss", "Cross-entropy"),
            Column("constant", "Of the training mean"),
        )
        note = f"On {len(task.dev):,} reports that were not trained on; lower is better."
        return ResultTable("dev", "Dev scores of the model that was kept", columns, rows, note)
    counted = (State.POSITIVE, State.NEGATIVE, State.UNCERTAIN)
    columns = (
        Column("finding", "Finding", "text"),
        *(Column(s.name.lower(), s.name.lower(), "count") for s in counted),
        Column("f1", "Weighted F1"),
        Column("loss", "Cross-entropy"),
    )
    rows = tuple(
        (
            name,
            *(int((states[:, i] == s).sum()) for s in counted),
            best["dev_scores"][name],
            best["dev_losses"][name],
        )
        for i, name in enumerate(task.parts)
    )
    note = (
        f"On {len(task.dev):,} reports that were not trained on; the weighted F1 goes over positive, negative and "
        "uncertain labels. A dash: the dev set has none of them."
    )
    return ResultTable("dev", "Dev scores of the model that was kept", columns, rows, note)


def _entropy(target_N: Any, mean: float) -> Any:
    p = min(max(float(mean), 1e-12), 1 - 1e-12)
    return float(-(target_N * np.log(p) + (1 - target_N) * np.log(1 - p)).mean())


def to_json(result: TrainingResult) -> dict[str, Any]:
    """The parts of a result that result.json keeps."""
    return {**kept_fields(result), "table": result.table and asdict(result.table)}


def from_json(found: Mapping[str, Any], folder: Path, *, seconds: float) -> TrainingResult:
    """The result that `to_json` kept."""
    return TrainingResult(**fields_of(found, folder, seconds=seconds), table=table_of_json(found["table"]))
