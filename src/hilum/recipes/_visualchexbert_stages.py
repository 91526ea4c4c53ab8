"""The stages of the VisualCheXbert study: those of `recipes._stages`, under its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hilum.recipes import _stages
from hilum.recipes._stages import (
    STAGES,
    STUDY,
    Stages,
    checksum,
    is_ours,
    kept_parts,
    read_answers,
    read_json,
    read_values,
    text_checksum,
    write_json,
    write_table,
    write_values,
)

__all__ = [
    "STAGES",
    "STUDY",
    "Stages",
    "checksum",
    "is_ours",
    "kept_parts",
    "opened",
    "read_answers",
    "read_json",
    "read_values",
    "text_checksum",
    "write_json",
    "write_table",
    "write_values",
]

_JOB = {"hilum study visualchexbert": 1}


@contextmanager
def opened(folder: Path, *, fresh: bool, tell: Callable[[str], object]) -> Iterator[Stages]:
    """The stages below `folder`; see `recipes._stages.opened`."""
    with _stages.opened(folder, job=_JOB, fresh=fresh, tell=tell) as stages:
        yield stages
