"""hilum beside two independent readings of 100 Open-I reports by docs/label-definitions.md.

    python benchmarks/reading_check.py --reports NLMCXR_reports.tgz [--show] [--json OUT]

The reports are 70 abnormal and 30 normal ones of the 2,000 that may be read (benchmarks/openi_gold.py). Two readers
labeled FINDINGS and IMPRESSION without seeing each other or the labeler; their labels and the ids are kept in
benchmarks/reading/, the texts are not. Since then the labeler has been mended by what they show, so this is a
regression set, no estimate of accuracy on unseen reports.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from _common import read_openi, table_lines, write_json
from hilum.core.vocabulary import CHEXPERT14, State, state_from_csv
from hilum.labelers import ReportSpans
from hilum.labelers.rules import build
from openi_gold import text_of

READINGS = Path(__file__).parent / "reading"
Cells = dict[tuple[str, str], State]


def reading(name: str) -> Cells:
    """(report id, finding) -> state, as one reader gave it."""
    with (READINGS / f"openi_100_reader_{name}.csv").open(newline="", encoding="utf-8") as f:
        rows = list(csv.DictReader(f))
    columns = CHEXPERT14.match_columns(list(rows[0]))
    return {(r["id"], n): state_from_csv(r[c].strip()) for r in rows for n, c in columns.items()}


def f1(said: Cells, truth: Cells, state: State) -> float:
    """F1 of one state over all cells."""
    both = sum(said[k] is state and truth[k] is state for k in truth)
    return 2 * both / max(sum(s is state for s in said.values()) + sum(s is state for s in truth.values()), 1)


def labels_of(reports: Path, ids: set[str]) -> tuple[Cells, dict[str, str]]:
    """hilum's labels of the reports with these ids, and their texts."""
    labeler = build()
    texts = {
        f"CXR{r.id}": text_of(r, "findings+impression") for r in read_openi(reports) if f"CXR{r.id}" in ids
    }
    labels = labeler.label_batch([ReportSpans(t) for t in texts.values()])
    return {(i, n): x[n] for i, x in zip(texts, labels, strict=True) for n in CHEXPERT14.names}, texts


def main() -> None:
    """Parse the command line, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reports", type=Path, required=True)
    parser.add_argument(
        "--show", action="store_true", help="print every cell where hilum differs from a reader"
    )
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    a, b = reading("a"), reading("b")
    ours, texts = labels_of(args.reports, {i for i, _ in a})
    rows = []
    for state in (State.POSITIVE, State.NEGATIVE, State.UNCERTAIN):
        cells = sum(s is state for s in a.values())
        rows.append(
            [
                state.name.lower(),
                cells,
                *(round(f1(x, y, state), 4) for x, y in ((a, b), (ours, a), (ours, b))),
            ]
        )
    head = ["state", "cells", "reader a and b", "hilum and a", "hilum and b"]
    print("\n".join(table_lines(head, [[str(c) for c in row] for row in rows])))
    if args.show:
        for i, n in a:
            if not ours[i, n] is a[i, n] is b[i, n]:
                print(f"\n{i} {n}: a {a[i, n].name}, b {b[i, n].name}, hilum {ours[i, n].name}\n{texts[i]}")
    if args.json:
        write_json(args.json, "reading_check", {"rows": [dict(zip(head, row, strict=True)) for row in rows]})


if __name__ == "__main__":
    main()
