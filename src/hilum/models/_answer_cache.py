"""Answers on disk by what was asked: a job that was killed goes on where it was. No report text, no key, no address."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hilum.core.errors import InputError, OutputError
from hilum.models.engine import Question

CACHE_FILE = "answers.sqlite"
"""The name of the file in the folder of a cache."""

_FORMAT = 1
_BUSY_S = 60.0
_AT_ONCE = 500


class Kept(NamedTuple):
    """A stored answer: the word of a choice per item, and the tokens it took."""

    words: tuple[str, ...]
    read: int = 0
    written: int = 0


def cache_key(
    question: Question, *, model: str, server: str, schema: Mapping[str, Any], settings: Mapping[str, Any]
) -> str:
    """SHA-256 in hexadecimal of all that decides an answer.

    `server` belongs to it: many servers take any name for the one model that they have.
    """
    content = {
        "format": _FORMAT,
        "model": model,
        "server": server,
        "messages": [[message.role, message.content] for message in question.messages],
        "schema": schema,
        "items": list(question.items),
        "choices": list(question.choices),
        "settings": dict(settings),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode("ascii")).hexdigest()


class AnswerCache:
    """A SQLite file that threads and processes may share; every answer is on disk when `put` returns.

    A row is a digest, the words of the choices in the order of the items, and token counts. Failures are not kept.
    """

    def __init__(self, path: Path) -> None:
        """Raises InputError when the file is something else, OutputError when it cannot be written."""
        self.path = path
        self._lock = threading.Lock()
        self._owner = os.getpid()
        self._connection = _opened(path)

    def get(self, keys: Sequence[str]) -> dict[str, Kept]:
        """The stored answers among `keys`; a row that cannot be read is as good as none."""
        found: dict[str, Kept] = {}
        for start in range(0, len(keys), _AT_ONCE):
            part = list(keys[start : start + _AT_ONCE])
            marks = ",".join("?" * len(part))
            query = f"SELECT key, words, read, written FROM answers WHERE key IN ({marks})"  # noqa: S608  (marks)
            with self._lock, self._told():
                rows = self._connection.execute(query, part).fetchall()
            found.update((key, kept) for key, *row in rows if (kept := _kept(*row)) is not None)
        return found

    def put(self, key: str, kept: Kept) -> None:
        """Stores one answer. Raises OutputError when the disk is full or the file cannot be written."""
        row = (key, json.dumps(list(kept.words)), kept.read, kept.written)
        with self._lock, self._told():
            self._connection.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)", row)

    def totals(self) -> tuple[int, int, int]:
        """How many answers there are, and the tokens that were read and written for them."""
        with self._lock, self._told():
            row = self._connection.execute(
                "SELECT COUNT(*), TOTAL(read), TOTAL(written) FROM answers"
            ).fetchone()
        return int(row[0]), int(row[1]), int(row[2])

    def close(self) -> None:
        """Closes the file; the answers stay."""
        with self._lock:
            self._connection.close()

    @contextlib.contextmanager
    def _told(self) -> Any:
        if os.getpid() != self._owner:  # a forked process must not use its parent's connection
            self._owner, self._connection = os.getpid(), _opened(self.path)
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise _reason(self.path, error) from None


def _opened(path: Path) -> sqlite3.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise OutputError(
            f"The file of answers {path} cannot be opened: {error}. Next step: another path for the cache."
        ) from None
    try:
        _prepare(connection, path)
    except sqlite3.DatabaseError as error:
        connection.close()
        raise _reason(path, error) from None
    except InputError:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if (tables and "answers" not in tables) or version not in (0, _FORMAT):
        raise InputError(
            f"{path} is no file of answers of this version of hilum (format {version}, known: {_FORMAT}). "
            "Next step: another path for the cache."
        )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, words TEXT NOT NULL, "
        "read INTEGER NOT NULL, written INTEGER NOT NULL) WITHOUT ROWID"
    )
    connection.execute(f"PRAGMA user_version = {_FORMAT}")


def _reason(path: Path, error: sqlite3.DatabaseError) -> InputError | OutputError:
    if isinstance(error, sqlite3.OperationalError):
        return OutputError(
            f"The file of answers {path} cannot be used: {error}. Next step: make room or give write access, "
            "or another path for the cache."
        )
    return InputError(
        f"{path} is no file of answers, or it is damaged: {error}. Next step: another path for the cache."
    )


def _kept(words: Any, read: Any, written: Any) -> Kept | None:
    try:
        found = json.loads(words)
    except (TypeError, ValueError):
        return None
    if not isinstance(found, list) or not all(isinstance(word, str) for word in found):
        return None
    return Kept(tuple(found), int(read or 0), int(written or 0))
