"""What do reports that look at no image score on Open-I? Text-only baselines beside recorded systems.

    python benchmarks/generation_text.py --annotation r2gen_annotation.json [--pairs metric_pairs]
        [--train-noise-rnn FOLDER] [--noise-rnn FOLDER] [--replicates 1000] [--json OUT]

On the test reports of R2Gen's Open-I split (2069 / 296 / 590): no text at all, the most frequent training report, the
most frequent training sentences (`scorers._rewards`), and with `--noise-rnn` each csv of a folder (columns id, report;
all test ids), named by its file. `--train-noise-rnn` first trains a language model that sees no image on the training
reports (from a fixed seed, two minutes of one core; a second start goes on, or finds it done), and scores what it says.
With `--pairs`: the recorded systems mrg_rl_* against their own references, and the same templates against these, their
training reports without the studies of these references; then the first generated reports, that were written of other
images: a system that sees none loses nothing by it, but may have learned from these studies (how many is told).

Told: BLEU, ROUGE-L, CIDEr (CIDEr-D of coco-caption, document frequencies of the test references), precision, recall and
accuracy of the positives of the rule labeler over 12 diseases and Support Devices (positive counts 1; uncertain,
negative and absent 0), and the two rewards: the clinically coherent reward (0 to 13) and CIDEr-D with the document
frequencies of the training reports (0 to 10). Intervals: 95 % percentiles of a bootstrap over reports; the document
frequencies stay. A precision without any positive is not defined: a dash; macro goes over what is defined.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from _common import table_lines, write_json
from _noise_rnn import train_noise_rnn
from hilum.core.rng import rng_for
from hilum.core.vocabulary import State
from hilum.metrics import labels
from hilum.metrics._bleu import bleu_counts
from hilum.metrics._ngrams import count_blocks
from hilum.metrics.overlap import TOKENISERS, cider_d, corpus_bleu, rouge_l, tokenise
from hilum.scorers import findings, overlap
from hilum.scorers._rewards import majority_report, majority_sentences, simple_rewards
from hilum.stats.intervals import bootstrap, estimate
from hilum.text.sentences import find_sentences

Floats = npt.NDArray[np.float64]

CORPORA = ("mrg_rl_beam1", "mrg_rl_logp_top20")
RATES = ("precision", "recall", "accuracy")
NAMES = (
    *(f"BLEU-{n}" for n in range(1, 5)), "ROUGE-L", "CIDEr",
    *(f"{average} {rate}" for average in ("micro", "macro") for rate in RATES),
    "CCR reward", "CIDEr reward", "words",
)  # fmt: skip


def whole_corpus(
    references: Sequence[str], candidates: Sequence[str], *, tokens: str, training: Sequence[str]
) -> tuple[Callable[[Floats], Floats], Callable[[Floats], dict[str, Floats]]]:
    """Two functions of weights [B, N]: values [B, len(NAMES)] and values of each label by rate [B, T]."""
    given, said = [[t] for t in tokenise(references, tokens)], tokenise(candidates, tokens)
    counts = [bleu_counts(block) for block in count_blocks(given, said, n=4)]
    matched_Nn, all_Nn, ours_N, theirs_N = (np.concatenate(part) for part in zip(*counts, strict=True))
    judge = findings.build()
    wording = overlap.build(tokens=tokens, frequencies=overlap.training_frequencies(training, tokens=tokens))
    each_N5 = np.stack(
        [
            rouge_l(given, said), cider_d(given, said), judge.rewards(references, candidates),
            wording.rewards(references, candidates), [float(len(tokens)) for tokens in said],
        ],
        axis=1,
    )  # fmt: skip
    truth_NT, said_NT = (
        (judge.states(texts) == State.POSITIVE).astype(np.int8) for texts in (references, candidates)
    )

    def by_label(weights_BN: Floats) -> dict[str, Floats]:
        c = labels.confusion(truth_NT, said_NT, weights_BN=weights_BN)
        return {rate: getattr(labels, rate)(c) for rate in RATES} | {"positives": labels.support(c)}

    def values(weights_BN: Floats) -> Floats:
        sums = (weights_BN @ part for part in (matched_Nn, all_Nn, ours_N, theirs_N))
        means = weights_BN @ each_N5 / weights_BN.sum(axis=1, keepdims=True)
        pooled = labels.micro(labels.confusion(truth_NT, said_NT, weights_BN=weights_BN))
        micro = [getattr(labels, rate)(pooled)[:, 0] for rate in RATES]
        each = by_label(weights_BN)
        macro = [labels.macro(each[rate]) for rate in RATES]
        return np.column_stack([_bleu(*sums), means[:, :2], *micro, *macro, means[:, 2:]])

    gap = np.abs(values(np.ones((1, len(said))))[0, :4] - corpus_bleu(given, said).scores).max()
    if gap > 1e-9:
        raise SystemExit(f"BLEU from weights differs from corpus_bleu by {gap}.")
    return values, by_label


def _bleu(matched: Floats, every: Floats, ours: Floats, theirs: Floats) -> Floats:
    """coco-caption's BLEU-1 to 4 of sums of counts, [B, 4] (see metrics.overlap.corpus_bleu)."""
    precision = np.cumprod((matched + 1e-15) / (every + 1e-9), axis=1) ** (1 / np.arange(1, 5))
    ratio = (ours + 1e-15) / (theirs + 1e-9)
    penalty = np.where(ratio < 1, np.exp(1 - 1 / np.minimum(ratio, 1)), 1.0)
    return np.asarray(precision * penalty[:, None])


