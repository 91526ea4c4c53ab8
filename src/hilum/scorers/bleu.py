"""BLEU-1 to BLEU-4 over all samples (Papineni et al. 2002), as coco-caption works it out."""

from __future__ import annotations

from collections.abc import Sequence

from hilum.core.records import Score
from hilum.metrics.overlap import corpus_bleu
from hilum.scorers._base import References, Tick, score_of
from hilum.scorers._overlap import PLAIN_TOKENS, Words, counting, known_tokens, tokenised

_LONGEST = 4


class Bleu:
    """Gives bleu_1, bleu_2, bleu_3 and bleu_4."""

    name = "bleu"
    version = "1"
    higher_is_better = True
    lowest, highest = 0.0, 1.0
    clinical = False

    def __init__(self, tokens: str, words: Words | None) -> None:
        self.preset = f"tokens {known_tokens(tokens)}"
        self.plain = tokens == PLAIN_TOKENS
        self._tokens = tokens
        self._words = words

    def score(
        self,
        references: References,
        candidates: Sequence[str],
        *,
        ids: Sequence[str] | None = None,  # noqa: ARG002  (nothing is looked up)
        per_sample: bool = False,
        progress: Tick | None = None,
    ) -> list[Score]:
        """Four scores; values per sample are the BLEU of each alone and do not average to the value."""
        of_all, said = tokenised(references, candidates, tokens=self._tokens, words=self._words)
        result = corpus_bleu(of_all, said, n=_LONGEST, progress=counting(progress, len(said)))
        return [
            score_of(
                self,
                f"{self.name}_{n + 1}",
                float(result.scores[n]),
                per_sample=tuple(result.per_sample[:, n].tolist()) if per_sample else None,
            )
            for n in range(_LONGEST)
        ]


def build(*, tokens: str = PLAIN_TOKENS, words: Words | None = None) -> Bleu:
    """The scorer; `tokens` is a name of `metrics.overlap.TOKENISERS`."""
    return Bleu(tokens, words)
