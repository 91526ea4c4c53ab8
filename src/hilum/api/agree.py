"""How far two label files agree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hilum.analyses._output import tables_json
from hilum.analyses.agree import AgreeConfig, agreement
from hilum.core.matrix import LabelMatrix
from hilum.core.results import ResultPage
from hilum.core.vocabulary import Vocabulary
from hilum.tables.labels import LabelFile, read_label_files, read_labels
from hilum.tables.write import check_writable, output_error, utf8

__all__ = ["AgreeConfig", "agree", "write_json"]

Labels = LabelMatrix | str | Path


def agree(
    a: Labels,
    b: Labels,
    *,
    key: str | Sequence[str | None] | None = None,
    vocabulary: Vocabulary | str | None = None,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> ResultPage:
    """B compared with A, which is taken as the truth: a page whose `table("agreement")` has the numbers.

    A and B are label files or LabelMatrix. `key` names the key column, or that of A and that of B. `options` are
    the fields of AgreeConfig: policy, findings, align, match_keys, replicates, level, seed, force.
    Raises InputError for files that cannot be read or aligned.
    """
    files = _read(a, b, key, vocabulary)
    notes = [f"{file.matrix.source}: {note}." for file in files for note in file.notes]
    return agreement(
        files[0].matrix, files[1].matrix, config=AgreeConfig(**options), notes=notes, progress=progress
    )


def write_json(page: ResultPage, path: str | Path) -> None:
    """All tables, warnings and the stamp of a page as one JSON file. Raises OutputError when it cannot be written."""
    check_writable(path)
    try:
        Path(path).write_bytes(utf8(tables_json(page, [])))
    except OSError as error:
        raise output_error(error, Path(path)) from error


def _read(
    a: Labels, b: Labels, key: str | Sequence[str | None] | None, vocabulary: Vocabulary | str | None
) -> list[LabelFile]:
    if isinstance(a, LabelMatrix) and isinstance(b, LabelMatrix):
        return [LabelFile(a, None), LabelFile(b, None)]
    keys = [key, key] if key is None or isinstance(key, str) else [*key, *key][:2]
    if isinstance(a, LabelMatrix):
        path = Path(b)  # type: ignore[arg-type] # one of the two is a path
        return [LabelFile(a, None), read_labels(path, vocabulary=vocabulary or a.vocabulary, key=keys[1])]
    if isinstance(b, LabelMatrix):
        return [read_labels(a, vocabulary=vocabulary or b.vocabulary, key=keys[0]), LabelFile(b, None)]
    paths = dict(zip(_names(Path(a), Path(b)), (a, b), strict=True))
    return read_label_files(paths, vocabulary=vocabulary, key=None if key is None else keys)


def _names(a: Path, b: Path) -> tuple[str, str]:
    """File names, with as much of the folder as tells them apart."""
    if a.name != b.name:
        return a.name, b.name
    if str(a) != str(b):
        return str(a), str(b)
    return f"{a.name} (A)", f"{b.name} (B)"
