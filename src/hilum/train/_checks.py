"""What the configurations of all trainings share: checks of their choices, and which of them decide weights."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from hilum.core.errors import InputError, UnknownNameError


def check_known(choices: Iterable[tuple[str, str, Collection[str]]]) -> None:
    """Raises UnknownNameError for the first of (kind, name, known names) whose name is not known."""
    for kind, got, names in choices:
        if got not in names:
            raise UnknownNameError(kind, got, names)


def check_least(config: object, least: Iterable[tuple[str, int]]) -> None:
    """Raises InputError for a field below its least value; None is not below it."""
    for name, low in least:
        value = getattr(config, name)
        if value is not None and value < low:
            raise InputError(f"{name} is {value}; it must be {low} or more.")


def check_shares(config: object, least: Iterable[tuple[str, float]]) -> None:
    """Raises InputError for a field below its least value, or not below 1."""
    for name, low in least:
        value = getattr(config, name)
        if not low <= value < 1:
            raise InputError(f"{name} is {value}; it must be between 0 and 1.")


def check_positive(config: object, names: Iterable[str]) -> None:
    """Raises InputError for a field that is not above 0 and finite; None may be."""
    for name in names:
        value = getattr(config, name)
        if value is not None and not 0 < value < math.inf:
            raise InputError(f"{name} is {value}; it must be above 0.")


def deciding_of(
    choices: Mapping[str, Any], *, left_out: Collection[str], files: Collection[str]
) -> dict[str, Any]:
    """The choices but those left out; of files the name alone."""
    kept = {k: v for k, v in choices.items() if k not in left_out}
    return {k: Path(v).name if k in files and v is not None else v for k, v in kept.items()}
