"""Text to tokens, by name, for the overlap metrics. A score is only comparable under one tokenisation."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType

from hilum.core.errors import UnknownNameError

_PLAIN = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": " -- ", "—": " -- ", "…": " ... "})
_BRACKETS = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}
_ENTITY = re.compile("&(lt|gt|amp|quot|nbsp);")
_ENTITIES = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "nbsp": " "}
_MARKS = frozenset("'\"`.?!,:-;") | {"--", "..."}
_ABBREVIATIONS = (
    "dr mr mrs ms prof st vs etc jr sr inc corp ltd co dept esq est ext al cf ct rt ft tel lt md "
    "jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thurs fri"
)
_BEFORE_A_NUMBER = "no nos fig figs pp art op"
_BETWEEN = re.compile(r"(?<!\.) ")  # what a full stop is may depend on the next word
_TOKEN = re.compile(
    rf"""
      </?[a-z][^<>\s]*>                                              # <br>
    | \b(?:[a-z]\.){{2,}}                                            # e.g. a.p.
    | \b[a-z]\.(?!\w|\s+(?-i:[A-Z])[a-z])                            # an initial
    | \b(?:{_ABBREVIATIONS.replace(" ", "|")})\.(?!\w)
    | \b(?:{_BEFORE_A_NUMBER.replace(" ", "|")})\.(?=\s*\d)
    | \b(?:can(?=not\b) | gon(?=na\b) | wan(?=na\b) | got(?=ta\b))
    | \w+?(?=n't\b) | n't\b
    | '(?:s|re|ve|ll|d|m)\b
    | \d+(?:[.,:]\d+)+
    | \d+(?=\.[a-z])                                                 # 1.Stable
    | \w+(?:[-/.&']\w+)*?(?=n't\b | '(?:s|re|ve|ll|d|m)\b)
    | \w+(?:[-/.&']\w+)*
    | --+ | \.\.\. | \S
    """,
    re.VERBOSE | re.IGNORECASE,
)


def coco(text: str) -> list[str]:
    """What coco-caption makes of raw text: lower case, Penn Treebank tokens, punctuation removed.

    An approximation, without Java, of `PTBTokenizer` (Stanford CoreNLP 3.4.1, -lowerCase) followed by the
    removal of coco-caption's list of punctuation marks. Alike: contractions are cut ("isn't" -> "is n't"),
    hyphenated words, slashes and decimal numbers stay whole, brackets stay as "-lrb-" and "-rrb-" (the list
    of marks has them in capitals only), a full stop stays on abbreviations ("e.g.", "dr.") and is removed
    elsewhere. Different: numbers joined to hyphens or to an x ("3-4.5", "5.2x3.1"), web addresses, rarer
    abbreviations and contractions, and characters written as fractions. `benchmarks/metric_pairs.py --java`
    counts on how many reports both give the same tokens.
    """
    plain = _ENTITY.sub(lambda entity: _ENTITIES[entity[1]], text) if "&" in text else text
    plain = plain if plain.isascii() else plain.translate(_PLAIN)
    pieces = _BETWEEN.split(" ".join(plain.split()))
    return [token for piece in pieces for token in (_known if len(piece) < 40 else _cut)(piece)]


def _cut(piece: str) -> tuple[str, ...]:
    found = _TOKEN.findall(piece)
    return tuple(_BRACKETS.get(token, token).lower() for token in found if token not in _MARKS)


_known = lru_cache(maxsize=100_000)(_cut)


def whitespace(text: str) -> list[str]:
    """The words between white space; nothing else is changed. For text that has been cut into tokens."""
    return text.split()


def single_space(text: str) -> list[str]:
    """The text cut at EVERY space: two spaces in a row enclose an empty token. No tokens for a blank text.

    This is how coco-caption's ROUGE-L cuts the strings it is handed, so it is what reproduces scores that were
    recorded by giving text to coco-caption's scorers without its tokeniser (as R2Gen and its descendants do).
    BLEU and CIDEr pay no heed to empty tokens, in coco-caption and here.
    """
    return text.split(" ") if text.strip() else []


def cxr_report_metric(text: str) -> list[str]:
    """Lower case, each full stop a token of its own, cut at spaces; other marks stay on their words.

    The preparation of reports for BLEU-2 in the CXR-Report-Metric code of Yu et al., Patterns 2023.
    """
    return [token for token in text.lower().replace(".", " .").split(" ") if token]


TOKENISERS: Mapping[str, Callable[[str], list[str]]] = MappingProxyType(
    {
        "coco": coco,
        "whitespace": whitespace,
        "single-space": single_space,
        "cxr-report-metric": cxr_report_metric,
    }
)
"""Name -> function from a text to its tokens."""


def tokenise(texts: Iterable[str], tokenisation: str = "coco") -> list[list[str]]:
    """The tokens of each text; equal tokens are one object, which saves memory.

    Raises UnknownNameError for a name that `TOKENISERS` does not have.
    """
    if tokenisation not in TOKENISERS:
        raise UnknownNameError("tokenisation", tokenisation, TOKENISERS)
    cut = TOKENISERS[tokenisation]
    one_of: dict[str, str] = {}
    return [[one_of.setdefault(token, token) for token in cut(text)] for text in texts]
