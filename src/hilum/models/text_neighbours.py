"""Reports with similar words: TF-IDF and cosine similarity, by scikit-learn (the extra `study`)."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

import numpy as np

from hilum.core.errors import InputError, MissingExtraError
from hilum.models.retrieval import Nearest, Neighbour

_BLOCK = 256
_DIGITS = 6

Progress = Callable[[int, int], object]


class Shot(NamedTuple):
    """A report of a datastore: an id, its text, and marks "KIND VALUE" of what it must not be found by."""

    id: str
    text: str
    marks: tuple[str, ...] = ()


def text_mark(text: str) -> str:
    """The mark of a text: equal for texts of equal words in equal order, whatever their case and spaces."""
    folded = " ".join(text.split()).casefold()
    return f"text {hashlib.sha256(folded.encode('utf-8', 'surrogatepass')).hexdigest()}"


def few_shot_neighbours(
    texts: Sequence[str],
    datastore: Sequence[Shot],
    k: int,
    *,
    marks: Sequence[Collection[str]] = (),
    progress: Progress | None = None,
) -> list[Nearest]:
    """The `k` reports of the datastore with the most similar words, for each text; fewer only where there are no more.

    `Neighbour.place` is the place in the datastore. Word and word-pair TF-IDF is fitted on the datastore alone. A
    report is passed over, and counted by kind, when it shares a mark with the text (`marks` of each text: its study,
    its patient) and always when it is the same text. Equal similarities are ordered by place. An id is found once.

    Raises InputError for an empty datastore, one without any word, `k` below 1 or above its ids, and marks that do
    not fit; MissingExtraError without scikit-learn.
    """
    _check(texts, datastore, k, marks)
    vectorizer, stored_ND = _fit([shot.text for shot in datastore])
    own = [frozenset((text_mark(shot.text), *shot.marks)) for shot in datastore]
    found: list[Nearest] = []
    for start in range(0, len(texts), _BLOCK):
        block = texts[start : start + _BLOCK]
        scores_BN = (vectorizer.transform(block) @ stored_ND.T).toarray().round(_DIGITS)
        for row, text in enumerate(block):
            barred = frozenset((text_mark(text), *(marks[start + row] if marks else ())))
            found.append(_nearest(scores_BN[row], datastore, own, barred, k))
        if progress is not None:
            progress(len(found), len(texts))
    return found


def _fit(texts: Sequence[str]) -> tuple[Any, Any]:
    """The vectoriser and the rows of unit length, sparse [N, D]."""
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415  (the extra study)
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "study") from error
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, dtype=np.float64)
    try:
        return vectorizer, vectorizer.fit_transform(texts)
    except ValueError as error:
        raise InputError(
            f"No text of the datastore has a word ({len(texts)} texts). Next step: a datastore with reports."
        ) from error


def _nearest(
    scores_N: Any, datastore: Sequence[Shot], own: Sequence[frozenset[str]], barred: frozenset[str], k: int
) -> Nearest:
    neighbours: dict[str, Neighbour] = {}
    passed_over: dict[str, set[str]] = {}
    for place in np.argsort(-scores_N, kind="stable").tolist():
        shared = barred & own[place]
        one = datastore[place].id
        if shared:
            passed_over.setdefault(one, set()).update(mark.split(" ", 1)[0] for mark in shared)
        elif one not in neighbours:
            neighbours[one] = Neighbour(one, place, float(scores_N[place]))
            if len(neighbours) == k:
                break
    return Nearest(
        tuple(neighbours.values()), Counter(kind for kinds in passed_over.values() for kind in sorted(kinds))
    )


def _check(texts: Sequence[str], datastore: Sequence[Shot], k: int, marks: Sequence[Collection[str]]) -> None:
    ids = len({shot.id for shot in datastore})
    if not 1 <= k <= ids:
        raise InputError(
            f"{k} neighbours were asked for, and the datastore has {ids:,}. Next step: a k from 1 to that, or a larger "
            "datastore."
        )
    if marks and len(marks) != len(texts):
        raise InputError(f"There are {len(marks)} sets of marks for {len(texts)} texts.")
