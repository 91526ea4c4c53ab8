"""A tar or tar.gz file as one stream that never unpacks more than it may."""

from __future__ import annotations

import zlib
from typing import BinaryIO

_BLOCK = 1 << 16
_GZIP = b"\x1f\x8b"


class TooMuchError(Exception):
    """An archive unpacks to more than is allowed."""


class Bounded:
    """`read(n)` over a file that may be gzip, for tarfile's stream mode.

    Raises TooMuchError beyond `limit` bytes in all, and when one step reads more than `expect` announced: a
    header that claims to be huge would be held in memory. `complete` is False when a gzip stream ended before
    its end mark.
    """

    def __init__(self, raw: BinaryIO, *, limit: int, header: int = 1 << 20) -> None:
        self._raw = raw
        self._limit = limit
        self._header = header
        self._given = 0
        self._step = 0
        self.expect(0)
        self._packed = raw.read(2) == _GZIP
        raw.seek(0)
        self._inflate = zlib.decompressobj(31)
        self._waiting = b""
        self._ready = bytearray()
        self.complete = not self._packed

    def expect(self, size: int) -> None:
        """Announce that a member of `size` bytes and the next header follow."""
        self._step = size + self._header

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, fewer only at the end."""
        if not self._packed:
            data = self._raw.read(size)
        else:
            while len(self._ready) < size and self._unpack(size):
                pass
            data = bytes(self._ready[:size])
            del self._ready[:size]
        self._given += len(data)
        self._step -= len(data)
        if self._step < 0:
            raise TooMuchError(f"a header has more than {self._header:,} bytes")
        if self._given > self._limit:
            raise TooMuchError(f"it unpacks to more than {self._limit >> 30} GiB")
        return data

    def _unpack(self, size: int) -> bool:
        """Unpack some more; False at the end. Several gzip members may follow each other."""
        block = self._waiting or self._raw.read(_BLOCK)
        if not block:
            return False
        if self._inflate.eof:
            if not block.startswith(_GZIP):
                return False
            self._inflate = zlib.decompressobj(31)
        self.complete = False
        self._ready += self._inflate.decompress(block, max(size, _BLOCK))
        self._waiting = self._inflate.unconsumed_tail or self._inflate.unused_data
        self.complete = self._inflate.eof
        return True
