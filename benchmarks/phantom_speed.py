"""How many whole studies of the phantom come a second on one core, images and reports included?

    python benchmarks/phantom_speed.py [--studies 600] [--size 256] [--json OUT]

Prints studies a second without pixels, with pixels, and written to a folder (one worker); the processor time, which
does not suffer when other programs share the core; how many images a study has on average; and whether runs by one
and by two workers leave the same bytes. OpenCV is kept to one thread.
Exit code 1 when studies with pixels are slower than 50 a second, or bytes differ.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _common import table_lines, write_json
from hilum.datasets.phantom import build

LEAST = 50.0


def one_core() -> str:
    """Keep this process to one core where the system can; say whether it did."""
    import cv2  # noqa: PLC0415  (an image package)

    cv2.setNumThreads(0)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        return "one core"
    return "not pinned to a core"


def walk(n: int, size: int, *, draw: bool) -> tuple[float, float, float]:
    """Studies a second, milliseconds of processor time per study, and images per study of one walk."""
    start, spent, images = time.perf_counter(), time.process_time(), 0
    for study in build(seed=7, n=n, size=size, draw=draw).studies():
        images += len(study.images)
    cpu = 1000 * (time.process_time() - spent) / n
    return n / (time.perf_counter() - start), cpu, images / n


def digest(folder: Path) -> str:
    """One checksum of all files below a folder, names and bytes."""
    found = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        found.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return found.hexdigest()


def written(n: int, size: int, *, workers: int) -> tuple[float, str]:
    """Studies a second of writing to a folder, and the checksum of what is there."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        build(seed=7, n=n, size=size).write(folder, workers=workers)
        return n / (time.perf_counter() - start), digest(Path(folder))


def main() -> int:
    """Measure, print, and write the JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--studies", type=int, default=600)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    cores = one_core()
    walk(20, args.size, draw=True)
    reports, text_cpu, _ = walk(args.studies, args.size, draw=False)
    whole, cpu, images = walk(args.studies, args.size, draw=True)
    folder, first = written(min(args.studies, 200), args.size, workers=1)
    _, second = written(min(args.studies, 200), args.size, workers=2)
    rows = [
        ("reports and labels alone", f"{reports:.0f}", f"{1000 / reports:.2f}", f"{text_cpu:.2f}"),
        ("whole studies", f"{whole:.1f}", f"{1000 / whole:.1f}", f"{cpu:.1f}"),
        ("whole studies, to a folder", f"{folder:.1f}", f"{1000 / folder:.1f}", "-"),
    ]
    print(
        "\n".join(
            table_lines((f"{args.size} px, {cores}", "studies/s", "ms each", "of processor time"), rows)
        )
    )
    print(f"images per study: {images:.3f}; same bytes from one and two workers: {first == second}")
    results: dict[str, Any] = {row[0]: float(row[1]) for row in rows}
    results |= {"ms of processor time": cpu, "images per study": images, "same bytes": first == second}
    write_json(args.json, "phantom_speed", results)
    return int(whole < LEAST or first != second)


if __name__ == "__main__":
    sys.exit(main())
