"""Do the overlap metrics give the scores that other people's code recorded for the same reports?

    python benchmarks/metric_pairs.py --data metric_pairs [--java] [--reports NLMCXR_reports.tgz] [--json OUT]

- `mrg_rl_*`: BLEU-1 to BLEU-4, ROUGE-L and "CIDEr" of a corpus, recorded with coco-caption's scorers. Which of the
  tokenisations gives them is shown for all; so is which of CIDEr and CIDEr-D is the one recorded as "CIDEr".
- `moerad`: BLEU-2 of each of 590 reports, recorded with the CXR-Report-Metric code. For each tokenisation and
  definition, on how many reports the value is the recorded one to 1e-4.
- `synthetic_pairs.json`: no scores are recorded; a look at whether ours are sensible.
- `--java`: on how many texts the tokenisation "coco" gives what coco-caption's own tokeniser gives; needs `java`
  and pycocoevalcap, and `--reports` adds the Open-I reports.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from _common import read_openi, table_lines, write_json
from hilum.metrics.overlap import TOKENISERS, corpus_bleu, overlap_scores, sentence_bleu, tokenise

CORPORA = ("mrg_rl_beam1", "mrg_rl_logp_top20")
RECORDED = ("Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4", "ROUGE_L", "CIDEr")
RECORDED_WITH = "single-space"


def corpus_scores(
    references: Sequence[Sequence[str]], candidates: Sequence[str], name: str
) -> dict[str, float]:
    """Our corpus scores under one tokenisation, by the recorded names, and the first CIDEr besides."""
    scores = overlap_scores([tokenise(texts, name) for texts in references], tokenise(candidates, name))
    values = (*scores.bleu.scores, scores.rouge_l.mean(), scores.cider_d.mean(), scores.cider.mean())
    return {key: float(value) for key, value in zip((*RECORDED, "first CIDEr"), values, strict=True)}


def recorded_corpus(folder: Path) -> dict[str, Any]:
    """Recorded scores of one corpus, ours under each tokenisation, and the differences under `RECORDED_WITH`."""
    references = json.loads((folder / "references.json").read_text(encoding="utf-8"))
    predictions = json.loads((folder / "predictions.json").read_text(encoding="utf-8"))
    recorded = json.loads((folder / "recorded_scores.json").read_text(encoding="utf-8"))
    texts, given = [references[key] for key in predictions], [text for (text,) in predictions.values()]
    ours = {name: corpus_scores(texts, given, name) for name in TOKENISERS}
    return {
        "reports": len(given),
        "recorded": {key: recorded[key] for key in RECORDED},
        "ours": ours,
        "difference": {key: ours[RECORDED_WITH][key] - recorded[key] for key in RECORDED},
    }


def recorded_samples(folder: Path) -> dict[str, Any]:
    """For each way to compute BLEU-2 of a report: the share of recorded values it gives, and the largest gap."""
    references = [row["report"] for row in _rows(folder / "gts.csv")]
    scored = _rows(folder / "report_scores.csv")
    candidates = [row["report"] for row in _rows(folder / "preds.csv")]
    if [row["report"] for row in scored] != candidates:
        raise SystemExit("report_scores.csv and preds.csv do not have the same reports in the same order.")
    recorded = np.array([float(row["bleu_score"]) for row in scored])
    ways = {}
    for name in TOKENISERS:
        pair = [[tokens] for tokens in tokenise(references, name)], tokenise(candidates, name)
        ways[f"{name}, smoothed"] = sentence_bleu(*pair, n=2)
        ways[f"{name}, coco-caption"] = corpus_bleu(*pair, n=2).per_sample[:, 1]
    gaps = {way: np.abs(values - recorded) for way, values in ways.items()}
    return {
        way: {"same": int((gap < 1e-4).sum()), "of": len(gap), "largest_difference": float(gap.max())}
        for way, gap in gaps.items()
    }


def synthetic(path: Path) -> dict[str, float]:
    """Scores of prompts, from the colon on, against their reports; and of each report against itself."""
    pairs = json.loads(path.read_text(encoding="utf-8"))
    truth = [[pair["ground_truth"]] for pair in pairs]
    prompts = corpus_scores(truth, [pair["prompt"].split(":", 1)[1] for pair in pairs], "coco")
    itself = corpus_scores(truth, [pair["ground_truth"] for pair in pairs], "coco")
    return {f"{key}, {what}": s[key] for what, s in (("prompt", prompts), ("itself", itself)) for key in s}


def same_tokens(texts: Sequence[str]) -> dict[str, int]:
    """On how many texts "coco" gives the tokens of coco-caption's PTBTokenizer, which needs Java."""
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer  # noqa: PLC0415 - only with --java

    lines = [" ".join(text.split()) for text in texts]
    theirs = PTBTokenizer().tokenize({i: [{"caption": line}] for i, line in enumerate(lines)})
    ours = tokenise(lines, "coco")
    return {"same": sum(theirs[i][0].split() == tokens for i, tokens in enumerate(ours)), "of": len(lines)}


def java(data: Path, reports: Path | None) -> dict[str, dict[str, int]]:
    """The comparison of tokens on the reports as they were written, and on Open-I where given."""
    texts = {
        name: [row["report"] for row in _rows(data / "moerad" / f"{name}.csv")] for name in ("gts", "preds")
    }
    if reports:
        texts["Open-I"] = [report.joined for report in read_openi(reports) if report.joined.strip()]
    return {name: same_tokens(some) for name, some in texts.items()}


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def report(result: dict[str, Any]) -> None:
    """Print the tables."""
    for name in CORPORA:
        corpus = result[name]
        print(f"{name}: {corpus['reports']} reports")
        rows = [
            (key, f"{corpus['recorded'][key]:.6f}", *(f"{corpus['ours'][t][key]:.6f}" for t in TOKENISERS))
            for key in RECORDED
        ]
        rows.append(("(first CIDEr)", "", *(f"{corpus['ours'][t]['first CIDEr']:.6f}" for t in TOKENISERS)))
        print("\n".join(table_lines(("score", "recorded", *TOKENISERS), rows)))
        largest = max(map(abs, corpus["difference"].values()))
        print(f"largest difference with {RECORDED_WITH!r}: {largest:.1e}; recorded CIDEr is CIDEr-D\n")
    rows = [
        (way, f"{found['same']} of {found['of']}", f"{found['largest_difference']:.1e}")
        for way, found in result["moerad"].items()
    ]
    print("\n".join(table_lines(("moerad, BLEU-2 of a report", "same to 1e-4", "largest difference"), rows)))
    print()
    rows = [(name, f"{value:.4f}") for name, value in result["synthetic_pairs"].items()]
    print("\n".join(table_lines(("synthetic pairs", "ours"), rows)))
    for name, found in result.get("java", {}).items():
        print(f"tokens as coco-caption's, {name}: {found['same']} of {found['of']}")


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder metric_pairs")
    parser.add_argument("--java", action="store_true", help="compare tokens with coco-caption's tokeniser")
    parser.add_argument("--reports", type=Path, help="NLMCXR_reports.tgz, for --java")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result: dict[str, Any] = {name: recorded_corpus(options.data / name) for name in CORPORA}
    result["moerad"] = recorded_samples(options.data / "moerad")
    result["synthetic_pairs"] = synthetic(options.data / "synthetic_pairs.json")
    if options.java:
        result["java"] = java(options.data, options.reports)
    report(result)
    write_json(options.json, "metric_pairs", result)


if __name__ == "__main__":
    main()
