"""Reports a second of a neural labeler: the plain way against hilum's paths, and what the arithmetic allows.

    python benchmarks/encoder_speed.py --openi NLMCXR_reports.tgz [--weights DIR] [--device cpu|cuda] [--limit N]
        [--rounds 2] [--threads N] [--paths plain,float32,...] [--json OUT]

All run in one process on the same texts, the non-empty IMPRESSIONs of Open-I, each round one after the other, so that
noise of the machine falls on all; the best round counts. Without `--weights` the model is CheXbert's shape (BERT-base
and 14 heads) with random weights, and a WordPiece tokenizer is trained on the texts.

- plain: file order, batches of 18, padded, float32, cut at 512, by the model itself: what the public programs do.
- float32, bfloat16, int8: `models.predict` with torch; onnx-float32, onnx-int8: with ONNX Runtime; all texts.
- ... once: the same, equal texts worked out once.

Labels are compared with those of the plain way. The limit is the time of the products alone: operations that the
tokens without padding need, over the fastest rate measured here (before and after) for products of the sizes of this
model. Tokenising is in the time of every path; loading, exporting and the first call are not. Training a tokenizer
breaks ties by chance, so two runs without `--weights` differ a little in their labels.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from _common import read_openi, table_lines, write_json

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, PreTrainedTokenizerFast

from hilum.models._engines import engine_for
from hilum.models._precision import linear
from hilum.models.batches import cut, token_ids
from hilum.models.equality import label_equality, states
from hilum.models.onnx_model import OnnxEncoder, export_onnx
from hilum.models.predict import predict
from hilum.models.report_encoder import (
    LoadedEncoder,
    chexbert_spec,
    load_encoder,
    new_encoder,
    save_encoder,
)
from hilum.text.bert_text import prepare

PLAIN_BATCH, PADDING = 18, 0
PATHS = ("plain", "float32", "bfloat16", "int8", "onnx-float32", "onnx-int8")
CUDA_PATHS = ("plain", "float32", "bfloat16")
Logits = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Way:
    """One way to work out logits, and the products it is made of."""

    name: str
    run: Callable[[], Logits]
    precision: str
    once: bool = False


def invented_tokenizer(texts: Sequence[str]) -> Any:
    """A lower-case WordPiece tokenizer for these texts, with [CLS] and [SEP]."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=2_000, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    ends = [(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=512, **dict(zip(names, special, strict=True))
    )


def encoder(weights: Path | None, texts: Sequence[str], folder: Path, device: str) -> LoadedEncoder:
    """The weights that were given, or random ones of BERT-base size, saved into `folder`."""
    if weights is None:
        model = new_encoder(None, chexbert_spec(), config=BertConfig(vocab_size=30_522), seed=0)
        weights = save_encoder(folder / "random", model, invented_tokenizer(texts))
    return load_encoder(weights, device=device)


def plain(loaded: LoadedEncoder, texts: Sequence[str]) -> Logits:
    """What the public programs do; padding is masked."""
    device = next(loaded.model.parameters()).device
    ids = [cut(one, loaded.spec.max_tokens) for one in token_ids(loaded.tokenizer, texts)]
    found = []
    with torch.no_grad():
        for first in range(0, len(ids), PLAIN_BATCH):
            part = ids[first : first + PLAIN_BATCH]
            width = max(map(len, part))
            ids_BT = torch.tensor([[*one, *[PADDING] * (width - len(one))] for one in part])
            mask_BT = torch.tensor([[1] * len(one) + [0] * (width - len(one)) for one in part])
            found.append(loaded.model(ids_BT.to(device), mask_BT.to(device)).cpu())
    return torch.cat(found).numpy()


def paths(
    loaded: LoadedEncoder, texts: Sequence[str], folder: Path, names: Sequence[str], threads: int
) -> list[Way]:
    """Every path that was asked for, built; hilum's twice, with all texts and with each text once."""
    if any(name.startswith("onnx") for name in names):
        print("exporting ...", file=sys.stderr, flush=True)
        export_onnx(loaded, folder / "onnx")
    found = []
    for name in names:
        if name == "plain":
            found.append(Way(name, lambda: plain(loaded, texts), "float32"))
            continue
        precision = name.removeprefix("onnx-")
        one: Any = loaded
        if name.startswith("onnx"):
            one = OnnxEncoder(folder / "onnx", precision=precision, threads=threads)
        else:
            engine_for(loaded.model, precision)
        for once in (False, True):

            def run(one: Any = one, precision: str = precision, once: bool = once) -> Logits:
                return predict(one, texts, precision=precision, long="cut", unique=once).first_NC

            found.append(Way(f"{name} once" if once else name, run, precision, once))
    return found


