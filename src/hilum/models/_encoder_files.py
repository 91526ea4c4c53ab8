"""The folder of a report encoder: what is written, and what is checked when it is read. Never pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hilum.core.errors import InputError, OutputError
from hilum.core.version import VERSION
from hilum.models._neural import safetensors, torch, transformers
from hilum.models._tokenizer import (
    TOKENIZER_FILES,
    check_same_tokenizer,
    check_tokenizer,
    load_tokenizer,
    vocabulary_digest,
)
from hilum.models.encoder_spec import FORMAT, FORMAT_VERSION, EncoderSpec

if TYPE_CHECKING:
    from hilum.models.report_encoder import ReportEncoder

CONFIG, WEIGHTS, HEADS, SPEC = "config.json", "model.safetensors", "heads.safetensors", "hilum_encoder.json"
_SHOWN = 5
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
    fields = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "hilum": VERSION,
        "tokenizer": {"size": len(tokenizer), "sha256": vocabulary_digest(tokenizer)},
        **spec.to_json(),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_config(folder, bert.config)
        tokenizer.save_pretrained(folder)
        (folder / WEIGHTS).write_bytes(safetensors.torch.save(_tensors(bert), metadata={"format": "pt"}))
        (folder / HEADS).write_bytes(safetensors.torch.save(_tensors(heads), metadata={"format": "pt"}))
        text = json.dumps(fields, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        (folder / SPEC).write_text(text, encoding="utf-8", newline="\n")
    except (OSError, safetensors.SafetensorError) as error:
        raise OutputError(f"{folder} cannot be written: {error}. Next step: name another folder.") from error
    return folder


def _write_config(folder: Path, config: Any) -> None:
    """The configuration without fields of one process: transformers 4.48 stores how attention was computed, and
    then computes it another way."""
    config.save_pretrained(folder)
    path = folder / CONFIG
    fields = json.loads(path.read_text(encoding="utf-8"))
    kept = {name: value for name, value in fields.items() if not name.startswith("_")}
    text = json.dumps(kept, indent=2, sort_keys=True) + "\n"
    path.write_text(text, encoding="utf-8", newline="\n")


def blank_encoder(config: Any) -> Any:
    """An encoder with random weights; attention is torch's own where the model can, in any transformers."""
    try:
        return transformers.AutoModel.from_config(config, attn_implementation="sdpa")
    except ValueError:  # says a model that has none
        return transformers.AutoModel.from_config(config)


def _tensors(module: Any) -> dict[str, torch.Tensor]:
    """Float32 copies on the CPU; tensors that share memory are stored apart."""
    return {
        name: tensor.detach().to("cpu", torch.float32, copy=True).contiguous()
        for name, tensor in sorted(module.state_dict().items())
    }


def read_encoder(folder: str | Path | None) -> _Read:
    """Everything of an encoder's folder, checked; see `report_encoder.load_encoder`."""
    path = _folder(folder)
    spec, tokenizer_fields = _read_spec(path / SPEC)
    try:
        config = transformers.AutoConfig.from_pretrained(str(path), local_files_only=True)
        bert = blank_encoder(config)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError) as error:
        raise _broken(path / CONFIG, error) from error
    limit = token_limit(config)
    if spec.max_tokens > limit:
        raise InputError(
            f"{path / SPEC}: max_tokens is {spec.max_tokens}, and the encoder takes at most {limit}."
        )
    _load(bert, _read_tensors(path / WEIGHTS), where=str(path / WEIGHTS))
    heads = _read_tensors(path / HEADS)
    check_tensors(heads, _head_shapes(spec, int(config.hidden_size)), where=str(path / HEADS))
    tokenizer = load_tokenizer(path)
    check_tokenizer(tokenizer, config, where=f"The tokenizer in {path}")
    check_same_tokenizer(tokenizer, tokenizer_fields, where=f"The tokenizer in {path}")
    return _Read(spec, bert, heads, tokenizer, folder_digest(path))


def _folder(folder: str | Path | None) -> Path:
    if folder is None or not str(folder):
        raise InputError(
            "No weights were given. Next step: --weights DIR with a folder that `hilum convert` or `hilum train` "
            "wrote."
        )
    path = Path(folder)
    if path.is_file():
        raise InputError(
            f"{path} is a file, and weights are a folder. Next step: turn an original checkpoint into one with "
            f"`hilum convert {path} OUT --tokenizer DIR`."
        )
    if not path.is_dir():
        raise InputError(f"There is no folder {path}. Next step: check the path that was given as weights.")
    missing = [name for name in (SPEC, CONFIG, WEIGHTS, HEADS) if not (path / name).is_file()]
    if missing:
        raise InputError(
            f"{path} is no report encoder: it lacks {', '.join(missing)}. Next step: give a folder that "
            "`hilum convert` or `hilum train` wrote."
        )
    return path


def _read_spec(path: Path) -> tuple[EncoderSpec, Mapping[str, Any]]:
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _broken(path, error) from error
    if not isinstance(fields, dict) or fields.pop("format", None) != FORMAT:
        raise InputError(f"{path} is no {FORMAT} of hilum: its field 'format' says otherwise.")
    version = fields.pop("format_version", None)
    if version != FORMAT_VERSION:
        raise InputError(
            f"{path} has format version {version!r}, and this hilum reads {FORMAT_VERSION}. Next step: use the "
            "hilum that wrote it, or convert again."
        )
    fields.pop("hilum", None)
    tokenizer = fields.pop("tokenizer", None)
    return EncoderSpec.from_json(fields, where=str(path)), tokenizer if isinstance(tokenizer, dict) else {}


def _read_tensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        return safetensors.torch.load_file(path)
    except (OSError, safetensors.SafetensorError, ValueError) as error:
        raise _broken(path, error) from error


def _broken(path: Path, error: Exception) -> InputError:
    said = " ".join(str(error).split())[:200]
    return InputError(
        f"{path} cannot be read: {said}. Next step: write the folder again with `hilum convert`."
    )


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
    said = [
        _listed("lacks", [name for name in wanted if name not in tensors]),
        _listed("has unknown", [name for name in tensors if name not in wanted]),
        _listed(
            "has wrongly shaped",
            [
                f"{name} {list(tensors[name].shape)}, not {list(shape)}"
                for name, shape in wanted.items()
                if name in tensors and tuple(tensors[name].shape) != shape
            ],
        ),
        _listed(
            "has values that are no finite numbers in",
            [n for n, t in tensors.items() if not t.is_floating_point() or not bool(torch.isfinite(t).all())],
        ),
    ]
    problems = "; ".join(part for part in said if part)
    if problems:
        raise InputError(
            f"{where} does not fit the model: it {problems}. Next step: check that the file is whole, and that it "
            "was made for this kind of labeler."
        )


def _listed(verb: str, names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{verb} {len(names)} tensors ({', '.join(names[:_SHOWN])}{more})"


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
    digest = hashlib.sha256()
    for name in _deciding(folder):
        with (folder / name).open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{name}\0{content}\n".encode())
    return digest.hexdigest()


def _deciding(folder: Path) -> Iterable[str]:
    return sorted(n for n in (CONFIG, WEIGHTS, HEADS, SPEC, *TOKENIZER_FILES) if (folder / n).is_file())
