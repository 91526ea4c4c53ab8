"""Templates of sentences: text with alternatives and places, compiled once and drawn many times.

`[a|b|]` is one of these, here nothing too; `{name}` is one entry of a word list, or what the caller puts there.
"3: text" in a list is three times as likely as "text".
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np

_PIECE = re.compile(r"[\[\]|]|\{\w+\}|[^\[\]|{}]+")
_WEIGHT = re.compile(r"(\d+): ")


class Draws:
    """Uniform draws from one generator, taken in blocks; the only source of chance of a report."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._block: list[float] = []

    def number(self) -> float:
        """The next draw from [0, 1)."""
        if not self._block:
            self._block = self._rng.random(256).tolist()
        return self._block.pop()

    def chance(self, p: float) -> bool:
        """True with probability `p`."""
        return self.number() < p

    def one(self, items: Sequence[Any]) -> Any:
        """One of `items`, all equally likely."""
        return items[int(self.number() * len(items))]

    def shuffled(self, items: Iterable[Any]) -> list[Any]:
        """`items` in random order."""
        drawn = [(self.number(), place, item) for place, item in enumerate(items)]
        return [item for _, _, item in sorted(drawn, key=lambda triple: triple[:2])]


class Slot(NamedTuple):
    """A place for a word list's entry or for what the caller gives."""

    name: str


@dataclass(frozen=True)
class Choice:
    """Alternatives with their cumulative weights."""

    items: tuple[Template, ...]
    cumulative: tuple[int, ...]

    def draw(self, draws: Draws) -> Template:
        """One alternative."""
        return self.items[bisect(self.cumulative, draws.number() * self.cumulative[-1])]


Template = tuple["str | Slot | Choice", ...]


def compile_template(text: str) -> Template:
    """The parts of one template. Raises ValueError for unbalanced brackets or an unknown sign."""
    pieces = _PIECE.findall(text)
    if "".join(pieces) != text:
        raise ValueError("has a brace that encloses no name")
    options, rest = _options(pieces, 0)
    if rest != len(pieces):
        raise ValueError("has a ']' without '['")
    if len(options) > 1:
        raise ValueError("has a '|' outside brackets")
    return options[0]


def _options(pieces: list[str], at: int) -> tuple[list[Template], int]:
    options: list[Template] = []
    parts: list[str | Slot | Choice] = []
    while at < len(pieces) and pieces[at] != "]":
        piece = pieces[at]
        at += 1
        if piece == "|":
            options.append(tuple(parts))
            parts = []
        elif piece == "[":
            inner, at = _options(pieces, at)
            if at == len(pieces):
                raise ValueError("has a '[' without ']'")
            parts.append(Choice(tuple(inner), tuple(range(1, len(inner) + 1))))
            at += 1
        else:
            parts.append(Slot(piece[1:-1]) if piece.startswith("{") else piece)
    return [*options, tuple(parts)], at


def compile_choice(texts: Sequence[str]) -> Choice:
    """A weighted choice of templates."""
    weights, items = [], []
    for text in texts:
        weight = _WEIGHT.match(text)
        weights.append(int(weight[1]) if weight else 1)
        items.append(compile_template(text[weight.end() :] if weight else text))
    return Choice(tuple(items), tuple(accumulate(weights)))


def slots_of(choice: Choice) -> Iterable[str]:
    """The names of all places in the alternatives of `choice`."""
    for template in choice.items:
        for part in template:
            if isinstance(part, Slot):
                yield part.name
            elif isinstance(part, Choice):
                yield from slots_of(part)
