"""Sentences of a report, as the rules read them.

A sentence ends at a full stop, "!", "?" or ";" (not within a number, not after "Dr." or "vs."), at a blank line,
before a bullet, and before a line that starts like a sentence; a mere line wrap does not end it.
"""

from __future__ import annotations

from itertools import accumulate

from hilum.core.records import Span
from hilum.text.normalize import QUESTION_AFTER, QUESTION_OPENS, SENTENCE_END, SymbolTable, flatten

_ENDS = (SENTENCE_END, QUESTION_AFTER, QUESTION_OPENS)


def find_sentences(text: str) -> list[Span]:
    """Spans of the sentences in `text`, in order, without the white space and marks around them.

    The number of a numbered list ("1.") is no sentence.
    """
    parts, symbols = SymbolTable((), {}).encode(flatten(text))
    starts = list(accumulate(map(len, parts), initial=0))
    spans: list[Span] = []
    words: list[int] = []
    for place, symbol in enumerate(f"{symbols}{SENTENCE_END}"):
        if symbol in _ENDS:
            while words and parts[words[-1]][0].isdigit() and "\n" in parts[words[-1] - 1]:
                words.pop()  # the number of the next item of a list
            if any(not parts[w][0].isdigit() for w in words):
                spans.append(Span(starts[words[0]], starts[words[-1] + 1]))
            words = []
        elif place % 2:
            words.append(place)
    return spans
