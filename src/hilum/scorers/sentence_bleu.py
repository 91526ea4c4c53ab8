"""BLEU-2 of each sample by itself, averaged: that of CXR-Report-Metric and RadCliQ (Yu et al. 2023)."""

from __future__ import annotations

from hilum.metrics.overlap import sentence_bleu
from hilum.scorers._overlap import MeanOverlap, Words

_TOKENS = "cxr-report-metric"


def build(*, sentence_tokens: str = _TOKENS, words: Words | None = None) -> MeanOverlap:
    """The scorer; `sentence_tokens` is a name of `metrics.overlap.TOKENISERS`, by itself that of the source."""
    return MeanOverlap("sentence_bleu", sentence_bleu, highest=1.0, tokens=sentence_tokens, words=words)