def evaluate(
    references: Sequence[str], candidates: Sequence[str], *, tokens: str, training: Sequence[str],
    replicates: int,
) -> dict[str, Any]:  # fmt: skip
    """All values of a system with intervals, and those of each label."""
    values, by_label = whole_corpus(references, candidates, tokens=tokens, training=training)
    n, once = len(references), np.ones((1, len(references)))
    point = values(once)[0]
    rng = rng_for(0, "generation_text")  # the same draws for all systems of the same reports
    drawn = bootstrap(values, n, replicates=replicates, rng=rng)
    scores = {
        key: estimate(float(p), drawn[:, k]) for k, (key, p) in enumerate(zip(NAMES, point, strict=True))
    }
    each = by_label(once)
    defined = {rate: int((~np.isnan(each[rate])).sum()) for rate in RATES}
    parts = findings.build().part_names
    table = {label: {key: _plain(each[key].reshape(-1)[t]) for key in each} for t, label in enumerate(parts)}
    return {
        "scores": {key: [_plain(x) for x in value] for key, value in scores.items()},
        "labels_with_a_value": defined,
        "labels": table,
        "different_reports": len(set(candidates)),
    }


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def templates(training: Sequence[str]) -> dict[str, str]:
    """The texts that are the same for every image."""
    return {
        "no text": "",
        "most frequent report": majority_report(training),
        "most frequent sentences": majority_sentences(training),
    }


def open_i(
    splits: Mapping[str, Any], *, generated: Mapping[str, list[str]], replicates: int
) -> dict[str, Any]:
    """All systems on the test reports of the split."""
    training = [row["report"] for row in splits["train"]]
    test = {row["id"]: row["report"] for row in splits["test"]}
    texts = templates(training)
    systems = {name: [text] * len(test) for name, text in texts.items()} | generated
    result = {
        name: evaluate(list(test.values()), said, tokens="coco", training=training, replicates=replicates)
        for name, said in systems.items()
    }
    return {
        "reports": len(test),
        "templates": texts,
        "systems": result,
        "simple": simple(training, test, texts),
    }


def simple(training: Sequence[str], test: Mapping[str, str], texts: Mapping[str, str]) -> dict[str, Any]:
    """What `simple_rewards` says on the test reports, with the ends of each reward."""
    made = {
        "CCR": findings.build(),
        "CIDEr": overlap.build(frequencies=overlap.training_frequencies(training)),
    }
    truth = list(test.values())
    return {
        name: {
            **simple_rewards(reward, truth, texts["most frequent report"]),
            "sentences": simple_rewards(reward, truth, texts["most frequent sentences"])["template"],
            "most that could be earned": float(reward.limits(truth)[1].mean()),
            "highest": reward.highest,
        }
        for name, reward in made.items()
    }


def read_generated(folder: Path, ids: Sequence[str]) -> dict[str, list[str]]:
    """Generated reports of each csv of a folder, in the order of `ids`."""
    found = {}
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            texts = {row.get("id"): row.get("report") or "" for row in csv.DictReader(file)}
        missing = [key for key in ids if key not in texts]
        if missing:
            raise SystemExit(
                f"{path} has no report for {len(missing):,} of {len(ids):,} test ids, e.g. {missing[0]}."
            )
        found[path.stem] = [texts[key] for key in ids]
    if not found:
        raise SystemExit(f"{folder} has no csv file with the columns id and report.")
    return found


