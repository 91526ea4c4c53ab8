"""Texts to logits: windows of long texts, equal texts once, batches by length. torch is loaded when it is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError, UnknownNameError
from hilum.models.batches import Ids, buckets, cut, sentence_ends, token_ids, windows
from hilum.models.encoder_spec import EncoderSpec

WINDOWS, CUT = "windows", "cut"
LONG: tuple[str, ...] = (WINDOWS, CUT)
"""Ways with texts of more than `max_tokens`: overlapping windows, or the first tokens alone, as the originals."""

Logits = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]
"""Called after each batch with the sequences done and all that are to be worked out."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """Logits of N texts: one [W, C] array for each, W its windows (1 for most).

    `cut_N` says which texts lost their end. `sequences` is the number of all windows, `computed` how many of them
    were worked out, since equal ones are worked out once, and `tokens` those of what was worked out.
    """

    logits: list[Logits]
    cut_N: npt.NDArray[np.bool_]
    sequences: int
    computed: int
    tokens: int

    @property
    def windows_N(self) -> npt.NDArray[np.intp]:
        """The number of windows of each text."""
        return np.array([len(one) for one in self.logits], dtype=np.intp)

    @property
    def first_NC(self) -> Logits:
        """The logits of each text's first window, [N, C]."""
        return np.stack([one[0] for one in self.logits])


def predict(
    encoder: Any,
    texts: Sequence[str],
    *,
    batch_size: int | None = None,
    bucketing: bool = True,
    precision: str | None = None,
    long: str = WINDOWS,
    unique: bool = True,
    progress: Progress | None = None,
) -> Predictions:
    """Logits of texts that `text.bert_text.prepare` has prepared, by a LoadedEncoder or an OnnxEncoder.

    Batches are filled by tokens (1,024 on a processor) unless `batch_size` says by how many sequences, longest
    first unless `bucketing` is off; nothing is padded. float32 logits are the same whatever the batches, up to float
    noise of about 1e-5. `precision` is float32 (the default), bfloat16 or int8; an OnnxEncoder has its own. Windows
    overlap as `batches.OVERLAP` says. How many threads work is left to torch or ONNX Runtime.

    Raises InputError and UnknownNameError for options that cannot be used.
    """
    if long not in LONG:
        raise UnknownNameError("way with long texts", long, LONG)
    spec: EncoderSpec = encoder.spec
    engine, default = _engine(encoder, precision)
    ids = token_ids(encoder.tokenizer, texts)
    parts = _parts(ids, spec, long, sentence_ends(encoder.tokenizer))
    cut_N = np.array([long == CUT and len(one) > spec.max_tokens for one in ids], dtype=np.bool_)
    sequences, place_S = _distinct([one for part in parts for one in part], unique)
    tokens = default if batch_size is None else None
    lengths = [len(one) for one in sequences]
    batches = buckets(lengths, batch_size=batch_size, batch_tokens=tokens, bucketing=bucketing)
    logits_SC = _run(engine, sequences, batches, spec.outputs, progress)[place_S]
    borders = np.cumsum([len(part) for part in parts], dtype=np.intp)
    logits = np.split(logits_SC, borders)[:-1]
    return Predictions(logits, cut_N, len(place_S), len(sequences), sum(lengths))


def _parts(ids: Sequence[Ids], spec: EncoderSpec, long: str, ends: frozenset[int]) -> list[list[Ids]]:
    """What is read of each text: all of it at once where it fits."""
    if long == CUT:
        return [[cut(one, spec.max_tokens)] for one in ids]
    size = spec.window_tokens or spec.max_tokens
    return [windows(one, max_tokens=size, ends=ends) for one in ids]


def _engine(encoder: Any, precision: str | None) -> tuple[Any, int]:
    """What works out a batch, and how many tokens it likes in one."""
    own = getattr(encoder, "precision", None)
    if own is not None:
        if precision not in (None, own):
            raise InputError(
                f"This ONNX model is {own}, and {precision} was asked for. Next step: leave the precision out, or "
                "load the model that has it."
            )
        return encoder, encoder.batch_tokens
    from hilum.models._engines import BATCH_TOKENS, engine_for  # noqa: PLC0415 - loads torch
    from hilum.models._neural import torch  # noqa: PLC0415

    engine = engine_for(encoder.model, precision or "float32")
    device = next(encoder.model.parameters()).device.type

    def run(sequences: Sequence[Ids]) -> Any:
        with torch.inference_mode():
            return engine(sequences)

    return run, BATCH_TOKENS.get(device, BATCH_TOKENS["cuda"])


def _distinct(sequences: Sequence[Ids], unique: bool) -> tuple[list[Ids], npt.NDArray[np.intp]]:
    """What is to be worked out, and for each sequence its place among that."""
    if not unique:
        return list(sequences), np.arange(len(sequences))
    places: dict[Ids, int] = {}
    found = [places.setdefault(one, len(places)) for one in sequences]
    return list(places), np.array(found, dtype=np.intp)


def _run(
    engine: Any,
    sequences: Sequence[Ids],
    batches: Sequence[Sequence[int]],
    outputs: int,
    progress: Progress | None,
) -> Logits:
    """Logits [S, C]. What the engine gives stays on its device to the end, so that a GPU need not wait."""
    given, done = [], 0
    for batch in batches:
        given.append(engine([sequences[place] for place in batch]))
        done += len(batch)
        if progress is not None:
            progress(done, len(sequences))
    logits_SC = np.empty((len(sequences), outputs), dtype=np.float32)
    for batch, logits in zip(batches, given, strict=True):
        logits_SC[np.asarray(batch)] = logits if isinstance(logits, np.ndarray) else logits.cpu().numpy()
    return logits_SC
