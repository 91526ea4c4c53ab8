"""Where a language model is: folders, hub ids, PEFT adapters, and the digest of what decides its answers."""

from __future__ import annotations

import hashlib
import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hilum.core.errors import InputError, MissingExtraError
from hilum.models._tokenizer import TOKENIZER_FILES
from hilum.models._weight_files import CONFIG, digest_of_files

ADAPTER, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")
_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
_SHOWN = 5


def base_and_adapter(source: str, adapter: str | Path | None) -> tuple[str, Path | None]:
    """The model that an adapter was made for, and the folder of the adapter, where there is one."""
    if adapter is None and not (Path(source) / ADAPTER).is_file():
        return source, None
    folder = Path(source if adapter is None else adapter)
    fields = _adapter_fields(folder)
    if adapter is not None:
        return source, folder
    base = fields.get("base_model_name_or_path")
    if not base:
        raise InputError(
            f"{folder / ADAPTER} does not name the model it was made for. Next step: name that model, and "
            "this folder as its adapter."
        )
    if not Path(base).is_dir() and not _HUB_ID.fullmatch(base):
        raise InputError(
            f"{folder} is an adapter for the model in {base}, and that folder is not there. Next step: name the folder "
            "of that model, and this one as its adapter."
        )
    return base, folder


def _adapter_fields(folder: Path) -> dict[str, Any]:
    if find_spec("peft") is None:
        raise MissingExtraError("peft", "llm")
    missing = [name for name in (ADAPTER, ADAPTER_WEIGHTS) if not (folder / name).is_file()]
    if missing:
        raise InputError(
            f"{folder} is no PEFT adapter that can be read: it lacks {', '.join(missing)}. Next step: save it with "
            "save_pretrained (safe_serialization=True)."
        )
    try:
        fields = json.loads((folder / ADAPTER).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{folder / ADAPTER} cannot be read: {said(error)}.") from error
    return fields if isinstance(fields, dict) else {}


def checked_source(source: str, revision: str | None) -> bool:
    """Whether the source is a folder here. Raises InputError when it is none, and no hub id."""
    path = Path(source)
    if path.is_dir():
        _check_folder(path)
        if revision is not None:
            raise InputError(
                f"{source} is a folder, and folders have no revision {revision!r}. Next step: leave the revision "
                "out, or give a hub id."
            )
        return True
    if path.is_file():
        raise InputError(
            f"{source} is a file, and a model is a folder (config.json, *.safetensors, tokenizer). Next step: name the "
            "folder; a GGUF file can be asked through a server (--endpoint)."
        )
    if not _HUB_ID.fullmatch(source):
        raise InputError(f"There is no folder {source}. Next step: check the path of the model.")
    return False


def _check_folder(path: Path) -> None:
    names = sorted(file.name for file in path.iterdir())
    if "hilum_encoder.json" in names:
        raise InputError(
            f"{path} is a report encoder of hilum, no language model. Next step: --labeler chexbert or mini."
        )
    if CONFIG not in names:
        raise _no_model(path, f"it lacks {CONFIG}")
    if not any(name.endswith(".safetensors") for name in names):
        pickled = [name for name in names if name.endswith(_PICKLED)]
        if pickled:
            raise InputError(
                f"{path} has its weights as pickle alone ({', '.join(pickled[:_SHOWN])}), which could run any code "
                "and is never read. Next step: take the safetensors of the model, or load and save it once where you "
                "trust it (save_pretrained writes safetensors)."
            )
        raise _no_model(path, "it lacks weights (*.safetensors)")
    if not any(name in names for name in _TOKENIZERS):
        raise _no_model(path, "it lacks a tokenizer (tokenizer.json)")


def _no_model(path: Path, why: str) -> InputError:
    return InputError(
        f"{path} is no language model that can be loaded: {why}. Next step: give a folder that save_pretrained of a "
        "model and its tokenizer wrote, or that hilum train llm wrote."
    )


def said(error: object) -> str:
    """An error in one line of at most 200 characters."""
    return " ".join(str(error).split())[:200].rstrip(".")


# --- digest ---


def model_digest(source: str, adapter: Path | None, local: bool, config: Any) -> str:
    """What tells a model, with its adapter, from all others: a digest of its files, or a hub id and its commit."""
    base = foldermodel_digest(Path(source)) if local else f"{source}@{getattr(config, '_commit_hash', None)}"
    if adapter is None:
        return base
    return hashlib.sha256(f"{base}\n{foldermodel_digest(adapter)}\n".encode()).hexdigest()


def foldermodel_digest(folder: Path) -> str:
    """SHA-256, in hex, over names and bytes of the files that decide what the model in a folder answers."""
    weights = [
        f.name for f in folder.iterdir() if f.name.endswith((".safetensors", ".safetensors.index.json"))
    ]
    others = (
        CONFIG,
        ADAPTER,
        "tokenizer.model",
        "chat_template.jinja",
        "chat_template.json",
        *TOKENIZER_FILES,
    )
    return digest_of_files(folder, sorted({*weights, *others}))
