"""Lexicon files to compiled rules: read, checked, and every error with its file, line and rule.

A lexicon is a stack of TOML files: `words`, `cues`, `other` (abnormalities that are no finding), the files of
the vocabulary, and the differences of the convention. A phrase of a later file takes the place of the same
phrase in an earlier one; within a file each phrase stands once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hilum.core.errors import LexiconError, UnknownNameError
from hilum.core.vocabulary import SHIPPED, State, Vocabulary
from hilum.labelers._lexicon_files import (
    ALLOWED,
    TABLES,
    LexiconFile,
    shipped,
    shipped_names,
    vocabulary_of,
    vocabulary_stack,
)
from hilum.text.normalize import (
    AMPERSAND,
    COLON,
    COMMA,
    DEIDENTIFIED,
    GAP,
    QUESTION_AFTER,
    QUESTION_BEFORE,
    QUESTION_OPENS,
    SENTENCE_END,
    SLASH,
    SymbolTable,
)
from hilum.text.phrases import Tree, expand, prefix_tree
from hilum.text.scope import ALTERNATIVE, Kind, Rule, Target

MARKS: Mapping[str, Rule] = {
    SENTENCE_END: Rule(Kind.SENTENCE_END, "mark/full-stop"),
    COMMA: Rule(Kind.COMMA, "mark/comma"),
    COLON: Rule(Kind.COLON, "mark/colon"),
    AMPERSAND: Rule(Kind.AND, "mark/ampersand"),
    SLASH: Rule(Kind.OR, "mark/slash"),
    QUESTION_BEFORE: Rule(Kind.UNCERTAINTY_BEFORE, "mark/question"),
    QUESTION_OPENS: Rule(Kind.QUESTION_OPENS, "mark/question"),
    QUESTION_AFTER: Rule(Kind.QUESTION, "mark/question"),
}
_STATES = {s.name.lower(): s for s in State}
_READINGS = ("positive", "negative", "uncertain", "unspecified")
_MOST_COMPILED = 8
_CHANGEABLE = {"id", "finding", "findings", "positive", "negative", "uncertain", "unspecified", "add", "drop"}


@dataclass(frozen=True)
class RawRule:
    """One entry of a file before its words become symbols."""

    file: LexiconFile
    table: str
    number: int
    rule: Rule
    phrases: tuple[str, ...]


@dataclass(frozen=True)
class Lexicon:
    """Compiled rules of one vocabulary under one convention.

    `other` is the index of "an abnormality that is no finding". `yes_cues` has for each finding the cues whose
    hedged mentions count as yes when a yes or no is asked for. `digest` is a SHA-256 over the files, in order.
    """

    vocabulary: Vocabulary
    convention: str
    symbols: SymbolTable
    rules: Mapping[str, Rule]
    tree: Tree
    or_symbols: str
    digest: str
    yes_cues: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def other(self) -> int:
        """Index that stands for an abnormality outside the vocabulary."""
        return len(self.vocabulary)


_COMPILED: dict[tuple[str, ...], Lexicon] = {}


def load_lexicon(vocabulary: str = "chexpert14", *, convention: str = "house") -> Lexicon:
    """The compiled lexicon of a shipped vocabulary or of the user's own TOML file.

    Raises UnknownNameError for a name that does not exist, InputError for a file that cannot be read, and
    LexiconError, naming file, line and rule, for a bad entry. The same files are compiled once in a process.
    """
    stack = [shipped("words"), shipped("cues"), shipped("other"), *vocabulary_stack(vocabulary)]
    vocab = vocabulary_of(stack[-1])
    conventions = [n.removeprefix("convention_") for n in shipped_names() if n.startswith("convention_")]
    if convention not in conventions:
        raise UnknownNameError("convention", convention, conventions)
    stack.append(shipped(f"convention_{convention}"))
    content = (convention, *(part for file in stack for part in (file.name, file.text)))
    found = _COMPILED.get(content)
    if found is None:
        if len(_COMPILED) >= _MOST_COMPILED:
            _COMPILED.clear()
        found = _COMPILED[content] = _compile(stack, vocab, convention)
    return found


def _raw_rules(stack: Iterable[LexiconFile], vocabulary: Vocabulary) -> Iterator[RawRule]:
    changes = _changes(stack)
    met: set[str] = set()
    for file in stack:
        stem = Path(file.name).stem
        sources: list[tuple[str, list[Any]]] = [(t, file.data.get(t, [])) for t in TABLES[:4]]
        for difference in file.data.get("difference", []):
            sources += [(t, difference.get(t, [])) for t in TABLES[:4]]
        for table, entries in sources:
            for number, entry in enumerate(entries):
                full_id = f"{stem}/{entry.get('id')}"
                met.add(full_id)
                _, change = changes.get(full_id, (file, {}))
                if not change.get("drop"):
                    yield _raw_rule(file, table, number, {**entry, "id": full_id}, change, vocabulary)
    for full_id, (file, _) in changes.items():
        if full_id not in met and Path(full_id).parent.name in {Path(f.name).stem for f in stack}:
            raise LexiconError(f"{file.name}: a change names the rule {full_id!r}, which does not exist.")


def _changes(stack: Iterable[LexiconFile]) -> dict[str, tuple[LexiconFile, Mapping[str, Any]]]:
    changes: dict[str, tuple[LexiconFile, Mapping[str, Any]]] = {}
    for file in stack:
        for number, difference in enumerate(file.data.get("difference", [])):
            if not difference.get("name") or not difference.get("why"):
                raise file.error("difference", number, 'needs name = "..." and why = "..."')
            for change in difference.get("change", []):
                unknown = set(change) - _CHANGEABLE
                if unknown or "id" not in change:
                    raise file.error("difference", number, f"a change takes {', '.join(sorted(_CHANGEABLE))}")
                changes[change["id"]] = (file, change)
    return changes


def _raw_rule(
    file: LexiconFile,
    table: str,
    number: int,
    entry: Mapping[str, Any],
    change: Mapping[str, Any],
    vocabulary: Vocabulary,
) -> RawRule:
    unknown = set(entry) - ALLOWED[table]
    if unknown:
        allowed = ", ".join(sorted(ALLOWED[table]))
        raise file.error(table, number, f"unknown key {sorted(unknown)[0]!r}; allowed: {allowed}")
    phrases = entry.get("phrases")
    if entry["id"].endswith("/None"):
        raise file.error(table, number, 'needs id = "..."')
    if not isinstance(phrases, list) or not phrases or not all(isinstance(p, str) and p for p in phrases):
        raise file.error(table, number, 'needs phrases = ["...", ...], at least one, none empty')
    kind = Kind.MENTION if table != "structure" else Kind.STRUCTURE
    if table == "cue":
        kinds = {k.name.lower().replace("_", "-"): k for k in Kind if k not in (Kind.MENTION, Kind.STRUCTURE)}
        if entry.get("kind") not in kinds:
            raise file.error(table, number, f"kind {entry.get('kind')!r} is not one of {', '.join(kinds)}")
        kind = kinds[entry["kind"]]
    told = [
        {**entry, **change, **({} if "finding" not in change else {"findings": [change["finding"]]})},
        *change.get("add", ()),
    ]
    targets = tuple(t for each in told for t in _targets(file, table, number, each, vocabulary))
    return RawRule(file, table, number, Rule(kind, entry["id"], targets), tuple(phrases))


def _targets(
    file: LexiconFile, table: str, number: int, entry: Mapping[str, Any], vocabulary: Vocabulary
) -> tuple[Target, ...]:
    if table == "abnormality":
        return (Target(len(vocabulary)),)
    names = entry.get("findings", [entry["finding"]] if "finding" in entry else [])
    told = {key: _state(file, table, number, entry, key) for key in _READINGS if key in entry}
    states = (State.BLANK, *(told.get(s.name.lower(), s) for s in list(State)[1:]))
    unspecified = told.get("unspecified", State.BLANK)
    targets = []
    for name in names:
        if name in vocabulary:
            targets.append(Target(vocabulary.index(name), states, unspecified))
        elif (home := next((v for v in SHIPPED.values() if name in v), None)) is not None:
            if home.findings[home.index(name)].role != "device":  # a device is no abnormality
                targets.append(Target(len(vocabulary), states, unspecified))
        else:
            raise file.error(table, number, str(UnknownNameError("finding", name, vocabulary.names)))
    return tuple(dict.fromkeys(targets))


def _state(file: LexiconFile, table: str, number: int, entry: Mapping[str, Any], key: str) -> State:
    if entry[key] not in _STATES:
        raise file.error(table, number, f"{key} = {entry[key]!r} is no state; allowed: {', '.join(_STATES)}")
    return _STATES[entry[key]]


def _compile(stack: list[LexiconFile], vocabulary: Vocabulary, convention: str) -> Lexicon:
    spellings: dict[str, list[str]] = {}
    for file in stack:
        spellings |= file.data.get("spellings", {})
    plain: list[tuple[RawRule, list[str]]] = []
    for raw in _raw_rules(stack, vocabulary):
        try:
            plain.append((raw, [p for phrase in raw.phrases for p in expand(phrase)]))
        except ValueError as e:
            raise raw.file.error(raw.table, raw.number, f"phrase {e}") from e
    bare = SymbolTable((), {})
    words = {
        part
        for _, phrases in plain
        for part in bare.encode(" ".join(phrases))[0][1::2]
        if bare[part] != DEIDENTIFIED
    }
    table = SymbolTable(words, spellings)
    rules = _rules_by_symbols(plain, table)
    ors = "".join(s for s, r in rules.items() if r.kind is Kind.OR and len(s) == 1)
    digest = hashlib.sha256(b"\0".join(f.text.encode() for f in stack)).hexdigest()
    yes_cues = _yes_cues(stack, vocabulary, {raw.rule.id for raw, _ in plain})
    return Lexicon(vocabulary, convention, table, rules, prefix_tree(rules), ors, digest, yes_cues)


def _yes_cues(stack: list[LexiconFile], vocabulary: Vocabulary, ids: set[str]) -> dict[str, frozenset[str]]:
    """The [uncertain] tables: a cue is named by its id in cues.toml, or by FILE/ID."""
    found: dict[str, frozenset[str]] = {}
    for file in stack:
        for name, cues in file.data.get("uncertain", {}).items():
            if name not in vocabulary:
                raise LexiconError(
                    f"{file.name}, [uncertain]: {UnknownNameError('finding', name, vocabulary.names)}"
                )
            full = [c if "/" in c else f"cues/{c}" for c in cues]
            for cue in full:
                if cue not in ids | {ALTERNATIVE.id}:
                    raise LexiconError(
                        f"{file.name}, [uncertain] {name}: {UnknownNameError('cue', cue, ids)}"
                    )
            found[vocabulary.names[vocabulary.index(name)]] = frozenset(full)
    return found


def _rules_by_symbols(plain: list[tuple[RawRule, list[str]]], table: SymbolTable) -> dict[str, Rule]:
    rules = dict(MARKS)
    origin: dict[str, RawRule] = {}
    for raw, phrases in plain:
        for phrase in phrases:
            symbols = table.encode(phrase)[1].strip(GAP)
            if not symbols.strip(SENTENCE_END):
                raise raw.file.error(raw.table, raw.number, f"the phrase {phrase!r} has no word in it")
            earlier = origin.get(symbols)
            if earlier is not None and earlier.file is raw.file and earlier.rule.id != raw.rule.id:
                raise raw.file.error(
                    raw.table,
                    raw.number,
                    f"the phrase {phrase!r} stands also in {earlier.rule.id!r}; keep one",
                )
            origin[symbols] = raw
            rules[symbols] = raw.rule
    return rules
