"""CIDEr as first defined (Vedantam et al. 2015, equations 1 to 3), times 10: what papers print is `cider_d`."""

from __future__ import annotations

from hilum.metrics.overlap import cider
from hilum.scorers._consensus import HIGHEST, Consensus
from hilum.scorers._overlap import PLAIN_TOKENS, Words


def build(*, tokens: str = PLAIN_TOKENS, words: Words | None = None) -> Consensus:
    """The scorer; `tokens` is a name of `metrics.overlap.TOKENISERS`."""
    return Consensus("cider", cider, highest=HIGHEST, tokens=tokens, words=words)
