"""Files of torch.save by others, read without running their code."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

from hilum.core.errors import InputError
from hilum.models._neural import torch

_REFUSED = re.compile(r"GLOBAL ([\w.]+)|(?:class|function|global) ['\"]?([\w.]+)", re.IGNORECASE)


def check_file(path: Path, *, give: str) -> None:
    """Raises InputError, which says what to give, when the path is no file."""
    if not path.is_file():
        kind = "a folder, not a file" if path.is_dir() else "not there"
        raise InputError(f"{path} is {kind}. Next step: give {give}.")


def load_plain(path: Path, *, why_refused: Callable[[str | None, str], str]) -> object:
    """Tensors on the CPU, and plain values, as the file has them.

    `why_refused` gets the name that the file asks for (None where torch names none) and the beginning of what torch
    said. Raises InputError for a file with anything else in it, or that is broken.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        text = " ".join(str(error).split())
        found = _REFUSED.search(text)
        asked = found.group(1) or found.group(2) if found else None
        raise InputError(f"{path} was not loaded: {why_refused(asked, text[:160])}") from error
    except Exception as error:  # torch and zipfile raise whatever a broken file makes them
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(
            f"{path} is no checkpoint that torch can read: {said}. Next step: check that the file is whole."
        ) from error
