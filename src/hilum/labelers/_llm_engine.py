"""The language model behind the labeler `llm`: from its options, here or on a server."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from hilum.core.errors import InputError, MissingExtraError, UnknownNameError
from hilum.models.engine import Engine

if TYPE_CHECKING:
    from hilum.labelers.llm import LlmLabeler

SCORING = "scoring"
ANSWERS = (SCORING, "generation")
"""How a model on this machine answers."""

KEY_VARIABLE = "OPENAI_API_KEY"
"""Where the key of a server is looked for when no variable is named; many servers need none."""

_NEEDED_HERE = ("torch", "transformers", "safetensors", "jinja2")
_OF_SERVERS = ("requests", "timeout", "cache", "api_key_env")
_OF_MODELS_HERE = ("answer", "device", "precision", "batch_size", "abstain_below")


def engine_of(options: LlmLabeler) -> Engine:
    """The engine that the options name. Raises InputError, MissingExtraError."""
    if options.engine is not None:
        return options.engine
    _check(options)
    return _server(options) if options.endpoint is not None else _here(options)


def cache_folder(given: str | Path | None) -> Path | None:
    """Where the answers of servers are kept: `given`, nowhere for "none", else the user's cache folder.

    That is `hilum/llm` in $XDG_CACHE_HOME, or in ~/.cache (XDG Base Directory Specification 0.8).
    """
    if given is not None:
        return None if str(given) == "none" else Path(given)
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "hilum" / "llm"


def _check(options: LlmLabeler) -> None:
    if options.model is None and options.endpoint is None:
        raise InputError(
            "The labeler 'llm' needs a model, and none was named. Next step: --model FOLDER (a Hugging Face folder, "
            "such as hilum train llm writes, or an id), or --endpoint URL --model NAME for a server that runs one."
        )
    if options.endpoint is not None and options.model is None:
        raise InputError(
            f"Which model of the server {_shown(options.endpoint)} is to be asked? Next step: --model NAME, as the "
            "server calls it."
        )
    wrong = _OF_SERVERS if options.endpoint is None else _OF_MODELS_HERE
    given = [f"--{name.replace('_', '-')}" for name in wrong if getattr(options, name) is not None]
    if given:
        other = "a server (--endpoint)" if options.endpoint is None else "a model on this machine"
        raise InputError(
            f"{', '.join(given)} {'is' if len(given) == 1 else 'are'} for {other}, which is not what was asked for. "
            "Next step: leave that out."
        )
    if options.answer is not None and options.answer not in ANSWERS:
        raise UnknownNameError("way of answering", options.answer, ANSWERS)
    _check_numbers(options)


def _check_numbers(options: LlmLabeler) -> None:
    for name in ("context", "requests", "batch_size"):
        value = getattr(options, name)
        if value is not None and int(value) < 1:
            raise InputError(f"--{name.replace('_', '-')} is at least 1; got {value}.")
    if options.timeout is not None and not float(options.timeout) > 0:
        raise InputError(f"--timeout is in seconds, above 0; got {options.timeout}.")
    below = options.abstain_below
    if below is not None and not 0 <= float(below) <= 1:
        raise InputError(f"--abstain-below is a probability from 0 to 1; got {below}.")
    if below is not None and options.answer not in (None, SCORING):
        raise InputError(
            "--abstain-below needs probabilities, which --answer scoring has. Next step: leave one of the two out."
        )


def _here(options: LlmLabeler) -> Engine:
    missing = next((package for package in _NEEDED_HERE if find_spec(package) is None), None)
    if missing is not None:
        raise MissingExtraError(missing, "llm")
    from hilum.models.local_engine import load_local_engine  # noqa: PLC0415  (loads torch)

    return load_local_engine(
        str(options.model),
        device=options.device or "auto",
        precision=options.precision,
        answer=options.answer or SCORING,
        batch_size=options.batch_size,
        threads=options.threads,
    )


def _server(options: LlmLabeler) -> Engine:
    from hilum.models.http_engine import HttpEngine, HttpOptions  # noqa: PLC0415  (needs an extra)

    _check_key(options.api_key_env)
    chosen = {"context": options.context, "in_flight": options.requests}
    return HttpEngine(
        HttpOptions(
            endpoint=str(options.endpoint),
            model=str(options.model),
            key_from=options.api_key_env or KEY_VARIABLE,
            cache=cache_folder(options.cache),
            timeout_s=HttpOptions.timeout_s if options.timeout is None else float(options.timeout),
            **{name: int(value) for name, value in chosen.items() if value is not None},
        )
    )


def _check_key(variable: str | None) -> None:
    """A variable that was named must be there; without a name, a server may need no key."""
    if variable is not None and not os.environ.get(variable, "").strip():
        from hilum.models._http_address import variable_shown  # noqa: PLC0415  (of servers alone)

        raise InputError(
            f"There is no key in {variable_shown(variable)}, which --api-key-env names. Next step: set it (export "
            "NAME=...), or leave --api-key-env out for a server that needs no key."
        )


def _shown(endpoint: str) -> str:
    """An address without what may be secret in it."""
    return endpoint.split("?", 1)[0].rsplit("@", 1)[-1]
