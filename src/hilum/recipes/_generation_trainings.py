"""The trainings of the study of report generation, made of its choices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hilum.core.errors import InputError
from hilum.recipes.classifier import recipe as classifier_recipe
from hilum.recipes.generation import CCR, FULL, LIKELY, MAJOR, NEAREST, NLG, NOISE, TIENET, GenerationStudy
from hilum.recipes.generator import recipe as generator_recipe
from hilum.train.classifier_config import ClassifierTraining
from hilum.train.generator_config import REINFORCE, GeneratorTraining

REWARD_OF = {NLG: "overlap", CCR: "findings", FULL: "mix"}
CLASSIFIER, RUN = "classifier", "run"
_IMAGE = ("size_px", "fit", "normalisation", "channels", "architecture")


@dataclass(frozen=True)
class Trainings:
    """All trainings of a study, below the folder of its stages."""

    study: GenerationStudy
    home: Path

    def check(self) -> None:
        """Make all trainings that are to be, and forget them. Raises InputError and UnknownNameError.

        Nothing is learned before it is known that everything can be.
        """
        if self.study.classifier is None:
            self.classifier()
        for name in self.study.chosen:
            if name in REWARD_OF:
                self.reinforce(name, init=self.home)
            if name in REWARD_OF or name in (LIKELY, TIENET):
                self.likelihood(TIENET if name == TIENET else LIKELY, classifier=self.home)
            elif name not in (MAJOR, NEAREST):
                self.noise(None)

    def classifier(self) -> ClassifierTraining:
        """That of the image classifier whose convolutions everything sees with."""
        study = self.study
        choices = {
            "uncertain": "ones", "seed": study.seed, "device": study.device, "threads": study.threads,
            "workers": study.workers, "views": study.views, "cache": self.home / "pixels", **study.image,
        }  # fmt: skip
        output = self.home / CLASSIFIER / RUN
        made: ClassifierTraining = _checked(
            CLASSIFIER, lambda: classifier_recipe(study.image_recipe)(output, **choices)
        )
        return made

    def noise(self, spec: Any | None) -> GeneratorTraining:
        """That of Noise-RNN; `spec` of the classifier says how images would go in, if it saw them."""
        taken = {} if spec is None else {key: getattr(spec, key) for key in _IMAGE}
        return self._generator(NOISE, self.study.baseline, **taken)

    def likelihood(self, name: str, *, classifier: Path) -> GeneratorTraining:
        """That of the first stage, or of the TieNet-like model."""
        choices = self.study.baseline if name == TIENET else self.study.generator
        return self._generator(name, choices, classifier=classifier, freeze_encoder=True)

    def reinforce(self, name: str, *, init: Path) -> GeneratorTraining:
        """That of a reward, from the generator that learned by likelihood."""
        own = {"stage": REINFORCE, "reward": REWARD_OF[name], "weight": self.study.weight, "init": init}
        return self._generator(name, self.study.reinforce, freeze_encoder=True, **own)

    def _generator(self, name: str, choices: Mapping[str, Any], **own: Any) -> GeneratorTraining:
        study = self.study
        shared = {
            "data": study.train, "seed": study.seed, "device": study.device, "threads": study.threads,
            "workers": study.workers, "judge": study.labeler, "cache": self.home / "pixels", **own,
        }  # fmt: skip
        output = self.home / name / RUN
        made: GeneratorTraining = _checked(
            name, lambda: generator_recipe(study.recipe)(output, **{**shared, **choices})
        )
        return made


def _checked(what: str, make: Callable[[], Any]) -> Any:
    """What `make` makes. Raises InputError for choices that it does not have."""
    try:
        return make()
    except TypeError as error:
        raise InputError(f"The training {what!r} cannot be so: {error}.") from error
