"""Reports as sentences of words, and back: the one tokenisation of everything that learns to write reports.

Sentences are those of `text.sentences`. Words are in lower case; numbers with their decimals, and words with hyphens
or apostrophes, are one word; a name that was taken out ("XXXX", "___") is "xxxx". Marks that the rules read stand
apart: , : ( ) / & % ? and a dash between spaces. Quotes and bullets are left out, full stops are what ends a sentence.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

from hilum.core.errors import InputError
from hilum.text.normalize import QUESTION_AFTER, QUESTION_OPENS, flatten, gap_symbol, split_parts
from hilum.text.sentences import find_sentences

Sentences = tuple[tuple[str, ...], ...]

QUESTION = "?"
_DASH = "-"
_CHUNK = r"(?:\d+(?:\.\d+)*|[^\W\d_])+"
_TOKEN = re.compile(rf"{_CHUNK}(?:[-']{_CHUNK})*|--+|(?<= )-(?= )|[,:()/&?%+<>=#]")
_MASKED = re.compile(r"(?<![^\W\d_])x{2,}(?![^\W\d_])")
_NAMELESS = "xxxx"
_TIGHT_BEFORE = frozenset(",:)/%")
_TIGHT_AFTER = frozenset(("(", "/", QUESTION))


def report_sentences(text: str) -> Sentences:
    """The sentences of a report, each as its words; no sentence is empty.

    A question mark that ends a sentence is its last word, one that stands before a word ("?pneumonia") comes before it.
    """
    flat = flatten(text)
    spans = find_sentences(text)
    edges = [0, *(place for span in spans for place in span), len(flat)]
    gaps = [split_parts(flat[edges[i] : edges[i + 1]]) for i in range(0, len(edges), 2)]
    found = []
    for span, (before, after) in zip(spans, pairwise(gaps), strict=True):
        words = _words(flat[span.start : span.end])
        opened = before is gaps[0] and before[-1].lstrip().startswith(QUESTION)
        if opened or gap_symbol(before[-1]) == QUESTION_OPENS:
            words.insert(0, QUESTION)
        if gap_symbol(after[0]) == QUESTION_AFTER:
            words.append(QUESTION)
        found.append(tuple(words))
    return tuple(found)


def joined(sentences: Iterable[Sequence[str]]) -> str:
    """Sentences as text, in lower case, each with its full stop or question mark; the rules read it as the original.

    Sentences without words are left out. `report_sentences` gives the same sentences back.
    """
    return " ".join(_ended(words) for words in sentences if words)


def count_words(reports: Iterable[Sentences]) -> Counter[str]:
    """How often each word is in the reports."""
    return Counter(word for sentences in reports for words in sentences for word in words)


def frequent_words(counts: Counter[str], *, least: int = 1, most: int | None = None) -> tuple[str, ...]:
    """The words that occur at least `least` times, the most frequent first and equals in the order of their letters.

    `most`: no more than so many. Raises InputError when no word is left.
    """
    kept = sorted((w for w, n in counts.items() if n >= least), key=lambda w: (-counts[w], w))
    if not kept:
        raise InputError(
            f"No word of the reports occurs {least} times; got {len(counts)} words. Next step: check that the reports "
            "have text, or ask for fewer times."
        )
    return tuple(kept[:most])


def _words(flat: str) -> list[str]:
    found = []
    for word in _TOKEN.findall(" ".join(flat.split())):
        if word.startswith("--"):
            found.append(_DASH)
        else:
            found.append(_MASKED.sub(_NAMELESS, word) if "xx" in word else word)
    return found


def _ended(words: Sequence[str]) -> str:
    parts, before = [], ""
    for place, word in enumerate(words):
        ends = word == QUESTION and place == len(words) - 1
        tight = before in _TIGHT_AFTER or word in _TIGHT_BEFORE or ends
        parts.append(word if tight or not place else f" {word}")
        before = word
    text = "".join(parts)
    if words[-1] == QUESTION:
        return text
    stop = f"{words[-1]}. "
    return f"{text}." if flatten(stop) == stop else f"{text} ."  # "dr." would be no end
