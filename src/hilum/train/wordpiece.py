"""A WordPiece vocabulary from texts: the same pieces every time, which the trainer of `tokenizers` does not give."""

from __future__ import annotations

import heapq
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from hilum.core.errors import InputError, MissingExtraError

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
"""The first pieces of every vocabulary, in BERT's order."""

_GOES_ON = "##"
_MOST_WORDS = 200_000
_MOST_LETTERS = 500


def count_words(texts: Iterable[str]) -> Counter[str]:
    """How often each word occurs: lower case, without accents, punctuation apart, as BERT's tokenizer cuts them.

    Raises MissingExtraError without the package tokenizers.
    """
    try:
        from tokenizers import normalizers, pre_tokenizers  # noqa: PLC0415  (an extra)
    except ImportError:
        raise MissingExtraError("tokenizers", "neural") from None
    normalizer = normalizers.BertNormalizer(lowercase=True)
    cutter = pre_tokenizers.BertPreTokenizer()
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(word for word, _ in cutter.pre_tokenize_str(normalizer.normalize_str(text)))
    return counts


def word_pieces(words: Counter[str], *, size: int) -> list[str]:
    """The pieces of a vocabulary of at most `size`, special ones first, then letters, then merges in their order.

    The most frequent pair of neighbours becomes one piece, again and again (Sennrich et al. 2016, as the
    trainer of BERT-like vocabularies in common use does); between pairs that are as frequent the first in the
    alphabet wins. Raises InputError when `size` has no room for the letters.
    """
    kept = sorted(words.items(), key=lambda item: (-item[1], item[0]))[:_MOST_WORDS]
    letters = Counter[str]()
    for word, n in kept:
        for letter in word:
            letters[letter] += n
    known = {letter for letter, _ in sorted(letters.items(), key=lambda i: (-i[1], i[0]))[:_MOST_LETTERS]}
    split = [
        ([letter if i == 0 else _GOES_ON + letter for i, letter in enumerate(word)], n)
        for word, n in kept
        if known.issuperset(word)
    ]
    alphabet = sorted({piece for pieces, _ in split for piece in pieces})
    room = size - len(SPECIAL) - len(alphabet)
    if room < 0:
        raise InputError(
            f"A vocabulary of {size} pieces has no room for the {len(alphabet)} letters of these reports. "
            f"Next step: a size of {len(SPECIAL) + len(alphabet)} or more."
        )
    return [*SPECIAL, *alphabet, *_merges(split, room, taken=set(alphabet))]


def _merges(split: Sequence[tuple[list[str], int]], room: int, *, taken: set[str]) -> list[str]:
    counts: Counter[tuple[str, str]] = Counter()
    where: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    for place, (pieces, n) in enumerate(split):
        for pair in pairwise(pieces):
            counts[pair] += n
            where[pair].add(place)
    heap = [(-n, pair) for pair, n in counts.items()]
    heapq.heapify(heap)
    made: list[str] = []
    while heap and len(made) < room:
        count, pair = heapq.heappop(heap)
        if -count != counts[pair] or not count:
            continue
        merged = pair[0] + pair[1].removeprefix(_GOES_ON)
        if merged not in taken:
            taken.add(merged)
            made.append(merged)
        changed: set[tuple[str, str]] = set()
        for place in sorted(where.pop(pair)):
            changed |= _merge_in(split[place], pair, merged, counts, where, place)
        counts[pair] = 0
        for one in changed - {pair}:
            heapq.heappush(heap, (-counts[one], one))
    return made


def _merge_in(
    word: tuple[list[str], int],
    pair: tuple[str, str],
    merged: str,
    counts: Counter[tuple[str, str]],
    where: defaultdict[tuple[str, str], set[int]],
    place: int,
) -> set[tuple[str, str]]:
    """Merge a pair in one word, in place; the pairs whose counts changed."""
    pieces, n = word
    before = list(pairwise(pieces))
    joined: list[str] = []
    for piece in pieces:
        if joined and joined[-1] == pair[0] and piece == pair[1]:
            joined[-1] = merged
        else:
            joined.append(piece)
    pieces[:] = joined
    after = list(pairwise(joined))
    for one in before:
        counts[one] -= n
        where[one].discard(place)
    for one in after:
        counts[one] += n
        where[one].add(place)
    return {*before, *after}


def write_tokenizer(folder: Path, pieces: Sequence[str], *, max_tokens: int) -> None:
    """Write the tokenizer of a vocabulary into `folder`, for transformers' `AutoTokenizer` to read."""
    from tokenizers import (  # noqa: PLC0415  (an extra)
        Tokenizer,
        decoders,
        models,
        normalizers,
        pre_tokenizers,
        processors,
    )

    ids = {piece: i for i, piece in enumerate(pieces)}
    unknown, cls, sep = SPECIAL[1], SPECIAL[2], SPECIAL[3]
    tokenizer: Any = Tokenizer(models.WordPiece(ids, unk_token=unknown))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{cls} $A {sep}",
        pair=f"{cls} $A {sep} $B:1 {sep}:1",
        special_tokens=[(cls, ids[cls]), (sep, ids[sep])],
    )
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens(list(SPECIAL))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(tokenizer.to_str(pretty=True) + "\n", encoding="utf-8")
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    config = {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": True,
        "model_max_length": max_tokens,
        **{
            f"{name}_token": token
            for name, token in zip(("pad", "unk", "cls", "sep", "mask"), SPECIAL, strict=True)
        },
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
