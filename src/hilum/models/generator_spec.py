"""What a report generator writes with and sees: its words, its sizes, the frame of its images. No torch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError
from hilum.core.vocabulary import SHIPPED
from hilum.models._spec_checks import check_findings, check_vocabulary, is_a, is_whole, number, parsed
from hilum.models.classifier_spec import DENSENET121, ClassifierSpec
from hilum.text.report_words import Sentences

FORMAT, FORMAT_VERSION = "hilum report generator", 1
"""The first two fields of hilum_generator.json; a reader refuses other versions."""

PAD, END, UNKNOWN = 0, 1, 2
SPECIALS = ("<pad>", "<end>", "<unknown>")
"""The first words of every vocabulary: nothing, the end of a sentence, any word that is not in the vocabulary."""

CNN_RNN_RNN, TIENET, NOISE_RNN = "cnn-rnn-rnn", "tienet", "noise-rnn"
KINDS: Mapping[str, str] = MappingProxyType(
    {
        CNN_RNN_RNN: "topics of sentences from the image, then words by topic (Liu et al. 2019, section 3.1)",
        TIENET: "one long text with attention, and a loss on findings (after Wang et al. 2018)",
        NOISE_RNN: "a language model that begins with noise and sees no image",
    }
)
"""The generators that one spec and one folder may have."""

_WHOLE = {
    "width": 4096,
    "hidden": 4096,
    "attention": 4096,
    "hops": 64,
    "most_sentences": 256,
    "most_words": 1024,
}
Ids = npt.NDArray[np.int64]


class Encoded(NamedTuple):
    """Reports as numbers of words, and what of them the numbers do not say.

    `words_BSW` is int64, each sentence with END after its last word and PAD after that; a sentence that was cut has no
    END. `unknown`: words that are not in the vocabulary; `cut_sentences`, `cut_words`: what was too much.
    """

    words_BSW: Ids
    words: int
    unknown: int
    cut_sentences: int
    cut_words: int


@dataclass(frozen=True)
class GeneratorSpec:
    """The words of a report generator in order, its sizes, and how images go in.

    `words`: the vocabulary, SPECIALS first. `width` is d, of words and places of the image; `hidden` of the LSTMs;
    `attention` of the layer that compares a place with a word; `hops` the readings of a text by a TieNet. A report has
    up to `most_sentences`, a sentence up to `most_words` with its end. `findings`: the classes of a TieNet, names of
    `vocabulary`. `dropout` is that before the words, while training. The image: as in `ClassifierSpec`; a noise-rnn
    uses none of it. Sizes are ours: those of the paper stand in an appendix that is not part of its text here.
    Raises InputError for a spec that contradicts itself.
    """

    words: tuple[str, ...]
    kind: str = CNN_RNN_RNN
    width: int = 256
    hidden: int = 512
    attention: int = 128
    hops: int = 4
    dropout: float = 0.0
    most_sentences: int = 12
    most_words: int = 32
    findings: tuple[str, ...] = ()
    vocabulary: str = "chexpert14"
    size_px: int = 256
    fit: str = "pad"
    normalisation: str = "imagenet"
    channels: int = 3
    architecture: Mapping[str, Any] = field(default_factory=lambda: DENSENET121)

    def __post_init__(self) -> None:
        _check(self)
        object.__setattr__(self, "architecture", self.image.architecture)

    @property
    def image(self) -> ClassifierSpec:
        """How images go in, for `classifier_spec.prepare` and everything else that reads images for a classifier."""
        return ClassifierSpec(
            self.findings or SHIPPED[self.vocabulary].names,
            vocabulary=self.vocabulary,
            size_px=self.size_px,
            fit=self.fit,
            normalisation=self.normalisation,
            channels=self.channels,
            architecture=self.architecture,
        )

    @property
    def sees(self) -> bool:
        """Whether it looks at images at all."""
        return self.kind != NOISE_RNN

    def encode(self, reports: Sequence[Sentences]) -> Encoded:
        """Reports (of `text.report_words.report_sentences`) as numbers of words; sizes are those of the largest.

        What is too long is cut and counted: sentences after `most_sentences`, words after `most_words`. A report
        without sentences is a row of PAD.
        """
        ids = {word: place for place, word in enumerate(self.words)}
        kept = [report[: self.most_sentences] for report in reports]
        rows = [[[*(ids.get(w, UNKNOWN) for w in words), END] for words in report] for report in kept]
        size = max((len(words) for row in rows for words in row), default=1)
        shape = (len(rows), max((len(row) for row in rows), default=1) or 1, min(size, self.most_words))
        words_BSW = np.zeros(shape, dtype=np.int64)
        for found_SW, row in zip(words_BSW, rows, strict=True):
            for found_W, words in zip(found_SW, row, strict=False):
                found_W[: len(words)] = words[: self.most_words]
        said = [len(words) for row in rows for words in row]
        return Encoded(
            words_BSW,
            words=sum(len(words) for report in reports for words in report),
            unknown=int((words_BSW == UNKNOWN).sum()),
            cut_sentences=sum(max(0, len(report) - self.most_sentences) for report in reports),
            cut_words=sum(max(0, size - 1 - self.most_words) for size in said),
        )

    def decode(self, words_BSW: npt.ArrayLike) -> list[Sentences]:
        """The sentences that the numbers stand for; sentences without words are left out.

        Raises InputError for numbers that are not in the vocabulary: it is that of another generator.
        """
        given = np.asarray(words_BSW)
        if given.ndim != 3 or not np.issubdtype(given.dtype, np.integer):
            raise InputError(f"Words must be whole numbers [B, S, W]; got {given.dtype} {list(given.shape)}.")
        self.check_ids(given)
        found = []
        for report in given.tolist():
            said = (tuple(self.words[i] for i in ids[: _length(ids)]) for ids in report)
            found.append(tuple(words for words in said if words))
        return found

    def check_ids(self, words: Ids) -> None:
        """Raises InputError when a number is no word of this vocabulary."""
        if words.size and not 0 <= int(words.min()) <= int(words.max()) < len(self.words):
            raise InputError(
                f"Words are numbered from {words.min()} to {words.max()}, and the vocabulary has {len(self.words)}. "
                "Next step: number the reports with the vocabulary of this generator."
            )

    def check_words(self, words: Sequence[str], *, where: str = "the data") -> None:
        """Raises InputError when `words`, the vocabulary of data or of another model, is not this one."""
        theirs = tuple(words)
        if theirs == self.words:
            return
        place = next((i for i, (a, b) in enumerate(zip(theirs, self.words, strict=False)) if a != b), None)
        differs = (
            f"{len(theirs)} words, not {len(self.words)}"
            if place is None
            else f"word {place} is {theirs[place]!r}, not {self.words[place]!r}"
        )
        raise InputError(
            f"The vocabulary of {where} does not fit the generator: {differs}. Next step: number the reports with the "
            "vocabulary in the generator's hilum_generator.json, or train anew."
        )

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values; `from_json` gives the same spec back."""
        return dict(
            json.loads(json.dumps({f.name: getattr(self, f.name) for f in fields(self)}, default=dict))
        )

    @classmethod
    def from_json(cls, values: Mapping[str, Any] | str, *, where: str = "the spec") -> GeneratorSpec:
        """The spec that `to_json` gave, as a mapping or as JSON text.

        Raises InputError, with `where` and the field, for a field that is missing, unknown or of a wrong form.
        """
        try:
            known = [f.name for f in fields(cls)]
            return cls(**_arguments(parsed(values, where, required=known, optional=(), called="it")))
        except TypeError as error:
            raise InputError(f"{where} has a field of a wrong form: {str(error)[:160]}.") from error
        except InputError as error:
            raise InputError(f"{where}: {error}") from error


