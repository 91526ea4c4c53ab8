"""What a finished training of a generator says: scores beside those of reports that say nothing, and examples."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hilum.core.results import Column, Estimate, ResultTable, Value
from hilum.text.report_words import Sentences
from hilum.train._generator_rewards import Judges, Simple, simple_reports
from hilum.train._generator_sides import GeneratorSides
from hilum.train._kept import fields_of, table_of_json
from hilum.train.checkpoints import write_whole
from hilum.train.generating import handed_out
from hilum.train.generator import GeneratorResult, GeneratorSpeed
from hilum.train.generator_config import GeneratorTraining
from hilum.train.labeler import StepResult

EXAMPLES_FILE = "examples.jsonl"
_EXAMPLES = 50
_FEW = 3
_METRICS = {"loss": "loss", "cider": "CIDEr-D", "reward": "reward"}


def steps_of(
    task: Any, history: Sequence[Mapping[str, Any]], learned: int, chosen: int
) -> tuple[StepResult, ...]:
    """The one step of a run, when it was scored at least once."""
    if not history:
        return ()
    last = history[-1]
    metric = _METRICS[task.chosen_by]
    best = float(last["best"])
    return (
        StepResult(task.name, learned, chosen, int(last["epoch"]), int(last["best_epoch"]), best, metric),
    )


def final_tables(
    config: GeneratorTraining, task: Any, sides: GeneratorSides, written: Sequence[Sentences]
) -> tuple[tuple[ResultTable, ...], tuple[tuple[str, str, str], ...]]:
    """Rewards of the dev reports that the kept model writes, beside simple ones; and the first reports themselves."""
    candidates = handed_out(written)
    judges: Judges = task.taught.dev_judges
    rows = [judges.score("the model", candidates)]
    rows += [
        judges.score(name, texts) for name, texts in simple_reports(sides.train.texts, len(sides.dev)).items()
    ]
    examples = tuple(
        (one, text, found)
        for one, text, found in zip(
            sides.dev.ids[:_EXAMPLES], sides.dev.texts[:_EXAMPLES], candidates[:_EXAMPLES], strict=True
        )
    )
    write_examples(config.output / EXAMPLES_FILE, examples)
    return (_table(rows, config, len(sides.dev)),), examples


def always_the_same(texts: Sequence[str]) -> str:
    """In words, that all generated reports are empty or alike; "" when they are not."""
    if len(texts) < _FEW or len(set(texts)) > 1:
        return ""
    what = "are the same" if texts[0].strip() else "are empty"
    return f"all {len(texts):,} generated reports {what}, whatever the image"


def _table(rows: Sequence[Simple], config: GeneratorTraining, images: int) -> ResultTable:
    columns = (
        Column("reports", "Reports", "text"),
        Column("cider", "CIDEr-D"),
        Column("findings", "Findings reward"),
        Column("recall", "Recall of positives"),
        Column("precision", "Precision"),
        Column("words", "Words"),
        Column("sentences", "Sentences"),
    )
    cells: tuple[tuple[Value, ...], ...] = tuple(tuple(one) for one in rows)
    note = (
        f"Greedy reports of {images:,} images that were not learned from, repeated sentences taken out; the checkpoint "
        "was chosen by them. Findings: "
        f"equation 1 summed over the labels of {config.judge!r}, uncertain {config.beta_uncertain:g}. Silence is "
        "nearly right, because most findings are absent: read every reward beside that of the empty report. A dash: no "
        "positive label to count."
    )
    return ResultTable("dev", "Dev reports of the model that was kept", columns, cells, note)


def write_examples(path: Path, examples: Sequence[tuple[str, str, str]]) -> None:
    """One JSON object per line: image, report, generated."""
    lines = [
        json.dumps({"image": one, "report": text, "generated": found}, ensure_ascii=False)
        for one, text, found in examples
    ]
    content = "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
    write_whole(path, lambda file: file.write(content))


def _read_examples(path: Path) -> tuple[tuple[str, str, str], ...]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        found = [json.loads(line) for line in lines]
        return tuple((str(one["image"]), str(one["report"]), str(one["generated"])) for one in found)
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def to_json(result: GeneratorResult) -> dict[str, Any]:
    """The parts of a result that result.json keeps."""
    return {
        "steps": [asdict(step) for step in result.steps],
        "notes": list(result.notes),
        "trained_steps": result.trained_steps,
        "seconds": round(result.seconds, 1),
        "left_out": result.left_out,
        "speed": result.speed and asdict(result.speed),
        "tables": [_table_json(table) for table in result.tables],
    }


def _table_json(table: ResultTable) -> dict[str, Any]:
    rows = [[list(v) if isinstance(v, Estimate) else v for v in row] for row in table.rows]
    return {**json.loads(json.dumps({**asdict(table), "rows": []})), "rows": rows}


def from_json(found: Mapping[str, Any], folder: Path, *, seconds: float) -> GeneratorResult:
    """The result that `to_json` kept."""
    return GeneratorResult(
        **fields_of(found, folder, seconds=seconds),
        tables=tuple(table_of_json(table) for table in found["tables"]),
        left_out=int(found["left_out"]),
        speed=GeneratorSpeed(**found["speed"]) if found["speed"] else None,
        examples=_read_examples(folder / EXAMPLES_FILE),
    )
