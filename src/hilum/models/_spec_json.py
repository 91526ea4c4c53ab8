"""Fields of hilum_encoder.json to the arguments of an `EncoderSpec`: types are checked here, values by the spec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hilum.core.errors import InputError
from hilum.models._spec_checks import is_a, number

REQUIRED = ("kind", "vocabulary", "heads")
OPTIONAL = ("text", "max_tokens", "window_tokens", "temperatures", "thresholds", "logreg")


def spec_fields(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The arguments of EncoderSpec; heads and the logistic regressions as tuples of their own arguments."""
    try:
        found: dict[str, Any] = {
            "kind": is_a(values["kind"], str),
            "vocabulary": is_a(values["vocabulary"], str),
            "heads": tuple((is_a(h["finding"], str), is_a(h["classes"], int)) for h in values["heads"]),
        }
        if "text" in values:
            found["text"] = is_a(values["text"], str)
        for name in ("max_tokens", "window_tokens"):
            if values.get(name) is not None:
                found[name] = is_a(values[name], int)
        if values.get("temperatures") is not None:
            found["temperatures"] = _numbers(values["temperatures"])
        if values.get("thresholds") is not None:
            found["thresholds"] = {is_a(k, str): number(v) for k, v in values["thresholds"].items()}
        if values.get("logreg") is not None:
            found["logreg"] = _logreg(values["logreg"])
    except (TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{where} has a field of a wrong form: {str(error)[:120]}.") from error
    return found


def _logreg(values: Mapping[str, Any]) -> tuple[tuple[Any, ...], ...]:
    return (
        tuple(is_a(v, str) for v in values["inputs"]),
        tuple(is_a(v, str) for v in values["findings"]),
        tuple(_numbers(row) for row in values["coefficients"]),
        _numbers(values["intercepts"]),
    )


def _numbers(values: Any) -> tuple[float, ...]:
    return tuple(number(value) for value in is_a(values, list))
