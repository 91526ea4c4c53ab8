"""BLEU: of a corpus as coco-caption computes it, and of single texts as NLTK and fast-bleu smooth it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hilum.metrics._ngrams import Block, Floats, Ints, Progress, Tokens, count_blocks

_TINY, _SMALL = 1e-15, 1e-9


class BleuResult(NamedTuple):
    """BLEU-1 to BLEU-n of the corpus, and of each sample, float64 [N, n]; all in [0, 1], higher is better.

    The corpus value is worked out from the counts of all samples together; it is not the mean of the samples.
    """

    scores: tuple[float, ...]
    per_sample: Floats


class BleuCounts(NamedTuple):
    """Matched and all n-grams of each candidate by length, int64 [S, n], and lengths of texts, int64 [S]."""

    matched_Sn: Ints
    all_Sn: Ints
    candidate_S: Ints
    reference_S: Ints


def corpus_bleu(
    references: Sequence[Sequence[Tokens]],
    candidates: Sequence[Tokens],
    *,
    n: int = 4,
    progress: Progress = None,
) -> BleuResult:
    """BLEU-1 to BLEU-n with the closest reference's length, as coco-caption's Bleu gives it.

    Papineni et al. 2002, with coco-caption's constants: 1e-15 is added to each count of matches and 1e-9 to each
    count of n-grams. So a sample without a match has nearly 0, and a candidate with fewer than n words that
    agrees fully gets 1e-6 for the precision of the missing length. An empty candidate has 0. Of two references
    equally near in length the shorter counts.

    Returns corpus values and values per sample, in [0, 1]. `progress` is called with the number of samples done.
    Raises InputError for no samples, a sample without references, or text that is not cut into tokens.
    """
    counts = [bleu_counts(b) for b in count_blocks(references, candidates, n=n, progress=progress)]
    return bleu_from_counts(counts)


def sentence_bleu(
    references: Sequence[Sequence[Tokens]],
    candidates: Sequence[Tokens],
    *,
    n: int = 2,
    progress: Progress = None,
) -> Floats:
    """BLEU-n of each sample by itself with smoothing "method 1", float64 [N] in [0, 1].

    Chen and Cherry 2014, method 1, as in NLTK and fast-bleu: where no n-gram of a length is matched, 0.1 counts
    in place of 0; without any common word, and for an empty candidate, BLEU is 0. With n = 2 and the
    tokenisation "cxr-report-metric" it is the BLEU-2 of the CXR-Report-Metric code (Yu et al., Patterns 2023).
    Raises InputError as `corpus_bleu`.
    """
    blocks = count_blocks(references, candidates, n=n, progress=progress)
    return np.concatenate([_smoothed(bleu_counts(block)) for block in blocks])


def bleu_counts(block: Block) -> BleuCounts:
    """What BLEU needs to know of each sample of a block."""
    candidate_S, length_R = block.lengths_T[: block.samples], block.lengths_T[block.samples :]
    matched, whole = [], []
    for k, order in enumerate(block.orders, start=1):
        best_E = np.zeros(len(order.count_E), dtype=np.int64)
        common_H = np.minimum(order.count_E[order.candidate_H], order.count_E[order.reference_H])
        np.maximum.at(best_E, order.candidate_H, common_H)
        split = int(np.searchsorted(order.text_E, block.samples))
        per_S = np.bincount(order.text_E[:split], weights=best_E[:split], minlength=block.samples)
        matched.append(per_S.astype(np.int64))
        whole.append(np.maximum(candidate_S - k + 1, 0))
    longest = int(block.lengths_T.max(initial=0)) + 1
    distance_R = np.abs(length_R - candidate_S[block.sample_R])
    nearest_S = np.minimum.reduceat(distance_R * longest + length_R, block.first_R) % longest
    return BleuCounts(np.stack(matched, axis=1), np.stack(whole, axis=1), candidate_S, nearest_S)


def bleu_from_counts(counts: Sequence[BleuCounts]) -> BleuResult:
    """The result for all blocks of a corpus."""
    parts = [np.concatenate(part) for part in zip(*counts, strict=True)]
    total = _coco(*(part.sum(axis=0, keepdims=True) for part in parts))
    return BleuResult(tuple(float(score) for score in total[0]), _coco(*parts))


def _coco(matched_Sn: Ints, all_Sn: Ints, candidate_S: Ints, reference_S: Ints) -> Floats:
    lengths = np.arange(1, matched_Sn.shape[1] + 1)
    score_Sn = np.cumprod((matched_Sn + _TINY) / (all_Sn + _SMALL), axis=1) ** (1 / lengths)
    ratio_S = (candidate_S + _TINY) / (reference_S + _SMALL)
    penalty_S = np.where(ratio_S < 1, np.exp(1 - 1 / np.minimum(ratio_S, 1)), 1.0)
    return np.asarray(score_Sn * penalty_S[:, None], dtype=np.float64)


def _smoothed(counts: BleuCounts) -> Floats:
    precision_Sn = np.where(counts.matched_Sn == 0, 0.1, counts.matched_Sn) / np.maximum(counts.all_Sn, 1)
    mean_S = np.exp(np.log(precision_Sn).mean(axis=1))
    shortfall_S = counts.reference_S / np.maximum(counts.candidate_S, 1)
    penalty_S = np.exp(np.minimum(1 - shortfall_S, 0))
    return np.where(counts.matched_Sn[:, 0] == 0, 0.0, mean_S * penalty_S)
