"""How alike are words: BLEU, ROUGE-L, CIDEr and CIDEr-D of coco-caption, in Python and NumPy, without Java.

All take `references`, one list of token lists per sample, and `candidates`, one token list per sample; cut text
with `tokenise(texts, tokenisation)`, and say which tokenisation it was beside the score. All are invariant to the
order of samples, and higher is better. METEOR is not here: its only reference is a Java program.

What is printed as "CIDEr" by coco-caption, pycocoevalcap and nearly all papers on reports is `cider_d`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hilum.metrics._bleu import BleuResult, bleu_counts, bleu_from_counts, corpus_bleu, sentence_bleu
from hilum.metrics._cider import block_cider, checked_frequencies, cider, cider_d
from hilum.metrics._frequencies import DocumentFrequencies, document_frequencies
from hilum.metrics._ngrams import Floats, Progress, Tokens, check_pairs, count_blocks
from hilum.metrics._rouge import longest_common, rouge_l
from hilum.metrics._tokens import TOKENISERS, tokenise

__all__ = [
    "TOKENISERS",
    "BleuResult",
    "DocumentFrequencies",
    "OverlapScores",
    "cider",
    "cider_d",
    "corpus_bleu",
    "document_frequencies",
    "longest_common",
    "overlap_scores",
    "rouge_l",
    "sentence_bleu",
    "tokenise",
]


class OverlapScores(NamedTuple):
    """All overlap metrics of the same samples; `rouge_l`, `cider` and `cider_d` are float64 [N]."""

    bleu: BleuResult
    rouge_l: Floats
    cider: Floats
    cider_d: Floats


def overlap_scores(
    references: Sequence[Sequence[Tokens]],
    candidates: Sequence[Tokens],
    *,
    n: int = 4,
    frequencies: DocumentFrequencies | None = None,
    progress: Progress = None,
) -> OverlapScores:
    """What `corpus_bleu`, `rouge_l`, `cider` and `cider_d` give, with the n-grams counted once for all.

    `progress` is called with the number of samples done. Raises InputError as they do.
    """
    check_pairs(references, candidates, n=n)
    weights = checked_frequencies(references, n=n, frequencies=frequencies)
    bleu, rouge, ciders, done = [], [], [], 0
    for block in count_blocks(references, candidates, n=n):
        start, done = done, done + block.samples
        bleu.append(bleu_counts(block))
        ciders.append(block_cider(block, weights))
        rouge.append(rouge_l(references[start:done], candidates[start:done]))
        if progress:
            progress(done)
    plain, clipped = (np.concatenate(part) for part in zip(*ciders, strict=True))
    return OverlapScores(bleu_from_counts(bleu), np.concatenate(rouge), plain, clipped)
