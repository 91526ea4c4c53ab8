"""Text to parts and symbols, character for character, so that every offset stays one of the ORIGINAL text.

A report is lower-cased, typographic characters become their plain twins (one for one), and de-identification
tokens (`XXXX`, `___`, `[**...**]`) become runs of `x` of the same length. It is then split into parts: words at
odd places, what stands between them at even places. Each part is one symbol (one character), so that a phrase
of three words is a string of five symbols, and phrases can be searched by the regular-expression engine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

SENTENCE_END, COMMA, COLON, SLASH, AMPERSAND, QUESTION_BEFORE, QUESTION_AFTER, GAP = (
    ".",
    ",",
    ":",
    "/",
    "&",
    "\u00bf",
    "?",
    " ",
)
QUESTION_OPENS = "\u00a1"  # a sentence ends and a question mark opens the next
UNKNOWN_WORD, NUMBER, DEIDENTIFIED = "\ue000", "\ue001", "\ue002"
_FIRST_SYMBOL = 0xE010
_ABBREVIATED = ("vs.", "dr.", "drs.", "mr.", "mrs.", "approx.", "incl.", "resp.")
_CACHE_LIMIT = 50_000

_PLAIN = {ord(a): b for a, b in zip("\u2018\u2019\u201a\u201b\u00b4`", "''''''", strict=True)}
_PLAIN |= {ord(a): '"' for a in "\u201c\u201d\u201e\u201f\u00ab\u00bb"}
_PLAIN |= {ord(a): "-" for a in "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u00ad"}
_PLAIN |= {
    ord(a): " " for a in "\u00a0\u2007\u202f\u2009\u200a\u2003\u2002\u3000\ufeff\u200b\u200e\u200f\x00"
}
_PLAIN |= {ord(a): b for a, b in zip("\u2022\u25cf\u25aa\u2023\u00b7", "*****", strict=True)}
_PLAIN |= {
    ord("\u2026"): ".",
    ord("\uff1a"): ":",
    ord("\uff0c"): ",",
    ord("\u3002"): ".",
    ord("\u2028"): "\n",
}
_PLAIN |= {ord(a): b for a, b in zip("\u00e6\u0153\u00e9\u00e8\u00ef\u00f6\u00fc", "eeeeiou", strict=True)}

split_parts = re.compile(r"([^\W\d_]+|\d+(?:\.\d+)*)").split
_MASK = re.compile(r"\[\*\*.{0,200}?\*\*\]|_{2,}", re.DOTALL)
_DEIDENTIFIED_WORD = re.compile(r"x{2,}\Z")
_BULLET = re.compile(r"\n[ \t]*[-*>#][ \t]*\Z|\n[ \t]*\n")
_QUESTION_NEXT = re.compile(r"[.!;][^?]*\s\?\s*\Z")
_ABBREVIATION = re.compile(r"\b(?:vs|dr|drs|mr|mrs|approx|incl|resp)\.(?=[ \n])")
_NEW_SENTENCE = re.compile(
    r"\n(?=[ \t]*[A-Z][a-z])"
)  # a line that starts like a sentence; "\f" ends the one before


def flatten(text: str) -> str:
    """`text` in lower case with plain punctuation and masked tokens; exactly as long as `text`."""
    if "\r" in text:
        text = text.replace("\r\n", " \n").replace("\r", "\n")
    low = (_NEW_SENTENCE.sub("\f", text) if "\n" in text else text).lower()
    if not low.isascii():
        if len(low) != len(text):  # a few letters grow in lower case (Turkish dotted I)
            low = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
        low = low.translate(_PLAIN)
    if any(short in low for short in _ABBREVIATED):
        low = _ABBREVIATION.sub(lambda m: m.group()[:-1] + " ", low)
    if "_" in low or "[*" in low:
        low = _MASK.sub(lambda m: "x" * len(m.group()), low)
    return low


def gap_symbol(gap: str) -> str:
    """The symbol of what stands between two words: the strongest mark in it."""
    if _QUESTION_NEXT.search(gap):
        return QUESTION_OPENS
    if "?" in gap:
        return QUESTION_BEFORE if gap[0] in " (\n" and gap[-1] == "?" else QUESTION_AFTER
    if any(mark in gap for mark in ".!;\f") or ("\n" in gap and _BULLET.search(gap)):
        return SENTENCE_END
    if ":" in gap:
        return COLON
    if "," in gap or "(" in gap or ")" in gap or " - " in gap or "--" in gap:
        return COMMA
    mark = gap.strip()
    return mark if mark in (SLASH, AMPERSAND) else GAP


class SymbolTable(dict[str, str]):
    """Part -> symbol. Words of the lexicon have a symbol each; all others share one by kind.

    Built from the spellings that belong together: `{"opacity": ["opacities", ...], ...}`. Parts met later are
    remembered up to a fixed number, so memory stays constant.
    """

    def __init__(self, words: Iterable[str], spellings: Mapping[str, Iterable[str]]) -> None:
        super().__init__()
        canonical = {other: word for word, others in spellings.items() for other in others}
        names = sorted({canonical.get(w, w) for w in words} | set(spellings))
        self._symbols = {name: chr(_FIRST_SYMBOL + i) for i, name in enumerate(names)}
        known = dict(self._symbols)
        for other, word in canonical.items():
            known[other] = self._symbols[word]
        for word in names:
            for plural in _plurals(word):
                if plural not in known:
                    known[plural] = self._symbols[word]
        self._known = known
        self.update(known)

    def __missing__(self, part: str) -> str:
        symbol = self._kind_of_word(part) if part[:1].isalnum() else gap_symbol(part)
        if len(self) < _CACHE_LIMIT and len(part) < 40:
            self[part] = symbol
        return symbol

    @staticmethod
    def _kind_of_word(word: str) -> str:
        if _DEIDENTIFIED_WORD.match(word):
            return DEIDENTIFIED
        return NUMBER if word[0].isdigit() else UNKNOWN_WORD

    def word(self, word: str) -> str:
        """The symbol of a lexicon word or one of its spellings; KeyError for any other word."""
        return self._known[word]

    def encode(self, flat: str) -> tuple[list[str], str]:
        """Parts and symbols of a flattened text; `symbols[i]` stands for `parts[i]`."""
        parts = split_parts(flat)
        symbols = "".join(map(self.__getitem__, parts))
        if parts[0].lstrip().startswith("?"):  # "?pneumonia" opens the text: nothing stands before it
            symbols = QUESTION_BEFORE + symbols[1:]
        return parts, symbols


def _plurals(word: str) -> tuple[str, ...]:
    if len(word) < 3 or not word.isalpha() or word.endswith("ly"):
        return ()
    if word.endswith("y") and word[-2] not in "aeiou":
        return (word[:-1] + "ies",)
    if word.endswith(("s", "x", "ch", "sh")):
        return (word + "es",)
    return (word + "s",)
