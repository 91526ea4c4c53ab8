"""How well two ways to pair the rows of two sources agree, and whether one is better beyond chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hilum.core.matrix import LabelMatrix, ProbabilityMatrix
from hilum.core.results import Estimate
from hilum.core.rng import rng_for
from hilum.core.vocabulary import State
from hilum.metrics.labels import cohen_kappa, confusion, macro
from hilum.stats.intervals import bootstrap, estimate

Source = LabelMatrix | ProbabilityMatrix
Bools = npt.NDArray[np.bool_]
Places = npt.NDArray[np.intp]

FAR = 0.1
"""A way to pair rows is far better when its mean kappa is higher by this much, and surely so."""

LEVEL = 0.998
MOST_SHIFT = 3
_REPLICATES = 2000
_MOST_ROWS = 4_000
_FEWEST_ROWS = 10


@dataclass(frozen=True, eq=False)
class Pair:
    """Two sources that are to be aligned, whether to go on against the labels, and the seed of the check."""

    a: Source
    b: Source
    force: bool
    seed: int

    @property
    def names(self) -> str:
        """Both names."""
        return f"{self.a.source} and {self.b.source}"

    def order(self) -> Places:
        """The rows of A in their order."""
        return np.arange(len(self.a), dtype=np.intp)


@dataclass(frozen=True, eq=False)
class Signs:
    """Positive or not, of the findings that two sources share: bool [Na, F] and [Nb, F]."""

    findings: tuple[str, ...]
    a_NF: Bools
    b_NF: Bools


@dataclass(frozen=True)
class Contest:
    """Mean Cohen's kappa of two ways to pair the same `rows` rows of A with rows of B.

    Means are over the `defined` of `findings` shared findings whose kappa is defined both ways. `gain` is the
    second minus the first with its interval of LEVEL; NaN where it cannot be told.
    """

    rows: int
    first: float
    second: float
    gain: Estimate
    findings: int
    defined: int

    @property
    def second_wins(self) -> bool:
        """Whether the second way is far better."""
        return self.rows >= _FEWEST_ROWS and self.gain.value >= FAR and self.gain.low > 0

    @property
    def first_wins(self) -> bool:
        """Whether the first way is far better."""
        return self.rows >= _FEWEST_ROWS and self.gain.value <= -FAR and self.gain.high < 0

    def numbers(self, first: str, second: str) -> str:
        """The numbers in words."""
        over = f"{self.defined} of {self.findings} findings"
        if not self.defined:
            return f"Cohen's kappa is not defined for any of {self.findings} shared findings"
        text = f"mean Cohen's kappa over {over} is {self.first:.2f} {first} and {self.second:.2f} {second}"
        if not np.isfinite(self.gain.value):
            return f"{text} (too few rows for an interval)"
        low, high = self.gain.low, self.gain.high
        return f"{text} (difference {self.gain.value:+.2f}, {LEVEL:.1%} interval {low:+.2f} to {high:+.2f})"


def signs(a: Source, b: Source) -> Signs:
    """Positive or not for the findings of A that B has too, under a name or an alias.

    Probabilities are cut so that as many rows are positive as in the other source, or half of them.
    """
    pairs = []
    for finding in a.findings:
        if finding in b.vocabulary:
            other = b.vocabulary.names[b.vocabulary.index(finding)]
            pairs += [(finding, other)] if other in b.findings else []
    columns_a = [_sign(a, one, b, other) for one, other in pairs]
    columns_b = [_sign(b, other, a, one) for one, other in pairs]
    return Signs(tuple(one for one, _ in pairs), _stacked(columns_a, len(a)), _stacked(columns_b, len(b)))


def _stacked(columns: list[Bools], rows: int) -> Bools:
    return np.stack(columns, axis=1) if columns else np.zeros((rows, 0), dtype=bool)


def _sign(source: Source, finding: str, other: Source, others: str) -> Bools:
    if isinstance(source, LabelMatrix):
        return np.asarray(source.column(finding) == State.POSITIVE)
    share = 0.5
    if isinstance(other, LabelMatrix) and len(other):
        share = float(np.mean(other.column(others) == State.POSITIVE))
    values = source.column(finding)
    positives = round(share * len(values))
    chosen = np.zeros(len(values), dtype=bool)
    chosen[np.argsort(-values, kind="stable")[:positives]] = True
    return chosen


def _kappas(both: Signs, rows_a: Places, rows_b: Places) -> npt.NDArray[np.float64]:
    return cohen_kappa(confusion(both.a_NF[rows_a], both.b_NF[rows_b]))


def mean_kappa(both: Signs, rows_a: Places, rows_b: Places) -> float:
    """Mean Cohen's kappa of these pairs of rows over the findings for which it is defined; NaN for none."""
    return float(macro(_kappas(both, rows_a, rows_b))) if len(rows_a) else float("nan")


