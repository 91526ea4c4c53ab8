"""What a run keeps so that it can go on: written whole or not at all, and read without running code."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import safetensors.torch
import torch

from hilum.core.errors import OutputError, ResumeError

STATE = "resume.pt"
LOG = "log.jsonl"


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write tensors, numbers, texts, lists and dictionaries so that `path` holds the old or the new, never half.

    Raises OutputError when there is no room or no permission.
    """
    write_whole(path, lambda file: torch.save(dict(state), file))


def load_state(path: Path) -> dict[str, Any] | None:
    """What `save_state` wrote, on the CPU; None when there is nothing. Raises ResumeError when it cannot be read."""
    if not path.exists():
        return None
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ResumeError(
            f"{path} cannot be read: {' '.join(str(error).split())[:200]}. Next step: start again from nothing with "
            "--fresh."
        ) from error
    return dict(found)


def save_weights(path: Path, model: torch.nn.Module) -> None:
    """Write the weights of a model as safetensors, whole or not at all."""
    tensors = {
        name: tensor.detach().to("cpu", copy=True).contiguous()
        for name, tensor in sorted(model.state_dict().items())
    }
    content = safetensors.torch.save(tensors, metadata={"format": "pt"})
    write_whole(path, lambda file: file.write(content))


def load_weights(path: Path, model: torch.nn.Module) -> None:
    """Put weights that `save_weights` wrote into the same kind of model."""
    try:
        model.load_state_dict(safetensors.torch.load_file(path))
    except (OSError, safetensors.SafetensorError, RuntimeError) as error:
        raise ResumeError(
            f"{path} cannot be read: {' '.join(str(error).split())[:200]}. Next step: start again from nothing with "
            "--fresh."
        ) from error


def write_whole(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file under a temporary name, sync it, and give it its name.

    Raises OutputError when there is no room or no permission; what was there before stays.
    """
    temporary = path.with_name(path.name + ".tmp")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except (OSError, RuntimeError) as error:  # torch.save says RuntimeError when a disk is full
        temporary.unlink(missing_ok=True)
        raise OutputError(
            f"{path} cannot be written: {' '.join(str(error).split())[:200]}. What was saved before is kept. "
            "Next step: make room, then run the same command again to go on."
        ) from error


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write one JSON object, whole or not at all."""
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    write_whole(path, lambda file: file.write(text.encode()))


def replace_folder(folder: Path, write: Callable[[Path], object]) -> None:
    """Write a folder under a temporary name and give it its name; what was there before is removed."""
    temporary = folder.with_name(folder.name + ".tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    write(temporary)
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)


class RunLog:
    """One JSON object per line. A run that goes on takes away the lines of what it does again."""

    def __init__(self, path: Path, *, keep: int) -> None:
        self._file = path.open("ab")
        self._file.truncate(min(keep, self._file.seek(0, os.SEEK_END)))
        self._file.seek(0, os.SEEK_END)

    @property
    def size(self) -> int:
        """Bytes that were written."""
        return self._file.tell()

    def write(self, line: Mapping[str, Any]) -> None:
        """Append one line."""
        self._file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
