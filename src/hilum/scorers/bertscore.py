"""BERTScore (Zhang et al. 2020): greedy cosine matching of token vectors of a local encoder.

As in the authors' bert-score package the first and last token that the tokenizer adds have no weight but may
be matched. Unlike there, padding is never matched, so values do not depend on the batch.
"""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError
from hilum.core.records import Score
from hilum.scorers._base import References, Tick, check_pairs, score_of, several
from hilum.scorers._encoder import Encoder, TokenVectors, in_batches, load_encoder, model_name

_PARTS = ("precision", "recall", "f1")


class Match(NamedTuple):
    """Precision, recall and F1 of one pair."""

    precision: float
    recall: float
    f1: float


class BertScore:
    """Gives bertscore_precision, bertscore_recall and bertscore_f1, means over the pairs."""

    name = "bertscore"
    version = "1"
    higher_is_better = True
    clinical = False
    plain = False

    def __init__(
        self,
        encoder: Encoder,
        *,
        layer: int | None,
        idf: bool,
        baseline: Match | None,
        batch_size: int,
        model: str,
    ) -> None:
        self._encoder = encoder
        self._layer = encoder.layers if layer is None else layer
        self._idf = idf
        self._baseline = baseline or Match(0.0, 0.0, 0.0)
        self._batch_size = batch_size
        self.lowest = min(-1.0, *((-1.0 - b) / (1.0 - b) for b in self._baseline))
        self.highest = 1.0
        scaled = "rescaled" if baseline else "not rescaled"
        weights = "idf" if idf else "no idf"
        self.preset = f"layer {self._layer} of {encoder.layers}, {weights}, {scaled}, {model}"

    def score(
        self,
        references: References,
        candidates: Sequence[str],
        *,
        ids: Sequence[str] | None = None,  # noqa: ARG002  (nothing is looked up)
        per_sample: bool = False,
        progress: Tick | None = None,
    ) -> list[Score]:
        """Three scores. Of several references each part takes the best one, as the bert-score package does."""
        check_pairs(references, candidates)
        given = several(references)
        weights = self._weights([text for texts in given for text in texts])
        pairs = [(i, text, candidates[i]) for i, texts in enumerate(given) for text in dict.fromkeys(texts)]
        best: list[Match] = [Match(-math.inf, -math.inf, -math.inf)] * len(candidates)

        def tick(done: int) -> None:
            if progress is not None:
                progress(done * len(candidates) // len(pairs), len(candidates))

        both = [f"{reference}\n{candidate}" for _, reference, candidate in pairs]
        for places, _ in in_batches(both, size=self._batch_size, tick=tick):
            chosen = [pairs[place] for place in places]
            wanted = self._encoder.vectors([text for _, text, _ in chosen], layer=self._layer)
            said = self._encoder.vectors([text for _, _, text in chosen], layer=self._layer)
            for (i, _, _), r, c in zip(chosen, wanted, said, strict=True):
                match = match_tokens(r, c, weights=weights)
                best[i] = Match(*(max(old, new) for old, new in zip(best[i], match, strict=True)))
        cut = self._encoder.cut(list(dict.fromkeys((*(text for _, text, _ in pairs), *candidates))))
        note = f"{cut:,} texts were cut to {self._encoder.limit} tokens" if cut else ""
        return [self._made(place, best, per_sample=per_sample, note=note) for place in range(len(_PARTS))]

    def _made(self, place: int, matches: Sequence[Match], *, per_sample: bool, note: str) -> Score:
        base = self._baseline[place]
        values_N = (np.array([match[place] for match in matches]) - base) / (1.0 - base)
        return score_of(
            self,
            f"{self.name}_{_PARTS[place]}",
            float(values_N.mean()),
            per_sample=tuple(values_N.tolist()) if per_sample else None,
            note=note,
        )

    def _weights(self, references: Sequence[str]) -> Mapping[int, float] | None:
        """Token id -> log((N + 1) / (references with it + 1)), N references; None without idf."""
        if not self._idf:
            return None
        counts = Counter(token for ids in self._encoder.token_ids(references) for token in set(ids))
        rare = math.log(len(references) + 1)
        known = {token: rare - math.log(n + 1) for token, n in counts.items()}
        return _Rare(rare, known)


class _Rare(dict[int, float]):
    """Weights of tokens; one that no reference has weighs most."""

    def __init__(self, rare: float, known: Mapping[int, float]) -> None:
        super().__init__(known)
        self._rare = rare

    def __missing__(self, token: int) -> float:
        return self._rare


def match_tokens(
    reference: TokenVectors, candidate: TokenVectors, *, weights: Mapping[int, float] | None = None
) -> Match:
    """Each token with the most similar of the other text, weighted mean: section 3 of the paper.

    All 0 when a text has no token of weight.
    """
    shares = [_shares(text, weights) for text in (candidate, reference)]
    if any(share is None for share in shares):
        return Match(0.0, 0.0, 0.0)
    similar_CR = _unit(candidate.vectors_TH) @ _unit(reference.vectors_TH).T
    precision = float(similar_CR.max(axis=1) @ shares[0])
    recall = float(similar_CR.max(axis=0) @ shares[1])
    both = precision + recall
    f1 = 2 * precision * recall / both if both > 0 else 0.0
    return Match(*(min(1.0, max(-1.0, value)) for value in (precision, recall, f1)))


def _unit(vectors_TH: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    wide = vectors_TH.astype(np.float64)
    return np.asarray(wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12))


def _shares(text: TokenVectors, weights: Mapping[int, float] | None) -> npt.NDArray[np.float64] | None:
    values = text.own.astype(np.float64)
    if weights is not None:
        values = values * np.array([weights[int(token)] for token in text.ids])
    total = values.sum()
    return values / total if total > 0 else None


def read_baseline(path: str | Path, *, layer: int) -> Match:
    """The baseline of a layer from a file of the bert-score package: columns LAYER, P, R, F.

    Raises InputError when the file has no such row or columns.
    """
    try:
        with Path(path).open(encoding="utf-8", newline="") as file:
            rows = {
                int(row["LAYER"]): Match(float(row["P"]), float(row["R"]), float(row["F"]))
                for row in csv.DictReader(file)
            }
    except FileNotFoundError:
        raise InputError(f"There is no file {path}. Next step: check the path.") from None
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} is no baseline file ({error}). Next step: give columns LAYER, P, R and F."
        ) from error
    if layer not in rows or not all(value < 1.0 for value in rows[layer]):
        raise InputError(
            f"{path} has no baseline below 1 for layer {layer}; layers there are: {sorted(rows)}."
        )
    return rows[layer]


def build(
    *,
    model: str | None = None,
    layer: int | None = None,
    idf: bool = False,
    baseline: str | None = None,
    batch_size: int = 32,
) -> BertScore:
    """The scorer; `model` is a folder that transformers can load, `layer` a hidden layer (the last without it).

    `idf` weighs tokens by how rare they are in the references, `baseline` is a file of values to rescale with.
    """
    if batch_size < 1:
        raise InputError(f"The batch size is {batch_size}; it must be at least 1.")
    encoder = load_encoder(model, scorer="bertscore")
    if layer is not None and not 0 <= layer <= encoder.layers:
        raise InputError(f"There is no layer {layer}; the model has 0 (embeddings) to {encoder.layers}.")
    chosen = encoder.layers if layer is None else layer
    rescale = None if baseline is None else read_baseline(baseline, layer=chosen)
    return BertScore(
        encoder, layer=layer, idf=idf, baseline=rescale, batch_size=batch_size, model=model_name(model)
    )
