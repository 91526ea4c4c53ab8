"""The same work for many jobs in a bounded number of threads that nobody has to wait for."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


class StoppedError(Exception):
    """The job was stopped while this piece of it waited."""


def side_by_side(
    work: Callable[[Job, threading.Event], Result],
    jobs: Iterable[Job],
    *,
    threads: int,
    stop: threading.Event,
) -> list[Result]:
    """The results in the order of the jobs; the first error stops all and is raised here.

    The threads are daemons: an interrupt leaves at once and waits for no piece that is under way. `stop` is set at
    the end in any case; `work` may raise StoppedError when it sees it.
    """
    waiting = deque(enumerate(jobs))
    expected = len(waiting)
    results: queue.SimpleQueue[tuple[int, Result | BaseException]] = queue.SimpleQueue()

    def run() -> None:
        while not stop.is_set():
            try:
                place, job = waiting.popleft()
            except IndexError:
                return
            try:
                results.put((place, work(job, stop)))
            except StoppedError:
                return
            except BaseException as error:  # noqa: BLE001  (raised where it was asked)
                results.put((place, error))
                return

    try:
        for number in range(min(threads, expected)):
            threading.Thread(target=run, name=f"hilum-{number}", daemon=True).start()
        return _collected(results, expected)
    finally:
        stop.set()


def _collected(results: queue.SimpleQueue[tuple[int, Result | BaseException]], expected: int) -> list[Result]:
    found: dict[int, Result] = {}
    while len(found) < expected:
        try:
            place, result = results.get(timeout=1.0)
        except queue.Empty:
            continue
        if isinstance(result, BaseException):
            raise result
        found[place] = result
    return [found[place] for place in range(expected)]
