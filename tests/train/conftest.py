from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(name="one_thread")
def _one_thread() -> Iterator[None]:
    """Torch with one thread."""
    from whole_runs import one_thread

    with one_thread():
        yield
