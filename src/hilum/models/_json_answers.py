"""An answer in JSON: the schema a server is asked to keep, and the strict reading of what comes back."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from hilum.models.engine import Message, Question

_FENCE = re.compile(r"```[A-Za-z]*[ \t]*\r?\n(?P<inside>.*?)\r?\n?[ \t]*```", re.DOTALL)
_RAW_RUN, _PLAIN_RUN = 20, 12
_QUOTED = 40


class Reading(NamedTuple):
    """The place of a choice per item, or why there is none; `fenced` says that a code fence stood around the object."""

    chosen: tuple[int, ...] = ()
    problem: str = ""
    fenced: bool = False


class _DuplicateError(ValueError):
    pass


def schema_of(question: Question) -> dict[str, Any]:
    """The JSON schema of an answer: an object with every item once, each one of the choices, and nothing else."""
    one = {"type": "string", "enum": list(question.choices)}
    return {
        "type": "object",
        "properties": dict.fromkeys(question.items, one),
        "required": list(question.items),
        "additionalProperties": False,
    }


def longest_answer(question: Question) -> int:
    """Bytes of the longest answer that can be read, with wide indentation and a code fence around it."""
    widest = max(question.choices, key=lambda choice: len(choice.encode()), default="")
    return len(json.dumps(dict.fromkeys(question.items, widest), indent=8).encode()) + 32


def read_answer(text: str, question: Question) -> Reading:
    """Reads one JSON object with each item of the question once; names and choices up to case and space.

    Anything else (text around it, a name that was not asked, a missing or a double one, another word) is a problem,
    and nothing is taken from it. The words of a problem quote the answer only where they are not words of the report.
    """
    text = text.strip()
    fence = _FENCE.fullmatch(text)
    body = fence["inside"] if fence else text
    try:
        found = json.loads(body, object_pairs_hook=_pairs, parse_constant=_refuse)
    except _DuplicateError:
        return Reading(problem="the answer names a finding twice", fenced=bool(fence))
    except (ValueError, RecursionError):
        return Reading(problem=_no_object(text), fenced=bool(fence))
    if not isinstance(found, dict):
        return Reading(problem="the answer is JSON, but not one object", fenced=bool(fence))
    return _matched(found, question)._replace(fenced=bool(fence))


def shareable(text: str, messages: Sequence[Message], *, limit: int) -> str:
    """Foreign words as they may be shown: one line of at most `limit` characters, "" when they echo the conversation.

    An echo is a run of 20 characters, or of 12 letters and digits, that some turn has as well (the instructions of
    the system's turn do not count); a text that is shorter than that is one when a turn has all of it.
    """
    line = "".join(sign if sign.isprintable() else " " for sign in " ".join(text.split()))
    said = [message.content for message in messages if message.role != "system"]
    if any(_echo(_raw(line), _raw(turn), _RAW_RUN) for turn in said):
        return ""
    if any(_echo(_plain(line), _plain(turn), _PLAIN_RUN) for turn in said):
        return ""
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _matched(found: dict[str, Any], question: Question) -> Reading:
    names = {_fold(item): place for place, item in enumerate(question.items)}
    words = {_fold(choice): place for place, choice in enumerate(question.choices)}
    chosen: dict[int, int] = {}
    for name, value in found.items():
        place = names.get(_fold(name))
        if place is None:
            return Reading(problem=f"the answer has a name that was not asked{_quoted(name, question)}")
        if place in chosen:
            return Reading(problem=f"the answer names {question.items[place]} twice")
        if not isinstance(value, str) or _fold(value) not in words:
            shown = _quoted(value, question) if isinstance(value, str) else ""
            return Reading(
                problem=f"the answer for {question.items[place]}{shown} is none of {', '.join(question.choices)}"
            )
        chosen[place] = words[_fold(value)]
    missing = [item for place, item in enumerate(question.items) if place not in chosen]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        return Reading(problem=f"the answer lacks {missing[0]}{more}")
    return Reading(chosen=tuple(chosen[place] for place in range(len(question.items))))


def _no_object(text: str) -> str:
    if not text:
        return "the answer is empty"
    if text.startswith("<think>"):
        return "the model thinks aloud before its answer (switch thinking off on the server)"
    if "{" in text and "}" in text:
        return "the answer is not one JSON object alone"
    return "the answer is no JSON object"


def _quoted(text: str, question: Question) -> str:
    shown = shareable(text, question.messages, limit=_QUOTED)
    return f" ({shown!r})" if shown else ""


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise _DuplicateError
    return dict(pairs)


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _fold(name: str) -> str:
    return " ".join(name.split()).casefold()


def _raw(text: str) -> str:
    return " ".join(text.split()).casefold()


def _plain(text: str) -> str:
    return "".join(sign for sign in text.casefold() if sign.isalnum())


def _echo(text: str, turn: str, run: int) -> bool:
    run = min(run, len(text))
    return run > 0 and any(text[at : at + run] in turn for at in range(len(text) - run + 1))
