"""Paraphrases of training rows: made after the split, of training rows alone, and never a text of the other side."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from hilum.train.checkpoints import write_whole
from hilum.train.config import LabelerTraining
from hilum.train.data import TrainingRows
from hilum.train.split import same_text

if TYPE_CHECKING:
    from hilum.train._folder import RunFolder

PARAPHRASES = "paraphrases.jsonl"


def augmented(
    rows: TrainingRows,
    config: LabelerTraining,
    *,
    forbidden: Sequence[str],
    folder: RunFolder,
    main: bool,
    tell: Callable[[str], None],
) -> tuple[TrainingRows, list[str]]:
    """The rows and their paraphrases, which have the targets of their originals, and notes.

    The paraphrases are kept in the folder of the run, so that one that goes on does not make them again. Left out
    are those that are the same text as a row of `forbidden` (the dev sets), as an original or as one before.
    """
    path = folder.state(PARAPHRASES)
    if path.exists():
        made = [list(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    else:
        tell(f"paraphrasing {len(rows):,} texts ({config.paraphrase})")
        made = paraphrases(rows.texts, config)
        if main:
            lines = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in made)
            write_whole(path, lambda file: file.write(lines.encode()))
    return add_paraphrases(rows, made, forbidden=forbidden)


def paraphrases(texts: Sequence[str], config: LabelerTraining) -> list[list[str]]:
    """Paraphrases of each text by the paraphraser that the configuration names."""
    from hilum.train.paraphrase import get_paraphraser  # noqa: PLC0415  (back-translation loads two models)

    maker = get_paraphraser(config.paraphrase or "", vocabulary=config.vocabulary)
    return [list(one) for one in maker.paraphrase(texts, seed=config.seed)]


def add_paraphrases(
    rows: TrainingRows, made: Sequence[Sequence[str]], *, forbidden: Sequence[str]
) -> tuple[TrainingRows, list[str]]:
    """The rows followed by their paraphrases, and notes that count what was added and left out."""
    across = {same_text(text) for text in forbidden}
    known = {same_text(text) for text in rows.texts}
    texts: list[str] = []
    sources: list[int] = []
    left_out = {"the same as a text put aside for choosing": 0, "repeated": 0}
    for place, some in enumerate(made):
        for text in some:
            folded = " ".join(text.split())
            mark = same_text(folded)
            if mark in across:
                left_out["the same as a text put aside for choosing"] += 1
            elif mark in known or not mark:
                left_out["repeated"] += 1
            else:
                known.add(mark)
                texts.append(folded)
                sources.append(place)
    added = rows.take(sources)
    whole = replace(
        rows,
        texts=(*rows.texts, *texts),
        targets_NF=np.concatenate([rows.targets_NF, added.targets_NF]),
        states_NF=None
        if rows.states_NF is None or added.states_NF is None
        else np.concatenate([rows.states_NF, added.states_NF]),
        groups=None if rows.groups is None or added.groups is None else (*rows.groups, *added.groups),
    )
    notes = [f"{len(texts):,} paraphrases were added to {len(rows):,} training rows"]
    return whole, notes + [f"{n:,} paraphrases were {what} and left out" for what, n in left_out.items() if n]
