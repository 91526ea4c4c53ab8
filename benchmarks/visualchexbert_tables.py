"""Tables of VisualCheXbert (Jain et al. 2021) rebuilt with hilum, beside the published values.

    python benchmarks/visualchexbert_tables.py --data CHEXPERT_TEST_DIR [--parts abc] [--write DIR] [--json OUT]

(a) Table 1 from label files that are rebuilt from Table 3, the numbers of positives and the uncertain counts below
    (needs no data; --write keeps the two files).
(b) The eight odds ratios quoted in section 4.3.3, here from the CheXpert labeler's labels, since the radiologists'
    labels of the reports are not public: only the side of 1 can be compared.
(c) Table 4, with Zero-One with parents as a third column, and differences with paired bootstrap intervals.

CHEXPERT_TEST_DIR has groundtruth.csv and chexpert_labels.csv (github.com/rajpurkarlab/cheXpert-test-set-labels),
which are joined by position: the keys of 100 rows of the second are shifted by one.

Exit code 1 when a bar is missed: (a) 0.001, (b) same side of 1, (c) 0.006.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from _common import table_lines, write_json
from hilum.analyses._bounds import bounds
from hilum.analyses._differences import AVERAGE, WEIGHTED, compare_sources
from hilum.analyses.alignment import align
from hilum.analyses.baselines import LOGREG, ZERO_ONE, ZERO_ONE_PARENTS, baselines, image_odds
from hilum.core.matrix import LabelMatrix
from hilum.tables.labels import read_labels

STUDIES = 500
BAR_1, BAR_4 = 0.001, 0.006
SMALL = 1e-9  # a published value with two digits may be off by exactly half a digit


class Counts(NamedTuple):
    """Positive images; missed and added by the reports (Table 3); uncertain reports of positive and other images."""

    positives: int
    missed: int
    added: int
    uncertain_positive: int
    uncertain_negative: int


COUNTS = {
    "Atelectasis": Counts(153, 75, 31, 49, 39),
    "Cardiomegaly": Counts(151, 101, 15, 4, 6),
    "Edema": Counts(78, 26, 49, 11, 13),
    "Pleural Effusion": Counts(104, 11, 65, 5, 19),
    "Enlarged Cardiomediastinum": Counts(253, 223, 5, 17, 21),
    "Lung Opacity": Counts(264, 100, 50, 1, 0),
    "Support Devices": Counts(261, 53, 13, 0, 0),
    "No Finding": Counts(62, 38, 40, 0, 0),
}
TABLE_1 = {
    "Atelectasis": (0.230, 0.595, -0.014, 0.457),
    "Cardiomegaly": (0.422, 0.463, 0.290, 0.344),
    "Edema": (0.453, 0.581, 0.335, 0.492),
    "Pleural Effusion": (0.638, 0.710, 0.511, 0.613),
    "Enlarged Cardiomediastinum": (0.089, 0.208, -0.053, 0.097),
    "Lung Opacity": (0.683, 0.686, 0.401, 0.405),
    "Support Devices": (0.863, 0.863, 0.737, 0.737),
    "No Finding": (0.381, 0.381, 0.292, 0.292),
    AVERAGE: (0.470, 0.561, 0.312, 0.430),
    WEIGHTED: (0.492, 0.575, 0.320, 0.427),
}
QUOTED = (
    ("Cardiomegaly positive", "Enlarged Cardiomediastinum", 9.6),
    ("Atelectasis uncertain", "Lung Opacity", 2.9),
    ("Edema uncertain", "Lung Opacity", 7.9),
    ("Pleural Effusion positive", "Lung Opacity", 4.4),
    ("Atelectasis positive", "Support Devices", 0.28),
    ("Fracture positive", "Support Devices", 0.17),
    ("Edema positive", "Enlarged Cardiomediastinum", 2.1),
    ("Support Devices positive", "No Finding", 0.03),
)
TABLE_4 = {
    "Atelectasis": (0.52, 0.63),
    "Cardiomegaly": (0.46, 0.56),
    "Edema": (0.53, 0.47),
    "Pleural Effusion": (0.65, 0.65),
    "Enlarged Cardiomediastinum": (0.20, 0.67),
    "Lung Opacity": (0.69, 0.81),
    "Support Devices": (0.85, 0.84),
    "No Finding": (0.39, 0.55),
    AVERAGE: (0.54, 0.65),
    WEIGHTED: (0.56, 0.70),
}
FINDINGS = tuple(COUNTS)


def rebuild(folder: Path) -> tuple[Path, Path]:
    """Two label files of 500 studies with the published counts; every finding is laid out for itself."""
    image, report = {}, {}
    for finding, c in COUNTS.items():
        agreed = c.positives - c.missed - c.uncertain_positive
        rest = STUDIES - c.positives - c.added - c.uncertain_negative
        image[finding] = ["1"] * c.positives + ["0"] * (STUDIES - c.positives)
        report[finding] = ["1"] * agreed + [""] * c.missed + ["-1"] * c.uncertain_positive
        report[finding] += ["1"] * c.added + ["-1"] * c.uncertain_negative + [""] * rest
    paths = folder / "rebuilt_report_labels.csv", folder / "rebuilt_image_labels.csv"
    for path, columns in zip(paths, (report, image), strict=True):
        with path.open("w", newline="", encoding="utf-8") as out:
            rows = csv.writer(out, lineterminator="\n")
            rows.writerow(["Study", *FINDINGS])
            rows.writerows([f"study{i:03d}", *(columns[f][i] for f in FINDINGS)] for i in range(STUDIES))
    return paths


def show(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print one table."""
    print("\n".join(table_lines(tuple(header), [tuple(row) for row in rows])), end="\n\n")


