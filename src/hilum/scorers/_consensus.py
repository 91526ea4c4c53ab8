"""What CIDEr and CIDEr-D share: they need many samples to know which words are common."""

from __future__ import annotations

from hilum.scorers._overlap import MeanOverlap

HIGHEST = 10.0
"""The authors' code multiplies the mean cosine by 10."""


class Consensus(MeanOverlap):
    """CIDEr of either kind."""

    undefined = (
        "not defined: words are weighed by how few of the references have them, and one reference alone, or "
        "references that are all alike, give every word the weight 0"
    )
