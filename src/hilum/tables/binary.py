"""Bytes of an input that can be read again and again: a file, a gzip file, or standard input kept aside."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import tempfile
import threading
import weakref
import zlib
from pathlib import Path
from typing import BinaryIO, Protocol

from hilum.core.errors import InputError

_BLOCK = 1 << 20


class ByteInput(Protocol):
    """Bytes with a name, that `open()` gives from their first one, as often as asked."""

    where: str
    notes: list[str]

    def open(self) -> BinaryIO:
        """The content as a binary file, unpacked."""
        ...

    def size(self) -> int | None:
        """Bytes of the content; None when unknown."""
        ...

    def fingerprint(self) -> str:
        """SHA-256 of the input as it is stored."""
        ...


class PlainFile:
    """A file on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.where = str(path)
        self.notes: list[str] = []
        try:
            with path.open("rb"):
                pass
        except OSError as error:
            raise input_error(error, path) from error

    def open(self) -> BinaryIO:
        """The file from its first byte."""
        return self.path.open("rb")

    def size(self) -> int | None:
        """Its size."""
        return self.path.stat().st_size

    def fingerprint(self) -> str:
        """SHA-256 of the file."""
        with self.path.open("rb") as file:
            return digest(file)


class GzipFile(PlainFile):
    """A gzip file on disk; when it is truncated or damaged, what can be unpacked is kept and said so."""

    def open(self) -> BinaryIO:
        """The unpacked content."""
        return io.BufferedReader(_Forgiving(self.path, self.notes), _BLOCK)

    def size(self) -> int | None:
        """None: the unpacked size is not known."""
        return None


class _Forgiving(io.RawIOBase):
    def __init__(self, path: Path, notes: list[str]) -> None:
        self._file = gzip.open(path, "rb")  # noqa: SIM115 - closed by close()
        self._notes = notes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        try:
            data = self._file.read1(len(buffer))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            note = f"the gzip file is truncated or damaged ({error}); the rows up to there are kept"
            if note not in self._notes:
                self._notes.append(note)
            return 0
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


class KeptStream:
    """A stream that can be read once, kept in an unnamed temporary file so that it can be read again."""

    def __init__(self, stream: BinaryIO, where: str) -> None:
        self.where = where
        self.notes: list[str] = ["standard input cannot resume: a run that is stopped starts again from zero"]
        self._lock = threading.Lock()
        self._file = tempfile.TemporaryFile(prefix="hilum-")  # noqa: SIM115 - lives as long as the source
        weakref.finalize(self, self._file.close)
        try:
            shutil.copyfileobj(stream, self._file, _BLOCK)
            self._file.flush()
        except OSError as error:
            raise InputError(
                f"{where} could not be kept in the temporary folder {tempfile.gettempdir()}: "
                f"{error.strerror}. "
                "Next step: make room there, point TMPDIR elsewhere, or save the input as a file."
            ) from error
        self._size = self._file.tell()

    def open(self) -> BinaryIO:
        """The kept bytes from the first one."""
        return io.BufferedReader(_View(self), _BLOCK)

    def size(self) -> int | None:
        """Number of bytes kept."""
        return self._size

    def fingerprint(self) -> str:
        """SHA-256 of the bytes kept."""
        with self.open() as file:
            return digest(file)

    def read_at(self, place: int, count: int) -> bytes:
        """Up to `count` bytes from `place` on."""
        with self._lock:
            self._file.seek(place, os.SEEK_SET)
            return self._file.read(count)


class _View(io.RawIOBase):
    def __init__(self, kept: KeptStream) -> None:
        self._kept = kept
        self._place = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = self._kept.read_at(self._place, len(buffer))
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)


def digest(file: BinaryIO) -> str:
    """SHA-256 of what is left of a binary file, as "sha256:<hex>"."""
    value = hashlib.sha256()
    while block := file.read(_BLOCK):
        value.update(block)
    return f"sha256:{value.hexdigest()}"


def input_error(error: OSError, path: Path) -> InputError:
    """An InputError for a file that cannot be opened."""
    if isinstance(error, FileNotFoundError):
        return InputError(f"There is no file or folder {path}. Next step: check the name and the folder.")
    if isinstance(error, PermissionError):
        return InputError(f"{path} may not be read. Next step: change its permissions.")
    return InputError(f"{path} cannot be read: {error.strerror or error}.")
