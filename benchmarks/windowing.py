"""Are labels kept when a report grows beyond the encoder's limit? Windows against cutting.

    python benchmarks/windowing.py --reports NLMCXR_reports.tgz --labeler mini --weights DIR [--limit 300] [--json OUT]

Normal sentences are put before each impression until it is longer than the limit of the encoder (512 tokens for
BERT). The labels of the short text that are not blank should stand in the long one too. No Finding is left out: the
sentences before may well change it. What comes new with the prefix (it denies things) is not counted.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from _common import read_openi, table_lines, write_json
from hilum.core.vocabulary import State
from hilum.labelers import Labeler, ReportSpans, get_labeler

PREFIX = (
    "The examination is of good quality. The patient is well positioned. The trachea lies in the midline. "
    "The soft tissues are unremarkable. The visualized upper abdomen is unremarkable. "
)


def states(labeler: Labeler, texts: list[str]) -> np.ndarray:
    """State codes of all texts, int8 [N, F]."""
    return np.array(
        [labels.states for labels in labeler.label_batch([ReportSpans(t) for t in texts])], np.int8
    )


def main() -> None:
    """Label short and long texts both ways, print and keep the shares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--reports", type=Path, required=True)
    parser.add_argument("--labeler", default="mini")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--limit", type=int, default=300)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    options = {} if args.weights is None else {"weights": args.weights}
    windows = get_labeler(args.labeler, **options)
    short = sorted({report.impression for report in read_openi(args.reports) if report.impression})
    short = short[:: max(1, len(short) // args.limit)][: args.limit]
    spec = windows.engine.spec  # type: ignore[attr-defined]
    times = spec.max_tokens // len(PREFIX.split()) + 1  # a word is a token or more
    long = [PREFIX * times + text for text in short]
    none = windows.vocabulary.no_finding
    columns = [i for i, name in enumerate(windows.vocabulary.names) if name != none]
    before = states(windows, short)[:, columns]
    said = before != State.BLANK
    rows, results = [], {"texts": len(short), "labels": int(said.sum()), "tokens": spec.max_tokens}
    for way in ("windows", "cut"):
        labeler = windows if way == "windows" else get_labeler(args.labeler, **options, long="cut")
        after = states(labeler, long)[:, columns]
        kept = float((after[said] == before[said]).mean())
        rows.append([way, f"{int(said.sum()):,}", f"{kept:.2%}"])
        results[way] = kept
    print("\n".join(table_lines(["long texts", "labels that are not blank", "kept"], rows)))
    write_json(args.json, "windowing", results)


if __name__ == "__main__":
    main()
