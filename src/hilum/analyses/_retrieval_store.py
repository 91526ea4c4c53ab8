"""Rows of numbers that cost much, kept in a folder by the digest of what they are of, so that a killed run goes on."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hilum.analyses._output import write_whole
from hilum.core.errors import OutputError

KEPT, MARK = "kept", "kept.json"
"""The folder below that of the study, and the file that says whose it is."""

_FORMAT = "hilum study retrieval, kept 1"
Numbers = npt.NDArray[np.float32]


class Kept:
    """Rows float32 [W] by digest, made by something that `made_by` names; without a folder they are kept nowhere.

    A part is one file of rows, written whole and never changed; a part that is broken counts as not there.
    """

    def __init__(self, home: Path | None, kind: str, made_by: str) -> None:
        self.rows: dict[str, Numbers] = {}
        self._folder = None if home is None else home / KEPT / f"{kind}-{_sha(made_by)[:24]}"
        if self._folder is not None and self._folder.is_dir():
            for path in sorted(self._folder.glob("*.npz")):
                self.rows.update(_read(path))

    def add(self, rows: Mapping[str, Sequence[float] | Numbers]) -> None:
        """Keep more rows. Raises OutputError when they cannot be written."""
        new = {key: np.asarray(row, dtype=np.float32) for key, row in rows.items() if key not in self.rows}
        if not new:
            return
        self.rows.update(new)
        if self._folder is None:
            return
        content = io.BytesIO()
        np.savez(
            content, keys=np.array(sorted(new), dtype="S64"), rows=np.stack([new[k] for k in sorted(new)])
        )
        try:
            write_whole(self._folder / f"{_sha(*sorted(new))[:24]}.npz", content.getvalue())
        except OSError as error:
            raise OutputError(
                f"{self._folder} cannot be written: {error}. Next step: name another folder with -o."
            ) from error


def claim(home: Path) -> None:
    """Mark `home` as a folder of this study. Raises OutputError when it cannot be written."""
    try:
        write_whole(home / KEPT / MARK, (json.dumps({"format": _FORMAT}) + "\n").encode())
    except OSError as error:
        raise OutputError(
            f"{home} cannot be written: {error}. Next step: name another folder with -o."
        ) from error


def is_ours(home: Path) -> bool:
    """Whether a folder has what an earlier run of this study kept."""
    try:
        found: Any = json.loads((home / KEPT / MARK).read_bytes())
        return bool(found["format"] == _FORMAT)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _read(path: Path) -> dict[str, Numbers]:
    try:
        with np.load(path, allow_pickle=False) as held:
            keys, rows = held["keys"], held["rows"]
        if rows.ndim != 2 or len(keys) != len(rows):
            return {}
        return {key.decode(): row for key, row in zip(keys.tolist(), rows.astype(np.float32), strict=True)}
    except Exception:  # noqa: BLE001  (numpy and zipfile raise whatever a broken file makes them; it is made anew)
        return {}


def _sha(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
