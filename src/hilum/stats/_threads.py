"""Small fits one after the other are many times slower when the algebra library spreads each over all cores."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from hilum.core.errors import MissingExtraError


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Linear algebra on one thread while this lasts; also as a decorator."""
    try:
        from threadpoolctl import threadpool_limits  # noqa: PLC0415 - comes with scikit-learn
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "study") from error
    with threadpool_limits(limits=1):
        yield
