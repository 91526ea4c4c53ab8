"""Where an image comes from: a path, bytes or an open file; and what it is, by its first bytes."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from hilum.images._picture import refuse

Source = Path | str | bytes | bytearray | memoryview | IO[bytes]
"""What `read_image` takes."""

PNG, JPEG, DICOM = "PNG", "JPEG", "DICOM"

_SUFFIXES = {
    ".png": PNG,
    ".jpg": JPEG,
    ".jpeg": JPEG,
    ".jpe": JPEG,
    ".dcm": DICOM,
    ".dicom": DICOM,
    ".dic": DICOM,
}
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a ZIP archive"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\x1f\x8b", "a gzip file"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ\x00", "an xz file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"GIF8", "a GIF"),
    (b"II*\x00", "a TIFF"),
    (b"MM\x00*", "a TIFF"),
    (b"II+\x00", "a TIFF"),
    (b"MM\x00+", "a TIFF"),
    (b"BM", "a BMP"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture outside DICOM"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture outside DICOM"),
    (b"%PDF", "a PDF"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89HDF", "an HDF5 file"),
)
_ARCHIVES = ("archive", "gzip", "bzip2", "xz")


class Opened(NamedTuple):
    """An open source: its name for messages, the file at its first byte, its size in bytes."""

    name: str
    file: IO[bytes]
    size: int


@contextmanager
def opened(source: Source, name: str | None) -> Iterator[Opened]:
    """The source, open for reading. Raises ImageError for what cannot be opened, for folders and empty files."""
    if isinstance(source, bytes | bytearray | memoryview):
        yield _sized(name or "the image in memory", io.BytesIO(source))
    elif isinstance(source, Path | str):
        label = name or str(source)
        with _open_path(Path(source), label) as file:
            yield _sized(label, file)
    else:
        yield _sized(name or str(getattr(source, "name", "the open file")), _seekable(source))


def _open_path(path: Path, name: str) -> IO[bytes]:
    try:
        if path.is_dir():
            raise refuse(name, "is a folder", "name a file")
        return path.open("rb")
    except (OSError, ValueError) as error:
        reason = "does not exist" if isinstance(error, FileNotFoundError) else f"cannot be opened: {error}"
        raise refuse(name, reason, "check the path") from error


def _seekable(file: IO[bytes]) -> IO[bytes]:
    """The file itself, or, of a stream that cannot go back, all of it."""
    return file if file.seekable() else io.BytesIO(file.read())


def _sized(name: str, file: IO[bytes]) -> Opened:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if size == 0:
        raise refuse(name, "is empty (0 bytes)", "fetch or write it again")
    return Opened(name, file, size)


def detect(source: Opened) -> tuple[str, list[str]]:
    """PNG, JPEG or DICOM by content, and a note when the name says another. Raises ImageError for all else."""
    head = source.file.read(512)
    source.file.seek(0)
    suffix = Path(source.name).suffix.lower()
    kind = _kind(head)
    promised = _SUFFIXES.get(suffix)
    if kind is None:
        ending = f", although its name ends in {suffix}" if promised else ""
        raise refuse(source.name, f"is {_other(head)}{ending}", _step(head))
    odd = promised is not None and promised != kind
    return kind, [f"its name ends in {suffix}, its content is {kind}"] if odd else []


def _kind(head: bytes) -> str | None:
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if head.startswith(b"\xff\xd8\xff"):
        return JPEG
    return DICOM if head[128:132] == b"DICM" or _bare_dicom(head) else None


def _bare_dicom(head: bytes) -> bool:
    """Whether the bytes start with a data element of group 2 or 8, as DICOM without its preamble does."""
    explicit = rb"([\x02\x08]\x00[\x00-\x70]\x00|\x00\x08\x00[\x00-\x70])[A-Z]{2}"
    implicit = rb"\x08\x00[\x00-\x70]\x00[\x00-\x80]\x00\x00\x00"
    return bool(re.match(explicit, head[:6]) or re.match(implicit, head[:8]))


def _other(head: bytes) -> str:
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "a WebP picture"
    for magic, what in _OTHERS:
        if head.startswith(magic):
            return what
    if head[:8] in (b"\x89PNG\r\n\x1a\n"[: len(head)], b"\xff\xd8\xff"[: len(head)]):
        return f"cut after {len(head)} bytes"
    try:
        text = head.decode("utf-8", errors="strict" if len(head) < 512 else "ignore")
    except UnicodeDecodeError:
        return "no image hilum knows"
    return "a text file" if all(c.isprintable() or c.isspace() for c in text) else "no image hilum knows"


def _step(head: bytes) -> str:
    what = _other(head)
    if any(word in what for word in _ARCHIVES):
        return "unpack it and give the images in it"
    if "text" in what:
        return "check whether a download failed: the first line of the file may say why"
    return "convert it to PNG without changing its grey values, or fetch it again"
