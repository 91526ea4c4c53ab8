"""Texts to learn as numbers of words: the vocabulary, batches as small as they can be, and what is not known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError
from hilum.models.generator_spec import PAD, GeneratorSpec, with_specials
from hilum.text.report_words import Sentences, count_words, frequent_words


class Numbered(NamedTuple):
    """Texts as places of words, int32 [N, S, W] (see `GeneratorSpec.encode`), and a note on what was lost."""

    words_NSW: npt.NDArray[np.int32]
    unknown_share: float
    note: str

    def take(self, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.int64]:
        """The texts of these rows, int64 [B, S, W], as small as they can be."""
        words_BSW = self.words_NSW[rows]
        used = words_BSW != PAD
        sentences = int(used.any(axis=(0, 2)).sum())
        longest = int(used.any(axis=(0, 1)).sum())
        return words_BSW[:, : max(sentences, 1), : max(longest, 1)].astype(np.int64)


def numbered(texts: Sequence[Sentences], spec: GeneratorSpec, *, what: str) -> Numbered:
    """Texts as places of the words of `spec`, with a note on unknown words and on what was cut."""
    found = spec.encode(texts)
    share = found.unknown / max(found.words, 1)
    note = f"{what}: {found.unknown:,} of {found.words:,} words ({share:.2%}) are not in the vocabulary"
    if found.cut_sentences + found.cut_words:
        note += (
            f"; {found.cut_sentences:,} sentences and {found.cut_words:,} words were too much and were cut"
        )
    return Numbered(found.words_BSW.astype(np.int32), share, note)


def vocabulary_of(texts: Sequence[Sentences], *, least_count: int) -> tuple[str, ...]:
    """SPECIALS, and the words that occur at least so often. Raises InputError when there is none."""
    return with_specials(frequent_words(count_words(texts), least=least_count))


def check_known_words(found: Numbered, *, most: float, where: Path) -> None:
    """Raises InputError when more than this share of the words is not in the vocabulary of a generator."""
    if found.unknown_share > most:
        raise InputError(
            f"The vocabulary of {where} does not fit these reports: {found.note}, and at most {most:.0%} may be "
            "unknown. Next step: train a generator on such reports with --stage likelihood, or allow more with "
            "--most-unknown."
        )
