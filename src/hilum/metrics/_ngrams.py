"""N-grams of many texts as arrays: each block of samples is counted once, for all overlap metrics.

An n-gram is an integer, made from the integer of its first n - 1 words and that of its last word, so that any
number of words and of n-grams is told apart exactly. Axes: P places of words, T texts, G distinct n-grams, E
entries (a text and an n-gram in it), S samples, R references, H entries of references that the candidate has.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError

Tokens = Sequence[str]
Progress = Callable[[int], object] | None
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

BLOCK_WORDS = 100_000
"""How many words a block has at most (one sample may have more): bounds the memory of the work."""


class Order(NamedTuple):
    """The n-grams of one length in a block.

    `prefix_G` and `last_G`: the (n-1)-gram and the word that an n-gram is made of. `text_E`, `gram_E`, `count_E`:
    how often a text has an n-gram, ordered by text; candidates are texts 0 to S - 1, references follow.
    `candidate_H`, `reference_H`: places in E of the same n-gram in a sample's candidate and in its reference.
    """

    prefix_G: Ints
    last_G: Ints
    text_E: Ints
    gram_E: Ints
    count_E: Ints
    candidate_H: Ints
    reference_H: Ints


class Block(NamedTuple):
    """Samples that follow one another, counted. `words` are its distinct words in the order of their numbers."""

    samples: int
    words: list[str]
    lengths_T: Ints
    sample_R: Ints
    first_R: Ints
    orders: tuple[Order, ...]


def count_blocks(
    references: Sequence[Sequence[Tokens]], candidates: Sequence[Tokens], *, n: int, progress: Progress = None
) -> Iterator[Block]:
    """The samples, block by block, in order. Raises InputError when the lists are of no use (`check_pairs`)."""
    check_pairs(references, candidates, n=n)
    sizes = [len(c) + sum(map(len, r)) for c, r in zip(candidates, references, strict=True)]
    for start, stop in block_bounds(sizes):
        yield _count(references[start:stop], candidates[start:stop], n)
        if progress:
            progress(stop)


def check_pairs(references: Sequence[Sequence[Tokens]], candidates: Sequence[Tokens], *, n: int = 1) -> None:
    """Raise InputError unless each candidate has its list of at least one reference, all cut into tokens."""
    if len(references) != len(candidates) or not candidates:
        raise InputError(
            f"Got {len(candidates)} candidates and {len(references)} lists of references. "
            "Next step: give at least one candidate, and for each one the list of its references."
        )
    if n < 1:
        raise InputError(f"n is the length of the longest n-grams, at least 1; got {n}.")
    check_references(references)
    for place, candidate in enumerate(candidates):
        if isinstance(candidate, str):
            raise InputError(_uncut("Candidate", place, candidate))


def check_references(references: Sequence[Sequence[Tokens]]) -> None:
    """Raise InputError unless each sample has a list of at least one reference, all cut into tokens."""
    for place, texts in enumerate(references):
        if isinstance(texts, str):
            raise InputError(_uncut("The references of sample", place, texts))
        if not len(texts):
            raise InputError(
                f"Sample {place} (counted from 0) has no reference. Next step: leave the sample out, or give "
                "an empty reference [] where the true report is empty (it scores 0)."
            )
        if isinstance(texts[0], str):
            raise InputError(
                f"The references of sample {place} (counted from 0) are a list of strings; each reference must be "
                "a list of tokens. Next step: hilum.metrics.overlap.tokenise(texts, tokenisation), and one list "
                "of references for each sample, [[tokens], ...], even where there is only one."
            )


def _uncut(what: str, place: int, got: str) -> str:
    return (
        f"{what} {place} (counted from 0) is one string, {got[:30]!r}; lists of tokens are needed. "
        "Next step: hilum.metrics.overlap.tokenise(texts, tokenisation)."
    )


def block_bounds(sizes: Sequence[int], *, most: int = BLOCK_WORDS) -> Iterator[tuple[int, int]]:
    """Start and stop of each block: as many samples as have `most` words in all, and at least one."""
    bounds, words = [0], 0
    for place, size in enumerate(sizes):
        if words and words + size > most:
            bounds.append(place)
            words = 0
        words += size
    bounds.append(len(sizes))
    yield from pairwise(bounds)


def encode(texts: Sequence[Tokens], numbers: defaultdict[str, int]) -> tuple[Ints, Ints]:
    """The words of all texts as numbers, [P], and the length of each text, [T]; new words are numbered.

    As in coco-caption, an empty token is no word, and a token with white space in it is several.
    """
    flat: list[int] = []
    lengths = []
    for text in texts:
        words = " ".join(text).split()
        lengths.append(len(words))
        flat.extend(map(numbers.__getitem__, words))
    return np.array(flat, dtype=np.int64), np.array(lengths, dtype=np.int64)


def numbering() -> defaultdict[str, int]:
    """A dictionary that gives each new word the next number."""
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__
    return numbers


def words_left(lengths_T: Ints) -> Ints:
    """For each place of a word, how many words of its text stand from there on, [P]."""
    ends_T = np.cumsum(lengths_T)
    return np.repeat(ends_T, lengths_T) - np.arange(lengths_T.sum())


def _count(references: Sequence[Sequence[Tokens]], candidates: Sequence[Tokens], n: int) -> Block:
    numbers, samples = numbering(), len(candidates)
    flat_P, lengths_T = encode([*candidates, *(text for texts in references for text in texts)], numbers)
    per_sample = np.array([len(texts) for texts in references], dtype=np.int64)
    sample_R = np.repeat(np.arange(samples), per_sample)
    owner_T = np.concatenate([np.arange(samples), sample_R])
    left_P, text_P = words_left(lengths_T), np.repeat(np.arange(len(lengths_T)), lengths_T)
    gram_P, orders = np.zeros_like(flat_P), []
    for k in range(1, n + 1):
        at = np.flatnonzero(left_P >= k)
        keys, grams = np.unique(gram_P[at] * len(numbers) + flat_P[at + k - 1], return_inverse=True)
        gram_P[at] = grams
        parts = np.divmod(keys, max(len(numbers), 1))
        orders.append(_order(parts, text_P[at], grams, owner_T=owner_T, samples=samples))
    first_R = np.cumsum(per_sample) - per_sample
    return Block(samples, list(numbers), lengths_T, sample_R, first_R, tuple(orders))


def _order(parts: tuple[Ints, Ints], text_P: Ints, gram_P: Ints, *, owner_T: Ints, samples: int) -> Order:
    distinct = max(len(parts[0]), 1)
    entries, count_E = np.unique(text_P * distinct + gram_P, return_counts=True)
    text_E, gram_E = np.divmod(entries, distinct)
    split = int(np.searchsorted(text_E, samples))
    wanted = owner_T[text_E[split:]] * distinct + gram_E[split:]
    near = np.minimum(np.searchsorted(entries[:split], wanted), max(split - 1, 0))
    hit = np.flatnonzero(entries[near] == wanted) if split else np.zeros(0, dtype=np.int64)
    return Order(*parts, text_E, gram_E, count_E.astype(np.int64), near[hit], hit + split)
