"""Other ways to say a report, for training: sentences in another order, synonyms, other removed-word marks.

Augmentation by paraphrase is CheXbert's (Smit et al. 2020, section 3.4: back-translation); the offline kinds need no
model. A paraphrase is kept only when the rule labeler gives it the labels of the original.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from hilum.core.errors import InputError, UnknownNameError
from hilum.core.records import Evidence, Span
from hilum.core.rng import rng_for
from hilum.labelers import ReportSpans
from hilum.labelers.rules import RuleLabeler, build
from hilum.text.normalize import GAP
from hilum.text.scope import Kind
from hilum.text.sections import find_sections
from hilum.text.sentences import find_sentences

KINDS = ("order", "synonyms", "tokens")
"""The offline kinds: sentence order within a section, synonyms of the lexicon, marks of removed words."""

MARKS = ("XXXX", "___", "[** **]")
"""What stands for a removed word in Open-I, in MIMIC-CXR, and in the MIMIC notes before it."""

_MARK = re.compile(r"\[\*\*.{0,200}?\*\*\]|_{2,}|\b[Xx]{2,}\b", re.DOTALL)
_LEANS = re.compile(
    r"(?:this|these|those|it|they|which|and|but|or|the same|otherwise|however)\b", re.IGNORECASE
)
_MANY = 40  # an entry with more phrases than this lists different things; then synonyms share a word
_SWAPPED = 0.5  # share of mentions that get another phrase


class Paraphraser(Protocol):
    """Makes paraphrases of texts."""

    def paraphrase(self, texts: Sequence[str], *, seed: int) -> list[list[str]]:
        """Paraphrases of each text, in order, none equal to it; the same for the same text and seed."""
        ...


@dataclass(frozen=True)
class Paraphrases:
    """Paraphrases of each text, and how many were kept, equal to the original or each other, or dropped.

    `counts`: "kept", "same text", "other labels".
    """

    texts: tuple[tuple[str, ...], ...]
    counts: Mapping[str, int]


@dataclass(frozen=True)
class OfflineParaphraser:
    """Paraphrases without a model. `kinds` are those that are used, `copies` the most that one text gets.

    `vocabulary` and `convention` are those of the labels that must not change.
    """

    kinds: tuple[str, ...] = KINDS
    copies: int = 1
    vocabulary: str = "chexpert14"
    convention: str = "house"
    _labeler: RuleLabeler = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for kind in self.kinds:
            if kind not in KINDS:
                raise UnknownNameError("kind of paraphrase", kind, KINDS)
        if not self.kinds or self.copies < 1:
            raise InputError(
                f"{len(self.kinds)} kinds of paraphrase and {self.copies} copies were asked for; at least one of each "
                f"is needed. Kinds: {', '.join(KINDS)}."
            )
        labeler = build(vocabulary=self.vocabulary, convention=self.convention)
        object.__setattr__(self, "_labeler", labeler)

    def paraphrase(self, texts: Sequence[str], *, seed: int) -> list[list[str]]:
        """See `Paraphraser`."""
        return [list(one) for one in self.counted(texts, seed=seed).texts]

    def counted(self, texts: Sequence[str], *, seed: int) -> Paraphrases:
        """The paraphrases with what became of all that were made."""
        made = [[self._one(text, seed, copy) for copy in range(self.copies)] for text in texts]
        return keep_labels(texts, made, self._labeler)

    def _one(self, text: str, seed: int, copy: int) -> str:
        rng = rng_for(seed, "paraphrase", text, copy)
        if "synonyms" in self.kinds:
            text = self._with_synonyms(text, rng)
        if "order" in self.kinds:
            text = reordered(text, rng)
        if "tokens" in self.kinds:
            text = with_marks(text, MARKS[int(rng.integers(len(MARKS)))])
        return text

    def _with_synonyms(self, text: str, rng: Any) -> str:
        [labels] = self._labeler.label_batch([ReportSpans(text)])
        changes: list[tuple[Span, str]] = []
        end = 0
        for e in sorted(set(labels.evidence), key=lambda e: (e.start, -e.end)):
            if e.finding and e.start >= end and (phrases := self._others(e, text[e.start : e.end])):
                if rng.random() < _SWAPPED:
                    phrase = phrases[int(rng.integers(len(phrases)))]
                    changes.append((Span(e.start, e.end), _dressed(phrase, text[e.start : e.end])))
                end = e.end
        return _replaced(text, changes)

    def _others(self, mention: Evidence, said: str) -> list[str]:
        """Phrases that may stand where a mention stands."""
        words = set(said.lower().split())
        if not words or not said.replace(" ", "").isalpha():
            return []
        phrases = self._phrases.get(mention.entry, [])
        if len(phrases) > _MANY:
            phrases = [p for p in phrases if words & set(p.split())]
        return [p for p in phrases if p != said.lower()]

    @cached_property
    def _phrases(self) -> dict[str, list[str]]:
        """Entry -> its plain phrases, of entries that name a finding by words of their own."""
        lexicon = self._labeler.lexicon
        words: dict[str, str] = {}
        for part, symbol in lexicon.symbols.items():
            if part.isalpha():
                words.setdefault(symbol, part)
        found: dict[str, list[str]] = {}
        for symbols, rule in lexicon.rules.items():
            parts = [words.get(s, "") for s in symbols[::2]]
            if rule.kind is Kind.MENTION and rule.targets and all(parts) and set(symbols[1::2]) <= {GAP}:
                found.setdefault(rule.id, []).append(" ".join(parts))
        return {entry: sorted(phrases) for entry, phrases in found.items()}


def keep_labels(texts: Sequence[str], made: Sequence[Sequence[str]], labeler: RuleLabeler) -> Paraphrases:
    """The paraphrases that are new and have the labels of their originals, and counts of the rest."""
    flat = [ReportSpans(text) for text in texts]
    wanted = [labels.states for labels in labeler.label_batch(flat)]
    counts: Counter[str] = Counter({"kept": 0, "same text": 0, "other labels": 0})
    kept: list[tuple[str, ...]] = []
    for text, candidates, states in zip(texts, made, wanted, strict=True):
        seen = {" ".join(text.split())}
        own: list[str] = []
        for candidate in candidates:
            key = " ".join(candidate.split())
            [labels] = labeler.label_batch([ReportSpans(candidate)])
            what = "same text" if key in seen else "other labels" if labels.states != states else "kept"
            counts[what] += 1
            if what == "kept":
                seen.add(key)
                own.append(candidate)
        kept.append(tuple(own))
    return Paraphrases(tuple(kept), dict(counts))


def reordered(text: str, rng: Any) -> str:
    """`text` with the sentences of each section in another order; numbers of lists stay where they are.

    A sentence that leans on the one before it ("This may be ...") goes with it.
    """
    changes: list[tuple[Span, str]] = []
    for section in find_sections(text):
        spans = _units(text, section.start, section.end)
        order = rng.permutation(len(spans)).tolist()
        changes += [(spans[i], text[spans[k].start : spans[k].end]) for i, k in enumerate(order)]
    return _replaced(text, changes)


def section_sentences(text: str, start: int = 0, end: int | None = None) -> list[Span]:
    """Spans of the sentences in the sections of `text` (or in `[start, end)`), without headings."""
    if end is None:
        return [span for s in find_sections(text) for span in section_sentences(text, s.start, s.end)]
    return [Span(start + one.start, start + one.end) for one in find_sentences(text[start:end])]


def _units(text: str, start: int, end: int) -> list[Span]:
    units: list[Span] = []
    for span in section_sentences(text, start, end):
        if units and _LEANS.match(text, span.start):
            units[-1] = Span(units[-1].start, span.end)
        else:
            units.append(span)
    return units


def with_marks(text: str, mark: str) -> str:
    """`text` with `mark` for every removed word (`XXXX`, `___`, `[** **]`)."""
    return _MARK.sub(lambda _: mark, text)


def _dressed(phrase: str, said: str) -> str:
    """`phrase` in the case and number of what it replaces."""
    last = said.rsplit(maxsplit=1)[-1].lower()
    if last.endswith("s") and not last.endswith(("ss", "sis", "is")) and not phrase.endswith("s"):
        phrase = phrase[:-1] + "ies" if phrase.endswith("y") else phrase + "s"
    if said.isupper():
        return phrase.upper()
    return phrase[0].upper() + phrase[1:] if said[0].isupper() else phrase


def _replaced(text: str, changes: Sequence[tuple[Span, str]]) -> str:
    for span, new in sorted(changes, key=lambda change: change[0].start, reverse=True):
        text = text[: span.start] + new + text[span.end :]
    return text


@dataclass(frozen=True)
class Several:
    """All paraphrases of several paraphrasers, in their order, each text once."""

    paraphrasers: tuple[Paraphraser, ...]

    def paraphrase(self, texts: Sequence[str], *, seed: int) -> list[list[str]]:
        """See `Paraphraser`."""
        found = [p.paraphrase(texts, seed=seed) for p in self.paraphrasers]
        return [list(dict.fromkeys(text for one in row for text in one)) for row in zip(*found, strict=True)]


def get_paraphraser(told: str, *, vocabulary: str = "chexpert14", device: str = "cpu") -> Paraphraser:
    """The paraphraser that a text asks for: parts joined by "+".

    Parts: "offline" (all of `KINDS`), "order", "synonyms", "tokens", and "marian:THERE:BACK" with two folders of
    MarianMT models. Raises InputError for a part that is none of these or a folder that cannot be read.
    """
    kinds: list[str] = []
    found: list[Paraphraser] = []
    for part in filter(None, (p.strip() for p in told.split("+"))):
        name, *folders = part.split(":")
        if part == "offline":
            kinds += [k for k in KINDS if k not in kinds]
        elif part in KINDS:
            kinds.append(part)
        elif name == "marian" and len(folders) == 2:
            from hilum.train._backtranslation import BackTranslator  # noqa: PLC0415  (an extra)

            there, back = map(Path, folders)
            found.append(BackTranslator(there, back, vocabulary=vocabulary, device=device))
        else:
            raise InputError(
                f"{part!r} is no paraphrase. Known: offline, {', '.join(KINDS)}, marian:THERE:BACK (two folders of "
                "MarianMT models); several are joined by +."
            )
    if kinds:
        found.insert(0, OfflineParaphraser(tuple(dict.fromkeys(kinds)), vocabulary=vocabulary))
    if not found:
        raise InputError(
            f"No kind of paraphrase was given. Known: offline, {', '.join(KINDS)}, marian:THERE:BACK."
        )
    return found[0] if len(found) == 1 else Several(tuple(found))
