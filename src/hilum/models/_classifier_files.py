"""The folder of an image classifier: what is written, and what is checked when it is read. Never pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hilum.core.errors import InputError, OutputError
from hilum.core.version import VERSION
from hilum.models._neural import safetensors, torch, transformers
from hilum.models.classifier_spec import FORMAT, FORMAT_VERSION, ClassifierSpec

CONFIG, WEIGHTS, SPEC = "config.json", "model.safetensors", "hilum_classifier.json"
HEAD = "classifier."
"""The tensors of the head; all others are the backbone's, under its own names."""

COUNTER = "num_batches_tracked"
"""How many batches a norm has seen; it decides no output and is not written."""

_SHOWN = 5

Tensors = Mapping[str, torch.Tensor]


def write_folder(
    folder: Path, *, backbone: torch.nn.Module, head: torch.nn.Module, spec: ClassifierSpec
) -> None:
    """Write all files of a classifier; see `classifier.save_classifier`."""
    fields = {"format": FORMAT, "format_version": FORMAT_VERSION, "hilum": VERSION, **spec.to_json()}
    tensors = dict(backbone.state_dict())
    tensors |= {HEAD + name: tensor for name, tensor in head.state_dict().items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / WEIGHTS).write_bytes(safetensors.torch.save(_plain(tensors), metadata={"format": "pt"}))
        if isinstance(spec.architecture, str):
            _write_config(folder, backbone.config)
        else:
            (folder / CONFIG).unlink(missing_ok=True)
        text = json.dumps(fields, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        (folder / SPEC).write_text(text, encoding="utf-8", newline="\n")
    except (OSError, safetensors.SafetensorError) as error:
        raise OutputError(f"{folder} cannot be written: {error}. Next step: name another folder.") from error


def _plain(tensors: Tensors) -> dict[str, torch.Tensor]:
    """Float32 copies on the CPU in the order of their names, without counters."""
    return {
        name: tensor.detach().to("cpu", torch.float32, copy=True).contiguous()
        for name, tensor in sorted(tensors.items())
        if not name.endswith(COUNTER)
    }


def _write_config(folder: Path, config: Any) -> None:
    """The configuration without fields of one process, as `from_pretrained` reads it."""
    kept = {name: value for name, value in config.to_diff_dict().items() if not name.startswith("_")}
    text = json.dumps(kept, indent=2, sort_keys=True, default=str) + "\n"
    (folder / CONFIG).write_text(text, encoding="utf-8", newline="\n")


def read_spec(folder: str | Path | None) -> tuple[Path, ClassifierSpec]:
    """The folder and its spec. Raises InputError when it is no image classifier."""
    path = _folder(folder)
    file = path / SPEC
    try:
        fields = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _broken(file, error) from error
    if not isinstance(fields, dict) or fields.pop("format", None) != FORMAT:
        raise InputError(f"{file} is no {FORMAT} of hilum: its field 'format' says otherwise.")
    version = fields.pop("format_version", None)
    if version != FORMAT_VERSION:
        raise InputError(
            f"{file} has format version {version!r}, and this hilum reads {FORMAT_VERSION}. Next step: use the hilum "
            "that wrote it."
        )
    fields.pop("hilum", None)
    spec = ClassifierSpec.from_json(fields, where=str(file))
    if isinstance(spec.architecture, str) and not (path / CONFIG).is_file():
        raise InputError(f"{path} lacks {CONFIG}, which the backbone {spec.architecture} needs.")
    return path, spec


def _folder(folder: str | Path | None) -> Path:
    if folder is None or not str(folder):
        raise InputError(
            "No image classifier was given. Next step: --weights DIR with a folder that `hilum train classifier` "
            "wrote."
        )
    path = Path(folder)
    if path.is_file():
        raise InputError(
            f"{path} is a file, and an image classifier is a folder. Next step: turn a checkpoint into one with "
            "hilum.models.classifier_checkpoint.convert_classifier."
        )
    if not path.is_dir():
        raise InputError(f"There is no folder {path}. Next step: check the path that was given as weights.")
    missing = [name for name in (SPEC, WEIGHTS) if not (path / name).is_file()]
    if missing:
        raise InputError(
            f"{path} is no image classifier: it lacks {', '.join(missing)}. Next step: give a folder that "
            "`hilum train classifier` wrote."
        )
    return path


def read_config(folder: Path) -> Any:
    """The configuration of a backbone of transformers."""
    try:
        return transformers.AutoConfig.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError) as error:
        raise _broken(folder / CONFIG, error) from error


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file. Raises InputError when it is none."""
    try:
        return safetensors.torch.load_file(path)
    except (OSError, safetensors.SafetensorError, ValueError) as error:
        raise _broken(path, error) from error


def _broken(path: Path, error: Exception) -> InputError:
    said = " ".join(str(error).split())[:200]
    return InputError(f"{path} cannot be read: {said}. Next step: check that the file is whole.")


def load_parts(backbone: torch.nn.Module, head: torch.nn.Module, tensors: Tensors, *, where: str) -> None:
    """Put the tensors of `write_folder` into the model. Raises InputError when they are not exactly its own."""
    own = {name: tensor for name, tensor in backbone.state_dict().items() if not name.endswith(COUNTER)}
    own |= {HEAD + name: tensor for name, tensor in head.state_dict().items()}
    check_fit(tensors, {name: tuple(tensor.shape) for name, tensor in own.items()}, where=where)
    load_backbone(backbone, {name: t for name, t in tensors.items() if not name.startswith(HEAD)})
    head.load_state_dict({n.removeprefix(HEAD): t for n, t in tensors.items() if n.startswith(HEAD)})


def load_backbone(backbone: torch.nn.Module, tensors: Tensors) -> None:
    """Put checked tensors into a backbone; its counters stay."""
    counters = {name: tensor for name, tensor in backbone.state_dict().items() if name.endswith(COUNTER)}
    backbone.load_state_dict({**counters, **{name: tensor.float() for name, tensor in tensors.items()}})


def check_fit(tensors: Tensors, wanted: Mapping[str, tuple[int, ...]], *, where: str) -> None:
    """Raises InputError, which names a few, when tensors are missing, extra, wrongly shaped or not finite."""
    shared = [name for name in wanted if name in tensors]
    said = [
        _listed("lacks", [name for name in wanted if name not in tensors]),
        _listed("has unknown", [name for name in tensors if name not in wanted]),
        _listed(
            "has wrongly shaped",
            [
                f"{name} {list(tensors[name].shape)}, not {list(wanted[name])}"
                for name in shared
                if tuple(tensors[name].shape) != wanted[name]
            ],
        ),
        _listed(
            "has values that are no finite numbers in",
            [
                n
                for n in shared
                if not tensors[n].is_floating_point() or not bool(tensors[n].isfinite().all())
            ],
        ),
    ]
    problems = "; ".join(part for part in said if part)
    if problems:
        raise InputError(
            f"{where} does not fit the model: it {problems}. Next step: check that the file is whole, and that it was "
            "made for this architecture."
        )


def _listed(verb: str, names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{verb} {len(names)} tensors ({', '.join(names[:_SHOWN])}{more})"


def digest_of(folder: Path) -> str:
    """SHA-256, in hex, over names and bytes of the files that decide the probabilities of a classifier's folder."""
    digest = hashlib.sha256()
    for name in (CONFIG, WEIGHTS, SPEC):
        if (folder / name).is_file():
            with (folder / name).open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            digest.update(f"{name}\0{content}\n".encode())
    return digest.hexdigest()