def contest(both: Signs, rows_a: Places, first_b: Places, second_b: Places, *, seed: int) -> Contest:
    """Which of two ways to pair `rows_a` with rows of B agrees better, by a paired bootstrap.

    More than 4,000 rows are thinned out evenly for the bootstrap alone.
    """
    kappas = [_kappas(both, rows_a, rows_b) for rows_b in (first_b, second_b)]
    defined = np.isfinite(kappas[0]) & np.isfinite(kappas[1])
    first, second = (float(macro(one[defined])) if defined.any() else float("nan") for one in kappas)
    gain = Estimate(float("nan"), float("nan"), float("nan"))
    if defined.any() and len(rows_a) >= _FEWEST_ROWS:
        some = np.unique(np.linspace(0, len(rows_a) - 1, min(len(rows_a), _MOST_ROWS)).astype(np.intp))
        drawn = _gains(
            both.a_NF[np.ix_(rows_a[some], defined)],
            both.b_NF[np.ix_(first_b[some], defined)],
            both.b_NF[np.ix_(second_b[some], defined)],
            seed=seed,
        )
        gain = estimate(second - first, drawn, level=LEVEL)
    return Contest(len(rows_a), first, second, gain, len(both.findings), int(defined.sum()))


def _gains(a_NF: Bools, first_NF: Bools, second_NF: Bools, *, seed: int) -> npt.NDArray[np.float64]:
    """Mean kappa of (a, second) minus that of (a, first) in each replicate; NaN where one is not defined."""

    def gain(weights_BN: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        first_BF = cohen_kappa(confusion(a_NF, first_NF, weights_BN=weights_BN))
        second_BF = cohen_kappa(confusion(a_NF, second_NF, weights_BN=weights_BN))
        return np.asarray(macro(second_BF - first_BF))

    return bootstrap(gain, len(a_NF), replicates=_REPLICATES, rng=rng_for(seed, "alignment"))


@dataclass(frozen=True)
class Shift:
    """A whole part of the rows agrees far better `offset` rows further down in B."""

    offset: int
    first_row: int
    contest: Contest


def find_shift(both: Signs, *, seed: int) -> Shift | None:
    """The shift by up to three rows that agrees far better than equal positions do, None when there is none.

    Looked for in all rows and in the last quarter alone, where one lost row before it shows.
    """
    n = min(len(both.a_NF), len(both.b_NF))
    for start in (0, n - n // 4):
        rows = np.arange(start, n, dtype=np.intp)
        if len(rows) <= _FEWEST_ROWS + MOST_SHIFT:
            continue
        thin = rows[:: max(1, len(rows) // 50_000)]
        plain = mean_kappa(both, thin, thin)
        candidates = []
        for offset in (o for o in range(-MOST_SHIFT, MOST_SHIFT + 1) if o):
            inside = thin[(thin + offset >= 0) & (thin + offset < n)]
            candidates.append((mean_kappa(both, inside, inside + offset), -abs(offset), offset, inside))
        found = max((c for c in candidates if np.isfinite(c[0])), key=lambda c: c[:3], default=None)
        if found is None or not np.isfinite(plain) or found[0] < plain + FAR:
            continue
        result = contest(both, found[3], found[3], found[3] + found[2], seed=seed)
        if result.second_wins:
            return Shift(found[2], start, result)
    return None
