"""ROUGE-L as coco-caption computes it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hilum.metrics._ngrams import Floats, Progress, Tokens, block_bounds, check_pairs


def rouge_l(
    references: Sequence[Sequence[Tokens]],
    candidates: Sequence[Tokens],
    *,
    beta: float = 1.2,
    progress: Progress = None,
) -> Floats:
    """ROUGE-L of each sample, float64 [N] in [0, 1], higher is better; the corpus value is the mean.

    P = L / words of the candidate and R = L / words of the reference, where L is the length of the longest
    common subsequence (Lin 2004); with several references the largest P and the largest R, which may come from
    different references, as in coco-caption. F = (1 + beta^2) P R / (R + beta^2 P). An empty candidate or
    reference gives 0. Empty tokens count as words here, as in coco-caption (tokenisation "single-space").
    `progress` is called with the number of samples done. Raises InputError as `corpus_bleu`.
    """
    check_pairs(references, candidates)
    scores: list[float] = []
    sizes = [len(c) + sum(map(len, r)) for c, r in zip(candidates, references, strict=True)]
    for start, stop in block_bounds(sizes):
        pairs = zip(candidates[start:stop], references[start:stop], strict=True)
        scores.extend(_score(candidate, texts, beta) for candidate, texts in pairs)
        if progress:
            progress(stop)
    return np.array(scores, dtype=np.float64)


def _score(candidate: Tokens, references: Sequence[Tokens], beta: float) -> float:
    common = [longest_common(candidate, reference) for reference in references]
    if not any(common):
        return 0.0
    precision = max(common) / len(candidate)
    recall = max(c / len(r) for c, r in zip(common, references, strict=True) if c)
    return (1 + beta**2) * precision * recall / (recall + beta**2 * precision)


def longest_common(a: Tokens, b: Tokens) -> int:
    """Length of the longest common subsequence of two lists of tokens.

    One bit per token of `a`; a row of the usual table is one addition of long integers (Hyyro 2004).
    """
    places: dict[str, int] = {}
    for place, token in enumerate(a):
        places[token] = places.get(token, 0) | 1 << place
    everything = (1 << len(a)) - 1
    row = everything
    for token in b:
        if at := places.get(token):
            here = row & at
            row = ((row + here) | (row - here)) & everything
    return len(a) - row.bit_count()