# --- what the arithmetic allows ---


def operations(config: Any, lengths: Sequence[int]) -> float:
    """Floating-point operations of the products for sequences of these lengths, nothing padded.

    The last layer needs keys and values of all tokens, and the rest for [CLS] alone.
    """
    hidden, wide, layers = config.hidden_size, config.intermediate_size, config.num_hidden_layers
    tokens, squares, texts = sum(lengths), sum(n * n for n in lengths), len(lengths)
    whole = 2 * tokens * (4 * hidden * hidden + 2 * hidden * wide) + 4 * squares * hidden
    last = 2 * tokens * 2 * hidden * hidden + 2 * texts * (2 * hidden * hidden + 2 * hidden * wide)
    return float((layers - 1) * whole + last + 4 * tokens * hidden)


def rates(config: Any, device: str, names: Sequence[str]) -> dict[str, float]:
    """Operations a second of one layer's products, the best of all ways and numbers of rows tried here."""
    hidden, wide = config.hidden_size, config.intermediate_size
    shapes = ((hidden, 3 * hidden), (hidden, hidden), (hidden, wide), (wide, hidden))
    work = 2 * sum(k * n for k, n in shapes)
    rows = (16_384, 65_536) if device == "cuda" else (256, 512, 1024, 2048)
    found: dict[str, float] = {}
    for precision in dict.fromkeys(("float32", *(n.removeprefix("onnx-") for n in names if n != "plain"))):
        for count in rows:
            products = [_products(k, n, count, precision, device) for k, n in shapes]
            seconds = [[_seconds(product, device) for product in ways] for ways in products]
            by_way = {precision: sum(map(min, seconds))}
            if precision == "float32":
                by_way["float32 as plain multiplies"] = sum(ways[-1] for ways in seconds)
            for name, total in by_way.items():
                found[name] = max(found.get(name, 0.0), count * work / total)
    if device == "cuda":
        a, b = (torch.randn(8192, 8192, device=device, dtype=torch.bfloat16) for _ in range(2))
        found["bfloat16 8192 x 8192 x 8192"] = 2 * 8192**3 / _seconds(lambda: a @ b, device)
    return found


def _products(k: int, n: int, rows: int, precision: str, device: str) -> list[Callable[[], Any]]:
    """Ways to multiply; of int8 the whole numbers alone, without what turns floats into them."""
    x, weight, bias = (torch.randn(*shape, device=device) for shape in ((rows, k), (n, k), (n,)))
    if precision == "int8":
        whole = [torch.randint(-127, 128, (size, k), dtype=torch.int8) for size in (rows, n)]
        return [lambda: torch._int_mm(whole[0], whole[1].t())]
    kind = torch.bfloat16 if precision == "bfloat16" else torch.float32
    ours = linear(weight, bias, precision)
    x, weight, bias = (one.to(kind) for one in (x, weight, bias))
    return [lambda: ours(x), lambda: torch.nn.functional.linear(x, weight, bias)]


def _seconds(work: Callable[[], Any], device: str, *, repeats: int = 7) -> float:
    """The fastest of some calls, after one that does not count."""
    best = float("inf")
    with torch.inference_mode():
        for _ in range(repeats + 1):
            start = time.perf_counter()
            work()
            if device == "cuda":
                torch.cuda.synchronize()
            best = min(best, time.perf_counter() - start)
    return best


