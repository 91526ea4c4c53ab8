"""How fast are labels? hilum, medspaCy with ConText, and one bare regular-expression scan, in one run.

    python benchmarks/labeler_speed.py --reports NLMCXR_reports.tgz [--medspacy-python PYTHON] [--repeats 7]
        [--memory 1000000] [--linear] [--json OUT]

All read the same texts: FINDINGS and IMPRESSION of every Open-I report, joined. One core each, one thread:

- hilum: text in, `Labels` with evidence out, sections found on the way (there is no cache of repeated
  sentences); then the same work through one and through two worker processes, texts sent to them and states
  with evidence sent back.
- medspaCy: its matcher and ConText with as many targets as hilum's lexicon has phrases for findings, with its
  own sentencizer and with spaCy's plain one.
- the bare scan: `re` over the lowercased text for those phrases, as a plain alternation and as a prefix tree.
  It finds words and decides nothing: no program that reads the text can be faster.

`--memory N` labels N reports from a csv file in two workers and watches the memory of the whole process tree.
`--linear` doubles texts of many kinds up to 10 MB and compares the times.

medspaCy needs an older spaCy and numpy, so it lives in an environment of its own (Python 3.11; medspacy
1.3.1, spacy 3.7.5 and numpy 1.26.4 were measured):

    python3.11 -m venv medspacy-venv
    medspacy-venv/bin/pip install "medspacy==1.3.1" "spacy>=3.7,<3.8" "numpy<2"
    python benchmarks/labeler_speed.py --reports NLMCXR_reports.tgz --medspacy-python medspacy-venv/bin/python
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import statistics
import subprocess
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib import resources
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, cast

from _common import read_openi, table_lines, write_json
from _limits import LARGEST, linear_times, peak_memory, plain_labeler
from hilum.labelers import Labeler, ReportSpans
from hilum.text.phrases import expand
from hilum.text.sections import select_sections

CHUNK = 500
MEDSPACY = {"medspaCy, own sentencizer": "medspacy_pyrush", "medspaCy, plain sentencizer": "sentencizer"}
Contender = Callable[[], float]
"""Reads all texts once and tells the seconds it took."""
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def lexicon_phrases(vocabulary: str) -> list[str]:
    """Every plain phrase of the lexicon that names a finding, a structure or another abnormality."""
    folder = resources.files("hilum.labelers") / "lexicon"
    found: set[str] = set()
    for name in (vocabulary, "other"):
        data = tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8"))
        entries = [
            entry for table in ("mention", "structure", "abnormality") for entry in data.get(table, [])
        ]
        found.update(plain for entry in entries for phrase in entry["phrases"] for plain in expand(phrase))
    return sorted(found)


def label_chunk(labeler: Labeler, texts: Sequence[str]) -> list[Any]:
    """Sections found, then labels with evidence: what a user waits for."""
    return labeler.label_batch([ReportSpans(text, select_sections(text, "both")) for text in texts])


def in_process(texts: Sequence[str]) -> Contender:
    """Labels all texts in this process and lets go of each chunk's labels before the next."""
    chunks = [texts[at : at + CHUNK] for at in range(0, len(texts), CHUNK)]
    labeler = plain_labeler()

    def work() -> float:
        start = time.perf_counter()
        for chunk in chunks:
            label_chunk(labeler, chunk)
        return time.perf_counter() - start

    return work


def _work(connection: Connection) -> None:
    labeler = plain_labeler()
    connection.send(0)
    while (texts := connection.recv()) is not None:
        labels = label_chunk(labeler, texts)
        evidence = [[tuple(e) for e in one.evidence] for one in labels]
        connection.send((bytes(int(state) for one in labels for state in one.states), json.dumps(evidence)))


def _drive(connections: Sequence[Connection], chunks: Sequence[Sequence[str]]) -> int:
    """Send every chunk to whichever worker is free and take its answer; how many characters came back."""
    left = list(reversed(chunks))
    received = busy = 0
    for connection in [c for c in connections for _ in range(2)]:  # one to work on, one waiting in the pipe
        if left:
            connection.send(left.pop())
            busy += 1
    while busy:
        for ready in cast("list[Connection]", wait(connections)):
            states, evidence = ready.recv()
            received += len(states) + len(evidence)
            busy -= 1
            if left:
                ready.send(left.pop())
                busy += 1
    return received


