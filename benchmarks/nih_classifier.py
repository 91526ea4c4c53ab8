"""DenseNet-121 on real images, with and without pretraining on the phantom: AUROC on patients that it never saw.

    python benchmarks/nih_classifier.py --data nih_1000 --out DIR [--size 96] [--epochs 10] [--phantom 2500]
        [--phantom-epochs 3] [--device auto] [--precision no] [--threads N] [--json OUT]

`--data` is a folder of the data set `nih` (`hilum doctor nih --root DIR`). Two patients in five are put aside for the
test; the rest is learned from, a part of it for choosing the epoch. The same DenseNet-121, one grey channel, learns
from its first weights and from those that it got on phantom studies, with the same choices. AUROC is of the test
patients, for findings with 30 positives or more in the data set, with 95 % intervals from 1,000 bootstraps of
patients; the difference comes from the same replicates. In `nih_1000` every finding but No Finding stands beside
Pneumonia, so the same is measured within the images with Pneumonia, where a model cannot use that.
A run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

from _common import table_lines, write_json
from hilum.core.rng import rng_for
from hilum.core.vocabulary import State
from hilum.datasets import get_data_set
from hilum.datasets.phantom import build
from hilum.metrics.finding_ranks import auroc_by_finding
from hilum.models.classifier import load_classifier
from hilum.models.classify import predict_images
from hilum.recipes.classifier import chexpert
from hilum.stats.intervals import bootstrap, percentile_interval
from hilum.train.classifier import ImageSet, train_classifier
from hilum.train.classifier_config import ClassifierTraining
from hilum.train.image_reading import from_studies

LEAST_POSITIVES, TEST_SHARE, REPLICATES = 30, 0.4, 1000
WITHIN = "Pneumonia"
SCRATCH, PRETRAINED = "first weights", "phantom weights"


def choices(args: argparse.Namespace, out: Path, **more: Any) -> ClassifierTraining:
    """What both trainings share."""
    return chexpert(
        out, size_px=args.size, channels=1, normalisation="minus-one-to-one", learning_rate=5e-4, schedule="linear",
        warmup=0.1, clip_norm=1.0, patience=100, seed=args.seed, device=args.device, precision=args.precision,
        threads=args.threads, save_every=100, **more,
    )  # fmt: skip


def train(config: ClassifierTraining, images: ImageSet, name: str) -> Path:
    """The folder of the model; a line every 20 seconds."""
    told = time.monotonic()

    def progress(step: Any) -> None:
        nonlocal told
        if step.scored or time.monotonic() - told > 20:
            told = time.monotonic()
            print(f"{name}: epoch {step.epoch} step {step.done}/{step.total} best {step.best}", flush=True)

    result = train_classifier(config, images=images, progress=progress)
    print(f"{name}: {result.seconds:.0f} s, {result.speed}, {[vars(s) for s in result.steps]}", flush=True)
    return result.model


def halves(images: ImageSet, seed: int) -> tuple[ImageSet, ImageSet]:
    """Images to learn from and test images; no patient on both sides."""
    patients = sorted(set(images.patients))
    order = rng_for(seed, "test patients").permutation(len(patients))
    test = {patients[i] for i in order[: round(TEST_SHARE * len(patients))]}
    aside = np.array([one in test for one in images.patients])
    return images.take(np.flatnonzero(~aside)), images.take(np.flatnonzero(aside))


def aurocs(
    truth_NF: np.ndarray, scores: dict[str, np.ndarray], patients: tuple[str, ...], seed: int
) -> dict[str, np.ndarray]:
    """[3, F + 1] per model and for their difference: value, low and high; the last column is the mean of findings."""

    def both(weights_BN: np.ndarray) -> np.ndarray:
        found = []
        for weights_N in weights_BN.astype(int):
            rows = np.repeat(np.arange(len(truth_NF)), weights_N)
            per = [auroc_by_finding(truth_NF[rows], score[rows])[0] for score in scores.values()]
            found.append([[*one, np.nanmean(one)] for one in per])
        return np.array(found)

    rng = rng_for(seed, "bootstrap")
    values_BMF = bootstrap(both, len(truth_NF), replicates=REPLICATES, rng=rng, groups=patients)
    point_MF = both(np.ones((1, len(truth_NF))))[0]
    first, second = 0, 1
    pairs = {name: (point_MF[m], values_BMF[:, m]) for m, name in enumerate(scores)}
    pairs["difference"] = (point_MF[second] - point_MF[first], values_BMF[:, second] - values_BMF[:, first])
    return {name: np.stack([point, *percentile_interval(values)]) for name, (point, values) in pairs.items()}


def shown(
    title: str, findings: list[str], truth_NF: np.ndarray, found: dict[str, np.ndarray]
) -> list[dict[str, Any]]:
    """Print one table, and give its rows."""
    rows, plain = [], []
    for f, finding in enumerate([*findings, "mean"]):
        positives = int(truth_NF[:, f].sum()) if f < len(findings) else ""
        cells = [f"{v[0, f]:.3f} ({v[1, f]:.3f} to {v[2, f]:.3f})" for v in found.values()]
        rows.append([finding, f"{positives}", *cells])
        plain.append(
            {"finding": finding, "positives": positives, **{k: v[:, f].tolist() for k, v in found.items()}}
        )
    print(f"\n{title}")
    print("\n".join(table_lines(["finding", "positives", *found], rows)))
    return plain


def main() -> None:
    """Train twice, test, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--phantom", type=int, default=2500)
    parser.add_argument("--phantom-epochs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="no")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    real = choices(args, args.out / "scratch", epochs=args.epochs)
    images = from_studies(get_data_set("nih", args.data).studies(), source="nih", config=real, name="nih")
    learned, test = halves(images, args.seed)
    print(
        f"{len(learned):,} images of {len(set(learned.patients)):,} patients to learn from, {len(test):,} of "
        f"{len(set(test.patients)):,} to test",
        flush=True,
    )
    models = {SCRATCH: train(real, learned, SCRATCH)}
    invented = choices(args, args.out / "phantom", epochs=args.phantom_epochs)
    drawn = build(seed=args.seed, n=args.phantom, size=max(args.size, 128))
    first = train(
        invented, from_studies(drawn.studies(), source="image", config=invented, name="phantom"), "phantom"
    )
    config = choices(args, args.out / "pretrained", epochs=args.epochs, pretrained=str(first))
    models[PRETRAINED] = train(config, learned, PRETRAINED)

    truth_NF = (images.states_NF == State.POSITIVE).astype(np.int8)
    enough = [
        name for name, n in zip(images.findings, truth_NF.sum(axis=0), strict=True) if n >= LEAST_POSITIVES
    ]
    scores: dict[str, np.ndarray] = {}
    for name, folder in models.items():
        loaded = load_classifier(folder)
        found = predict_images(loaded, list(test.sources), on_error="raise")
        scores[name] = found.probabilities[:, [loaded.spec.findings.index(one) for one in enough]]
    columns = [images.findings.index(one) for one in enough]
    test_NF = (test.states_NF[:, columns] == State.POSITIVE).astype(np.int8)
    results: dict[str, Any] = {"size": args.size, "test images": len(test)}
    results["all"] = shown(
        f"{len(test)} test images", enough, test_NF, aurocs(test_NF, scores, test.patients, args.seed)
    )
    inside = np.flatnonzero(test_NF[:, enough.index(WITHIN)])
    others = [f for f, name in enumerate(enough) if 0 < test_NF[inside, f].sum() < len(inside)]
    kept = {name: one[np.ix_(inside, others)] for name, one in scores.items()}
    truth = test_NF[np.ix_(inside, others)]
    patients = tuple(test.patients[i] for i in inside)
    results[f"within {WITHIN}"] = shown(
        f"{len(inside)} test images with {WITHIN}", [enough[f] for f in others], truth,
        aurocs(truth, kept, patients, args.seed),
    )  # fmt: skip
    write_json(args.json, "nih_classifier", results)


if __name__ == "__main__":
    main()