def with_specials(words: Sequence[str]) -> tuple[str, ...]:
    """A vocabulary of these words, SPECIALS before them."""
    return (*SPECIALS, *words)


def _length(ids: Sequence[int]) -> int:
    """Words before the first END or PAD."""
    return next((i for i, word in enumerate(ids) if word in (PAD, END)), len(ids))


# --- checks ---


def _check(spec: GeneratorSpec) -> None:
    if spec.kind not in KINDS:
        raise InputError(f"There is no kind of generator {spec.kind!r}. Known: {', '.join(KINDS)}.")
    _check_words(spec.words)
    for name, most in _WHOLE.items():
        value = getattr(spec, name)
        if not is_whole(value) or not 1 <= value <= most:
            raise InputError(f"{name} is {value!r}; allowed: whole numbers from 1 to {most}.")
    if not 0 <= spec.dropout < 1:
        raise InputError(f"dropout is {spec.dropout!r}; allowed: from 0 to below 1.")
    check_vocabulary(spec.vocabulary)
    if (spec.kind == TIENET) != bool(spec.findings):
        raise InputError(
            f"A {TIENET} needs findings, and no other kind has them; got {spec.kind} with {len(spec.findings)}."
        )
    if spec.findings:
        check_findings("findings", spec.findings, SHIPPED[spec.vocabulary].names)
    if isinstance(spec.architecture, str):
        raise InputError(f"A generator's image encoder is a DenseNet of hilum; got {spec.architecture!r}.")


def _check_words(words: tuple[str, ...]) -> None:
    first = tuple(words[: len(SPECIALS)])
    if first != SPECIALS:
        raise InputError(
            f"A vocabulary begins with {', '.join(SPECIALS)}; got {', '.join(map(str, first)) or 'none'}."
        )
    if len(words) == len(SPECIALS):
        raise InputError("The vocabulary has no words. Next step: take those of the training reports.")
    seen: set[str] = set()
    for word in words:
        if not isinstance(word, str) or not word or word.split() != [word] or word in seen:
            why = "twice" if word in seen else "empty or with white space"
            raise InputError(f"The vocabulary has {str(word)[:60]!r} {why}; words are texts, each once.")
        seen.add(word)


def _arguments(values: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(values)
    for name in ("words", "findings"):
        found[name] = tuple(is_a(v, str, name) for v in is_a(found[name], list, name))
    for name in ("kind", "vocabulary", "fit", "normalisation"):
        is_a(found[name], str, name)
    found["dropout"] = number(found["dropout"], "dropout")
    is_a(found["architecture"], dict, "architecture")
    return found
