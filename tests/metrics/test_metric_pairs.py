"""Scores that other code recorded for public reports; skipped where the data is absent. None of it stands here."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from hilum.metrics.overlap import overlap_scores, sentence_bleu, tokenise

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "metric_pairs"


def needs(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"needs ../shared/data/metric_pairs/{path.relative_to(DATA)}, which is not in this clone")
    return path


@pytest.mark.parametrize("corpus", ["mrg_rl_beam1", "mrg_rl_logp_top20"])
def test_recorded_corpus_scores_are_reproduced(corpus: str) -> None:
    """Recorded with coco-caption's scorers on untokenised text, so "single-space"; its CIDEr is CIDEr-D."""
    read = {
        name: json.loads(needs(DATA / corpus / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("references", "predictions", "recorded_scores")
    }
    references = [tokenise(read["references"][key], "single-space") for key in read["predictions"]]
    scores = overlap_scores(
        references, tokenise([t for (t,) in read["predictions"].values()], "single-space")
    )
    ours = (*scores.bleu.scores, scores.rouge_l.mean(), scores.cider_d.mean())
    names = ("Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4", "ROUGE_L", "CIDEr")
    assert ours == pytest.approx([read["recorded_scores"][name] for name in names], abs=1e-9)
    assert abs(scores.cider.mean() - read["recorded_scores"]["CIDEr"]) > 0.1


def rows(name: str) -> list[dict[str, str]]:
    with needs(DATA / "moerad" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_recorded_bleu_2_of_each_report_is_reproduced() -> None:
    references = [[tokens] for tokens in tokenise((r["report"] for r in rows("gts")), "cxr-report-metric")]
    candidates = tokenise((r["report"] for r in rows("preds")), "cxr-report-metric")
    recorded = [float(row["bleu_score"]) for row in rows("report_scores")]
    assert len(recorded) == 590
    np.testing.assert_allclose(sentence_bleu(references, candidates, n=2), recorded, rtol=0, atol=1e-12)
