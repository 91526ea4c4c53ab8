"""Any items through any picklable worker, in chunks, on this machine; what is done stays done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Generic, TypeVar

from hilum.core.errors import HilumError, UnreachableError
from hilum.runner._pool import Chunk, InProcess, Parts, Pool, StopRunError, WorkerSpec
from hilum.runner.store import PartStore

T = TypeVar("T")
_MOST_FAILURES = 5


class WorkerError(HilumError):
    """Some chunks could not be done; all others are kept."""


@dataclass(frozen=True)
class Chunking(Generic[T]):
    """How items are cut into chunks: at most `size` items and, but for one item alone, `max_weight`.

    The cut depends on the items alone, so it is the same in every run.
    """

    size: int = 1000
    weigh: Callable[[T], int] | None = None
    max_weight: int = 4_000_000

    def cut(self, items: Iterable[T]) -> Iterator[Chunk[T]]:
        """The chunks in order; one is held at a time."""
        held: list[T] = []
        number = first = weight = 0
        for item in items:
            more = self.weigh(item) if self.weigh else 0
            if held and (len(held) >= self.size or weight + more > self.max_weight):
                yield Chunk(number, first, held)
                number, first, weight, held = number + 1, first + len(held), 0, []
            held.append(item)
            weight += more
        if held:
            yield Chunk(number, first, held)


@dataclass(frozen=True)
class Progress:
    """Items done so far, of which `resumed` were there already from an earlier run; finished chunks."""

    items: int
    resumed: int
    chunks: int


@dataclass(frozen=True)
class RunReport:
    """What a run did: how many chunks and items there are, items that were there already, and retries."""

    chunks: int
    items: int
    resumed: int
    retried: tuple[str, ...]


def run_chunks(
    items: Iterable[T],
    spec: WorkerSpec[T],
    *,
    store: PartStore,
    chunking: Chunking[T] | None = None,
    workers: int = 1,
    progress: Callable[[Progress], None] | None = None,
) -> RunReport:
    """Put every item through `spec` and keep each chunk's parts in `store`, which must be open.

    Items are streamed: at most two chunks per worker are held. Chunks that the store has are not done again.
    `workers=1` starts no process. The parts do not depend on the number of workers. A worker process that
    dies is replaced and its chunk tried once more.

    Raises WorkerError, after all other chunks are done, that names the items of each chunk that failed (at once
    when five did), and UnreachableError of an item at once.
    """
    run, waiting = _Run(store, progress), 1 if workers <= 1 else 2 * workers
    with InProcess(spec) if workers <= 1 else Pool(spec, workers) as pool:
        for chunk in (chunking or Chunking[T]()).cut(items):
            run.chunks += 1
            if store.has(chunk.number):
                run.count(len(chunk.items), resumed=True)
                continue
            run.pending[pool.submit(chunk)] = (chunk.number, chunk.first, len(chunk.items))
            while len(run.pending) >= waiting:
                run.settle()
        while run.pending:
            run.settle()
        retried = tuple(pool.retried)
    run.raise_failures()
    return RunReport(run.chunks, run.items, run.resumed, retried)


class _Run:
    """The counts of one run and the chunks on their way."""

    def __init__(self, store: PartStore, progress: Callable[[Progress], None] | None) -> None:
        self.store, self.progress = store, progress
        self.pending: dict[Future[Parts], tuple[int, int, int]] = {}
        self.failures: list[tuple[str, str]] = []
        self.chunks = self.done = self.items = self.resumed = 0

    def settle(self) -> None:
        """Keep what has come back; wait until something has."""
        ready = wait(self.pending, return_when=FIRST_COMPLETED).done
        done_first = sorted(ready, key=lambda one: one.exception() is not None)
        for future in done_first:
            number, first, size = self.pending.pop(future)
            error = future.exception()
            if error is None:
                self.store.save(number, future.result())
                self.count(size)
            elif isinstance(error, Exception) and not isinstance(error, StopRunError | UnreachableError):
                self.failures.append((f"{first + 1:,} to {first + size:,}", str(error)))
            else:
                raise error
        if len(self.failures) >= _MOST_FAILURES:
            self.raise_failures()

    def count(self, size: int, *, resumed: bool = False) -> None:
        self.items += size
        self.done += 1
        self.resumed += size if resumed else 0
        if self.progress:
            self.progress(Progress(self.items, self.resumed, self.done))

    def raise_failures(self) -> None:
        if self.failures:
            items = {why: [of for of, said in self.failures if said == why] for _, why in self.failures}
            told = "; ".join(f"items {', '.join(of)}: {why}" for why, of in items.items())
            raise WorkerError(
                f"{len(self.failures)} chunk(s) could not be done: {told}. What was "
                "done is kept. Next step: mend the cause, then run the same again: it goes on from there."
            )
