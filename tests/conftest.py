from __future__ import annotations

import gc
import time
from collections.abc import Callable

import pytest

MOST_GROWTH = 16.0


def _seconds(run: Callable[[], object]) -> float:
    best = float("inf")
    gc.collect()
    gc.disable()  # its rounds come at sizes of their own choice
    try:
        for _ in range(3):
            begun = time.process_time()
            run()
            best = min(best, time.process_time() - begun)
    finally:
        gc.enable()
    return best


@pytest.fixture
def assert_linear() -> Callable[[Callable[[int], Callable[[], object]]], None]:
    """Asserts that `prepare(size)()` takes at most 16 times as long for 8 times the size.

    Linear work takes 8 times as long, quadratic work 64 times. The room between is for caches and for a
    machine whose speed changes; the exact growth is measured by benchmarks/labeler_speed.py --linear.
    """

    def check(prepare: Callable[[int], Callable[[], object]]) -> None:
        small, large = prepare(40_000), prepare(320_000)
        ratio = float("inf")
        for _attempt in range(6):  # another process may disturb one measurement, not all
            ratio = min(ratio, _seconds(large) / max(_seconds(small), 1e-4))
            if ratio <= MOST_GROWTH:
                return
        raise AssertionError(f"8 times the text takes {ratio:.1f} times as long")

    return check
