"""A small language model, made and trained here from scratch, against the rules whose labels it learns.

    python benchmarks/llm_openi.py --reports NLMCXR_reports.tgz --gold GOLD.csv --folder DIR [--threads N]
        [--only texts|train|measure] [--split unread|aside] [--stage short|whole] [--json OUT] [--tiny]

Real Qwen weights are not needed: this is a Qwen2 of 1.65 million parameters. Of Open-I it learns from the 2,000 dev
reports that may be read (openi_gold.py), less 300 that are put aside to choose by. First texts of one or two sentences;
then reports as they stand, recombined and generated ones, some with other words of the lexicon in them (_llm_texts.py,
_llm_swaps.py), each text once. Every text has the labels that the rules give. `hilum train llm` by the recipe `mini`
learns each stage in bf16 (slow on a CPU without bf16 arithmetic), and goes on after a kill.

Measured with `hilum.label(labeler="llm")` on the other 1,080 dev reports (findings and impression), or with
`--split aside` on those put aside: weighted F1 of each finding over positive, negative and uncertain (blank excluded),
and with blank as a class, each with 95 % intervals over reports; what answering the majority class alone would give;
the same beside the labels of people (presence; the findings that both vocabularies share, a hedged mention counted as
present), with the rules in one run.
Goal: 0.90 on average over the findings, blank excluded. Exit code 1 when it is missed.
`--tiny` is a trial of some minutes, without the goal.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import hilum
from _common import OpenIReport, table_lines, write_json
from _llm_texts import Amounts, short_texts, whole_texts, write_labeled
from hilum.core.records import RowStatus
from hilum.core.rng import rng_for
from hilum.core.vocabulary import CHEXPERT14, NIH14, State
from hilum.labelers.rules import build
from hilum.metrics.labels import macro, weighted_state_f1
from hilum.recipes.llm import mini
from hilum.stats.intervals import percentile_interval, resample_counts
from hilum.train.llm import train_llm
from hilum.train.llm_config import LlmProgress, SmallModel
from mini_model import gold_of, openi_of
from openi_gold import score, text_of

GOAL = 0.90
ASIDE = 300
REPLICATES = 1000
SPOKEN = (State.POSITIVE, State.NEGATIVE, State.UNCERTAIN)
SHAPE = SmallModel(
    layers=4, hidden=160, attention_heads=4, key_heads=2, intermediate=448, pieces=3000, context=1024
)
STAGES: dict[str, dict[str, Any]] = {
    "short": {"epochs": 1, "precision": "bf16", "architecture": SHAPE},
    "whole": {"epochs": 1, "precision": "bf16"},
}
"""Choices of `hilum train llm`, one stage after the other."""
TEXTS = {"short": short_texts, "whole": whole_texts}


def main() -> int:
    """Write texts, train, measure; what is done already is not done again."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reports", type=Path, required=True)
    parser.add_argument("--gold", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="where everything is kept")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", choices=("texts", "train", "measure"))
    parser.add_argument("--split", choices=("unread", "aside"), default="unread", help="what is measured")
    parser.add_argument("--stage", choices=tuple(STAGES), default="whole", help="whose model is measured")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    steps = (args.only,) if args.only else ("texts", "train", "measure")
    if "texts" in steps:
        write_texts(args)
    if "train" in steps:
        train(args)
    return measure(args) if "measure" in steps else 0


def write_texts(args: argparse.Namespace) -> None:
    """The files to learn from."""
    amounts = Amounts(900, 500, 100, 500) if args.tiny else Amounts()
    rules = build(vocabulary=CHEXPERT14.name)
    read = list(reports_of(args, "read").values())
    for name, make in TEXTS.items():
        path = args.folder / f"{name}.csv"
        if not path.is_file():
            print(
                name, dict(write_labeled(path, make(read, amounts, seed=7, rules=rules), rules)), flush=True
            )


def reports_of(args: argparse.Namespace, split: str) -> dict[str, OpenIReport]:
    """Reports to learn from ("read"), those put aside to choose by ("aside"), those of the figure ("unread")."""
    gold = gold_of(args.gold)
    if split == "unread":
        return openi_of(args.reports, gold, split)
    read = openi_of(args.reports, gold, "read")
    drawn = rng_for(7, "aside").permutation(len(read))[:ASIDE].tolist()
    aside = {list(read)[place] for place in drawn}
    return {i: report for i, report in read.items() if (i in aside) == (split == "aside")}


def train(args: argparse.Namespace) -> None:
    """All stages, each from the weights of the one before."""
    model: str | None = None
    for name, choices in STAGES.items():
        texts = args.folder / f"{name}.csv"
        config = mini(
            args.folder / name, texts, labels=texts, key="study_id", device="cpu", threads=args.threads,
            model=model, **choices,
        )  # fmt: skip
        result = train_llm(config, progress=Told(name), tell=lambda line: print(line, flush=True))
        print(
            f"{name}: {result.seconds:.0f} s, {result.trained_steps:,} steps, epoch {result.kept_epoch} kept"
        )
        model = str(result.model)


class Told:
    """A line now and then."""

    def __init__(self, name: str) -> None:
        self._name, self._last = name, 0.0

    def __call__(self, progress: LlmProgress) -> None:
        """Say it when half a minute has gone, or an epoch was scored."""
        if progress.scored or time.monotonic() - self._last > 30:
            self._last = time.monotonic()
            print(f"{self._name}: {progress}", flush=True)


