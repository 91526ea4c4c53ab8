"""How fast are paired bootstrap differences of F1? hilum against a loop over scikit-learn, in one run.

    python benchmarks/bootstrap_speed.py [--replicates 1000] [--studies 500] [--findings 8] [--large 1000000]
        [--json OUT]

Both work on the same resamples of the same invented labels (one truth, two labelers) and must give the same
differences; the largest absolute difference is printed.

- hilum: draws the resamples and works out all differences by matrix products.
- scikit-learn, per finding: `f1_score` on the drawn rows, once per replicate, finding and labeler. Drawing is
  not in its time.
- scikit-learn, all findings in one call: `f1_score(..., average=None)`, once per replicate and labeler.

`--large N` also measures seconds and memory of hilum alone on N studies (0: leave it out).
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.metrics import f1_score

from _common import table_lines, write_json
from hilum.core.rng import rng_for
from hilum.metrics import confusion, f1
from hilum.stats.intervals import bootstrap, resample_counts

Binary = npt.NDArray[np.int8]
Floats = npt.NDArray[np.float64]

LEAST_SPEEDUP, MOST_SECONDS, MOST_DIFFERENCE = 50, 1.0, 1e-12


class Labels(NamedTuple):
    """A truth and two labelers, 0/1 arrays [N, F]."""

    truth: Binary
    a: Binary
    b: Binary


def invented(studies: int, findings: int) -> Labels:
    """Labels with prevalences from 5 to 50 %, and two labelers that err in 8 and in 12 % of the cells."""
    rng = rng_for(0, "bootstrap_speed", studies, findings)
    truth = (rng.random((studies, findings)) < np.linspace(0.05, 0.5, findings)).astype(np.int8)
    wrong_a, wrong_b = (rng.random(truth.shape) < share for share in (0.08, 0.12))
    return Labels(truth, np.where(wrong_a, 1 - truth, truth), np.where(wrong_b, 1 - truth, truth))


def ours(labels: Labels, replicates: int, *, progress: Callable[[int, int], None] | None = None) -> Floats:
    """Differences of F1, float64 [replicates, F], drawing included."""

    def difference(weights_BN: Floats) -> Floats:
        a, b = (confusion(labels.truth, x, weights_BN=weights_BN) for x in (labels.a, labels.b))
        return f1(a) - f1(b)

    rng = rng_for(0, "bootstrap_speed")
    return bootstrap(difference, len(labels.truth), replicates=replicates, rng=rng, progress=progress)


def loop(labels: Labels, counts_BN: Floats, *, per_finding: bool) -> Floats:
    """The same differences by scikit-learn on the rows of each replicate."""
    rows = np.arange(len(labels.truth))
    values = np.empty((len(counts_BN), labels.truth.shape[1]))
    for replicate, counts in enumerate(counts_BN.astype(np.intp)):
        places = np.repeat(rows, counts)
        truth, a, b = (array[places] for array in labels)
        if per_finding:
            for i in range(truth.shape[1]):
                of_a, of_b = (f1_score(truth[:, i], x[:, i], zero_division=np.nan) for x in (a, b))
                values[replicate, i] = of_a - of_b
        else:
            of_a, of_b = (f1_score(truth, x, average=None, zero_division=np.nan) for x in (a, b))
            values[replicate] = of_a - of_b
        _tell(replicate + 1, len(counts_BN))
    return values


def timed(work: Callable[[], Floats], *, repeats: int = 1) -> tuple[Floats, float]:
    """What `work` gives, and the seconds of its fastest run."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        values = work()
        best = min(best, time.perf_counter() - start)
    return values, best


def largest_difference(a: Floats, b: Floats) -> float:
    """Largest absolute difference; infinite when one is NaN where the other is not."""
    if not np.array_equal(np.isnan(a), np.isnan(b)):
        return float("inf")
    return float(np.nanmax(np.abs(a - b)))


def measure_large(studies: int, findings: int, replicates: int) -> dict[str, float]:
    """Seconds of many studies, and the peak memory of this whole process in MB, its labels included."""
    labels = invented(studies, findings)
    _, seconds = timed(lambda: ours(labels, replicates, progress=_tell))
    return {"studies": studies, "replicates": replicates, "seconds": seconds, "peak_mb": _peak_mb()}


def main() -> int:
    """Measure, print a table, and return 1 when a figure is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name, default in (("replicates", 1000), ("studies", 500), ("findings", 8), ("large", 1_000_000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    labels = invented(options.studies, options.findings)
    ours(labels, 10)  # loads what the first call loads
    values, seconds = timed(lambda: ours(labels, options.replicates), repeats=5)
    results = {"hilum": {"seconds": seconds, "times_as_long": 1.0, "largest_difference": 0.0}}
    rng = rng_for(0, "bootstrap_speed")
    counts_BN = resample_counts(options.studies, replicates=options.replicates, rng=rng)
    for name, per_finding in (("scikit-learn, per finding", True), ("scikit-learn, one call", False)):
        expected, took = timed(lambda each=per_finding: loop(labels, counts_BN, per_finding=each))
        apart = largest_difference(values, expected)
        results[name] = {"seconds": took, "times_as_long": took / seconds, "largest_difference": apart}
    rows = [
        (name, f"{r['seconds']:.4f}", f"{r['times_as_long']:.1f}", f"{r['largest_difference']:.1e}")
        for name, r in results.items()
    ]
    print(f"{options.replicates} replicates, {options.studies} studies, {options.findings} findings")
    for line in table_lines(("way", "seconds", "times as long", "largest difference"), rows):
        print(line)
    large = measure_large(options.large, options.findings, options.replicates) if options.large else {}
    if large:
        print(f"{options.large} studies: {large['seconds']:.1f} s, {large['peak_mb']:.0f} MB at the peak")
    write_json(
        options.json,
        "bootstrap_speed",
        {"small": results, "large": large, "scikit-learn": version("scikit-learn")},
    )
    others = [r for name, r in results.items() if name != "hilum"]
    met = seconds < MOST_SECONDS and all(
        r["times_as_long"] >= LEAST_SPEEDUP and r["largest_difference"] < MOST_DIFFERENCE for r in others
    )
    print(
        "reached" if met else "NOT reached", f"(under {MOST_SECONDS} s, {LEAST_SPEEDUP} times, equal values)"
    )
    return 0 if met else 1


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1024 if sys.platform != "darwin" else 1024**2
    )


def _tell(done: int, of: int) -> None:
    if sys.stderr.isatty() or done == of:
        print(f"\r{done} of {of} replicates", end="\n" if done == of else "", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
