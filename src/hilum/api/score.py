"""Generated reports against references: texts or files in, scores out."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hilum.core.errors import InputError, OutputError
from hilum.core.records import Score
from hilum.core.version import VERSION
from hilum.scorers import References, Words, get_scorer, options_of
from hilum.tables.pairs import How, Pairs, join_texts, read_texts

DEFAULT_METRICS = ("bleu", "rouge_l", "cider", "cider_d", "clinical")
"""What is scored when nothing is named: what needs no weights."""

Progress = Callable[[str, int, int], None]
"""Called now and then with a metric's name, the number of samples done, and of all."""


@dataclass(frozen=True)
class ScoreJob:
    """What to score and how.

    `references` and `candidates` are csv, tsv, jsonl, parquet or json files; they may be the same file with two
    columns. `options` go to the metrics that know them (tokens, labeler, preset, model, ...). `per_sample` is a
    csv with one row per sample, `json` a file of all scores.
    """

    references: str | Path
    candidates: str | Path
    metrics: tuple[str, ...] | None = None
    key: str | None = None
    reference_column: str | None = None
    candidate_column: str | None = None
    align: How = "auto"
    options: Mapping[str, object] = field(default_factory=dict)
    per_sample: str | Path | None = None
    json: str | Path | None = None


@dataclass(frozen=True)
class ScoreResult:
    """Scores of N samples, and what to know of them. `metrics` are those that were worked out.

    `stamps` says by metric what made its values (labeler, vocabulary, digest of its data), where it has that.
    """

    scores: tuple[Score, ...]
    rows: int
    joined: str
    metrics: tuple[str, ...]
    notes: tuple[str, ...] = ()
    stamps: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def score_files(job: ScoreJob, *, progress: Progress | None = None) -> ScoreResult:
    """Score the candidates of a file against the references of a file; write what was asked for.

    Raises InputError for files that cannot be read or joined and for options that no metric knows,
    UnknownNameError, MissingExtraError, OutputError.
    """
    for path in (job.per_sample, job.json):
        _check_output(path, job)
    references = read_texts(job.references, "references", column=job.reference_column, key=job.key)
    candidates = read_texts(job.candidates, "candidates", column=job.candidate_column, key=job.key)
    same = Path(job.references).resolve() == Path(job.candidates).resolve()
    if same and references.column == candidates.column:
        raise InputError(
            f"References and candidates would both be {references.column or 'the texts'!r} of {job.references}. "
            "Next step: name two columns with --reference-column and --candidate-column."
        )
    pairs = join_texts(references, candidates, how=job.align)
    metrics, note = _metrics(job.metrics, pairs)
    scores, stamps = _score(
        pairs.references,
        pairs.candidates,
        metrics=metrics,
        ids=pairs.ids,
        options=job.options,
        per_sample=job.per_sample is not None,
        progress=progress,
    )
    notes = (*pairs.notes, note) if note else pairs.notes
    result = ScoreResult(tuple(scores), len(pairs), pairs.joined, metrics, notes, stamps)
    if job.per_sample is not None:
        _write(Path(job.per_sample), lambda path: _write_samples(path, pairs.ids, scores))
    if job.json is not None:
        _write(Path(job.json), lambda path: _write_json(path, job, result))
    return result


def score(
    references: References,
    candidates: Sequence[str],
    *,
    metrics: Sequence[str] = DEFAULT_METRICS,
    ids: Sequence[str] | None = None,
    per_sample: bool = False,
    progress: Progress | None = None,
    **options: object,
) -> list[Score]:
    """The scores of N candidate reports against one or more references each.

    `options` go to the metrics that know them: tokens, labeler, preset, model, ... Raises InputError when the
    numbers differ or no metric knows an option, UnknownNameError for a metric that does not exist.
    """
    return _score(
        references,
        candidates,
        metrics=tuple(metrics),
        ids=ids,
        options=options,
        per_sample=per_sample,
        progress=progress,
    )[0]


