"""ROUGE-L, the F-measure of the longest common subsequence (Lin 2004), as coco-caption works it out."""

from __future__ import annotations

from hilum.metrics.overlap import rouge_l
from hilum.scorers._overlap import PLAIN_TOKENS, MeanOverlap, Words


def build(*, tokens: str = PLAIN_TOKENS, words: Words | None = None) -> MeanOverlap:
    """The scorer; `tokens` is a name of `metrics.overlap.TOKENISERS`."""
    return MeanOverlap("rouge_l", rouge_l, highest=1.0, tokens=tokens, words=words)
