"""How long does `hilum score` take? 100,000 pairs made from real reports, the whole program.

    python benchmarks/score_program.py --reports NLMCXR_reports.tgz [--pairs 100000] [--json OUT]

A reference is a drawn report, its candidate the report's sentences in another order without the last two and with
two of another report. Default metrics, a value per sample, one process; peak memory is that of the program.
"""

from __future__ import annotations

import argparse
import csv
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _common import read_openi, table_lines, write_json
from hilum.core.rng import rng_for


def write_pairs(texts: list[str], folder: Path, *, pairs: int) -> int:
    """Write references.csv and candidates.csv; the number of distinct candidates."""
    rng = rng_for(0, "score_program", pairs)
    candidates = set()
    with (
        (folder / "references.csv").open("w", newline="", encoding="utf-8") as first,
        (folder / "candidates.csv").open("w", newline="", encoding="utf-8") as second,
    ):
        writers = csv.writer(first), csv.writer(second)
        for writer in writers:
            writer.writerow(["study_id", "report"])
        for pair in range(pairs):
            reference, other = (texts[place] for place in rng.integers(len(texts), size=2))
            sentences = reference.split(". ")
            rng.shuffle(sentences)
            candidate = ". ".join(sentences[: max(1, len(sentences) - 2)] + other.split(". ")[:2])
            candidates.add(candidate)
            writers[0].writerow([f"s{pair}", reference])
            writers[1].writerow([f"s{pair}", candidate])
    return len(candidates)


def main() -> None:
    """Make the pairs, run the program, print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--reports", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    texts = [report.joined for report in read_openi(args.reports)]
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        distinct = write_pairs([text for text in texts if text], folder, pairs=args.pairs)
        command = [sys.executable, "-m", "hilum.cli.main", "score"]
        command += ["--references", "references.csv", "--candidates", "candidates.csv"]
        command += ["--per-sample", "samples.csv"]
        begun = time.perf_counter()
        subprocess.run(command, cwd=folder, check=True, stdout=sys.stderr)
        seconds = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    figures = {"pairs": args.pairs, "distinct candidates": distinct, "seconds": seconds, "peak MiB": peak}
    print("\n".join(table_lines(["what", "figure"], [[k, f"{v:,.1f}"] for k, v in figures.items()])))
    write_json(args.json, "score_program", figures)


if __name__ == "__main__":
    main()
