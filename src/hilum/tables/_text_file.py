"""The text of an input: its encoding, and of csv how lines and cells are told apart."""

from __future__ import annotations

import io

from hilum.core.errors import InputError
from hilum.tables.binary import ByteInput
from hilum.tables.csv_records import CsvRecords
from hilum.tables.encoding import find_encoding

_HEAD = 1 << 20
_OTHER_DELIMITERS = {";": "semicolons", "\t": "tabs"}


class TextFile:
    """An input as text, in the encoding that was found; bytes that are none become U+FFFD.

    `notes` say what is odd about it. Raises InputError with `next_step` when it is empty.
    """

    def __init__(self, data: ByteInput, *, next_step: str, newline: str = "\n") -> None:
        found = find_encoding(data.open)
        if found.empty:
            raise InputError(f"{data.where} is empty. Next step: {next_step}.")
        self.encoding = found.name
        self.notes = list(found.notes)
        self._data = data
        self._newline = newline

    def open(self) -> io.TextIOWrapper:
        """The text from its first line."""
        return io.TextIOWrapper(
            self._data.open(), encoding=self.encoding, errors="replace", newline=self._newline
        )


class CsvFile(TextFile):
    """A csv or tsv file. Its `delimiter` is the one told, or what stands in the header where no comma does.

    `headers` are the cells of the first record. Raises InputError, besides, when all lines are blank.
    """

    def __init__(self, data: ByteInput, *, delimiter: str, next_step: str) -> None:
        super().__init__(data, next_step=next_step, newline="")
        self.delimiter = delimiter
        self._find_layout()
        with self.open() as file:
            self.headers = CsvRecords(iter(file), self.delimiter).header()
        if not self.headers:
            raise InputError(f"{data.where} has only blank lines. Next step: give a file with a header line.")

    def _find_layout(self) -> None:
        """Set line end and delimiter, with a note when it is not that of the extension."""
        with self.open() as file:
            head = file.read(_HEAD)
        self._newline = "\n" if "\n" in head or "\r" not in head else "\r"
        header = next((line for line in head.splitlines() if line.strip()), "")
        if self.delimiter == "," and "," not in header:
            for other, name in _OTHER_DELIMITERS.items():
                if other in header:
                    self.delimiter = other
                    self.notes.append(f"cells are separated by {name}")
                    return
