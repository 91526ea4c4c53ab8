"""Which reader an input needs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO

from hilum.core.errors import InputError
from hilum.tables.binary import ByteInput, GzipFile, KeptStream, PlainFile
from hilum.tables.csv_reader import CsvSource
from hilum.tables.encoding import find_encoding
from hilum.tables.source import ReportSource

INPUT_KINDS = (
    ".csv, .tsv and .jsonl (also with .gz), .parquet, a folder of .txt, a folder of Open-I .xml or its "
    ".tgz, .tar.gz or .tar, and - for standard input"
)
"""What can be opened, in words."""


def open_reports(path: str | Path, *, column: str | None = None) -> ReportSource:
    """The reports in a file, a folder, or standard input ("-"), as a source of rows.

    The format follows the extension. Standard input is JSON lines when its first character that is no space
    is "{", else csv (tsv when its header has tabs and no comma) with a header line. `column` names the text
    column; without it the column is found by its name (see `columns.TEXT_COLUMNS`).

    Raises InputError when the input cannot be opened, is of no known kind, is empty, or has no text column.
    """
    if str(path) == "-":
        return open_stream(sys.stdin.buffer, column=column)
    place = Path(path)
    if place.is_dir():
        return _open_folder(place, column)
    name = place.name.lower()
    if name.endswith((".tgz", ".tar.gz", ".tar")):
        from hilum.tables.openi_xml import OpeniArchive  # noqa: PLC0415 - loads only what is needed

        return OpeniArchive(PlainFile(place), column=column)
    if name.endswith(".parquet"):
        from hilum.tables.parquet import ParquetSource  # noqa: PLC0415 - loads polars

        return ParquetSource(PlainFile(place), column=column)
    data: ByteInput = GzipFile(place) if name.endswith(".gz") else PlainFile(place)
    stem = name.removesuffix(".gz")
    if stem.endswith((".csv", ".tsv")):
        return CsvSource(data, format_name=stem[-3:], column=column)
    if stem.endswith((".jsonl", ".ndjson")):
        return _open_jsonl(data, column)
    raise InputError(
        f"{path}: hilum does not read files ending in {place.suffix or 'nothing'!r}. It reads {INPUT_KINDS}."
    )


def open_stream(
    stream: BinaryIO, *, column: str | None = None, where: str = "standard input"
) -> ReportSource:
    """The reports in a stream that can be read once; its bytes are kept in an unnamed temporary file."""
    data = KeptStream(stream, where)
    encoding = find_encoding(data.open)
    with data.open() as file:
        head = file.read(1 << 20).decode(encoding.name, "replace").lstrip("\ufeff").lstrip()
    if head.startswith("{"):
        return _open_jsonl(data, column, resumable=False)
    header = head.split("\n", 1)[0]
    kind = "tsv" if "\t" in header and "," not in header else "csv"
    try:
        return CsvSource(data, format_name=kind, column=column, resumable=False)
    except InputError as error:
        raise InputError(
            f"{error} (Standard input is read as JSON lines when it starts with {{, else as csv with a "
            "header line.)"
        ) from error


def _open_jsonl(data: ByteInput, column: str | None, *, resumable: bool = True) -> ReportSource:
    from hilum.tables.jsonl import JsonlSource  # noqa: PLC0415 - loads only what is needed

    return JsonlSource(data, column=column, resumable=resumable)


def _open_folder(folder: Path, column: str | None) -> ReportSource:
    from hilum.tables.folder import TextFolder, list_files  # noqa: PLC0415 - loads only what is needed
    from hilum.tables.openi_xml import OpeniFolder  # noqa: PLC0415 - loads only what is needed

    files = list_files(folder)
    texts = [f for f in files if f.lower().endswith(".txt")]
    xmls = [f for f in files if f.lower().endswith(".xml")]
    if texts and xmls:
        raise InputError(
            f"{folder} holds {len(texts):,} .txt and {len(xmls):,} .xml files. Next step: put the reports to "
            "label into a folder of their own."
        )
    if not texts and not xmls:
        raise InputError(
            f"{folder} holds no .txt and no .xml file ({len(files):,} others). Next step: name a file."
        )
    if texts:
        return TextFolder(folder, texts, others=len(files) - len(texts), column=column)
    return OpeniFolder(folder, xmls, others=len(files) - len(xmls), column=column)
