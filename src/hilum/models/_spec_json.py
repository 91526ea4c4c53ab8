"""Fields of hilum_encoder.json to the arguments of an `EncoderSpec`: types are checked here, values by the spec."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from hilum.core.errors import InputError

T = TypeVar("T")

_REQUIRED = ("kind", "vocabulary", "heads")
_OPTIONAL = ("text", "max_tokens", "window_tokens", "temperatures", "thresholds", "logreg")


def parsed(fields: Mapping[str, Any] | str, where: str) -> Mapping[str, Any]:
    """The fields, JSON text parsed; raises InputError when one is missing or unknown."""
    if isinstance(fields, str):
        try:
            fields = json.loads(fields)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{where} is no JSON: {error}.") from error
    if not isinstance(fields, Mapping):
        raise InputError(f"{where} must be a JSON object, got {type(fields).__name__}.")
    unknown = [name for name in fields if name not in (*_REQUIRED, *_OPTIONAL)]
    missing = [name for name in _REQUIRED if name not in fields]
    if unknown or missing:
        said = f"lacks {missing[0]!r}" if missing else f"has the unknown field {str(unknown[0])[:60]!r}"
        raise InputError(f"{where} {said}. Fields are: {', '.join((*_REQUIRED, *_OPTIONAL))}.")
    return fields


def spec_fields(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The arguments of EncoderSpec; heads and the logistic regressions as tuples of their own arguments."""
    try:
        found: dict[str, Any] = {
            "kind": _is(values["kind"], str),
            "vocabulary": _is(values["vocabulary"], str),
            "heads": tuple((_is(h["finding"], str), _is(h["classes"], int)) for h in values["heads"]),
        }
        if "text" in values:
            found["text"] = _is(values["text"], str)
        for name in ("max_tokens", "window_tokens"):
            if values.get(name) is not None:
                found[name] = _is(values[name], int)
        if values.get("temperatures") is not None:
            found["temperatures"] = _numbers(values["temperatures"])
        if values.get("thresholds") is not None:
            found["thresholds"] = {_is(k, str): _number(v) for k, v in values["thresholds"].items()}
        if values.get("logreg") is not None:
            found["logreg"] = _logreg(values["logreg"])
    except (TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{where} has a field of a wrong form: {str(error)[:120]}.") from error
    return found


def _logreg(values: Mapping[str, Any]) -> tuple[tuple[Any, ...], ...]:
    return (
        tuple(_is(v, str) for v in values["inputs"]),
        tuple(_is(v, str) for v in values["findings"]),
        tuple(_numbers(row) for row in values["coefficients"]),
        _numbers(values["intercepts"]),
    )


def _is(value: Any, kind: type[T]) -> T:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"{str(value)[:60]!r} is no {kind.__name__}")
    return value


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else _is(value, float)


def _numbers(values: Any) -> tuple[float, ...]:
    return tuple(_number(value) for value in _is(values, list))
