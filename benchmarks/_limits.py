"""Memory over a million reports, and time over texts that double: limits that labeler_speed.py checks."""

from __future__ import annotations

import csv
import gc
import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import psutil  # type: ignore[import-untyped]

from _common import table_lines
from hilum.labelers import Labeler, ReportSpans, get_labeler
from hilum.text.sections import select_sections

MIB = 1024 * 1024
MOST_MIB = 1024
LARGEST = 10_000_000  # characters of the longest text, by default
MOST_GROWTH = 2.3
LEAST_SECONDS = 0.2
MOST_SECONDS = 20.0


# --- memory ---


def write_many(path: Path, texts: Sequence[str], count: int) -> None:
    """A csv of `count` rows: the texts again and again, each round in another (fixed) order."""
    rng = Random(0)
    order: list[str] = []
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["study_id", "report"])
        for row in range(count):
            if not order:
                order = rng.sample(list(texts), len(texts))
            writer.writerow([row, order.pop()])


def plain_labeler() -> Labeler:
    """The rule labeler; it keeps no cache of sentences. The lexicon is left out of garbage collection, as in a job."""
    labeler = get_labeler("rules")
    gc.freeze()
    return labeler


def tree_rss(process: psutil.Process) -> int:
    """Bytes of memory that a process and all below it hold; pages they share are counted for each."""
    total = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            total += one.memory_info().rss
        except psutil.Error:
            continue
    return total


def peak_memory(texts: Sequence[str], count: int) -> dict[str, Any]:
    """Label `count` reports with the command line in two workers; the peak memory of its process tree."""
    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder) / "reports.csv", Path(folder) / "labels.csv"
        write_many(source, texts, count)
        command = [
            sys.executable,
            "-m",
            "hilum.cli.main",
            "label",
            str(source),
            "-o",
            str(output),
            "--workers",
            "2",
        ]
        start, peak = time.perf_counter(), 0
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        watched = psutil.Process(child.pid)
        while child.poll() is None:
            peak = max(peak, tree_rss(watched))
            time.sleep(0.1)
        seconds = time.perf_counter() - start
        if child.returncode:
            raise SystemExit(f"hilum label failed:\n{child.stderr.read() if child.stderr else ''}")
        with output.open(newline="", encoding="utf-8") as file:
            rows = sum(1 for _ in csv.reader(file)) - 1
        source_mib = source.stat().st_size / MIB
    verdict = "ok" if peak < MOST_MIB * MIB and rows == count else "TOO MUCH"
    print(
        f"\n{count:,} reports ({source_mib:.0f} MiB csv) by hilum label --workers 2: {rows:,} rows out, "
        f"{seconds:.0f} s, {count / seconds:,.0f} reports a second, peak {peak / MIB:.0f} MiB: {verdict}"
    )
    return {"reports": count, "rows_out": rows, "seconds": seconds, "peak_mib": peak / MIB}


# --- linear time ---


def _filled(unit: str, size: int) -> str:
    return (unit * (size // len(unit) + 1))[:size]


def _random_marks(size: int) -> str:
    return "".join(Random(0).choices("abcdefghijklmnopqrstuvwxyz0123456789.    ", k=size))


def _list_then_cues(size: int) -> str:
    return _filled("effusion and edema and ", size // 2) + _filled(" not seen", size - size // 2)


def kinds_of_text(texts: Sequence[str]) -> dict[str, Callable[[int], str]]:
    """Name -> a function from a number of characters to a text of that many."""
    real = " ".join(texts)
    no_stops = real.replace(".", " ").replace(";", " ").replace(":", " ").replace("?", " ").replace("\n", " ")
    units = {
        "real reports": real,
        "one sentence, no full stop": no_stops,
        "only commas": ",",
        "only line ends": "\n",
        "only findings": "effusion ",
        "findings and commas": "effusion, edema, ",
        "findings joined by or": "effusion or edema or ",
        "findings joined by and": "edema and effusion and ",
        "structures without predicate": "heart size and mediastinum, ",
        "small findings after no": "no effusion, small nodule, ",
        'only "no"': "no ",
        "only hedges": "possible ",
        "after-cues": "effusion is not seen ",
        "colons": "lungs: ",
        "open brackets": "[** ",
        "underscores": "_",
        "headings": "FINDINGS:\n",
        "upper-case words": "HEART ",
        "spaces": " ",
    }
    made = {name: partial(_filled, unit) for name, unit in units.items()}
    return {**made, "a list, then after-cues": _list_then_cues, "random letters, digits, dots": _random_marks}


def linear_times(texts: Sequence[str], *, largest: int = LARGEST) -> dict[str, Any]:
    """Processor seconds for each kind of text at each size, and the greatest growth when the text doubles.

    Growth is looked at where the shorter text takes 0.2 s or more; a kind stops at a text of over 20 s.
    """
    labeler = plain_labeler()
    labeler.label_batch([ReportSpans(texts[0])])
    sizes = tuple(largest >> k for k in (3, 2, 1, 0))
    result = {}
    for name, make in kinds_of_text(texts).items():
        result[name] = _growth(labeler, make, sizes)
        print(f"{name}: {result[name]['seconds'][-1]:.2f} s", flush=True)
    rows = [
        (name, f"{r['characters'][-1]:,}", f"{r['seconds'][-1]:.2f}", f"{r['most']:.2f}", _verdict(r, sizes))
        for name, r in result.items()
    ]
    header = ("kind of text", "characters", "seconds", "time(2n)/time(n)", "")
    print("\n".join(["", *table_lines(header, rows)]))
    return result


def _growth(labeler: Labeler, make: Callable[[int], str], sizes: Sequence[int]) -> dict[str, Any]:
    seconds: list[float] = []
    for size in sizes:
        text = make(size)
        seconds.append(min(label_seconds(labeler, text) for _ in range(3)))
        if seconds[-1] > MOST_SECONDS:
            break
    growth = [b / a for a, b in itertools.pairwise(seconds) if a >= LEAST_SECONDS]
    return {"characters": sizes[: len(seconds)], "seconds": seconds, "most": max(growth, default=0.0)}


def _verdict(result: dict[str, Any], sizes: Sequence[int]) -> str:
    whole = len(result["seconds"]) == len(sizes)
    return "ok" if whole and result["most"] <= MOST_GROWTH else "TOO MUCH"


def label_seconds(labeler: Labeler, text: str) -> float:
    """Processor seconds for one report from its text, sections found on the way."""
    start = time.process_time()
    labeler.label_batch([ReportSpans(text, select_sections(text, "both"))])
    return time.process_time() - start
