"""Lexicon files: where they lie, how they are read, and errors that name file, line and rule."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from hilum.core.errors import InputError, LexiconError, UnknownNameError, VocabularyError
from hilum.core.vocabulary import CHEXPERT14, SHIPPED, Finding, Vocabulary

TABLES = ("cue", "mention", "structure", "abnormality", "finding", "difference")
ALLOWED = {
    "cue": {"id", "kind", "phrases", "note"},
    "mention": {"id", "finding", "findings", "phrases", "positive", "negative", "uncertain", "note"},
    "structure": {
        "id",
        "finding",
        "findings",
        "phrases",
        "unspecified",
        "positive",
        "negative",
        "uncertain",
        "note",
    },
    "abnormality": {"id", "phrases", "note"},
    "finding": {"name", "parent", "aliases", "role", "definition", "note"},
    "difference": {"name", "why", "mention", "structure", "abnormality", "cue", "change"},
}
_TOP = {"vocabulary", "base", "uncertain", "spellings", "convention", "note", *TABLES}


@dataclass(frozen=True)
class LexiconFile:
    """One parsed file: its name for messages, its tables, and its text for line numbers."""

    name: str
    data: Mapping[str, Any]
    text: str
    is_shipped: bool = False

    def error(self, table: str, number: int, message: str) -> LexiconError:
        """An error that names file, line and rule."""
        heads = [
            i
            for i, line in enumerate(self.text.splitlines(), 1)
            if re.match(rf"\s*\[\[{re.escape(table)}\]\]", line)
        ]
        line = heads[number] if number < len(heads) else 1
        return LexiconError(f"{self.name}, line {line}, {table} {self._rule_name(table, number)}: {message}")

    def _rule_name(self, table: str, number: int) -> str:
        entries = self.data.get(table.split(".", maxsplit=1)[0], [])
        entry = entries[number] if "." not in table and number < len(entries) else {}
        return repr(entry.get("id") or entry.get("name") or f"number {number + 1}")


def load_vocabulary(name: str = CHEXPERT14.name) -> Vocabulary:
    """The findings of a vocabulary, from a shipped name or the path of a TOML file; its rules are not looked at.

    Raises UnknownNameError for another name, InputError for a file that cannot be read, LexiconError for a bad entry.
    """
    return vocabulary_of(vocabulary_stack(name)[-1])


def vocabulary_stack(name: str) -> list[LexiconFile]:
    """The files of a vocabulary, its base first, from a shipped name or the path of a TOML file."""
    own = [n for n in shipped_names() if n in SHIPPED]
    if name in own:
        top = shipped(name)
    elif name.endswith(".toml"):
        try:
            top = parse(name, Path(name).read_bytes())
        except OSError as e:
            raise InputError(
                f"The vocabulary file {name!r} cannot be read: {e.strerror}. Check the path."
            ) from e
    else:
        raise UnknownNameError("vocabulary", name, [*own, "FILE.toml"])
    base = top.data.get("base")
    if base is None:
        return [top]
    if base not in own:
        raise LexiconError(f"{top.name}: base {base!r} is not shipped; allowed: {', '.join(sorted(own))}.")
    return [*vocabulary_stack(base), top]


def vocabulary_of(top: LexiconFile) -> Vocabulary:
    """The vocabulary that a file names: a shipped one, or its base's findings and its own."""
    name = top.data.get("vocabulary")
    if not isinstance(name, str):
        raise LexiconError(f'{top.name}: the line vocabulary = "NAME" is missing at the top of the file.')
    if name in SHIPPED:
        if not top.is_shipped:
            raise LexiconError(
                f"{top.name}: the name {name!r} is that of a shipped vocabulary. Next step: choose another; "
                f'base = "{name}" takes over its findings and rules.'
            )
        return SHIPPED[name]
    base = SHIPPED[top.data["base"]].findings if "base" in top.data else ()
    added = []
    for number, entry in enumerate(top.data.get("finding", [])):
        if not isinstance(entry.get("name"), str):
            raise top.error("finding", number, 'needs name = "..."')
        unknown = set(entry) - ALLOWED["finding"]
        if unknown:
            allowed = ", ".join(sorted(ALLOWED["finding"]))
            raise top.error("finding", number, f"unknown key {sorted(unknown)[0]!r}; allowed: {allowed}")
        definition = entry.get("definition", "")
        if not isinstance(definition, str) or len(definition.splitlines()) > 1:
            raise top.error("finding", number, 'definition = "..." is one line of text')
        added.append(
            Finding(
                entry["name"],
                entry.get("parent"),
                tuple(entry.get("aliases", ())),
                entry.get("role", "finding"),
                definition.strip(),
            )
        )
    if not base and not added:
        raise LexiconError(f"{top.name}: has no [[finding]] and no base; there would be nothing to label.")
    try:
        return Vocabulary(name, (*base, *added))
    except VocabularyError as e:
        raise LexiconError(f"{top.name}: {e}") from e


def shipped_names() -> list[str]:
    """Names of the lexicon files in the package, without .toml."""
    return sorted(p.name.removesuffix(".toml") for p in files("hilum.labelers").joinpath("lexicon").iterdir())


def shipped(name: str) -> LexiconFile:
    """One lexicon file of the package."""
    raw = files("hilum.labelers").joinpath("lexicon", f"{name}.toml").read_bytes()
    return parse(f"lexicon/{name}.toml", raw, is_shipped=True)


def parse(name: str, raw: bytes, *, is_shipped: bool = False) -> LexiconFile:
    """A lexicon file from its bytes; LexiconError for what is no TOML or has an unknown key."""
    try:
        text = raw.decode("utf-8")
        data = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as e:
        raise LexiconError(f"{name}: is not valid TOML: {e}") from e
    unknown = set(data) - _TOP
    if unknown:
        raise LexiconError(f"{name}: unknown key {sorted(unknown)[0]!r}; allowed: {', '.join(sorted(_TOP))}.")
    return LexiconFile(name, data, text, is_shipped)
