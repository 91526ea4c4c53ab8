"""Which row of one source belongs to which row of another: checked, not assumed.

Keys are joined and compared with the plain order of the rows. Where the two disagree, the labels themselves
say which is right: the rows paired wrongly agree no better than chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hilum.analyses._alignment_agreement import Contest, Pair, Source, contest, find_shift, mean_kappa, signs
from hilum.analyses._alignment_keys import KEY_FORMS, KeyJoin, Places, join_keys
from hilum.analyses._alignment_words import differ, joined_by_key, nothing_joined, overlap_warning, repeated
from hilum.core.errors import InputError, UnknownNameError

__all__ = ["HOWS", "KEY_FORMS", "AlignedMany", "Alignment", "align", "align_many"]

HOWS = ("auto", "key", "position")
"""Ways to align: by key where that holds, by key alone, by the order of rows alone."""

_NAN = float("nan")


@dataclass(frozen=True, eq=False)
class Alignment:
    """Row `rows_a[i]` of A belongs to row `rows_b[i]` of B; `rows_a` ascends.

    `how` is "key" or "position". `message` says in words how rows were joined and how many were not;
    `warnings` what is doubtful. `key_kappa` and `position_kappa` are the mean Cohen's kappa (positive against
    not) of the two ways on the `differing` rows that they pair differently, NaN where there are none or
    where it is not defined. `only_a` and `only_b` are rows without a partner.
    """

    rows_a: Places
    rows_b: Places
    how: str
    message: str
    warnings: tuple[str, ...] = ()
    key_kappa: float = _NAN
    position_kappa: float = _NAN
    differing: int = 0
    only_a: int = 0
    only_b: int = 0


@dataclass(frozen=True, eq=False)
class AlignedMany:
    """`rows[k]` are the rows of source k, all of one length; row i of each belongs together."""

    rows: tuple[Places, ...]
    alignments: tuple[Alignment, ...]

    @property
    def messages(self) -> tuple[str, ...]:
        """How each source after the first was joined to the first."""
        return tuple(one.message for one in self.alignments)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is doubtful in any of them."""
        return tuple(warning for one in self.alignments for warning in one.warnings)


def align(
    a: Source, b: Source, *, how: str = "auto", match_keys: str = "exact", force: bool = False, seed: int = 0
) -> Alignment:
    """The rows of A and B that belong together.

    `how`: "auto" and "key" join by key, "position" takes the order of the rows. `match_keys` names the form of
    KEY_FORMS in which keys are compared. `force` turns what the labels contradict into a warning.

    Raises InputError when keys repeat, when nothing can be joined, when "position" is asked of different
    numbers of rows, and when the other way (or, under "auto", the rows shifted by up to three) agrees far
    better: mean kappa higher by 0.1 and by more than chance (paired bootstrap, 99.8 % interval above 0).
    """
    if how not in HOWS:
        raise UnknownNameError("way to align", how, HOWS)
    if match_keys not in KEY_FORMS:
        raise UnknownNameError("form of keys", match_keys, KEY_FORMS)
    if match_keys != "exact":
        a, b = (replace(one, ids=tuple(map(KEY_FORMS[match_keys], one.ids))) for one in (a, b))
    pair = Pair(a, b, force, seed)
    if not len(a) or not len(b):
        raise InputError(f"{pair.names} have {len(a):,} and {len(b):,} rows; both need some.")
    if not a.ids or not b.ids:
        return _without_keys(pair, how)
    joined = join_keys(a.ids, b.ids)
    if how == "position":
        return _chosen_position(pair, joined)
    if a.ids == b.ids and (how == "auto" or not joined.repeated_a):
        return _same_keys(pair, joined, how)
    return _by_key(pair, joined)


def align_many(
    sources: Sequence[Source],
    *,
    how: str = "auto",
    match_keys: str = "exact",
    force: bool = False,
    seed: int = 0,
) -> AlignedMany:
    """The rows that all sources have, each aligned to the first as `align` does it, in the order of the first.

    Raises InputError as `align` does, and when no row is in all of them.
    """
    if not sources:
        raise InputError("There is nothing to align. Next step: give two sources or more.")
    first, *others = sources
    found = [align(first, other, how=how, match_keys=match_keys, force=force, seed=seed) for other in others]
    common = np.arange(len(first), dtype=np.intp)
    for one in found:
        common = np.intersect1d(common, one.rows_a, assume_unique=True)
    if not len(common):
        names = ", ".join(source.source for source in sources)
        raise InputError(f"No row is in all of {names}. Next step: compare fewer files at a time.")
    rows = [one.rows_b[np.searchsorted(one.rows_a, common)] for one in found]
    return AlignedMany((common, *rows), tuple(found))


def _without_keys(pair: Pair, how: str) -> Alignment:
    without = " and ".join(one.source for one in (pair.a, pair.b) if not one.ids)
    if how == "key":
        raise InputError(
            f"{pair.names} cannot be joined by key: {without} has no key column. "
            "Next step: name it with --key, or use --align position."
        )
    _check_lengths(pair, f"{without} has no key column, and without keys rows are joined by their position")
    found = _position(pair, f"by position, because {without} has no key")
    return replace(found, warnings=(*found.warnings, *_shift_warning(pair, stop=how == "auto")))


