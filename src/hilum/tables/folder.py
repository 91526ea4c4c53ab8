"""A folder of text files, one report a file."""

from __future__ import annotations

import hashlib
import os
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

from hilum.tables.binary import digest, input_error
from hilum.tables.columns import find_text_column
from hilum.tables.encoding import decode
from hilum.tables.source import InputRow, ReportSource, natural_key

MAX_FILE = 64 << 20
"""Bytes that one report file may have."""

COLUMNS = ("id", "text")


def list_files(folder: Path) -> list[str]:
    """Names relative to `folder` of all files in it and below, hidden ones left out, in natural order."""
    names: list[str] = []

    def refuse(error: OSError) -> None:
        raise input_error(error, Path(error.filename or folder)) from error

    for root, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [f for f in folders if not f.startswith(".")]
        base = Path(root).relative_to(folder)
        names += [(base / f).as_posix() for f in files if not f.startswith(".")]
    return sorted(names, key=natural_key)


class FolderSource(ReportSource):
    """Report files of a folder, read one by one; columns `id` (name without extension) and `text`."""

    def __init__(
        self, folder: Path, names: Sequence[str], *, format_name: str, others: int, column: str | None
    ) -> None:
        self._folder = folder
        self._names = tuple(names)
        text_column = find_text_column(COLUMNS, wanted=column, where=str(folder))
        super().__init__(format_name=format_name, columns=COLUMNS, text_column=text_column)
        if others:
            self._opening_notes.append(f"{others:,} files of other kinds in the folder are not read")

    def _read(self) -> Iterator[InputRow]:
        for name in self._names:
            yield self.read_one(name)

    def read_one(self, name: str) -> InputRow:
        """The row of one file; UNREADABLE, with the reason, when it cannot be opened or is too large."""
        row_id = name.rsplit(".", 1)[0]
        path = self._folder / name
        try:
            if path.stat().st_size > MAX_FILE:
                return self.refused(row_id, f"{name} has more than {MAX_FILE >> 20} MiB")
            data = path.read_bytes()
        except OSError as error:
            return self.refused(row_id, f"{name} cannot be read: {error.strerror or error}")
        return self.row_of(row_id, data)

    @abstractmethod
    def row_of(self, row_id: str, data: bytes) -> InputRow:
        """The row of one file's bytes."""

    def refused(self, row_id: str, problem: str) -> InputRow:
        """An UNREADABLE row that keeps its id."""
        self._reading_notes["files are unreadable; each row says why"] += 1
        return self._unreadable("", problem)._replace(cells=(row_id, None))

    def fingerprint(self) -> str:
        """SHA-256 over the names and contents of all files, in order."""
        value = hashlib.sha256()
        for name in self._names:
            try:
                with (self._folder / name).open("rb") as file:
                    content = digest(file)
            except OSError as error:
                content = f"unreadable {error.errno}"
            value.update(f"{name}\0{content}\0".encode("utf-8", "surrogateescape"))
        return f"sha256:{value.hexdigest()}"

    def row_count_hint(self) -> int | None:
        """The exact number of files."""
        return len(self._names)


class TextFolder(FolderSource):
    """A folder of .txt files; each has its own encoding, found by the rules of `encoding.find_encoding`."""

    def __init__(self, folder: Path, names: Sequence[str], *, others: int, column: str | None) -> None:
        super().__init__(folder, names, format_name="txt-folder", others=others, column=column)

    def row_of(self, row_id: str, data: bytes) -> InputRow:
        """The row of one text file."""
        text, notes = decode(data)
        if notes:
            self._reading_notes["text files needed another encoding or hold NULs; each row says which"] += 1
        return self._row((row_id, text), "; ".join(notes))
