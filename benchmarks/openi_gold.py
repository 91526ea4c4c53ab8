"""Open-I reports against the labels that people gave them (MeSH coding), per finding and micro.

    python benchmarks/openi_gold.py --reports NLMCXR_reports.tgz --gold GOLD.csv [--split read|unread|all]
        [--text findings+impression|findings] [--chexpert-labels CSV] [--json OUT]

Labels are those of `nih14`; how a hedged mention counts is the policy in lexicon/nih14.toml ([uncertain]). Micro
figures are over the findings that have positives; intervals are 95 % percentile bootstraps over reports.

The dev gold (3,080 reports) is split once by rule: ids in the order of SHA-256("hilum-openi-dev:" + id); the
first 2,000 may be read and learned from, the other 1,080 are never read.

--chexpert-labels: only reports of that file; adds the CheXpert labeler and hilum (`chexpert14` and `nih14`) on
the seven findings that both vocabularies share, uncertain counted as positive for all, and Cohen's kappa (four
states) between the CheXpert labeler and hilum under each convention for all findings.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
from collections import Counter
from pathlib import Path

import numpy as np

from _common import OpenIReport, read_openi, table_lines, write_json
from hilum.core.records import Labels
from hilum.core.vocabulary import CHEXPERT14, NIH14, State, state_from_csv
from hilum.labelers import ReportSpans
from hilum.labelers.rules import RuleLabeler, build

READ = 2_000
REPLICATES = 1_000


def split_ids(ids: list[str], split: str) -> list[str]:
    """The ids of one split, in the fixed order of the rule."""
    order = sorted(ids, key=lambda i: hashlib.sha256(f"hilum-openi-dev:{i}".encode()).hexdigest())
    return {"all": order, "read": order[:READ], "unread": order[READ:]}[split]


def text_of(report: OpenIReport, which: str) -> str:
    """The part of a report that is labeled."""
    return report.findings if which == "findings" else f"{report.findings}\n\n{report.impression}"


def label_all(labeler: RuleLabeler, texts: list[str]) -> list[Labels]:
    """Labels of all texts."""
    return labeler.label_batch([ReportSpans(t) for t in texts])


def f1_of(tp: float, fp: float, fn: float) -> tuple[float, float, float]:
    """Precision, recall and F1; 0 where there is nothing to divide by."""
    return tp / max(tp + fp, 1), tp / max(tp + fn, 1), 2 * tp / max(2 * tp + fp + fn, 1)


def score(said_NF: np.ndarray, true_NF: np.ndarray, names: list[str], *, seed: int = 0) -> dict[str, object]:
    """Per finding and micro precision, recall, F1 with 95 % intervals; N reports, F findings, 0/1."""
    kept = [i for i in range(len(names)) if true_NF[:, i].any()]
    counts_3NF = np.stack([said_NF & true_NF, said_NF & ~true_NF, ~said_NF & true_NF]).astype(np.int32)
    draws = np.random.default_rng(seed).integers(0, len(true_NF), (REPLICATES, len(true_NF)))
    weights_RN = np.stack([np.bincount(d, minlength=len(true_NF)) for d in draws])
    drawn_3RF = np.stack([weights_RN @ counts_3NF[k] for k in range(3)])
    rows: dict[str, object] = {}
    for name, columns in [*((names[i], [i]) for i in kept), ("micro", kept)]:
        tp, fp, fn = (int(counts_3NF[k][:, columns].sum()) for k in range(3))
        precision, recall, f1 = f1_of(tp, fp, fn)
        tp_R, fp_R, fn_R = (drawn_3RF[k][:, columns].sum(axis=1) for k in range(3))
        f1_R = 2 * tp_R / np.maximum(2 * tp_R + fp_R + fn_R, 1)
        low, high = np.percentile(f1_R, [2.5, 97.5])
        rows[name] = {
            "positives": tp + fn, "tp": tp, "fp": fp, "fn": fn,
            "precision": round(precision, 4), "recall": round(recall, 4), "f1": round(f1, 4),
            "f1_low": round(float(low), 4), "f1_high": round(float(high), 4),
        }  # fmt: skip
    return rows


def show(title: str, rows: dict[str, object]) -> None:
    """Print one table of scores."""
    print(f"\n{title}")
    body = [
        [name, r["positives"], r["tp"], r["fp"], r["fn"], f"{r['precision']:.3f}", f"{r['recall']:.3f}",
         f"{r['f1']:.3f}", f"{r['f1_low']:.3f} to {r['f1_high']:.3f}"]
        for name, r in rows.items() if isinstance(r, dict)
    ]  # fmt: skip
    head = ["finding", "positives", "tp", "fp", "fn", "P", "R", "F1", "95 % interval"]
    print("\n".join(table_lines(head, [[str(c) for c in row] for row in body])))


def kappa(pairs: Counter[tuple[State, State]]) -> float:
    """Cohen's kappa of two raters over the four states."""
    n = pairs.total()
    agree = sum(c for (a, b), c in pairs.items() if a == b) / n
    chance = sum(
        sum(c for (a, _), c in pairs.items() if a == s) * sum(c for (_, b), c in pairs.items() if b == s)
        for s in State
    ) / (n * n)
    return (agree - chance) / (1 - chance) if chance < 1 else 1.0


