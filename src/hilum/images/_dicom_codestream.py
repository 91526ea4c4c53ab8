"""What compressed pixel data says of its own size, so that it cannot grow beyond what the file says."""

from __future__ import annotations

from struct import unpack
from typing import NamedTuple

_NO_SIZE = frozenset((0xC4, 0xC8, 0xCC))
_ALONE = frozenset((0x01, *range(0xD0, 0xDA)))
_LS_FRAME = 0xF7


class Codestream(NamedTuple):
    """Height, width and channels of a JPEG, JPEG-LS, JPEG 2000 or HTJ2K codestream."""

    height: int
    width: int
    channels: int


def codestream_size(data: bytes) -> Codestream | None:
    """Its size; None when it is none of these, or damaged before its size."""
    if data.startswith(b"\xff\xd8"):
        return _jpeg(data)
    start = data.find(b"\xff\x4f\xff\x51", 0, 4096)
    return _jpeg2000(data, start + 4) if start >= 0 else None


def _jpeg(data: bytes) -> Codestream | None:
    """Of the first frame header (ITU-T T.81, B.2.2; JPEG-LS: T.87, C.2.2)."""
    at = 2
    while at + 10 <= len(data):
        if data[at] != 0xFF:
            return None
        kind = data[at + 1]
        if kind == 0xFF:
            at += 1
        elif kind in _ALONE:
            at += 2
        elif kind == _LS_FRAME or (0xC0 <= kind <= 0xCF and kind not in _NO_SIZE):
            height, width, channels = unpack(">HHB", data[at + 5 : at + 10])
            return Codestream(height, width, channels)
        else:
            at += 2 + unpack(">H", data[at + 2 : at + 4])[0]
    return None


def _jpeg2000(data: bytes, at: int) -> Codestream | None:
    """Of the SIZ segment (ITU-T T.800, A.5.1)."""
    if len(data) < at + 38:
        return None
    right, bottom, left, top = unpack(">4L", data[at + 4 : at + 20])
    (channels,) = unpack(">H", data[at + 36 : at + 38])
    return Codestream(bottom - top, right - left, channels)


def rle_size(data: bytes) -> int:
    """How many bytes an RLE frame unpacks to (DICOM PS3.5, annex G), without unpacking it."""
    if len(data) < 64:
        return 0
    count, *starts = unpack("<16L", data[:64])
    ends = [*starts[1:count], len(data)] if count <= 15 else []
    return sum(_segment_size(data, start, end) for start, end in zip(starts, ends, strict=False))


def _segment_size(data: bytes, at: int, end: int) -> int:
    total, end = 0, min(end, len(data))
    while at < end:
        head = data[at]
        literal = head < 128
        total += head + 1 if literal else (257 - head) % 129
        at += head + 2 if literal else 1 if head == 128 else 2
    return total
