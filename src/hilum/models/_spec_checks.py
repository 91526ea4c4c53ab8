"""What the specs of all models share: fields of their JSON, and checks of findings and calibration. No torch."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from hilum.core.errors import InputError
from hilum.core.vocabulary import SHIPPED

T = TypeVar("T")


# --- JSON ---


def parsed(
    fields: Mapping[str, Any] | str,
    where: str,
    *,
    required: Sequence[str],
    optional: Sequence[str],
    called: str | None = None,
) -> Mapping[str, Any]:
    """The fields, JSON text parsed; raises InputError when one is missing or unknown.

    `called`: what messages call it where they need not say where it is.
    """
    called = where if called is None else called
    if isinstance(fields, str):
        try:
            fields = json.loads(fields)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{called} is no JSON: {error}.") from error
    if not isinstance(fields, Mapping):
        raise InputError(f"{where} must be a JSON object, got {type(fields).__name__}.")
    known = (*required, *optional)
    unknown = [str(name) for name in fields if name not in known]
    missing = [name for name in required if name not in fields]
    if unknown or missing:
        said = f"lacks {missing[0]!r}" if missing else f"has the unknown field {unknown[0][:60]!r}"
        raise InputError(f"{called} {said}. Fields are: {', '.join(known)}.")
    return fields


def is_a(value: Any, kind: type[T], name: str | None = None) -> T:
    """The value. Raises TypeError, which says the field's name where it is given, when it is of another type."""
    if not isinstance(value, kind) or isinstance(value, bool):
        said = f"{str(value)[:60]!r} is no {kind.__name__}"
        raise TypeError(said if name is None else f"{name}: {said}")
    return value


def number(value: Any, name: str | None = None) -> float:
    """A whole number or a float as float; see `is_a`."""
    return float(value) if is_whole(value) else float(is_a(value, float, name))


def is_whole(value: object) -> bool:
    """Whether it is an int and no bool."""
    return isinstance(value, int) and not isinstance(value, bool)


# --- checks ---


def check_vocabulary(name: str) -> None:
    """Raises InputError for a vocabulary that is not shipped."""
    if name not in SHIPPED:
        raise InputError(f"There is no vocabulary {name!r}. Known: {', '.join(sorted(SHIPPED))}.")


def check_findings(field: str, got: Sequence[str], allowed: Sequence[str]) -> None:
    """Raises InputError for a finding that is not allowed or named twice, and for none at all."""
    unknown = [name for name in got if name not in allowed]
    if unknown:
        raise InputError(f"{field} name {unknown[0]!r}, which is none of: {', '.join(allowed)}.")
    if not got or len(set(got)) < len(got):
        raise InputError(
            f"{field} must name at least one finding, and none twice; got {', '.join(got) or 'none'}."
        )


def check_calibration(
    temperatures: Sequence[float] | None,
    thresholds: Mapping[str, float] | None,
    findings: Sequence[str],
    *,
    each: str,
) -> None:
    """Raises InputError when there is not one temperature above 0 for `each`, or a threshold is no probability."""
    if temperatures is not None:
        good = len(temperatures) == len(findings)
        if not good or not all(math.isfinite(t) and t > 0 for t in temperatures):
            raise InputError(f"temperatures must be {len(findings)} numbers above 0, one per {each}.")
    if thresholds is not None:
        check_findings("thresholds", tuple(thresholds), findings)
        if not all(0 <= p <= 1 for p in thresholds.values()):
            raise InputError("thresholds must be probabilities, from 0 to 1.")
