"""Generated reports to `Score`s; each module whose name has no leading underscore is a scorer."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping

from hilum.core.plugins import Folder
from hilum.scorers._base import References, Scorer, Tick
from hilum.scorers._overlap import Words
from hilum.scorers._rewards import (
    PreparedReward,
    Reward,
    majority_report,
    majority_sentences,
    simple_rewards,
)
from hilum.scorers._trl import TrlReward, trl_rewards

__all__ = [
    "SCORERS",
    "PreparedReward",
    "References",
    "Reward",
    "Scorer",
    "Tick",
    "TrlReward",
    "Words",
    "get_scorer",
    "majority_report",
    "majority_sentences",
    "options_of",
    "simple_rewards",
    "trl_rewards",
]

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
