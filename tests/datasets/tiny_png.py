"""Grey PNG files of any size for invented data sets."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path


def write_png(path: Path, *, width: int = 8, height: int = 8, bits: int = 8) -> Path:
    """A black picture of `bits` per pixel; folders are made."""
    lines = (b"\x00" + bytes(width * bits // 8)) * height
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    body = b"".join(map(chunk, (b"IHDR", b"IDAT", b"IEND"), (header, zlib.compress(lines), b"")))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
