"""CheXbert embedding similarity: the cosine of the first-token vectors of a report encoder.

Source: Yu et al. 2023 ("Evaluating progress in automatic chest X-ray radiology report generation"), where the
encoder is CheXbert's BERT and the vector is that of [CLS] after the last layer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError
from hilum.core.records import Score
from hilum.scorers._base import References, Tick, check_pairs, one_each, score_of
from hilum.scorers._encoder import Encoder, in_batches, load_encoder, model_name


class CheXbertSimilarity:
    """Gives chexbert_similarity, the mean cosine of the pairs."""

    name = "chexbert_similarity"
    version = "1"
    higher_is_better = True
    lowest, highest = -1.0, 1.0
    clinical = False
    plain = False

    def __init__(self, encoder: Encoder, batch_size: int, model: str) -> None:
        self._encoder = encoder
        self._batch_size = batch_size
        self.preset = f"first token, layer {encoder.layers} of {encoder.layers}, {model}"

    def score(
        self,
        references: References,
        candidates: Sequence[str],
        *,
        ids: Sequence[str] | None = None,  # noqa: ARG002  (nothing is looked up)
        per_sample: bool = False,
        progress: Tick | None = None,
    ) -> list[Score]:
        """One score; each distinct text is encoded once."""
        check_pairs(references, candidates)
        wanted = one_each(references, scorer=self.name)
        texts = list(dict.fromkeys((*wanted, *candidates)))
        place = {text: i for i, text in enumerate(texts)}

        def tick(done: int) -> None:
            if progress is not None:
                progress(done * len(candidates) // len(texts), len(candidates))

        first: list[npt.NDArray[np.float64]] = [np.empty(0)] * len(texts)
        for places, batch in in_batches(texts, size=self._batch_size, tick=tick):
            for i, read in zip(places, self._encoder.vectors(batch), strict=True):
                vector = read.vectors_TH[0].astype(np.float64)
                first[i] = vector / max(float(np.linalg.norm(vector)), 1e-12)
        pairs = zip(wanted, candidates, strict=True)
        values = [min(1.0, max(-1.0, float(first[place[r]] @ first[place[c]]))) for r, c in pairs]
        cut = self._encoder.cut(texts)
        return [
            score_of(
                self,
                self.name,
                float(np.mean(values)),
                per_sample=tuple(values) if per_sample else None,
                note=f"{cut:,} texts were cut to {self._encoder.limit} tokens" if cut else "",
            )
        ]


def build(*, model: str | None = None, batch_size: int = 32) -> CheXbertSimilarity:
    """The scorer; `model` is a folder that transformers' AutoModel and AutoTokenizer can load."""
    if batch_size < 1:
        raise InputError(f"The batch size is {batch_size}; it must be at least 1.")
    return CheXbertSimilarity(
        load_encoder(model, scorer="chexbert_similarity"), batch_size, model_name(model)
    )
