"""Runs that are ended from within, and torch as it is on the smallest machine."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest
import torch

from hilum.train.loop import Progress


class Killed(BaseException):
    """Stands for the end of the process: nothing may catch it."""


def killed_at(when: Callable[[Progress], bool]) -> Callable[[Progress], None]:
    """A `progress` that ends the run."""

    def look(progress: Progress) -> None:
        if when(progress):
            raise Killed

    return look


ENDS_OF_FIRST_TASK = (
    pytest.param(lambda p: p.done == 1 and p.doing == "training", id="first step"),
    pytest.param(lambda p: p.task == "labels" and p.done == 5, id="between two saves"),
    pytest.param(lambda p: p.task == "labels" and p.doing == "scoring", id="while scoring"),
    pytest.param(lambda p: p.task == "labels" and p.scored and p.epoch == 2, id="end of the first task"),
)
"""When `killed_at` may end a run whose first task is called labels and has two epochs."""


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Torch with one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
