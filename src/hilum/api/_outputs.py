"""The parts of a finished run put together: labels, evidence, page, and the record of how they were made."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from hilum.api._evidence import page_items
from hilum.api._plan import Plan
from hilum.api._work import COVERAGE, EVIDENCE, MOST_PROBLEMS, PAGE, ROWS, SUMMARY
from hilum.core.errors import OutputError
from hilum.core.records import RowStatus
from hilum.core.version import VERSION
from hilum.core.vocabulary import CSV_CODES, PRECEDENCE
from hilum.pages.evidence_page import evidence_page
from hilum.runner.store import PartStore
from hilum.tables.write import assemble, encode_header, output_error
from hilum.text.sections import SectionCoverage


def read_summary(store: PartStore, chunks: int, *, findings: tuple[str, ...]) -> dict[str, Any]:
    """The counts of all chunks added up: rows, status, findings, coverage, rows with a problem or without answer."""
    coverage = SectionCoverage()
    status: Counter[str] = Counter({s.value: 0 for s in RowStatus})
    states = {name: Counter({s.name.lower(): 0 for s in PRECEDENCE}) for name in findings}
    problems = 0
    first_problems: list[str] = []
    failed: Counter[str] = Counter()
    first_failed: list[str] = []
    counted: Counter[str] = Counter()
    for chunk in range(chunks):
        part = json.loads(store.path(chunk, SUMMARY).read_bytes())
        status.update(part["status"])
        for name, counts in part["findings"].items():
            states[name].update(counts)
        coverage.merge(SectionCoverage.from_dict(part[COVERAGE]))
        counted.update(part.get("counted", {}))
        problems += part["problems"]
        first_problems = [*first_problems, *part["first_problems"]][:MOST_PROBLEMS]
        failed.update(part["failed"])
        first_failed = [*first_failed, *part["first_failed"]][:MOST_PROBLEMS]
    return {
        "rows": sum(status.values()),
        "status": dict(status),
        "findings": {name: dict(counts) for name, counts in states.items()},
        "counted": dict(counted),
        "coverage": coverage.to_dict(),
        "problems": problems,
        "first_problems": first_problems,
        "failed": dict(failed.most_common()),
        "first_failed": first_failed,
    }


def write_outputs(plan: Plan, store: PartStore, chunks: int, counts: Mapping[str, Any]) -> int:
    """Write every output, the record last; returns how many reports are on the page. Raises OutputError."""
    work = plan.work

    def parts(name: str) -> Iterator[Path]:
        return (store.path(chunk, name) for chunk in range(chunks))

    if plan.output is None or plan.temporary:
        _to_stream(plan.output, encode_header(work.columns, work.output_format), parts(ROWS))
    else:
        assemble(parts(ROWS), plan.output, work.columns, work.output_format, schema=work.schema)
    if plan.evidence is not None:
        assemble(parts(EVIDENCE), plan.evidence, (), "jsonl")
    shown: int = min(work.page_rows, counts["rows"])
    if plan.html is not None:
        lines = (
            line for path in parts(PAGE) if path.exists() for line in path.read_text("utf-8").splitlines()
        )
        page = evidence_page(
            f"Labels of {plan.input_name}",
            page_items(lines, plan.vocabulary),
            total=counts["rows"],
            stamp=plan.stamp,
        )
        _write(plan.html, page)
    if plan.provenance is not None:
        _write(plan.provenance, json.dumps(_record(plan, counts), indent=2, ensure_ascii=False) + "\n")
    return shown


def _record(plan: Plan, counts: Mapping[str, Any]) -> dict[str, Any]:
    """How the labels were made: the same bytes for the same input, options and versions."""
    work = plan.work
    return {
        "hilum": VERSION,
        "labeler": dict(plan.stamp),
        "input": {"name": plan.input_name, "fingerprint": plan.fingerprint, "format": plan.source.format},
        "text_column": plan.source.text_column,
        "section": work.reading.section,
        "text_without_headings_is": work.reading.headless_as,
        **({"every_text_is_that_section": True} if work.reading.whole else {}),
        "propagate_parents": work.parents,
        "codes": {s.name.lower(): CSV_CODES[s] for s in PRECEDENCE},
        "label_columns": list(work.columns[len(plan.source.columns) :]),
        "rows": counts["rows"],
        "status": counts["status"],
        **({"counted": counts["counted"]} if counts["counted"] else {}),
        **({"failed": counts["failed"]} if counts["failed"] else {}),
    }


def _to_stream(path: Path | None, header: bytes, parts: Iterator[Path]) -> None:
    """To a pipe or a device, or to standard output when there is no path."""
    try:
        with nullcontext(sys.stdout.buffer) if path is None else path.open("wb") as stream:
            stream.write(header)
            for file in parts:
                with file.open("rb") as part:
                    shutil.copyfileobj(part, stream)
            stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(
            f"{path or 'standard output'} cannot be written: {error.strerror or error}. Next step: name a "
            "file with -o OUT.csv; such a run also goes on where it was stopped."
        ) from error


def _write(path: Path, text: str) -> None:
    """The whole file or none of it."""
    unfinished = path.with_name(f".{path.name}.hilum-unfinished")
    try:
        with unfinished.open("w", encoding="utf-8", errors="replace", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        raise output_error(error, path) from error
    finally:
        unfinished.unlink(missing_ok=True)
