"""Texts to token ids, long ones to windows, and sequences to batches without padding. No torch.

Cutting is that of the public programs: the first `max_tokens - 1` ids and [SEP] (`tokenize` in
src/bert_tokenizer.py of CheXbert). Windows are this package's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hilum.core.errors import InputError

Ids = tuple[int, ...]

OVERLAP = 128
"""Tokens that two windows of one text share, by default; never more than half a window."""

_ENDS = (".", "?", "!")

LEAST_TOKENS = 3
"""[CLS], one token, [SEP]."""


def token_ids(tokenizer: Any, texts: Sequence[str], *, max_tokens: int | None = None) -> list[Ids]:
    """The ids of each text with [CLS] and [SEP], cut at `max_tokens` when that is given; not padded.

    `tokenizer` is one of transformers (a fast one works on all texts at once) or of the package tokenizers. Texts
    are taken as they are: `text.bert_text.prepare` comes before.
    """
    if not texts:
        return []
    if hasattr(tokenizer, "encode_batch"):
        found = [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
    else:
        found = tokenizer(
            list(texts),
            padding=False,
            truncation=False,
            return_attention_mask=False,
            return_token_type_ids=False,
            verbose=False,
        )["input_ids"]
    return [tuple(ids) if max_tokens is None else cut(tuple(ids), max_tokens) for ids in found]


def cut(ids: Ids, max_tokens: int) -> Ids:
    """`ids` as they are, or the first `max_tokens - 1` and the last one when they are more than `max_tokens`."""
    _check(max_tokens)
    return ids if len(ids) <= max_tokens else (*ids[: max_tokens - 1], ids[-1])


def windows(
    ids: Ids, *, max_tokens: int, overlap: int = OVERLAP, ends: frozenset[int] = frozenset()
) -> list[Ids]:
    """Sequences of at most `max_tokens` that cover `ids`, each from [CLS] to [SEP]; one when they fit.

    Neighbours share at least `overlap` tokens, or half a window if that is less. `ends` are the tokens that end a
    sentence: a window begins behind one and ends with one wherever there is one within a quarter of a window.
    """
    _check(max_tokens)
    if overlap < 0:
        raise InputError(f"Windows cannot overlap by {overlap} tokens; allowed: 0 and more.")
    if len(ids) <= max_tokens:
        return [ids]
    body, size = ids[1:-1], max_tokens - 2
    shared, reach = min(overlap, size // 2), size // 4
    found = [(0, _boundary(body, size, size - reach, ends))]
    while found[-1][1] < len(body):
        start, stop = found[-1]
        start = max(_boundary(body, stop - shared, stop - shared - reach, ends), start + 1)
        stop = (
            len(body)
            if start + size >= len(body)
            else _boundary(body, start + size, start + size - reach, ends)
        )
        found.append((start, stop))
    return [(ids[0], *body[start:stop], ids[-1]) for start, stop in found]


def _boundary(body: Ids, latest: int, earliest: int, ends: frozenset[int]) -> int:
    """The last place from `latest` back to `earliest` that stands behind a token of `ends`; else `latest`."""
    for place in range(latest, max(earliest, 1) - 1, -1):
        if body[place - 1] in ends:
            return place
    return latest


def sentence_ends(tokenizer: Any) -> frozenset[int]:
    """Ids of the tokens that end a sentence, as far as the tokenizer has them."""
    found = tokenizer.token_to_id if hasattr(tokenizer, "token_to_id") else tokenizer.convert_tokens_to_ids
    unknown = found(getattr(tokenizer, "unk_token", None) or "[UNK]")
    return frozenset(i for i in map(found, _ENDS) if i is not None and i != unknown)


def buckets(
    lengths: Sequence[int],
    *,
    batch_size: int | None = None,
    batch_tokens: int | None = None,
    bucketing: bool = True,
) -> list[list[int]]:
    """Places of `lengths` in batches: longest first, equal lengths in their order; without bucketing in order.

    A batch ends before it has more than `batch_size` sequences or more than `batch_tokens` tokens, whichever comes
    first; one sequence is always taken. Raises InputError when neither is given or one is below 1.
    """
    given = [limit for limit in (batch_size, batch_tokens) if limit is not None]
    if not given or min(given) < 1:
        raise InputError(f"A batch has at least 1 text and 1 token; got {batch_size} and {batch_tokens}.")
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i]) if bucketing else range(len(lengths))
    found: list[list[int]] = []
    tokens = 0
    for place in order:
        tokens += lengths[place]
        full = batch_size is not None and bool(found) and len(found[-1]) >= batch_size
        if not found or full or (batch_tokens is not None and tokens > batch_tokens):
            found.append([])
            tokens = lengths[place]
        found[-1].append(place)
    return found


def equal_lengths(sequences: Sequence[Sequence[int]]) -> list[list[int]]:
    """Places of sequences of one length together, longest first, each group in the order that was given."""
    groups: dict[int, list[int]] = {}
    for place, ids in enumerate(sequences):
        groups.setdefault(len(ids), []).append(place)
    return [groups[length] for length in sorted(groups, reverse=True)]


def _check(max_tokens: int) -> None:
    if max_tokens < LEAST_TOKENS:
        raise InputError(
            f"A text needs at least {LEAST_TOKENS} tokens with [CLS] and [SEP]; got {max_tokens}."
        )
