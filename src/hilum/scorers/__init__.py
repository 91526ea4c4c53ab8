"""Generated reports to `Score`s; each module whose name has no leading underscore is a scorer."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping

from hilum.core.plugins import Folder
from hilum.scorers._base import References, Scorer, Tick
from hilum.scorers._overlap import Words

__all__ = ["SCORERS", "References", "Scorer", "Tick", "Words", "get_scorer", "options_of"]

SCORERS: Folder[Callable[..., Scorer]] = Folder("scorer", "hilum.scorers", "build")
"""All scorers: a module `hilum/scorers/NAME.py` with a function `build(**options) -> Scorer`."""


def get_scorer(name: str, **options: object) -> Scorer:
    """The scorer `name`, built with its options (for `clinical`: labeler, preset, ...).

    Raises UnknownNameError for a name or option value that does not exist.
    """
    return SCORERS.get(name)(**options)


def options_of(name: str) -> Mapping[str, inspect.Parameter]:
    """The options that the `build` of scorer `name` takes, by name."""
    return inspect.signature(SCORERS.get(name)).parameters
