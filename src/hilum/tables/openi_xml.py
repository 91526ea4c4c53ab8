"""Open-I reports: XML files in a folder or in a tar archive. MeSH tags are never read.

XML format: Open-I (Demner-Fushman et al. 2016), `AbstractText` elements with a `Label`.
"""

from __future__ import annotations

import re
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, cast
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from hilum.core.errors import InputError
from hilum.core.records import RowStatus
from hilum.tables.binary import PlainFile
from hilum.tables.bounded import Bounded, TooMuchError
from hilum.tables.columns import find_text_column
from hilum.tables.encoding import decode
from hilum.tables.folder import COLUMNS, FolderSource
from hilum.tables.source import InputRow, ReportSource, natural_key

MAX_MEMBER = 50 << 20
"""Bytes that one XML file may have."""

MAX_UNPACKED = 4 << 30
"""Bytes to which an archive may unpack."""

MAX_KEPT = 512 << 20
"""Characters of report text that an archive may hold: rows are sorted, so they are held in memory."""

_DAMAGED = (EOFError, zlib.error, tarfile.TarError, OSError)


def parse_report(data: bytes) -> tuple[str, str, str]:
    """Id, text and problem of one Open-I XML file.

    The text is "LABEL: body" for each section that is not empty, one a line, in the order of the file, with
    an empty line before IMPRESSION. Raises ValueError, with the reason, when the file cannot be parsed;
    entities and external references are never expanded.
    """
    problem = ""
    try:
        root = _parse(data)
    except ParseError:
        text, notes = decode(data)
        if not notes:
            raise
        problem = "; ".join(notes)
        root = _parse(re.sub(r"^\s*<\?xml[^>]*\?>", "", text.lstrip("\ufeff")))
    uid = root.find("uId")
    pieces: list[str] = []
    for element in root.iter("AbstractText"):
        body = "".join(element.itertext()).strip()
        label = (element.get("Label") or "").strip().upper()
        if body:
            gap = "\n" if label == "IMPRESSION" and pieces else ""
            pieces.append(f"{gap}{label}: {body}" if label else body)
    return (uid.get("id") or "" if uid is not None else ""), "\n".join(pieces), problem


def _parse(data: bytes | str) -> Element:
    root: Element = fromstring(data, forbid_dtd=False, forbid_entities=True, forbid_external=True)
    return root


def _reason(error: Exception) -> str:
    if isinstance(error, DefusedXmlException):
        return "it declares entities or refers to other files, which hilum never follows"
    return f"it is not well-formed XML ({error})"


class OpeniFolder(FolderSource):
    """A folder of Open-I XML files, in the natural order of their names; columns `id` and `text`."""

    def __init__(self, folder: Path, names: Sequence[str], *, others: int, column: str | None) -> None:
        super().__init__(folder, names, format_name="openi-xml", others=others, column=column)

    def row_of(self, row_id: str, data: bytes) -> InputRow:
        """The row of one XML file; its id is that of the report, or else the name of the file."""
        try:
            found, text, problem = parse_report(data)
        except (DefusedXmlException, ParseError, ValueError, LookupError) as error:
            return self.refused(row_id, f"{row_id}: {_reason(error)}")
        return self._row((found or row_id, text), problem)


class OpeniArchive(ReportSource):
    """Open-I XML files in a tar archive, read without writing anything to disk.

    Links, devices, absolute names and names with ".." are refused and counted. Rows are in the natural order
    of the names in the archive. Of a truncated archive the reports up to the damage are kept.
    """

    def __init__(self, data: PlainFile, *, column: str | None) -> None:
        self._data = data
        text_column = find_text_column(COLUMNS, wanted=column, where=data.where)
        super().__init__(format_name="openi-xml", columns=COLUMNS, text_column=text_column)
        self._kept = 0
        self._found: list[tuple[str, InputRow]] = []
        damage = self._load()
        counted = [f"{n:,} {what}" for what, n in self._reading_notes.items()]
        if not self._found:
            reason = damage or "; ".join(counted) or "it is empty"
            raise InputError(
                f"{data.where} holds no Open-I .xml file: {reason}. Next step: check the archive."
            )
        self._found.sort(key=lambda pair: natural_key(pair[0]))
        if damage:
            counted.insert(0, f"the archive is truncated or damaged ({damage}); the reports before are kept")
        self._opening_notes = counted

    def _load(self) -> str:
        """Read all members; returns what was damaged, "" when nothing was."""
        with self._data.path.open("rb") as raw:
            try:
                bounded = Bounded(raw, limit=MAX_UNPACKED)
                with tarfile.open(fileobj=cast("IO[bytes]", bounded), mode="r|") as archive:
                    for member in archive:
                        bounded.expect(member.size)
                        self._take(archive, member)
            except TooMuchError as error:
                raise InputError(
                    f"{self._data.where}: {error}. Next step: unpack it and name the folder."
                ) from error
            except _DAMAGED as error:
                return str(error) or type(error).__name__
            return "" if bounded.complete else "it ends too early"

    def _take(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        path = PurePosixPath(member.name)
        refusal = _refusal(member, path)
        if refusal:
            self._reading_notes[refusal] += 1
            return
        if member.isdir():
            return
        if path.suffix.lower() != ".xml" or path.name.startswith("."):
            self._reading_notes["files of other kinds in the archive are not read"] += 1
            return
        file = archive.extractfile(member)
        row = self._row_of(path.stem, file.read() if file else b"")
        self._kept += len(row.text or "")
        if self._kept > MAX_KEPT:
            raise TooMuchError(f"its reports have more than {MAX_KEPT >> 20} MiB of text")
        self._found.append((member.name, row))

    def _row_of(self, stem: str, data: bytes) -> InputRow:
        try:
            found, text, problem = parse_report(data)
        except (DefusedXmlException, ParseError, ValueError, LookupError) as error:
            self._reading_notes["files are unreadable; each row says why"] += 1
            return InputRow((stem, None), None, RowStatus.UNREADABLE, f"{stem}: {_reason(error)}")
        return self._row((found or stem, text), problem)

    def _read(self) -> Iterator[InputRow]:
        for _, row in self._found:
            yield row

    def fingerprint(self) -> str:
        """See ReportSource."""
        return self._data.fingerprint()

    def row_count_hint(self) -> int | None:
        """The exact number of reports."""
        return len(self._found)


def _refusal(member: tarfile.TarInfo, path: PurePosixPath) -> str:
    """Why a member is not read, "" when it may be."""
    if path.is_absolute() or ".." in path.parts or "\\" in member.name:
        return "archive members with an absolute name or .. are refused"
    if not (member.isreg() or member.isdir()) or member.issparse():
        return "archive members that are links, devices or sparse are refused"
    if member.size > MAX_MEMBER:
        return f"archive members larger than {MAX_MEMBER >> 20} MiB are refused"
    return ""
