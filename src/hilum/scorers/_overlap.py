"""What the scorers of word overlap share: tokens by a named tokeniser, and scores from values per sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from hilum.core.errors import UnknownNameError
from hilum.core.records import Score
from hilum.metrics.overlap import TOKENISERS
from hilum.scorers._base import References, Tick, check_pairs, score_of, several

PLAIN_TOKENS = "coco"
"""The tokeniser that ignores case and punctuation."""

Tokens = list[str]


def known_tokens(name: str) -> str:
    """`name`, when it is a tokeniser. Raises UnknownNameError."""
    if name not in TOKENISERS:
        raise UnknownNameError("tokeniser", name, TOKENISERS)
    return name


class Words:
    """Tokens of texts. Each distinct text is split once, for all scorers that share this object."""

    def __init__(self) -> None:
        self._texts: dict[tuple[str, str], Tokens] = {}
        self._words: dict[str, str] = {}

    def cut(self, text: str, tokens: str) -> Tokens:
        """The tokens of a text under a tokeniser."""
        known = self._texts.get((tokens, text))
        if known is None:
            same = self._words.setdefault  # one object per word: a tenth of the memory
            known = self._texts[tokens, text] = [same(word, word) for word in TOKENISERS[tokens](text)]
        return known


def tokenised(
    references: References, candidates: Sequence[str], *, tokens: str, words: Words | None = None
) -> tuple[list[list[Tokens]], list[Tokens]]:
    """Tokens of the references and the candidate of each sample."""
    check_pairs(references, candidates)
    cut = (words or Words()).cut
    wanted = [[cut(text, tokens) for text in texts] for texts in several(references)]
    return wanted, [cut(text, tokens) for text in candidates]


def counting(progress: Tick | None, total: int) -> Callable[[int], None] | None:
    """A callback that takes the number of samples done alone."""
    return None if progress is None else lambda done: progress(done, total)


class MeanOverlap:
    """A scorer whose value is the mean of one value per sample."""

    version = "1"
    higher_is_better = True
    lowest = 0.0
    clinical = False
    undefined = "not defined for some samples"

    def __init__(
        self,
        name: str,
        function: Callable[..., npt.NDArray[np.float64]],
        *,
        highest: float,
        tokens: str,
        words: Words | None = None,
    ) -> None:
        self.name = name
        self.highest = highest
        self.preset = f"tokens {known_tokens(tokens)}"
        self.plain = tokens == PLAIN_TOKENS
        self._tokens = tokens
        self._words = words
        self._function = function

    def score(
        self,
        references: References,
        candidates: Sequence[str],
        *,
        ids: Sequence[str] | None = None,  # noqa: ARG002  (nothing is looked up)
        per_sample: bool = False,
        progress: Tick | None = None,
    ) -> list[Score]:
        """One score: the mean over the samples."""
        of_all, said = tokenised(references, candidates, tokens=self._tokens, words=self._words)
        values_N = np.asarray(
            self._function(of_all, said, progress=counting(progress, len(said))), np.float64
        )
        return [
            score_of(
                self,
                self.name,
                float(values_N.mean()),
                per_sample=tuple(values_N.tolist()) if per_sample else None,
                note="" if not np.isnan(values_N).any() else self.undefined,
            )
        ]
