"""Which encoding a file has, decided over all of its bytes, so that it never depends on how they are read."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

_BLOCK = 1 << 20
_PREFIX = 1 << 16
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8 with a byte order mark"),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
_INVALID = re.compile("[\udc80-\udcff]")
_NOT_ASCII = re.compile("[^\x00-\x7f]")
_NOT_IN_CP1252 = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")


@dataclass(frozen=True)
class Encoding:
    """The name of a codec, to be used with errors="replace", and what to tell the user."""

    name: str
    notes: list[str] = field(default_factory=list)
    empty: bool = False


@dataclass
class _Counts:
    total: int = 0
    nuls: int = 0
    valid_utf8: bool = True


def find_encoding(opener: Callable[[], BinaryIO]) -> Encoding:
    """The encoding of the bytes that `opener` gives, by the first rule that fits.

    1. A byte order mark: UTF-8, UTF-16 or UTF-32. 2. NUL at every second place: UTF-16 without a mark.
    3. Valid UTF-8. 4. At least as many valid UTF-8 sequences as invalid bytes: UTF-8 in which each invalid
    byte becomes U+FFFD. 5. Windows-1252, or Latin-1 where bytes occur that Windows-1252 has not.
    """
    with opener() as file:
        prefix = file.read(_PREFIX)
    name, said = _by_prefix(prefix)
    if name.startswith(("utf-16", "utf-32")):
        return Encoding(name, [f"the file is {said}"], empty=not prefix)
    counts = _scan(opener)
    notes = [f"the file is {said}"] if said else []
    if counts.nuls:
        notes.append(f"{counts.nuls:,} NUL bytes are in the file; their rows are kept")
    if counts.valid_utf8:
        return Encoding(name, notes, empty=counts.total == 0)
    name, note = _when_not_utf8(opener, name)
    return Encoding(name, [*notes, note])


def decode(data: bytes) -> tuple[str, list[str]]:
    """The text of one file's bytes and the notes on its encoding, by the rules of `find_encoding`."""
    found = find_encoding(lambda: io.BytesIO(data))
    return data.decode(found.name, "replace"), found.notes


def _by_prefix(prefix: bytes) -> tuple[str, str]:
    for mark, name, said in _BOMS:
        if prefix.startswith(mark):
            return name, said
    even, odd = prefix[0::2].count(0), prefix[1::2].count(0)
    pairs = len(prefix) // 2
    if pairs and odd > 0.3 * pairs and even < 0.05 * pairs:
        return "utf-16-le", "UTF-16 (little endian) without a byte order mark"
    if pairs and even > 0.3 * pairs and odd < 0.05 * pairs:
        return "utf-16-be", "UTF-16 (big endian) without a byte order mark"
    return "utf-8", ""


def _scan(opener: Callable[[], BinaryIO]) -> _Counts:
    counts = _Counts()
    decoder = codecs.getincrementaldecoder("utf-8")()
    with opener() as file:
        while block := file.read(_BLOCK):
            counts.total += len(block)
            counts.nuls += block.count(0)
            if counts.valid_utf8:
                counts.valid_utf8 = _feeds(decoder, block)
    if counts.valid_utf8:
        counts.valid_utf8 = _feeds(decoder, b"", final=True)
    return counts


def _feeds(decoder: codecs.IncrementalDecoder, block: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(block, final)
    except UnicodeDecodeError:
        return False
    return True


def _when_not_utf8(opener: Callable[[], BinaryIO], name: str) -> tuple[str, str]:
    decoder = codecs.getincrementaldecoder(name)("surrogateescape")
    invalid = foreign = beyond = 0
    with opener() as file:
        done = False
        while not done:
            block = file.read(_BLOCK)
            done = not block
            text = decoder.decode(block, done)
            if text.isascii():
                continue
            invalid += len(_INVALID.findall(text))
            foreign += len(_NOT_ASCII.findall(text))
            beyond += len(_NOT_IN_CP1252.findall(block))
    if name == "utf-8-sig" or foreign - invalid >= invalid:
        return name, f"the file is UTF-8 with {invalid:,} invalid bytes; only those are shown as U+FFFD"
    if beyond:
        return "latin-1", "the file is not valid UTF-8 and was read as Latin-1"
    return "cp1252", "the file is not valid UTF-8 and was read as Windows-1252 (Latin-1)"
