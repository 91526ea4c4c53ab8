"""A text encoder from a local folder: token vectors and first-token vectors, whatever the batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError, MissingExtraError

Floats = npt.NDArray[np.float32]

_OFFSET_MODELS = ("roberta", "xlm-roberta", "camembert")
"""Models whose positions begin behind the padding id."""

_NO_LIMIT = 1_000_000


class TokenVectors(NamedTuple):
    """One text: its token ids [T], their vectors [T, H], and which are not the first and last token
    that the tokenizer adds [T]."""

    ids: npt.NDArray[np.int64]
    vectors_TH: Floats
    own: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Encoder:
    """A tokenizer and an encoder that transformers loaded; `layers` is the number of hidden layers.

    Texts of more than `limit` tokens are cut. Values are the same whatever the batch, to about 1e-6.
    """

    tokenizer: Any
    model: Any
    limit: int
    layers: int

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text with the special tokens, cut to `limit`."""
        return [
            list(ids)
            for ids in self.tokenizer(list(texts), truncation=True, max_length=self.limit)["input_ids"]
        ]

    def cut(self, texts: Sequence[str]) -> int:
        """How many texts are longer than `limit` tokens."""
        long = self.tokenizer(list(texts), truncation=False, verbose=False)["input_ids"]
        return sum(len(ids) > self.limit for ids in long)

    def vectors(self, texts: Sequence[str], *, layer: int | None = None) -> Iterator[TokenVectors]:
        """The vectors of one batch of texts at a hidden layer (0 are the embeddings; None is the last)."""
        import torch  # noqa: PLC0415  (slow to import; optional)

        rows = self.token_ids(texts)
        width = max(map(len, rows))
        pad = self.tokenizer.pad_token_id or 0
        ids_NT = torch.tensor([row + [pad] * (width - len(row)) for row in rows])
        mask_NT = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
        with torch.inference_mode():
            out = self.model(input_ids=ids_NT, attention_mask=mask_NT, output_hidden_states=True)
        hidden_NTH = out.hidden_states[self.layers if layer is None else layer].float().numpy()
        ends = {self.tokenizer.cls_token_id, self.tokenizer.sep_token_id}
        for row, vectors_TH in zip(rows, hidden_NTH, strict=True):
            own = np.array([token not in ends for token in row])
            yield TokenVectors(np.array(row, dtype=np.int64), vectors_TH[: len(row)], own)


def load_encoder(folder: str | Path | None, *, scorer: str) -> Encoder:
    """The encoder in a folder with config.json, weights and tokenizer files; no network is used.

    Raises MissingExtraError without torch or transformers, InputError when the folder has no such model.
    """
    if folder is None:
        raise InputError(
            f"The score {scorer!r} needs local weights. Next step: name their folder with --model PATH "
            "(config.json, the weights and the tokenizer's files)."
        )
    if not Path(folder).is_dir():
        raise InputError(f"There is no folder {folder}. Next step: give --model the folder of the weights.")
    try:
        import torch  # noqa: F401, PLC0415  (slow to import; optional)
        import transformers  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError(error.name or "transformers", "neural") from error
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
        model = transformers.AutoModel.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise InputError(
            f"{folder} holds no model that transformers can load: {str(error).strip()[:300]}. Next step: give the "
            "folder that save_pretrained wrote."
        ) from error
    model.eval()
    return Encoder(tokenizer, model, _limit(tokenizer, model.config), int(model.config.num_hidden_layers))


def _limit(tokenizer: Any, config: Any) -> int:
    limits = [int(tokenizer.model_max_length)] if tokenizer.model_max_length < _NO_LIMIT else []
    positions = getattr(config, "max_position_embeddings", None)
    if positions:
        offset = (config.pad_token_id or 0) + 1 if config.model_type in _OFFSET_MODELS else 0
        limits.append(int(positions) - offset)
    return min(limits, default=512)


def in_batches(
    texts: Sequence[str], *, size: int, tick: Callable[[int], None] | None = None
) -> Iterator[tuple[list[int], list[str]]]:
    """Texts of like length together: the places and texts of each batch. `tick` hears how many are done."""
    order = sorted(range(len(texts)), key=lambda i: (len(texts[i]), i))
    for start in range(0, len(order), size):
        places = order[start : start + size]
        yield places, [texts[i] for i in places]
        if tick is not None:
            tick(start + len(places))


def model_name(model: str | None) -> str:
    """The last part of the path of a model."""
    return str(model).rstrip("/\\").replace("\\", "/").rsplit("/", 1)[-1]
