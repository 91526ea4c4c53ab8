"""What the results of all trainings have in common, and how result.json keeps it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hilum.core.results import Column, Estimate, ResultTable
from hilum.train._folder import MODEL
from hilum.train.labeler import StepResult, TrainingResult

if TYPE_CHECKING:
    from hilum.train.classifier import ClassifierResult

T = TypeVar("T")


def step_results(
    tasks: Sequence[T], histories: Sequence[Sequence[Mapping[str, Any]]], *, metric: Callable[[T], str]
) -> tuple[StepResult, ...]:
    """One result per task that was scored at least once; `metric`: what its score is called."""
    return tuple(
        _step(task, history[-1], metric(task))
        for task, history in zip(tasks, histories, strict=False)
        if history
    )


def _step(task: Any, last: Mapping[str, Any], metric: str) -> StepResult:
    return StepResult(
        task.name,
        len(task.train),
        len(task.dev),
        int(last["epoch"]),
        int(last["best_epoch"]),
        float(last["best"]),
        metric,
    )


def kept_fields(result: TrainingResult | ClassifierResult) -> dict[str, Any]:
    """The fields of any result that result.json keeps, as JSON values."""
    return {
        "steps": [asdict(step) for step in result.steps],
        "notes": list(result.notes),
        "trained_steps": result.trained_steps,
        "seconds": round(result.seconds, 1),
    }


def fields_of(found: Mapping[str, Any], folder: Path, *, seconds: float) -> dict[str, Any]:
    """The arguments of any finished result that `kept_fields` kept."""
    return {
        "folder": folder,
        "model": folder / MODEL,
        "finished": True,
        "steps": tuple(StepResult(**step) for step in found["steps"]),
        "notes": tuple(found["notes"]),
        "seconds": seconds,
        "trained_steps": int(found["trained_steps"]),
        "resumed_at": int(found["trained_steps"]),
    }


def table_of_json(found: Mapping[str, Any]) -> ResultTable:
    """A table that was kept; a list in a cell is an estimate."""
    rows = tuple(tuple(Estimate(*v) if isinstance(v, list) else v for v in row) for row in found["rows"])
    return ResultTable(
        found["name"], found["title"], tuple(Column(*c) for c in found["columns"]), rows, found["note"]
    )
