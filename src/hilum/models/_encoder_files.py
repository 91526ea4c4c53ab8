"""The folder of a report encoder: what is written, and what is checked when it is read. Never pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hilum.core.errors import InputError
from hilum.models import _weight_files as files
from hilum.models._neural import torch, transformers
from hilum.models._tokenizer import (
    TOKENIZER_FILES,
    check_same_tokenizer,
    check_tokenizer,
    load_tokenizer,
    vocabulary_digest,
)
from hilum.models._weight_files import CONFIG, WEIGHTS, FolderKind
from hilum.models.encoder_spec import FORMAT, FORMAT_VERSION, EncoderSpec

if TYPE_CHECKING:
    from hilum.models.report_encoder import ReportEncoder

HEADS, SPEC = "heads.safetensors", "hilum_encoder.json"
ENCODER = FolderKind(
    name="report encoder",
    a_name="a report encoder",
    format=FORMAT,
    version=FORMAT_VERSION,
    spec=SPEC,
    files=(SPEC, CONFIG, WEIGHTS, HEADS),
    writers="`hilum convert` or `hilum train`",
    none_given="weights were",
    a_file_given="weights are",
    convert="an original checkpoint into one with `hilum convert {path} OUT --tokenizer DIR`",
    other_version="use the hilum that wrote it, or convert again",
    broken="write the folder again with `hilum convert`",
    made_for="this kind of labeler",
)
_OFFSET_MODELS = ("roberta", "xlm-roberta", "camembert")
_NEVER_SAVED = ("embeddings.position_ids", "embeddings.token_type_ids")
"""Buffers that older versions of transformers stored and newer ones make anew."""


@dataclass(frozen=True, eq=False)
class LoadedEncoder:
    """A report encoder that is ready to label, with its tokenizer and spec.

    `digest` is the SHA-256 of all files that decide its labels: equal digests, equal labels.
    """

    model: ReportEncoder
    tokenizer: Any
    spec: EncoderSpec
    folder: Path
    digest: str


class _Read(NamedTuple):
    spec: EncoderSpec
    bert: Any
    heads: dict[str, torch.Tensor]
    tokenizer: Any
    digest: str


def write_encoder(
    folder: Path, bert: Any, *, heads: torch.nn.Module, spec: EncoderSpec, tokenizer: Any
) -> Path:
    """Write all files of an encoder; see `report_encoder.save_encoder`."""
    check_tokenizer(tokenizer, bert.config, where="The tokenizer")
    known = {"tokenizer": {"size": len(tokenizer), "sha256": vocabulary_digest(tokenizer)}}
    with files.written(folder):
        _write_config(folder, bert.config)
        tokenizer.save_pretrained(folder)
        files.write_tensors(folder / WEIGHTS, bert.state_dict())
        files.write_tensors(folder / HEADS, heads.state_dict())
        files.write_spec(folder, {**known, **spec.to_json()}, ENCODER)
    return folder


def _write_config(folder: Path, config: Any) -> None:
    """The configuration without fields of one process: transformers 4.48 stores how attention was computed, and
    then computes it another way."""
    config.save_pretrained(folder)
    files.write_config(folder, json.loads((folder / CONFIG).read_text(encoding="utf-8")))


def blank_encoder(config: Any) -> Any:
    """An encoder with random weights; attention is torch's own where the model can, in any transformers."""
    try:
        return transformers.AutoModel.from_config(config, attn_implementation="sdpa")
    except ValueError:  # says a model that has none
        return transformers.AutoModel.from_config(config)


def read_encoder(folder: str | Path | None) -> _Read:
    """Everything of an encoder's folder, checked; see `report_encoder.load_encoder`."""
    path = files.folder_of(folder, ENCODER)
    spec, tokenizer_fields = _read_spec(path / SPEC)
    with files.config_read(path, ENCODER) as config:
        bert = blank_encoder(config)
    limit = token_limit(config)
    if spec.max_tokens > limit:
        raise InputError(
            f"{path / SPEC}: max_tokens is {spec.max_tokens}, and the encoder takes at most {limit}."
        )
    _load(bert, files.tensors_of(path / WEIGHTS, ENCODER), where=str(path / WEIGHTS))
    heads = files.tensors_of(path / HEADS, ENCODER)
    check_tensors(heads, _head_shapes(spec, int(config.hidden_size)), where=str(path / HEADS))
    tokenizer = load_tokenizer(path)
    check_tokenizer(tokenizer, config, where=f"The tokenizer in {path}")
    check_same_tokenizer(tokenizer, tokenizer_fields, where=f"The tokenizer in {path}")
    return _Read(spec, bert, heads, tokenizer, folder_digest(path))


def _read_spec(path: Path) -> tuple[EncoderSpec, Mapping[str, Any]]:
    fields = files.read_fields(path, ENCODER)
    tokenizer = fields.pop("tokenizer", None)
    return EncoderSpec.from_json(fields, where=str(path)), tokenizer if isinstance(tokenizer, dict) else {}


def _load(bert: Any, tensors: Mapping[str, torch.Tensor], *, where: str) -> None:
    kept = {name: tensor for name, tensor in tensors.items() if not name.endswith(_NEVER_SAVED)}
    check_tensors(kept, {k: tuple(v.shape) for k, v in bert.state_dict().items()}, where=where)
    bert.load_state_dict(kept)


def _head_shapes(spec: EncoderSpec, hidden: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for place, head in enumerate(spec.heads):
        shapes |= {f"{place}.weight": (head.classes, hidden), f"{place}.bias": (head.classes,)}
    return shapes


def check_tensors(
    tensors: Mapping[str, torch.Tensor], wanted: Mapping[str, tuple[int, ...]], *, where: str
) -> None:
    """Raises InputError, which names a few, when tensors are missing, extra, wrongly shaped or not finite."""
    files.check_shapes(tensors, wanted, counted=tensors, where=where, kind=ENCODER)


def token_limit(config: Any) -> int:
    """The longest input of an encoder in tokens, special ones included."""
    positions = getattr(config, "max_position_embeddings", None)
    if not positions or positions < 0:
        return 1_000_000
    offset = (config.pad_token_id or 0) + 1 if config.model_type in _OFFSET_MODELS else 0
    return int(positions) - offset


# --- digest ---


def folder_digest(folder: Path) -> str:
    """SHA-256, in hex, over names and bytes of the files that decide the labels of an encoder's folder."""
    return files.digest_of_files(folder, sorted((CONFIG, WEIGHTS, HEADS, SPEC, *TOKENIZER_FILES)))
