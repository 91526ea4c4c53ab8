"""Reports to `Labels` with evidence; each module whose name has no leading underscore is a labeler."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping

from hilum.core.errors import InputError
from hilum.core.plugins import Folder
from hilum.labelers._base import Labeler, ModelLabels, ReportSpans, Traits, traits_of

__all__ = [
    "LABELERS",
    "Labeler",
    "ModelLabels",
    "ReportSpans",
    "Traits",
    "get_labeler",
    "labeler_options",
    "traits_of",
]

LABELERS: Folder[Callable[..., Labeler]] = Folder("labeler", "hilum.labelers", "build")
"""All labelers: a module `hilum/labelers/NAME.py` with a function `build(**options) -> Labeler`."""

_ALWAYS: Mapping[str, str] = {"vocabulary": "chexpert14", "convention": "house"}
"""What a labeler gets that takes these options and has no value of its own for them."""


def get_labeler(name: str = "rules", **options: object) -> Labeler:
    """The labeler `name`, built with its options.

    Options of `rules`: vocabulary, convention. Of `chexbert`, `visualchexbert` and `mini`: those of
    `labelers._neural.NeuralOptions`, of which `weights` is needed. Raises UnknownNameError for a name or
    option value that does not exist, InputError for an option that it does not take and for weights that cannot
    be used.
    """
    build = LABELERS.get(name)
    _check_taken(name, options, build)
    return build(**options)


_OBJECTS = ("engine",)
"""Options that no command line can give."""


def labeler_options(name: str, given: Mapping[str, object]) -> dict[str, object]:
    """What to build the labeler `name` with: the options of `given` that have a value.

    A labeler that needs `vocabulary` or `convention`, or takes any option, gets the usual ones. Raises
    UnknownNameError for the labeler, and InputError for an option that it does not take.
    """
    build = LABELERS.get(name)
    chosen = {option: value for option, value in given.items() if value is not None}
    _check_taken(name, chosen, build)
    taken = inspect.signature(build).parameters
    anything = any(p.kind is p.VAR_KEYWORD for p in taken.values())
    usual = {
        option: value
        for option, value in _ALWAYS.items()
        if (option in taken and taken[option].default is inspect.Parameter.empty)
        or (anything and option not in taken)
    }
    return {**usual, **chosen}


def _check_taken(name: str, options: Mapping[str, object], build: Callable[..., Labeler]) -> None:
    taken = inspect.signature(build).parameters
    unknown = [option for option in options if option not in taken]
    if unknown and not any(p.kind is p.VAR_KEYWORD for p in taken.values()):
        told = ", ".join(f"--{option.replace('_', '-')}" for option in unknown)
        known = ", ".join(option.replace("_", "-") for option in taken if option not in _OBJECTS)
        raise InputError(
            f"The labeler {name!r} does not take {told}; it takes {known}. "
            "Next step: leave that out, or choose another labeler with --labeler."
        )