def recorded(
    splits: Mapping[str, Any], folder: Path, *, generated: Mapping[str, list[str]], replicates: int
) -> dict[str, Any]:
    """The recorded systems, the templates and the generated reports, on the references of the recorded systems."""
    result: dict[str, Any] = {}
    for corpus in CORPORA:
        references = json.loads((folder / corpus / "references.json").read_text(encoding="utf-8"))
        predictions = json.loads((folder / corpus / "predictions.json").read_text(encoding="utf-8"))
        truth = [references[key][0] for key in predictions]
        held = set(predictions)
        training = [
            spaced(row["report"]) for split in splits.values() for row in split if study_of(row) not in held
        ]
        systems = {corpus: [text for (text,) in predictions.values()]}
        if corpus == CORPORA[0]:
            systems |= {name: [spaced(text)] * len(truth) for name, text in templates(training).items()}
            systems |= {name: [spaced(t) for t in said[: len(truth)]] for name, said in generated.items()}
            seen = sum(study_of(row) in held for row in splits["train"])
        for name, said in systems.items():
            result[name] = evaluate(
                truth, said, tokens="single-space", training=training, replicates=replicates
            )
    return {"reports": len(truth), "training reports of these studies": seen, "systems": result}


def study_of(row: Mapping[str, Any]) -> str:
    """The number of a study of Open-I, as the recorded systems name it."""
    return str(row["id"]).split("_")[0].removeprefix("CXR")


def spaced(text: str) -> str:
    """A text as the recorded systems write: lower case, words and full stops with spaces between."""
    sentences = [" ".join(TOKENISERS["coco"](text[s.start : s.end])) for s in find_sentences(text)]
    return " ".join(f"{sentence} ." for sentence in sentences)


def report(title: str, result: Mapping[str, Any]) -> None:
    """Print the tables of one set of references."""
    systems = result["systems"]
    print(f"{title}: {result['reports']} reports, 95 % intervals")
    rows = [(key, *(_cell(found["scores"][key]) for found in systems.values())) for key in NAMES]
    rows.append(("different reports", *(f"{found['different_reports']:,}" for found in systems.values())))
    print("\n".join(table_lines(("", *systems), rows)))
    counts = "; ".join(
        f"{name}: " + ", ".join(f"{rate} {found['labels_with_a_value'][rate]}" for rate in RATES)
        for name, found in systems.items()
    )
    print(f"macro goes over this many of 13 labels: {counts}\n")
    for name, found in systems.items():
        if any(value["precision"] is not None for value in found["labels"].values()):
            rows = [
                (label, f"{value['positives']:.0f}", *(_number(value[rate]) for rate in RATES))
                for label, value in found["labels"].items()
            ]
            print("\n".join(table_lines((name, "positives", *RATES), rows)) + "\n")


def _cell(value: Sequence[float | None]) -> str:
    point, low, high = value
    return "-" if point is None else f"{point:.3f} ({_number(low)} to {_number(high)})"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--annotation", type=Path, required=True, help="r2gen_annotation.json")
    parser.add_argument("--pairs", type=Path, help="the folder metric_pairs")
    parser.add_argument("--noise-rnn", type=Path, help="a folder of csv files of reports: id, report")
    parser.add_argument("--train-noise-rnn", type=Path, help="a folder to train a Noise-RNN in")
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    splits = json.loads(options.annotation.read_text(encoding="utf-8"))
    folders = [one for one in (options.noise_rnn,) if one]
    if options.train_noise_rnn:
        folders.append(train_noise_rnn(splits, options.train_noise_rnn))
    ids = [row["id"] for row in splits["test"]]
    generated = {name: said for folder in folders for name, said in read_generated(folder, ids).items()}
    result = {"open_i": open_i(splits, generated=generated, replicates=options.replicates)}
    for name, text in result["open_i"]["templates"].items():
        print(f"{name}: {text!r}")
    report("Open-I, test", result["open_i"])
    for name, found in result["open_i"]["simple"].items():
        print(f"{name} reward: " + ", ".join(f"{key} {value:.3f}" for key, value in found.items()))
    if options.pairs:
        result["recorded"] = recorded(
            splits, options.pairs, generated=generated, replicates=options.replicates
        )
        seen = result["recorded"]["training reports of these studies"]
        print(f"\nOf the references of the recorded systems, the split's training reports have {seen}.")
        report("references of the recorded systems", result["recorded"])
    write_json(options.json, "generation_text", result)


if __name__ == "__main__":
    main()
