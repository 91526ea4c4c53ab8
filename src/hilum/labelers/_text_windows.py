"""Texts that are longer than a language model reads, cut into overlapping windows of whole sentences.

Nothing of a text is left out. A window is as long as fits; the next one begins with the sentences of its last quarter.
A sentence that does not fit alone is cut too, between words where there are any. How much fits is known to the caller,
who counts tokens; here are characters.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable

from hilum.text.sentences import find_sentences

Fits = Callable[[str], bool]

LEAST_CHARACTERS = 64
"""A text of fewer is not halved any more."""

_FIRST_GUESS = 2000
_PRECISION = 16


def windows(text: str, fits: Fits) -> list[str]:
    """Windows that cover `text` in order, each of which `fits`; the text alone when it fits."""
    if not text or fits(text):
        return [text]
    edges = _edges(text)
    found: list[str] = []
    start, guess = 0, min(_FIRST_GUESS, len(text))
    while start < len(text):
        size = _longest(text, start, fits, guess)
        end = _end(text, edges, start, size, fits)
        found.append(text[start:end])
        if end >= len(text):
            break
        guess = end - start
        start = _next_start(text, edges, start, end)
    return found


def halves(text: str) -> tuple[str, str] | None:
    """Two windows of a little more than half of `text` each, which overlap; None when it is too short for that."""
    if len(text) < LEAST_CHARACTERS:
        return None
    edges = _edges(text)
    low, high = len(text) * 7 // 16, len(text) * 9 // 16
    end = edges[bisect_left(edges, high)]
    start = edges[bisect_right(edges, low) - 1]
    if end - start > len(text) * 3 // 4 or end == len(text) or start == 0:  # a sentence fills most of it
        start, end = _word_start(text, 1, low), _word_start(text, low + 1, high)
    return text[:end], text[start:]


def _edges(text: str) -> list[int]:
    """Where sentences begin, 0 first and the end of the text last."""
    inner = [span.start for span in find_sentences(text)[1:]]
    return [0, *inner, len(text)]


def _longest(text: str, start: int, fits: Fits, guess: int) -> int:
    """About the greatest number of characters from `start` on that fit, at least 1."""
    most = len(text) - start
    low, high = 0, min(max(1, guess), most)
    while fits(text[start : start + high]):
        low = high
        if high == most:
            return most
        high = min(high * 5 // 4 + 1 if start else 2 * high, most)
    while high - low > max(1, low // _PRECISION):
        middle = (low + high) // 2
        low, high = (middle, high) if fits(text[start : start + middle]) else (low, middle)
    return max(low, 1)


def _end(text: str, edges: list[int], start: int, size: int, fits: Fits) -> int:
    """The last edge within `size` of `start`; within a sentence that is longer, the last begin of a word."""
    while True:
        edge = edges[bisect_right(edges, start + size) - 1]
        end = edge if edge > start else start + size
        if edge <= start and end < len(text):
            end = _word_start(text, start + max(1, size * 3 // 4), end)
        if size <= 1 or fits(text[start:end]):  # fewer characters can be a token more
            return end
        size = max(1, min(size, end - start) * 9 // 10)


def _next_start(text: str, edges: list[int], start: int, end: int) -> int:
    """Where the window behind [start, end) begins: with the first sentence, or word, of its last quarter."""
    wanted = max(start + 1, end - (end - start) // 4)
    place = edges[bisect_left(edges, wanted)]
    if place < end:
        return place
    if end in edges:
        return end
    return _word_start(text, max(start + 1, end - (end - start) // 2), wanted, otherwise=end)


def _word_start(text: str, earliest: int, latest: int, *, otherwise: int | None = None) -> int:
    """The last begin of a word from `latest` back to `earliest`; `otherwise` (`latest`) where there is none."""
    for place in range(latest, earliest - 1, -1):
        if text[place - 1].isspace() and not text[place : place + 1].isspace():
            return place
    return latest if otherwise is None else otherwise
