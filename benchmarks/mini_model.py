"""The small trained model: made from generated reports alone (b), or from Open-I (a), and measured beside the rules.

    python benchmarks/mini_model.py generate --out FILE.csv [--n 60000] [--seed 11] [--vocabulary chexpert14|nih14]
        [--source grammar|phantom]
    python benchmarks/mini_model.py train-b --out DIR [--n 60000] [--seed 11] [--vocabulary ...] [--threads 1]
        [--init B] [--source grammar|phantom] [--from B]
    python benchmarks/mini_model.py train-a --out DIR --reports NLMCXR_reports.tgz --gold GOLD.csv
        [--vocabulary chexpert14|nih14] [--from B]
    python benchmarks/mini_model.py measure --reports ... --gold ... [--split read|unread] --weights NAME=DIR ...
        [--json OUT]
    python benchmarks/mini_model.py agree --weights DIR [--n 2000] [--seed 977]
    python benchmarks/mini_model.py speed --reports ... --weights NAME=DIR ...
    python benchmarks/mini_model.py twice --out DIR [--n 2000]

`--source phantom` takes the reports of the phantom (whole reports, `chexpert14` alone) in place of those that the
grammar makes up by itself. `train-b` writes its reports and labels beside the model, so that `hilum train labeler`
with the same choices does the same. With `--from` it goes on from a model, on reports of which some stand in a longer
text that claims nothing, so that windows of long documents can be read. `train-a` uses the 2,000 dev reports that may
be read (see openi_gold.py), and those alone: labels of the rules first; for nih14 then the gold labels of people as
the expert step. `--from` begins with the weights of (b). For chexpert14 it learns impressions, findings and both,
alone and in such contexts, each text with the labels that the rules give it.

Models of nih14 answer present or not, as the gold does; models of chexpert14 have four states. `measure` gives
precision, recall and F1 per finding and micro with 95 % percentile bootstraps over reports, and the difference of
micro F1 to the rules from the same replicates. Models of chexpert14 are compared on the findings that both
vocabularies share, a hedged mention counted as present, with the rules counted in the same way.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from _common import OpenIReport, read_openi, table_lines, write_json
from _mini_texts import CONTEXTS, presence, variants, write_generated
from hilum.core.rng import rng_for
from hilum.core.vocabulary import CHEXPERT14, CSV_CODES, NIH14, SHIPPED, State, Vocabulary
from hilum.datasets._speech.generated import (
    agreement,
    generate_reports,
    labeled_text,
)
from hilum.datasets._speech.templates import Draws
from hilum.labelers import ReportSpans, get_labeler
from hilum.labelers.rules import RuleLabeler, build
from hilum.recipes.labeler import mini
from hilum.train.config import Architecture
from hilum.train.labeler import train_labeler
from openi_gold import REPLICATES, score, show, split_ids, text_of

SHAPE = Architecture(layers=3, hidden=128, attention_heads=4, intermediate=256, pieces=3000)
"""About 0.8 million parameters: 3.2 MB as float32, 0.9 MB as int8."""

CHOICES: dict[str, Any] = {
    "max_tokens": 512,
    "epochs": 4,
    "learning_rate": 1.5e-3,
    "warmup": 0.06,
    "dev_share": 0.05,
}
GO_ON: dict[str, Any] = {"learning_rate": 6e-4, "epochs": 2, "window_tokens": 64}
"""How a model goes on with them; 64 tokens kept the most labels of those tried (LOG.md)."""

YES = (State.POSITIVE, State.UNCERTAIN)


def train(out: Path, reports: Path, vocabulary: str, **choices: Any) -> Path:
    """Train by the recipe `mini`; returns the folder of the model."""
    own = {**CHOICES, "vocabulary": vocabulary, "heads": "presence" if vocabulary == NIH14.name else "states"}
    if not {"checkpoint", "pretrained"} & set(choices):
        own["architecture"] = SHAPE
    told = time.monotonic()

    def progress(step: Any) -> None:
        nonlocal told
        if time.monotonic() - told > 20:
            told = time.monotonic()
            print(step, flush=True)

    config = mini(out, reports, labels=choices.pop("labels", reports), device="cpu", **{**own, **choices})
    result = train_labeler(config, progress=progress, tell=lambda line: print(line, flush=True))
    for step in result.steps:
        print(step)
    print(f"{result.seconds:.0f} s, {result.model}")
    return result.model


def gold_of(path: Path) -> dict[str, dict[str, str]]:
    """Rows of the gold file by id."""
    with path.open(newline="", encoding="utf-8") as file:
        return {next(iter(r.values())): r for r in csv.DictReader(file)}


def openi_of(path: Path, gold: dict[str, dict[str, str]], split: str) -> dict[str, OpenIReport]:
    """Reports of one split of the dev gold, in its order; the others are dropped unread."""
    reports = {f"CXR{r.id}": r for r in read_openi(path)}
    return {i: reports[i] for i in split_ids([i for i in gold if i in reports], split)}


def train_a(args: argparse.Namespace) -> None:
    """Open-I: rule labels first, then, for nih14, the gold labels of people."""
    gold = gold_of(args.gold)
    reports = openi_of(args.reports, gold, "read")
    rules = build(vocabulary=args.vocabulary)
    labels = rules.label_batch([ReportSpans(text_of(r, "findings+impression")) for r in reports.values()])
    said = [
        rules.yes_or_no(one) if args.vocabulary == NIH14.name else [CSV_CODES[s] for s in one.states]
        for one in labels
    ]
    if args.vocabulary == CHEXPERT14.name:
        train_a_states(args, reports, rules)
        return
    files = {"rules": said}
    names = rules.vocabulary.names
    if args.vocabulary == NIH14.name:
        columns = NIH14.match_columns(list(next(iter(gold.values()))))
        files["gold"] = [[int(gold[i][columns[n]]) for n in names] for i in reports]
    args.out.parent.mkdir(parents=True, exist_ok=True)
    paths = {name: args.out.parent / f"{args.out.name}-{name}.csv" for name in files}
    for name, rows in files.items():
        with paths[name].open("w", newline="", encoding="utf-8") as file:
            out = csv.writer(file, lineterminator="\n")
            out.writerow(["study_id", "report", *names])
            for (i, r), row in zip(reports.items(), rows, strict=True):
                if r.joined.strip():
                    text = f"FINDINGS: {r.findings}\nIMPRESSION: {r.impression}"
                    out.writerow([i, text, *["" if v is None else v for v in row]])
    more: dict[str, Any] = {"epochs": 24, "expert_epochs": 12, "dev_share": 0.15, "patience": 8}
    if getattr(args, "from"):
        more |= {"checkpoint": getattr(args, "from"), "learning_rate": 5e-4, "epochs": 15}
    if "gold" in paths:
        more |= {"expert_labels": paths["gold"], "expert_reports": paths["gold"]}
    train(args.out, paths["rules"], args.vocabulary, seed=args.seed, threads=args.threads, **more)


def train_a_states(args: argparse.Namespace, reports: Mapping[str, OpenIReport], rules: RuleLabeler) -> None:
    """Four states: the texts of each report alone and in contexts, each labeled by the rules as it stands."""
    path = args.out.parent / f"{args.out.name}-rules.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["study_id", "report", "of", *rules.vocabulary.names])
        for i, report in reports.items():
            texts = variants(report, Draws(rng_for(args.seed, "contexts", i)))
            for k, labels in enumerate(rules.label_batch([ReportSpans(text) for text in texts])):
                codes = [CSV_CODES[state] for state in labels.states]
                out.writerow([f"{i}-{k}", texts[k], i, *["" if c is None else c for c in codes]])
    more: dict[str, Any] = {**GO_ON, "epochs": 3, "dev_share": 0.05, "section": "all", "group": "of"}
    if getattr(args, "from"):
        more |= {"checkpoint": getattr(args, "from"), "learning_rate": 8e-4}
    train(args.out, path, args.vocabulary, seed=args.seed, threads=args.threads, **more)


def named(weights: Sequence[str]) -> dict[str, Path]:
    """NAME=DIR texts as a mapping."""
    return {one.split("=", 1)[0]: Path(one.split("=", 1)[1]) for one in weights}


def yes_of(labels: Sequence[Any], names: Sequence[str], *, hedged: bool) -> np.ndarray:
    """Bool [N, F]: affirmed, or hedged where that counts."""
    wanted = YES if hedged else (State.POSITIVE,)
    return np.array([[one[name] in wanted for name in names] for one in labels])


def difference(
    said_NF: np.ndarray, other_NF: np.ndarray, true_NF: np.ndarray, *, seed: int = 0
) -> list[float]:
    """Micro F1 of `said` less that of `other`, with its 95 % interval over reports."""
    kept = true_NF.any(axis=0)
    n = len(true_NF)
    draws = np.random.default_rng(seed).integers(0, n, (REPLICATES, n))
    weights_RN = np.vstack([np.ones(n), [np.bincount(d, minlength=n) for d in draws]])

    def micro(guess_NF: np.ndarray) -> np.ndarray:
        tp = weights_RN @ (guess_NF & true_NF)[:, kept].sum(axis=1)
        wrong = weights_RN @ (guess_NF ^ true_NF)[:, kept].sum(axis=1)
        return np.asarray(2 * tp / np.maximum(2 * tp + wrong, 1))

    apart = micro(said_NF) - micro(other_NF)
    return [round(float(v), 4) for v in (apart[0], *np.percentile(apart[1:], [2.5, 97.5]))]


def measure(args: argparse.Namespace) -> None:
    """Rules and models against the gold labels of people."""
    gold = gold_of(args.gold)
    reports = openi_of(args.reports, gold, args.split)
    spans = [ReportSpans(text_of(r, "findings+impression")) for r in reports.values()]
    columns = NIH14.match_columns(list(next(iter(gold.values()))))
    names = [n for n in columns if n != NIH14.no_finding]
    shared = [n for n in names if n in CHEXPERT14]
    true = {
        tuple(k): np.array([[gold[i][columns[n]] == "1" for n in k] for i in reports])
        for k in (names, shared)
    }
    rules = {v: build(vocabulary=v) for v in SHIPPED}
    labels = {v: r.label_batch(spans) for v, r in rules.items()}
    where = [NIH14.index(n) for n in names]
    base = {
        NIH14.name: np.array([rules[NIH14.name].yes_or_no(x) for x in labels[NIH14.name]], dtype=bool)[
            :, where
        ],
        CHEXPERT14.name: yes_of(labels[CHEXPERT14.name], shared, hedged=True),
    }
    results: dict[str, Any] = {"split": args.split, "reports": len(reports)}
    said: list[tuple[str, str, np.ndarray]] = [("rules", v, base[v]) for v in base]
    for name, folder in named(args.weights).items():
        labeler = get_labeler("mini", weights=folder, threads=1)
        found = labeler.label_batch(spans)
        vocabulary = labeler.vocabulary.name
        if vocabulary == CHEXPERT14.name:
            results[f"{name} cells as the rules"] = cells(found, labels[vocabulary], labeler.vocabulary)
        own = names if vocabulary == NIH14.name else shared
        said.append((name, vocabulary, yes_of(found, own, hedged=vocabulary == CHEXPERT14.name)))
    for name, vocabulary, said_NF in said:
        own = names if vocabulary == NIH14.name else shared
        rows = score(said_NF, true[tuple(own)], own)
        show(f"{name}, {vocabulary}, {len(reports)} reports ({args.split})", rows)
        results[f"{name} {vocabulary}"] = rows
        if name != "rules":
            apart = difference(said_NF, base[vocabulary], true[tuple(own)])
            print(f"micro F1 less that of the rules: {apart[0]:+.3f} ({apart[1]:+.3f} to {apart[2]:+.3f})")
            results[f"{name} {vocabulary} less rules"] = apart
    write_json(args.json, "mini_model", results)


def cells(found: Sequence[Any], other: Sequence[Any], vocabulary: Vocabulary) -> dict[str, float]:
    """Share of cells with the same state, in all and by the state that `other` gives."""
    a, b = (np.array([[int(s) for s in one.states] for one in x]) for x in (found, other))
    shares = {s.name.lower(): float((a == b)[b == s].mean()) for s in State if (b == s).any()}
    shares = {"all": float((a == b).mean()), **shares}
    print(
        f"\n{vocabulary.name}: share of states as the rules have them",
        {k: round(v, 4) for k, v in shares.items()},
    )
    return {k: round(v, 4) for k, v in shares.items()}


def agree(args: argparse.Namespace) -> None:
    """States by construction of reports not trained on: how far the model and the rules have them."""
    labeler = get_labeler("mini", weights=args.weights, threads=1)
    vocabulary = labeler.vocabulary
    reports = list(generate_reports(args.n, seed=args.seed, vocabulary=vocabulary))
    rules = build(vocabulary=vocabulary.name)
    if vocabulary is NIH14:
        wanted = np.array([presence(r, rules) for r in reports])
        spans = [labeled_text(r) for r in reports]
        theirs = np.array([rules.yes_or_no(x) for x in rules.label_batch(spans)])
        ours = yes_of(labeler.label_batch(spans), vocabulary.names, hedged=False)
        print(f"model {(ours == wanted).mean():.4f}, rules {(theirs == wanted).mean():.4f} of cells")
        return
    for name, one in (("model", labeler), ("rules", rules)):
        print(f"{name} {agreement(reports, one).share:.4f} of cells")


def speed(args: argparse.Namespace) -> None:
    """Reports a second on one core, all Open-I reports with text."""
    spans = [ReportSpans(r.joined) for r in read_openi(args.reports) if r.joined.strip()]
    rows = []
    mine = {name: get_labeler("mini", weights=path, threads=1) for name, path in named(args.weights).items()}
    for name, labeler in {"rules": build(), **mine}.items():
        labeler.label_batch(spans[:64])
        times = []
        for _ in range(3):
            begun = time.perf_counter()
            labeler.label_batch(spans)
            times.append(time.perf_counter() - begun)
        rows.append((name, f"{len(spans) / min(times):,.0f}", f"{len(spans) / max(times):,.0f}"))
    print("\n".join(table_lines(("labeler", "reports a second, best", "worst of 3"), rows)))


def twice(args: argparse.Namespace) -> None:
    """Two trainings from one seed: the same bytes?"""
    digests = []
    for run in ("one", "two"):
        path = args.out / f"{run}.csv"
        write_generated(path, args.n, seed=args.seed, vocabulary=CHEXPERT14)
        model = train(args.out / run, path, CHEXPERT14.name, threads=args.threads, seed=args.seed, epochs=2)
        digests.append(
            {p.name: hashlib.sha256(p.read_bytes()).hexdigest()[:16] for p in sorted(model.iterdir())}
        )
    for name in digests[0]:
        print(name, digests[0][name], "same" if digests[0][name] == digests[1].get(name) else "DIFFERENT")
    if digests[0] != digests[1]:
        raise SystemExit("the two trainings differ")


OPTIONS: dict[str, tuple[str, ...]] = {
    "generate": ("out", "vocabulary", "n", "seed", "source"),
    "train-b": ("out", "vocabulary", "n", "seed", "threads", "init", "source", "from"),
    "train-a": ("out", "vocabulary", "seed", "threads", "reports", "gold", "from"),
    "measure": ("reports", "gold", "weights", "split", "json"),
    "agree": ("weights", "n", "seed"),
    "speed": ("reports", "weights"),
    "twice": ("out", "n", "seed", "threads"),
}


def add_option(parser: argparse.ArgumentParser, name: str, command: str) -> None:
    """One option of one command."""
    few = command in ("agree", "twice")
    known: dict[str, dict[str, Any]] = {
        "vocabulary": {"choices": tuple(SHIPPED), "default": CHEXPERT14.name},
        "n": {"type": int, "default": 2_000 if few else 60_000},
        "source": {"choices": ("grammar", "phantom"), "default": "grammar"},
        "seed": {"type": int, "default": 977 if command == "agree" else 11},
        "threads": {"type": int, "default": 1},
        "weights": {"type": Path, "required": True}
        if command == "agree"
        else {"action": "append", "default": []},
        "split": {"choices": ("read", "unread"), "default": "unread"},
    }
    optional = name in ("init", "from", "json")
    parser.add_argument(f"--{name}", **known.get(name, {"type": Path, "required": not optional}))


def main() -> None:
    """Parse the command line and do one of the above."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for command, options in OPTIONS.items():
        one = commands.add_parser(command)
        for name in options:
            add_option(one, name, command)
    args = parser.parse_args()
    if args.command in ("generate", "train-b"):
        path = args.out if args.command == "generate" else args.out.parent / f"{args.out.name}-reports.csv"
        earlier = getattr(args, "from", None)
        write_generated(
            path, args.n, seed=args.seed, vocabulary=SHIPPED[args.vocabulary], source=args.source,
            options=CONTEXTS if earlier else None,
        )  # fmt: skip
        if args.command == "train-b":
            more: dict[str, Any] = {"pretrained": str(args.init), "epochs": 3} if args.init else {}
            more |= {"checkpoint": earlier, **GO_ON} if earlier else {}
            train(args.out, path, args.vocabulary, seed=args.seed, threads=args.threads, **more)
        return
    {"train-a": train_a, "measure": measure, "agree": agree, "speed": speed, "twice": twice}[args.command](
        args
    )


if __name__ == "__main__":
    main()
