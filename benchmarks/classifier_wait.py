"""How long training steps of image classifiers wait for their images, and how many images a second are learned.

    python benchmarks/classifier_wait.py [--sides 128,224,320] [--models densenet-small,densenet121] [--steps 6]
        [--batch 16] [--device cpu|cuda] [--precision no|bf16] [--workers N] [--augment light] [--files]
        [--peak-tflops T] [--json OUT]

Whole trainings through `train_classifier`, on invented images in memory (with --files: PNG files of 1024 px, which
count only until they are decoded once). Waiting is what the training itself measures and logs: the time in which a
step has asked for its images and has not got them, as a share of the time from step to step; the first step of an
epoch, which has nothing ahead of it, is not counted. With --peak-tflops, the share of that peak that the multiply-adds
of the convolutions come to, a step being three forward passes.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from _common import table_lines, write_json
from hilum.core.rng import rng_for
from hilum.core.vocabulary import CHEXPERT14, State
from hilum.images._opencv import opencv
from hilum.models.classifier_spec import DENSENET121, SMALL_DENSENET
from hilum.models.densenet import DenseNetConfig, multiplications
from hilum.recipes.classifier import recipe
from hilum.train.classifier import ImageSet, train_classifier

MODELS = {"densenet-small": ("mini", SMALL_DENSENET), "densenet121": ("chexpert", DENSENET121)}
FINDINGS = CHEXPERT14.names
DEV = 16


def invented(number: int, side: int) -> NDArray[np.uint8]:
    """Smooth waves and grain, uint8 [side, side]."""
    rng = rng_for(5, "wait", number)
    coarse = rng.uniform(40, 200, (8, 8)).astype(np.float32)
    smooth = opencv().resize(coarse, (side, side), interpolation=opencv().INTER_CUBIC)
    return np.clip(smooth + rng.normal(0, 6, (side, side)), 0, 255).astype(np.uint8)


def image_set(n: int, side: int, folder: Path | None) -> ImageSet:
    """n images with random labels, in memory, or as PNG files of 1024 px."""
    if folder is None:
        sources = tuple(invented(i, side) for i in range(n))
    else:
        sources = tuple(folder / f"{i}.png" for i in range(n))
        for i, path in enumerate(sources):
            opencv().imwrite(str(path), invented(i, 1024))
    states = rng_for(5, "labels").choice([State.POSITIVE, State.NEGATIVE], (n, len(FINDINGS))).astype(np.int8)
    ids = tuple(str(i) for i in range(n))
    return ImageSet("invented", CHEXPERT14, FINDINGS, ids, ids, ids, sources, states)


def measure(name: str, side: int, args: argparse.Namespace) -> dict[str, float | int | str]:
    """One training of `args.steps` steps that count."""
    recipe_name, sizes = MODELS[name]
    n = (args.steps + 1) * args.batch + DEV
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        images = image_set(n, side, folder if args.files else None)
        config = recipe(recipe_name)(
            folder / "run", size_px=side, epochs=1, batch_size=args.batch, augmentation=args.augment,
            device=args.device, precision=args.precision, workers=args.workers, replicates=1, dev_share=DEV / n,
        )  # fmt: skip
        result = train_classifier(config, images=images)
    assert result.speed is not None
    speed = result.speed
    shape = DenseNetConfig(
        blocks=tuple(sizes["blocks"]), growth=sizes["growth"], first=sizes["first"], bottleneck=sizes["bottleneck"],
        channels=config.channels,
    )  # fmt: skip
    flops = 6 * multiplications(shape, side, outputs=len(FINDINGS)) * speed.images_per_second
    found: dict[str, float | int | str] = {
        "model": name, "side": side, "batch": args.batch, "images_per_second": speed.images_per_second,
        "waiting_share": speed.waiting_share, "gflops": flops / 1e9,
    }  # fmt: skip
    return found | ({"share_of_peak": flops / args.peak_tflops / 1e12} if args.peak_tflops else {})


def main() -> None:
    """Train each model at each size and print what was measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sides", default="128,224,320")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="no")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--augment", default="light")
    parser.add_argument("--files", action="store_true")
    parser.add_argument("--peak-tflops", type=float)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    found = []
    for name in args.models.split(","):
        for side in map(int, args.sides.split(",")):
            found.append(measure(name, side, args))
            one = found[-1]
            print(
                f"{name}, {side} px: {one['images_per_second']:.2f} images a second, {one['waiting_share']:.2%} of the "
                "steps' time waiting",
                flush=True,
            )
    header = ("model", "side", "batch", "images/s", "waiting", "GFLOP/s", "of peak")
    rows = [
        (
            one["model"], str(one["side"]), str(one["batch"]), f"{one['images_per_second']:.2f}",
            f"{one['waiting_share']:.2%}", f"{one['gflops']:.0f}",
            f"{one['share_of_peak']:.1%}" if "share_of_peak" in one else "-",
        )
        for one in found
    ]  # fmt: skip
    print("\n".join(table_lines(header, rows)))
    write_json(args.json, "classifier_wait", {"rows": found})


if __name__ == "__main__":
    main()
