"""What a chat server may do to a request, by name: honest answers, and everything that servers get wrong."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

ITEMS = ("Edema", "Pleural Effusion", "No Finding")
CHOICES = ("positive", "negative", "uncertain", "blank")


class Call(NamedTuple):
    """One request: its body, its headers, and how often this conversation was asked before."""

    body: Mapping[str, Any]
    headers: Mapping[str, str]
    before: int

    @property
    def text(self) -> str:
        return str(self.body["messages"][-1]["content"])


class Answer(NamedTuple):
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = {}
    kind: str = "application/json"
    cut: bool = False
    drip_s: float = 0.0


def reference_answer(text: str, items: Sequence[str], choices: Sequence[str]) -> dict[str, str]:
    said = dict(re.findall(r"([A-Z][A-Za-z ]+)=(\w+)", text))
    return {item: said.get(item, choices[_draw(f"{text}|{item}") % len(choices)]) for item in items}


def honest(call: Call) -> Answer:
    return completion(json.dumps(truth(call)))


def truth(call: Call) -> dict[str, str]:
    schema = call.body.get("response_format", {}).get("json_schema", {}).get("schema")
    items = list(schema["properties"]) if schema else ITEMS
    choices = next(iter(schema["properties"].values()))["enum"] if schema else CHOICES
    return reference_answer(call.text, items, choices)


def completion(content: str | None, *, finish: str = "stop", read: int = 1000, **message: object) -> Answer:
    turn = {"role": "assistant", "content": content, **message}
    body = {
        "choices": [{"index": 0, "message": turn, "finish_reason": finish}],
        "usage": {"prompt_tokens": read, "completion_tokens": 40, "total_tokens": read + 40},
    }
    return Answer(body=json.dumps(body).encode())


def refusal(status: int, message: str, **more: object) -> Answer:
    return Answer(status, json.dumps({"error": {"message": message, "type": "error", **more}}).encode())


def _first(call: Call, change: Callable[[dict[str, Any]], object]) -> Answer:
    found: dict[str, Any] = truth(call)
    changed = change(found)
    return completion(changed if isinstance(changed, str) else json.dumps(found))


def _double(found: dict[str, Any]) -> str:
    name = next(iter(found))
    return json.dumps(found)[:-1] + f', "{name}": "positive"}}'


def _no_schema(call: Call) -> Answer:
    kind = call.body.get("response_format", {}).get("type")
    return refusal(400, f"response_format {kind} is not supported") if kind else honest(call)


def _no_json_schema(call: Call) -> Answer:
    form = call.body.get("response_format", {})
    told = form.get("type") == "json_schema" or "schema" in form
    return Answer(400, b"bad request", kind="text/plain") if told else honest(call)


def _older_schema(call: Call) -> Answer:
    """As llama-cpp-python: a failure on its side that is none, and the schema in another place."""
    form = call.body.get("response_format", {})
    if form.get("type") == "json_schema":
        return refusal(500, "[{'type': 'literal_error', 'loc': ('body', 'response_format', 'type')}]")
    return honest(call._replace(body={**call.body, "response_format": {"json_schema": form}}))


def _new_names(call: Call) -> Answer:
    if "max_tokens" in call.body:
        return refusal(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
    return refusal(400, "'temperature' takes 1 alone") if "temperature" in call.body else honest(call)


BEHAVIOURS: Mapping[str, Callable[[Call], Answer]] = {
    "honest": honest,
    "429": lambda call: refusal(429, "slow down"),
    "429 seconds": lambda call: refusal(429, "slow down")._replace(headers={"Retry-After": "0.05"}),
    "429 date": lambda call: refusal(429, "slow down")._replace(
        headers={"Retry-After": "Thu, 01 Jan 2015 00:00:00 GMT"}
    ),
    "429 long": lambda call: refusal(429, "slow down")._replace(headers={"Retry-After": "86400"}),
    "500": lambda call: refusal(500, "internal error"),
    "503 html": lambda call: Answer(503, b"<html>busy</html>", kind="text/html"),
    "cut": lambda call: Answer(cut=True),
    "half": lambda call: honest(call)._replace(cut=True),
    "never": lambda call: Answer(drip_s=30.0),
    "slow": lambda call: honest(call)._replace(drip_s=0.004),
    "drip": lambda call: honest(call)._replace(drip_s=0.02),
    "huge": lambda call: Answer(body=b'{"choices": "' + b"x" * 5_000_000 + b'"}'),
    "no json": lambda call: Answer(body=b"{nonsense", kind="application/json"),
    "html": lambda call: Answer(body=b"<html>welcome</html>", kind="text/html"),
    "no completion": lambda call: Answer(body=b'{"object": "list"}'),
    "error in 200": lambda call: Answer(body=b'{"error": {"message": "upstream is gone"}}'),
    "invalid": lambda call: completion('{"Edema": positive'),
    "fence": lambda call: completion("```json\n" + json.dumps(truth(call), indent=2) + "\n```"),
    "loose": lambda call: completion(
        json.dumps({k.upper() + " ": f" {v.title()}" for k, v in truth(call).items()})
    ),
    "extra text": lambda call: completion("Here it is: " + json.dumps(truth(call))),
    "think": lambda call: completion("<think>hm</think>" + json.dumps(truth(call))),
    "wrong name": lambda call: _first(call, lambda found: found.update({"Oedema": found.pop("Edema")})),
    "echo name": lambda call: _first(call, lambda found: found.update({call.text[:40]: "positive"})),
    "missing": lambda call: _first(call, lambda found: {}.get(found.pop("Edema"))),
    "wrong word": lambda call: _first(call, lambda found: found.update({"Edema": "maybe"})),
    "number": lambda call: _first(call, lambda found: found.update({"Edema": 1})),
    "double": lambda call: _first(call, _double),
    "list": lambda call: completion(json.dumps([truth(call)])),
    "deep": lambda call: completion("[" * 100_000),
    "nan": lambda call: completion('{"Edema": NaN}'),
    "empty": lambda call: completion(""),
    "none": lambda call: completion(None),
    "thought": lambda call: completion(None, reasoning_content="hm"),
    "refusal": lambda call: completion(None, refusal="I cannot"),
    "length": lambda call: completion('{"Edema": "pos', finish="length"),
    "few tokens": lambda call: completion(json.dumps(truth(call)), read=1),
    "overflow": lambda call: refusal(
        400, "This model's maximum context length is 512 tokens.", code="context_length_exceeded"
    ),
    "overflow 500": lambda call: refusal(
        500, "the request exceeds the available context size", type="exceed_context_size_error"
    ),
    "echo 400": lambda call: refusal(400, f"cannot read: {call.text}"),
    "echo key": lambda call: refusal(400, f"bad header {call.headers.get('authorization')}"),
    "400": lambda call: refusal(400, "this one not"),
    "401": lambda call: refusal(401, f"wrong key {call.headers.get('authorization')}"),
    "403": lambda call: refusal(403, "not for you"),
    "404": lambda call: refusal(404, f"The model {call.body['model']} does not exist."),
    "redirect": lambda call: Answer(
        307, headers={"Location": "http://127.0.0.2:9/v1/chat/completions?key=1"}
    ),
    "no schema": _no_schema,
    "no json schema": _no_json_schema,
    "older schema": _older_schema,
    "new names": _new_names,
}

MIXED = (
    *("honest",) * 12,
    *(
        "slow",
        "429",
        "429 seconds",
        "500",
        "503 html",
        "cut",
        "half",
        "invalid",
        "wrong name",
        "missing",
        "double",
    ),
    *("wrong word", "extra text", "fence", "no json", "html"),
)
"""What "mixed" draws from for the first asking of a conversation; the second one is honest."""

HOPELESS = ("invalid", "wrong name", "missing", "wrong word", "400", "overflow")
"""What "mixed" does always to a conversation with HOPELESS in it."""


def mixed(call: Call) -> str:
    if "HOPELESS" in call.text:
        return HOPELESS[_draw(call.text) % len(HOPELESS)]
    return MIXED[_draw(call.text) % len(MIXED)] if call.before == 0 else "honest"


def always(name: str) -> Callable[[Call], str]:
    return lambda call: name


def then_honest(*names: str) -> Callable[[Call], str]:
    """The behaviours of the first askings of a conversation, in order; honest from then on."""
    return lambda call: names[call.before] if call.before < len(names) else "honest"


def _draw(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "little")