def measure(args: argparse.Namespace) -> int:
    """The tables; 0 when the goal is reached."""
    reports = reports_of(args, args.split)
    texts = [text_of(report, "findings+impression") for report in reports.values()]
    begun = time.monotonic()
    found = hilum.label(
        texts,
        labeler="llm",
        section="all",
        model=str(args.folder / args.stage / "model"),
        threads=args.threads,
    )
    seconds = time.monotonic() - begun
    print(f"\n{len(texts):,} reports in {seconds:.0f} s: {len(texts) / seconds:.1f} a second")
    said_NF = found.states
    rules_NF = hilum.label(texts, labeler="rules", section="all").states
    unlabeled = sum(labels.status is not RowStatus.LABELED for labels in found)
    table = against_rules(rules_NF, said_NF)
    show_rules(table, unlabeled)
    people = against_people(reports, gold_of(args.gold), said_NF, rules_NF)
    record = {"against the rules": table, "against people": people, "not labeled": unlabeled}
    write_json(args.json, "llm_openi", {**record, "reports a second": round(len(texts) / seconds, 1)})
    reached = table["Average"]["blank excluded"]["value"] >= GOAL
    return 0 if reached or args.tiny else 1


def against_rules(truth_NF: npt.NDArray[np.int8], said_NF: npt.NDArray[np.int8]) -> dict[str, Any]:
    """Weighted F1 of each finding and their average, with intervals, and what the majority class alone gives."""
    weights_BN = resample_counts(len(truth_NF), replicates=REPLICATES, rng=rng_for(0, "llm openi"))
    majority_NF = np.zeros_like(truth_NF)
    found: dict[str, Any] = {name: {} for name in (*CHEXPERT14.names, "Average")}
    for preset, states in (("blank excluded", SPOKEN), ("blank as a class", tuple(State))):
        point_F = weighted_state_f1(truth_NF, said_NF, states)
        drawn_BF = weighted_state_f1(truth_NF, said_NF, states, weights_BN=weights_BN)
        columns = zip(CHEXPERT14.names, point_F, drawn_BF.T, strict=True)
        for name, point, drawn_B in (*columns, ("Average", macro(point_F), macro(drawn_BF))):
            low, high = percentile_interval(drawn_B)
            found[name][preset] = {"value": float(point), "low": float(low), "high": float(high)}
        plain_F = weighted_state_f1(truth_NF, majority_NF, states)
        found["Average"][f"blank alone, {preset}"] = float(macro(plain_F))
    for f, name in enumerate(CHEXPERT14.names):
        found[name]["spoken of"] = int((truth_NF[:, f] != State.BLANK).sum())
    return found


def show_rules(table: dict[str, Any], unlabeled: int) -> None:
    """The table against the rules."""
    rows = [
        (
            name,
            str(row.get("spoken of", "")),
            interval(row["blank excluded"]),
            interval(row["blank as a class"]),
        )
        for name, row in table.items()
    ]
    print(f"\nWeighted F1 against the rules' four states; {unlabeled} reports without labels\n")
    print("\n".join(table_lines(("finding", "not blank", "blank excluded", "blank as a class"), rows)))
    alone = {key: round(value, 3) for key, value in table["Average"].items() if isinstance(value, float)}
    print(json.dumps(alone))


def interval(estimate: dict[str, float]) -> str:
    """An estimate with its interval."""
    return f"{estimate['value']:.3f} ({estimate['low']:.3f} to {estimate['high']:.3f})"


def against_people(
    reports: dict[str, OpenIReport],
    gold: dict[str, dict[str, str]],
    said_NF: npt.NDArray[np.int8],
    rules_NF: npt.NDArray[np.int8],
) -> dict[str, Any]:
    """Presence against the labels of people, on the findings that both vocabularies share."""
    shared = {
        ours: theirs
        for ours, theirs in CHEXPERT14.counterparts(NIH14).items()
        if ours != CHEXPERT14.no_finding
    }
    columns = {ours: column_of(next(iter(gold.values())), theirs) for ours, theirs in shared.items()}
    true_NF = np.array([[int(float(gold[i][c] or 0)) for c in columns.values()] for i in reports], dtype=bool)
    places = [CHEXPERT14.index(name) for name in columns]
    found = {}
    for name, states_NF in (("llm", said_NF), ("rules", rules_NF)):
        present_NF = np.isin(states_NF[:, places], (State.POSITIVE, State.UNCERTAIN))
        found[name] = score(present_NF, true_NF, list(columns))
    heads = ("finding", "positive", "llm F1", "rules F1")
    print("\nPresence against the labels of people\n")
    print("\n".join(table_lines(heads, [person_row(name, found) for name in found["rules"]])))
    return found


def column_of(row: dict[str, str], finding: str) -> str:
    """The column of a finding in the gold file."""
    return NIH14.match_columns(list(row))[finding]


def person_row(name: str, found: dict[str, Any]) -> tuple[str, ...]:
    """One finding."""
    cells: Sequence[Any] = [found[who][name] for who in ("llm", "rules")]
    told = (f"{cell['f1']:.3f} ({cell['f1_low']:.3f} to {cell['f1_high']:.3f})" for cell in cells)
    return (name, str(cells[0]["positives"]), *told)


if __name__ == "__main__":
    sys.exit(main())
