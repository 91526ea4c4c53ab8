"""How long do the overlap metrics take? 100,000 invented pairs of about 40 words, one core, in one run.

    python benchmarks/score_speed.py [--pairs 100000] [--words 40] [--coco 1000] [--json OUT]

Words are drawn with Zipf's law from 5,000, half of each candidate is cut from its reference: more different n-grams
than real reports have. Measured: cutting text into tokens by each tokenisation, each metric by itself, all in one
pass, document frequencies alone, and a reward (CIDEr-D of 32 samples with ready document frequencies). `--coco N`
also times pycocoevalcap on the first N pairs (its document frequencies come from them too) and compares values;
0 leaves it out. Peak memory is that of the whole process, texts and tokens included.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge

from _common import table_lines, write_json
from hilum.core.rng import rng_for
from hilum.metrics import overlap

VOCABULARY = 5_000


def invented_pairs(pairs: int, *, words: int) -> tuple[list[str], list[str]]:
    """Reference texts and candidate texts."""
    rng = rng_for(0, "score_speed", pairs, words)
    names = np.array([f"word{number}" for number in range(VOCABULARY)])
    chances = 1 / np.arange(1, VOCABULARY + 1)
    references, candidates = [], []
    for _ in range(pairs):
        size, other, cut = rng.integers(words // 2, words * 3 // 2, size=3)
        drawn = names[rng.choice(VOCABULARY, size=size + other // 2, p=chances / chances.sum())]
        reference, rest = drawn[:size], drawn[size:]
        start = int(cut) % (size // 2 + 1)
        references.append(" ".join(reference) + ".")
        candidates.append(" ".join((*reference[start : start + size // 2], *rest)) + ".")
    return references, candidates


def timed(name: str, work: Callable[[], Any], seconds: dict[str, float]) -> Any:
    """The result of `work`; its time goes into `seconds`."""
    print(f"{name} ...", file=sys.stderr, flush=True)
    begun = time.perf_counter()
    result = work()
    seconds[name] = time.perf_counter() - begun
    return result


def measure(pairs: int, *, words: int, coco: int) -> dict[str, Any]:
    """Seconds of each step, and the peak of memory."""
    seconds: dict[str, float] = {}
    texts = timed("making the pairs", lambda: invented_pairs(pairs, words=words), seconds)
    for name in overlap.TOKENISERS:
        timed(f"tokens: {name}", lambda name=name: [overlap.tokenise(t, name) for t in texts], seconds)
    references = [[tokens] for tokens in overlap.tokenise(texts[0])]
    candidates = overlap.tokenise(texts[1])
    shown = shower(pairs)
    everything = timed(
        "all in one pass", lambda: overlap.overlap_scores(references, candidates, progress=shown), seconds
    )
    for name in ("corpus_bleu", "sentence_bleu", "rouge_l", "cider", "cider_d"):
        metric = getattr(overlap, name)
        timed(name, lambda metric=metric: metric(references, candidates), seconds)
    frequencies = timed("document frequencies", lambda: overlap.document_frequencies(references), seconds)
    timed(
        "reward: 32 samples, 100 times",
        lambda: [
            overlap.cider_d(references[:32], candidates[:32], frequencies=frequencies) for _ in range(100)
        ],
        seconds,
    )
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    result = {
        "pairs": pairs,
        "words_per_text": float(np.mean([len(c) for c in candidates] + [len(r[0]) for r in references])),
        "distinct_ngrams": [len(keys) for keys in frequencies.keys],
        "seconds": seconds,
        "peak_mib": memory,
        "bleu_4": everything.bleu.scores[-1],
    }
    return result | ({"pycocoevalcap": against_coco(references[:coco], candidates[:coco])} if coco else {})


def against_coco(references: list[list[list[str]]], candidates: list[list[str]]) -> dict[str, float]:
    """Seconds of both on the same pairs, and the largest difference of any value."""
    truth = {i: [" ".join(text) for text in texts] for i, texts in enumerate(references)}
    given = {i: [" ".join(text)] for i, text in enumerate(candidates)}
    seconds: dict[str, float] = {}
    bleu = timed("pycocoevalcap: BLEU", lambda: Bleu(4).compute_score(truth, given, verbose=0), seconds)
    rouge = timed("pycocoevalcap: ROUGE-L", lambda: Rouge().compute_score(truth, given), seconds)
    cider = timed("pycocoevalcap: CIDEr", lambda: Cider().compute_score(truth, given), seconds)
    theirs = sum(seconds.values())
    ours = timed("hilum", lambda: overlap.overlap_scores(references, candidates), seconds)
    gaps = (
        np.abs(np.subtract(bleu[0], ours.bleu.scores)),
        np.abs(np.array(bleu[1]).T - ours.bleu.per_sample),
        np.abs(rouge[1] - ours.rouge_l),
        np.abs(cider[1] - ours.cider_d),
    )
    return {
        "pairs": len(candidates),
        "seconds": theirs,
        "hilum_seconds": seconds["hilum"],
        "times_faster": theirs / seconds["hilum"],
        "largest_difference": float(max(gap.max() for gap in gaps)),
    }


def shower(total: int) -> Callable[[int], None]:
    """A progress callback that writes each tenth to standard error."""
    told = [0]

    def show(done: int) -> None:
        if done * 10 // total > told[0]:
            told[0] = done * 10 // total
            print(f"  {done:,} of {total:,}", file=sys.stderr, flush=True)

    return show


def report(result: dict[str, Any]) -> None:
    """Print the tables."""
    print(f"{result['pairs']:,} pairs, {result['words_per_text']:.1f} words a text, one core")
    print(
        "\n".join(table_lines(("step", "seconds"), [(k, f"{v:.2f}") for k, v in result["seconds"].items()]))
    )
    print(f"peak memory {result['peak_mib']:,.0f} MiB; distinct n-grams {result['distinct_ngrams']}")
    if "pycocoevalcap" in result:
        print(
            "\n".join(f"pycocoevalcap {name}: {value:.6g}" for name, value in result["pycocoevalcap"].items())
        )


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--words", type=int, default=40, help="words of a text, on average")
    parser.add_argument(
        "--coco", type=int, default=1_000, help="pairs that pycocoevalcap scores too; 0: none"
    )
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"})
    result = measure(options.pairs, words=options.words, coco=options.coco)
    report(result)
    write_json(options.json, "score_speed", result)


if __name__ == "__main__":
    main()
