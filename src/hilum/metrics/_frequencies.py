"""Document frequencies: in how many documents of a corpus each n-gram stands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError
from hilum.metrics._ngrams import (
    Block,
    Floats,
    Ints,
    Progress,
    Tokens,
    block_bounds,
    check_references,
    encode,
    numbering,
    words_left,
)

Small = npt.NDArray[np.int32]
_WORDS_AT_ONCE = 1_000_000


@dataclass(frozen=True, eq=False)
class DocumentFrequencies:
    """In how many documents each n-gram stands; the references of one sample are one document.

    `words` numbers the words. `keys[k]` are the (k+1)-grams, ascending: the place of the first k words in
    `keys[k - 1]`, times the number of words, plus the number of the last word; `counts[k]` belong to them.
    """

    documents: int
    words: dict[str, int]
    keys: tuple[Ints, ...]
    counts: tuple[Ints, ...]

    @property
    def n(self) -> int:
        """The length of the longest n-grams that are counted."""
        return len(self.keys)

    @property
    def weighs(self) -> bool:
        """Whether any n-gram has a weight: false with one document, or when all documents are alike."""
        return self.documents > 1 and any(bool((c < self.documents).any()) for c in self.counts)

    def count(self, ngram: Tokens) -> int:
        """In how many documents this n-gram stands; 0 when in none. Raises InputError when it is too long."""
        if not 1 <= len(ngram) <= self.n:
            raise InputError(f"N-grams of 1 to {self.n} words are counted; got {len(ngram)}: {list(ngram)}.")
        place = np.zeros(1, dtype=np.int64)
        for k, word in enumerate(ngram):
            place = self._find(k, place, np.array([self.words.get(word, -1)]))
        return int(self._counted(len(ngram) - 1, place)[0])

    def of_block(self, block: Block) -> list[Floats]:
        """Weight of each n-gram of a block, one float64 [G] per length: log documents - log max(1, count)."""
        number_W = np.array([self.words.get(word, -1) for word in block.words], dtype=np.int64)
        place_G, weights = np.zeros(1, dtype=np.int64), []
        for k, order in enumerate(block.orders):
            place_G = self._find(k, place_G[order.prefix_G], number_W[order.last_G])
            counted_G = np.maximum(self._counted(k, place_G), 1)
            weights.append(np.log(float(self.documents)) - np.log(counted_G))
        return weights

    def _find(self, k: int, prefix_G: Ints, last_G: Ints) -> Ints:
        """Places of (k+1)-grams in `keys[k]`, -1 for one that is not there."""
        if not len(self.keys[k]):
            return np.full(len(prefix_G), -1, dtype=np.int64)
        wanted = prefix_G * len(self.words) + last_G
        near = np.minimum(np.searchsorted(self.keys[k], wanted), len(self.keys[k]) - 1)
        return np.where((prefix_G >= 0) & (last_G >= 0) & (self.keys[k][near] == wanted), near, -1)

    def _counted(self, k: int, place_G: Ints) -> Ints:
        known = np.flatnonzero(place_G >= 0)
        counted_G = np.zeros(len(place_G), dtype=np.int64)
        counted_G[known] = self.counts[k][place_G[known]]
        return counted_G


def document_frequencies(
    references: Sequence[Sequence[Tokens]], *, n: int = 4, progress: Progress = None
) -> DocumentFrequencies:
    """Document frequencies of all 1- to n-grams of the references, one list of references per sample.

    Made once and used many times: `cider_d(..., frequencies=f)` on a batch of samples takes milliseconds, even
    with a hundred thousand documents behind it. `progress` is called with the number of samples read.
    Raises InputError for no samples, a sample without references, or text that is not cut into tokens.
    """
    if not references or n < 1:
        raise InputError(
            f"Document frequencies need at least one sample and n of at least 1; got {len(references)} and {n}."
        )
    check_references(references)
    numbers, parts = numbering(), []
    for start, stop in block_bounds([sum(map(len, r)) for r in references], most=_WORDS_AT_ONCE):
        parts.append(_read(references[start:stop], start, numbers))
        if progress:
            progress(stop)
    keys, counts = [], []
    for k in range(1, n + 1):
        tallies = [_tally(part, k, len(numbers)) for part in parts]
        keys_G, counts_G = _join(tallies)
        parts = [_renumber(p, t, k, keys_G) for p, t in zip(parts, tallies, strict=True)]
        keys.append(keys_G)
        counts.append(counts_G)
    return DocumentFrequencies(len(references), dict(numbers), tuple(keys), tuple(counts))


class _Part(NamedTuple):
    """Words of some documents; int32, since a large corpus has one of these per word."""

    flat_P: Small
    left_P: Small
    document_P: Small
    gram_P: Small


class _Tally(NamedTuple):
    """Distinct n-grams of a part, in how many of its documents each stands, and which stands at each place."""

    keys_G: Ints
    counts_G: Ints
    which_P: Small


def _read(references: Sequence[Sequence[Tokens]], first: int, numbers: defaultdict[str, int]) -> _Part:
    flat_P, lengths_T = encode([text for texts in references for text in texts], numbers)
    document_T = np.repeat(np.arange(first, first + len(references)), [len(texts) for texts in references])
    columns = flat_P, words_left(lengths_T), np.repeat(document_T, lengths_T), np.zeros(len(flat_P))
    return _Part(*(column.astype(np.int32) for column in columns))


def _tally(part: _Part, k: int, words: int) -> _Tally:
    at = np.flatnonzero(part.left_P >= k)
    key_P = part.gram_P[at] * np.int64(words) + part.flat_P[at + k - 1]
    order = np.argsort(key_P, kind="stable")
    key_P, document_P = key_P[order], part.document_P[at][order]
    new_gram = np.ones(len(at), dtype=bool)
    new_gram[1:] = key_P[1:] != key_P[:-1]
    new_document = new_gram.copy()
    new_document[1:] |= document_P[1:] != document_P[:-1]
    starts = np.flatnonzero(new_gram)
    which_P = np.empty(len(at), dtype=np.int32)
    which_P[order] = np.cumsum(new_gram) - 1
    counts_G = np.diff(np.cumsum(new_document)[starts], append=new_document.sum() + 1)
    return _Tally(key_P[starts], counts_G, which_P)


def _join(tallies: Sequence[_Tally]) -> tuple[Ints, Ints]:
    keys_G, which = np.unique(np.concatenate([t.keys_G for t in tallies]), return_inverse=True)
    counts = np.concatenate([t.counts_G for t in tallies])
    return keys_G, np.bincount(which, weights=counts, minlength=len(keys_G)).astype(np.int64)


def _renumber(part: _Part, tally: _Tally, k: int, keys_G: Ints) -> _Part:
    gram_P = np.zeros_like(part.gram_P)
    places_G = np.searchsorted(keys_G, tally.keys_G).astype(np.int32)
    gram_P[part.left_P >= k] = places_G[tally.which_P]
    return part._replace(gram_P=gram_P)
