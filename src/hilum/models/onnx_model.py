"""A report encoder as an ONNX file: written from its weights, and run without torch.

`model.onnx` is the float32 graph that torch writes. `model.int8.onnx` is made of it here: the weights of every
product and the tables of embeddings become int8 with one scale for each column or row, and the rows of what goes
in are quantised by their own largest value while it runs, so that a text's labels do not depend on its batch
(`quantize_dynamic` of ONNX Runtime takes one scale for the whole batch). Equal weights give equal bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError, MissingExtraError, OutputError
from hilum.core.version import VERSION
from hilum.models.batches import equal_lengths
from hilum.models.encoder_spec import EncoderSpec

if TYPE_CHECKING:
    from hilum.models.report_encoder import LoadedEncoder

FILES = {"float32": "model.onnx", "int8": "model.int8.onnx"}
"""Precision -> the name of its file in a folder of weights."""

BATCH_TOKENS = 1024
WEIGHT_BITS = (8, 7)
"""7 for processors without VNNI (before about 2019), whose int8 products overflow with weights of 8 bits."""

_SPEC, _TOKENIZER = "hilum_encoder.json", "tokenizer.json"
_WEIGHTS = ("model.safetensors", "heads.safetensors", _SPEC)
_IDS, _MASK, _LOGITS = "input_ids", "attention_mask", "logits"
_OPSET = 18


def export_onnx(
    loaded: LoadedEncoder, folder: str | Path | None = None, *, int8: bool = True, weight_bits: int = 8
) -> dict[str, Path]:
    """Write `model.onnx` and, with `int8`, `model.int8.onnx`; precision -> path.

    They go into the folder of the weights, or into `folder` with what else `OnnxEncoder` needs. Inputs are
    `input_ids` and `attention_mask` [B, T], int64; the output is `logits` [B, C], float32.

    Raises MissingExtraError without onnx, InputError for an encoder that cannot be exported, OutputError.
    """
    if weight_bits not in WEIGHT_BITS:
        raise InputError(f"Weights of int8 have 8 or 7 bits; got {weight_bits}.")
    if not (loaded.folder / _TOKENIZER).is_file():
        raise InputError(
            f"{loaded.folder} has no {_TOKENIZER}, which the exported model needs. Next step: load the tokenizer with "
            "transformers as a fast one and save the folder again."
        )
    from hilum.models._onnx_graph import float_graph, int8_graph, serialized  # noqa: PLC0415 - loads onnx

    target = loaded.folder if folder is None else Path(folder)
    about = {"hilum": VERSION, "weights_sha256": weights_sum(loaded.folder)}
    graph = float_graph(loaded.model, names=(_IDS, _MASK, _LOGITS), opset=_OPSET)
    written = {"float32": serialized(graph, {**about, "precision": "float32"})}
    if int8:
        quantised = int8_graph(graph, weight_bits=weight_bits)
        written["int8"] = serialized(
            quantised, {**about, "precision": "int8", "weight_bits": str(weight_bits)}
        )
    try:
        target.mkdir(parents=True, exist_ok=True)
        if target.resolve() != loaded.folder.resolve():
            for name in (_SPEC, _TOKENIZER):
                (target / name).write_bytes((loaded.folder / name).read_bytes())
        for precision, data in written.items():
            _replace(target / FILES[precision], data)
    except OSError as error:
        raise OutputError(f"{target} cannot be written: {error}. Next step: name another folder.") from error
    return {precision: target / FILES[precision] for precision in written}


def _replace(path: Path, data: bytes) -> None:
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    part.replace(path)


def weights_sum(folder: Path) -> str:
    """SHA-256 over the weights and the spec of a folder; "" when it has no weights (only an ONNX file)."""
    digest = hashlib.sha256()
    for name in _WEIGHTS:
        if not (folder / name).is_file():
            return ""
        with (folder / name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


class OnnxEncoder:
    """An exported encoder that runs on ONNX Runtime and takes the place of a LoadedEncoder in `predict`.

    `precision` is that of the file. `digest` is the SHA-256 of everything that decides its labels. `threads` bounds
    what ONNX Runtime uses (all cores without it). torch is not needed.

    Raises InputError when a file is missing or broken or was exported from other weights, MissingExtraError.
    """

    def __init__(self, folder: str | Path, *, precision: str = "float32", threads: int | None = None) -> None:
        self.folder = Path(folder)
        if precision not in FILES:
            raise InputError(f"ONNX models are {' or '.join(FILES)}; got {precision!r}.")
        path = self.folder / FILES[precision]
        for needed in (path, self.folder / _SPEC, self.folder / _TOKENIZER):
            if not needed.is_file():
                raise InputError(f"There is no {needed}. Next step: hilum export {self.folder}")
        self.precision, self.batch_tokens = precision, BATCH_TOKENS
        self.spec = _spec(self.folder / _SPEC)
        self.tokenizer = _tokenizer(self.folder / _TOKENIZER)
        self.digest = _digest(path, self.folder / _SPEC, self.folder / _TOKENIZER)
        self._session = _session(path, threads)
        self._check()

    def _check(self) -> None:
        about = self._session.get_modelmeta().custom_metadata_map
        weights = weights_sum(self.folder)
        if weights and about.get("weights_sha256") != weights:
            raise InputError(
                f"{self.folder / FILES[self.precision]} was exported from other weights than those beside it. "
                f"Next step: hilum export {self.folder}"
            )
        outputs = self._session.get_outputs()
        if [one.name for one in outputs] != [_LOGITS] or outputs[0].shape[-1] != self.spec.outputs:
            raise InputError(
                f"{self.folder / FILES[self.precision]} does not give the {self.spec.outputs} outputs that {_SPEC} "
                f"names. Next step: hilum export {self.folder}"
            )

    def __call__(self, sequences: Sequence[Sequence[int]]) -> npt.NDArray[np.float32]:
        """Logits [B, C] of sequences of ids: one run for each length, so that nothing is padded."""
        logits_BC = np.empty((len(sequences), self.spec.outputs), dtype=np.float32)
        for group in equal_lengths(sequences):
            ids_BT = np.array([sequences[place] for place in group], dtype=np.int64)
            feed = {_IDS: ids_BT, _MASK: np.ones_like(ids_BT)}
            logits_BC[group] = self._session.run([_LOGITS], feed)[0]
        return logits_BC


def _spec(path: Path) -> EncoderSpec:
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}. Next step: export the weights again.") from error
    apart = ("format", "format_version", "hilum", "tokenizer")
    return EncoderSpec.from_json({k: v for k, v in fields.items() if k not in apart}, where=str(path))


def _tokenizer(path: Path) -> Any:
    try:
        from tokenizers import Tokenizer  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtraError("tokenizers", "neural") from error
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises nothing more precise
        raise InputError(f"{path} is no tokenizer: {error}. Next step: export the weights again.") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _digest(*paths: Path) -> str:
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _session(path: Path, threads: int | None) -> Any:
    try:
        import onnxruntime  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtraError("onnxruntime", "neural") from error
    options = onnxruntime.SessionOptions()
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors share no class
        said = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path} cannot be run: {said}. Next step: hilum export {path.parent}, with the onnxruntime that is "
            "installed here."
        ) from error
