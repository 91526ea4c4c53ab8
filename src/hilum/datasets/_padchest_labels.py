"""What the labels of PadChest mean in the vocabulary they are mapped to; the mapping is padchest_labels.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from hilum.core.errors import LexiconError
from hilum.core.records import Labels
from hilum.core.vocabulary import SHIPPED, State, Vocabulary

_FILE = "padchest_labels.toml"
_KEYS = {"vocabulary", "normal", "says_nothing", "elsewhere", "findings"}
_LABEL = re.compile(r"""\s*(?:'([^']*)'|"([^"]*)"|(nan))\s*(,|$)""")
_LONGEST = 20_000


class Mapped(NamedTuple):
    """Labels of one study, the labels of PadChest that stand for no finding, and those that nobody knows."""

    labels: Labels
    elsewhere: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class PadChestLabels:
    """The mapping: each label of PadChest, in lower case, to findings, or to one of three lists without any."""

    vocabulary: Vocabulary
    findings: Mapping[str, tuple[str, ...]]
    normal: frozenset[str]
    says_nothing: frozenset[str]
    elsewhere: frozenset[str]

    def map(self, named: Iterable[str]) -> Mapped:
        """The labels of a study of which PadChest lists `named`; what it does not list is BLANK.

        No Finding is POSITIVE when only normal findings and devices are listed, and at least one of them.
        """
        keys = {" ".join(name.split()).lower(): name for name in named}
        positive = {finding for key in keys for finding in self.findings.get(key, ())}
        elsewhere = tuple(
            name for key, name in keys.items() if key not in self.findings and key not in self.normal
        )
        unknown = tuple(n for n in elsewhere if n.lower() not in self.says_nothing | self.elsewhere)
        devices = {f.name for f in self.vocabulary.findings if f.role == "device"}
        none = self.vocabulary.no_finding
        if none is not None and keys and not elsewhere and positive <= devices:
            positive.add(none)
        states = tuple(State.POSITIVE if n in positive else State.BLANK for n in self.vocabulary.names)
        return Mapped(Labels(self.vocabulary, states), elsewhere, unknown)


def parse_list(text: str) -> tuple[str, ...] | None:
    """The texts of a list as Python writes it, "['normal', ' nodule']", without spaces around, each once, in order.

    Nothing is evaluated. Empty texts are left out. None when it is no such list.
    """
    body = text.strip()
    if not (body.startswith("[") and body.endswith("]")) or len(body) > _LONGEST:
        return None
    body, place = body[1:-1].strip(), 0
    names: dict[str, None] = {}
    while place < len(body):
        match = _LABEL.match(body, place)
        if match is None:
            return None
        name = " ".join((match[1] or match[2] or "").split())
        if name:
            names[name] = None
        place = match.end()
    return tuple(names)


@cache
def padchest_labels() -> PadChestLabels:
    """The mapping that ships. Raises LexiconError when its file contradicts itself or the vocabulary."""
    data = tomllib.loads(files("hilum.datasets").joinpath(_FILE).read_text(encoding="utf-8"))
    if set(data) != _KEYS or data["vocabulary"] not in SHIPPED:
        raise LexiconError(
            f"{_FILE}: needs exactly the keys {', '.join(sorted(_KEYS))} and a shipped vocabulary."
        )
    vocabulary = SHIPPED[data["vocabulary"]]
    findings: dict[str, tuple[str, ...]] = {}
    for name, labels in data["findings"].items():
        if name not in vocabulary.names:
            raise LexiconError(f"{_FILE}: {name!r} is no finding. Known: {', '.join(vocabulary.names)}.")
        for label in labels:
            findings[label.lower()] = (*findings.get(label.lower(), ()), name)
    lists = {
        key: frozenset(label.lower() for label in data[key])
        for key in ("normal", "says_nothing", "elsewhere")
    }
    for label in (*lists["normal"], *lists["says_nothing"], *lists["elsewhere"]):
        if label in findings or sum(label in one for one in lists.values()) > 1:
            raise LexiconError(f"{_FILE}: {label!r} is listed twice, once without a finding.")
    return PadChestLabels(vocabulary, findings, **lists)
