"""A Noise-RNN of Open-I: learned from the training reports alone, and what it writes of the test reports.

It sees no image. In the place of images stand pictures of noise, drawn from the ids of the reports: the first state of
each report that is written is drawn from its own picture, so that a report stays the same in any order.
"""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hilum.core.rng import rng_for
from hilum.text.report_words import report_sentences

SIZE = 32
SEED = 0
WAYS = ("greedy", "sample")
CHOICES: Mapping[str, Any] = {
    "width": 128, "hidden": 256, "batch_size": 32, "epochs": 16, "patience": 3, "learning_rate": 3e-3,
    "most_sentences": 12, "most_words": 28, "least_count": 2,
}  # fmt: skip


def train_noise_rnn(splits: Mapping[str, Any], folder: Path) -> Path:
    """Train below `folder`, or go on there; the folder of its csv files, one for each way of decoding.

    `noise-rnn greedy` has the most likely words after noise as first state, repeated sentences removed, as
    `hilum study generation` writes them; `noise-rnn sample` has words that are drawn as well.
    """
    from hilum.models.generator_spec import NOISE_RNN  # noqa: PLC0415
    from hilum.models.report_generator import load_generator  # noqa: PLC0415
    from hilum.recipes.generator import recipe  # noqa: PLC0415
    from hilum.train.baselines import train_baseline  # noqa: PLC0415

    begun = time.monotonic()
    config = recipe("small")(
        folder / "run", data="openi", size_px=SIZE, device="cpu", threads=1, workers=1, seed=SEED, **CHOICES
    )
    learned, dev = (reports_of(splits[name]) for name in ("train", "val"))
    result = train_baseline(NOISE_RNN, config, learned=learned, dev=dev, progress=scored)
    if not result.finished:
        raise KeyboardInterrupt
    loaded = load_generator(result.model)
    written = folder / "reports"
    written.mkdir(exist_ok=True)
    for way in WAYS:
        write(written / f"noise-rnn {way}.csv", loaded, [row["id"] for row in splits["test"]], way=way)
    step = result.steps[0]
    print(
        f"Noise-RNN: {len(loaded.spec.words):,} words, {result.trained_steps:,} steps, dev loss {step.best:.3f} in "
        f"epoch {step.best_epoch}, {time.monotonic() - begun:.0f} s in this start"
    )
    return written


def reports_of(rows: Sequence[Mapping[str, Any]]) -> Any:
    """The reports of a split, each with its picture of noise; reports without words are left out."""
    from hilum.train.generator_data import ReportSet  # noqa: PLC0415

    found = [(row["id"], row["report"], report_sentences(row["report"])) for row in rows]
    kept = [one for one in found if any(one[2])]
    ids, texts, sentences = (tuple(column) for column in zip(*kept, strict=True))
    return ReportSet("Open-I", ids, ids, ids, tuple(noise(one) for one in ids), texts, sentences)


def noise(name: str) -> Any:
    """The picture of a report, uint8 [SIZE, SIZE]."""
    return rng_for(SEED, "picture of noise", name).integers(256, size=(SIZE, SIZE), dtype=np.uint8)


def write(path: Path, loaded: Any, ids: Sequence[str], *, way: str) -> None:
    """A csv with id and report."""
    from hilum.models.decoding import Decoding  # noqa: PLC0415
    from hilum.models.write_reports import ReportWriter  # noqa: PLC0415

    writer = ReportWriter(loaded, how=Decoding(way=way), repeats_removed=True, seed=SEED)
    pictures = [noise(one)[None].astype(np.float32) for one in ids]
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["id", "report"])
        rows.writerows((one, report.text) for one, report in zip(ids, writer.write(pictures), strict=True))


def scored(progress: Any) -> None:
    """A line for each epoch on standard error."""
    if progress.scored:
        print(
            f"epoch {progress.epoch} of {progress.epochs}: dev {progress.score:.4f}",
            file=sys.stderr,
            flush=True,
        )
