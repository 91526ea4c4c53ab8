"""The study of labelers against gold labels, or of published scores, into a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hilum.analyses._output import write_page
from hilum.analyses.labelers import GOLD, POLICIES, PRESETS, LabelersStudy, labelers, published
from hilum.core.results import ResultPage

__all__ = ["GOLD", "POLICIES", "PRESETS", "LabelersStudy", "study_labelers", "study_scores"]


def study_labelers(
    study: LabelersStudy,
    folder: str | Path | None = None,
    *,
    force: bool = False,
    progress: Callable[[str], object] = lambda _: None,
) -> tuple[ResultPage, list[Path]]:
    """Compare labelers with the gold and, with `folder`, write page, tables and figures there.

    Returns the page and the files written. Raises InputError for inputs that cannot be compared and
    OutputError for a folder that cannot be written or holds something else (see `force`).
    """
    page = labelers(study, progress=progress)
    return page, [] if folder is None else write_page(page, Path(folder), force=force)


def study_scores(
    table: str | Path, folder: str | Path | None = None, *, force: bool = False
) -> tuple[ResultPage, list[Path]]:
    """Test published per-finding scores and, with `folder`, write page, tables and figures there.

    Returns and raises as `study_labelers`.
    """
    page = published(table)
    return page, [] if folder is None else write_page(page, Path(folder), force=force)