def _same_keys(pair: Pair, joined: KeyJoin, how: str) -> Alignment:
    rows = pair.order()
    n = len(rows)
    warnings = _shift_warning(pair, stop=how == "auto")
    if joined.repeated_a or joined.empty[0]:
        what = "repeat" if joined.repeated_a else "are partly empty"
        message = (
            f"{n:,} rows joined by position: keys {what}, but both have the same keys in the same order."
        )
        return Alignment(rows, rows, "position", message, warnings)
    message = f"{n:,} rows joined by key; both have the same keys in the same order."
    return Alignment(rows, rows, "key", message, warnings)


def _chosen_position(pair: Pair, joined: KeyJoin) -> Alignment:
    _check_lengths(pair, "rows cannot be joined by their position")
    result = _orders(pair, joined)
    found = _position(pair, "by position, as asked")
    if result is None:
        return replace(found, warnings=_shift_warning(pair, stop=False))
    warnings: tuple[str, ...] = ()
    if result.first_wins:
        text = (
            f"{pair.names}: {differ(result, joined)}, and there the labels agree far better by key: "
            f"{result.numbers('by key', 'by position')}. The rows stand in another order."
        )
        warnings = _stop(pair, text, "Next step: use --align key.")
    return replace(
        found,
        warnings=warnings,
        key_kappa=result.first,
        position_kappa=result.second,
        differing=result.rows,
        message=f"{found.message} By key {result.rows:,} rows would have another partner: there "
        f"{result.numbers('by key', 'by position')}.",
    )


def _by_key(pair: Pair, joined: KeyJoin) -> Alignment:
    result = _orders(pair, joined)
    if joined.repeated_a or joined.repeated_b:
        raise repeated(pair, joined, result)
    if not len(joined.rows_a):
        raise nothing_joined(pair)
    warnings: tuple[str, ...] = ()
    if result is not None and result.second_wins:
        text = (
            f"{pair.names}: {differ(result, joined)}, and there the labels agree far better by position: "
            f"{result.numbers('by key', 'by position')}. The keys seem to be shifted or wrong."
        )
        warnings = _stop(pair, text, "Next step: use --align position, or mend the key column.")
    elif result is not None and not result.first_wins:
        warnings = (
            (
                f"{pair.names}: {differ(result, joined)}, and the labels do not tell which is right: "
                f"{result.numbers('by key', 'by position')}. Joined by key."
            ),
        )
    return Alignment(
        joined.rows_a,
        joined.rows_b,
        "key",
        joined_by_key(pair, joined, result),
        (*warnings, *overlap_warning(pair, joined)),
        key_kappa=_NAN if result is None else result.first,
        position_kappa=_NAN if result is None else result.second,
        differing=0 if result is None else result.rows,
        only_a=len(pair.a) - len(joined.rows_a),
        only_b=len(pair.b) - len(joined.rows_b),
    )


def _orders(pair: Pair, joined: KeyJoin) -> Contest | None:
    """Key against position on the rows that they pair differently; None where positions say nothing."""
    if len(pair.a) != len(pair.b):
        return None
    moved = joined.rows_a != joined.rows_b
    if not moved.any():
        return None
    rows = joined.rows_a[moved]
    return contest(signs(pair.a, pair.b), rows, joined.rows_b[moved], rows, seed=pair.seed)


def _stop(pair: Pair, text: str, next_step: str) -> tuple[str, ...]:
    if pair.force:
        return (text,)
    raise InputError(f"{text} {next_step}")


def _check_lengths(pair: Pair, why: str) -> None:
    if len(pair.a) != len(pair.b):
        raise InputError(
            f"{pair.names} have {len(pair.a):,} and {len(pair.b):,} rows: {why}, which needs equal numbers. "
            "Next step: give both a key column of the same name (see --key)."
        )


def _position(pair: Pair, why: str) -> Alignment:
    rows = pair.order()
    kappa = mean_kappa(signs(pair.a, pair.b), rows, rows)
    return Alignment(rows, rows, "position", f"{len(rows):,} rows joined {why}.", position_kappa=kappa)


def _shift_warning(pair: Pair, *, stop: bool) -> tuple[str, ...]:
    found = find_shift(signs(pair.a, pair.b), seed=pair.seed)
    if found is None:
        return ()
    text = (
        f"{pair.names}: from row {found.first_row + 1:,} on the labels agree far better when each row of "
        f"{pair.a.source} is paired with the one {abs(found.offset)} "
        f"{'after' if found.offset > 0 else 'before'} it in {pair.b.source}: "
        f"{found.contest.numbers('at equal positions', 'shifted')}. A row seems to be lost or doubled."
    )
    if stop:
        return _stop(pair, text, "Next step: mend the file; --align position goes on as it stands.")
    return (text,)
