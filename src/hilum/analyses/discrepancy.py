"""The study of disagreement between report labels and image labels (VisualCheXbert: Jain et al. 2021, section 4).

`discrepancy(DiscrepancyStudy(...))` reads and joins the files and gives one page; `load` and the section
makers can be called alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.analyses._agreement_sections import (
    agreement_section,
    counts_section,
    reasons_section,
    state_counts,
)
from hilum.analyses._baseline_sections import baselines_section, odds_section
from hilum.analyses._bounds import resolve_uncertain
from hilum.analyses._differences import (
    Compared,
    all_pairs,
    average_table,
    compare_sources,
    difference_table,
)
from hilum.analyses._inputs import MOST_LEFT_OUT_ONE_BY_ONE, DiscrepancyStudy, Loaded, load
from hilum.analyses._model_section import models_section, thresholded
from hilum.analyses._reader_section import Readers, find_readers, readers_section
from hilum.analyses._reasons import disagreements, read_mentions
from hilum.analyses.baselines import Baselines, baselines
from hilum.analyses.mappings import Mapping
from hilum.core.matrix import LEFT_OUT, LabelMatrix
from hilum.core.results import ResultPage, ResultSection
from hilum.core.version import VERSION
from hilum.pages.figures import differences as difference_figure

Progress = Callable[[str], object]

LOW, HIGH = "Report labels, uncertain wrong", "Report labels, uncertain right"
"""The lower and the higher report score of Table 6."""


class Discrepancy(NamedTuple):
    """The page of the study, and the mappings fitted on all its studies, by file name."""

    page: ResultPage
    mappings: dict[str, Mapping]


def discrepancy(study: DiscrepancyStudy, *, progress: Progress = lambda _: None) -> Discrepancy:
    """Run the whole study; `progress` is told each step.

    Raises InputError for files that cannot be read, joined or compared.
    """
    progress("reading and joining the files")
    loaded = load(study)
    mentions = None
    if loaded.texts:
        progress("reading the texts")
        mentions = read_mentions(loaded.texts, loaded.report.vocabulary)
    found = disagreements(loaded.report, loaded.truth_NF, mentions)
    sections = [
        _inputs_section(loaded),
        agreement_section(loaded),
        counts_section(loaded, found),
        reasons_section(loaded, found),
    ]
    progress("odds ratios")
    sections.append(odds_section(loaded))
    folds = study.folds or (None if len(loaded.report) <= MOST_LEFT_OUT_ONE_BY_ONE else 10)
    progress("baselines, " + (f"{folds} folds" if folds else "leave-one-out"))
    fitted = baselines(loaded.report, loaded.chosen_truth_NF, loaded.chosen, folds=folds, seed=study.seed)
    readers = find_readers(loaded, ties=study.ties)
    progress(f"differences, {study.replicates:,} replicates")
    compared = compare_sources(
        loaded.chosen_truth_NF,
        _sources(study, loaded, fitted, readers),
        findings=loaded.chosen,
        replicates=study.replicates,
        seed=study.seed,
    )
    sections += [
        baselines_section(fitted, compared, folds=folds),
        _differences_section(study, fitted, compared),
    ]
    if loaded.readers:
        progress("readers")
        sections.append(readers_section(loaded, readers, ties=study.ties))
    if loaded.models:
        progress("models")
        sections.append(
            models_section(loaded, readers.independent, replicates=study.replicates, seed=study.seed)
        )
    return Discrepancy(_page(study, loaded, sections), fitted.mappings)


def _page(study: DiscrepancyStudy, loaded: Loaded, sections: list[ResultSection]) -> ResultPage:
    return ResultPage(
        "Report labels as labels of the image",
        (
            (
                f"{len(loaded.report):,} studies with labels read from the report and labels read from the image. "
                f"Evaluation findings: {', '.join(loaded.chosen)}. The image labels are taken as the truth."
            ),
            "A report label says what the report says; this page shows how far that is what the image shows.",
        ),
        tuple(sections),
        warnings=tuple(message for joined in loaded.alignments.values() for message in joined.warnings),
        stamp={
            "report labels": str(study.report_labels),
            "image labels": str(study.image_labels),
            "joined by": loaded.alignments["report labels"].how,
            "seed": str(study.seed),
            "hilum": VERSION,
        },
    )


def _inputs_section(loaded: Loaded) -> ResultSection:
    names_of: dict[str, list[str]] = {}
    for name, joined in loaded.alignments.items():
        names_of.setdefault(joined.message, []).append(name)
    joins = [f"{', '.join(names)}: {message}" for message, names in names_of.items()]
    return ResultSection("What was compared", (*joins, *loaded.told), (state_counts(loaded.report),))


def _sources(
    study: DiscrepancyStudy, loaded: Loaded, fitted: Baselines, readers: Readers
) -> dict[str, npt.NDArray[np.int8]]:
    """0/1 labels of everything that is compared with the image labels, by name."""
    truth = loaded.chosen_truth_NF
    return {
        LOW: resolve_uncertain(loaded.report, truth, loaded.chosen, to="opposite"),
        HIGH: resolve_uncertain(loaded.report, truth, loaded.chosen, to="image"),
        **fitted.predictions,
        **{name: _on(loaded, matrix, study.policy) for name, matrix in loaded.labels.items()},
        **{name: _on(loaded, matrix, "uncertain-ignored") for name, matrix in readers.independent.items()},
        **{f"{name} (Youden)": labels for name, labels in thresholded(loaded).items()},
    }


def _differences_section(study: DiscrepancyStudy, fitted: Baselines, compared: Compared) -> ResultSection:
    note = (
        f"F1 against the image labels, paired bootstrap over studies, {study.replicates:,} replicates, 95 % "
        "percentile intervals. Weights of the weighted average are the positives on image."
    )
    pairs = all_pairs(list(compared.points))
    averages = average_table(
        compared, pairs, name="differences_average", title="Differences in average F1", note=note
    )
    table = difference_table(
        compared, pairs, name="differences", title="Differences per finding and on average", note=note
    )
    base, *others = fitted.predictions
    figure = difference_figure(
        "differences",
        f"F1 of the other baselines minus F1 of {base}",
        labels=compared.row_names,
        estimates={name: compared.difference(name, base) for name in others},
        xlabel="Difference in F1 (right of 0: better)",
    )
    return ResultSection("Is a difference real?", (), (averages, figure, table))


def _on(loaded: Loaded, matrix: LabelMatrix, policy: str) -> npt.NDArray[np.int8]:
    """0/1 labels of a source for the evaluation findings; LEFT_OUT for a finding that it lacks."""
    labels = np.full(loaded.chosen_truth_NF.shape, LEFT_OUT, dtype=np.int8)
    shared = [f for f in loaded.chosen if f in matrix.findings]
    labels[:, [loaded.chosen.index(f) for f in shared]] = matrix.select(shared).binary(policy)
    return labels
