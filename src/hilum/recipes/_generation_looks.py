"""How much attention is inside the regions of findings: means over mentions, for any weights of the images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from hilum.core.vocabulary import State
from hilum.recipes._generation_attention import MENTION

Floats = npt.NDArray[np.float64]

LOOKS = (
    "positive_inside", "positive_share", "positive_lift", "negative_inside", "negative_share", "negative_lift",
    "positive_typical", "positive_typical_share", "positive_typical_lift",
    "negative_typical", "negative_typical_share", "negative_typical_lift", "no_place_positive", "no_place_negative",
)  # fmt: skip


def statistic_of(looks_LC: Floats, n: int) -> Callable[[Floats], Floats]:
    """Means over mentions of what is inside a region, its share of the image, and the difference: [B, N] -> [B, L]."""
    rows = looks_LC[:, MENTION.index("row")].astype(np.intp)
    positive = looks_LC[:, MENTION.index("state")] == State.POSITIVE
    pairs = [
        (chosen, MENTION.index(f"{kind}inside"), MENTION.index("box_share" if not kind else "typical_share"))
        for kind in ("", "typical_")
        for chosen in (positive, ~positive)
    ]
    nowhere = looks_LC[:, MENTION.index("no_place")]

    def statistic(weights_BN: Floats) -> Floats:
        columns: list[Floats] = []
        for chosen, inside, share in pairs:
            known = chosen & ~np.isnan(looks_LC[:, inside])
            there_B, chance_B = (
                _mean_of(looks_LC[known, column], rows[known], weights_BN, n) for column in (inside, share)
            )
            columns += [there_B, chance_B, there_B - chance_B]
        for chosen in (positive, ~positive):
            columns.append(_mean_of(nowhere[chosen], rows[chosen], weights_BN, n))
        return np.stack(columns, axis=1)

    return statistic


def _mean_of(values_L: Floats, rows_L: npt.NDArray[np.intp], weights_BN: Floats, n: int) -> Floats:
    sums_N = np.bincount(rows_L, weights=values_L, minlength=n)
    counts_N = np.bincount(rows_L, minlength=n).astype(np.float64)
    return ratio(weights_BN @ sums_N, weights_BN @ counts_N)


def counts_of(looks_LC: Floats) -> dict[str, int]:
    """How many mentions the means go over: affirmed and negated ones, with a box or a typical region."""
    positive = looks_LC[:, MENTION.index("state")] == State.POSITIVE
    found: dict[str, int] = {}
    for name, chosen in (("positive", positive), ("negative", ~positive)):
        for kind, column in (("", "inside"), ("_typical", "typical_inside")):
            found[name + kind] = int((chosen & ~np.isnan(looks_LC[:, MENTION.index(column)])).sum())
    return found


def ratio(above_B: Floats, below_B: Floats) -> Floats:
    """One over the other; NaN where the other is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(below_B > 0, above_B / below_B, np.nan))
