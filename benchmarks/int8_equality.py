"""Does int8 keep the labels of a trained model of BERT-base size?

    python benchmarks/int8_equality.py --reports NLMCXR_reports.tgz --out DIR [--epochs 3] [--json OUT]

No pretrained weights are needed: an encoder of BERT-base's size (12 layers of 768) with a vocabulary of its own learns
the rule labels of the Open-I impressions from scratch, for some epochs (about 90 steps each of 18 distinct texts; a
run that was stopped goes on). What each block adds to its input begins small, without which 12 layers learn nothing
in so few steps. Then it is exported, and the labels of float32 and int8 are compared on the impressions:
`hilum export` on any other folder of weights does the second part. `--epochs 0` compares an earlier model in DIR.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from pathlib import Path

import torch
import transformers

from _common import read_openi, table_lines, write_json
from hilum.api.export import ExportJob, export
from hilum.api.job import LabelJob, label_file
from hilum.recipes.labeler import mini
from hilum.train.labeler import train_labeler
from hilum.train.loop import Progress
from hilum.train.wordpiece import count_words, word_pieces, write_tokenizer

PIECES, LONGEST = 4000, 256


def write_impressions(archive: Path, folder: Path) -> Path:
    """Distinct impressions with rule labels, as one file."""
    texts = sorted({report.impression for report in read_openi(archive) if report.impression})
    plain = folder / "impressions.csv"
    with plain.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["study_id", "Report Impression"])
        writer.writerows([f"s{place}", text] for place, text in enumerate(texts))
    label_file(LabelJob(plain, folder / "labels.csv"))
    return folder / "labels.csv"


def first_weights(labels: Path, folder: Path) -> Path:
    """An encoder of BERT-base size with a vocabulary from the impressions; what blocks add to their input is small."""
    with labels.open(newline="", encoding="utf-8") as file:
        texts = [row["Report Impression"] for row in csv.DictReader(file)]
    write_tokenizer(folder, word_pieces(count_words(texts), size=PIECES), max_tokens=LONGEST)
    torch.manual_seed(0)
    pieces = len(transformers.AutoTokenizer.from_pretrained(folder))
    config = transformers.BertConfig(vocab_size=pieces, max_position_embeddings=LONGEST)
    bert = transformers.BertModel(config)
    with torch.no_grad():
        for layer in bert.encoder.layer:
            for dense in (layer.attention.output.dense, layer.output.dense):
                dense.weight.mul_(1 / (2 * config.num_hidden_layers))
    bert.save_pretrained(folder)
    return folder


def shown(progress: Progress) -> None:
    """One line on standard error now and then."""
    if progress.done % 20 == 0 or progress.scored:
        print(progress, file=sys.stderr, flush=True)


def main() -> None:
    """Train, export, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--reports", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    labels = write_impressions(args.reports, args.out)
    results: dict[str, object] = {"epochs": args.epochs}
    if args.epochs:
        first = args.out / "first"
        config = mini(
            args.out / "run", labels, labels=labels, section="impression",
            pretrained=str(first if first.exists() else first_weights(labels, first)),
            epochs=args.epochs, batch_size=18, learning_rate=1e-4, max_tokens=LONGEST, save_every=200,
            threads=args.threads,
        )  # fmt: skip
        begun = time.perf_counter()
        trained = train_labeler(config, progress=shown)
        results |= {"seconds": time.perf_counter() - begun, "dev": [vars(step) for step in trained.steps]}
        print(trained.steps)
    done = export(ExportJob(args.out / "run" / "model", reports=labels, column="Report Impression"))
    rows = []
    for precision, equal in done.equality.items():
        shares = [
            f"{share:.3%}" if share is not None else "-"
            for share in (equal.labels, equal.said, equal.reports)
        ]
        rows.append([precision, f"{equal.sequences:,}", *shares, str(equal.clear_differences)])
        results[precision] = equal.to_json()
    print(
        "\n".join(
            table_lines(
                [
                    "against float32",
                    "texts",
                    "labels equal",
                    "of those not blank",
                    "whole reports",
                    "clear differences",
                ],
                rows,
            )
        )
    )
    write_json(args.json, "int8_equality", results)


if __name__ == "__main__":
    main()
