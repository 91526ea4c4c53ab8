"""The chunks of a PNG: what it says of itself, and whether all of it is there (PNG specification, section 5)."""

from __future__ import annotations

import zlib
from struct import error as struct_error
from struct import unpack
from typing import IO, NamedTuple

from hilum.core.errors import ImageError
from hilum.images._picture import Header, refuse

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_NEEDED = frozenset((b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"eXIf", b"acTL", b"fcTL", b"fdAT"))
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_KINDS = {0: "grey", 2: "RGB", 3: "palette", 4: "grey and alpha", 6: "RGB and alpha"}
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_MOST_CHUNKS = 1_000_000


class Chunk(NamedTuple):
    """One chunk: its name, where its data begins, how long the data is."""

    name: bytes
    start: int
    length: int


def read_chunks(file: IO[bytes], size: int, name: str) -> list[Chunk]:
    """All chunks up to IEND, without reading what is in them. Raises ImageError when the file ends before IEND."""
    chunks: list[Chunk] = []
    at = len(SIGNATURE)
    while not chunks or chunks[-1].name != b"IEND":
        file.seek(at)
        head = file.read(8)
        if len(head) < 8 or len(chunks) > _MOST_CHUNKS:
            raise _cut(name, f"it has no end (IEND chunk) in its {size:,} bytes")
        length, kind = unpack(">I4s", head)
        if not kind.isalpha():
            raise refuse(name, f"is damaged: no PNG chunk begins at byte {at:,}", "fetch it again")
        if at + 12 + length > size:
            left = max(0, size - at - 12)
            raise _cut(
                name, f"chunk {kind.decode()} at byte {at:,} needs {length:,} bytes, {left:,} are left"
            )
        chunks.append(Chunk(kind, at + 8, length))
        at += 12 + length
    return chunks


def _cut(name: str, why: str) -> ImageError:
    return refuse(name, f"is a truncated PNG: {why}", "fetch it again")


def png_header(file: IO[bytes], chunks: list[Chunk], name: str) -> Header:
    """Size, depth, channels and frames. Raises ImageError for a header that the standard does not allow."""
    try:
        file.seek(chunks[0].start)
        width, height, depth, kind = unpack(">IIBB", file.read(10))
    except struct_error as error:
        raise refuse(name, "is a damaged PNG: it has no header", "fetch it again") from error
    if chunks[0].name != b"IHDR" or depth not in _DEPTHS.get(kind, ()):
        raise refuse(name, f"is a damaged PNG: colour type {kind} with {depth} bits", "fetch it again")
    if not any(c.name == b"IDAT" and c.length for c in chunks):
        raise refuse(name, "is a PNG without picture data (no IDAT chunk)", "fetch it again")
    return Header("PNG", height, width, _frames(chunks), depth, _CHANNELS[kind], _KINDS[kind])


def _frames(chunks: list[Chunk]) -> int:
    """How many frames an animated PNG has: one per fcTL chunk, and the still picture before them, if it is apart."""
    names = [c.name for c in chunks]
    if b"acTL" not in names or b"fcTL" not in names or names.index(b"acTL") > names.index(b"IDAT"):
        return 1
    apart = names.index(b"IDAT") < names.index(b"fcTL")
    return names.count(b"fcTL") + apart


def checked_bytes(file: IO[bytes], chunks: list[Chunk], name: str) -> bytes:
    """The file with the chunks alone that decide pixels: no text, no colour profile. Raises ImageError when a
    checksum is wrong."""
    parts = [SIGNATURE]
    for chunk in chunks:
        if chunk.name not in _NEEDED:
            continue
        file.seek(chunk.start - 8)
        whole = file.read(chunk.length + 12)
        if zlib.crc32(memoryview(whole)[4:-4]) != int.from_bytes(whole[-4:], "big"):
            kind = chunk.name.decode()
            raise refuse(
                name,
                f"is damaged: the checksum of chunk {kind} at byte {chunk.start - 8:,} is wrong",
                "fetch it again",
            )
        parts.append(whole)
    return b"".join(parts)