# --- one run ---


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Everything that is printed and written."""
    reports = read_openi(options.openi)
    texts = [text for report in reports if (text := prepare(report.impression))]
    texts = spread(texts, options.limit)
    loaded = encoder(options.weights, texts, folder, options.device)
    allowed = CUDA_PATHS if options.device == "cuda" else PATHS
    names = [
        name for name in allowed if options.paths is None or name in ("plain", *options.paths.split(","))
    ]
    config = loaded.model.bert.config
    lengths = [len(ids) for ids in token_ids(loaded.tokenizer, texts, max_tokens=loaded.spec.max_tokens)]
    distinct = {
        ids: len(ids) for ids in token_ids(loaded.tokenizer, texts, max_tokens=loaded.spec.max_tokens)
    }
    print("measuring products ...", file=sys.stderr, flush=True)
    before = rates(config, options.device, names)
    work = {False: operations(config, lengths), True: operations(config, list(distinct.values()))}
    built = paths(loaded, texts, folder, names, torch.get_num_threads())
    seconds, logits = interleaved(built, options.rounds)
    after = rates(config, options.device, names)
    rate = {name: max(value, after[name]) for name, value in before.items()}
    reference = logits["plain"]
    rows = {}
    for path in built:
        limit = work[path.once] / rate[path.precision]
        best = min(seconds[path.name])
        rows[path.name] = {
            "seconds": seconds[path.name],
            "reports_per_second": len(texts) / best,
            "times_plain": min(seconds["plain"]) / best,
            "limit_reports_per_second": len(texts) / limit,
            "fraction_of_limit": limit / best,
            "equality": label_equality(reference, logits[path.name], loaded.spec).to_json(),
        }
    return {
        "model": {
            "weights": "random" if options.weights is None else "trained",
            "hidden": config.hidden_size,
            "layers": config.num_hidden_layers,
            "heads": len(loaded.spec.heads),
            "different_labelings": len(np.unique(states(reference, loaded.spec), axis=0)),
        },
        "device": torch.cuda.get_device_name() if options.device == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "texts": len(texts),
        "distinct_texts": len(distinct),
        "tokens": sum(lengths),
        "distinct_tokens": sum(distinct.values()),
        "padded_tokens_of_plain": sum(
            max(lengths[i : i + PLAIN_BATCH]) * len(lengths[i : i + PLAIN_BATCH])
            for i in range(0, len(lengths), PLAIN_BATCH)
        ),
        "gflops": {name: value / 1e9 for name, value in rate.items()},
        "needed_gflop": work[False] / 1e9,
        "paths": rows,
    }


def spread(texts: list[str], limit: int | None) -> list[str]:
    """`limit` of the texts, from all over the file; all without it."""
    if limit is None or limit >= len(texts):
        return texts
    return [texts[i * len(texts) // limit] for i in range(limit)]


def interleaved(built: Sequence[Way], rounds: int) -> tuple[dict[str, list[float]], dict[str, Logits]]:
    """Seconds of each path in each round, and its logits."""
    seconds: dict[str, list[float]] = {path.name: [] for path in built}
    logits: dict[str, Logits] = {}
    for turn in range(rounds):
        for path in built:
            if turn == 0 and (torch.cuda.is_available() or path.name != "plain"):
                path.run()  # kernels are chosen and memory is taken at the first call
            start = time.perf_counter()
            logits[path.name] = path.run()
            seconds[path.name].append(time.perf_counter() - start)
            print(
                f"round {turn + 1}, {path.name}: {seconds[path.name][-1]:.2f} s", file=sys.stderr, flush=True
            )
    return seconds, logits


def report(result: dict[str, Any]) -> None:
    """Print the tables."""
    model = result["model"]
    print(
        f"{result['texts']:,} texts ({result['distinct_texts']:,} different), {result['tokens']:,} tokens "
        f"({result['distinct_tokens']:,} of different texts; plain pads to {result['padded_tokens_of_plain']:,}); "
        f"{model['weights']} weights, {model['layers']} layers of {model['hidden']}, {result['device']}, "
        f"{result['threads']} threads, {model['different_labelings']:,} different labelings"
    )
    rates_said = ", ".join(f"{name} {value:,.0f}" for name, value in result["gflops"].items())
    print(f"products of these sizes, GFLOP/s: {rates_said}; needed {result['needed_gflop']:,.0f} GFLOP")
    header = ("path", "reports/s", "x plain", "limit/s", "of limit", "labels equal", "clear differences")
    rows = [
        (
            name,
            f"{row['reports_per_second']:,.1f}",
            f"{row['times_plain']:.2f}",
            f"{row['limit_reports_per_second']:,.1f}",
            f"{row['fraction_of_limit']:.0%}",
            f"{row['equality']['labels']:.3%}",
            f"{row['equality']['clear_differences']:,}",
        )
        for name, row in result["paths"].items()
    ]
    print("\n".join(table_lines(header, rows)))


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--openi", type=Path, required=True, help="NLMCXR_reports.tgz")
    parser.add_argument("--weights", type=Path, help="a folder of hilum convert or train; random without it")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--limit", type=int, help="this many texts, from all over the file")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, help="cores to use; all without it")
    parser.add_argument("--paths", help=f"some of {','.join(PATHS)}; plain always runs")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        result = measure(options, Path(folder))
    report(result)
    write_json(options.json, "encoder_speed", result)


if __name__ == "__main__":
    main()
