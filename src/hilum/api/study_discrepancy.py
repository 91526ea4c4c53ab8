"""The study of disagreement between report labels and image labels, into a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hilum.analyses._inputs import DiscrepancyStudy
from hilum.analyses._output import check_folder, write_page
from hilum.analyses.discrepancy import discrepancy
from hilum.analyses.mappings import save_mapping
from hilum.core.results import ResultPage

__all__ = ["DiscrepancyStudy", "study_discrepancy"]


def study_discrepancy(
    study: DiscrepancyStudy,
    folder: str | Path | None = None,
    *,
    force: bool = False,
    progress: Callable[[str], object] = lambda _: None,
) -> tuple[ResultPage, list[Path]]:
    """Run the study and, with `folder`, write page, tables, figures and fitted mappings there.

    Returns the page and the files written. Raises InputError for inputs that cannot be compared and
    OutputError for a folder that cannot be written or holds something else (see `force`).
    """
    if folder is not None:
        check_folder(Path(folder), force=force)
    found = discrepancy(study, progress=progress)
    if folder is None:
        return found.page, []
    written = write_page(found.page, Path(folder), force=force)
    home = Path(folder) / "mappings"
    home.mkdir(exist_ok=True)
    for name, mapping in found.mappings.items():
        save_mapping(mapping, home / f"{name}.json")
        written.append(home / f"{name}.json")
    return found.page, written