def beside_chexpert(
    path: Path, reports: dict[str, OpenIReport], gold: dict[str, dict[str, str]], which: str
) -> dict[str, object]:
    """The CheXpert labeler and hilum on the shared findings against the gold, and kappa under each convention."""
    with path.open(newline="", encoding="utf-8") as f:
        rows = {f"CXR{r['report_id']}": r for r in csv.DictReader(f)}
    ids = sorted(i for i in rows if i in gold and i in reports)
    theirs = {
        n: [state_from_csv(rows[i][c]) for i in ids]
        for n, c in CHEXPERT14.match_columns(list(rows[ids[0]])).items()
    }
    shared = [n for n in NIH14.names if n in CHEXPERT14 and NIH14.findings[NIH14.index(n)].role == "finding"]
    true_NF = np.array([[gold[i][n] == "1" for n in shared] for i in ids])
    texts = [text_of(reports[i], which) for i in ids]
    labeled = {
        ("chexpert14", "house"): label_all(build(), texts),
        ("chexpert14", "chexpert"): label_all(build(convention="chexpert"), texts),
        ("nih14", "house"): label_all(build(vocabulary="nih14"), texts),
    }
    yes = (State.POSITIVE, State.UNCERTAIN)
    said = {
        "CheXpert labeler": np.array(
            [
                [theirs[CHEXPERT14.names[CHEXPERT14.index(n)]][k] in yes for n in shared]
                for k in range(len(ids))
            ]
        )
    }
    for (vocabulary, convention), labels in labeled.items():
        if convention == "house":
            said[f"hilum {vocabulary}"] = np.array([[x[n] in yes for n in shared] for x in labels])
    tables = {name: score(s, true_NF, shared) for name, s in said.items()}
    for name, table in tables.items():
        show(f"{name}, {len(ids)} reports, {which}, uncertain counted as positive", table)
    kappas: dict[str, dict[str, float]] = {}
    for name in CHEXPERT14.names:
        kappas[name] = {
            c: round(
                kappa(Counter(zip([x[name] for x in labeled["chexpert14", c]], theirs[name], strict=True))), 4
            )
            for c in ("house", "chexpert")
        }
    print("\nCohen's kappa with the CheXpert labeler, four states")
    print(
        "\n".join(
            table_lines(
                ["finding", "house", "chexpert"],
                [[n, f"{k['house']:.3f}", f"{k['chexpert']:.3f}"] for n, k in kappas.items()],
            )
        )
    )
    return {"reports": len(ids), "scores": tables, "kappa": kappas}


def main() -> None:
    """Parse the command line, print the tables, write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reports", type=Path, required=True)
    parser.add_argument("--gold", type=Path, required=True)
    parser.add_argument("--split", choices=("all", "read", "unread"), default="all")
    parser.add_argument("--text", choices=("findings+impression", "findings"), default="findings+impression")
    parser.add_argument("--chexpert-labels", type=Path)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    reports = {f"CXR{r.id}": r for r in read_openi(args.reports)}
    with args.gold.open(newline="", encoding="utf-8") as f:
        gold = {next(iter(r.values())): r for r in csv.DictReader(f)}
    missing = [i for i in gold if i not in reports]
    if missing:
        print(f"{len(missing)} ids of the gold have no report, the first is {missing[0]}")
    names = [n for n in NIH14.match_columns(list(next(iter(gold.values())))) if n != NIH14.no_finding]
    ids = split_ids([i for i in gold if i in reports], args.split)
    labeler = build(vocabulary="nih14")
    labels = label_all(labeler, [text_of(reports[i], args.text) for i in ids])
    columns = [labeler.vocabulary.index(n) for n in names]
    said_NF = np.array([labeler.yes_or_no(x) for x in labels], dtype=bool)[:, columns]
    true_NF = np.array([[gold[i][n] == "1" for n in names] for i in ids])
    rows = score(said_NF, true_NF, names)
    show(f"hilum nih14, {len(ids)} reports ({args.split}), {args.text}", rows)
    results: dict[str, object] = {"split": args.split, "text": args.text, "reports": len(ids), "nih14": rows}
    if args.chexpert_labels:
        results["chexpert"] = beside_chexpert(args.chexpert_labels, reports, gold, args.text)
    if args.json:
        write_json(args.json, "openi_gold", results)


if __name__ == "__main__":
    main()
