"""The VisualCheXbert study, from images and reports to a folder with a page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hilum.analyses._output import write_page
from hilum.core.results import ResultPage
from hilum.recipes.visualchexbert import VisualChexbertStudy, visualchexbert_study

if TYPE_CHECKING:
    from hilum.train.loop import Progress

__all__ = ["VisualChexbertStudy", "study_visualchexbert"]


def study_visualchexbert(
    study: VisualChexbertStudy,
    folder: str | Path,
    *,
    force: bool = False,
    fresh: bool = False,
    progress: Callable[[str], object] = lambda _: None,
    meter: Callable[[Progress], None] = lambda _: None,
) -> tuple[ResultPage, list[Path]]:
    """Run the study in `folder`, or go on with it, and write page, tables and figures there.

    Stages are kept in `folder/stages`; `fresh` forgets them. `progress` gets lines in words, `meter` the steps of the
    trainings. Returns the page and the files written. Raises InputError for sets that lack what is needed or share
    patients, OutputError and ResumeError for a folder that cannot be used (see `force`), MissingExtraError without
    the extras `neural`, `images` and `study`.
    """
    page = visualchexbert_study(study, folder, force=force, fresh=fresh, tell=progress, meter=meter)
    return page, write_page(page, Path(folder), force=True)
