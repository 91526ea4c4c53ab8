"""A progress bar on a terminal; elsewhere a short line now and then. What the commands' own meters stand on."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

_SECONDS_BETWEEN_LINES = 10.0
_PLAIN_WIDTH = 100


def error_console() -> Console:
    """Standard error without markup; of one width where it is no terminal."""
    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _PLAIN_WIDTH
    return console


class BarMeter:
    """A bar with the time left. `text` stands between bar and time, over the task's fields."""

    def __init__(self, description: str, text: str, *, console: Console | None = None, **fields: Any) -> None:
        self.console = console or error_console()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn(text),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task(description, total=None, **fields)
        self._began = self._last = time.monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def line_is_due(self, now: float) -> bool:
        """Whether there is no bar and the last line was some time ago; asked, it counts as told."""
        due = self._bar.disable and now - self._last >= _SECONDS_BETWEEN_LINES
        if due:
            self._last = now
        return due
