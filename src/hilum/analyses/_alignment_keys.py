"""Keys of two sources: joined, looked at where their order differs, and what to do when they do not fit."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.intp]

_EXTENSION = re.compile(
    r"(\.(csv|txt|xml|json|dcm|dicom|png|jpe?g|tiff?|bmp|webp|gz|nii|npy))+$", re.IGNORECASE
)
_FIRST_NUMBER = re.compile(r"\d+")
_SAMPLE = 2_000


def _tail(parts: int) -> Callable[[str], str]:
    return lambda key: "/".join(_parts(key)[-parts:])


def _parts(key: str) -> list[str]:
    return [part for part in key.replace("\\", "/").split("/") if part]


def _first_number(key: str) -> str:
    found = _FIRST_NUMBER.search(key)
    return found.group().lstrip("0") or "0" if found else key


KEY_FORMS: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {
        "exact": lambda key: key,
        "no-case": str.casefold,
        "no-extension": lambda key: _EXTENSION.sub("", key),
        "last-part": _tail(1),
        "last-2-parts": _tail(2),
        "last-3-parts": _tail(3),
        "stem": lambda key: _EXTENSION.sub("", _tail(1)(key)),
        "folder": lambda key: "/".join(_parts(key)[:-1]),
        "letters-and-digits": lambda key: "".join(filter(str.isalnum, key.casefold())),
        "number": _first_number,
    }
)
"""Forms in which keys can be compared, by name; "number" is the first run of digits, "folder" all but the last part
of a path. Both sources' keys are put into the form."""


class KeyJoin(NamedTuple):
    """Rows of A, ascending, and of B that have the same key; keys that repeat or are empty join nothing.

    `repeated_a` and `repeated_b` are the keys that occur more than once there, and in the other at all.
    `empty` counts rows without a key in A and in B.
    """

    rows_a: Places
    rows_b: Places
    repeated_a: tuple[tuple[str, int], ...]
    repeated_b: tuple[tuple[str, int], ...]
    empty: tuple[int, int]


def join_keys(a: Sequence[str], b: Sequence[str]) -> KeyJoin:
    """The rows with the same key."""
    repeated_a, repeated_b = _repeated(a, b), _repeated(b, a)
    bad = {"", *(key for key, _ in repeated_a), *(key for key, _ in repeated_b)}
    place_b = {key: place for place, key in enumerate(b) if key not in bad}
    pairs = [(row, place_b[key]) for row, key in enumerate(a) if key in place_b and key not in bad]
    both = np.array(pairs, dtype=np.intp).reshape(-1, 2)
    return KeyJoin(both[:, 0], both[:, 1], repeated_a, repeated_b, (list(a).count(""), list(b).count("")))


def _repeated(keys: Sequence[str], others: Sequence[str]) -> tuple[tuple[str, int], ...]:
    if len(set(keys)) == len(keys):
        return ()
    there = set(others)
    return tuple((key, n) for key, n in Counter(keys).items() if n > 1 and key and key in there)


class Nearest(NamedTuple):
    """The form in which most keys fit, how many of `tried` keys of the smaller source do, and an example."""

    form: str
    fitting: int
    tried: int
    example: tuple[str, str]


def nearest_form(a: Sequence[str], b: Sequence[str]) -> Nearest | None:
    """The form that makes most keys fit, if it makes any fit and keeps them apart; None when there is none.

    Looks at the first 2,000 keys of the smaller source.
    """
    small, large = (a, b) if len(a) <= len(b) else (b, a)
    best: Nearest | None = None
    keys = dict.fromkeys(key for key in large if key)
    tried = list(dict.fromkeys(key for key in small[:_SAMPLE] if key))
    for name, form in KEY_FORMS.items():
        forms = [form(key) for key in tried]
        by_form = {form(key): key for key in keys}
        if len(by_form) < len(keys):
            continue
        hits = [place for place, one in enumerate(forms) if one and one in by_form]
        if not hits or len(set(forms)) < len(tried):
            continue
        if best is None or len(hits) > best.fitting:
            pair = (tried[hits[0]], by_form[forms[hits[0]]])
            best = Nearest(name, len(hits), len(tried), pair if small is a else pair[::-1])
    return best


def shifted_blocks(rows_a: Places, rows_b: Places) -> list[tuple[int, int, int]]:
    """Runs of rows whose key stands at another position: (first row, last row, offset), longest first, from 0."""
    offsets = rows_b - rows_a
    if not len(offsets):
        return []
    edges = np.flatnonzero((np.diff(offsets) != 0) | (np.diff(rows_a) != 1)) + 1
    starts, ends = np.r_[0, edges], np.r_[edges, len(offsets)]
    runs = [
        (int(rows_a[s]), int(rows_a[e - 1]), int(offsets[s]))
        for s, e in zip(starts, ends, strict=True)
        if offsets[s] != 0
    ]
    return sorted(runs, key=lambda run: (run[0] - run[1], run[0]))


def describe_blocks(rows_a: Places, rows_b: Places) -> str:
    """Where keys are off their position, in words with rows counted from 1; "" when there is no clear run."""
    off = int(np.count_nonzero(rows_a != rows_b))
    clear = [run for run in shifted_blocks(rows_a, rows_b)[:3] if run[1] - run[0] >= 2]
    covered = sum(last - first + 1 for first, last, _ in clear)
    if not clear or covered < off / 2:
        return ""
    return "; ".join(
        f"the keys of rows {first + 1:,} to {last + 1:,} stand {abs(offset):,} row{'s' * (abs(offset) != 1)} "
        f"{'later' if offset > 0 else 'earlier'} in the other"
        for first, last, offset in clear
    )
