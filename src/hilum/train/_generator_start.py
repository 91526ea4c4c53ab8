"""What a training of a report generator starts from: spec, first weights, and what decides them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from hilum.core.errors import InputError
from hilum.core.rng import rng_for
from hilum.models._classifier_files import SPEC as CLASSIFIER_SPEC
from hilum.models._generator_files import SPEC as GENERATOR_SPEC
from hilum.models.classifier import load_classifier
from hilum.models.generator_spec import CNN_RNN_RNN, GeneratorSpec
from hilum.models.report_generator import Generator, load_generator, new_generator
from hilum.train._generator_words import vocabulary_of
from hilum.train._machine import versions
from hilum.train.data import digest
from hilum.train.generator_config import GeneratorTraining
from hilum.train.generator_data import ReportSet

_IMAGE = ("size_px", "fit", "normalisation", "channels")
_SIZES = ("width", "hidden", "most_sentences", "most_words")


def resolved(config: GeneratorTraining) -> GeneratorTraining:
    """The training with the sizes of what it starts from: those of a generator, or the image of a classifier.

    Raises InputError when these cannot be loaded, or the generator is of another kind.
    """
    if config.init is not None:
        if (config.init / CLASSIFIER_SPEC).is_file():
            raise InputError(
                f"{config.init} is an image classifier, and --init goes on from a report generator. Next step: "
                f"--classifier {config.init} for a new generator that sees with it."
            )
        spec = load_generator(config.init).spec
        if spec.kind != CNN_RNN_RNN:
            raise InputError(
                f"{config.init} is a generator of the kind {spec.kind}; only {CNN_RNN_RNN} is trained here. Next step: "
                "--init with the model of such a run."
            )
        taken = {name: getattr(spec, name) for name in (*_IMAGE, *_SIZES, "architecture")}
        return replace(config, **taken)
    if config.classifier is not None:
        if (config.classifier / GENERATOR_SPEC).is_file():
            raise InputError(
                f"{config.classifier} is a report generator. Next step: --init {config.classifier} to go on from it, "
                "or --classifier with a folder that `hilum train classifier` wrote."
            )
        found = load_classifier(config.classifier).spec
        if isinstance(found.architecture, str):
            raise InputError(
                f"{config.classifier} has the backbone {found.architecture}, and the image encoder of a generator is a "
                "DenseNet. Next step: --classifier with a DenseNet of `hilum train classifier`."
            )
        taken = {name: getattr(found, name) for name in (*_IMAGE, "architecture")}
        return replace(config, **taken)
    return config


def spec_of(config: GeneratorTraining, learned: ReportSet) -> GeneratorSpec:
    """The spec that a training makes; one that goes on from a generator keeps that one's, vocabulary and all."""
    if config.init is not None:
        return load_generator(config.init).spec
    return GeneratorSpec(
        words=vocabulary_of(learned.sentences, least_count=config.least_count),
        architecture=config.architecture,
        **{name: getattr(config, name) for name in (*_IMAGE, *_SIZES)},
    )


def first_generator(config: GeneratorTraining, spec: GeneratorSpec) -> Generator:
    """The generator with its first weights, float32, on the CPU."""
    if config.init is not None:
        return load_generator(config.init).model.train()
    seed = int(rng_for(config.seed, "first weights").integers(2**62))
    return new_generator(spec, seed=seed, classifier=config.classifier)


def deciding(config: GeneratorTraining, learned: ReportSet, dev: ReportSet | None) -> dict[str, Any]:
    """Everything that decides the weights, as plain JSON values."""
    digests = {"learned": learned.digest()}
    if dev is not None:
        digests["dev"] = dev.digest()
    given = {"init": config.init, "classifier": config.classifier, "judge": config.judge_weights}
    for name, path in given.items():
        if path is not None and Path(path).exists():
            digests[name] = digest(Path(path))
    return {"training": config.deciding(), "data": digests, "versions": versions()}
