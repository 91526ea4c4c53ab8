"""Prompts: what a language model is asked about a report, read from TOML and checked when they are loaded."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from hilum.core.errors import InputError, UnknownNameError
from hilum.core.vocabulary import Finding, State, Vocabulary
from hilum.models.engine import Message, Question

LINES, JSON = "lines", "json"
"""The form of answers: of local models, and of servers."""

FULL, BRIEF = "full", "brief"
"""The prompts that ship: for models that were not trained for the task, and for those that were."""

_STATE_KEYS = {state.name.lower(): state for state in State}
_PLACEHOLDERS: Mapping[str, tuple[str, ...]] = {
    "system": ("findings", "names"),
    "instruction": ("findings", "names"),
    "report": ("report",),
    "lines": ("names",),
    "json": ("names",),
    "finding": ("finding", "definition"),
    "undefined": ("finding",),
}
_BRACED = re.compile(r"\{([a-z]+)\}")


class Example(NamedTuple):
    """A labeled report that is shown before the one in question; `states` in the order of the vocabulary."""

    report: str
    states: tuple[State, ...]


@dataclass(frozen=True)
class Prompt:
    """The parts of a conversation about one report; what each is stands at the top of `prompts.toml`.

    `words` has the word of each `State`, in the order of `State`: the choices of every question.
    """

    name: str
    version: str
    instruction: str
    report: str
    finding: str
    words: tuple[str, ...]
    system: str = ""
    lines: str = ""
    json: str = ""
    undefined: str = "- {finding}"
    none_note: str = ""
    about: str = field(default="", compare=False)

    def question(
        self, report: str, vocabulary: Vocabulary, *, examples: Sequence[Example] = (), form: str = LINES
    ) -> Question:
        """The question about `report`: items are the findings of `vocabulary`, choices `words`.

        `examples` become turns before it. `form` is LINES or JSON: how the answers of examples are written, and
        which of the two closing instructions is given. The same report gives the same bytes.
        """
        told = {"findings": self._finding_lines(vocabulary), "names": ", ".join(vocabulary.names)}
        system = _filled(self.system, told)
        messages = [Message("system", system)] if system else []
        before = _filled(self.instruction, told)
        after = _filled(self.json if form == JSON else self.lines, told)
        for example in examples:
            messages += [
                Message("user", self._turn(before, example.report, after)),
                Message("assistant", self.answer(example.states, vocabulary, form=form)),
            ]
            before = ""
        messages.append(Message("user", self._turn(before, report, after)))
        return Question(tuple(messages), vocabulary.names, self.words)

    def answer(self, states: Sequence[State], vocabulary: Vocabulary, *, form: str = LINES) -> str:
        """The answer that says `states` (in the order of `vocabulary`), as a model would give it."""
        said = {name: self.words[state] for name, state in zip(vocabulary.names, states, strict=True)}
        if form == JSON:
            return json.dumps(said, ensure_ascii=False)
        return "\n".join(f"{name}: {word}" for name, word in said.items())

    def state_of(self, choice: int) -> State:
        """The state that the choice at this place of a question means."""
        return State(choice)

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hexadecimal, of all that is asked; not of the name and what is said about the prompt."""
        asked = {key: value for key, value in self.to_dict().items() if key not in ("name", "about")}
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """The whole prompt as plain data, which `prompt_from` reads."""
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "words"}
        return {**plain, "states": {key: self.words[state] for key, state in _STATE_KEYS.items()}}

    def to_toml(self) -> str:
        """The prompt as a file that `load_prompt` reads."""
        plain = self.to_dict()
        name, states = plain.pop("name"), plain.pop("states")
        body = "".join(f"{key} = {_toml_text(value)}\n" for key, value in plain.items())
        words = "".join(f"{key} = {_toml_text(word)}\n" for key, word in states.items())
        table = name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)
        return f"[{table}]\n{body}\n[{table}.states]\n{words}"

    def _finding_lines(self, vocabulary: Vocabulary) -> str:
        return "\n".join(self._finding_line(finding) for finding in vocabulary.findings)

    def _finding_line(self, finding: Finding) -> str:
        template = self.finding if finding.definition else self.undefined
        line = _filled(template, {"finding": finding.name, "definition": finding.definition})
        return line + self.none_note if finding.role == "none" else line

    def _turn(self, before: str, report: str, after: str) -> str:
        return (before + _filled(self.report, {"report": report.strip()}) + after).strip()


