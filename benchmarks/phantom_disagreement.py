"""Does the phantom's report part from its image as often, and for the reasons, that were published?

    python benchmarks/phantom_disagreement.py [--studies 10000] [--seed 1] [--data DIR] [--show N] [--json OUT]
    python benchmarks/phantom_disagreement.py --fit

1. Prevalence on the image per 500 studies beside Table 4 of the VisualCheXbert paper; disagreements in both
   directions beside Table 3, 28 counts; uncertain labels beside those that Table 1 implies, 16 counts. Each with the
   95 % Wilson interval of the published count out of 500. Blank counts as negative. **Uncertain counts as the image's
   label**, neither way a disagreement: Table 3 gives High F1 and High Kappa of Table 1 only so. What comes out with
   uncertain as positive (as in VisualCheXbert's example 4 of Table 2) is printed for information.
2. How often each cause acts, and how often the rule labeler follows the report there.
3. F1 of the rule labeler on impressions against what they say and against what is drawn, with one cause on at a time.

`--data` counts the image labels of the CheXpert test set (`groundtruth.csv` in DIR). `--show` prints studies with
their truth, causes and reports, to be read. `--fit` writes both tables of `_phantom/rates/` anew.
Exit code 1 when a count lies outside its interval.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from _common import table_lines, write_json
from _phantom_fit import PUBLISHED, UNCERTAIN, fit
from hilum.core.imaging import Study
from hilum.core.vocabulary import CHEXPERT14, State
from hilum.datasets.phantom import CAUSES, build, causes_of
from hilum.labelers import ReportSpans, get_labeler
from hilum.metrics import confusion, f1, macro
from hilum.stats.intervals import wilson_interval
from hilum.text.sections import select_sections

NAMES = CHEXPERT14.names
OF = 500
PREVALENCE = {
    "No Finding": 62, "Enlarged Cardiomediastinum": 253, "Cardiomegaly": 151, "Lung Opacity": 264, "Lung Lesion": 8,
    "Edema": 78, "Consolidation": 29, "Pneumonia": 11, "Atelectasis": 153, "Pneumothorax": 9, "Pleural Effusion": 104,
    "Pleural Other": 4, "Fracture": 5, "Support Devices": 261,
}  # fmt: skip
"""Positives among 500 images: Table 4 of the paper; for the six that it leaves out, counts of the public test set."""

Binary = npt.NDArray[np.int8]


def made(n: int, seed: int, causes: Sequence[str] = CAUSES) -> list[Study]:
    """The studies, without pixels."""
    return list(build(seed=seed, n=n, causes=causes, draw=False).studies())


def binary(studies: Sequence[Study], source: str) -> Binary:
    """1 for positive and uncertain, else 0: [N, F]."""
    said = (State.POSITIVE, State.UNCERTAIN)
    return np.array([[s in said for s in study.labels[source].states] for study in studies], np.int8)


def ruled(studies: Sequence[Study]) -> Binary:
    """What the rule labeler makes of the impressions, as `binary`."""
    texts = [study.report.text for study in studies if study.report is not None]
    spans = [ReportSpans(text, select_sections(text, "impression")) for text in texts]
    labels = get_labeler("rules").label_batch(spans)
    said = (State.POSITIVE, State.UNCERTAIN)
    return np.array([[s in said for s in one.states] for one in labels], np.int8)


def beside(
    what: str, found: dict[str, float], published: dict[str, int]
) -> tuple[list[tuple[str, ...]], int]:
    """Rows (cells, finding, published, its interval, phantom per 500, in or out), and how many are out."""
    rows: list[tuple[str, ...]] = []
    for name, count in published.items():
        low, high = (OF * float(end) for end in wilson_interval(count, OF))
        inside = low <= found[name] <= high
        rows.append(
            (
                what,
                name,
                f"{count}",
                f"{low:.1f} to {high:.1f}",
                f"{found[name]:.1f}",
                "in" if inside else "OUT",
            )
        )
    return rows, sum(row[-1] == "OUT" for row in rows)


def states(studies: Sequence[Study], source: str) -> Binary:
    """State codes [N, F]."""
    return np.array([study.labels[source].states for study in studies], np.int8)


def counts(studies: Sequence[Study]) -> tuple[int, dict[str, Any]]:
    """Print prevalence, disagreements and uncertain labels beside the published; how many are out, and the figures."""
    image, report = states(studies, "image") == State.POSITIVE, states(studies, "report")
    positive, uncertain = report == State.POSITIVE, report == State.UNCERTAIN
    known = list(UNCERTAIN)
    parts: list[tuple[str, npt.NDArray[np.bool_], dict[str, int]]] = [
        ("on the image", image, PREVALENCE),
        ("image alone", image & ~positive & ~uncertain, {n: PUBLISHED[n][0] for n in NAMES}),
        ("report alone", ~image & positive, {n: PUBLISHED[n][1] for n in NAMES}),
        ("uncertain, there", image & uncertain, {n: UNCERTAIN[n][0] for n in known}),
        ("uncertain, not there", ~image & uncertain, {n: UNCERTAIN[n][1] for n in known}),
    ]
    rows, out, figures = [], 0, {}
    for what, cells, published in parts:
        found = {n: float(cells[:, NAMES.index(n)].mean() * OF) for n in published}
        more, outside = beside(what, found, published)
        rows, out, figures[what] = rows + more, out + outside, found
    print("\n".join(table_lines(("cells", "finding", "published", "95 %", "phantom", ""), rows)))
    print(f"\n{len(rows) - out} of {len(rows)} inside their interval; {len(studies):,} studies")
    as_positive = (~image & (positive | uncertain)).mean(0) * OF
    print("report alone, if uncertain counted as positive: " + ", ".join(f"{v:.0f}" for v in as_positive))
    high, low = (_average_f1(image, positive, uncertain, agrees=a) for a in (True, False))
    print(f"average F1 of eight findings, published 0.561 high and 0.470 low: {high:.3f} and {low:.3f}\n")
    return out, {**figures, "high F1": high, "low F1": low}


def _average_f1(
    image: npt.NDArray[np.bool_],
    positive: npt.NDArray[np.bool_],
    uncertain: npt.NDArray[np.bool_],
    *,
    agrees: bool,
) -> float:
    """Macro F1 over the findings of Table 1, uncertain taken as the image's label or as the opposite."""
    said = np.where(uncertain, image if agrees else ~image, positive)
    places = [NAMES.index(n) for n in UNCERTAIN]
    return float(macro(f1(confusion(image[:, places], said[:, places]))))


