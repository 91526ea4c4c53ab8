"""How does labeling through a chat server hold up? 2,000 invented reports, a real server process, trouble on purpose.

    python benchmarks/llm_endpoint.py [--reports 2000] [--in-flight 8] [--delay 0.02] [--json OUT]

Three runs against `tests/models/chat_server.py` on localhost: one without trouble; one in which about half of the
first requests are slow, refused (429, 500, 503), cut, or answered with unusable text, and one report in fifty is
hopeless; and the second one again, killed (SIGKILL) half-way and resumed from its cache. Every answer is compared with
what the server meant.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from _common import ROOT, table_lines, write_json
from hilum.models._answer_cache import CACHE_FILE, AnswerCache
from hilum.models.engine import Message, Question
from hilum.models.http_engine import HttpEngine, HttpOptions

SERVER = ROOT / "tests" / "models" / "chat_server.py"
sys.path.insert(0, str(SERVER.parent))

USABLE = ("honest", "slow", "fence")


def invented(reports: int) -> list[Question]:
    """Questions about invented reports, each one different; one in fifty is hopeless for the server."""
    from chat_behaviours import CHOICES, ITEMS  # noqa: PLC0415  (the folder of the tests)

    words = "the heart is of usual size and the lungs are clear without effusion or pneumothorax . "
    texts = (
        f"{'HOPELESS ' if number % 50 == 7 else ''}Invented report {number}: {words * (1 + number % 4)}"
        for number in range(reports)
    )
    system = Message("system", "Answer with JSON.")
    return [Question((system, Message("user", text)), ITEMS, CHOICES) for text in texts]


@contextmanager
def server_process(plan: str, log: Path, *, delay_s: float) -> Iterator[str]:
    """The address of a server in a process of its own."""
    command = [sys.executable, str(SERVER), "--plan", plan, "--log", str(log), "--delay", str(delay_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        process.kill()


def asked_all(url: str, cache: Path, *, reports: int, in_flight: int) -> dict[str, Any]:
    """Ask all and count; raises AssertionError when an answer is not what the server meant."""
    from chat_behaviours import CHOICES, ITEMS, reference_answer  # noqa: PLC0415  (the folder of the tests)

    options = HttpOptions(
        url, "tiny", key_from=None, in_flight=in_flight, timeout_s=10, backoff_s=0.02, cache=cache, give_up=0
    )
    questions = invented(reports)
    with HttpEngine(options) as engine:
        begun = time.perf_counter()
        replies = engine.ask(questions)
        seconds = time.perf_counter() - begun
        tally = engine.tally
    for question, reply in zip(questions, replies, strict=True):
        meant = reference_answer(question.messages[-1].content, ITEMS, CHOICES)
        assert reply.problem or [meant[item] for item in ITEMS] == [CHOICES[place] for place in reply.chosen]
    reasons = Counter(reply.problem for reply in replies if reply.problem)
    return {"seconds": seconds, "reasons": dict(reasons), **tally._asdict()}


def answered_twice(log: Path) -> int:
    """How many conversations the server answered usably more than once."""
    usable = Counter(text for text, name in _lines(log) if name in USABLE)
    return sum(count > 1 for count in usable.values())


def stored_texts(cache: Path, url: str, *, reports: int) -> set[str]:
    """SHA-256 of the reports whose answers are in the file."""
    questions = invented(reports)
    with HttpEngine(HttpOptions(url, "tiny", key_from=None, cache=cache)) as engine:
        keys = [engine.cache_key(question) for question in questions]
    file = AnswerCache(cache / CACHE_FILE)
    kept = file.get(keys)
    file.close()
    texts = (
        question.messages[-1].content for question, key in zip(questions, keys, strict=True) if key in kept
    )
    return {hashlib.sha256(text.encode()).hexdigest() for text in texts}


def _lines(log: Path) -> list[tuple[str, str]]:
    lines = (line.split() for line in log.read_text(encoding="ascii").splitlines())
    return [(text, name) for text, name in lines]


def killed_and_resumed(folder: Path, *, reports: int, in_flight: int, delay_s: float) -> dict[str, Any]:
    """Start the second run in a process, kill it half-way, and go on from its cache."""
    log, cache = folder / "killed.log", folder / "killed.answers"
    with server_process("mixed", log, delay_s=delay_s) as url:
        command = [sys.executable, __file__, "--ask", url, "--cache", str(cache)]
        command += ["--reports", str(reports), "--in-flight", str(in_flight)]
        with subprocess.Popen(command) as job:
            while job.poll() is None and _stored(cache) < reports // 2:
                time.sleep(0.05)
            assert job.poll() is None, "the job ended before it could be killed"
            job.kill()
        stored, before = stored_texts(cache, url, reports=reports), len(_lines(log))
        found = asked_all(url, cache, reports=reports, in_flight=in_flight)
    assert found["cached"] == len(stored)
    again = sum(text in stored for text, _ in _lines(log)[before:])
    return {
        **found,
        "stored_at_kill": len(stored),
        "stored_asked_again": again,
        "answered_twice": answered_twice(log),
    }


def _stored(cache: Path) -> int:
    if not (cache / CACHE_FILE).exists():
        return 0
    file = AnswerCache(cache / CACHE_FILE)
    try:
        return file.totals()[0]
    finally:
        file.close()


def _show(name: str, found: dict[str, Any]) -> None:
    done = found["answered"] + found["failed"]
    rows = [
        ("questions answered or failed now", f"{done:,} in {found['seconds']:.1f} s"),
        ("requests a second", f"{found['asked'] / found['seconds']:.0f}"),
        (
            "requests (of these: retries, asked again)",
            f"{found['asked']} ({found['retries']}, {found['again']})",
        ),
        ("in flight at most", str(found["most_in_flight"])),
        ("labeled now, from the cache", f"{found['answered']}, {found['cached']}"),
        ("failed, listed with the reason", str(found["failed"])),
        ("stored answers asked for again", str(found.get("stored_asked_again", 0))),
        ("answered twice (in flight at the kill)", str(found["answered_twice"])),
    ]
    print(f"\n{name}")
    print(*table_lines(("", ""), tuple(rows)), sep="\n")
    for reason, count in sorted(found["reasons"].items()):
        print(f"  {count:4}  {reason}")


def main() -> None:
    """Run the three runs, print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--reports", type=int, default=2000)
    parser.add_argument("--in-flight", type=int, default=8)
    parser.add_argument("--delay", type=float, default=0.02, help="seconds the server takes for an answer")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--ask", help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    size = {"reports": args.reports, "in_flight": args.in_flight}
    if args.ask:
        asked_all(args.ask, args.cache, **size)
        return
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for name, plan in (("no trouble", "honest"), ("trouble", "mixed")):
            log = folder / f"{plan}.log"
            with server_process(plan, log, delay_s=args.delay) as url:
                found = asked_all(url, folder / f"{plan}.answers", **size)
            results[name] = {**found, "answered_twice": answered_twice(log)}
            _show(name, results[name])
        results["killed and resumed"] = killed_and_resumed(folder, **size, delay_s=args.delay)
        stored = results["killed and resumed"]["stored_at_kill"]
        _show(f"trouble, killed with {stored} answers stored, and resumed", results["killed and resumed"])
    write_json(args.json, "llm_endpoint", results)


if __name__ == "__main__":
    main()
