"""Decoders that can end the process they run in, in a process of their own.

GDCM 3.2 aborts on damaged JPEG Lossless and JPEG-LS frames (an uncaught C++ exception), and both GDCM and OpenJPEG
write to the terminal. One child per process decodes frames, one after the other; when it dies, one file is lost.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

_SCRIPT = Path(__file__).with_name("_decoder_child.py")
_SECONDS = 120.0
_MOST_TOLD = 3


class DecoderError(Exception):
    """The decoder cannot decode a frame, took too long, or died of it."""


class _Child:
    """The running process, with the file that it writes its complaints to."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (lives as long as the process)
        self.process = subprocess.Popen(  # noqa: S603  (our own script, no shell)
            [sys.executable, "-P", str(_SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.said,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        )

    def usable(self) -> bool:
        """Whether it runs, and was started by this process and not by one that forked it."""
        return self.owner == os.getpid() and self.process.poll() is None

    def close(self) -> None:
        """End it, unless it is another process's."""
        if self.owner == os.getpid():
            for pipe in (self.process.stdin, self.process.stdout, self.said):
                if pipe is not None:
                    pipe.close()
            self.process.kill()
            self.process.wait()

    def ask(self, request: dict[str, Any], frame: bytes) -> tuple[dict[str, Any], NDArray[Any] | None]:
        """The answer and the array. Raises OSError or ValueError when the process died."""
        asked, told = self.process.stdin, self.process.stdout
        if asked is None or told is None:
            raise OSError("no pipes")
        asked.write(json.dumps(request).encode() + b"\n" + frame)
        asked.flush()
        answer: dict[str, Any] = json.loads(told.readline())
        if "error" in answer:
            return answer, None
        values = np.empty(answer["shape"], np.dtype(answer["type"]))
        if told.readinto(values.reshape(-1).view(np.uint8)) != values.nbytes:  # type: ignore[attr-defined]
            raise OSError("the answer was cut")
        return answer, values

    def complaints(self) -> list[str]:
        """What was written to the terminal since the last time, the first few lines."""
        self.said.seek(0)
        lines = [line.strip() for line in self.said.read(1 << 16).decode(errors="replace").splitlines()]
        self.said.seek(0)
        self.said.truncate()
        return [line for line in dict.fromkeys(lines) if line][:_MOST_TOLD]


_lock = threading.Lock()
_children: list[_Child] = []


def decode_frame(
    frame: bytes, *, syntax: str, plugin: str, options: dict[str, Any]
) -> tuple[NDArray[Any], list[str]]:
    """The array of one frame as pydicom's decoder of that plug-in gives it, and what the decoder complained of.

    `options`: rows, columns and the like, as pydicom's `Decoder.as_array` wants them. Raises DecoderError.
    """
    request = {"size": len(frame), "syntax": syntax, "plugin": plugin, "options": options}
    with _lock:
        child = _running()
        watch = threading.Timer(_SECONDS, child.process.kill)
        watch.start()
        try:
            answer, values = child.ask(request, frame)
        except (OSError, ValueError) as error:
            code = child.process.wait()
            last = "; ".join(child.complaints())
            stop()
            raise DecoderError(
                f"the decoder {plugin} died of it, exit code {code}{f': {last}' if last else ''}"
            ) from error
        except BaseException:  # interrupted between question and answer: the next answer would be of this one
            stop()
            raise
        finally:
            watch.cancel()
        complaints = [*answer["warnings"], *child.complaints()]
    if values is None:
        raise DecoderError("; ".join([answer["error"], *complaints]))
    return values, complaints


def _running() -> _Child:
    if _children and not _children[0].usable():
        stop()
    if not _children:
        _children.append(_Child())
        atexit.register(stop)
    return _children[0]


def stop() -> None:
    """End the child, if there is one."""
    while _children:
        _children.pop().close()
    atexit.unregister(stop)
