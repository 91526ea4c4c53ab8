"""Training the generators that a method is compared with: a language model from noise, and a TieNet-like model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hilum.core.errors import InputError
from hilum.models.generator_spec import NOISE_RNN, TIENET
from hilum.train.generator import GeneratorResult
from hilum.train.generator_config import LIKELIHOOD, GeneratorTraining
from hilum.train.generator_data import ReportSet

if TYPE_CHECKING:
    from hilum.train.loop import Progress

BASELINES = (NOISE_RNN, TIENET)
"""What can be trained here; names of `models.generator_spec.KINDS`."""


@dataclass(frozen=True)
class Classes:
    """What a TieNet is taught to classify: names of findings, and of each image 0, 1 or LEFT_OUT for each of them."""

    findings: tuple[str, ...] = ()
    of_images: Mapping[str, Sequence[int]] = field(default_factory=dict)
    weight: float = 1.0


def train_baseline(
    kind: str,
    config: GeneratorTraining,
    *,
    learned: ReportSet,
    dev: ReportSet,
    classes: Classes | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
    tell: Callable[[str], None] = lambda _: None,
    fresh: bool = False,
) -> GeneratorResult:
    """Train a baseline into `config.output` by likelihood, or go on with a run that was stopped; as `train_generator`.

    Raises InputError for another kind, another stage, and images without classes for a TieNet.
    """
    if kind not in BASELINES:
        raise InputError(f"There is no baseline {kind!r} to train. Known: {', '.join(BASELINES)}.")
    if config.stage != LIKELIHOOD or config.init is not None:
        raise InputError(
            "Baselines learn by likelihood from the start; leave init out, and stage likelihood."
        )
    given = classes or Classes()
    if kind == TIENET and (missing := {*learned.ids, *dev.ids} - given.of_images.keys()):
        raise InputError(f"{len(missing):,} images have no classes, e.g. {min(missing)!r}.")
    from hilum.train._baseline_run import run  # noqa: PLC0415  (loads torch)

    return run(kind, config, learned, dev, given, progress=progress, tell=tell, fresh=fresh)
