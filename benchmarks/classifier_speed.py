"""Images a second of the image classifier, forward and trained, at 128, 224 and 320 px, and the share of the peak.

    python benchmarks/classifier_speed.py [--device cpu|cuda] [--sizes 128,224,320] [--models densenet121,small]
        [--batch N] [--steps N] [--rounds 3] [--threads N] [--precision float32|bfloat16] [--layout channels_last|plain]
        [--spare-memory] [--peak-tflops T] [--json OUT]

Random weights and random pixels that are on the device already: reading images is not measured here. A forward is
in evaluation mode without gradients; a training step is forward, binary cross-entropy of 14 findings, backward and
AdamW. A round is `--steps` steps after one that does not count; the best round counts, since noise of a machine only
takes time away.

Operations are counted from the sizes of the convolutions and the classifier alone (`models.densenet.multiplications`,
two operations each), a training step as three forwards; norms, sums and the optimiser count nothing, and neither does
what `--spare-memory` works out twice. On a GPU (bfloat16, channels_last) they are divided by the stated peak of the
device without sparsity: 989 TFLOP/s for H100 and H200, 312 for A100; `--peak-tflops` says another. On a processor the
fastest product of two matrices of 1024 x 1024 measured here, in the same precision, takes the place of the peak.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from _common import table_lines, write_json
from hilum.core.vocabulary import CHEXPERT14
from hilum.models._backbones import densenet_config
from hilum.models._precision import linear
from hilum.models.classifier import new_classifier
from hilum.models.classifier_spec import DENSENET121, SMALL_DENSENET, ClassifierSpec
from hilum.models.densenet import multiplications

MODELS = {"densenet121": DENSENET121, "small": SMALL_DENSENET}
PEAKS = {"H200": 989.0, "H100": 989.0, "A100": 312.0}
"""Stated bfloat16 TFLOP/s without sparsity (data sheets of NVIDIA; the SXM forms)."""

BATCHES = {"cpu": 4, "cuda": 64}
STEPS = {"cpu": 2, "cuda": 20}
HEADER = ("model", "px", "forward/s", "GFLOP/s", "of peak", "trained/s", "GFLOP/s", "of peak", "MiB")


class Speed(NamedTuple):
    """One model at one size; images a second, GFLOP/s, share of the peak, and memory while training (GPU)."""

    model: str
    size_px: int
    batch: int
    gflop_per_image: float
    forward_per_second: float
    trained_per_second: float
    peak_gflops: float
    training_mib: float | None

    @property
    def forward_gflops(self) -> float:
        """Operations a second of the forward passes."""
        return self.forward_per_second * self.gflop_per_image

    @property
    def trained_gflops(self) -> float:
        """Operations a second of the training steps, three forwards each."""
        return 3 * self.trained_per_second * self.gflop_per_image

    def row(self) -> tuple[str, ...]:
        """The cells of one line of the table."""
        memory = "-" if self.training_mib is None else f"{self.training_mib:,.0f}"
        return (
            self.model,
            str(self.size_px),
            f"{self.forward_per_second:,.1f}",
            f"{self.forward_gflops:,.0f}",
            f"{self.forward_gflops / self.peak_gflops:.1%}",
            f"{self.trained_per_second:,.1f}",
            f"{self.trained_gflops:,.0f}",
            f"{self.trained_gflops / self.peak_gflops:.1%}",
            memory,
        )


def best_seconds(step: Callable[[], Any], options: argparse.Namespace) -> float:
    """Seconds of one step in the best round."""

    def wait() -> None:
        if options.device == "cuda":
            torch.cuda.synchronize()

    found = []
    for _ in range(options.rounds):
        step()
        wait()
        start = time.perf_counter()
        for _ in range(options.steps):
            step()
        wait()
        found.append((time.perf_counter() - start) / options.steps)
    return min(found)


@contextlib.contextmanager
def mixed(options: argparse.Namespace) -> Iterator[None]:
    """The precision that was asked for."""
    with torch.autocast(options.device, torch.bfloat16, enabled=options.precision == "bfloat16"):
        yield


def measure(name: str, size_px: int, *, options: argparse.Namespace, peak_gflops: float) -> Speed:
    """Forward and training speed of one model at one size."""
    spec = ClassifierSpec(CHEXPERT14.names, size_px=size_px, architecture=MODELS[name])
    layout = torch.channels_last if options.layout == "channels_last" else torch.contiguous_format
    model = new_classifier(spec, seed=0).to(options.device).to(memory_format=layout)  # type: ignore[call-overload]
    model.spare_memory(options.spare_memory)
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randn(options.batch, spec.channels, size_px, size_px, generator=generator)
    pixels = pixels.to(options.device).contiguous(memory_format=layout)
    targets = torch.rand(options.batch, len(spec.findings), generator=generator).round().to(options.device)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=options.device == "cuda")

    def forward() -> None:
        with torch.inference_mode(), mixed(options):
            model(pixels)

    def train() -> None:
        optimiser.zero_grad(set_to_none=True)
        with mixed(options):
            loss = torch.nn.functional.binary_cross_entropy_with_logits(model(pixels), targets)
        loss.backward()
        optimiser.step()

    model.eval()
    forward_seconds = best_seconds(forward, options)
    model.train()
    if options.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    train_seconds = best_seconds(train, options)
    memory = torch.cuda.max_memory_allocated() / 2**20 if options.device == "cuda" else None
    operations = 2 * multiplications(densenet_config(spec), size_px, outputs=spec.columns)
    return Speed(
        name,
        size_px,
        options.batch,
        operations / 1e9,
        options.batch / forward_seconds,
        options.batch / train_seconds,
        peak_gflops,
        memory,
    )


def peak(options: argparse.Namespace) -> tuple[float, str]:
    """GFLOP/s to compare with, and where they are from."""
    if options.peak_tflops is not None:
        return options.peak_tflops * 1e3, f"{options.peak_tflops:g} TFLOP/s as given"
    if options.device == "cuda":
        device = torch.cuda.get_device_name()
        stated = next((value for name, value in PEAKS.items() if name in device), None)
        if stated is None:
            raise SystemExit(
                f"No peak is known for {device}. Next step: --peak-tflops T (bfloat16, no sparsity)."
            )
        return stated * 1e3, f"{stated:g} TFLOP/s stated for bfloat16 of {device}"
    a, once = torch.randn(1024, 1024), argparse.Namespace(device="cpu", rounds=5, steps=4)
    product = linear(a, torch.zeros(1024), options.precision)
    seconds = min(best_seconds(lambda: a @ a, once), best_seconds(lambda: product(a), once))
    gflops = 2 * 1024**3 / seconds / 1e9
    return gflops, f"{gflops:.0f} GFLOP/s, the fastest product of 1024 x 1024 matrices measured here"


def options_of(arguments: list[str] | None = None) -> argparse.Namespace:
    """The options, what depends on the device filled in."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--sizes", default="128,224,320")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--batch", type=int)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--precision", choices=("float32", "bfloat16"))
    parser.add_argument("--layout", choices=("channels_last", "plain"), default="channels_last")
    parser.add_argument("--spare-memory", action="store_true")
    parser.add_argument("--peak-tflops", type=float)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    options.batch = options.batch or BATCHES[options.device]
    options.steps = options.steps or STEPS[options.device]
    options.precision = options.precision or ("bfloat16" if options.device == "cuda" else "float32")
    unknown = set(options.models.split(",")) - set(MODELS)
    if unknown:
        parser.error(f"no model {sorted(unknown)[0]!r}; known: {', '.join(MODELS)}")
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("there is no GPU that torch can use")
    return options


