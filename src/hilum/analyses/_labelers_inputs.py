"""What the study of labelers reads: gold and labels in one vocabulary, on the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hilum.analyses._labelers_values import PRESETS, Compared
from hilum.analyses.alignment import AlignedMany, align_many
from hilum.core.errors import InputError, UnknownNameError
from hilum.core.matrix import LabelMatrix
from hilum.core.vocabulary import BINARY_POLICIES, State
from hilum.tables.labels import LabelFile, read_labels

POLICIES: tuple[str, ...] = tuple(
    name for name, codes in BINARY_POLICIES.items() if all(code is not None for code in codes.values())
)
"""Policies that make 0/1 of every cell; one that leaves cells out would give each labeler other cells."""

GOLD = "gold"
"""Name of the gold in messages, and for `keys`."""


@dataclass(frozen=True)
class LabelersStudy:
    """What to compare and how.

    `labels` are (name, file) of each labeler. `align` and `match_keys` are as in `analyses.alignment`; `keys` are
    key columns by labeler name or "gold", and under "" for all others. `vocabulary` is that of all files; without
    it, each file's is the shipped one that fits best, and findings are matched by name and alias. `findings` are
    names of the gold's vocabulary; without them, all that gold and labelers share. `policy`, one of `POLICIES`,
    makes 0/1 of all labels. `preset` names the primary weighted F1.
    """

    gold: str | Path
    labels: tuple[tuple[str, str | Path], ...]
    align: str = "auto"
    match_keys: str = "exact"
    keys: tuple[tuple[str, str], ...] = ()
    vocabulary: str | None = None
    findings: tuple[str, ...] = ()
    preset: str = "blank-as-class"
    policy: str | None = None
    replicates: int = 1000
    seed: int = 0


@dataclass(frozen=True, eq=False)
class LoadedLabelers:
    """Gold and labelers on shared rows and findings, and what a reader of the page must be told.

    `told` are plain facts (what was left out, how rows were joined); `sources` has one row per file: name,
    file, vocabulary, key column or None, rows of the file, and rows compared.
    """

    compared: Compared
    sources: tuple[tuple[str, str, str, str | None, int, int], ...]
    told: tuple[str, ...]
    warnings: tuple[str, ...]


def load(study: LabelersStudy) -> LoadedLabelers:
    """Read, match and join everything that a study names.

    Raises InputError for files that cannot be read or joined, a labeler named twice, a finding that a labeler
    should have and has not, and no shared finding; UnknownNameError for a preset or policy that is none.
    """
    _check(study)
    gold, *others = [
        read_labels(path, name=name, vocabulary=study.vocabulary, key=_key_of(study, name), texts=False)
        for name, path in ((GOLD, study.gold), *study.labels)
    ]
    files = {file.matrix.source: file for file in others}
    findings, left_out = shared_findings(
        gold.matrix, [file.matrix for file in files.values()], wanted=study.findings
    )
    truth = gold.matrix.select(findings)
    translated = [file.matrix.translated(truth.vocabulary).select(findings) for file in files.values()]
    matrices, joined = join(translated, truth, how=study.align, match_keys=study.match_keys)
    messages = ("", *joined.messages)
    told = [
        f"{name}: "
        + " ".join(text for text in (f"{'; '.join(file.notes)}." * bool(file.notes), message) if text)
        for (name, file), message in zip({GOLD: gold, **files}.items(), messages, strict=True)
    ]
    compared = Compared(matrices[0], tuple(matrices[1:]), study.policy)
    return LoadedLabelers(
        compared,
        _sources(study, gold, files, len(compared.gold)),
        (*told, *left_out),
        (*_warnings(compared), *joined.warnings),
    )


def _check(study: LabelersStudy) -> None:
    if study.preset not in PRESETS:
        raise UnknownNameError("preset", study.preset, PRESETS)
    if study.policy is not None and study.policy not in POLICIES:
        raise UnknownNameError("policy for this study", study.policy, POLICIES)
    names = [name for name, _ in study.labels]
    if not names:
        raise InputError("No labeler was given. Next step: --labels NAME=FILE, once per labeler.")
    for name in names:
        if names.count(name) > 1 or name == GOLD:
            raise InputError(
                f"{names.count(name) + (name == GOLD)} sources are called {name!r}. "
                "Next step: give each labeler its own name: --labels NAME=FILE."
            )
    for name, _ in study.keys:
        if name and name not in (GOLD, *names):
            raise UnknownNameError("source for --key", name, (GOLD, *names))


def _key_of(study: LabelersStudy, name: str) -> str | None:
    keys = dict(study.keys)
    return keys.get(name, keys.get(""))


def shared_findings(
    gold: LabelMatrix, labelers: Sequence[LabelMatrix], *, wanted: Sequence[str] = ()
) -> tuple[tuple[str, ...], list[str]]:
    """The findings to compare, in the gold's order and names, and sentences on what is left out.

    A finding that a labeler's vocabulary does not know is left out; one that it knows and its file lacks is an
    InputError, unless `wanted` leaves it out. Raises UnknownNameError for a wanted finding that is none.
    """
    chosen = gold.findings
    if wanted:
        names = [gold.vocabulary.names[gold.vocabulary.index(name)] for name in wanted]
        for name in names:
            gold.column(name)
        chosen = tuple(dict.fromkeys(names))
    told: list[str] = []
    for labeler in labelers:
        same = gold.vocabulary.counterparts(labeler.vocabulary)
        _check_has(labeler, [same[f] for f in chosen if f in same])
        unknown = [f for f in chosen if f not in same]
        if unknown:
            told.append(
                f"Left out, because {labeler.source} ({labeler.vocabulary.name}) has no such finding: "
                f"{', '.join(unknown)}."
            )
        extra = [f for f in labeler.findings if f not in [same[c] for c in chosen if c in same]]
        if extra and not wanted:
            told.append(f"Only in {labeler.source}, not compared: {', '.join(extra)}.")
        chosen = tuple(f for f in chosen if f in same)
    if not chosen:
        others = "; ".join(f"{m.source}: {', '.join(m.findings)}" for m in labelers)
        raise InputError(
            f"Gold and labelers share no finding. Gold: {', '.join(gold.findings)}; {others}. "
            "Next step: give label files whose columns are findings of one vocabulary."
        )
    return chosen, told


def _check_has(labeler: LabelMatrix, needed: Sequence[str]) -> None:
    missing = [finding for finding in needed if finding not in labeler.findings]
    if missing:
        rest = [finding for finding in needed if finding not in missing]
        choice = (
            f"restrict the study to the others: --findings '{','.join(rest)}'" if rest else "check the file"
        )
        raise InputError(
            f"{labeler.source} has no column for {', '.join(missing)}, which the gold has. It has: "
            f"{', '.join(labeler.findings)}. Next step: add the columns, or {choice}."
        )


def join(
    labelers: Sequence[LabelMatrix], gold: LabelMatrix, *, how: str, match_keys: str = "exact"
) -> tuple[list[LabelMatrix], AlignedMany]:
    """Gold and labelers on the rows that all have, in the gold's order, and how each was joined to the gold."""
    matrices = (gold, *labelers)
    found = align_many(matrices, how=how, match_keys=match_keys)
    return [matrix.take(rows) for matrix, rows in zip(matrices, found.rows, strict=True)], found


def _sources(
    study: LabelersStudy, gold: LabelFile, files: Mapping[str, LabelFile], rows: int
) -> tuple[tuple[str, str, str, str | None, int, int], ...]:
    paths = {GOLD: study.gold, **dict(study.labels)}
    return tuple(
        (name, Path(paths[name]).name, file.matrix.vocabulary.name, file.key, len(file.matrix), rows)
        for name, file in {GOLD: gold, **files}.items()
    )


def _warnings(compared: Compared) -> tuple[str, ...]:
    states = compared.gold.states_NF
    absent = [s.name.lower() for s in (State.UNCERTAIN, State.BLANK) if not (states == s).any()]
    if not absent:
        return ()
    told = f"The gold has no {' and no '.join(absent)} labels"
    if compared.policy is not None:
        told += (
            f". Gold and labelers were reduced to 0 and 1 (policy {compared.policy}; blank counts as negative), "
            "and the study shows precision, recall and F1 of positive labels."
        )
    else:
        told += (
            f": the labelers' own {' and '.join(absent)} labels can only count as wrong, and what the gold never "
            "says cannot be measured. Where the gold has only 0 and 1, compare 0 and 1: "
            f"--policy {' or '.join(POLICIES)}."
        )
    return (told,)
