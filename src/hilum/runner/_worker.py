"""What a worker process runs. It imports the standard library and hilum's errors, and then only what its task names."""

from __future__ import annotations

import io
import os
import pickle
import queue
import signal
import sys
import threading
import traceback
from typing import BinaryIO

from hilum.core.errors import UnreachableError

LAUNCH = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); "
    "from hilum.runner import _worker; _worker.serve()"
)
"""The program of a worker process; the parent's module path is the first thing on its standard input."""


def serve() -> None:
    """Build the task that comes first on standard input, then answer each chunk that follows with its parts.

    An answer is `(True, parts)` or `(False, what went wrong)`: a text, or the UnreachableError that ends
    the run. The process ends when standard input does, that is also when the parent dies, even in the middle of a
    chunk.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a task prints goes to standard error, not among the answers
    inbox: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(sys.stdin.buffer, inbox), daemon=True).start()
    try:
        work = pickle.loads(inbox.get()).build()  # noqa: S301  (from the parent process only)
    except Exception as error:  # noqa: BLE001  (told to the parent, which stops the run)
        _answer(answers, (False, describe(error)))
        os._exit(1)
    _answer(answers, (True, {}))
    while True:
        message = inbox.get()
        try:
            first, items = pickle.loads(message)  # noqa: S301
            answer = (True, work(first, items))
        except UnreachableError as error:
            answer = (False, error)
        except Exception as error:  # noqa: BLE001  (told to the parent; the other chunks go on)
            answer = (False, describe(error))
        _answer(answers, answer)


def describe(error: BaseException) -> str:
    """One line: the error and the place in the code where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({os.path.basename(frames[-1].filename)}, line {frames[-1].lineno})" if frames else ""  # noqa: PTH119
    return f"{type(error).__name__}: {error}{where}"


def send(pipe: BinaryIO, message: bytes) -> None:
    """Write one message with its length before it."""
    pipe.write(len(message).to_bytes(8, "big"))
    pipe.write(message)
    pipe.flush()


def receive(pipe: BinaryIO) -> bytes | None:
    """The next message, or None when the other side has gone."""
    head = pipe.read(8)
    if len(head) < 8:
        return None
    size = int.from_bytes(head, "big")
    message = pipe.read(size)
    return message if len(message) == size else None


def _receive(pipe: BinaryIO, inbox: queue.SimpleQueue[bytes]) -> None:
    while (message := receive(pipe)) is not None:
        inbox.put(message)
    os._exit(0)


def _answer(pipe: io.BufferedWriter, answer: object) -> None:
    try:
        send(pipe, pickle.dumps(answer, protocol=pickle.HIGHEST_PROTOCOL))
    except BrokenPipeError:
        os._exit(0)
