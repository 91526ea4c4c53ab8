"""CIDEr-D, which coco-caption and most papers print as "CIDEr" (Vedantam et al. 2015, section 5); times 10."""

from __future__ import annotations

from hilum.metrics.overlap import cider_d
from hilum.scorers._consensus import HIGHEST, Consensus
from hilum.scorers._overlap import PLAIN_TOKENS, Words


def build(*, tokens: str = PLAIN_TOKENS, words: Words | None = None) -> Consensus:
    """The scorer; `tokens` is a name of `metrics.overlap.TOKENISERS`."""
    return Consensus("cider_d", cider_d, highest=HIGHEST, tokens=tokens, words=words)
