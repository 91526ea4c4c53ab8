"""Labels of converted checkpoints against a plain forward pass, on all Open-I impressions.

    python benchmarks/encoder_parity.py --reports NLMCXR_reports.tgz [--size base|small] [--limit N]
        [--kinds chexbert,visualchexbert] [--batch-sizes 0,18,64] [--threads N] [--json OUT]

For each kind a checkpoint of random weights is written in the format of the public program: `torch.save` as torch 1.4
did it, with epoch, model_state_dict (keys with `module.`, a stored position_ids) and the state of Adam. Size `base` is
BERT-base: 12 layers, 768 wide, 30,522 tokens, about 110 million weights; `small` is for a quick look. Heads are scaled
and centred on the first texts, so that all classes occur. The word list is made of Open-I's words and is filled up
with [unusedN].

The plain way reads the checkpoint itself, tokenizes as the public programs do (cut to 511 tokens and [SEP]), and runs
batches of 18 in file order, padded, in float32. hilum converts the checkpoint and predicts at several batch sizes (0:
filled by tokens, its default), with and without length bucketing. A few texts of more than 512 tokens are added at the
end.

A label may differ only where the two best classes of the plain way are within 1e-4 of each other; these cells are
listed. Ends with 1 when any other label differs.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import transformers

from _common import read_openi, table_lines, write_json
from hilum.models.checkpoint import convert_checkpoint
from hilum.models.encoder_spec import EncoderSpec, chexbert_spec, visualchexbert_spec
from hilum.models.predict import predict
from hilum.models.report_encoder import LoadedEncoder, ReportEncoder, load_encoder, load_tokenizer
from hilum.text.bert_text import prepare

SPECS = {"chexbert": chexbert_spec(), "visualchexbert": visualchexbert_spec()}
SIZES = {
    "base": {
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
    },
    "small": {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 256},
}
WORDS_OF_BERT = 30_522
PLAIN_BATCH, MOST_TOKENS, MARGIN = 18, 512, 1e-4
LONG_TEXTS, PARTS_OF_A_LONG_TEXT = 4, 80
CALIBRATION_TEXTS = 64
PACKAGES = ("torch", "transformers", "tokenizers", "numpy")
SPREAD = 2.0
"""Weights are drawn this much wider than BERT's, else all reports look the same to a random encoder."""

Floats = npt.NDArray[np.float32]


# --- what is needed: texts, a word list, a checkpoint ---


def open_i_texts(path: Path, limit: int | None) -> tuple[list[str], list[str]]:
    """Ids and impressions in file order, and a few longer than 512 tokens made of many."""
    reports = [report for report in read_openi(path) if report.impression]
    joined = [report.impression for report in reports]
    long = [
        (f"long {i + 1}", " ".join(joined[i * PARTS_OF_A_LONG_TEXT : (i + 1) * PARTS_OF_A_LONG_TEXT]))
        for i in range(LONG_TEXTS)
    ]
    pairs = [(report.id, report.impression) for report in reports[:limit]] + long
    return [key for key, _ in pairs], [text for _, text in pairs]


