"""What is said of an alignment: why rows cannot be joined, what was left out, and what to do next."""

from __future__ import annotations

import numpy as np

from hilum.analyses._alignment_agreement import Contest, Pair, mean_kappa, signs
from hilum.analyses._alignment_keys import KeyJoin, Nearest, describe_blocks, nearest_form
from hilum.core.errors import InputError

_SHOWN = 3


def differ(contest: Contest, joined: KeyJoin) -> str:
    """How many rows key and position pair differently, and where."""
    where = describe_blocks(joined.rows_a, joined.rows_b)
    rows = "1 row has" if contest.rows == 1 else f"{contest.rows:,} rows have"
    return f"{rows} another partner by key than by position{f' ({where})' if where else ''}"


def joined_by_key(pair: Pair, joined: KeyJoin, contest: Contest | None) -> str:
    """How many rows were joined by key, what was left out, and what order they had."""
    left = [
        f"{len(one) - len(joined.rows_a):,} of {len(one):,} rows of {one.source} have no partner"
        for one in (pair.a, pair.b)
        if len(one) > len(joined.rows_a)
    ]
    text = f"{len(joined.rows_a):,} rows joined by key"
    text += f"; {' and '.join(left)} and are left out." if left else ", all of both."
    if contest is None:
        return text
    text += f" {contest.rows:,} of them stand at another position in the other file"
    return f"{text}; there {contest.numbers('by key', 'by position')}." if contest.first_wins else f"{text}."


def overlap_warning(pair: Pair, joined: KeyJoin) -> tuple[str, ...]:
    """A warning when fewer than half of the rows of the smaller source could be joined."""
    smaller = min(len(pair.a), len(pair.b))
    if len(joined.rows_a) * 2 >= smaller:
        return ()
    near = nearest_form(pair.a.ids, pair.b.ids)
    hint = f" {_near_text(near)}" if near is not None and near.form != "exact" else ""
    return (f"{pair.names}: only {len(joined.rows_a):,} of {smaller:,} rows have a key in the other.{hint}",)


def repeated(pair: Pair, joined: KeyJoin, contest: Contest | None) -> InputError:
    """Keys that occur more than once join nothing: which, and whether positions would do."""
    parts = []
    for one, keys in ((pair.a, joined.repeated_a), (pair.b, joined.repeated_b)):
        if keys:
            some = ", ".join(f"{key!r} {n} times" for key, n in keys[:_SHOWN])
            occur = "1 key occurs" if len(keys) == 1 else f"{len(keys):,} keys occur"
            parts.append(f"{occur} more than once in {one.source} ({some})")
    text = f"{pair.names} cannot be joined by key: {'; '.join(parts)}."
    if len(pair.a) != len(pair.b):
        return InputError(f"{text} Next step: name another key column with --key, or leave the doubles out.")
    by = f" Of the other keys, {differ(contest, joined)}." if contest is not None else ""
    return InputError(
        f"{text}{by} Next step: use --align position if the rows of both stand in the same order"
        f"{_position_kappa(pair)}, or name another key column with --key."
    )


def nothing_joined(pair: Pair) -> InputError:
    """No key is in both: how the keys look, in which form they would fit, and whether positions would do."""
    shown = [", ".join(map(repr, one.ids[:_SHOWN])) for one in (pair.a, pair.b)]
    near = nearest_form(pair.a.ids, pair.b.ids)
    steps = [_near_text(near)] if near is not None else []
    if len(pair.a) == len(pair.b):
        steps.append(
            f"If the rows of both stand in the same order{_position_kappa(pair)}, use --align position."
        )
    steps.append("Or name the key column of both with --key.")
    return InputError(
        f"{pair.names} have no key in common: {shown[0]} ... against {shown[1]} .... "
        f"Next step: {' '.join(steps)}"
    )


def _position_kappa(pair: Pair) -> str:
    kappa = mean_kappa(signs(pair.a, pair.b), pair.order(), pair.order())
    return f" (mean Cohen's kappa by position is {kappa:.2f})" if np.isfinite(kappa) else ""


def _near_text(near: Nearest) -> str:
    return (
        f"{near.fitting:,} of {near.tried:,} keys fit when compared as {near.form!r} "
        f"({near.example[0]!r} with {near.example[1]!r}): use --match-keys {near.form}."
    )
