"""What does a reward cost in a step of reinforcement learning, and is the CIDEr reward the usual one?

    python benchmarks/reward_speed.py [--annotation r2gen_annotation.json] [--batch 32] [--json OUT]

Reports are those of the annotation file of R2Gen's Open-I split, or the phantom's without it. Candidates are reports
of other studies, so they are as long as real ones. One core, time of the processor, so that other work on the
machine counts little. Measured:

- CIDEr-D of a batch, document frequencies of the training reports ready on both sides, tokens ready on both sides:
  pycocoevalcap's CiderScorer (counting both texts in each call, as self-critical training does with it), the same
  with its counts of references kept, hilum with references prepared, and hilum without. Ways take turns on each
  batch, the fastest of 5 runs counts, and the median over batches is told. The largest
  difference of any value, over all pairs.
- Milliseconds of a batch for each reward, from texts; pairs a second of the labeled reward.
- Whether labels of sentences, which could be kept, would do: on how many reports they give the labels of the whole
  report, and what finding the sentences costs.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pycocoevalcap.cider.cider_scorer import CiderScorer, precook

from _common import table_lines, write_json
from hilum.core.records import strongest
from hilum.core.vocabulary import State
from hilum.labelers import ReportSpans, get_labeler
from hilum.metrics.overlap import DocumentFrequencies, cider_d, document_frequencies, tokenise
from hilum.metrics.prepared import prepare_cider
from hilum.scorers import findings, mix, overlap
from hilum.text.sentences import find_sentences

REPEATS = 5


class Usual(CiderScorer):
    """pycocoevalcap's scorer with the document frequencies of a training set, as CIDEr is used as a reward."""

    def __init__(self, counts: dict[tuple[str, ...], float], documents: int) -> None:
        super().__init__()
        self.document_frequency = counts
        self._log = np.log(float(documents))

    @property
    def ref_len(self) -> float:
        """log(number of documents)."""
        return float(self._log)

    @ref_len.setter
    def ref_len(self, value: float | None) -> None:
        """What the scorer would take from the batch is not taken."""


def usual_counts(training: Sequence[Sequence[str]]) -> dict[tuple[str, ...], float]:
    """Document frequencies as pycocoevalcap keeps them."""
    counts: dict[tuple[str, ...], float] = defaultdict(float)
    for tokens in training:
        for gram in precook(" ".join(tokens)):
            counts[gram] += 1
    return counts


def reports_of(annotation: Path | None) -> tuple[list[str], list[str]]:
    """Training and test reports."""
    if annotation is not None:
        splits = json.loads(annotation.read_text(encoding="utf-8"))
        return tuple([row["report"] for row in splits[split]] for split in ("train", "test"))  # type: ignore[return-value]
    from hilum.datasets.phantom import build  # noqa: PLC0415 - only without a file

    texts = [
        study.report.text for study in build(seed=0, n=2600, draw=False).studies() if study.report is not None
    ]
    return texts[:2000], texts[2000:]


def timed(work: Callable[[], Any], *, repeats: int = 1) -> tuple[float, Any]:
    """Milliseconds of the processor in the fastest run, and the result."""
    fastest, result = float("inf"), None
    for _ in range(repeats):
        begun = time.process_time()
        result = work()
        fastest = min(fastest, 1e3 * (time.process_time() - begun))
    return fastest, result


def cider(
    training: list[list[str]],
    rows: list[int],
    said: list[list[str]],
    *,
    batch: int,
    frequencies: DocumentFrequencies,
) -> dict[str, Any]:
    """Milliseconds of a batch for each way, how many times faster, and the largest difference."""
    counts = usual_counts(training)
    prepared_ms, prepared = timed(lambda: prepare_cider(training, frequencies=frequencies))
    ways: dict[str, list[float]] = defaultdict(list)
    gaps = []
    for start in range(0, len(rows) - batch + 1, batch):
        place, given = rows[start : start + batch], said[start : start + batch]
        truth = [training[row] for row in place]
        truth_text, given_text = [" ".join(t) for t in truth], [" ".join(t) for t in given]
        kept = [[precook(text)] for text in truth_text]

        def usual(given_text=given_text, truth_text=truth_text) -> list[float]:
            scorer = Usual(counts, len(training))
            for pair in zip(given_text, truth_text, strict=True):
                scorer += (pair[0], [pair[1]])
            return scorer.compute_cider()

        def usual_kept(given_text=given_text, kept=kept) -> list[float]:
            scorer = Usual(counts, len(training))
            scorer.ctest, scorer.crefs = [precook(text) for text in given_text], kept
            return scorer.compute_cider()

        runs = {
            "pycocoevalcap": usual,
            "pycocoevalcap, references counted once": usual_kept,
            "hilum": lambda place=place, given=given: prepared.scores(place, given),
            "hilum, references not prepared": lambda truth=truth, given=given: cider_d(
                [[t] for t in truth], given, frequencies=frequencies
            ),
        }
        values = {}
        for name, run in runs.items():
            spent, values[name] = timed(run, repeats=REPEATS)
            ways[name].append(spent)
        gaps += [np.abs(np.subtract(value, values["pycocoevalcap"])).max() for value in values.values()]
    ms = {name: statistics.median(spent) for name, spent in ways.items()}
    ratio = [a / b for a, b in zip(ways["pycocoevalcap"], ways["hilum"], strict=True)]
    return {
        "batches": len(ratio),
        "ms_of_a_batch": ms,
        "times_faster": statistics.median(ratio),
        "times_faster_5_percent": float(np.percentile(ratio, 5)),
        "times_faster_than_with_kept_counts": ms["pycocoevalcap, references counted once"] / ms["hilum"],
        "largest_difference": float(max(gaps)),
        "preparing_ms": prepared_ms,
        "references": len(training),
    }


