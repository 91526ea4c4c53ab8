"""Files to rows and rows to files: csv, tsv, parquet, jsonl, folders of txt, Open-I XML."""

from hilum.tables.columns import TEXT_COLUMNS, unique_columns
from hilum.tables.detect import open_reports
from hilum.tables.source import InputRow, ReportSource
from hilum.tables.write import (
    OUTPUT_FORMATS,
    assemble,
    check_writable,
    encode_header,
    encode_rows,
    output_format,
)

__all__ = [
    "OUTPUT_FORMATS",
    "TEXT_COLUMNS",
    "InputRow",
    "ReportSource",
    "assemble",
    "check_writable",
    "encode_header",
    "encode_rows",
    "open_reports",
    "output_format",
    "unique_columns",
]
