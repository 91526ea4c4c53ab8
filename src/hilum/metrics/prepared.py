"""CIDEr and CIDEr-D against references that are counted once: for rewards, where one reference is met many times.

`metrics.overlap.cider_d` counts references and candidates anew in each call. Here the n-grams of the references,
their norms and the weights of all n-grams are kept, and a batch costs the candidates alone. Values are those of
`cider` and `cider_d` with the same document frequencies, to the rounding of sums.

An n-gram of 1 to 4 words is one unsigned integer of 64 bits, 16 for each word, so that n-grams are told apart
exactly; with more than 65,535 different words the plain functions do the work. Axes: P places of words, E entries
(a text and an n-gram in it), S slots, R references, N candidates, K the four lengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError
from hilum.metrics._cider import checked_frequencies, cider, cider_d
from hilum.metrics._frequencies import DocumentFrequencies
from hilum.metrics._ngrams import Floats, Ints, Tokens, check_pairs

Keys = npt.NDArray[np.uint64]
Kind = Literal["cider_d", "cider"]

MOST_WORDS = 2**16 - 1
"""Different words that the fast way can tell apart."""

_LENGTHS = 4
_WORD = np.uint64(16)
_HALF = np.uint64(32)
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2^64 by the golden ratio (Knuth, The Art of Computer Programming 6.4)
_STEP = 0xD1B54A32D192ED03  # 2^64 by 1.2207: steps of an irrational part of a table come to all of its places
_ROOM_OF_WEIGHTS, _ROOM_OF_REFERENCES = 8, 3  # slots for each key: more is faster, and larger
_AT_ONCE = 256


class Entries(NamedTuple):
    """The distinct n-grams of some texts, ordered by text: whose, which, how often; and words of each text."""

    text_E: Ints
    key_E: Keys
    count_E: Ints
    words_T: Ints


class Slots(NamedTuple):
    """Open hash tables in one array, one for each row: the value of a key, 0 for a key that is not there."""

    keys_S: Keys
    values_S: npt.NDArray[np.generic]
    first_R: Keys
    size_R: Keys

    def find(self, row_E: Ints, key_E: Keys) -> npt.NDArray[np.generic]:
        """The value of each key in the table of its row, [E]."""
        first_E, size_E = self.first_R[row_E], self.size_R[row_E]
        hash_E = key_E * _MIX
        slot_E = _place(hash_E, first_E, size_E)
        found_E = self.keys_S[slot_E]
        left = np.flatnonzero((found_E != key_E) & (found_E != 0))
        tries = np.uint64(_STEP)
        while len(left):
            slot = _place(hash_E[left] + tries, first_E[left], size_E[left])
            found = self.keys_S[slot]
            slot_E[left], found_E[left] = slot, found
            left = left[(found != key_E[left]) & (found != 0)]
            tries = _again(tries)
        return np.where(found_E == key_E, self.values_S[slot_E], 0)


def slots(row_E: Ints, key_E: Keys, value_E: npt.NDArray[np.generic], *, rows: int, room: int) -> Slots:
    """Tables of `rows` rows; the keys of a row are distinct and not 0. `room`: slots for each key.

    The next place to look at is `_STEP` / 2^64 = 0.819 of the table further on.
    """
    size_R = (np.bincount(row_E, minlength=rows) * room + 1).astype(np.uint64)
    first_R = np.cumsum(size_R) - size_R
    keys_S = np.zeros(int(size_R.sum()), dtype=np.uint64)
    values_S = np.zeros(len(keys_S), dtype=value_E.dtype)
    hash_E, first_E, size_E = key_E * _MIX, first_R[row_E], size_R[row_E]
    slot_E = _place(hash_E, first_E, size_E)
    left, tries = np.arange(len(key_E)), np.uint64(_STEP)
    while len(left):
        free = left[keys_S[slot_E[left]] == 0]
        keys_S[slot_E[free]] = key_E[free]  # of several for one slot the last stays
        left = left[keys_S[slot_E[left]] != key_E[left]]
        slot_E[left] = _place(hash_E[left] + tries, first_E[left], size_E[left])
        tries = _again(tries)
    values_S[slot_E] = value_E
    return Slots(keys_S, values_S, first_R, size_R)


def _place(hash_E: Keys, first_E: Keys, size_E: Keys) -> Keys:
    """Where in its table a key belongs: the upper half of its hash as a share of the size."""
    place_E: Keys = first_E + (((hash_E >> _HALF) * size_E) >> _HALF)
    return place_E


def _again(tries: np.uint64) -> np.uint64:
    return np.uint64((int(tries) + _STEP) % 2**64)


@dataclass(frozen=True, eq=False)
class PreparedCider:
    """References by row, ready to be compared with. Made by `prepare_cider`; nothing in it changes.

    `weights` has log(document frequency) of the n-grams of more than one document, `references` how often each
    row has an n-gram, `norms_RK` the lengths of the rows' vectors, `bigrams_R` their numbers of bigrams.
    """

    tokens: Sequence[Tokens]
    frequencies: DocumentFrequencies
    words: dict[str, int]
    weights: Slots | None
    references: Slots | None
    norms_RK: Floats
    bigrams_R: Ints

    def __len__(self) -> int:
        return len(self.tokens)

    def scores(
        self, rows: Sequence[int], candidates: Sequence[Tokens], *, kind: Kind = "cider_d", sigma: float = 6.0
    ) -> Floats:
        """CIDEr-D or CIDEr of each candidate against the reference of its row, float64 [N] in [0, 10].

        Raises InputError for a row that is not there, other numbers of both, and text that is not cut.
        """
        rows_N = np.asarray(rows, dtype=np.int64)
        if len(rows_N) and not 0 <= rows_N.min() <= rows_N.max() < len(self):
            raise InputError(
                f"Rows of references go from 0 to {len(self) - 1:,}; got {rows_N.min():,} to {rows_N.max():,}."
            )
        check_pairs(list(repeat(((),), len(rows_N))), candidates)
        return np.concatenate(
            [
                self._some(
                    rows_N[start : start + _AT_ONCE],
                    candidates[start : start + _AT_ONCE],
                    kind=kind,
                    sigma=sigma,
                )
                for start in range(0, len(rows_N), _AT_ONCE)
            ]
        )

    def _some(self, rows_N: Ints, candidates: Sequence[Tokens], *, kind: Kind, sigma: float) -> Floats:
        if not self.frequencies.weighs:
            return np.full(len(rows_N), np.nan)
        counted = None if self.references is None else _entries(candidates, self.words)
        if counted is None or self.references is None or self.weights is None:
            return self._plainly(rows_N, candidates, kind=kind, sigma=sigma)
        weight_E = _weights(counted.key_E, self.weights, self.frequencies)
        cell_E, cells = _cells(counted), len(rows_N) * _LENGTHS
        square_E = weight_E * weight_E
        norm_C = np.sqrt(np.bincount(cell_E, weights=square_E * counted.count_E**2, minlength=cells))
        theirs_E = self.references.find(rows_N[counted.text_E], counted.key_E).astype(np.int64)
        ours_E = np.minimum(counted.count_E, theirs_E) if kind == "cider_d" else counted.count_E
        product_C = np.bincount(cell_E, weights=ours_E * theirs_E * square_E, minlength=cells)
        norms_C = norm_C * self.norms_RK[rows_N].ravel()
        cosine_C = np.divide(product_C, norms_C, out=np.zeros(cells), where=norms_C > 0)
        value_N = cosine_C.reshape(-1, _LENGTHS).sum(axis=1) * (10 / _LENGTHS)
        if kind == "cider_d":
            apart_N = self.bigrams_R[rows_N] - np.maximum(counted.words_T - 1, 0)
            value_N *= np.exp(-(apart_N.astype(np.float64) ** 2) / (2 * sigma**2))
        return np.asarray(value_N, dtype=np.float64)

    def _plainly(self, rows_N: Ints, candidates: Sequence[Tokens], *, kind: Kind, sigma: float) -> Floats:
        references = [[self.tokens[row]] for row in rows_N]
        if kind == "cider":
            return cider(references, candidates, frequencies=self.frequencies)
        return cider_d(references, candidates, frequencies=self.frequencies, sigma=sigma)


def prepare_cider(
    references: Sequence[Tokens], *, frequencies: DocumentFrequencies | None = None
) -> PreparedCider:
    """References, one list of tokens each, ready for `PreparedCider.scores`.

    `frequencies` are those of the references themselves where none are given. 36 bytes are kept for each
    different n-gram of each reference: about 4 kB for a report of 35 words. Raises InputError as `cider_d`.
    """
    texts = [[text] for text in references]
    check_pairs(texts, references)
    known = checked_frequencies(texts, n=_LENGTHS, frequencies=frequencies)
    words = {word: number + 1 for word, number in known.words.items()}
    for text in references:
        for word in " ".join(text).split():
            words.setdefault(word, len(words) + 1)
    norms_RK, bigrams_R = np.zeros((len(references), _LENGTHS)), np.zeros(len(references), dtype=np.int64)
    if len(words) > MOST_WORDS:
        return PreparedCider(references, known, words, None, None, norms_RK, bigrams_R)
    weights = _weight_slots(known)
    parts = []
    for start in range(0, len(references), _AT_ONCE):
        counted = _entries(references[start : start + _AT_ONCE], words)
        assert counted is not None  # noqa: S101  (all their words are known)
        square_E = (_weights(counted.key_E, weights, known) * counted.count_E) ** 2
        stop, cells = start + len(counted.words_T), len(counted.words_T) * _LENGTHS
        sums_C = np.bincount(_cells(counted), weights=square_E, minlength=cells)
        norms_RK[start:stop] = np.sqrt(sums_C).reshape(-1, _LENGTHS)
        bigrams_R[start:stop] = np.maximum(counted.words_T - 1, 0)
        parts.append((counted.text_E + start, counted.key_E, counted.count_E.astype(np.int32)))
    whose, keys, counts = (np.concatenate(part) for part in zip(*parts, strict=True))
    of_rows = slots(whose, keys, counts, rows=len(references), room=_ROOM_OF_REFERENCES)
    return PreparedCider(references, known, words, weights, of_rows, norms_RK, bigrams_R)


def _weight_slots(frequencies: DocumentFrequencies) -> Slots:
    """log(document frequency) by n-gram; that of one document is 0, as is that of none, and is not kept."""
    keys, logs = [], []
    prefix_G = np.zeros(1, dtype=np.uint64)
    for key_G, count_G in zip(frequencies.keys[:_LENGTHS], frequencies.counts, strict=False):
        before_G, last_G = np.divmod(key_G, max(len(frequencies.words), 1))
        prefix_G = (prefix_G[before_G] << _WORD) | (last_G + 1).astype(np.uint64)
        often = count_G > 1
        keys.append(prefix_G[often])
        logs.append(np.log(count_G[often]))
    all_keys = np.concatenate(keys)
    return slots(
        np.zeros(len(all_keys), dtype=np.int64), all_keys, np.concatenate(logs), rows=1, room=_ROOM_OF_WEIGHTS
    )


def _weights(key_E: Keys, weights: Slots, frequencies: DocumentFrequencies) -> Floats:
    logs_E = weights.find(np.zeros(len(key_E), dtype=np.int64), key_E)
    return np.asarray(np.log(float(frequencies.documents)) - logs_E, dtype=np.float64)


def _cells(counted: Entries) -> Ints:
    """Text and length of each entry as one number: text x 4 + length - 1."""
    longer_E = np.zeros(len(counted.key_E), dtype=np.int64)
    for k in range(1, _LENGTHS):
        longer_E += counted.key_E >= np.uint64(1 << 16 * k)
    return counted.text_E * _LENGTHS + longer_E


def _entries(texts: Sequence[Tokens], words: dict[str, int]) -> Entries | None:
    """The n-grams of texts; None when there are more words than can be told apart."""
    cut = [" ".join(text).split() for text in texts]  # an empty token is no word, as in coco-caption
    numbers = [words.get(word, 0) for text in cut for word in text]
    if 0 in numbers:
        more: dict[str, int] = {}
        flat = (word for text in cut for word in text)
        numbers = [
            n or more.setdefault(w, len(words) + 1 + len(more)) for n, w in zip(numbers, flat, strict=True)
        ]
        if len(words) + len(more) > MOST_WORDS:
            return None
    words_T = np.array([len(text) for text in cut], dtype=np.int64)
    longest = int(words_T.max(initial=0))
    if not longest:
        nothing = np.zeros(0, dtype=np.int64)
        return Entries(nothing, nothing.astype(np.uint64), nothing, words_T)
    word_TP = np.zeros((len(cut), longest + _LENGTHS - 1), dtype=np.uint64)
    word_TP[:, :longest][np.arange(longest) < words_T[:, None]] = numbers
    keys_TE = np.empty((len(cut), longest * _LENGTHS), dtype=np.uint64)
    gram_TP = word_TP[:, :longest]
    keys_TE[:, :longest] = gram_TP
    for k in range(1, _LENGTHS):
        last_TP = word_TP[:, k : longest + k]
        gram_TP = ((gram_TP << _WORD) | last_TP) * (last_TP > 0)
        keys_TE[:, longest * k : longest * (k + 1)] = gram_TP
    return _distinct(keys_TE, words_T)


def _distinct(keys_TE: Keys, words_T: Ints) -> Entries:
    """The distinct keys of each row and how often they stand there; 0 is no key."""
    keys_TE.sort(axis=1)
    new_TE = np.ones(keys_TE.shape, dtype=bool)
    np.not_equal(keys_TE[:, 1:], keys_TE[:, :-1], out=new_TE[:, 1:])
    at = np.flatnonzero(new_TE)
    count_E = np.diff(at, append=keys_TE.size)
    key_E = keys_TE.ravel()[at]
    real = key_E > 0
    return Entries(at[real] // keys_TE.shape[1], key_E[real], count_E[real], words_T)
