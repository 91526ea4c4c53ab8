"""The text around a report in a long document: sentences that claim nothing, in any number."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

from hilum.datasets._speech.grammar import grammar
from hilum.datasets._speech.layout import sentence_text
from hilum.datasets._speech.templates import Choice, Draws, compile_choice

LEAST_WORDS = 6
"""A context has as many words or more; how many is drawn evenly on a logarithmic scale."""

_BEFORE, _BEHIND = 0.6, 0.8
"""Cumulative share of contexts that stand before the report, and behind it; the rest do both."""


@cache
def neutral() -> tuple[Choice, ...]:
    """Kinds of sentences that claim nothing, from phrases/context.toml."""
    path = files("hilum.datasets._speech") / "phrases" / "context.toml"
    kinds = tomllib.loads(path.read_text("utf-8"))["neutral"]
    return tuple(compile_choice(one["texts"]) for one in kinds)


def _sentences(draws: Draws, most_words: int) -> list[str]:
    """Sentences that claim nothing, about as many words of them as are drawn."""
    known = grammar()
    wanted = LEAST_WORDS * (max(most_words, LEAST_WORDS) / LEAST_WORDS) ** draws.number()
    found: list[str] = []
    words = 0
    while words < wanted:
        found.append(sentence_text(known.say(draws.one(neutral()).draw(draws), draws), draws))
        words += found[-1].count(" ") + 1
    return found


def in_context(texts: list[str], draws: Draws, *, most_words: int) -> list[str]:
    """The sentences `texts` with a context before them, behind them, or both, of about `most_words` words at most."""
    place = draws.number()
    both = place >= _BEHIND
    most = most_words // (1 + both)
    before = _sentences(draws, most) if place < _BEFORE or both else []
    behind = _sentences(draws, most) if place >= _BEFORE else []
    return [*before, *texts, *behind]
