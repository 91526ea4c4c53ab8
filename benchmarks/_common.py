"""What every benchmark shares: reading the Open-I reports, and one JSON with the machine and the commit."""

from __future__ import annotations

import datetime
import json
import platform
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from os import cpu_count
from pathlib import Path
from typing import Any, NamedTuple

from defusedxml import ElementTree

ROOT = Path(__file__).resolve().parent.parent


class OpenIReport(NamedTuple):
    """One Open-I report: the number in its file name and the two sections, "" where it has none."""

    id: str
    findings: str
    impression: str

    @property
    def joined(self) -> str:
        """FINDINGS and IMPRESSION on lines of their own, without headings."""
        return "\n".join(part for part in (self.findings, self.impression) if part)


def read_openi(path: Path) -> list[OpenIReport]:
    """All reports of the Open-I archive `NLMCXR_reports.tgz`, ordered by their number.

    Members are read from the archive, nothing is unpacked to disk.
    """
    with tarfile.open(path) as archive:
        reports = [
            _report(Path(member.name).stem, file.read())
            for member in archive
            if member.name.endswith(".xml") and (file := archive.extractfile(member)) is not None
        ]
    return sorted(reports, key=lambda report: int(report.id))


def _report(report_id: str, xml: bytes) -> OpenIReport:
    sections = {
        str(node.get("Label", "")).upper(): (node.text or "").strip()
        for node in ElementTree.fromstring(xml).iter("AbstractText")
    }
    return OpenIReport(report_id, sections.get("FINDINGS", ""), sections.get("IMPRESSION", ""))


def machine_record(*, packages: tuple[str, ...] = ("hilum", "numpy", "polars")) -> dict[str, Any]:
    """Processor, cores, Python, package versions, commit and time: what a figure needs to be believed."""
    return {
        "processor": _processor(),
        "cores": cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in packages},
        "commit": _git("rev-parse", "HEAD") or "unknown",
        "uncommitted_changes": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "utc": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def write_json(path: Path | None, name: str, results: Mapping[str, Any]) -> None:
    """Write one benchmark's results beside its machine record; `None` writes nothing."""
    if path is None:
        return
    record = {"benchmark": name, "machine": machine_record(), "results": dict(results)}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(f"wrote {path.name}", file=sys.stderr)


def table_lines(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Lines of a plain text table: the first column left, the others right aligned."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    for row in (header, *rows):
        cells = [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]
        yield "  ".join(cells).rstrip()


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown"


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True, timeout=20
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
