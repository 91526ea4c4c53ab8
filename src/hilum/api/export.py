"""Weights to ONNX files, kept only when their labels equal those of torch."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hilum.core.errors import InputError, OutputError
from hilum.core.version import VERSION
from hilum.tables.detect import open_reports
from hilum.text.bert_text import prepare

if TYPE_CHECKING:
    from hilum.models.equality import Equality
    from hilum.models.report_encoder import LoadedEncoder

LEAST_EQUAL, MOST_REPORTS = 0.995, 2_000
RECORD = "onnx_export.json"
"""The file beside the models that says how equal their labels were, and on what."""

Progress = Callable[[str, int, int], None]
"""Called with what is being worked out, and how many of how many texts are done."""


@dataclass(frozen=True)
class ExportJob:
    """What to export and how it is checked.

    `weights` is a folder that `hilum convert` or training wrote; the models go into it, or into `output`. Labels are
    compared on the first `limit` texts of `reports` (its column `column`), or on the sentences and reports of the
    self-test. A model with a smaller share of equal labels than `least_equal` is not kept.
    """

    weights: str | Path
    output: str | Path | None = None
    reports: str | Path | None = None
    column: str | None = None
    limit: int = MOST_REPORTS
    least_equal: float = LEAST_EQUAL
    weight_bits: int = 8
    threads: int | None = None


@dataclass(frozen=True)
class Exported:
    """What was written: model files by precision, the share of equal labels of each, and on which texts."""

    files: dict[str, Path]
    equality: dict[str, Equality]
    texts: str
    record: Path
    sizes: dict[str, int] = field(default_factory=dict)


def export(job: ExportJob, *, progress: Progress | None = None) -> Exported:
    """Write `model.onnx` and `model.int8.onnx`, each only if its labels equal those of torch's float32 often enough.

    A record of the comparison is written either way. Raises InputError for weights, texts or options that cannot be
    used and when a model was refused, OutputError, MissingExtraError.
    """
    if not 0 <= job.least_equal <= 1:
        raise InputError(f"--least-equal is a share from 0 to 1; got {job.least_equal}.")
    if job.limit < 1:
        raise InputError(f"--limit is at least 1; got {job.limit}.")
    from hilum.models.onnx_model import FILES, export_onnx  # noqa: PLC0415 - loads onnx and torch
    from hilum.models.report_encoder import load_encoder  # noqa: PLC0415

    loaded = load_encoder(job.weights)
    texts, named = _texts(job, loaded.spec.text)
    target = Path(job.output) if job.output is not None else loaded.folder
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target, prefix=".export-") as folder:
            made = export_onnx(loaded, folder, weight_bits=job.weight_bits)
            equality = _compare(loaded, Path(folder), texts, made, job.threads, progress)
            refused = [p for p in made if (equality[p].labels or 0) < job.least_equal]
            record = _write_record(target, job, equality, refused=refused, texts=named)
            _move(
                Path(folder),
                target,
                [FILES[p] for p in made if p not in refused],
                own=target.resolve() != loaded.folder.resolve(),
            )
            for precision in refused:
                (target / FILES[precision]).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{target} cannot be written: {error}. Next step: name another folder.") from error
    if refused:
        raise InputError(_refusal(equality, refused, job, named))
    files = {precision: target / FILES[precision] for precision in made}
    return Exported(files, equality, named, record, {p: f.stat().st_size for p, f in files.items()})


def _texts(job: ExportJob, mode: str) -> tuple[list[str], str]:
    """Prepared texts that are not empty, and what they are."""
    found: list[str] = []
    if job.reports is None:
        from hilum.labelers._selftest import read_cases  # noqa: PLC0415 - only here

        found = [prepare(case.text, mode) for case in read_cases()]
        return found, f"the {len(found):,} sentences and reports of the self-test"
    for row in open_reports(job.reports, column=job.column).rows():
        text = prepare(row.text or "", mode)
        if text:
            found.append(text)
        if len(found) == job.limit:
            break
    if not found:
        raise InputError(
            f"{job.reports} has no text to compare labels on. Next step: another file or --column."
        )
    return found, f"the first {len(found):,} texts of {Path(job.reports).name}"


def _compare(
    loaded: LoadedEncoder,
    folder: Path,
    texts: Sequence[str],
    made: Mapping[str, Path],
    threads: int | None,
    progress: Progress | None,
) -> dict[str, Equality]:
    from hilum.models.equality import label_equality  # noqa: PLC0415
    from hilum.models.onnx_model import OnnxEncoder  # noqa: PLC0415
    from hilum.models.predict import predict  # noqa: PLC0415

    def logits(encoder: Any, name: str) -> Any:
        tell = None if progress is None else lambda done, total: progress(name, done, total)
        return np.concatenate(predict(encoder, texts, progress=tell).logits)

    reference_SC = logits(loaded, "torch float32")
    return {
        precision: label_equality(
            reference_SC,
            logits(OnnxEncoder(folder, precision=precision, threads=threads), f"ONNX {precision}"),
            loaded.spec,
        )
        for precision in made
    }


def _write_record(
    target: Path, job: ExportJob, equality: dict[str, Equality], *, refused: Sequence[str], texts: str
) -> Path:
    path = target / RECORD
    fields = {
        "hilum": VERSION,
        "reference": "float32 by torch",
        "texts": texts,
        "least_equal": job.least_equal,
        "weight_bits": job.weight_bits,
        "versions": dict(_versions()),
        "models": {
            precision: {**equal.to_json(), "kept": precision not in refused}
            for precision, equal in equality.items()
        },
    }
    path.write_text(json.dumps(fields, indent=1, sort_keys=True) + "\n", encoding="utf-8", newline="\n")
    return path


def _versions() -> Iterator[tuple[str, str]]:
    from importlib.metadata import version  # noqa: PLC0415

    for package in ("onnx", "onnxruntime", "torch", "transformers"):
        yield package, version(package)


def _move(source: Path, target: Path, names: Sequence[str], *, own: bool) -> None:
    others = [p.name for p in source.iterdir() if own and p.suffix != ".onnx"]
    for name in (*names, *others):
        (source / name).replace(target / name)


def _refusal(equality: dict[str, Equality], refused: Sequence[str], job: ExportJob, texts: str) -> str:
    said = "; ".join(f"{name}: {equality[name].labels or 0:.2%}" for name in refused)
    return (
        f"Too few labels equal those of torch's float32 on {texts} ({said}; at least {job.least_equal:.2%} are asked "
        f"for), so {'this model was' if len(refused) == 1 else 'these models were'} not kept. Next step: label with "
        "float32 or bfloat16, compare on reports like yours (--reports FILE), or allow less with --least-equal."
    )
