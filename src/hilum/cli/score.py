"""`hilum score`: generated reports against references."""

from __future__ import annotations

from pathlib import Path

from hilum.cli import _score_options as options


def score(
    *,
    references: options.References,
    candidates: options.Candidates,
    metrics: options.Metrics = None,
    key: options.Key = None,
    column: options.Column = None,
    reference_column: options.ReferenceColumn = None,
    candidate_column: options.CandidateColumn = None,
    align: options.Align = "auto",
    tokens: options.Tokens = None,
    preset: options.Preset = None,
    labeler: options.LabelerName = None,
    vocabulary: options.Vocabulary = None,
    convention: options.Convention = None,
    section: options.Section = None,
    weights: options.Weights = None,
    model: options.Model = None,
    layer: options.Layer = None,
    idf: options.Idf = False,
    baseline: options.Baseline = None,
    annotations_references: options.AnnotationsReferences = None,
    annotations_candidates: options.AnnotationsCandidates = None,
    entity_preset: options.EntityPreset = None,
    per_sample: options.PerSample = None,
    json: options.Json = None,
) -> None:
    """Score generated reports against references; each score with its direction, range, preset and version.

    Rows are joined by key where both files have one, else by position. Values go to standard output, notes and
    the progress bar to standard error.
    """
    from hilum.api.score import ScoreJob, score_files
    from hilum.cli._options import list_of
    from hilum.cli._score_view import Meter, show_result

    given = {
        "tokens": tokens, "preset": preset, "labeler": labeler, "vocabulary": vocabulary, "convention": convention,
        "section": section, "weights": _text(weights), "model": _text(model), "layer": layer, "idf": idf or None,
        "baseline": _text(baseline), "annotations_references": annotations_references,
        "annotations_candidates": annotations_candidates, "entity_preset": entity_preset,
    }  # fmt: skip
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
    with Meter() as meter:
        result = score_files(job, progress=meter.update)
    show_result(result, per_sample=per_sample, json=json)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
