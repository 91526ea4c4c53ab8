"""The study of retrieved reports: similar reports appended to the input of all labelers (LLM labeler paper, Ablation).

Inputs are read in `_retrieval_inputs`, neighbours found in `_retrieval_near`, labels made in `_retrieval_labels`,
scores in `_retrieval_values`, the page in `_retrieval_page`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from hilum.analyses._output import check_folder
from hilum.analyses._retrieval_inputs import BY_LABELER, MARKER, PRESETS, RetrievalStudy, Sets, read_sets
from hilum.analyses._retrieval_labels import Labeled, build_labelers, label_both
from hilum.analyses._retrieval_near import Similar, find_similar
from hilum.analyses._retrieval_page import make_page
from hilum.analyses._retrieval_store import claim, is_ours
from hilum.analyses._retrieval_values import measure
from hilum.core.errors import MissingExtraError
from hilum.core.matrix import LabelMatrix
from hilum.core.results import ResultPage
from hilum.labelers import ReportSpans, get_labeler, labeler_options
from hilum.tables.source import Cell
from hilum.text.sections import select_sections

__all__ = ["BY_LABELER", "MARKER", "PRESETS", "Found", "RetrievalStudy", "retrieval_study"]

Tell = Callable[[str], object]


@dataclass(frozen=True, eq=False)
class Found:
    """The page of the study, and its neighbours: study, number from 1, neighbour, similarity."""

    page: ResultPage
    neighbours: tuple[tuple[Cell, ...], ...]


def retrieval_study(
    study: RetrievalStudy,
    folder: Path | str | None = None,
    *,
    force: bool = False,
    tell: Tell = lambda _: None,
) -> Found:
    """Find similar reports, label with and without them, and compare both with the gold.

    Vectors of images and labels of models are kept in `folder/kept` by the digest of what they are of, so that a run
    that was killed goes on, and another k or labeler does not embed again. The same study gives the same page.

    Raises InputError for sets, models and labelers that cannot be used, OutputError for the folder, MissingExtraError
    without the extras `llm`, `neural`, `images` (images) and `study`.
    """
    _check_extras(study)
    home = None if folder is None else Path(folder)
    if home is not None:
        check_folder(home, force=force or is_ours(home))
    labelers = build_labelers(study)
    sets = read_sets(study, tell=tell)
    if home is not None:
        claim(home)
    similar = find_similar(study, sets, home, tell=tell)
    labeled: list[Labeled] = [
        label_both(study, similar, labeler, name=name, said=said, home=home, tell=tell)
        for name, said, labeler in labelers
    ]
    tell(f"weighted F1, {study.replicates:,} bootstrap replicates of patients")
    gold = _gold(sets, similar)
    changes = measure(study, gold, labeled, similar.test.groups)
    page = make_page(study, similar, labeled, changes)
    rows = tuple(
        (name, number, one.id, one.similarity)
        for name, near in zip(similar.test.ids, similar.nearest, strict=True)
        for number, one in enumerate(near.neighbours, start=1)
    )
    return Found(page, rows)


def _check_extras(study: RetrievalStudy) -> None:
    """Raises MissingExtraError now, not after hours, for what a later step needs."""
    needed = {"matplotlib": "study", "sklearn": "study"}
    if study.images:
        needed |= {"faiss": "llm", "torch": "neural", "transformers": "neural", "cv2": "images"}
    for package, extra in needed.items():
        if find_spec(package) is None:
            raise MissingExtraError({"faiss": "faiss-cpu"}.get(package, package), extra)


def _gold(sets: Sets, similar: Similar) -> LabelMatrix:
    """The gold of the test studies that are left, in their order; the rules' labels where it is to be these."""
    if sets.gold is not None:
        place_of = {name: place for place, name in enumerate(sets.gold.ids)}
        return replace(sets.gold.take([place_of[name] for name in similar.test.ids]), source="gold")
    rules = get_labeler("rules", **labeler_options("rules", {}))
    spans = []
    for one in similar.test.studies:
        text, known = (one.report.text, one.report.sections) if one.report else ("", None)
        chosen = select_sections(text, "both", sections=known)
        spans.append(ReportSpans(text, chosen) if chosen else ReportSpans(""))
    states_NF = np.array([labels.states for labels in rules.label_batch(spans)], dtype=np.int8)
    return LabelMatrix("gold", rules.vocabulary, rules.vocabulary.names, similar.test.ids, states_NF)
