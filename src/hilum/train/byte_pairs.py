"""A byte-level vocabulary from texts, with the turns of ChatML: the same pieces every time."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from hilum.core.errors import InputError, MissingExtraError
from hilum.train.wordpiece import _merge_in

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
"""The first pieces: padding, the beginning and the end of a turn, as in Qwen's vocabularies."""

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
"""The chat template of Qwen1.5 and many others, without a system turn of its own."""

_MOST_WORDS = 200_000


def count_chunks(texts: Iterable[str]) -> Counter[str]:
    """How often each chunk occurs: a word with the space before it, in letters that stand for bytes (GPT-2's way).

    Raises MissingExtraError without the package tokenizers.
    """
    try:
        from tokenizers import normalizers, pre_tokenizers  # noqa: PLC0415  (an extra)
    except ImportError:
        raise MissingExtraError("tokenizers", "llm") from None
    normalizer, cutter = normalizers.NFC(), pre_tokenizers.ByteLevel(add_prefix_space=False)
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(chunk for chunk, _ in cutter.pre_tokenize_str(normalizer.normalize_str(text)))
    return counts


def byte_pairs(chunks: Mapping[str, int], *, size: int) -> tuple[list[str], list[tuple[str, str]]]:
    """The pieces of a vocabulary of at most `size` and the merges that make them, in their order.

    Special pieces come first, then the 256 bytes, then merges of the most frequent pair of neighbours (Sennrich et
    al. 2016); between pairs that are as frequent the first in the alphabet wins. Raises InputError when `size` has
    no room for the bytes.
    """
    from tokenizers import pre_tokenizers  # noqa: PLC0415  (an extra)

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    least = len(SPECIAL) + len(alphabet)
    if size < least:
        raise InputError(
            f"A vocabulary of {size} pieces has no room for all bytes. Next step: {least} or more."
        )
    kept = sorted(chunks.items(), key=lambda item: (-item[1], item[0]))[:_MOST_WORDS]
    merges = _merges([(list(chunk), n) for chunk, n in kept], size - least, taken=set(alphabet))
    return [*SPECIAL, *alphabet, *(first + second for first, second in merges)], merges


def _merges(split: list[tuple[list[str], int]], room: int, *, taken: set[str]) -> list[tuple[str, str]]:
    counts: Counter[tuple[str, str]] = Counter()
    where: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    for place, (pieces, n) in enumerate(split):
        for pair in pairwise(pieces):
            counts[pair] += n
            where[pair].add(place)
    heap = [(-n, pair) for pair, n in counts.items()]
    heapq.heapify(heap)
    made: list[tuple[str, str]] = []
    while heap and len(made) < room:
        count, pair = heapq.heappop(heap)
        if -count != counts[pair] or not count or pair[0] + pair[1] in taken:
            continue
        made.append(pair)
        taken.add(pair[0] + pair[1])
        changed: set[tuple[str, str]] = set()
        for place in sorted(where.pop(pair)):
            changed |= _merge_in(split[place], pair, pair[0] + pair[1], counts, where, place)
        counts[pair] = 0
        for one in changed - {pair}:
            heapq.heappush(heap, (-counts[one], one))
    return made


def write_chat_tokenizer(
    folder: Path, pieces: list[str], merges: list[tuple[str, str]], *, max_tokens: int
) -> None:
    """Write the tokenizer of a vocabulary, with its chat template, for transformers' `AutoTokenizer` to read."""
    import transformers  # noqa: PLC0415  (an extra)
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers  # noqa: PLC0415

    tokenizer: Any = Tokenizer(models.BPE({piece: i for i, piece in enumerate(pieces)}, merges))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIAL))
    fast_class: Any = transformers.PreTrainedTokenizerFast
    fast = fast_class(
        tokenizer_object=tokenizer,
        pad_token=SPECIAL[0],
        eos_token=SPECIAL[2],
        model_max_length=max_tokens,
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = CHATML
    folder.mkdir(parents=True, exist_ok=True)
    fast.save_pretrained(folder)
