"""Stages in folders: each is done once, says what decides it, and is found again after a kill. For every study."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hilum.analyses._output import write_whole
from hilum.core.errors import OutputError
from hilum.core.matrix import LEFT_OUT
from hilum.core.version import VERSION
from hilum.runner.store import FolderStore
from hilum.tables.source import Cell
from hilum.tables.write import encode_header, encode_rows, output_error

STAGES, MARK = "stages", "stage.json"
STUDY = "study"
"""The key column of the tables of a stage."""


class Stages:
    """The stages of one study below `folder`, which belongs to it; use `opened`."""

    def __init__(self, folder: Path, tell: Callable[[str], object]) -> None:
        self.folder = folder
        self._tell = tell

    def run(
        self,
        name: str,
        decides: Mapping[str, Any],
        make: Callable[[Path], None],
        *,
        keeps: bool = False,
        files: Sequence[str] = (),
    ) -> Path:
        """The folder of a stage, made by `make` unless it is there already with the same `decides`.

        What a kill has left of a stage is removed first, unless it `keeps` its own parts to go on with (a training).
        `files` are what later stages read; all files of the folder without it.
        """
        path = self.folder / name
        decided = json.loads(json.dumps({"hilum": VERSION, **decides}))
        if self._done(path, decided):
            return path
        self._tell(f"stage {name}")
        try:
            (path / MARK).unlink(missing_ok=True)
            if not keeps:
                shutil.rmtree(path, ignore_errors=True)
            path.mkdir(parents=True, exist_ok=True)
            make(path)
            made = sorted(files) or sorted(one.name for one in path.iterdir() if one.is_file())
            record = {"decides": decided, "files": {one: checksum(path / one) for one in made}}
            write_json(path / MARK, record)
        except OSError as error:
            raise output_error(error, path, needed=0) from error
        return path

    def _done(self, path: Path, decided: Mapping[str, Any]) -> bool:
        try:
            record = json.loads((path / MARK).read_bytes())
            same: bool = record["decides"] == decided
            return same and all(checksum(path / name) == was for name, was in record["files"].items())
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return False


@contextmanager
def opened(
    folder: Path, *, job: Mapping[str, Any], fresh: bool, tell: Callable[[str], object]
) -> Iterator[Stages]:
    """The stages below `folder`, locked while inside; `fresh` forgets all of them. `job` says which study they are of.

    Raises ResumeError when another run is at work there, OutputError when it cannot be written.
    """
    store = FolderStore(folder / STAGES)
    store.open(job)
    try:
        if fresh:
            for one in (folder / STAGES).iterdir():
                if one.is_dir():
                    shutil.rmtree(one)
        yield Stages(folder / STAGES, tell)
    finally:
        store.close()


def kept_parts(folder: Path, decides: Mapping[str, Any]) -> Path:
    """A folder for what is done of a stage, emptied when what was kept there was decided by something else."""
    mark, decided = folder / MARK, json.loads(json.dumps(decides))
    if not mark.exists() or read_json(mark) != decided:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        write_json(mark, decided)
    return folder


def is_ours(folder: Path) -> bool:
    """Whether a folder holds stages of a study, finished or not."""
    return (folder / STAGES / "manifest.json").is_file()


def checksum(path: Path) -> str:
    """SHA-256, in hex, of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def text_checksum(*parts: str) -> str:
    """SHA-256, in hex, of some texts."""
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """One JSON object, whole or not at all."""
    write_whole(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())


def read_json(path: Path) -> Any:
    """What `write_json` wrote."""
    return json.loads(path.read_bytes())


def write_table(path: Path, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """A csv, whole or not at all."""
    write_whole(path, encode_header(columns, "csv") + encode_rows(columns, rows, "csv"))


def write_values(path: Path, ids: Sequence[str], columns: Sequence[str], values_NF: npt.NDArray[Any]) -> None:
    """A csv of numbers with the study in front; floats come back as they are. LEFT_OUT of whole numbers is empty."""
    is_whole = np.issubdtype(values_NF.dtype, np.integer)
    rows: list[list[Cell]] = [
        [one, *((None if is_whole and v == LEFT_OUT else v) for v in values)]
        for one, values in zip(ids, values_NF.tolist(), strict=True)
    ]
    write_table(path, (STUDY, *columns), rows)


def read_values(path: Path) -> tuple[tuple[str, ...], tuple[str, ...], npt.NDArray[np.float64]]:
    """Ids, columns and numbers [N, F] that `write_values` wrote; an empty cell is LEFT_OUT."""
    with io.StringIO(path.read_text(encoding="utf-8"), newline="") as file:
        header, *rows = csv.reader(file)
    if not rows:
        raise OutputError(f"{path} is empty. Next step: start again from nothing with --fresh.")
    values = [[float(LEFT_OUT) if cell == "" else float(cell) for cell in row[1:]] for row in rows]
    return tuple(row[0] for row in rows), tuple(header[1:]), np.array(values, dtype=np.float64)


def read_answers(path: Path) -> tuple[tuple[str, ...], npt.NDArray[np.int8]]:
    """Columns and 0/1/LEFT_OUT answers [N, F] that `write_values` wrote."""
    _, columns, values_NF = read_values(path)
    return columns, values_NF.astype(np.int8)
