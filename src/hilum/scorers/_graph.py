"""What the scorers of entities and relations share: annotations of both sides to scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hilum.core.records import Score
from hilum.metrics.entities import LEVELS, Annotation, entity_f1_all
from hilum.scorers._base import Scorer, score_of


def graph_scores(
    scorer: Scorer,
    references: Sequence[Annotation],
    candidates: Sequence[Annotation],
    *,
    preset: str,
    per_sample: bool,
) -> list[Score]:
    """One score per level: the mean over the pairs of which it is defined."""
    scores: list[Score] = []
    for level in LEVELS:
        values_N = entity_f1_all(references, candidates, level=level, preset=preset)
        defined = values_N[~np.isnan(values_N)]
        left = len(values_N) - len(defined)
        scores.append(
            score_of(
                scorer,
                f"{scorer.name}_{level}",
                float(defined.mean()) if len(defined) else float("nan"),
                per_sample=tuple(values_N.tolist()) if per_sample else None,
                note=f"{left:,} of {len(values_N):,} pairs have no entity and are left out" if left else "",
            )
        )
    return scores