def by_cause(studies: Sequence[Study]) -> dict[str, Any]:
    """Print how often each cause acts per 500 studies and how often the rules say what the report says there.

    Here uncertain counts as positive, so that hedging is seen.
    """
    report, rules = binary(studies, "report"), ruled(studies)
    cells: Counter[tuple[str, str]] = Counter()
    follows: Counter[tuple[str, str]] = Counter()
    for i, study in enumerate(studies):
        for name, (side, cause) in causes_of(study).items():
            place = NAMES.index(name)
            cells[cause, side] += 1
            follows[cause, side] += int(report[i, place] == rules[i, place])
    rows = [
        (cause, f"{side} alone", f"{n * OF / len(studies):.1f}", f"{follows[cause, side] / n:.3f}")
        for (cause, side), n in sorted(cells.items())
    ]
    print(
        "\n".join(table_lines(("cause", "positive on the", "cells per 500", "rules as the report"), rows)),
        "\n",
    )
    return {" / ".join(row[:2]): [float(x) for x in row[2:]] for row in rows}


def with_one(n: int, seed: int) -> dict[str, Any]:
    """Print macro F1 over the 14 findings of report and rules with no cause, one at a time, and all."""
    rows = []
    for label, causes in (("none", ()), *((c, (c,)) for c in CAUSES), ("all", CAUSES)):
        studies = made(n, seed, causes)
        image, report, rules = binary(studies, "image"), binary(studies, "report"), ruled(studies)
        pairs = ((report, rules), (image, report), (image, rules))
        rows.append((label, *(f"{float(macro(f1(confusion(a, b)))):.3f}" for a, b in pairs)))
        print(f"  {label} done", file=sys.stderr)
    head = (
        "causes on",
        "rules, truth of the report",
        "report, truth of the image",
        "rules, truth of the image",
    )
    print("\n".join(table_lines(head, rows)))
    return {row[0]: dict(zip(head[1:], map(float, row[1:]), strict=True)) for row in rows}


def count_data(folder: Path) -> None:
    """Print the positives per finding of the CheXpert test set, and how No Finding goes with devices."""
    with (folder / "groundtruth.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    print(f"{len(rows)} studies: " + ", ".join(f"{n} {sum(float(r[n]) > 0 for r in rows)}" for n in NAMES))
    both = sum(float(r["No Finding"]) > 0 and float(r["Support Devices"]) > 0 for r in rows)
    alone = sum(
        float(r["Support Devices"]) > 0 and not any(float(r[n]) > 0 for n in NAMES[:-1]) for r in rows
    )
    print(f"No Finding with a device: {both}; nothing but a device, and no No Finding: {alone}\n")


def show(studies: Sequence[Study]) -> None:
    """Print studies to be read."""
    for study in studies:
        image = [n for n, s in study.labels["image"].as_dict().items() if s is State.POSITIVE]
        said = {
            n: s.name.lower() for n, s in study.labels["report"].as_dict().items() if s is not State.BLANK
        }
        views = ", ".join(i.view.value for i in study.images)
        print("=" * 100, f"\n{study.id} {study.sex} {study.age_years:.0f} {study.meta['setting']} ({views})")
        print(f"image: {', '.join(image)}\nimpression: {said}\ncauses: {study.meta['causes']}")
        print(study.report.text if study.report else "")


def main() -> int:
    """Run, print, and write the JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--studies", type=int, default=10_000)
    parser.add_argument("--each", type=int, default=2000, help="studies per cause in the third table")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--show", type=int, default=0)
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    if args.fit:
        fit()
        return 0
    if args.data:
        count_data(args.data)
    if args.show:
        show(made(args.show, args.seed))
        return 0
    studies = made(args.studies, args.seed)
    out, figures = counts(studies)
    results = {"per 500": figures, "outside": out, "causes": by_cause(studies)}
    results["F1 with one cause"] = with_one(args.each, args.seed)
    write_json(args.json, "phantom_disagreement", results)
    return int(out > 0)


if __name__ == "__main__":
    sys.exit(main())
