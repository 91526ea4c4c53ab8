"""What jobs over image files have in common: what makes two of them the same, the list of bad images, file names."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from hilum.core.errors import InputError, MissingExtraError, OutputError
from hilum.runner.store import PartStore
from hilum.tables.write import assemble, encode_rows

if TYPE_CHECKING:
    from hilum.api._predict_images import Items

ROWS, FAILED, COUNTS = "rows", "failed", "counts"
"""Parts of a chunk: rows in the output format, images that could not be used, counts."""

PACKAGES = ("torch", "transformers", "safetensors", "cv2")
"""What such jobs need, of the extras `neural` and `images`."""


def check_installed() -> None:
    """Raises MissingExtraError when a package is not installed."""
    for package in PACKAGES:
        if find_spec(package) is None:
            raise MissingExtraError(package, "neural,images")


def check_model_folder(folder: Path, spec: str, *, option: str, called: str, writer: str) -> None:
    """Raises InputError when there is no such folder, or it is that of a training, with the model in a folder of it."""
    if not folder.exists():
        raise InputError(
            f"There is no folder {folder}. Next step: check {option}; it is a folder that `{writer}` wrote, such as "
            "run/model."
        )
    inside = folder / "model"
    if not (folder / spec).is_file() and (inside / spec).is_file():
        raise InputError(
            f"{folder} is the folder of a whole training, and its {called} is in {inside}. Next step: "
            f"{option} {inside}"
        )


def digest_of_items(found: Items) -> str:
    """SHA-256 over the images of a job in order: their paths, sizes and cells."""
    total = hashlib.sha256()
    for item in found.items:
        path = Path(item.path)
        size = path.stat().st_size if path.is_file() else -1
        total.update(f"{item.path}\0{size}\0{item.cells!r}\n".encode("utf-8", "surrogatepass"))
    return total.hexdigest()


def list_failed(path: Path, bad: Sequence[tuple[str, str]], store: PartStore) -> Path | None:
    """Write the list of what could not be used; None, and no file, when there is nothing."""
    if not bad:
        path.unlink(missing_ok=True)
        return None
    part = store.path(0, ROWS).with_name(FAILED)
    part.write_bytes(encode_rows(("image", "reason"), bad, "csv"))
    assemble([part], path, ("image", "reason"), "csv")
    part.unlink()
    return path


def none_of(images: int) -> str:
    """The beginning of a message when no image could be used."""
    return "The image could not be used" if images == 1 else f"None of {images:,} images could be used"


def make_folder(path: str | Path) -> Path:
    """The folder, made when it is not there. Raises OutputError."""
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be made: {error.strerror or error}. Next step: name a folder."
        ) from error
    return folder


def file_name(text: str) -> str:
    """A name as part of a file name: letters, digits, dot and dash."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", text).strip("-.") or "image"
