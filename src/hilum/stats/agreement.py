"""Several readers of the same studies: majority with a named rule for ties, and agreement beyond chance.

Votes are arrays [R, N, F], readers by studies by findings. A vote that is LEFT_OUT was not given.
"""

from __future__ import annotations

from importlib import import_module

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError, MissingExtraError, UnknownNameError
from hilum.core.matrix import LEFT_OUT

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int8]

TIES: tuple[str, ...] = ("negative", "positive", "left-out")
"""Rules for as many yes as no: the cell is 0, is 1, or is not compared."""

_TIE_VALUES = dict(zip(TIES, (0, 1, LEFT_OUT), strict=True))


def majority(votes_RNF: npt.ArrayLike, *, ties: str) -> Codes:
    """What most of the votes given say, int8 [N, F] of 0, 1 or LEFT_OUT.

    Equal numbers are settled by `ties`, one of TIES. A cell without any vote is LEFT_OUT. Raises InputError for
    other votes than 0, 1 and LEFT_OUT, UnknownNameError for another rule.
    """
    if ties not in _TIE_VALUES:
        raise UnknownNameError("rule for ties", ties, TIES)
    votes = _votes(votes_RNF, binary=True)
    yes, no = np.sum(votes == 1, axis=0), np.sum(votes == 0, axis=0)
    settled = np.where(yes > no, 1, np.where(yes < no, 0, _TIE_VALUES[ties]))
    return np.where(yes + no == 0, LEFT_OUT, settled).astype(np.int8)


def majority_of_others(votes_RNF: npt.ArrayLike, reader: int, *, ties: str) -> Codes:
    """Majority of all readers but this one, int8 [N, F]: what the reader may be compared with.

    Raises InputError when there is no such reader or no other.
    """
    votes = _votes(votes_RNF, binary=True)
    if not 0 <= reader < len(votes):
        raise InputError(f"There is no reader {reader}; the votes are of readers 0 to {len(votes) - 1}.")
    if len(votes) < 2:
        raise InputError(
            "A reader is compared with the majority of the others, but there is only one reader."
        )
    return majority(np.delete(votes, reader, axis=0), ties=ties)


def fleiss_kappa(votes_RNF: npt.ArrayLike) -> Floats:
    """Fleiss' kappa (1971) per finding, float64 [F], of 0/1 votes or of State codes.

    Studies where a reader gave no vote are left out of that finding, as the measure needs the same number of
    votes for each. NaN where no study stays, or all votes are the same. Raises InputError below 2 readers.
    """
    votes = _votes(votes_RNF, binary=False)
    readers = _several(votes)
    values = np.unique(votes)  # LEFT_OUT among them: its count is 0 where all votes were given
    full_NF = np.all(votes != LEFT_OUT, axis=0)
    kept_NFV = np.sum(votes[..., None] == values, axis=0) * full_NF[..., None]
    studies_F = full_NF.sum(axis=0).astype(np.float64)
    agreeing_F = (np.sum(kept_NFV**2, axis=(0, 2)) - studies_F * readers) / (readers * (readers - 1))
    totals_FV = kept_NFV.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        observed_F = agreeing_F / studies_F
        chance_F = np.sum((totals_FV / (studies_F * readers)[:, None]) ** 2, axis=1)
        kappa_F = (observed_F - chance_F) / (1 - chance_F)
    return np.where((studies_F > 0) & ((totals_FV > 0).sum(axis=1) > 1), kappa_F, np.nan)


def krippendorff_alpha(votes_RNF: npt.ArrayLike) -> Floats:
    """Krippendorff's alpha (2011) per finding for nominal values, float64 [F], of 0/1 votes or of State codes.

    Votes that are LEFT_OUT are missing values; a study with fewer than two votes does not count. NaN where all
    votes that count are the same, or none does. Needs the package `krippendorff` (extra `study`).
    """
    try:
        krippendorff = import_module("krippendorff")
    except ImportError as error:
        raise MissingExtraError("krippendorff", "study") from error
    votes = _votes(votes_RNF, binary=False)
    _several(votes)
    alphas = np.full(votes.shape[2], np.nan)
    for finding in range(votes.shape[2]):
        table_RN = votes[:, :, finding]
        pairable = table_RN[:, np.sum(table_RN != LEFT_OUT, axis=0) > 1]
        values = np.unique(pairable[pairable != LEFT_OUT])
        if len(values) > 1:
            counts_NV = np.stack([np.sum(pairable == value, axis=0) for value in values], axis=1)
            alphas[finding] = krippendorff.alpha(value_counts=counts_NV, level_of_measurement="nominal")
    return alphas


def _votes(votes_RNF: npt.ArrayLike, *, binary: bool) -> npt.NDArray[np.int8]:
    votes = np.asarray(votes_RNF)
    if votes.ndim != 3 or len(votes) == 0:
        raise InputError(f"Votes are readers by studies by findings, got the shape {votes.shape}.")
    codes = range(LEFT_OUT, 2 if binary else 128)
    if not np.isin(votes, list(codes)).all():
        allowed = f"0, 1 and {LEFT_OUT}" if binary else f"whole codes from 0, and {LEFT_OUT}"
        raise InputError(
            f"Votes may be {allowed} (left out), got {np.unique(votes)[:8].tolist()}. "
            "Next step: make them binary under a named policy."
        )
    return votes.astype(np.int8)


def _several(votes: npt.NDArray[np.int8]) -> int:
    if len(votes) < 2:
        raise InputError(f"Agreement needs at least 2 readers, got {len(votes)}.")
    return len(votes)
