"""CIDEr and CIDEr-D."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hilum.core.errors import InputError
from hilum.metrics._frequencies import DocumentFrequencies, document_frequencies
from hilum.metrics._ngrams import Block, Floats, Order, Progress, Tokens, check_pairs, count_blocks


def cider(
    references: Sequence[Sequence[Tokens]],
    candidates: Sequence[Tokens],
    *,
    n: int = 4,
    frequencies: DocumentFrequencies | None = None,
    progress: Progress = None,
) -> Floats:
    """CIDEr as first defined, without clipping and without a length penalty, float64 [N] in [0, 10].

    The cosine of the tf-idf vectors of candidate and reference, for n-grams of 1 to n words, averaged over
    lengths and references (Vedantam et al. 2015, equations 1 to 3), times 10 as in the authors' code
    (vrama91/cider, class Cider). Words are not stemmed, as in that code. This is NOT what coco-caption and the
    papers that use it print as "CIDEr": that is `cider_d`. The corpus value is the mean.

    Document frequencies are those of the references given here, or `frequencies` (a training set's, say). An
    n-gram of no document is weighted as one of one document. A candidate or reference without n-grams of some
    length gets 0 for that length; so three equal words get 7.5 when n is 4. All are NaN (undefined) when no
    n-gram has a weight: one document only, or all alike. `progress` is called with the number of samples done.
    Raises InputError as `corpus_bleu`, or when `frequencies` has shorter n-grams only.
    """
    return _all_blocks(references, candidates, n=n, frequencies=frequencies, progress=progress).cider


def cider_d(
    references: Sequence[Sequence[Tokens]],
    candidates: Sequence[Tokens],
    *,
    n: int = 4,
    sigma: float = 6.0,
    frequencies: DocumentFrequencies | None = None,
    progress: Progress = None,
) -> Floats:
    """CIDEr-D, which coco-caption prints as "CIDEr", float64 [N] in [0, 10].

    As `cider`, and besides the candidate's counts are clipped to the reference's, and each reference's score is
    multiplied by exp(-d^2 / (2 sigma^2)), where d is the difference of their numbers of bigrams (Vedantam et al.
    2015, section 5; pycocoevalcap.cider). The corpus value is the mean. For the rest see `cider`.
    """
    return _all_blocks(
        references, candidates, n=n, frequencies=frequencies, progress=progress, sigma=sigma
    ).cider_d


class CiderPair(NamedTuple):
    """CIDEr and CIDEr-D of the same samples, float64 [N]."""

    cider: Floats
    cider_d: Floats


def block_cider(block: Block, frequencies: DocumentFrequencies, *, sigma: float = 6.0) -> CiderPair:
    """Both scores of each sample of a block."""
    if not frequencies.weighs:
        return CiderPair(np.full(block.samples, np.nan), np.full(block.samples, np.nan))
    plain_R, clipped_R = np.zeros((2, len(block.sample_R)))
    for order, weight_G in zip(block.orders, frequencies.of_block(block), strict=True):
        plain, clipped = _cosines(order, weight_G, block)
        plain_R += plain
        clipped_R += clipped
    bigrams_T = np.maximum(block.lengths_T - 1, 0) if len(block.orders) > 1 else 0 * block.lengths_T
    apart_R = bigrams_T[block.samples :] - bigrams_T[block.sample_R]
    clipped_R *= np.exp(-(apart_R.astype(np.float64) ** 2) / (2 * sigma**2))
    each_S = np.bincount(block.sample_R, minlength=block.samples) * len(block.orders) / 10
    sums = (np.bincount(block.sample_R, weights=x, minlength=block.samples) for x in (plain_R, clipped_R))
    return CiderPair(*(total_S / each_S for total_S in sums))


def checked_frequencies(
    references: Sequence[Sequence[Tokens]], *, n: int, frequencies: DocumentFrequencies | None
) -> DocumentFrequencies:
    """The given frequencies, or those of the references. Raises InputError when the given are too short."""
    if frequencies is None:
        return document_frequencies(references, n=n)
    if frequencies.n < n:
        raise InputError(
            f"The document frequencies count n-grams of 1 to {frequencies.n} words; n is {n}. "
            f"Next step: document_frequencies(references, n={n})."
        )
    return frequencies


def _all_blocks(
    references: Sequence[Sequence[Tokens]],
    candidates: Sequence[Tokens],
    *,
    n: int,
    frequencies: DocumentFrequencies | None,
    progress: Progress,
    sigma: float = 6.0,
) -> CiderPair:
    check_pairs(references, candidates, n=n)
    weights = checked_frequencies(references, n=n, frequencies=frequencies)
    blocks = count_blocks(references, candidates, n=n, progress=progress)
    pairs = [block_cider(block, weights, sigma=sigma) for block in blocks]
    return CiderPair(*(np.concatenate(part) for part in zip(*pairs, strict=True)))


def _cosines(order: Order, weight_G: Floats, block: Block) -> tuple[Floats, Floats]:
    """Cosine of each reference's vector with its candidate's, plain and clipped, each [R]; 0 for no vector."""
    square_E = (order.count_E * weight_G[order.gram_E]) ** 2
    norm_T = np.sqrt(np.bincount(order.text_E, weights=square_E, minlength=len(block.lengths_T)))
    norms_R = norm_T[block.samples :] * norm_T[block.sample_R]
    reference_H = order.text_E[order.reference_H] - block.samples
    theirs_H, ours_H = order.count_E[order.reference_H], order.count_E[order.candidate_H]
    square_H = weight_G[order.gram_E[order.reference_H]] ** 2
    cosines = []
    for count_H in (ours_H, np.minimum(ours_H, theirs_H)):
        product_R = np.bincount(reference_H, weights=count_H * theirs_H * square_H, minlength=len(norms_R))
        cosines.append(np.divide(product_R, norms_R, out=np.zeros(len(norms_R)), where=norms_R > 0))
    return cosines[0], cosines[1]
