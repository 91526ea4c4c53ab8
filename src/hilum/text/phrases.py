"""Phrases with alternatives and optional words, and the search for many of them at once.

A phrase is written as a clinician would: `(pleural|interlobar)? (effusion|fluid)`. `(a|b)` is one of them,
`(a|b)?` one of them or nothing; alternatives may be several words. Case, plural s, line breaks and hyphens
do not matter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_TOKEN = re.compile(r"\(|\)\??|\||[^\s()|?]+\??")
MAX_EXPANSIONS = 20_000


def expand(phrase: str) -> list[str]:
    """All plain phrases that `phrase` stands for.

    Raises ValueError, saying what is wrong, for unbalanced parentheses and for more than 20,000 expansions.
    """
    tokens = _TOKEN.findall(phrase.lower())
    if "".join(tokens) != re.sub(r"\s+", "", phrase.lower()):
        raise ValueError(f"cannot be read: {phrase!r}")
    options, rest = _alternatives(tokens, 0)
    if rest != len(tokens):
        raise ValueError(f"has a ')' without '(': {phrase!r}")
    found = sorted({" ".join(o.split()) for o in options})
    if "" in found:
        raise ValueError(f"can be empty, since every word in it is optional: {phrase!r}")
    return found


def _alternatives(tokens: list[str], at: int) -> tuple[list[str], int]:
    options: list[str] = []
    current = [""]
    while at < len(tokens):
        token = tokens[at]
        if token.startswith(")"):
            break
        if token == "|":
            options += current
            current = [""]
            at += 1
            continue
        current, at = _append(current, tokens, at)
    return options + current, at


def _append(current: list[str], tokens: list[str], at: int) -> tuple[list[str], int]:
    token = tokens[at]
    if token == "(":
        inner, at = _alternatives(tokens, at + 1)
        if at == len(tokens):
            raise ValueError(f"has a '(' without ')': {' '.join(tokens)!r}")
        optional = tokens[at] == ")?"
    else:
        optional = token.endswith("?")
        inner = [token.removesuffix("?")]
    if optional:
        inner = [*inner, ""]
    if len(current) * len(inner) > MAX_EXPANSIONS:
        raise ValueError(f"stands for more than {MAX_EXPANSIONS} phrases; split it: {' '.join(tokens)!r}")
    return [f"{c} {i}" for c in current for i in inner], at + 1


Tree = dict[str, Any]
"""A node of a prefix tree: symbol -> node, and under "" the value of the string that ends here."""


def prefix_tree(values: Mapping[str, object]) -> Tree:
    """The prefix tree of the keys of `values`, for `longest matches at each place` in one walk."""
    root: Tree = {}
    for string, value in values.items():
        node = root
        for char in string:
            node = node.setdefault(char, {})
        node[""] = value
    return root