def table_1(folder: Path) -> dict[str, object]:
    """(a): all cells of Table 1 and its averages, and the greatest difference."""
    report_file, image_file = rebuild(folder)
    report, image = read_labels(report_file).matrix, read_labels(image_file).matrix
    found = bounds(report, image.select(FINDINGS).binary(), FINDINGS)
    columns = [name for name, _ in found.columns()]
    values = {f: [float(v[i]) for _, v in found.columns()] for i, f in enumerate(FINDINGS)}
    values |= dict(zip((AVERAGE, WEIGHTED), (list(row) for row in found.averages()), strict=True))
    off = {name: np.subtract(row, TABLE_1[name]) for name, row in values.items()}
    print("(a) Table 1 from rebuilt label files: value (minus the paper's)")
    show(
        ["finding", "n", *columns],
        [
            [name, str(COUNTS[name].positives) if name in COUNTS else "",
             *(f"{v:.3f} ({d:+.4f})" for v, d in zip(row, off[name], strict=True))]
            for name, row in values.items()
        ],
    )  # fmt: skip
    cells = max(float(np.abs(off[f]).max()) for f in FINDINGS)
    averages = max(float(np.abs(off[name]).max()) for name in (AVERAGE, WEIGHTED))
    held = max(cells, averages) <= BAR_1 + SMALL
    print(f"largest difference: 32 cells {cells:.4f}, averages {averages:.4f}; bar {BAR_1}: {told(held)}\n")
    return {"values": values, "largest_cells": cells, "largest_averages": averages, "held": held}


def read_data(folder: Path) -> tuple[LabelMatrix, np.ndarray]:
    """The CheXpert labeler's labels and the image labels of the eight findings, joined by position."""
    report = read_labels(folder / "chexpert_labels.csv", name="CheXpert labeler").matrix
    image = read_labels(folder / "groundtruth.csv", name="image labels").matrix
    joined = align(report, image, how="position")
    return report.take(joined.rows_a), image.take(joined.rows_b).select(FINDINGS).binary()


def odds(report: LabelMatrix, truth_NF: np.ndarray) -> dict[str, object]:
    """(b): the quoted odds ratios from automatic labels."""
    begun = time.perf_counter()
    found = image_odds(report, truth_NF, FINDINGS)
    seconds = time.perf_counter() - begun
    rows, same = [], 0
    for label, finding, paper in QUOTED:
        row = found.by_finding[finding].row(label)
        agrees = (row.odds_ratio > 1) == (paper > 1) and row.odds_ratio != 1
        same += agrees
        rows.append(
            [label, finding, f"{paper:g}", f"{row.odds_ratio:.2f}", f"{row.low:.2f} to {row.high:.2f}",
             f"{row.p:.2g}", f"{row.n_positive}/{row.n}", row.status, "yes" if agrees else "NO"]
        )  # fmt: skip
    print(
        "(b) odds ratios of section 4.3.3: paper (radiologists' report labels), here (CheXpert labeler's labels)"
    )
    head = [
        "report label",
        "image label",
        "paper",
        "here",
        "95 % interval",
        "P",
        "positive/n",
        "status",
        "same side",
    ]
    show(head, rows)
    counts: dict[str, int] = {}
    for fit in found.by_finding.values():
        for one in fit.rows:
            counts[one.status] = counts.get(one.status, 0) + 1
    drawn = sum(len(fit.shown()) for fit in found.by_finding.values())
    converged = all(fit.converged for fit in found.by_finding.values())
    print(f"same side of 1: {same} of {len(QUOTED)}; all fits converged: {converged}; {seconds:.1f} s")
    print(f"all columns of all eight fits: {counts}; estimated with P < 0.05: {drawn}\n")
    return {"rows": rows, "same_side": same, "statuses": counts, "held": same == len(QUOTED)}