@contextmanager
def in_workers(texts: Sequence[str], *, workers: int) -> Iterator[Contender]:
    """Labels all texts in worker processes, sending texts there and states with evidence back."""
    context = multiprocessing.get_context("spawn")
    chunks = [texts[at : at + CHUNK // 5] for at in range(0, len(texts), CHUNK // 5)]
    pairs = [context.Pipe() for _ in range(workers)]
    processes = [context.Process(target=_work, args=(theirs,), daemon=True) for _, theirs in pairs]
    connections = [ours for ours, _ in pairs]
    for process in processes:
        process.start()
    for connection in connections:
        connection.recv()

    def work() -> float:
        start = time.perf_counter()
        _drive(connections, chunks)
        return time.perf_counter() - start

    yield work
    for connection, process in zip(connections, processes, strict=True):
        connection.send(None)
        process.join()


def bare_scan(texts: Sequence[str], expression: str) -> Contender:
    """Lowercases every text and finds the phrases in it."""
    find = re.compile(rf"\b(?:{expression})\b").findall

    def work() -> float:
        start = time.perf_counter()
        for text in texts:
            find(text.lower())
        return time.perf_counter() - start

    return work


def prefix_tree(phrases: Sequence[str]) -> str:
    """A regular expression for the longest phrase at a place, with common beginnings written once."""
    optional, rest_by_first = "", dict[str, list[str]]()
    for phrase in sorted(set(phrases)):
        if phrase:
            rest_by_first.setdefault(phrase[0], []).append(phrase[1:])
        else:
            optional = "?"
    body = "|".join(re.escape(first) + prefix_tree(rest) for first, rest in rest_by_first.items())
    return f"(?:{body}){optional}" if body else ""


@contextmanager
def medspacy(
    python: Path, texts: Sequence[str], phrases: Sequence[str]
) -> Iterator[tuple[Any, dict[str, Contender]]]:
    """The versions in the environment of `python`, and `medspacy_speed.py` there, waiting to be asked."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "job.json"
        path.write_text(json.dumps({"texts": list(texts), "targets": list(phrases)}), encoding="utf-8")
        command = [str(python), str(Path(__file__).with_name("medspacy_speed.py")), str(path)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:

            def ask(name: str) -> float:
                print(name, file=child.stdin, flush=True)
                return float(_line(child))

            versions = json.loads(_line(child))
            yield versions, {row: partial(ask, name) for row, name in MEDSPACY.items()}


def _line(child: subprocess.Popen[str]) -> str:
    line = child.stdout.readline() if child.stdout else ""
    if not line:
        raise SystemExit("medspaCy stopped; its message stands above.")
    return line


def summary(seconds: Sequence[float], reports: int) -> dict[str, float]:
    """Reports a second: median, least and most over the repeats."""
    rates = sorted(reports / s for s in seconds)
    return {"median": statistics.median(rates), "least": rates[0], "most": rates[-1], "repeats": len(rates)}


def contenders(texts: Sequence[str], phrases: Sequence[str], stack: ExitStack) -> dict[str, Contender]:
    """hilum in its forms and the bare scans, by the name of their row."""
    longest_first = sorted(phrases, key=len, reverse=True)
    return {
        "hilum": in_process(texts),
        "hilum, 1 worker": stack.enter_context(in_workers(texts, workers=1)),
        "hilum, 2 workers": stack.enter_context(in_workers(texts, workers=2)),
        "bare scan, alternation": bare_scan(texts, "|".join(map(re.escape, longest_first))),
        "bare scan, prefix tree": bare_scan(texts, prefix_tree(phrases)),
    }


def measure(texts: Sequence[str], options: argparse.Namespace) -> dict[str, Any]:
    """Every speed of the table: rounds with each contender once, so that all meet the same noise."""
    phrases = lexicon_phrases("chexpert14")
    some = texts[:: options.medspacy_every]
    with ExitStack() as stack:
        work = contenders(texts, phrases, stack)
        counts = dict.fromkeys(work, len(texts))
        versions: Any = "not measured"
        if options.medspacy_python:
            versions, theirs = stack.enter_context(medspacy(options.medspacy_python, some, phrases))
            work |= theirs
            counts |= dict.fromkeys(theirs, len(some))
        rounds = [{name: one() for name, one in work.items()} for _ in range(options.repeats + 1)][1:]
    speeds = {name: summary([r[name] for r in rounds], counts[name]) for name in work}
    return {
        "reports": len(texts),
        "phrases": len(phrases),
        "medspacy": versions,
        "reports_per_second": speeds,
    }


def ratios(result: dict[str, Any]) -> dict[str, float]:
    """The figures that goals are set on."""
    speed = {name: rates["median"] for name, rates in result["reports_per_second"].items()}
    one = speed["hilum"]
    light = max(v for name, v in speed.items() if name.startswith("bare scan"))
    found = {
        "two workers / one core in process": speed["hilum, 2 workers"] / one,
        "two workers / one worker": speed["hilum, 2 workers"] / speed["hilum, 1 worker"],
        "bare scan / hilum": light / one,
    }
    for name in MEDSPACY:
        if name in speed:
            found[f"hilum / {name}"] = one / speed[name]
    return found


def report(result: dict[str, Any]) -> None:
    """Print the table of speeds and the ratios."""
    rows = [
        (name, f"{rates['median']:,.0f}", f"{rates['least']:,.0f}", f"{rates['most']:,.0f}")
        for name, rates in result["reports_per_second"].items()
    ]
    if result["medspacy"] == "not measured":
        rows.append(("medspaCy (no --medspacy-python)", "not measured", "", ""))
    print(f"{result['reports']} reports, {result['phrases']} phrases")
    print("\n".join(table_lines(("reports a second", "median", "least", "most"), rows)))
    print()
    print("\n".join(table_lines(("ratio", ""), [(n, f"{r:.2f}") for n, r in result["ratios"].items()])))


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--reports", type=Path, required=True, help="NLMCXR_reports.tgz")
    parser.add_argument("--medspacy-python", type=Path, help="the python of an environment with medspaCy")
    parser.add_argument("--medspacy-every", type=int, default=1, help="give medspaCy every n-th report only")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--no-speed", action="store_true", help="only --memory or --linear")
    parser.add_argument("--memory", type=int, metavar="N", help="label N reports and watch the memory")
    parser.add_argument("--linear", action="store_true", help="compare times of doubled texts, up to 10 MB")
    parser.add_argument(
        "--largest", type=int, default=LARGEST, help="characters of the longest text of --linear"
    )
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    os.environ.update(ONE_THREAD)
    texts = [r.joined for r in read_openi(options.reports) if r.joined]
    result: dict[str, Any] = {}
    if not options.no_speed:
        result = measure(texts, options)
        result["ratios"] = ratios(result)
        report(result)
    if options.memory:
        result["memory"] = peak_memory(texts, options.memory)
    if options.linear:
        result["linear"] = linear_times(texts, largest=options.largest)
    write_json(options.json, "labeler_speed", result)


if __name__ == "__main__":
    main()
