"""All lines that could answer a question, as one tree of token ids behind the prompt. NumPy only.

A node is one token; lines that begin alike share their nodes. A node sees its ancestors alone, and the last token of a
choice is no node, since nothing is read behind it. So all items are asked in one pass over as many tokens as the
tree has nodes, and each as if it stood alone right behind the prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError

Ids = tuple[int, ...]
Whole = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ChoiceTree:
    """The lines of I items with C choices each, as T nodes.

    `tokens_T` are their ids, `depths_T` how far behind the first place after the prompt they stand, `sees_TT` which
    nodes a node attends to (itself and its ancestors). `read_K` are the nodes whose next token is asked for. The
    steps of all lines: behind node `read_K[rows_S]` comes token `tokens_S`, which is part of the line
    `lines_S` (item * C + choice). `longest` is the number of tokens behind the prompt that a line may take.
    """

    items: int
    choices: int
    tokens_T: Whole
    depths_T: Whole
    sees_TT: npt.NDArray[np.bool_]
    read_K: Whole
    rows_S: Whole
    tokens_S: Whole
    lines_S: Whole
    longest: int

    @property
    def nodes(self) -> int:
        """T."""
        return len(self.tokens_T)

    def log_probabilities(self, steps_BS: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Natural logarithms of the probabilities of the lines [B, I, C] from those of their steps."""
        lines_BL = np.zeros((len(steps_BS), self.items * self.choices), dtype=np.float64)
        np.add.at(lines_BL.T, self.lines_S, steps_BS.T.astype(np.float64))
        return lines_BL.reshape(len(steps_BS), self.items, self.choices)


def choice_tree(items: Sequence[Ids], choices: Sequence[Ids]) -> ChoiceTree:
    """The tree of items, as ids that ask for them, and choices, as ids that follow.

    Raises InputError when one is empty.
    """
    if not items or not choices or not all(items) or not all(choices):
        raise InputError("A question needs items and choices, and each of them at least one token.")
    builder = _Builder()
    for item, ids in enumerate(items):
        asked = builder.path(-1, ids)
        for choice, given in enumerate(choices):
            builder.line(asked, given, item * len(choices) + choice)
    read_K, rows_S = np.unique(np.array(builder.behind, dtype=np.int64), return_inverse=True)
    return ChoiceTree(
        items=len(items),
        choices=len(choices),
        tokens_T=np.array(builder.tokens, dtype=np.int64),
        depths_T=np.array(builder.depths, dtype=np.int64),
        sees_TT=_sees(builder.parents),
        read_K=read_K,
        rows_S=rows_S.reshape(-1).astype(np.int64),
        tokens_S=np.array(builder.given, dtype=np.int64),
        lines_S=np.array(builder.lines, dtype=np.int64),
        longest=max(map(len, items)) + max(map(len, choices)),
    )


class _Builder:
    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.parents: list[int] = []
        self.depths: list[int] = []
        self.behind: list[int] = []
        self.given: list[int] = []
        self.lines: list[int] = []
        self._known: dict[tuple[int, int], int] = {}

    def path(self, node: int, ids: Sequence[int]) -> int:
        """The last node of `ids` below a node; nodes are made where there are none."""
        for token in ids:
            if (node, token) not in self._known:
                self._known[node, token] = len(self.tokens)
                self.tokens.append(token)
                self.parents.append(node)
                self.depths.append(0 if node < 0 else self.depths[node] + 1)
            node = self._known[node, token]
        return node

    def line(self, node: int, ids: Sequence[int], line: int) -> None:
        """The steps of one choice behind an item's last node."""
        for place, token in enumerate(ids):
            self.behind.append(node)
            self.given.append(token)
            self.lines.append(line)
            if place + 1 < len(ids):
                node = self.path(node, [token])


def _sees(parents: Sequence[int]) -> npt.NDArray[np.bool_]:
    sees_TT = np.eye(len(parents), dtype=np.bool_)
    for node, parent in enumerate(parents):
        if parent >= 0:
            sees_TT[node] |= sees_TT[parent]
    return sees_TT