def _score(
    references: References,
    candidates: Sequence[str],
    *,
    metrics: Sequence[str],
    ids: Sequence[str] | None,
    options: Mapping[str, object],
    per_sample: bool,
    progress: Progress | None,
) -> tuple[list[Score], dict[str, Mapping[str, str]]]:
    if not metrics:
        raise InputError("No metric was named. Next step: leave --metrics out, or name one.")
    known = {name: options_of(name) for name in dict.fromkeys(metrics)}
    strange = [option for option in options if not any(option in taken for taken in known.values())]
    if strange:
        raise InputError(
            f"None of the metrics {', '.join(known)} knows the option {strange[0].replace('_', '-')!r}. Next step: "
            "leave it out, or name the metric that needs it."
        )
    shared = {**options, "words": Words()}
    built = [
        get_scorer(name, **{option: value for option, value in shared.items() if option in taken})
        for name, taken in known.items()
    ]
    scores: list[Score] = []
    for scorer in built:
        tick = None
        if progress is not None:
            tick = _Named(scorer.name, progress)
            tick(0, len(candidates))
        scores += scorer.score(references, candidates, ids=ids, per_sample=per_sample, progress=tick)
    return scores, {scorer.name: stamp for scorer in built if (stamp := getattr(scorer, "stamp", None))}


@dataclass(frozen=True)
class _Named:
    name: str
    progress: Progress

    def __call__(self, done: int, total: int) -> None:
        self.progress(self.name, done, total)


def _metrics(asked: tuple[str, ...] | None, pairs: Pairs) -> tuple[tuple[str, ...], str]:
    if asked is not None:
        return tuple(dict.fromkeys(asked)), ""
    if not pairs.several:
        return DEFAULT_METRICS, ""
    kept = tuple(name for name in DEFAULT_METRICS if name != "clinical")
    return (
        kept,
        "some samples have several references, so clinical scores were left out: they compare with one",
    )


def _check_output(path: str | Path | None, job: ScoreJob) -> None:
    if path is None:
        return
    place = Path(path)
    if place.resolve() in (Path(job.references).resolve(), Path(job.candidates).resolve()):
        raise OutputError(f"{path} is an input. Next step: name another file for the output.")
    if place.is_dir() or not place.resolve().parent.is_dir():
        raise OutputError(
            f"{path} cannot be written: no folder for it. Next step: make it, or name another file."
        )


def _write(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(part)
        part.replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error}. Next step: name another file.") from error
    finally:
        part.unlink(missing_ok=True)


def _write_samples(path: Path, ids: Sequence[str], scores: Sequence[Score]) -> None:
    columns = [score for score in scores if score.per_sample is not None]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["id", *(score.name for score in columns)])
        values = zip(*(score.per_sample or () for score in columns), strict=True)
        for key, row in zip(ids, values if columns else [()] * len(ids), strict=True):
            writer.writerow([key, *("" if math.isnan(value) else repr(round(value, 10)) for value in row)])


def _write_json(path: Path, job: ScoreJob, result: ScoreResult) -> None:
    data = {
        "hilum": VERSION,
        "references": str(job.references),
        "candidates": str(job.candidates),
        "rows": result.rows,
        "joined_by": result.joined,
        "options": {name: str(value) for name, value in job.options.items()},
        "notes": list(result.notes),
        "made_by": {name: dict(stamp) for name, stamp in result.stamps.items()},
        "scores": [score_record(score) for score in result.scores],
    }
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def score_record(score: Score) -> dict[str, object]:
    """A score as plain values for json, without the values per sample; what is not finite is null."""
    return {
        "name": score.name,
        "finding": score.finding,
        "value": _finite(score.value),
        "direction": "higher is better" if score.higher_is_better else "lower is better",
        "lowest": _finite(score.lowest),
        "highest": _finite(score.highest),
        "preset": score.preset,
        "version": score.version,
        "support": score.support,
        "note": score.note,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
