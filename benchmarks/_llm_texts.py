"""What the small language model learns from: Open-I reports that may be read, their sentences recombined, the same with
words swapped, and generated reports.

Every text is labeled by the rules, as it stands: the model is to learn them from text alone.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from _common import OpenIReport
from _llm_swaps import swapped_sentences
from hilum.core.rng import rng_for
from hilum.core.vocabulary import CHEXPERT14, CSV_CODES, State
from hilum.datasets._speech.generated import ReportOptions, generate_reports
from hilum.labelers import ReportSpans
from hilum.labelers.rules import RuleLabeler
from hilum.text.sentences import find_sentences

SPOKEN = (State.POSITIVE, State.UNCERTAIN, State.NEGATIVE)
MOST_SENTENCES = 6


def sentences_of(reports: Sequence[OpenIReport]) -> list[str]:
    """Every sentence of these reports once, in the order of their first appearance."""
    sections = (text for report in reports for text in (report.findings, report.impression))
    return list(dict.fromkeys(sentence for text in sections for sentence in cut(text)))


def cut(text: str) -> list[str]:
    """The sentences of a text."""
    return [text[s.start : s.end].strip() for s in find_sentences(text) if text[s.start : s.end].strip()]


def by_label(sentences: Sequence[str], rules: RuleLabeler) -> dict[tuple[str, State], list[str]]:
    """The sentences that give a finding a state, so that what is rare can be drawn more often."""
    found: dict[tuple[str, State], list[str]] = {}
    for sentence, labels in zip(
        sentences, rules.label_batch([ReportSpans(s) for s in sentences]), strict=True
    ):
        for finding, state in labels.as_dict().items():
            if state in SPOKEN:
                found.setdefault((finding, state), []).append(sentence)
    return dict(sorted(found.items()))


def recombined(
    sentences: Sequence[str], n: int, *, most: int, seed: int, rules: RuleLabeler
) -> Iterator[str]:
    """`n` texts of 1 to `most` sentences: about half drawn at random, half for a finding and state."""
    groups = by_label(sentences, rules)
    labels = list(groups)
    for number in range(n):
        rng = rng_for(seed, "recombined", most, number)
        size = int(rng.integers(1, most + 1))
        aimed = [groups[labels[int(i)]] for i in rng.integers(0, len(labels), size // 2 + 1)]
        chosen = [group[int(rng.integers(len(group)))] for group in aimed]
        chosen += [sentences[int(i)] for i in rng.integers(0, len(sentences), size - len(chosen))]
        rng.shuffle(chosen)
        yield " ".join(dict.fromkeys(chosen))


def own_texts(reports: Sequence[OpenIReport]) -> Iterator[str]:
    """Findings, impression and both of each report, as far as there are any."""
    for report in reports:
        texts = [t for t in (report.findings, report.impression) if t.strip()]
        yield from dict.fromkeys([*texts, "\n\n".join(texts)] if texts else [])


class Amounts(NamedTuple):
    """How many texts of one or two sentences (a third of each kind), of up to six, generated reports, and sentences
    with swapped words.
    """

    short: int = 45_000
    recombined: int = 60_000
    generated: int = 40_000
    swapped: int = 100_000


class Pools(NamedTuple):
    """Sentences to make texts of: those of reports that may be read, those with swapped words, generated ones."""

    read: list[str]
    swapped: list[str]
    made: list[str]


def pools_of(reports: Sequence[OpenIReport], amounts: Amounts, *, seed: int, rules: RuleLabeler) -> Pools:
    """The three pools, each sentence once."""
    read = sentences_of(reports)
    swapped = swapped_sentences(read, amounts.swapped, seed=seed, rules=rules)
    made = (sentence for text in _generated(amounts.generated // 5, seed=seed) for sentence in cut(text))
    return Pools(read, list(dict.fromkeys(swapped)), list(dict.fromkeys(made)))


def short_texts(
    reports: Sequence[OpenIReport], amounts: Amounts, *, seed: int, rules: RuleLabeler
) -> Iterator[tuple[str, str]]:
    """(id, text) of texts of one or two sentences, a third of each pool: what is learned first."""
    pools = pools_of(reports, amounts, seed=seed, rules=rules)
    yield from _named(
        **{
            source: recombined(sentences, amounts.short // 3, most=2, seed=seed, rules=rules)
            for source, sentences in pools._asdict().items()
        }
    )


def whole_texts(
    reports: Sequence[OpenIReport], amounts: Amounts, *, seed: int, rules: RuleLabeler
) -> Iterator[tuple[str, str]]:
    """(id, text) of reports as they stand, recombined (half of them with words swapped in some) and generated ones."""
    pools = pools_of(reports, amounts, seed=seed, rules=rules)
    both, half = [*pools.read, *pools.swapped], amounts.recombined // 2
    yield from _named(
        own=own_texts(reports),
        recombined=recombined(pools.read, half, most=MOST_SENTENCES, seed=seed, rules=rules),
        swapped=recombined(both, half, most=MOST_SENTENCES, seed=seed + 1, rules=rules),
        generated=_generated(amounts.generated, seed=seed),
    )


def _named(**sources: Iterator[str]) -> Iterator[tuple[str, str]]:
    for source, texts in sources.items():
        yield from ((f"{source}-{number}", text) for number, text in enumerate(texts))


def _generated(n: int, *, seed: int) -> Iterator[str]:
    return (report.text for report in generate_reports(n, seed=seed, options=ReportOptions(context=0.1)))


def write_labeled(path: Path, texts: Iterator[tuple[str, str]], rules: RuleLabeler) -> Counter[str]:
    """A csv file of the texts with the states that the rules give; how many there are of each source."""
    counts: Counter[str] = Counter()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["study_id", "report", *CHEXPERT14.names])
        for name, text in texts:
            [labels] = rules.label_batch([ReportSpans(text)])
            codes = (CSV_CODES[state] for state in labels.states)
            out.writerow([name, text, *("" if code is None else code for code in codes)])
            counts[name.partition("-")[0]] += 1
    return counts
