"""What every scorer is: references and candidates in, scores with all that is needed to read them out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from hilum.core.errors import InputError
from hilum.core.records import Score

References = Sequence[str | Sequence[str]]
"""One reference text per sample, or several."""

Tick = Callable[[int, int], None]
"""Called now and then with the number of samples that are done, and of all."""


class Scorer(Protocol):
    """A scorer. Built from its name and plain options; it keeps no state between calls.

    `name` is the name of its file, and every score it gives is called that, or that and `_` and more.
    `lowest`, `highest` and `higher_is_better` hold for all its scores, `preset` names the choices behind them.
    `clinical` says that a finding wrongly denied or affirmed lowers the score, `plain` that upper or lower
    case and a full stop at the end of a text do not change it.
    """

    name: str
    version: str
    higher_is_better: bool
    lowest: float
    highest: float
    preset: str
    clinical: bool
    plain: bool

    def score(
        self,
        references: References,
        candidates: Sequence[str],
        *,
        ids: Sequence[str] | None = None,
        per_sample: bool = False,
        progress: Tick | None = None,
    ) -> list[Score]:
        """The scores of N candidates against the references of the same N samples.

        `ids` are the keys of the samples, for scorers that look something up. With `per_sample`, scores that
        are made of one value per sample carry these N values. An empty candidate is scored as it is.
        Raises InputError when the numbers differ or there is no sample.
        """
        ...


def score_of(
    scorer: Scorer,
    name: str,
    value: float,
    *,
    per_sample: tuple[float, ...] | None = None,
    finding: str = "",
    support: int | None = None,
    note: str = "",
) -> Score:
    """A value with this name, and the version, direction, range and preset of its scorer."""
    return Score(
        name=name,
        value=value,
        version=scorer.version,
        higher_is_better=scorer.higher_is_better,
        lowest=scorer.lowest,
        highest=scorer.highest,
        preset=scorer.preset,
        per_sample=per_sample,
        finding=finding,
        support=support,
        note=note,
    )


def several(references: References) -> list[tuple[str, ...]]:
    """The references of each sample as a tuple of texts."""
    return [(one,) if isinstance(one, str) else tuple(one) for one in references]


def one_each(references: References, *, scorer: str) -> list[str]:
    """The one reference of each sample. Raises InputError when a sample has several or none."""
    given = several(references)
    wrong = sum(len(texts) != 1 for texts in given)
    if wrong:
        raise InputError(
            f"The score {scorer!r} compares with one reference, and {wrong:,} of {len(given):,} samples have "
            "another number of them. Next step: give one reference each, or leave this score out (--metrics)."
        )
    return [texts[0] for texts in given]


def check_pairs(references: References, candidates: Sequence[str]) -> None:
    """Raises InputError when there is nothing to score or the numbers differ."""
    if len(references) != len(candidates):
        raise InputError(
            f"There are {len(references):,} references and {len(candidates):,} candidates. Next step: give as "
            "many candidates as references, in the same order."
        )
    if not candidates:
        raise InputError("There are no pairs to score. Next step: give at least one reference and candidate.")
