"""What to make of a csv record whose quotes do not fit: split one line without a fault ever spreading."""

from __future__ import annotations

import re
from typing import NamedTuple

_QUOTES = re.compile('"+')


class Split(NamedTuple):
    """Cells of a text taken as one record.

    `closed` is False when the last cell starts with a quote that never ends. `clean` is False when a quote
    stands where csv allows none.
    """

    cells: list[str]
    closed: bool
    clean: bool


def split_record(record: str, delimiter: str) -> Split:
    """Split a text as one csv record, whatever its quotes; time is linear in its length.

    A cell that starts with a quote ends at an odd run of quotes before a delimiter or the end; quotes
    elsewhere are kept as they are. In a closed cell a doubled quote stands for one.
    """
    body = record.rstrip("\r\n") if record.endswith(("\r", "\n")) else record
    cells: list[str] = []
    clean = True
    place = 0
    while True:
        if body.startswith('"', place):
            end, cell, fits = _quoted(body, place, delimiter)
            clean = clean and fits
            if end < 0:
                cells.append(record[place + 1 :].replace('""', '"'))
                return Split(cells, closed=False, clean=clean)
        else:
            end = body.find(delimiter, place)
            end = len(body) if end < 0 else end
            cell = body[place:end]
            clean = clean and '"' not in cell
        cells.append(cell)
        if end >= len(body):
            return Split(cells, closed=True, clean=clean)
        place = end + 1


def _quoted(body: str, place: int, delimiter: str) -> tuple[int, str, bool]:
    """End of the quoted cell that starts at `place` (-1: it never ends), its text, whether its quotes fit."""
    fits = True
    start = place + 1
    for run in _QUOTES.finditer(body, start):
        odd = (run.end() - run.start()) % 2 == 1
        if odd and (run.end() == len(body) or body[run.end()] == delimiter):
            return run.end(), body[start : run.end() - 1].replace('""', '"'), fits
        fits = fits and not odd
    return -1, "", fits


def split_plain(line: str, delimiter: str) -> list[str]:
    """Cells of one line in which quotes mean nothing."""
    return line.rstrip("\r\n").split(delimiter)
