"""Texts as token ids, and which rows make up each batch of an epoch: the same from one seed, on any machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hilum.core.rng import rng_for

Tokens = npt.NDArray[np.int32]

_BATCHES_TOGETHER = 50
_TEXTS_AT_ONCE = 2_000


def encode_texts(tokenizer: Any, texts: Sequence[str], *, max_tokens: int) -> tuple[list[Tokens], int]:
    """Token ids of each text with its special tokens, and how many texts were longer than `max_tokens`.

    A longer text keeps its first tokens and the last special one, as the public programs cut.
    """
    ids: list[Tokens] = []
    cut = 0
    for start in range(0, len(texts), _TEXTS_AT_ONCE):
        read = tokenizer(list(texts[start : start + _TEXTS_AT_ONCE]), add_special_tokens=True, verbose=False)
        for one in read["input_ids"]:
            cut += len(one) > max_tokens
            ids.append(np.array(_cut(one, max_tokens), dtype=np.int32))
    return ids, cut


def _cut(ids: list[int], most: int) -> list[int]:
    return ids if len(ids) <= most else [*ids[: most - 1], ids[-1]]


def epoch_batches(
    lengths_N: Sequence[int], *, batch_size: int, bucketed: bool, seed: int, names: Sequence[str | int]
) -> list[npt.NDArray[np.intp]]:
    """Places of the rows of each batch of one epoch; every row is in one batch, the last batch may be smaller.

    Rows are shuffled by `seed` and `names`. With `bucketed`, batches of similar lengths are made within runs of 50
    batches, and the batches are shuffled again: fewer padding tokens, and batches that are less random.
    """
    rng = rng_for(seed, "batches", *names)
    order = rng.permutation(len(lengths_N))
    if not bucketed:
        return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    lengths = np.asarray(lengths_N)
    run = batch_size * _BATCHES_TOGETHER
    batches: list[npt.NDArray[np.intp]] = []
    for start in range(0, len(order), run):
        part = order[start : start + run]
        part = part[np.argsort(lengths[part], kind="stable")]
        batches += [part[i : i + batch_size] for i in range(0, len(part), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


def padded(ids: Sequence[Tokens], *, pad: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Token ids and mask (1 for tokens, 0 for padding), int64 [B, T], padded to the longest."""
    longest = max(map(len, ids))
    ids_BT = np.full((len(ids), longest), pad, dtype=np.int64)
    mask_BT = np.zeros((len(ids), longest), dtype=np.int64)
    for row, one in enumerate(ids):
        ids_BT[row, : len(one)] = one
        mask_BT[row, : len(one)] = 1
    return ids_BT, mask_BT


def by_length(lengths_N: Sequence[int], *, batch_size: int) -> list[npt.NDArray[np.intp]]:
    """Places in batches of similar lengths, shortest first, for scoring."""
    order = np.argsort(np.asarray(lengths_N), kind="stable")
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