def results(options: argparse.Namespace, speeds: list[Speed], source: str) -> Mapping[str, Any]:
    """What is written as JSON."""
    device = torch.cuda.get_device_name() if options.device == "cuda" else "cpu"
    shared = {name: getattr(options, name) for name in ("precision", "layout", "spare_memory", "batch")}
    rows = [
        {**s._asdict(), "forward_gflops": s.forward_gflops, "trained_gflops": s.trained_gflops}
        for s in speeds
    ]
    return {"device": device, "threads": torch.get_num_threads(), "peak": source, **shared, "speeds": rows}


def main() -> None:
    """Measure and print."""
    options = options_of()
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.device == "cuda":
        torch.backends.cudnn.benchmark = True
    peak_gflops, source = peak(options)
    print(
        f"{options.device}, {torch.get_num_threads()} threads, {options.precision}, {options.layout}, "
        f"batch {options.batch}; peak: {source}",
        flush=True,
    )
    speeds: list[Speed] = []
    for name in options.models.split(","):
        for size in map(int, options.sizes.split(",")):
            speeds.append(measure(name, size, options=options, peak_gflops=peak_gflops))
            print(f"  {name} {size} px: {speeds[-1].gflop_per_image:.2f} GFLOP an image, done", flush=True)
    print("\n".join(table_lines(HEADER, [speed.row() for speed in speeds])))
    write_json(options.json, "classifier_speed", results(options, speeds, source))


if __name__ == "__main__":
    main()
