"""The study of labelers: several labelers against one gold (LLM labeler paper, Evaluation and Results).

`labelers(LabelersStudy(...))` reads and joins the files and gives one page; `published(path)` does with a table
of published scores what can be done without labels.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hilum.analyses._labelers_inputs import GOLD, POLICIES, LabelersStudy, load
from hilum.analyses._labelers_page import (
    extraction_section,
    inputs_section,
    lead,
    presets_section,
    published_sections,
    scores_section,
    tests_section,
)
from hilum.analyses._labelers_values import PRESETS, resample
from hilum.core.results import ResultPage
from hilum.core.version import VERSION
from hilum.tables.scores_table import read_scores

__all__ = ["GOLD", "POLICIES", "PRESETS", "LabelersStudy", "labelers", "published"]

Progress = Callable[[str], object]


def labelers(study: LabelersStudy, *, progress: Progress = lambda _: None) -> ResultPage:
    """Per-finding weighted F1, extraction tasks and tests between each pair of labelers, as one page.

    Raises InputError for files that cannot be read, matched or joined, UnknownNameError for a name that is
    none, and MissingExtraError without the extra `study`.
    """
    progress("reading and joining the files")
    loaded = load(study)
    compared = loaded.compared
    progress(f"weighted F1 and {study.replicates:,} bootstrap replicates of {len(compared.gold):,} reports")
    found = resample(compared, preset=study.preset, replicates=study.replicates, seed=study.seed)
    progress("tests, tables and figures")
    sections = [inputs_section(loaded), scores_section(study, compared, found)]
    if compared.policy is None:
        sections += [presets_section(study, compared), extraction_section(compared)]
    sections.append(tests_section(study, compared, found))
    stamp = {
        "gold": Path(study.gold).name,
        **{f"labels of {name}": Path(path).name for name, path in study.labels},
        "joined": study.align,
        "findings": ", ".join(compared.findings),
        "preset": study.preset if study.policy is None else "none: 0 and 1",
        "policy": study.policy or "none: all states",
        "bootstrap replicates": str(study.replicates),
        "seed": str(study.seed),
        "hilum": VERSION,
    }
    names = ", ".join(compared.names)
    return ResultPage(
        f"Labelers against gold labels: {names}",
        lead(study, loaded, found[0]),
        tuple(sections),
        warnings=loaded.warnings,
        stamp=stamp,
    )


def published(path: str | Path) -> ResultPage:
    """Tests, bars and heat map from published per-finding scores alone (rows findings, columns labelers).

    Raises InputError for a table that is none (see `read_scores`) and MissingExtraError without the extra
    `study`.
    """
    table = read_scores(path)
    told = (
        f"Scores of {len(table.labelers)} labelers on {len(table.findings)} findings, taken from {table.source} as "
        "they stand there. This page only tests them; how they were worked out, and on which labels, is for the "
        "source of the table to say."
    )
    return ResultPage(
        f"Published scores of labelers: {', '.join(table.labelers)}",
        (told,),
        published_sections(table.labelers, table.findings, table.values_FL.T),
        warnings=tuple(f"{table.source}: {note}." for note in table.notes),
        stamp={"scores": table.source, "hilum": VERSION},
    )
