"""Tokenizers from local folders, and whether one belongs to an encoder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hilum.core.errors import InputError
from hilum.models._neural import transformers

TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.txt",
    "vocab.json", "merges.txt", "spiece.model", "sentencepiece.bpe.model",
)  # fmt: skip
"""Files of tokenizers that the digest of a folder includes, where they are there."""


def load_tokenizer(source: str | Path) -> Any:
    """The tokenizer in a folder, or of a hub id; a folder is never looked up on a hub.

    A folder with nothing but vocab.txt gives BERT's tokenizer without upper case. Raises InputError when there is
    no tokenizer.
    """
    path = Path(source)
    try:
        if path.is_dir() and not any((path / n).is_file() for n in ("config.json", *TOKENIZER_FILES[:2])):
            return transformers.BertTokenizerFast.from_pretrained(str(path), local_files_only=True)
        return transformers.AutoTokenizer.from_pretrained(str(source), local_files_only=path.exists())
    except Exception as error:  # a broken tokenizer.json raises a bare Exception
        raise InputError(
            f"{source} has no tokenizer that transformers can load: {' '.join(str(error).split())[:200]}. Next step: "
            "give the folder of the tokenizer the model was trained with (for CheXbert that of bert-base-uncased)."
        ) from error


def check_tokenizer(tokenizer: Any, config: Any, *, where: str, same_size: bool = False) -> None:
    """Raises InputError when a tokenizer cannot belong to an encoder.

    It must put one token before and one behind a text, have a token for padding, and no more tokens than the
    encoder has embeddings; with `same_size`, as many.
    """
    names = {
        "[CLS]": tokenizer.cls_token_id,
        "[SEP]": tokenizer.sep_token_id,
        "[PAD]": tokenizer.pad_token_id,
    }
    missing = [name for name, number in names.items() if number is None]
    if missing:
        raise _stranger(where, f"it has no token for {', '.join(missing)}")
    ids = tokenizer("a")["input_ids"]
    if ids[0] != names["[CLS]"] or ids[-1] != names["[SEP]"] or len(ids) < 2:
        raise _stranger(where, "it does not put [CLS] before and [SEP] behind a text")
    size, rows = len(tokenizer), int(config.vocab_size)
    if size > rows or (same_size and size != rows):
        raise _stranger(where, f"it has {size} tokens, and the encoder has embeddings of {rows}")


def _stranger(where: str, why: str) -> InputError:
    return InputError(
        f"{where} does not belong to this encoder: {why}. Next step: give the tokenizer the encoder was trained "
        "with."
    )


def vocabulary_digest(tokenizer: Any) -> str:
    """SHA-256, in hex, over all tokens with their numbers."""
    pairs = sorted(tokenizer.get_vocab().items(), key=lambda pair: (pair[1], pair[0]))
    return hashlib.sha256(json.dumps(pairs).encode()).hexdigest()


def check_same_tokenizer(tokenizer: Any, fields: Mapping[str, Any], *, where: str) -> None:
    """Raises InputError when a tokenizer is not the one whose size and digest are in `fields`."""
    if fields.get("size") != len(tokenizer) or fields.get("sha256") != vocabulary_digest(tokenizer):
        raise _stranger(
            where,
            f"its {len(tokenizer)} tokens are not the {fields.get('size')} with which the folder was written",
        )
