"""Columns that no regression can tell apart, and classes that columns tell apart too well."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.core.errors import MissingExtraError

Array = npt.NDArray[np.float64]
Dropped = tuple[Literal["constant", "collinear"], str]
"""Why a column is not fitted: a status, and in words."""

_DEPENDENT = 1e-8
_MOST_TERMS = 6


class Kept(NamedTuple):
    """Places of the columns that are fitted, and for each other its status and why."""

    places: tuple[int, ...]
    dropped: dict[int, Dropped]


def independent_columns(X: Array, names: Sequence[str]) -> Kept:
    """The first of every set of columns that depend on each other and on the intercept.

    Modified Gram-Schmidt in the order of the columns, twice against rounding; on distinct rows, since
    repetition changes no dependence.
    """
    rows = np.unique(X, axis=0)
    basis = [np.full(len(rows), 1 / math.sqrt(len(rows)))]
    places: list[int] = []
    dropped: dict[int, Dropped] = {}
    for place in range(X.shape[1]):
        column = rows[:, place]
        if np.ptp(column) == 0:
            dropped[place] = "constant", f"is {column[0]:g} in every row"
            continue
        rest = column - column.mean()
        size = float(np.linalg.norm(rest))
        for _ in range(2):
            for direction in basis:
                rest = rest - (direction @ rest) * direction
        if np.linalg.norm(rest) <= _DEPENDENT * size:
            dropped[place] = "collinear", _equals(rows, place, places, names)
            continue
        basis.append(rest / np.linalg.norm(rest))
        places.append(place)
    return Kept(tuple(places), dropped)


def _equals(rows: Array, place: int, places: Sequence[int], names: Sequence[str]) -> str:
    """What a dependent column is in terms of the columns before it, in words."""
    design = np.column_stack([np.ones(len(rows)), rows[:, places]])
    weights = np.linalg.lstsq(design, rows[:, place], rcond=None)[0]
    labels = ["", *(names[p] for p in places)]
    terms = [(w, label) for w, label in zip(weights, labels, strict=True) if abs(w) > 1e-6]
    text = ""
    for number, (weight, label) in enumerate(terms[:_MOST_TERMS]):
        sign = "-" if weight < 0 else "+"
        size = f"{abs(weight):.4g}"
        term = label if label and size == "1" else f"{size} x {label}" if label else size
        text += (f"-{term}" if weight < 0 else term) if number == 0 else f" {sign} {term}"
    more = f" and {len(terms) - _MOST_TERMS} more terms" if len(terms) > _MOST_TERMS else ""
    return f"equals {text}{more}"


def separated_columns(design: Array, y: Array) -> tuple[npt.NDArray[np.bool_], bool]:
    """Which coefficients have no finite maximum of the likelihood, and whether all rows are told apart.

    A row is told apart when some b has s(x b) > 0 there and s(x b) >= 0 in every row, s = 1 or -1 by class; one
    linear program finds all such rows (Konis 2007, chapter 4; here with each row's gain cut at 1, so that all
    are found at once). The other rows alone determine finite estimates, and a coefficient is finite when they
    determine it (Albert and Anderson 1984). The columns of `design` must be independent.
    """
    try:
        from scipy import sparse  # noqa: PLC0415 - optional package
        from scipy.optimize import linprog  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError("scipy", "study") from error
    rows = np.unique(np.column_stack([design / np.abs(design).max(axis=0), y]), axis=0)
    scaled, columns = rows[:, :-1], design.shape[1]
    signed = scaled * np.where(rows[:, -1] == 1, 1.0, -1.0)[:, None]
    solved = linprog(
        np.concatenate([np.zeros(columns), -np.ones(len(rows))]),
        A_ub=sparse.hstack([sparse.csr_array(-signed), sparse.eye_array(len(rows))]),
        b_ub=np.zeros(len(rows)),
        bounds=[(None, None)] * columns + [(0, 1)] * len(rows),
        method="highs",
    )
    if solved.x is None:
        return np.zeros(columns, dtype=np.bool_), False
    apart = solved.x[columns:] > 0.5
    if not apart.any():
        return np.zeros(columns, dtype=np.bool_), False
    return _undetermined(scaled[~apart], columns), bool(apart.all())


def _undetermined(rows: Array, columns: int) -> npt.NDArray[np.bool_]:
    """Coefficients that these rows leave open: those with a part in the null space."""
    if not len(rows):
        return np.ones(columns, dtype=np.bool_)
    _, sizes, directions = np.linalg.svd(rows.T @ rows)
    open_ = directions[sizes <= _DEPENDENT * sizes[0]]
    return np.asarray(np.abs(open_).max(axis=0, initial=0.0) > 1e-6)