def write_words(folder: Path, texts: Sequence[str], *, size: int) -> Path:
    """A vocab.txt of BERT's form: words of three uses or more, endings, letters, and [unusedN]."""
    counts = Counter(word for text in texts for word in re.findall(r"[a-z]+|[0-9]|[^\sa-z0-9]", text.lower()))
    common = [word for word, n in sorted(counts.items()) if n >= 3]
    endings = [f"##{word[at:]}" for word in common for at in range(1, min(len(word), 6))]
    letters = [f"{mark}{c}" for c in "abcdefghijklmnopqrstuvwxyz0123456789" for mark in ("", "##")]
    special = ["[PAD]", *(f"[unused{i}]" for i in range(99)), "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = list(dict.fromkeys([*special, *letters, *common, *endings]))[:size]
    words += [f"[unused{i}]" for i in range(99, 99 + size - len(words))]
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    return folder


def random_labeler(spec: EncoderSpec, size: str, seed: int) -> ReportEncoder:
    """An encoder of random weights, in evaluation mode."""
    torch.manual_seed(seed)
    config = transformers.BertConfig(
        vocab_size=WORDS_OF_BERT,
        initializer_range=0.02 * SPREAD,
        max_position_embeddings=MOST_TOKENS,
        **SIZES[size],
    )
    return ReportEncoder(transformers.BertModel(config), spec).eval()


def centre_heads(model: ReportEncoder, logits_NC: Floats) -> None:
    """Scale and shift each output so that it varies by about 1 around 0 over these texts."""
    spread_C = torch.from_numpy(logits_NC.std(axis=0) + 1e-6)
    mean_C = torch.from_numpy(logits_NC.mean(axis=0))
    with torch.no_grad():
        for head, at in zip(model.linear_heads, model.spec.columns, strict=True):
            head.bias.copy_((head.bias - mean_C[at]) / spread_C[at])
            head.weight.div_(spread_C[at, None])


def write_public_checkpoint(path: Path, model: ReportEncoder) -> None:
    """The file that the public program would save after a step of training, as torch 1.4 writes it."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.0)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    states = {f"module.{name}": tensor for name, tensor in model.state_dict().items()}
    states["module.bert.embeddings.position_ids"] = torch.arange(MOST_TOKENS).unsqueeze(0)
    whole = {"epoch": 1, "model_state_dict": states, "optimizer_state_dict": optimizer.state_dict()}
    torch.save(whole, path, _use_new_zipfile_serialization=False)


# --- the plain way, written down plainly ---


def plain_ids(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Token ids as the public programs make them from their csv column."""
    rows = []
    for text in texts:
        folded = re.sub(r"\s+", " ", text.strip().replace("\n", " ")).strip()
        pieces = tokenizer.convert_tokens_to_ids(tokenizer.tokenize(folded))
        row = [tokenizer.cls_token_id, *pieces, tokenizer.sep_token_id]
        rows.append(row if len(row) <= MOST_TOKENS else [*row[: MOST_TOKENS - 1], tokenizer.sep_token_id])
    return rows


def plain_logits(bert: Any, heads: Sequence[Any], rows: Sequence[Sequence[int]], *, name: str) -> Floats:
    """Logits [N, C] of batches of 18 in file order, each padded to its longest row, in float32."""
    parts = []
    for start in range(0, len(rows), PLAIN_BATCH):
        batch = rows[start : start + PLAIN_BATCH]
        width = max(map(len, batch))
        ids_BT = torch.zeros(len(batch), width, dtype=torch.long)
        mask_BT = torch.zeros(len(batch), width)
        for place, row in enumerate(batch):
            ids_BT[place, : len(row)] = torch.tensor(row)
            mask_BT[place, : len(row)] = 1
        with torch.no_grad():
            first_BH = bert(ids_BT, attention_mask=mask_BT)[0][:, 0, :]
            parts.append(torch.cat([head(first_BH) for head in heads], dim=1).numpy())
        if sys.stderr.isatty() and start % (PLAIN_BATCH * 20) == 0:
            print(f"{name}: plain {start:,} of {len(rows):,}", file=sys.stderr)
    return np.concatenate(parts)


def plain_model(path: Path, size: str) -> tuple[Any, list[Any]]:
    """The encoder and heads straight from the checkpoint's tensors, without anything of hilum."""
    states = torch.load(path, map_location="cpu", weights_only=True)["model_state_dict"]
    tensors = {name[7:]: tensor for name, tensor in states.items() if not name.endswith("position_ids")}
    config = transformers.BertConfig(vocab_size=WORDS_OF_BERT, **SIZES[size])
    bert = transformers.BertModel(config).eval()
    bert.load_state_dict({name[5:]: tensor for name, tensor in tensors.items() if name.startswith("bert.")})
    heads = []
    for place in range(14):
        weight, bias = (tensors[f"linear_heads.{place}.{part}"] for part in ("weight", "bias"))
        head = torch.nn.Linear(weight.shape[1], weight.shape[0])
        head.load_state_dict({"weight": weight, "bias": bias})
        heads.append(head)
    return bert, heads


# --- the comparison ---


class Cells(NamedTuple):
    """The class of each head and how far it is ahead of the next: [N, F] each."""

    labels_NF: npt.NDArray[np.int64]
    margins_NF: npt.NDArray[np.float64]


def cells(logits_NC: Floats, spec: EncoderSpec) -> Cells:
    """Argmax of heads with classes; of a single logit, whether it is above 0."""
    labels, margins = [], []
    for at, size in zip(spec.columns, spec.sizes, strict=True):
        part = logits_NC[:, at].astype(np.float64)
        if size == 1:
            part = np.concatenate([np.zeros_like(part), part], axis=1)
        best = np.sort(part, axis=1)
        labels.append(part.argmax(axis=1))
        margins.append(best[:, -1] - best[:, -2])
    return Cells(np.stack(labels, axis=1), np.stack(margins, axis=1))


class Row(NamedTuple):
    """One way to predict against the plain way."""

    kind: str
    way: str
    batch: int | None
    seconds: float
    differing: int
    wrong: int
    largest: float


def compare(plain_NC: Floats, got_NC: Floats, spec: EncoderSpec) -> tuple[npt.NDArray[np.bool_], int, float]:
    """Cells that differ [N, F], how many of them by more than the margin allows, largest difference of logits."""
    a, b = cells(plain_NC, spec), cells(got_NC, spec)
    differ_NF = a.labels_NF != b.labels_NF
    return differ_NF, int((differ_NF & (a.margins_NF > MARGIN)).sum()), float(np.abs(plain_NC - got_NC).max())


class Made(NamedTuple):
    """A checkpoint in the public format: its file, its tokenizer's folder, and its weights."""

    checkpoint: Path
    words: Path
    weights: int


def made(kind: str, texts: Sequence[str], folder: Path, args: argparse.Namespace) -> Made:
    """Writes a checkpoint of random weights whose heads are centred on the first texts."""
    words = folder / "words"
    if not words.exists():
        write_words(words, texts, size=WORDS_OF_BERT)
    model = random_labeler(SPECS[kind], args.size, args.seed)
    first = plain_ids(load_tokenizer(words), texts[:CALIBRATION_TEXTS])
    centre_heads(model, plain_logits(model.bert, list(model.linear_heads), first, name=kind))
    checkpoint = folder / f"{kind}.pth"
    write_public_checkpoint(checkpoint, model)
    weights = sum(p.numel() for p in model.parameters())
    print(f"{kind}: {weights:,} weights, {checkpoint.stat().st_size / 1e6:,.0f} MB as saved", file=sys.stderr)
    return Made(checkpoint, words, weights)


def plain_way(kind: str, checkpoint: Path, rows: Sequence[Sequence[int]], size: str) -> tuple[Floats, float]:
    """Logits [N, C] and seconds of the plain way."""
    bert, heads = plain_model(checkpoint, size)
    begun = time.perf_counter()
    return plain_logits(bert, heads, rows, name=kind), time.perf_counter() - begun


def hilum_way(
    loaded: LoadedEncoder, texts: Sequence[str], *, batch_size: int | None, bucketing: bool
) -> tuple[Floats, float]:
    """Logits [N, C] and seconds of hilum's own path, cut as the public programs cut."""
    begun = time.perf_counter()
    prepared = [prepare(text, loaded.spec.text) for text in texts]
    found = predict(loaded, prepared, batch_size=batch_size, bucketing=bucketing, long="cut")
    seconds = time.perf_counter() - begun
    return np.concatenate([np.asarray(rows, dtype=np.float32) for rows in found.logits]), seconds


def one_kind(
    kind: str, keys: Sequence[str], texts: Sequence[str], folder: Path, args: argparse.Namespace
) -> dict[str, Any]:
    """Rows of the table and exceptions of one kind of labeler."""
    spec = SPECS[kind]
    files = made(kind, texts, folder, args)
    rows = plain_ids(load_tokenizer(files.words), texts)
    plain_NC, seconds = plain_way(kind, files.checkpoint, rows, args.size)
    convert_checkpoint(files.checkpoint, folder / kind, tokenizer=files.words)
    files.checkpoint.unlink()
    loaded = load_encoder(folder / kind)
    table = [Row(kind, "plain, file order", PLAIN_BATCH, seconds, 0, 0, 0.0)]
    reference = cells(plain_NC, spec)
    noted_NF = reference.margins_NF <= MARGIN
    differs_NF = np.zeros_like(noted_NF)
    for batch_size in args.batch_sizes:
        for bucketing in (True, False):
            got_NC, seconds = hilum_way(loaded, texts, batch_size=batch_size, bucketing=bucketing)
            differ_NF, wrong, largest = compare(plain_NC, got_NC, spec)
            differs_NF |= differ_NF
            way = "hilum, by length" if bucketing else "hilum, file order"
            table.append(Row(kind, way, batch_size, seconds, int(differ_NF.sum()), wrong, largest))
            print(f"{kind}: {way}, batch {batch_size or 'by tokens'}: {seconds:.1f} s", file=sys.stderr)
    listed = [
        {
            "report": keys[n],
            "finding": spec.findings[f],
            "margin": float(reference.margins_NF[n, f]),
            "differs": bool(differs_NF[n, f]),
        }
        for n, f in zip(*np.nonzero(noted_NF | differs_NF), strict=True)
    ]
    return {
        "kind": kind,
        "weights": files.weights,
        "texts": len(texts),
        "tokens": sum(map(len, rows)),
        "cut": sum(len(row) == MOST_TOKENS for row in rows),
        "cells": int(noted_NF.size),
        "rarest_share_of_a_class": rarest(reference.labels_NF, spec),
        "rows": [row._asdict() for row in table],
        "exceptions": listed,
    }


def rarest(labels_NF: npt.NDArray[np.int64], spec: EncoderSpec) -> float:
    """The smallest share of texts that a class of a head has: near 0, the comparison says little of it."""
    shares = [
        float((labels_NF[:, f] == state).mean())
        for f, size in enumerate(spec.sizes)
        for state in range(max(size, 2))
    ]
    return min(shares)


def show(result: dict[str, Any]) -> None:
    """The table and the exceptions of one kind."""
    print(
        f"{result['kind']}: {result['weights']:,} weights, {result['texts']:,} texts ({result['cut']} of 512 tokens), "
        f"{result['tokens']:,} tokens, {result['cells']:,} labels; the rarest class has "
        f"{result['rarest_share_of_a_class']:.1%} of a head's labels"
    )
    header = (
        "way",
        "batch",
        "texts/s",
        "labels that differ",
        "by more than 1e-4",
        "largest difference of logits",
    )
    rows = [
        (
            row["way"],
            str(row["batch"] or "by tokens"),
            f"{result['texts'] / row['seconds']:.1f}",
            str(row["differing"]),
            str(row["wrong"]),
            f"{row['largest']:.1e}",
        )
        for row in result["rows"]
    ]
    print("\n".join(table_lines(header, rows)))
    print(f"labels whose two best classes are within {MARGIN:g}, or that differ: {len(result['exceptions'])}")
    for item in result["exceptions"]:
        print(f"  {json.dumps(item)}")
    print()


def main() -> int:
    """Run the comparison; 0 when all labels are equal where they must be."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reports", type=Path, required=True)
    parser.add_argument("--size", choices=SIZES, default="base")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--kinds", default=",".join(SPECS))
    parser.add_argument("--batch-sizes", default="0,1,18,32,64", help="0: by tokens")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    args.batch_sizes = [int(size) or None for size in args.batch_sizes.split(",")]
    if args.threads:
        torch.set_num_threads(args.threads)
    keys, texts = open_i_texts(args.reports, args.limit)
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in args.kinds.split(","):
            results.append(one_kind(kind, keys, texts, Path(folder), args))
            show(results[-1])
    versions = {name: metadata.version(name) for name in PACKAGES}
    write_json(args.json, "encoder_parity", {"size": args.size, "kinds": results, "versions": versions})
    return int(any(row["wrong"] for result in results for row in result["rows"]))


if __name__ == "__main__":
    sys.exit(main())