def table_4(report: LabelMatrix, truth_NF: np.ndarray, *, replicates: int) -> dict[str, object]:
    """(c): Table 4, and what LogReg gains over the two others."""

    def tell(finding: str, done: int, total: int) -> None:
        if done == total:
            print(f"  {finding}: {total} fits", file=sys.stderr)

    begun = time.perf_counter()
    fitted = baselines(report, truth_NF, FINDINGS, progress=tell)
    seconds = time.perf_counter() - begun
    compared = compare_sources(truth_NF, fitted.predictions, findings=FINDINGS, replicates=replicates)
    own = {name: compared.own(name) for name in fitted.predictions}
    print("(c) Table 4, F1: here with 95 % interval (minus the paper's)")
    rows, off = [], []
    for place, name in enumerate(compared.row_names):
        cells = []
        for column, source in enumerate((ZERO_ONE, LOGREG)):
            value, low, high = own[source][place]
            off.append(value - TABLE_4[name][column])
            cells.append(f"{value:.3f} [{low:.3f}, {high:.3f}] ({off[-1]:+.4f})")
        value, low, high = own[ZERO_ONE_PARENTS][place]
        rows.append([name, *cells, f"{value:.3f} [{low:.3f}, {high:.3f}]"])
    show(["finding", ZERO_ONE, LOGREG, ZERO_ONE_PARENTS], rows)
    largest = max(abs(d) for d in off)
    held = largest <= BAR_4 + SMALL
    print(f"largest difference of 16 cells and 4 averages: {largest:.4f}; bar {BAR_4}: {told(held)}")
    print(f"three baselines in {seconds:.1f} s; notes: {list(fitted.notes)}\n")
    against = {other: compared.difference(LOGREG, other) for other in (ZERO_ONE, ZERO_ONE_PARENTS)}
    print(
        f"F1 differences with 95 % paired bootstrap intervals ({replicates} replicates, * interval without 0)"
    )
    show(
        ["finding", *(f"{LOGREG} - {other}" for other in against)],
        [
            [name, *(
                f"{e[place].value:+.3f} [{e[place].low:+.3f}, {e[place].high:+.3f}]"
                f"{'*' if e[place].low > 0 or e[place].high < 0 else ' '}"
                for e in against.values()
            )]
            for place, name in enumerate(compared.row_names)
        ],
    )  # fmt: skip
    return {
        "f1": {source: [list(e) for e in values] for source, values in own.items()},
        "differences": {other: [list(e) for e in values] for other, values in against.items()},
        "rows": list(compared.row_names),
        "largest": largest,
        "seconds": seconds,
        "held": held,
    }


def told(held: bool) -> str:
    """Whether a bar is held, in words."""
    return "held" if held else "MISSED"


def main() -> int:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder with groundtruth.csv and chexpert_labels.csv")
    parser.add_argument("--parts", default="abc", help="which of a, b, c")
    parser.add_argument("--write", type=Path, help="keep the rebuilt label files in this folder")
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    results: dict[str, dict[str, object]] = {}
    if "a" in args.parts:
        with tempfile.TemporaryDirectory() as scratch:
            folder = args.write or Path(scratch)
            folder.mkdir(parents=True, exist_ok=True)
            results["table 1"] = table_1(folder)
    if set(args.parts) & set("bc"):
        if args.data is None:
            parser.error("parts b and c need --data")
        report, truth_NF = read_data(args.data)
        if "b" in args.parts:
            results["odds ratios"] = odds(report, truth_NF)
        if "c" in args.parts:
            results["table 4"] = table_4(report, truth_NF, replicates=args.replicates)
    write_json(args.json, "visualchexbert_tables", results)
    return 0 if all(part["held"] for part in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
