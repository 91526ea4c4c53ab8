"""Table 3 of the LLM labeler paper from the columns of its Table 1, and which weighted F1 its tables fit.

    python benchmarks/llm_labeler_tables.py [--json OUT]

The numbers below are published facts: per-finding F1 on the 687 radiologist-labeled reports of MIMIC-CXR, printed
in the paper on a large language model fine-tuned to label chest X-ray reports (Tables 1 to 3; the labelers are
theirs, "Ours", CheXbert and CheXpert). No label file is read.

A P value agrees when it is the printed one after rounding to as many decimals as are printed.

Second part. The paper says "weighted F1" and not how blank is counted. If a score were the plain mean of the
tasks (preset task-mean), 3 x Table 1 - 2 x Table 2 would be the uncertain task alone: at most 1 in every cell, and 1
for a finding that is never uncertain (No Finding). Under the presets that weigh states by their counts, Table 1 and
Table 2 would be the same number for such a finding.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from itertools import combinations
from pathlib import Path

import numpy as np

from _common import table_lines, write_json
from hilum.api.study_labelers import study_scores

LABELERS = ("Ours", "CheXbert", "CheXpert")
TABLE_1 = """\
Enlarged Cardiomediastinum,0.9022,0.8753,0.8644
Cardiomegaly,0.8555,0.8604,0.8143
Lung Opacity,0.8653,0.8820,0.8459
Lung Lesion,0.9612,0.9627,0.9543
Edema,0.9105,0.9191,0.9064
Consolidation,0.9288,0.9385,0.9215
Pneumonia,0.8784,0.8853,0.8474
Atelectasis,0.8613,0.8656,0.8576
Pneumothorax,0.9619,0.9780,0.9572
Pleural Effusion,0.8510,0.8649,0.8475
Pleural Other,0.9627,0.9623,0.9629
Fracture,0.9734,0.9758,0.9702
Support Devices,0.8607,0.8402,0.8043
No Finding,0.8470,0.8557,0.8557
Average,0.9014,0.9047,0.8864
"""
TABLE_2 = """\
Enlarged Cardiomediastinum,0.8907,0.8641,0.8447
Cardiomegaly,0.8233,0.8113,0.7650
Lung Opacity,0.8008,0.8230,0.7770
Lung Lesion,0.9490,0.9507,0.9415
Edema,0.8850,0.8934,0.8805
Consolidation,0.9104,0.9222,0.9101
Pneumonia,0.8886,0.8907,0.8568
Atelectasis,0.8256,0.8316,0.8206
Pneumothorax,0.9505,0.9700,0.9470
Pleural Effusion,0.7983,0.8143,0.7965
Pleural Other,0.9448,0.9457,0.9466
Fracture,0.9626,0.9649,0.9581
Support Devices,0.7911,0.7603,0.7069
No Finding,0.7704,0.7835,0.7836
Average,0.8708,0.8733,0.8525
"""
TABLE_3 = {("Ours", "CheXbert"): ("0.35", "0.14"), ("Ours", "CheXpert"): ("0.01", "0.005"),
           ("CheXbert", "CheXpert"): ("0.0005", "0.002")}  # fmt: skip
"""Pair -> printed P of the paired t-test and of Wilcoxon's test."""

NEVER_UNCERTAIN = "No Finding"


def p_values(table: str) -> dict[tuple[str, str], tuple[float, float]]:
    """Pair -> P of the paired t-test and of Wilcoxon's test, as `hilum study labelers --scores` gives them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scores.csv"
        path.write_text(f"Finding,{','.join(LABELERS)}\n{table}", encoding="utf-8")
        tests = study_scores(path)[0].table("tests")
    keys = [column.key for column in tests.columns]
    rows = [dict(zip(keys, row, strict=True)) for row in tests.rows]
    return {
        pair: (float(row["t_p"]), float(row["wilcoxon_p"]))
        for pair, row in zip(combinations(LABELERS, 2), rows, strict=True)
    }


def agrees(value: float, printed: str) -> bool:
    """Whether a value rounds to a printed one."""
    decimals = len(printed.partition(".")[2])
    return f"{value:.{decimals}f}" == printed


def cells(table: str) -> tuple[list[str], np.ndarray]:
    """Findings and their scores, without the average."""
    rows = [line.split(",") for line in table.splitlines() if not line.startswith("Average")]
    return [row[0] for row in rows], np.array([[float(cell) for cell in row[1:]] for row in rows])


def main() -> int:
    """Print both parts; 1 when a P value does not agree."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    found = p_values(TABLE_1)
    lines, results, wrong = [], {}, 0
    for pair, printed in TABLE_3.items():
        for test, value, text in zip(("paired t", "Wilcoxon"), found[pair], printed, strict=True):
            same = agrees(value, text)
            wrong += not same
            lines.append((f"{pair[0]} versus {pair[1]}", test, f"{value:.6f}", text, "yes" if same else "NO"))
            results[f"{pair[0]} versus {pair[1]}, {test}"] = value
    print("\n".join(table_lines(("Table 3", "test", "P worked out", "printed", "agrees"), lines)))

    findings, first = cells(TABLE_1)
    _, second = cells(TABLE_2)
    uncertain = 3 * first - 2 * second
    rounding = 5 * 0.00005
    row = findings.index(NEVER_UNCERTAIN)
    print(f"\n3 x Table 1 - 2 x Table 2, each within {rounding:.5f} by rounding")
    print("\n".join(table_lines(("Finding", *LABELERS), [
        (finding, *(f"{value:.4f}" for value in values)) for finding, values in zip(findings, uncertain, strict=True)
    ])))  # fmt: skip
    fits = bool((uncertain <= 1 + rounding).all() and (abs(uncertain[row] - 1) <= rounding).all())
    same = bool((abs(first[row] - second[row]) <= 0.0001).all())
    print(f"\ntask-mean fits all {uncertain.size} cells: {'yes' if fits else 'NO'}")
    print(f"{NEVER_UNCERTAIN} is the same in both tables, as count-weighted presets need: "
          f"{'yes' if same else 'no'}")  # fmt: skip
    write_json(
        options.json,
        "llm_labeler_tables",
        {"p": results, "all_agree": not wrong, "task_mean_fits": fits, "count_weighted_fits": same},
    )
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
