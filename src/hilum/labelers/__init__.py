"""Reports to `Labels` with evidence; each module whose name has no leading underscore is a labeler."""

from __future__ import annotations

from collections.abc import Callable

from hilum.core.plugins import Folder
from hilum.labelers._base import Labeler, ReportSpans

__all__ = ["LABELERS", "Labeler", "ReportSpans", "get_labeler"]

LABELERS: Folder[Callable[..., Labeler]] = Folder("labeler", "hilum.labelers", "build")
"""All labelers: a module `hilum/labelers/NAME.py` with a function `build(**options) -> Labeler`."""


def get_labeler(name: str = "rules", **options: object) -> Labeler:
    """The labeler `name`, built with its options (for `rules`: vocabulary, convention).

    Raises UnknownNameError for a name or option value that does not exist.
    """
    return LABELERS.get(name)(**options)
