"""`hilum score`: generated reports against references."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Self

import typer

if TYPE_CHECKING:
    from hilum.api.score import ScoreResult
    from hilum.core.records import Score
    from hilum.core.results import ResultTable

_SECONDS_BETWEEN_LINES = 10.0
_RATES = ("clinical_precision", "clinical_recall", "clinical_f1", "clinical_accuracy")


def score(
    *,
    references: Annotated[
        Path,
        typer.Option(
            metavar="FILE", help="Reference reports: csv, tsv, jsonl, parquet or json.", show_default=False
        ),
    ],
    candidates: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="Generated reports; may be the same file, another column.",
            show_default=False,
        ),
    ],
    metrics: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help="bleu, rouge_l, cider, cider_d, clinical (these five without it), entities, bertscore, "
            "chexbert_similarity, radgraph, or a plug-in.",
        ),
    ] = None,
    key: Annotated[
        str | None, typer.Option(metavar="NAME", help="The column with the ids, if it is not found.")
    ] = None,
    column: Annotated[
        str | None, typer.Option(metavar="NAME", help="The column with the reports in both files.")
    ] = None,
    reference_column: Annotated[
        str | None, typer.Option(metavar="NAME", help="The column with the reports in the references.")
    ] = None,
    candidate_column: Annotated[
        str | None, typer.Option(metavar="NAME", help="The column with the reports in the candidates.")
    ] = None,
    align: Annotated[
        str,
        typer.Option(
            metavar="HOW", help="Join rows by key, by position, or auto: by key where both have one."
        ),
    ] = "auto",
    tokens: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Words of bleu, rouge_l, cider, cider_d: coco (without it) or whitespace."
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What uncertain and blank count as in clinical scores: f1chexbert (without it), r2gen, "
            "uncertain-to-one, uncertain-to-zero, uncertain-ignored, four-state.",
        ),
    ] = None,
    labeler: Annotated[
        str | None, typer.Option(metavar="NAME", help="Labeler of clinical scores; rules without it.")
    ] = None,
    vocabulary: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE.toml", help="Findings of clinical scores; chexpert14 without it."),
    ] = None,
    convention: Annotated[
        str | None, typer.Option(metavar="NAME", help="Meaning of labels: house (without it) or chexpert.")
    ] = None,
    section: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What is labeled: both (without it), impression, findings, all."),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Weights of that labeler, if it is a neural one.", show_default=False
        ),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Local weights of bertscore and chexbert_similarity."),
    ] = None,
    layer: Annotated[
        int | None, typer.Option(metavar="N", help="Hidden layer of bertscore; the last without it.")
    ] = None,
    idf: Annotated[bool, typer.Option("--idf", help="Weigh rare words more in bertscore.")] = False,
    baseline: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Baselines to rescale bertscore with (LAYER,P,R,F).")
    ] = None,
    annotations_references: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="RadGraph annotations of the references.")
    ] = None,
    annotations_candidates: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="RadGraph annotations of the candidates.")
    ] = None,
    entity_preset: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="How entities compare: case-ignored (without it) or f1radgraph."),
    ] = None,
    per_sample: Annotated[
        Path | None, typer.Option(metavar="OUT.csv", help="Also write the values of each sample.")
    ] = None,
    json: Annotated[Path | None, typer.Option(metavar="OUT.json", help="Also write all scores.")] = None,
) -> None:
    """Score generated reports against references; each score with its direction, range, preset and version.

    Rows are joined by key where both files have one, else by position. Values go to standard output, notes and
    the progress bar to standard error.
    """
    from hilum.api.score import ScoreJob, score_files
    from hilum.cli._options import list_of

    given = {
        "tokens": tokens,
        "preset": preset,
        "labeler": labeler,
        "vocabulary": vocabulary,
        "convention": convention,
        "section": section,
        "weights": None if weights is None else str(weights),
        "model": None if model is None else str(model),
        "layer": layer,
        "idf": idf or None,
        "baseline": None if baseline is None else str(baseline),
        "annotations_references": annotations_references,
        "annotations_candidates": annotations_candidates,
        "entity_preset": entity_preset,
    }
    job = ScoreJob(
        references=references,
        candidates=candidates,
        metrics=None if metrics is None else list_of(metrics),
        key=key,
        reference_column=reference_column or column,
        candidate_column=candidate_column or column,
        align=align,  # type: ignore[arg-type]  # checked where it is used
        options={name: value for name, value in given.items() if value is not None},
        per_sample=per_sample,
        json=json,
    )
    with _Meter() as meter:
        result = score_files(job, progress=meter.update)
    _show(result, job.per_sample, job.json)


class _Meter:
    """A progress bar per metric on standard error; elsewhere than on a terminal a short line every ten seconds."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

        console = Console(stderr=True, highlight=False)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:,.0f} of {task.total:,.0f} reports"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self._last = time.monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def update(self, name: str, done: int, total: int) -> None:
        """Show how far a metric is."""
        if name not in self._tasks:
            self._tasks[name] = self._bar.add_task(name, total=total)
        self._bar.update(self._tasks[name], completed=done, total=total)
        if self._bar.disable and time.monotonic() - self._last >= _SECONDS_BETWEEN_LINES:
            self._last = time.monotonic()
            typer.echo(f"{name}: {done:,} of {total:,} reports", err=True)


