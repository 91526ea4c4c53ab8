"""The reward of wording: CIDEr-D, CIDEr, ROUGE-L or BLEU of each report by itself.

For the self-critical training of report generators (Rennie et al. 2017; Liu et al. 2019, section 3.2): there the
document frequencies of CIDEr are those of the training reports, counted once (`training_frequencies`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, cast

import numpy as np

from hilum.core.errors import InputError, UnknownNameError
from hilum.core.records import Score
from hilum.metrics.overlap import (
    TOKENISERS,
    DocumentFrequencies,
    cider,
    cider_d,
    corpus_bleu,
    document_frequencies,
    rouge_l,
    tokenise,
)
from hilum.metrics.prepared import Kind, PreparedCider, prepare_cider
from hilum.scorers._base import References, Tick, check_pairs, one_each
from hilum.scorers._consensus import HIGHEST, Consensus
from hilum.scorers._overlap import PLAIN_TOKENS, Words, known_tokens
from hilum.scorers._rewards import Floats, Text, check_given, check_rows, mean_score

Tokens = Sequence[str]


class Measure(NamedTuple):
    """A measure of one report: its function of references and candidates, and the highest value."""

    function: Callable[..., Floats]
    highest: float
    counts_documents: bool = False


def _bleu(n: int) -> Callable[..., Floats]:
    def of_each(references: Sequence[Sequence[Tokens]], candidates: Sequence[Tokens]) -> Floats:
        return corpus_bleu(references, candidates, n=n).per_sample[:, n - 1]

    return of_each


MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        "cider_d": Measure(cider_d, HIGHEST, True),
        "cider": Measure(cider, HIGHEST, True),
        "rouge_l": Measure(rouge_l, 1.0),
        **{f"bleu_{n}": Measure(_bleu(n), 1.0) for n in range(1, 5)},
    }
)
"""What can be rewarded, by name. BLEU is coco-caption's of each report alone: nearly 0 without a match of n words."""


class Overlap:
    """The reward; one part, called as its measure. Candidates are texts, or lists of tokens that are not cut again."""

    name = "overlap"
    version = "1"
    higher_is_better = True
    lowest = 0.0
    clinical = False

    def __init__(
        self, measure: str, tokens: str, frequencies: DocumentFrequencies | None, words: Words | None = None
    ) -> None:
        if measure not in MEASURES:
            raise UnknownNameError("measure", measure, MEASURES)
        self._measure = MEASURES[measure]
        if frequencies is not None and not (self._measure.counts_documents and frequencies.weighs):
            raise InputError(
                f"Document frequencies were given for {measure!r}, which does not use them; leave them out."
                if not self._measure.counts_documents
                else "These document frequencies give every word the weight 0: they are of one report, or of reports "
                "that are all alike. Next step: count the training reports."
            )
        self.highest = self._measure.highest
        self.part_names: tuple[str, ...] = (measure,)
        self.preset = f"{measure}, tokens {known_tokens(tokens)}"
        if self._measure.counts_documents:
            of = "the references" if frequencies is None else f"{frequencies.documents:,} reports"
            self.preset += f", document frequencies of {of}"
        self.plain = tokens == PLAIN_TOKENS
        self.frequencies = frequencies
        self._tokens = tokens
        self._words = words

    def rewards(self, references: Sequence[Text], candidates: Sequence[Text]) -> Floats:
        """What each candidate earns, float64 [N]. NaN where CIDEr is not defined (without `frequencies` only)."""
        check_given(references, candidates)
        return self.of_tokens(
            [self.cut(text) for text in references], [self.cut(text) for text in candidates]
        )

    def parts(self, references: Sequence[Text], candidates: Sequence[Text]) -> Floats:
        """The same, float64 [N, 1]."""
        return self.rewards(references, candidates)[:, None]

    def limits(self, references: Sequence[Text]) -> tuple[Floats, Floats]:
        """The ends of the range for each reference, two float64 [N]."""
        return np.full(len(references), self.lowest), np.full(len(references), self.highest)

    def prepared(self, references: Sequence[Text]) -> PreparedOverlap:
        """The references, cut and counted once. Without `frequencies` they are their own documents."""
        check_given(references, references)
        return PreparedOverlap(self, [self.cut(text) for text in references])

    def cut(self, text: Text) -> Tokens:
        """The tokens of a text; tokens stay as they are."""
        if not isinstance(text, str):
            return text
        return TOKENISERS[self._tokens](text) if self._words is None else self._words.cut(text, self._tokens)

    def of_tokens(self, references: Sequence[Tokens], candidates: Sequence[Tokens]) -> Floats:
        """The measure of each pair of token lists, float64 [N]."""
        more = {"frequencies": self.frequencies} if self._measure.counts_documents else {}
        return self._measure.function([[tokens] for tokens in references], candidates, **more)

    def score(
        self,
        references: References,
        candidates: Sequence[str],
        *,
        ids: Sequence[str] | None = None,  # noqa: ARG002  (nothing is looked up)
        per_sample: bool = False,
        progress: Tick | None = None,
    ) -> list[Score]:
        """One score: the mean reward."""
        check_pairs(references, candidates)
        values_N = self.rewards(one_each(references, scorer=self.name), candidates)
        if progress is not None:
            progress(len(candidates), len(candidates))
        return [mean_score(self, self.name, values_N, per_sample=per_sample, note=Consensus.undefined)]


class PreparedOverlap:
    """References by row. For CIDEr their n-grams are counted once; a batch costs its candidates alone."""

    def __init__(self, reward: Overlap, references: Sequence[Tokens]) -> None:
        self._reward = reward
        self._references = references
        self._cider: PreparedCider | None = None
        if reward.part_names[0] in ("cider_d", "cider"):
            self._cider = prepare_cider(references, frequencies=reward.frequencies)

    def __len__(self) -> int:
        return len(self._references)

    def rewards(self, rows: Sequence[int], candidates: Sequence[Text]) -> Floats:
        """What each candidate earns against the reference of its row, float64 [N].

        Raises InputError for a row that is not there, and when the numbers differ.
        """
        cut = [self._reward.cut(text) for text in candidates]
        if self._cider is not None:
            return self._cider.scores(rows, cut, kind=cast("Kind", self._reward.part_names[0]))
        check_rows(rows, candidates, len(self))
        return self._reward.of_tokens([self._references[row] for row in rows], cut)

    def parts(self, rows: Sequence[int], candidates: Sequence[Text]) -> Floats:
        """The same, float64 [N, 1]."""
        return self.rewards(rows, candidates)[:, None]


def training_frequencies(reports: Sequence[str], *, tokens: str = PLAIN_TOKENS) -> DocumentFrequencies:
    """Document frequencies of training reports, for `build(frequencies=...)` with the same `tokens`."""
    return document_frequencies([[cut] for cut in tokenise(reports, known_tokens(tokens))])


def build(
    *,
    measure: str = "cider_d",
    tokens: str = PLAIN_TOKENS,
    frequencies: DocumentFrequencies | None = None,
    words: Words | None = None,
) -> Overlap:
    """The reward; `measure` is a name of `MEASURES`, `tokens` one of `metrics.overlap.TOKENISERS`.

    `frequencies` are the document frequencies for CIDEr: those of the training reports (`training_frequencies`).
    Without them those of the references of each call count, so that a value depends on the batch.
    """
    return Overlap(measure, tokens, frequencies, words)
