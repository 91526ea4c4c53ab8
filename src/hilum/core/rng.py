"""Random draws that depend on a seed and on names alone: the same in any order and in any process."""

from __future__ import annotations

import hashlib

import numpy as np


def rng_for(seed: int, *ids: str | int) -> np.random.Generator:
    """A generator for the draw called `ids` under `seed`; equal arguments give equal draws.

    `rng_for(0, "bootstrap", "Edema")` does not depend on what was drawn before it.
    """
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in (seed, *ids))
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))
