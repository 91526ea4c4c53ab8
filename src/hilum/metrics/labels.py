"""How well labels fit a truth: counts of right and wrong, and what is worked out from them.

All functions take arrays and give arrays. Cells that are LEFT_OUT in either array are not counted. A value
that is not defined (a division by zero) is NaN, never 0; scikit-learn calls this `zero_division=nan`.
Counts can be weighted, which makes a bootstrap one matrix product: rows of `weights_BN` are replicates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError, UnknownNameError
from hilum.core.matrix import LEFT_OUT
from hilum.core.vocabulary import State

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

ROWS_AT_ONCE = 65_536
"""Rows turned into float cells at one time: bounds the memory of a weighted count."""


KAPPA_WEIGHTS: Mapping[str, int] = MappingProxyType({"none": 0, "linear": 1, "quadratic": 2})
"""Weights of disagreements in kappa: the power of their distance on the scale."""


class Confusion(NamedTuple):
    """Numbers (or sums of weights) of true positives, false positives, false negatives, true negatives.

    Four float64 arrays of one shape (..., F).
    """

    tp: Floats
    fp: Floats
    fn: Floats
    tn: Floats


def confusion(
    truth_NF: npt.ArrayLike, predicted_NF: npt.ArrayLike, *, weights_BN: npt.ArrayLike | None = None
) -> Confusion:
    """Counts per finding of 0/1 arrays, of shape [F]; with `weights_BN` sums of weights, of shape [B, F].

    Raises InputError for other values than 0, 1 and LEFT_OUT, and for shapes that do not fit.
    """
    truth, predicted = _pair(truth_NF, predicted_NF, allowed=(LEFT_OUT, 0, 1))
    counted = (truth != LEFT_OUT) & (predicted != LEFT_OUT)
    return _count(truth == 1, predicted == 1, counted, weights_BN)


def extraction_f1(
    truth_NF: npt.ArrayLike,
    predicted_NF: npt.ArrayLike,
    state: State,
    *,
    weights_BN: npt.ArrayLike | None = None,
) -> Confusion:
    """Counts of one state against all others (blank is one of them), from arrays of State codes: [F] or [B, F].

    `f1(extraction_f1(...))` is the F1 of this extraction task; `weighted_f1` of the same counts is the mean over
    "this state" and "another one" weighted by support. Source: Smit et al. 2020 (CheXbert), section 4.1.
    """
    truth, predicted = _pair(truth_NF, predicted_NF, allowed=(LEFT_OUT, *State))
    counted = (truth != LEFT_OUT) & (predicted != LEFT_OUT)
    return _count(truth == state, predicted == state, counted, weights_BN)


def weighted_state_f1(
    truth_NF: npt.ArrayLike,
    predicted_NF: npt.ArrayLike,
    states: Sequence[State],
    *,
    weights_BN: npt.ArrayLike | None = None,
) -> Floats:
    """F1 of each of `states` one against the rest, averaged by how often the truth has the state: [F] or [B, F].

    NaN where the truth has none of the states. This is scikit-learn's `f1_score(average="weighted",
    labels=states)`, and the weighted F1 of the LLM labeler paper (Evaluation). With `State.BLANK` among
    `states` blank counts as a class.
    """
    counts = [extraction_f1(truth_NF, predicted_NF, state, weights_BN=weights_BN) for state in states]
    if not counts:
        raise InputError("No state to average over; give at least one of State.")
    support_S = np.stack([support(c) for c in counts], axis=-1)
    f1_S = np.stack([f1(c) for c in counts], axis=-1)
    return macro(np.where(support_S > 0, f1_S, np.nan), weights=support_S)


def example_f1(truth_NF: npt.ArrayLike, predicted_NF: npt.ArrayLike) -> Floats:
    """F1 of each row (study) over its findings, float64 [N]; NaN for a row with no positive in either."""
    truth, predicted = np.asarray(truth_NF), np.asarray(predicted_NF)
    if truth.ndim != 2 or predicted.ndim != 2:
        raise InputError(f"Rows by findings are needed, not shapes {truth.shape} and {predicted.shape}.")
    return f1(confusion(truth.T, predicted.T))


def support(c: Confusion) -> Floats:
    """Positives of the truth."""
    return c.tp + c.fn


def compared(c: Confusion) -> Floats:
    """Cells that were counted."""
    return c.tp + c.fp + c.fn + c.tn


def prevalence(c: Confusion) -> Floats:
    """Share of positives in the truth; NaN where nothing was counted."""
    return _divide(support(c), compared(c))


def precision(c: Confusion) -> Floats:
    """Share of the predicted positives that are positive; NaN where none is predicted."""
    return _divide(c.tp, c.tp + c.fp)


def recall(c: Confusion) -> Floats:
    """Share of the positives that are predicted (sensitivity); NaN where the truth has none."""
    return _divide(c.tp, c.tp + c.fn)


def specificity(c: Confusion) -> Floats:
    """Share of the negatives that are predicted negative; NaN where the truth has none."""
    return _divide(c.tn, c.tn + c.fp)


def f1(c: Confusion) -> Floats:
    """2 tp / (2 tp + fp + fn); NaN where neither has a positive, 0 where one has and none is shared."""
    return _divide(2 * c.tp, 2 * c.tp + c.fp + c.fn)


def accuracy(c: Confusion) -> Floats:
    """Share of the cells that are equal; NaN where nothing was counted."""
    return _divide(c.tp + c.tn, compared(c))


def cohen_kappa(c: Confusion) -> Floats:
    """Agreement beyond chance of two 0/1 raters (Cohen 1960), at most 1.

    NaN where chance alone gives full agreement: both have the same one value everywhere, or nothing was counted.
    """
    excess = 2 * (c.tp * c.tn - c.fp * c.fn)
    return _divide(excess, (c.tp + c.fp) * (c.fp + c.tn) + (c.tp + c.fn) * (c.fn + c.tn))


def swapped(c: Confusion) -> Confusion:
    """The same counts with negative as the class that is looked for."""
    return Confusion(tp=c.tn, fp=c.fn, fn=c.fp, tn=c.tp)


def weighted_f1(c: Confusion) -> Floats:
    """F1 of the positive and of the negative class, averaged by their support; NaN where nothing was counted."""
    other = swapped(c)
    support_S = np.stack([support(c), support(other)], axis=-1)
    f1_S = np.stack([f1(c), f1(other)], axis=-1)
    return macro(np.where(support_S > 0, f1_S, np.nan), weights=support_S)


def micro(c: Confusion) -> Confusion:
    """Counts of all findings together; the last axis stays, with size 1."""
    return Confusion(*(np.sum(part, axis=-1, keepdims=True) for part in c))


def macro(values_F: npt.ArrayLike, *, weights: npt.ArrayLike | None = None) -> Floats:
    """Mean over the last axis of the defined values, with weights if given; NaN only when none is defined.

    Say beside it how many were not: `undefined(values_F)`. The weights of the defined values are scaled to sum
    to 1; a NaN weight leaves its value out; weights that are all 0 give NaN. Raises InputError below 0.
    """
    values = np.asarray(values_F, dtype=np.float64)
    shares = np.ones_like(values) if weights is None else np.asarray(weights, dtype=np.float64)
    if np.any(shares < 0):
        raise InputError(f"Weights of a mean cannot be below 0, got {float(np.nanmin(shares))}.")
    values, shares = np.broadcast_arrays(values, shares)
    defined = ~(np.isnan(values) | np.isnan(shares))
    total = np.sum(np.where(defined, values * shares, 0.0), axis=-1)
    return _divide(total, np.sum(np.where(defined, shares, 0.0), axis=-1))


def undefined(values_F: npt.ArrayLike) -> int | npt.NDArray[np.int64]:
    """How many values of the last axis are not defined (NaN): an int, or an array for more axes."""
    missing = np.isnan(np.asarray(values_F, dtype=np.float64)).sum(axis=-1)
    return int(missing) if np.ndim(missing) == 0 else missing


def kappa_states(
    a_N: npt.ArrayLike,
    b_N: npt.ArrayLike,
    *,
    states: Sequence[State] = tuple(State),
    weights: Literal["none", "linear", "quadratic"] = "none",
    weights_BN: npt.ArrayLike | None = None,
) -> Floats:
    """Cohen's kappa of two arrays of State codes, a 0-d array, or [B] with `weights_BN`.

    Rows where either has a state that is not in `states` are not counted. With linear or quadratic weights
    (Cohen 1968) the order of `states` is the scale. NaN where chance alone gives full agreement.
    """
    if weights not in KAPPA_WEIGHTS:
        raise UnknownNameError("kind of weights", weights, KAPPA_WEIGHTS)
    power = KAPPA_WEIGHTS[weights]
    a, b = _pair(a_N, b_N, allowed=(LEFT_OUT, *State))
    scale = np.arange(len(states))
    places = np.full(len(State) + 1, -1)  # the last place is that of LEFT_OUT
    places[[int(state) for state in states]] = scale
    row, column = places[a.astype(np.intp)], places[b.astype(np.intp)]
    pairs = np.where((row >= 0) & (column >= 0), row * len(states) + column, -1)
    cells_NP = pairs[:, None] == np.arange(len(states) ** 2)
    joint = _sums(cells_NP, weights_BN).reshape((-1, len(states), len(states)))
    distance = np.abs(scale[:, None] - scale).astype(np.float64)
    cost = np.where(distance > 0, distance**power, 0.0)
    chance = joint.sum(axis=2)[:, :, None] * joint.sum(axis=1)[:, None, :]
    observed_cost = (joint * cost).sum(axis=(1, 2)) * joint.sum(axis=(1, 2))
    kappa = 1 - _divide(observed_cost, (chance * cost).sum(axis=(1, 2)))
    return kappa if weights_BN is not None and np.ndim(weights_BN) == 2 else kappa.reshape(())


def _divide(above: npt.ArrayLike, below: npt.ArrayLike) -> Floats:
    top, bottom = np.broadcast_arrays(np.asarray(above, dtype=np.float64), np.asarray(below, np.float64))
    result = np.full(top.shape, np.nan)
    np.divide(top, bottom, out=result, where=bottom != 0)
    return result


def _pair(
    a: npt.ArrayLike, b: npt.ArrayLike, *, allowed: Sequence[int]
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    arrays = []
    for what, values in (("truth", a), ("prediction", b)):
        array = np.asarray(values)
        array = array.astype(np.int8) if array.dtype == bool else array
        strange = array[~np.isin(array, [int(value) for value in allowed])]
        if strange.size:
            raise InputError(
                f"The {what} has the value {strange[0]!s} in {strange.size} of {array.size} cells; "
                f"allowed: {', '.join(str(int(value)) for value in allowed)} ({LEFT_OUT}: left out). "
                "Next step: make it binary under a named policy (LabelMatrix.binary), or read it with read_labels."
            )
        arrays.append(array)
    if arrays[0].shape != arrays[1].shape or arrays[0].ndim not in (1, 2):
        raise InputError(
            f"Truth and prediction have the shapes {arrays[0].shape} and {arrays[1].shape}; "
            "they must have the same rows and findings. Next step: align them first."
        )
    return arrays[0], arrays[1]


def _count(truth: Bools, predicted: Bools, counted: Bools, weights_BN: npt.ArrayLike | None) -> Confusion:
    return Confusion(
        tp=_sums(truth & predicted & counted, weights_BN),
        fp=_sums(~truth & predicted & counted, weights_BN),
        fn=_sums(truth & ~predicted & counted, weights_BN),
        tn=_sums(~truth & ~predicted & counted, weights_BN),
    )


def _sums(cells: Bools, weights_BN: npt.ArrayLike | None) -> Floats:
    """Sum of the weights of the rows whose cell is true; whole weights give exact sums in any order."""
    if weights_BN is None:
        return np.asarray(np.count_nonzero(cells, axis=0), dtype=np.float64)
    weights = np.asarray(weights_BN, dtype=np.float64)
    if weights.ndim not in (1, 2) or weights.shape[-1] != len(cells):
        raise InputError(
            f"Weights have the shape {weights.shape}; one for each of {len(cells)} rows is needed."
        )
    if weights.size and not weights.min() >= 0:
        raise InputError(f"Weights of rows must be 0 or more, got {weights.min()}.")
    total = np.zeros(weights.shape[:-1] + cells.shape[1:])
    for start in range(0, len(cells), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        total = total + weights[..., rows] @ cells[rows].astype(np.float64)
    return total