def load_prompt(name: str | Path = FULL) -> Prompt:
    """The prompt of that name that ships, or the one in a TOML file.

    Raises UnknownNameError for another name, InputError, with file and key, for a file that is no prompt.
    """
    if str(name).endswith(".toml"):
        try:
            found = _parsed(str(name), Path(name).read_bytes())
        except OSError as error:
            raise InputError(
                f"The prompt file {str(name)!r} cannot be read: {error.strerror or error}. Check the path."
            ) from error
        if len(found) != 1:
            raise InputError(
                f"{name}: has {len(found)} prompts ({', '.join(found) or 'none'}), and one is needed. Next step: "
                "leave one table such as [mine] with its [mine.states]; hilum show prompt full --toml is a pattern."
            )
        [prompt] = found.values()
        return prompt
    known = shipped_prompts()
    if str(name) not in known:
        raise UnknownNameError("prompt", str(name), [*known, "FILE.toml"])
    return known[str(name)]


def shipped_prompts() -> dict[str, Prompt]:
    """The prompts that come with the package, by name."""
    return _parsed("prompts.toml", files("hilum.labelers").joinpath("prompts.toml").read_bytes())


def prompt_from(given: object, *, name: str, where: str) -> Prompt:
    """A prompt from plain data. Raises InputError that names `where` and the key."""
    if not isinstance(given, Mapping):
        raise InputError(f"{where}: the prompt must be a table of keys; got {type(given).__name__}.")
    texts = {f.name for f in fields(Prompt)} - {"name", "words"}
    _check_keys({key: value for key, value in given.items() if key != "name"}, where, texts | {"states"})
    for key in ("version", "instruction", "report", "finding", "states"):
        if key not in given:
            raise InputError(
                f"{where}: the key {key!r} is missing. Next step: take hilum show prompt as a pattern."
            )
    for key in texts & set(given):
        if not isinstance(given[key], str):
            raise InputError(f"{where}, {key}: must be text in quotes; got {given[key]!r}.")
        _check_placeholders(key, given[key], where)
    words = _words(given["states"], f"{where}, states")
    return Prompt(name=name, words=words, **{key: given[key] for key in texts & set(given)})


def _parsed(name: str, raw: bytes) -> dict[str, Prompt]:
    try:
        data = tomllib.loads(raw.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{name}: is not valid TOML: {error}") from error
    return {key: prompt_from(table, name=key, where=f"{name}, [{key}]") for key, table in data.items()}


def _check_keys(given: Mapping[str, Any], where: str, allowed: set[str]) -> None:
    unknown = sorted(set(given) - allowed)
    if unknown:
        raise InputError(f"{where}: unknown key {unknown[0]!r}; allowed: {', '.join(sorted(allowed))}.")


def _check_placeholders(key: str, text: str, where: str) -> None:
    allowed = _PLACEHOLDERS.get(key, ())
    unknown = [name for name in _BRACED.findall(text) if name not in allowed]
    if unknown:
        known = ", ".join(f"{{{name}}}" for name in allowed) or "none"
        raise InputError(f"{where}, {key}: {{{unknown[0]}}} is not filled in here; allowed: {known}.")
    for needed in ("report",) if key == "report" else ("finding",) if key in ("finding", "undefined") else ():
        if _BRACED.findall(text).count(needed) != 1:
            raise InputError(f"{where}, {key}: needs {{{needed}}} exactly once.")


def _words(given: object, where: str) -> tuple[str, ...]:
    if not isinstance(given, Mapping):
        raise InputError(f"{where}: must be a table with a word for each of {', '.join(_STATE_KEYS)}.")
    _check_keys(given, where, set(_STATE_KEYS))
    words = []
    for key in _STATE_KEYS:
        word = given.get(key)
        if not isinstance(word, str) or not word.strip() or word != " ".join(word.split()) or ":" in word:
            raise InputError(
                f"{where}, {key}: must be a word or a few, on one line, without a colon or white space around; "
                f"got {word!r}."
            )
        words.append(word)
    if len({word.casefold() for word in words}) != len(words):
        raise InputError(f"{where}: two states have the same word ({', '.join(words)}); each needs its own.")
    return tuple(words)


def _toml_text(text: str) -> str:
    """A basic string of TOML; of several lines where the text has them."""
    lines = [json.dumps(line, ensure_ascii=False)[1:-1] for line in text.split("\n")]
    return f'"{lines[0]}"' if len(lines) == 1 else '"""\n' + "\n".join(lines) + '"""'


def _filled(template: str, values: Mapping[str, str]) -> str:
    """The template with its names filled in, once: what is filled in is not looked at again."""
    return _BRACED.sub(lambda match: values.get(match[1], match[0]), template)
