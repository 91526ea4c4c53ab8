"""What vector indexes need: vectors of unit length, FAISS or an error that says how to install it, its threads."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError, MissingExtraError

Floats = npt.NDArray[np.float32]


def unit(vectors_ND: npt.NDArray[np.floating[Any]], what: str, ids: Sequence[str] | None = None) -> Floats:
    """Copies of length 1, float32 [N, D]. Raises InputError for none, and for one that is 0 or not finite."""
    vectors = np.array(vectors_ND, dtype=np.float32, order="C")
    if vectors.ndim != 2 or not vectors.size or (ids is not None and len(ids) != len(vectors)):
        named = "" if ids is None else f" and {len(ids)} rows"
        raise InputError(
            f"Vectors [N, D] of at least one {what} are needed; got shape {vectors.shape}{named}."
        )
    lengths_N = np.linalg.norm(vectors.astype(np.float64), axis=1)
    bad = np.flatnonzero(~np.isfinite(lengths_N) | (lengths_N == 0))
    if len(bad):
        name = f"{what} {bad[0] + 1}" if ids is None else repr(ids[int(bad[0])])
        raise InputError(
            f"{len(bad)} of {len(vectors)} vectors are 0 or not finite, the first is that of {name}. Next step: leave "
            "them out."
        )
    return np.asarray(vectors / lengths_N[:, None], dtype=np.float32)


def faiss_module() -> Any:
    """FAISS, or MissingExtraError."""
    try:
        return importlib.import_module("faiss")
    except ImportError as error:
        raise MissingExtraError("faiss-cpu", "llm") from error


@contextmanager
def threads_of_faiss(count: int) -> Iterator[None]:
    """FAISS works with so many threads while inside."""
    faiss = faiss_module()
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(count)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def digest_of(path: Path) -> str:
    """SHA-256, in hex, of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
