"""Who does the chunks: this process, or worker processes that end when it ends."""

from __future__ import annotations

import pickle
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, BinaryIO, Generic, NamedTuple, Protocol, Self, TypeVar, cast

from hilum.core.errors import HilumError, UnreachableError
from hilum.runner import _worker

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)
Parts = Mapping[str, bytes]
_TRIES = 2


class WorkerSpec(Protocol[T_contra]):
    """What a worker does; picklable, and importable by name (not defined in `__main__`)."""

    def build(self) -> Callable[[int, Sequence[T_contra]], Parts]:
        """Called once per worker. The result turns (place of the first item, items) into named parts.

        Names of parts are letters, digits and `_`; the parts depend on the place and the items alone.
        """
        ...


class Chunk(NamedTuple, Generic[T]):
    """Consecutive items: the chunk's number, the place of its first item, and the items."""

    number: int
    first: int
    items: Sequence[T]


class StopRunError(HilumError):
    """No worker can be built, so that there is no use in going on."""


class InProcess(Generic[T]):
    """Does each chunk at once, in this process."""

    def __init__(self, spec: WorkerSpec[T]) -> None:
        self._work = spec.build()
        self.retried: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Nothing is running."""

    def submit(self, chunk: Chunk[T]) -> Future[Parts]:
        """A future that is done already; it holds the parts or the error."""
        future: Future[Parts] = Future()
        try:
            future.set_result(self._work(chunk.first, chunk.items))
        except UnreachableError as error:
            future.set_exception(error)
        except Exception as error:  # noqa: BLE001  (one bad chunk must not cost the others)
            future.set_exception(HilumError(_worker.describe(error)))
        return future


class Pool(Generic[T]):
    """Worker processes, each fed by a thread; started when first needed, replaced when they die.

    They are plain child processes with pipes, not `multiprocessing`: nothing is forked with its threads and
    locks, the caller's script is not imported again, and a worker whose parent is gone reads the end of its
    standard input and ends.
    """

    def __init__(self, spec: WorkerSpec[T], workers: int) -> None:
        try:
            self._spec = pickle.dumps(spec)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise StopRunError(
                f"This work cannot be sent to worker processes: {error}. Use one worker."
            ) from error
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="hilum-worker")
        self._idle: queue.LifoQueue[_Process] = queue.LifoQueue()
        self._all: list[_Process] = []
        self._closing = threading.Lock()
        self._closed = False
        self.retried: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all workers; after an error at once, whatever they are doing."""
        with self._closing:
            self._closed = True
        for process in self._all:
            process.kill()
        self._threads.shutdown(cancel_futures=True)
        for process in self._all:
            process.close()

    def submit(self, chunk: Chunk[T]) -> Future[Parts]:
        """A future that will hold the parts of `chunk`, or the error that it ended with."""
        return self._threads.submit(self._do, chunk)

    def _do(self, chunk: Chunk[T]) -> Parts:
        message = pickle.dumps((chunk.first, chunk.items), protocol=pickle.HIGHEST_PROTOCOL)
        for attempt in range(1, _TRIES + 1):
            process = self._take()
            answer = process.ask(message)
            if answer is not None:
                self._idle.put(process)
                done, result = answer
                if isinstance(result, UnreachableError):
                    raise result
                if not done:
                    raise HilumError(str(result))
                return cast("Parts", result)
            cause = process.cause_of_death()
            if attempt < _TRIES:
                first, last = chunk.first + 1, chunk.first + len(chunk.items)
                self.retried.append(f"a worker died ({cause}) on items {first:,} to {last:,}: done again")
        raise HilumError(f"{_TRIES} workers died on it ({cause}); fewer workers need less memory")

    def _take(self) -> _Process:
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            process = self._start()
        answer = process.ask(self._spec)
        if answer is None:
            raise StopRunError(f"A worker died while it was being built ({process.cause_of_death()}).")
        if not answer[0]:
            raise StopRunError(f"A worker could not be built: {answer[1]}")
        return process

    def _start(self) -> _Process:
        with self._closing:
            if self._closed:
                raise StopRunError("The run is stopping.")
            process = _Process()
            self._all.append(process)
        return process


class _Process:
    """One worker process and its two pipes."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603  (this interpreter, our own program)
            [sys.executable, "-c", _worker.LAUNCH],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            **_own_group(),
        )
        self._to = cast("BinaryIO", self._process.stdin)
        self._from = cast("BinaryIO", self._process.stdout)
        self._path: bytes | None = pickle.dumps(sys.path)

    def ask(self, message: bytes) -> tuple[bool, object] | None:
        """The worker's answer (done, parts or what went wrong), or None when it died."""
        try:
            if self._path is not None:
                self._to.write(self._path)
                self._path = None
            _worker.send(self._to, message)
            answer = _worker.receive(self._from)
        except (BrokenPipeError, ValueError):
            return None
        return None if answer is None else pickle.loads(answer)  # noqa: S301  (from our own child process)

    def cause_of_death(self) -> str:
        code = self._process.wait()
        return f"killed by signal {-code}" if code < 0 else f"exit code {code}"

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        self._process.wait()
        for pipe in (self._to, self._from):
            try:
                pipe.close()
            except BrokenPipeError:
                continue


def _own_group() -> dict[str, Any]:
    """So that Ctrl-C reaches the parent alone, which ends its workers."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"process_group": 0}
