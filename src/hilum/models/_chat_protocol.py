"""The OpenAI chat protocol as plain functions: what is sent, and what the bytes that come back mean."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from hilum.models._json_answers import schema_of
from hilum.models.engine import Question

FORMATS = ("schema", "older schema", "object", "plain")
"""How an answer is asked for: JSON by schema, the same as llama.cpp first took it (and llama-cpp-python does), any JSON
object, or by the words of the prompt alone.
"""

_OVERFLOW = re.compile(
    r"context[_ ](length|window|size)|maximum context|max_model_len|maximum model length|too many tokens|"
    r"(prompt|input|request)\b.{0,40}\btoo (long|large)|string_above_max_length",
    re.IGNORECASE,
)
_ABOUT_FORMAT = re.compile(
    r"response_format|json_schema|json_object|schema|grammar|guided|structured|\btype\b|unsupported|not support|"
    r"unrecognized|extra (inputs|fields)|unknown (field|parameter)",
    re.IGNORECASE,
)
_MOST_ERROR = 20_000


@dataclass(frozen=True)
class Way:
    """How this server has to be asked; parts that it refused are left out."""

    format: str = "schema"
    tokens_name: str = "max_tokens"
    seed: bool = True
    temperature: bool = True

    @property
    def refused(self) -> tuple[str, ...]:
        """What the server does not take, in words."""
        parts = {
            "JSON by schema": self.format in ("object", "plain"),
            "JSON as a format": self.format == "plain",
            "a seed": not self.seed,
            "a temperature": not self.temperature,
        }
        return tuple(name for name, is_refused in parts.items() if is_refused)


class Completion(NamedTuple):
    """The text of an answer with its tokens, or the problem why there is none.

    `proper` says that the bytes were a chat completion at all.
    """

    text: str = ""
    read: int = 0
    written: int = 0
    problem: str = ""
    proper: bool = True


def body_of(
    question: Question, *, model: str, way: Way, temperature: float, seed: int, max_tokens: int
) -> bytes:
    """The body of one request, ASCII JSON with the keys in a fixed order."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": message.role, "content": message.content} for message in question.messages],
        way.tokens_name: max_tokens,
    }
    if way.temperature:
        body["temperature"] = temperature
    if way.seed:
        body["seed"] = seed
    if way.format == "schema":
        schema = {"name": "labels", "strict": True, "schema": schema_of(question)}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif way.format == "older schema":
        body["response_format"] = {"type": "json_object", "schema": schema_of(question)}
    elif way.format == "object":
        body["response_format"] = {"type": "json_object"}
    return json.dumps(body).encode("ascii")


def next_way(way: Way, said: str, *, settled: bool) -> Way | None:
    """How to ask a server that refused `way` with the words `said`; None where nothing is left to leave out.

    Before the first answer (`settled` False) a refusal without a reason is taken for one of the format.
    """
    if way.tokens_name == "max_tokens" and "max_completion_tokens" in said:
        return replace(way, tokens_name="max_completion_tokens")
    if way.temperature and re.search(r"temperature", said, re.IGNORECASE):
        return replace(way, temperature=False)
    if way.seed and re.search(r"\bseed\b", said, re.IGNORECASE):
        return replace(way, seed=False)
    if way.format == FORMATS[-1] or (settled and not _ABOUT_FORMAT.search(said)):
        return None
    return replace(way, format=FORMATS[FORMATS.index(way.format) + 1])


def is_about_format(status: int, said: str) -> bool:
    """Whether a refusal is one of the format of the answer (also a 500 of llama-cpp-python)."""
    return status in (400, 415, 422, 501) or (status == 500 and "response_format" in said)


def is_overflow(status: int, said: str) -> bool:
    """Whether a refusal says that the question does not fit into the model's context (also a 500 of llama.cpp)."""
    return (status in (400, 413, 422) or status >= 500) and (bool(_OVERFLOW.search(said)) or status == 413)


def error_words(body: bytes) -> str:
    """What a server said went wrong: the message, type and code of its error object, or its plain text. UNSCREENED."""
    text = body[:_MOST_ERROR].decode("utf-8", "replace")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return "" if "<html" in text.lower() or "<!doctype" in text.lower() else text.strip()
    return _words(found)


def completion_of(body: bytes, kind: str) -> Completion:
    """Reads a chat completion; `kind` is the content type, for the words of a problem."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return Completion(problem=f"the server sent no JSON (content type {_plain_kind(kind)})", proper=False)
    if isinstance(found, dict) and found.get("error") and not found.get("choices"):
        return Completion(problem="the server sent an error as if it were an answer", proper=False)
    try:
        choice = found["choices"][0]
        message = choice["message"]
        text, refusal, thought = (message.get(name) for name in ("content", "refusal", "reasoning_content"))
        reason = choice.get("finish_reason")
    except (KeyError, IndexError, TypeError, AttributeError):
        return Completion(problem="the server sent JSON that is no chat completion", proper=False)
    usage = found.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    read, written = _whole(counts.get("prompt_tokens")), _whole(counts.get("completion_tokens"))
    return Completion(
        text=text if isinstance(text, str) else "",
        read=read,
        written=written,
        problem=_unfinished(reason, text, refusal=refusal, thought=thought),
    )


def model_names(body: bytes) -> list[str]:
    """The ids in a list of models; empty when there is none."""
    try:
        found = json.loads(body)["data"]
        return [str(model["id"]) for model in found]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []


def _unfinished(reason: Any, text: Any, *, refusal: Any, thought: Any) -> str:
    if refusal or reason == "content_filter":
        return "the model refused to answer"
    if reason == "length":
        return "the answer was cut: it is longer than any that can be used"
    if not isinstance(text, str) or not text.strip():
        return "the model thought, but did not answer" if thought else "the answer is empty"
    return ""


def _words(found: Any) -> str:
    if isinstance(found, str):
        return found
    if not isinstance(found, dict):
        return ""
    inner = found.get("error", found)
    if not isinstance(inner, dict):
        return inner if isinstance(inner, str) else ""
    parts = [inner.get(name) for name in ("message", "detail", "type", "code", "param")]
    return " · ".join(str(part) for part in parts if isinstance(part, str | int) and part != "")


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0


def _plain_kind(kind: str) -> str:
    kind = kind.split(";", maxsplit=1)[0].strip()
    return kind if re.fullmatch(r"[a-z]{1,20}/[a-z0-9.+-]{1,40}", kind) else "unknown"
