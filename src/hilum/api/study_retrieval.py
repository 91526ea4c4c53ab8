"""The study of retrieved reports, from two sets of studies to a folder with a page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hilum.analyses._output import write_page, write_whole
from hilum.analyses.retrieval import BY_LABELER, MARKER, PRESETS, RetrievalStudy, retrieval_study
from hilum.core.results import ResultPage
from hilum.tables.write import encode_header, encode_rows, output_error

__all__ = ["BY_LABELER", "MARKER", "NEIGHBOURS", "PRESETS", "RetrievalStudy", "study_retrieval"]

NEIGHBOURS = "neighbours.csv"
"""The file of all neighbours in the folder of the study."""

_COLUMNS = ("study", "number", "neighbour", "similarity")


def study_retrieval(
    study: RetrievalStudy,
    folder: str | Path | None = None,
    *,
    force: bool = False,
    progress: Callable[[str], object] = lambda _: None,
) -> tuple[ResultPage, list[Path]]:
    """Run the study, or go on with it, and, with `folder`, write page, tables, figures and neighbours there.

    Returns the page and the files written. `folder/kept` has vectors of images and labels, so that a run that was
    killed goes on. Raises InputError for sets, models and labelers that cannot be used, OutputError for a folder that
    cannot be used (see `force`), MissingExtraError without the extras `llm`, `neural`, `images` and `study`.
    """
    found = retrieval_study(study, folder, force=force, tell=progress)
    if folder is None:
        return found.page, []
    written = write_page(found.page, Path(folder), force=True)
    path = Path(folder) / NEIGHBOURS
    content = encode_header(_COLUMNS, "csv") + encode_rows(_COLUMNS, found.neighbours, "csv")
    try:
        write_whole(path, content)
    except OSError as error:
        raise output_error(error, path, needed=len(content)) from error
    return found.page, [*written, path]
