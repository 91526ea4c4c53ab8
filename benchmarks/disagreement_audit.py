"""Who is right where hilum and the CheXpert labeler disagree: a blinded sample, and the count of its verdicts.

    python benchmarks/disagreement_audit.py sample --reports NLMCXR_reports.tgz --chexpert-labels CSV --gold GOLD
        --out FOLDER [--n 200] [--seed 0] [--skip IDS.txt]
    python benchmarks/disagreement_audit.py count --verdicts benchmarks/audit/verdicts.csv

`sample` draws disagreements on FINDINGS (chexpert14, house convention) evenly over finding and kind (which pair of
states), only from reports that may be read (benchmarks/openi_gold.py), and writes `cases.txt` with the text and
two answers, left and right in random order, and `key.csv`, which says which side is hilum's. A judge who sees
cases.txt alone writes `judged.csv` (case, left, right, with right/wrong/convention/unclear for each side).
`count` prints the table of the kept verdicts: ids, findings, states and verdicts, never texts.
"""

from __future__ import annotations

import argparse
import csv
import random
from collections import Counter, defaultdict
from pathlib import Path

from _common import read_openi, table_lines
from hilum.core.vocabulary import CHEXPERT14, State, state_from_csv
from hilum.labelers.rules import build
from openi_gold import label_all, split_ids


def sample(args: argparse.Namespace) -> None:
    """Write cases.txt and key.csv."""
    reports = {f"CXR{r.id}": r.findings for r in read_openi(args.reports)}
    with args.gold.open(newline="", encoding="utf-8") as f:
        readable = set(split_ids([next(iter(r.values())) for r in csv.DictReader(f)], "read"))
    skip = set(args.skip.read_text().split()) if args.skip else set()
    with args.chexpert_labels.open(newline="", encoding="utf-8") as f:
        theirs = {f"CXR{r['report_id']}": r for r in csv.DictReader(f)}
    ids = [i for i in theirs if i in readable and i not in skip and i in reports]
    kinds: dict[tuple[str, State, State], list[str]] = defaultdict(list)
    for i, labels in zip(ids, label_all(build(), [reports[i] for i in ids]), strict=True):
        for name, column in CHEXPERT14.match_columns(list(theirs[i])).items():
            ours, other = labels[name], state_from_csv(theirs[i][column])
            if ours is not other:
                kinds[name, ours, other].append(i)
    rng = random.Random(args.seed)
    for members in kinds.values():
        rng.shuffle(members)
    drawn: list[tuple[str, str, State, State]] = []
    while len(drawn) < args.n and any(kinds.values()):
        for (name, ours, other), members in sorted(kinds.items()):
            if members and len(drawn) < args.n:
                drawn.append((members.pop(), name, ours, other))
    rng.shuffle(drawn)
    args.out.mkdir(parents=True, exist_ok=True)
    with (args.out / "cases.txt").open("w") as cases, (args.out / "key.csv").open("w", newline="") as key:
        writer = csv.writer(key)
        writer.writerow(["case", "id", "finding", "hilum", "chexpert", "hilum_side"])
        for case, (i, name, ours, other) in enumerate(drawn, 1):
            side = rng.choice(["left", "right"])
            left, right = (ours, other) if side == "left" else (other, ours)
            cases.write(
                f"### case {case}: {name}: left says {left.name}, right says {right.name}\n{reports[i]}\n\n"
            )
            writer.writerow([case, i, name, ours.name, other.name, side])
    print(f"{len(drawn)} cases of {len(kinds)} kinds in {args.out}")


def count(args: argparse.Namespace) -> None:
    """Print verdicts per finding."""
    with args.verdicts.open(newline="", encoding="utf-8") as f:
        rows = list(csv.DictReader(f))
    table = []
    for name in [*CHEXPERT14.names, "all"]:
        mine = [r for r in rows if name in (r["finding"], "all")]
        ours, theirs = Counter(r["hilum_verdict"] for r in mine), Counter(r["chexpert_verdict"] for r in mine)
        cells = [f"{c[v]}" for c in (ours, theirs) for v in ("right", "wrong", "convention", "unclear")]
        if mine:
            table.append([name, str(len(mine)), *cells])
    head = [
        "finding",
        "n",
        *(f"{who} {v}" for who in ("hilum", "CheXpert") for v in ("right", "wrong", "conv.", "unclear")),
    ]
    print("\n".join(table_lines(head, table)))


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    draw = commands.add_parser("sample")
    for name in ("--reports", "--chexpert-labels", "--gold", "--out"):
        draw.add_argument(name, type=Path, required=True)
    draw.add_argument("--skip", type=Path)
    draw.add_argument("--n", type=int, default=200)
    draw.add_argument("--seed", type=int, default=0)
    draw.set_defaults(run=sample)
    tally = commands.add_parser("count")
    tally.add_argument("--verdicts", type=Path, required=True)
    tally.set_defaults(run=count)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
