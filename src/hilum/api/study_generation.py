"""The study of report generation, from images and reports to a folder with a page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hilum.analyses._output import write_page, write_whole
from hilum.core.results import ResultPage
from hilum.recipes.generation import REPEATS, SYSTEMS, GenerationStudy, generation_study
from hilum.tables.write import output_error

if TYPE_CHECKING:
    from hilum.train.loop import Progress

__all__ = ["REPEATS", "SYSTEMS", "GenerationStudy", "study_generation"]


def study_generation(
    study: GenerationStudy,
    folder: str | Path,
    *,
    force: bool = False,
    fresh: bool = False,
    progress: Callable[[str], object] = lambda _: None,
    meter: Callable[[Progress], None] = lambda _: None,
) -> tuple[ResultPage, list[Path]]:
    """Run the study in `folder`, or go on with it, and write pages, tables, figures and reports there.

    Stages are kept in `folder/stages`; `fresh` forgets them. `progress` gets lines in words, `meter` the steps of the
    trainings. Returns the page of tables and the files written: `index.html` first, then tables and figures,
    `examples.html`, and `reports/SYSTEM.csv` with id, report and reference. Raises InputError for sets that lack what
    is needed or share patients, OutputError and ResumeError for a folder that cannot be used (see `force`),
    MissingExtraError without the extras `neural`, `images`, `study`, and `llm` for 1-NN.
    """
    home = Path(folder)
    found = generation_study(study, home, force=force, fresh=fresh, tell=progress, meter=meter)
    written = write_page(found.page, home, force=True)
    for name, content in found.files.items():
        try:
            write_whole(home / name, content)
        except OSError as error:
            raise output_error(error, home / name, needed=len(content)) from error
        written.append(home / name)
    return found.page, written