def rewards(
    training: list[str], rows: list[int], said: list[str], *, batch: int, frequencies: DocumentFrequencies
) -> dict[str, Any]:
    """Milliseconds of a batch of texts for each reward, references prepared; and pairs a second."""
    made = {
        **{
            name: overlap.build(measure=name, frequencies=frequencies if m.counts_documents else None)
            for name, m in overlap.MEASURES.items()
        },
        "findings": findings.build(),
        "mix (cider_d + findings)": mix.build(frequencies=frequencies),
    }
    ms, preparing = {}, {}
    for name, reward in made.items():
        print(f"{name} ...", file=sys.stderr, flush=True)
        preparing[name], ready = timed(lambda reward=reward: reward.prepared(training))
        spent = [
            timed(
                lambda s=s, ready=ready: ready.rewards(rows[s : s + batch], said[s : s + batch]),
                repeats=REPEATS,
            )[0]
            for s in range(0, len(rows) - batch + 1, batch)
        ]
        ms[name] = statistics.median(spent)
    ready, fresh = made["findings"].prepared(training), findings.build()
    truth = [training[row] for row in rows]
    distinct = len(set(said))
    whole_ms, _ = timed(lambda: ready.rewards(rows, said))
    both_ms, _ = timed(lambda: fresh.rewards(truth, said))
    return {
        "ms_of_a_batch": ms,
        "preparing_ms": preparing,
        "labeled_pairs_a_second": 1e3 * len(said) / whole_ms,
        "labeled_pairs_a_second_references_too": 1e3 * len(said) / both_ms,
        "pairs": len(said),
        "distinct_candidates": distinct,
    }


def sentences(texts: Sequence[str]) -> dict[str, Any]:
    """Whether labels of sentences are those of the report, and what finding sentences costs beside labeling."""
    labeler = get_labeler()
    label_ms, whole = timed(lambda: labeler.label_batch([ReportSpans(text) for text in texts]))
    find_ms, spans = timed(lambda: [find_sentences(text) for text in texts])
    same = 0
    for text, labels, found in zip(texts, whole, spans, strict=True):
        each = labeler.label_batch([ReportSpans(f"{text[s.start : s.end]}.") for s in found])
        joined = [strongest(State.BLANK, *(one.states[f] for one in each)) for f in range(len(labels.states))]
        skip = labels.vocabulary.no_finding
        same += all(
            a == b
            for a, b, name in zip(joined, labels.states, labels.vocabulary.names, strict=True)
            if name != skip
        )
    return {"reports": len(texts), "same": same, "labeling_ms": label_ms, "finding_sentences_ms": find_ms}


def report(result: dict[str, Any], batch: int) -> None:
    """Print the tables."""
    found, paid, split = result["cider"], result["rewards"], result["sentences"]
    lines = [(name, f"{ms:.2f}") for name, ms in found["ms_of_a_batch"].items()]
    print("\n".join(table_lines((f"CIDEr-D of {batch} pairs, tokens ready", "ms"), lines)))
    print(
        f"{found['times_faster']:.1f} times as fast as pycocoevalcap (median of {found['batches']} batches; 5th "
        f"percentile {found['times_faster_5_percent']:.1f}), {found['times_faster_than_with_kept_counts']:.1f} times "
        f"with its references counted once; largest difference {found['largest_difference']:.1e}; "
        f"{found['references']:,} references prepared in {found['preparing_ms']:.0f} ms\n"
    )
    lines = [
        (name, f"{ms:.2f}", f"{paid['preparing_ms'][name]:.0f}") for name, ms in paid["ms_of_a_batch"].items()
    ]
    print("\n".join(table_lines((f"reward of {batch} texts", "ms", "preparing, ms"), lines)))
    print(
        f"labeled reward: {paid['labeled_pairs_a_second']:,.0f} pairs a second (references labeled before), "
        f"{paid['labeled_pairs_a_second_references_too']:,.0f} with references; {paid['pairs']:,} pairs, "
        f"{paid['distinct_candidates']:,} different candidates"
    )
    print(
        f"labels of sentences are those of the report on {split['same']:,} of {split['reports']:,}; finding sentences "
        f"takes {split['finding_sentences_ms']:.0f} ms, labeling whole reports {split['labeling_ms']:.0f} ms"
    )


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument(
        "--annotation", type=Path, help="r2gen_annotation.json; the phantom's reports without it"
    )
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"})
    training, said = reports_of(options.annotation)
    said = list(dict.fromkeys([*said, *training]))  # each candidate is another text: none is found labeled
    rows = [place * 7 % len(training) for place in range(len(said))]
    cut, cut_said = tokenise(training), tokenise(said)
    frequencies = document_frequencies([[tokens] for tokens in cut])
    result = {
        "cider": cider(cut, rows, cut_said, batch=options.batch, frequencies=frequencies),
        "rewards": rewards(training, rows, said, batch=options.batch, frequencies=frequencies),
        "sentences": sentences([*training, *said]),
        "batch": options.batch,
    }
    report(result, options.batch)
    write_json(options.json, "reward_speed", result)


if __name__ == "__main__":
    main()
