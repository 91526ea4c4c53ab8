"""Where the finished parts of a run are kept, so that a run that was stopped can go on."""

from __future__ import annotations

import errno
import json
import os
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

from hilum.core.errors import OutputError, ResumeError

_OURS = re.compile(r"(\d{8}\.[A-Za-z0-9_]+|manifest\.json)(\.tmp)?")
_MARK = "done"
_MANIFEST = "manifest.json"
_LOCK = "lock"


class PartStore(Protocol):
    """Keeps the named parts of numbered chunks. A chunk is there whole or not at all.

    Another backend implements these six methods and passes `tests/runner/test_store.py`.
    """

    def open(self, job: Mapping[str, object], *, fresh: bool = False) -> None:
        """Lock the store and make it belong to `job` (plain JSON values); `fresh` forgets what is there.

        Raises ResumeError when it is in use, or holds finished parts of a different job (naming what differs).
        """
        ...

    def has(self, chunk: int) -> bool:
        """Whether all parts of a chunk are there, byte for byte as they were saved."""
        ...

    def save(self, chunk: int, parts: Mapping[str, bytes]) -> None:
        """Keep the parts of a chunk. Raises OutputError when there is no room or no permission."""
        ...

    def path(self, chunk: int, name: str) -> Path:
        """A local file that holds one part of a saved chunk."""
        ...

    def remove(self) -> None:
        """Forget everything and unlock."""
        ...

    def close(self) -> None:
        """Unlock; the parts stay. Does nothing when the store is not open."""
        ...


class FolderStore:
    """A `PartStore` in a folder: `manifest.json`, `lock`, and per chunk `00000012.NAME` and `00000012.done`.

    The `.done` file is written last and records size and CRC-32 of each part, so that a part that was torn by
    a kill or a power cut is seen and made again; nothing else in the folder is trusted or touched. With `parts_alone`
    these parts are all that a run keeps: one that finished none (its server was down) keeps no other job out.
    """

    def __init__(self, folder: Path, *, parts_alone: bool = False) -> None:
        self.folder = folder
        self._parts_alone = parts_alone
        self._lock: IO[str] | None = None

    def open(self, job: Mapping[str, object], *, fresh: bool = False) -> None:
        """Lock the folder, made if need be, and check or write the manifest (see `PartStore.open`)."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = _take_lock(self.folder)
            self._open(json.loads(json.dumps(job)), fresh=fresh)
        except OSError as error:
            self.close()
            raise _cannot_write(self.folder, error) from error
        except BaseException:
            self.close()
            raise

    def _open(self, job: Mapping[str, Any], *, fresh: bool) -> None:
        earlier = None if fresh else self._manifest()
        if earlier is None or (earlier != job and self._parts_alone and not self._has_any()):
            self._clear()
            _write(self.folder / _MANIFEST, json.dumps(job, indent=1).encode(), sync=True)
        elif differing := list(differences(earlier, job)):
            raise ResumeError(
                f"{self.folder} holds the parts of a run that was not the same: "
                f"{'; '.join(differing)}. Next step: put it back as it was to go on, choose another output, or "
                "start again from nothing with --fresh (in Python: fresh=True), which removes what is there."
            )

    def _has_any(self) -> bool:
        return any(_OURS.fullmatch(p.name) and p.suffix == f".{_MARK}" for p in self.folder.iterdir())

    def _manifest(self) -> Mapping[str, Any] | None:
        try:
            found = json.loads((self.folder / _MANIFEST).read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def has(self, chunk: int) -> bool:
        """Whether the parts of a chunk have the sizes and checksums that its `.done` file records."""
        try:
            mark = json.loads(self.path(chunk, _MARK).read_bytes())
            return all(_seal(self.path(chunk, name).read_bytes()) == seal for name, seal in mark.items())
        except (FileNotFoundError, ValueError, AttributeError):
            return False

    def save(self, chunk: int, parts: Mapping[str, bytes]) -> None:
        """Write each part under a temporary name, rename it, and write the `.done` file last."""
        try:
            for name, content in parts.items():
                _write(self.path(chunk, name), content)
            mark = {name: _seal(content) for name, content in parts.items()}
            _write(self.path(chunk, _MARK), json.dumps(mark).encode())
        except OSError as error:
            raise _cannot_write(self.folder, error) from error

    def path(self, chunk: int, name: str) -> Path:
        """The file of one part."""
        return self.folder / f"{chunk:08d}.{name}"

    def remove(self) -> None:
        """Delete our files, the manifest last, and the folder if nothing of anybody else's is in it."""
        self._clear()
        (self.folder / _LOCK).unlink(missing_ok=True)
        self.close()
        try:
            self.folder.rmdir()
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise _cannot_write(self.folder, error) from error

    def close(self) -> None:
        """Let go of the lock."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _clear(self) -> None:
        ours = [p for p in self.folder.iterdir() if _OURS.fullmatch(p.name)]
        for path in sorted(ours, key=lambda p: p.name == _MANIFEST):
            path.unlink()


def _seal(content: bytes) -> list[int]:
    return [len(content), zlib.crc32(content)]


def _write(path: Path, content: bytes, *, sync: bool = False) -> None:
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        file.write(content)
        if sync:
            file.flush()
            os.fsync(file.fileno())
    temporary.replace(path)


def _cannot_write(folder: Path, error: OSError) -> OutputError:
    return OutputError(
        f"Cannot write in {folder}: {error.strerror or error}. What was finished is kept. "
        "Next step: make room or choose another output, then run the same command again to go on."
    )


def differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """One line per setting that differs between two jobs (plain JSON values): its name, what it was, what it is now."""
    for key in dict.fromkeys((*old, *new)):
        was, now = old.get(key), new.get(key)
        if isinstance(was, dict) and isinstance(now, dict):
            yield from differences(was, now, f"{prefix}{key}.")
        elif was != now:
            yield f"{prefix}{key} was {was!r} and is now {now!r}"


def _take_lock(folder: Path) -> IO[str]:
    """An exclusive lock on `folder`, held until the file is closed or its process ends, however it ends."""
    path = folder / _LOCK
    while True:
        file = path.open("a+", encoding="ascii")
        try:
            if not _lock_file(file):
                file.seek(0)
                raise ResumeError(
                    f"{folder} is in use by another hilum (process {file.read().strip() or 'unknown'}). "
                    "Next step: wait until it has ended, or choose another output."
                )
            if path.exists() and os.path.samestat(path.stat(), os.fstat(file.fileno())):
                file.truncate(0)
                file.write(str(os.getpid()))
                file.flush()
                return file
        except BaseException:
            file.close()
            raise
        file.close()


def _lock_file(file: IO[str]) -> bool:
    try:
        import fcntl  # noqa: PLC0415  (there is none on Windows)
    except ImportError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _HELD
    return True


_HELD: Sequence[int] = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)
"""Any other error means that the file system has no locks: then the run goes on without one."""
