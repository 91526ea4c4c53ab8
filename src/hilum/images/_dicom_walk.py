"""The elements of a DICOM file by their lengths alone, so that a file which lies about them is refused before it is
read (DICOM PS3.5, section 7; PS3.10, section 7)."""

from __future__ import annotations

import io
import zlib
from struct import unpack
from typing import IO, NamedTuple

from hilum.core.errors import ImageError
from hilum.images._picture import ReadLimits, check_bytes, refuse
from hilum.images._source import Opened

IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
_LONG = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
_PIXELS = frozenset(((0x7FE0, 0x0008), (0x7FE0, 0x0009), (0x7FE0, 0x0010)))
_ITEMS, _ITEM, _ITEM_END = 0xFFFE, 0xE000, 0xE00D
_UNDEFINED = 0xFFFFFFFF
_MOST_ELEMENTS, _DEEPEST = 1_000_000, 64
_BLOCK = 1 << 20


class Element(NamedTuple):
    """The head of one element: tag, length of its value, where the value starts, its VR (b"" when implicit)."""

    tag: tuple[int, int]
    length: int
    value: int
    vr: bytes


class Layout(NamedTuple):
    """What the walk found: transfer syntax ("" when the file has none), start of the data set, whether pixels."""

    syntax: str
    start: int
    implicit: bool = True
    big: bool = False
    has_pixels: bool = False


def walk(source: Opened) -> Layout:
    """Check that every element ends inside the file, and that sequences are not nested absurdly.

    Raises ImageError, naming the element and the byte, before anything of that length is read.
    """
    syntax, start = _meta(source)
    if syntax == DEFLATED:
        return Layout(syntax, start, implicit=False)
    implicit, big = syntax == IMPLICIT, syntax == BIG
    if not syntax:
        source.file.seek(start)
        head = source.file.read(6)
        implicit, big = not _is_vr(head[4:6]), head[:1] == b"\x00"
    found = _Walk(source, implicit, big).run(start)
    return Layout(syntax, start, implicit, big, found)


def _meta(source: Opened) -> tuple[str, int]:
    """Transfer syntax and the end of the file meta group, which is always explicit and little-endian."""
    source.file.seek(128)
    at = 132 if source.file.read(4) == b"DICM" else 0
    syntax = ""
    while (one := _element(source.file, at, implicit=False, big=False)) is not None and one.tag[0] == 2:
        _inside(source, one, at)
        if one.tag == (2, 0x10):
            source.file.seek(one.value)
            syntax = source.file.read(min(one.length, 64)).rstrip(b"\x00 ").decode("ascii", errors="replace")
        at = one.value + one.length
    return syntax, at


def _is_vr(letters: bytes) -> bool:
    return len(letters) == 2 and letters.isalpha() and letters.isupper()


def _element(file: IO[bytes], at: int, *, implicit: bool, big: bool) -> Element | None:
    """The head of the element at a byte; None at the end of the file."""
    file.seek(at)
    head = file.read(12)
    if len(head) < 8:
        return None
    order = ">" if big else "<"
    tag = unpack(order + "HH", head[:4])
    if implicit or tag[0] == _ITEMS or not _is_vr(head[4:6]):
        return Element(tag, unpack(order + "L", head[4:8])[0], at + 8, b"")
    if head[4:6] not in _LONG:
        return Element(tag, unpack(order + "H", head[6:8])[0], at + 8, head[4:6])
    if len(head) < 12:
        return None
    return Element(tag, unpack(order + "L", head[8:12])[0], at + 12, head[4:6])


def _inside(source: Opened, one: Element, at: int) -> None:
    left = source.size - one.value
    if one.length > left:
        raise _cut(
            source,
            f"element {_name(one)} at byte {at:,} needs {one.length:,} bytes, {max(left, 0):,} are left",
        )


def _cut(source: Opened, why: str) -> ImageError:
    return refuse(source.name, f"is a truncated or damaged DICOM file: {why}", "fetch it again")


def _name(one: Element) -> str:
    return f"({one.tag[0]:04X},{one.tag[1]:04X})"


class _Walk:
    """One walk over a data set; `open`: for each sequence and item of undefined length, whether it is implicit."""

    def __init__(self, source: Opened, implicit: bool, big: bool) -> None:
        self.source, self.implicit, self.big = source, implicit, big
        self.open: list[bool] = []

    def run(self, at: int) -> bool:
        """Walk from a byte to the pixel data or the end; whether there is pixel data."""
        for _ in range(_MOST_ELEMENTS):
            implicit = self.open[-1] if self.open else self.implicit
            one = _element(self.source.file, at, implicit=implicit, big=self.big)
            if one is None:
                return False
            if not self.open and one.tag in _PIXELS:
                self._pixels(one, at)
                return True
            at = self._step(one, at, implicit)
            if len(self.open) > _DEEPEST:
                raise _cut(self.source, f"sequences are nested more than {_DEEPEST // 2} deep at byte {at:,}")
        raise _cut(self.source, f"it has more than {_MOST_ELEMENTS:,} elements before the pixel data")

    def _step(self, one: Element, at: int, implicit: bool) -> int:
        """Where the next element begins."""
        if one.tag[0] == _ITEMS and one.tag[1] != _ITEM:
            if self.open:
                self.open.pop()
            return one.value
        if one.length == _UNDEFINED:
            self.open.append(implicit or one.vr == b"UN")
            return one.value
        _inside(self.source, one, at)
        return one.value + one.length

    def _pixels(self, one: Element, at: int) -> None:
        if one.length != _UNDEFINED:
            _inside(self.source, one, at)
            return
        at = one.value
        for _ in range(_MOST_ELEMENTS):
            fragment = _element(self.source.file, at, implicit=True, big=self.big)
            if fragment is None:
                raise _cut(self.source, "the pixel data has no end")
            if fragment.tag[0] != _ITEMS:
                raise _cut(self.source, f"no fragment of the pixel data begins at byte {at:,}")
            if fragment.tag[1] != _ITEM:
                return
            _inside(self.source, fragment, at)
            at = fragment.value + fragment.length
        raise _cut(self.source, f"the pixel data has more than {_MOST_ELEMENTS:,} fragments")


def inflated(source: Opened, layout: Layout, limits: ReadLimits) -> Opened:
    """A deflated data set as an ordinary file in memory. Raises ImageError when it grows beyond `max_bytes`."""
    source.file.seek(layout.start)
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    parts, total = [_new_meta()], 0
    try:
        while not engine.eof and (block := engine.unconsumed_tail or source.file.read(_BLOCK)):
            parts.append(engine.decompress(block, _BLOCK))
            total += len(parts[-1])
            check_bytes(source.name, "inflates to at least", total, limits)
    except zlib.error as error:
        raise _cut(source, f"its deflated data set is broken ({error})") from error
    if not engine.eof:
        raise _cut(source, "its deflated data set has no end")
    data = b"".join(parts)
    return Opened(source.name, io.BytesIO(data), len(data))


def _new_meta() -> bytes:
    """Preamble and meta group of a file in explicit VR little-endian."""
    syntax = EXPLICIT.encode() + b"\x00" * (len(EXPLICIT) % 2)
    element = b"\x02\x00\x10\x00UI" + len(syntax).to_bytes(2, "little") + syntax
    length = b"\x02\x00\x00\x00UL\x04\x00" + len(element).to_bytes(4, "little")
    return bytes(128) + b"DICM" + length + element
