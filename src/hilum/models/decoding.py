"""How a report is taken from a generator: the most probable words, drawn words, or a search. No torch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from hilum.core.errors import InputError
from hilum.models._spec_checks import is_whole

GREEDY, SAMPLE, BEAM = "greedy", "sample", "beam"
WAYS: Mapping[str, str] = MappingProxyType(
    {
        GREEDY: "the most probable word each time; a report ends where the stop signal is above one half",
        SAMPLE: "words and stop signals are drawn by their probabilities",
        BEAM: "the most probable sentence that a search over several finds; reports end as in greedy",
    }
)


@dataclass(frozen=True)
class Decoding:
    """How words and stops are taken.

    `way`: a name of WAYS. `beams`: how many sentences a beam search follows. `temperature` divides the logits of
    words, not of stops, where they are drawn. `no_repeat_sentences`: no sentence of a report is one that stands before
    it, since the word that would complete it is forbidden; `no_repeat_ngram`: so many words never follow each other
    twice in one sentence (0: they may). `unknown`: whether the unknown word may be said. `most_sentences` and
    `most_words` (with the end of the sentence): None for those of the generator. Raises InputError for other values.
    """

    way: str = GREEDY
    beams: int = 3
    temperature: float = 1.0
    no_repeat_sentences: bool = False
    no_repeat_ngram: int = 0
    unknown: bool = False
    most_sentences: int | None = None
    most_words: int | None = None

    def __post_init__(self) -> None:
        if self.way not in WAYS:
            raise InputError(f"There is no way of decoding {self.way!r}. Known: {', '.join(WAYS)}.")
        for name, least in (("beams", 1), ("no_repeat_ngram", 0), ("most_sentences", 1), ("most_words", 1)):
            value = getattr(self, name)
            if value is None and name.startswith("most"):
                continue
            if not is_whole(value) or value < least:
                raise InputError(f"{name} is {value!r}; allowed: whole numbers from {least}.")
        if not (math.isfinite(self.temperature) and self.temperature >= 0.01):
            raise InputError(f"temperature is {self.temperature!r}; allowed: numbers from 0.01.")

    @property
    def forbids(self) -> bool:
        """Whether words are forbidden by what was said before them."""
        return self.no_repeat_sentences or self.no_repeat_ngram > 0

    @property
    def heat(self) -> float:
        """What logits of words are divided by: the temperature where words are drawn, else 1."""
        return self.temperature if self.way == SAMPLE else 1.0


def remove_repeats(sentences: Iterable[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """The sentences without those that stand before already; order stays.

    The step of the paper after decoding (Liu et al. 2019, section 6.1, "an ugly necessity");
    `Decoding.no_repeat_sentences` makes it needless.
    """
    return tuple(dict.fromkeys(tuple(words) for words in sentences))
