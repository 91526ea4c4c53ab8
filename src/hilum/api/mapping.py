"""A fitted mapping applied to a label file: report labels in, estimated image labels out."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hilum.analyses.mappings import LogRegMapping, Mapping, load_mapping, save_mapping
from hilum.core.errors import InputError
from hilum.core.matrix import LEFT_OUT
from hilum.core.vocabulary import SHIPPED, State
from hilum.tables._label_rows import counted
from hilum.tables.columns import unique_columns
from hilum.tables.labels import LabelFile, read_labels
from hilum.tables.source import Cell
from hilum.tables.write import assemble, check_writable, encode_rows, output_format

__all__ = ["MappedFile", "load_mapping", "map_file", "save_mapping"]

_ROWS_OF_PART = 50_000


@dataclass(frozen=True)
class MappedFile:
    """What was written: studies, positive ones per finding, the key column kept, and notes of the reader."""

    output: Path
    kind: str
    studies: int
    positives: dict[str, int]
    key: str | None
    notes: tuple[str, ...]


def map_file(
    mapping: str | Path | Mapping,
    labels: str | Path,
    *,
    output: str | Path,
    key: str | None = None,
    probabilities: bool = False,
) -> MappedFile:
    """Apply a mapping to the rows of a label file and write its key column and 0/1 per finding to `output`.

    The format follows the extension (.csv .tsv .parquet .jsonl). With `probabilities`, which only LogReg
    mappings have, a column "NAME probability" per finding follows. Raises InputError for files that cannot be
    used and OutputError when the output cannot be written.
    """
    dest = Path(output)
    fmt = output_format(dest)
    check_writable(dest)
    fitted = load_mapping(mapping) if isinstance(mapping, str | Path) else mapping
    if fitted.vocabulary not in SHIPPED:
        raise InputError(
            f"The mapping is for the vocabulary {fitted.vocabulary!r}, which does not come with hilum (known: "
            f"{', '.join(SHIPPED)}). Next step: load_mapping(...).apply(...) in Python."
        )
    file, unlabeled_N = _read(labels, fitted.vocabulary, key)
    labels_NF = fitted.apply(file.matrix)
    values_NF = _probabilities(fitted, file) if probabilities else None
    _write(dest, fmt, file, fitted.findings, labels_NF, values_NF, unlabeled_N)
    counts = dict(zip(fitted.findings, (int(n) for n in labels_NF[~unlabeled_N].sum(axis=0)), strict=True))
    return MappedFile(dest, fitted.kind, len(labels_NF), counts, file.key, file.notes)


def _read(labels: str | Path, vocabulary: str, key: str | None) -> tuple[LabelFile, npt.NDArray[np.bool_]]:
    """The labels, blank where there is none, and which rows have none at all, bool [N]."""
    file = read_labels(labels, vocabulary=vocabulary, key=key, texts=False, left_out=True)
    none_NF = file.matrix.states_NF == LEFT_OUT
    unlabeled_N = none_NF.all(axis=1)
    states_NF = np.where(none_NF, State.BLANK, file.matrix.states_NF).astype(np.int8)
    notes = list(file.notes)
    if lost := int(unlabeled_N.sum()):
        notes.append(
            f"{counted(lost, 'row has', 'rows have')} no label (status, abstained), and none in the output"
        )
    return replace(file, matrix=replace(file.matrix, states_NF=states_NF), notes=tuple(notes)), unlabeled_N


def _probabilities(fitted: Mapping, file: LabelFile) -> npt.NDArray[np.float64]:
    if not isinstance(fitted, LogRegMapping):
        raise InputError(
            f"A {fitted.kind} mapping has no probabilities, only {LogRegMapping.kind} has. "
            "Next step: leave them out, or use such a mapping."
        )
    return fitted.probabilities(file.matrix)


def _write(
    dest: Path,
    fmt: str,
    file: LabelFile,
    findings: Sequence[str],
    labels_NF: npt.NDArray[np.int8],
    values_NF: npt.NDArray[np.float64] | None,
    unlabeled_N: npt.NDArray[np.bool_],
) -> None:
    keys = [file.key] if file.key else []
    added = [*findings, *(f"{finding} probability" for finding in findings if values_NF is not None)]
    columns = [*keys, *unique_columns(keys, added)]
    types = ["str"] * len(keys) + ["int8"] * len(findings) + ["float64"] * len(findings)
    schema = dict(zip(columns, types, strict=False))
    with tempfile.TemporaryDirectory() as folder:
        parts = []
        for first in range(0, max(len(labels_NF), 1), _ROWS_OF_PART):
            which = range(first, min(first + _ROWS_OF_PART, len(labels_NF)))
            rows = _rows(file, labels_NF, values_NF, unlabeled_N, which)
            parts.append(Path(folder) / f"{first}.part")
            parts[-1].write_bytes(encode_rows(columns, rows, fmt, schema=schema))
        assemble(parts, dest, columns, fmt, schema=schema)


def _rows(
    file: LabelFile,
    labels_NF: npt.NDArray[np.int8],
    values_NF: npt.NDArray[np.float64] | None,
    unlabeled_N: npt.NDArray[np.bool_],
    which: range,
) -> Iterator[Sequence[Cell]]:
    for row in which:
        key = [file.matrix.ids[row]] if file.key else []
        values = [] if values_NF is None else values_NF[row].tolist()
        cells = [*labels_NF[row].tolist(), *values]
        yield [*key, *([None] * len(cells) if unlabeled_N[row] else cells)]