def score_tables(scores: Sequence[Score]) -> list[ResultTable]:
    """The table of all scores, and one of the clinical values per finding where there are any."""
    from hilum.core.results import Column, ResultTable

    whole = [one for one in scores if not one.finding]
    columns = (
        Column("score", "Score", "text"),
        Column("value", "Value", "text"),
        Column("better", "Better", "text"),
        Column("range", "Range", "text"),
        Column("preset", "Preset", "text"),
        Column("version", "Ver.", "text"),
    )
    rows = tuple(
        (
            one.name,
            _number(one.value),
            "higher" if one.higher_is_better else "lower",
            f"{one.lowest:g} to {one.highest:g}",
            one.preset,
            one.version,
        )
        for one in whole
    )
    tables = [ResultTable("scores", "Scores", columns, rows)]
    return [*tables, *_findings(scores)]


def _findings(scores: Sequence[Score]) -> list[ResultTable]:
    from hilum.core.results import Column, ResultTable

    of: dict[str, dict[str, Score]] = {}
    for one in scores:
        if one.name in _RATES and one.finding:
            of.setdefault(one.finding, {})[one.name] = one
    if not of:
        return []
    columns = (
        Column("finding", "Finding", "text"),
        Column("support", "Positives", "count"),
        *(
            Column(rate.removeprefix("clinical_"), rate.removeprefix("clinical_").title(), "number")
            for rate in _RATES
        ),
    )
    rows = tuple(
        (finding, values[_RATES[0]].support, *(values[rate].value for rate in _RATES))
        for finding, values in of.items()
    )
    preset = next(iter(of.values()))[_RATES[0]].preset
    note = (
        "A dash: not defined, because neither has such a case."
        if any(math.isnan(one.value) for values in of.values() for one in values.values())
        else ""
    )
    return [ResultTable("findings", f"Clinical scores per finding ({preset})", columns, rows, note)]


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"


def _show(result: ScoreResult, per_sample: Path | str | None, json: Path | str | None) -> None:
    from hilum.cli._tables import print_table

    for table in score_tables(result.scores):
        print_table(table)
    for line in _lines(result):
        typer.echo(line, err=True)
    for what, path in (("Values of each sample", per_sample), ("All scores", json)):
        if path is not None:
            typer.echo(f"{what}: {path}", err=True)


def _lines(result: ScoreResult) -> list[str]:
    from hilum.metrics.clinical import PRESETS
    from hilum.metrics.entities import PRESETS as ENTITY_PRESETS

    lines = [f"{result.rows:,} pairs, joined by {result.joined}"]
    used = dict.fromkeys(one.preset.split(",")[0] for one in result.scores)
    texts = {name: rule.text for name, rule in PRESETS.items()}
    texts |= {name: rule.text for name, rule in ENTITY_PRESETS.items()}
    lines += [f"Preset {name}: {texts[name]}" for name in used if name in texts]
    noted: dict[str, list[str]] = {}
    for one in result.scores:
        note = one.note
        if note:
            noted.setdefault(note, []).append(one.name)
    lines += [f"Note: {', '.join(names)}: {note}" for note, names in noted.items()]
    return [*lines, *(f"Note: {note}" for note in result.notes)]
