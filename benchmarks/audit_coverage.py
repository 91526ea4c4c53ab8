"""How often the intervals of `hilum audit` hold the truth, and how wide they are beside simple random sampling.

    python benchmarks/audit_coverage.py --reports NLMCXR_reports.tgz --gold GOLD.csv [--sample 200] [--json OUT]
    python benchmarks/audit_coverage.py --invented --draws 800 [--sample 200] [--power 0.7]

The first form takes the Open-I reports that have human (MeSH) labels as the whole file, the human labels as what a
reader would answer, and the labels of `nih14` as the labels audited; it draws 200 samples, and then 2,000, as the
audit draws them and as simple random samples, and counts how many 95 % intervals hold the value on all reports.
Findings that the human labels never have are left out, as in openi_gold.py. Nothing was chosen by its results:
the allocation and the interval were chosen with the second form, on invented labels with errors of several kinds.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from _common import read_openi, table_lines, write_json
from hilum.analyses._audit_estimates import MEASURES, Linear, estimates, judge, linear, together
from hilum.analyses._audit_strata import make_strata
from hilum.core.matrix import LabelMatrix
from hilum.core.rng import rng_for
from hilum.core.vocabulary import NIH14, State
from hilum.stats.sampling import POWER, allocate, draw

F1 = MEASURES.index("f1")
POLICIES = ("uncertain-to-zero", "uncertain-to-one")


class Case(NamedTuple):
    """A whole file: labels, and 0/1 values and truth of its findings; No Finding, the last, is for strata alone."""

    labels: LabelMatrix
    binary_NF: np.ndarray
    truth_NF: np.ndarray


class Covered(NamedTuple):
    """Of many draws: share of intervals that hold the truth, their mean width, truth below and above them."""

    truth: float
    draws: int
    coverage: float
    width: float
    below: float
    above: float
    bias: float


def measure(
    case: Case, sample: int, draws: int, *, simple: bool, name: str, power: float = POWER
) -> dict[str, Covered]:
    """Coverage of micro- and macro-F1, of micro precision and recall, and of F1 per finding."""
    columns = range(case.truth_NF.shape[1])
    strata = make_strata(case.labels, sample)
    of_N = np.zeros(len(case.labels), dtype=np.intp) if simple else strata.of_N
    sizes_H = np.bincount(of_N)
    drawn_H = allocate(sizes_H, sample, power=power)
    everything = np.arange(len(case.labels))
    truth = _values(case, sizes_H, of_N, everything, columns)
    found: dict[str, list[tuple[float, float, float]]] = {key: [] for key in truth}
    for number in range(draws):
        rows = draw(of_N, drawn_H, rng=rng_for(0, "audit coverage", name, simple, number))
        for key, value in _values(case, sizes_H, of_N, rows, columns).items():
            found[key].append(value)
        if sys.stderr.isatty() and number % 100 == 99:
            print(f"\r{name}: {number + 1} of {draws}", end="", file=sys.stderr)
    return {key: _covered(truth[key][0], values) for key, values in found.items()}


def _values(
    case: Case, sizes_H: np.ndarray, of_N: np.ndarray, rows: np.ndarray, columns: Sequence[int]
) -> dict[str, tuple[float, float, float]]:
    """Estimates with intervals from the reports at `rows`."""
    truth = case.truth_NF[rows].astype(np.int8)
    judged = judge(
        case.binary_NF,
        truth,
        np.ones(truth.shape, dtype=bool),
        rows_n=rows,
        sizes_H=sizes_H,
        strata_n=of_N[rows],
    )
    parts: list[Linear] = [linear(judged, [column]) for column in columns]
    all_of_them = estimates(judged, linear(judged, columns))
    results = {f"micro {m}": all_of_them[place] for place, m in enumerate(MEASURES)}
    results["macro f1"] = estimates(judged, together(parts))[F1]
    for column, part in zip(columns, parts, strict=True):
        results[case.labels.findings[column]] = estimates(judged, part)[F1]
    return {key: (np.nan,) * 3 if value is None else tuple(value) for key, value in results.items()}


def _covered(truth: float, values: Sequence[tuple[float, float, float]]) -> Covered:
    value, low, high = np.array(values).T
    defined = ~np.isnan(value)
    value, low, high = value[defined], low[defined], high[defined]
    below, above = truth < low - 1e-12, truth > high + 1e-12
    if not len(value) or np.isnan(truth):
        return Covered(truth, int(defined.sum()), *[np.nan] * 5)
    return Covered(
        truth, int(defined.sum()), float(1 - (below | above).mean()), float((high - low).mean()),
        float(below.mean()), float(above.mean()), float(value.mean() - truth),
    )  # fmt: skip


def openi(reports: Path, gold_file: Path) -> dict[str, Case]:
    """The Open-I reports with human labels, under each reading of uncertain labels."""
    from hilum.labelers import ReportSpans  # noqa: PLC0415
    from hilum.labelers.rules import build  # noqa: PLC0415

    texts = {f"CXR{r.id}": f"{r.findings}\n\n{r.impression}" for r in read_openi(reports)}
    with gold_file.open(newline="", encoding="utf-8") as file:
        gold = {next(iter(row.values())): row for row in csv.DictReader(file)}
    ids = [i for i in gold if i in texts]
    labeler = build(vocabulary="nih14")
    labels = labeler.label_batch([ReportSpans(texts[i]) for i in ids])
    names = [n for n in NIH14.match_columns(list(gold[ids[0]])) if n != NIH14.no_finding]
    truth_NF = np.array([[gold[i][n] == "1" for n in names] for i in ids])
    kept = [n for place, n in enumerate(names) if truth_NF[:, place].any()]
    truth_NF = truth_NF[:, [names.index(n) for n in kept]]
    states = np.array([one.states for one in labels], dtype=np.int8)
    columns = [NIH14.index(n) for n in (*kept, NIH14.no_finding)]
    matrix = LabelMatrix("nih14", NIH14, (*kept, NIH14.no_finding), tuple(ids), states[:, columns])
    cases = {policy: Case(matrix, matrix.binary(policy)[:, :-1], truth_NF) for policy in POLICIES}
    own = np.array([labeler.yes_or_no(one) for one in labels], dtype=np.int8)[:, columns]
    cases["policy of lexicon/nih14.toml"] = Case(matrix, own[:, :-1], truth_NF)
    return cases


INVENTED: Mapping[str, Mapping[str, float]] = {
    "few errors": {"miss": 0.02, "false": 0.02, "swap": 0.005},
    "some errors": {"miss": 0.06, "false": 0.06, "swap": 0.01},
    "many errors": {"miss": 0.15, "false": 0.15, "swap": 0.01},
    "poor labels": {"miss": 0.4, "false": 0.3, "swap": 0.01},
    "missed only": {"miss": 0.1, "false": 0.005, "swap": 0.0},
    "false only": {"miss": 0.005, "false": 0.1, "swap": 0.0},
    "errors in clumps": {"miss": 0.01, "false": 0.01, "swap": 0.01, "clump": 0.02},
    "mostly normal": {"abnormal": 0.15, "miss": 0.08, "false": 0.05, "swap": 0.01},
    "large file": {"reports": 30_000, "miss": 0.06, "false": 0.06, "swap": 0.01},
    "small file": {"reports": 600, "miss": 0.06, "false": 0.06, "swap": 0.01},
    "few, labelled normal": {"miss": 0.03, "false": 0.02, "swap": 0.003, "seen": 0.0},
    "some, labelled normal": {"miss": 0.08, "false": 0.05, "swap": 0.01, "seen": 0.0},
    "missed, labelled normal": {"miss": 0.2, "false": 0.01, "swap": 0.0, "seen": 0.0},
    "mostly normal, so labelled": {"abnormal": 0.15, "miss": 0.08, "false": 0.05, "swap": 0.01, "seen": 0.0},
    "hardly any error": {"miss": 0.005, "false": 0.005, "swap": 0.0},
}
"""Files that do not exist: share of positives missed, falsely positive, put on another finding, reports with several
errors, abnormal reports, and abnormal reports that are not labelled normal when all their positives are missed."""


def invent(seed: int, spec: Mapping[str, float]) -> Case:
    """One invented file with errors as `spec` says; 14 findings with shares of 0.4 % to 7 % of the reports."""
    rng = rng_for(seed, "invented audit", *sorted(map(str, spec.items())))
    many, names = int(spec.get("reports", 3_000)), NIH14.names[:14]
    share = spec.get("abnormal", 0.4)
    common_F = np.geomspace(0.01, 0.18, len(names))
    abnormal_N = rng.random(many) < share
    truth_NF = (rng.random((many, 14)) < common_F) & abnormal_N[:, None]
    said_NF = truth_NF & (rng.random((many, 14)) >= spec["miss"])
    rate_F = spec["false"] * common_F / (1 - spec["false"])
    at_NF = np.where(abnormal_N[:, None], 0.9 * rate_F, 0.1 * rate_F * share / (1 - share))
    said_NF |= (rng.random((many, 14)) < at_NF) & ~truth_NF
    for row in np.flatnonzero((rng.random(many) < spec["swap"]) & truth_NF.any(axis=1)):
        said_NF[row, rng.choice(np.flatnonzero(truth_NF[row]))] = False
        said_NF[row, rng.integers(14)] = True
    for row in np.flatnonzero(rng.random(many) < spec.get("clump", 0.0)):
        said_NF[row, rng.choice(14, 3, replace=False)] ^= True
    unsure_NF = (rng.random((many, 14)) < 0.02) & abnormal_N[:, None] & ~said_NF
    states_NF = np.where(said_NF, State.POSITIVE, np.where(unsure_NF, State.UNCERTAIN, State.BLANK))
    seen_N = abnormal_N & (rng.random(many) < spec.get("seen", 0.6))
    normal_N = ~(said_NF | unsure_NF).any(axis=1) & ~seen_N
    states = np.column_stack([states_NF, np.where(normal_N, State.POSITIVE, State.BLANK)]).astype(np.int8)
    order = (*names, str(NIH14.no_finding))
    return Case(LabelMatrix("invented", NIH14, order, (), states), said_NF.astype(np.int8), truth_NF)


def on_invented(sample: int, draws: int, files: int, power: float) -> dict[str, object]:
    """Coverage of micro-F1 on invented files, as the audit draws and as simple random samples."""
    results: dict[str, object] = {}
    lines: list[tuple[str, ...]] = []
    for name, spec in INVENTED.items():
        rows = []
        for simple in (False, True):
            found = [
                measure(
                    invent(seed, spec),
                    sample,
                    draws // files,
                    simple=simple,
                    name=f"{name} {seed}",
                    power=power,
                )
                for seed in range(files)
            ]
            rows.append(np.mean([one["micro f1"] for one in found], axis=0))
        results[name] = {"stratified": list(rows[0]), "simple": list(rows[1])}
        lines.append((name, f"{rows[0][0]:.3f}", *(f"{row[place]:.3f}" for row in rows for place in (2, 3))))
    covered = np.array([[float(cell) for cell in line[2:]] for line in lines])
    lines += [
        (word, "", *(f"{value:.3f}" for value in how(covered, axis=0)))
        for word, how in (("mean", np.mean), ("least", np.min), ("most", np.max))
    ]
    head = ("invented file", "micro-F1", "coverage", "width", "simple: coverage", "width")
    print(f"Invented files, {draws} draws of {sample} reports from {files} files of each kind, power {power}")
    print("\n".join(table_lines(head, lines)))
    return results


def show(name: str, tables: Mapping[tuple[int, bool], Mapping[str, Covered]]) -> None:
    """Print coverage and width of every measure, stratified beside simple, for each number of draws."""
    for draws in sorted({draws for draws, _ in tables}):
        ours, simple = tables[draws, False], tables[draws, True]
        head = (
            "measure",
            "truth",
            "coverage",
            "width",
            "below",
            "above",
            "bias",
            "simple: coverage",
            "width",
            "bias",
        )
        body = [
            (key, f"{one.truth:.3f}", f"{one.coverage:.3f}", f"{one.width:.3f}", f"{one.below:.3f}",
             f"{one.above:.3f}", f"{one.bias:+.4f}", f"{simple[key].coverage:.3f}", f"{simple[key].width:.3f}",
             f"{simple[key].bias:+.4f}")
            for key, one in ours.items()
        ]  # fmt: skip
        print(f"\n{name}: {draws:,} draws; below: share of intervals that lie above the truth")
        print("\n".join(table_lines(head, body)))


def main() -> None:
    """Parse the command line, print the tables, write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reports", type=Path)
    parser.add_argument("--gold", type=Path)
    parser.add_argument("--sample", type=int, default=200)
    parser.add_argument("--draws", type=int, nargs="+", default=[200, 2_000])
    parser.add_argument("--invented", action="store_true")
    parser.add_argument("--files", type=int, default=8, help="invented files of each kind")
    parser.add_argument("--power", type=float, default=POWER, help="of the allocation, for --invented")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    results: dict[str, object] = {"sample": args.sample}
    if args.invented:
        results["invented"] = on_invented(args.sample, args.draws[0], args.files, args.power)
    elif args.reports is None or args.gold is None:
        parser.error("give --reports and --gold, or --invented")
    else:
        for name, case in openi(args.reports, args.gold).items():
            print(f"\n{name}: {len(case.labels):,} reports, {case.truth_NF.shape[1]} findings")
            tables = {
                (draws, simple): measure(case, args.sample, draws, simple=simple, name=name)
                for draws in args.draws
                for simple in (False, True)
            }
            show(name, tables)
            results[name] = {
                f"{draws} draws, {'simple' if simple else 'stratified'}": {
                    k: v._asdict() for k, v in one.items()
                }
                for (draws, simple), one in tables.items()
            }
    if args.json:
        write_json(args.json, "audit_coverage", results)


if __name__ == "__main__":
    main()
