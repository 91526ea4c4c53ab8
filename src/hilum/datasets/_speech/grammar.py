"""The TOML files of the report generator: read, checked and compiled once."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from hilum.core.errors import LexiconError, UnknownNameError
from hilum.core.vocabulary import SHIPPED, State
from hilum.datasets._speech.templates import Choice, Draws, Template, compile_choice, slots_of

FILES = ("words", "frames", "concepts", "remarks")
SLOTS = frozenset("XxYyZWNLM") | {"w", "is", "has", "was"}
_FORMS = ("present", "nouns", "dx", "says", "hedges", "denies", "removes")
_NUMBERS = ("rate", "hedge", "deny", "gone", "removed", "repeat")
_CONCEPT_KEYS = {
    "id",
    "region",
    "group",
    "role",
    "cue",
    "causes",
    "sure_causes",
    *_FORMS,
    *_NUMBERS,
    *SHIPPED,
}
_ROLES = ("finding", "device", "none")


@dataclass(frozen=True)
class Speaks:
    """The findings of one vocabulary that a concept speaks of, and the state each state becomes."""

    findings: tuple[str, ...]
    states: Mapping[State, State] = field(default_factory=dict)


@dataclass(frozen=True)
class Concept:
    """One thing that can be said of a radiograph, with all ways to say it."""

    id: str
    region: str
    group: str
    role: str
    cue: str
    rate: float
    hedge: float
    deny: float
    gone: float
    removed: float
    repeat: float
    causes: tuple[str, ...]
    sure_causes: tuple[str, ...]
    speaks: Mapping[str, Speaks]
    forms: Mapping[str, Choice]


@dataclass(frozen=True)
class Frame:
    """One way to say any finding, with the id of the cue that its hedge is."""

    cue: str
    texts: Choice


@dataclass(frozen=True)
class Remark:
    """Sentences that say nothing of a finding, or deny several (`denies`)."""

    region: str
    when: str
    rate: float
    texts: Choice
    denies: tuple[str, ...] = ()


@dataclass(frozen=True)
class Grammar:
    """All that the generator knows."""

    lists: Mapping[str, Choice]
    concepts: Mapping[str, Concept]
    frames: Mapping[str, tuple[Frame, ...]]
    remarks: tuple[Remark, ...]
    joints: tuple[Remark, ...]
    closings: Mapping[str, Choice]
    headers: Mapping[str, Choice]
    masks: Mapping[str, tuple[str, ...]]
    maskable: frozenset[str]
    slips: Mapping[str, tuple[str, ...]]

    def say(self, template: Template, draws: Draws, slots: Mapping[str, str] | None = None) -> str:
        """`template` as text; `slots` go before word lists of the same name, inside other lists too."""
        out: list[str] = []
        for part in template:
            if isinstance(part, str):
                out.append(part)
            elif isinstance(part, Choice):
                out.append(self.say(part.draw(draws), draws, slots))
            elif slots and part.name in slots:
                out.append(slots[part.name])
            else:
                out.append(self.say(self.lists[part.name].draw(draws), draws, slots))
        return "".join(out)


@cache
def grammar() -> Grammar:
    """The shipped grammar. Raises LexiconError, naming file and entry, for a bad one."""
    folder = files("hilum.datasets._speech") / "phrases"
    data = {name: tomllib.loads((folder / f"{name}.toml").read_text("utf-8")) for name in FILES}
    return compile_grammar(data)


def compile_grammar(data: Mapping[str, Mapping[str, Any]]) -> Grammar:
    """The grammar of parsed files by name (words, frames, concepts, remarks)."""
    words, remarks = data["words"], data["remarks"]
    lists = {name: _choice("words", name, texts) for name, texts in words["lists"].items()}
    concepts = {c.id: c for c in (_concept(entry) for entry in data["concepts"]["concept"])}
    frames: dict[str, tuple[Frame, ...]] = {}
    for entry in data["frames"]["frame"]:
        kind = entry["kind"]
        frames[kind] = (
            *frames.get(kind, ()),
            Frame(entry.get("cue", ""), _choice("frames", kind, entry["texts"])),
        )
    found = Grammar(
        lists=lists,
        concepts=concepts,
        frames=frames,
        remarks=tuple(_remark(e) for e in remarks["remark"]),
        joints=tuple(_remark({"region": "", "when": "any", **e}) for e in remarks["joint"]),
        closings={e["when"]: _choice("remarks", e["when"], e["texts"]) for e in remarks["closing"]},
        headers={e["style"]: _choice("remarks", e["style"], e["texts"]) for e in remarks["header"]},
        masks={name: tuple(m) for name, m in words["masks"].items()},
        maskable=frozenset(words["maskable"]["words"]),
        slips={word: tuple(slips) for word, slips in words["slips"].items()},
    )
    _check(found)
    return found


def _choice(file: str, name: str, texts: Sequence[str]) -> Choice:
    if not texts:
        raise LexiconError(f"{file}.toml, {name}: the list is empty; give at least one entry.")
    try:
        return compile_choice(texts)
    except ValueError as e:
        raise LexiconError(f"{file}.toml, {name}: a template {e}: {texts!r}") from e


def _remark(entry: Mapping[str, Any]) -> Remark:
    texts = _choice("remarks", entry["region"] or "joint", entry["texts"])
    return Remark(entry["region"], entry["when"], entry["rate"], texts, tuple(entry.get("denies", ())))


def _concept(entry: Mapping[str, Any]) -> Concept:
    name = entry.get("id", "?")
    unknown = set(entry) - _CONCEPT_KEYS
    if unknown:
        raise LexiconError(f"concepts.toml, {name}: {UnknownNameError('key', min(unknown), _CONCEPT_KEYS)}")
    if (role := entry.get("role", "finding")) not in _ROLES:
        raise LexiconError(f"concepts.toml, {name}: role {role!r}; allowed: {', '.join(_ROLES)}.")
    forms = {key: _choice("concepts", f"{name}, {key}", entry[key]) for key in _FORMS if key in entry}
    numbers = {key: float(entry.get(key, 0.0)) for key in _NUMBERS}
    if not all(0 <= value <= 1 for value in numbers.values()):
        raise LexiconError(f"concepts.toml, {name}: {numbers}; each must be from 0 to 1.")
    return Concept(
        id=name,
        region=entry["region"],
        group=entry.get("group", name),
        role=role,
        cue=entry.get("cue", ""),
        causes=tuple(entry.get("causes", ())),
        sure_causes=tuple(entry.get("sure_causes", ())),
        speaks={v: _speaks(name, v, entry[v]) for v in SHIPPED if v in entry},
        forms=forms,
        **numbers,
    )


def _speaks(concept: str, vocabulary: str, told: Mapping[str, Any]) -> Speaks:
    known = SHIPPED[vocabulary]
    for finding in told["findings"]:
        if finding not in known:
            raise LexiconError(
                f"concepts.toml, {concept}: {UnknownNameError('finding', finding, known.names)}"
            )
    states = {s: State[told[s.name.lower()].upper()] for s in State if s.name.lower() in told}
    return Speaks(tuple(known.names[known.index(f)] for f in told["findings"]), states)


def _check(found: Grammar) -> None:
    """Every name that a template or a concept uses exists."""
    for concept in found.concepts.values():
        for cause in (*concept.causes, *concept.sure_causes):
            if cause not in found.concepts or "dx" not in found.concepts[cause].forms:
                raise LexiconError(
                    f"concepts.toml, {concept.id}: the cause {cause!r} is no concept with a list `dx`."
                )
    choices: list[Choice] = [*found.lists.values(), *found.closings.values(), *found.headers.values()]
    choices += [c for concept in found.concepts.values() for c in concept.forms.values()]
    choices += [f.texts for frames in found.frames.values() for f in frames]
    choices += [r.texts for r in (*found.remarks, *found.joints)]
    for choice in choices:
        for name in slots_of(choice):
            if name not in found.lists and name not in SLOTS:
                raise LexiconError(
                    f"A template uses {{{name}}}. {UnknownNameError('word list', name, found.lists)}"
                )
