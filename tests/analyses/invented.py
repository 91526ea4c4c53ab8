"""Invented label matrices and files for the tests of studies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hilum.core.matrix import LabelMatrix
from hilum.core.rng import rng_for
from hilum.core.vocabulary import CHEXPERT14, CSV_CODES, State

LETTERS = {"p": State.POSITIVE, "n": State.NEGATIVE, "u": State.UNCERTAIN, ".": State.BLANK}


def matrix(findings: Sequence[str], rows: Sequence[str], *, source: str = "invented") -> LabelMatrix:
    """Rows as words of the letters p, n, u and . (blank), one letter per finding."""
    states = np.array([[LETTERS[letter] for letter in row] for row in rows], dtype=np.int8)
    ids = tuple(f"study{place}" for place in range(len(rows)))
    return LabelMatrix(source, CHEXPERT14, tuple(findings), ids, states.reshape(len(rows), len(findings)))


def random_truth(studies: int, findings: int, *, seed: int = 0, share: float = 0.4) -> np.ndarray:
    return (rng_for(seed, "truth").random((studies, findings)) < share).astype(np.int8)


def noisy(truth_NF: np.ndarray, *, wrong: float, seed: int) -> np.ndarray:
    flip = rng_for(seed, "noise").random(truth_NF.shape) < wrong
    return np.where(flip, 1 - truth_NF, truth_NF).astype(np.int8)


def write_labels(path: Path, found: LabelMatrix, *, key: str = "Study") -> Path:
    """A label file of CheXpert's kind with a key column."""
    lines = [",".join([key, *found.findings])]
    for study, states in zip(found.ids, found.states_NF, strict=True):
        codes = [CSV_CODES[State(int(state))] for state in states]
        lines.append(",".join([study, *("" if code is None else str(code) for code in codes)]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
