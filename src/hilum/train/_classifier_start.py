"""What a training of a classifier starts from: spec, first weights, optimizer, and what decides them."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from hilum.core.errors import InputError
from hilum.core.rng import rng_for
from hilum.models.classifier import load_classifier, new_classifier
from hilum.models.classifier_spec import ClassifierSpec
from hilum.train._machine import versions
from hilum.train.classifier_config import ClassifierTraining
from hilum.train.classifier_losses import outputs_of
from hilum.train.data import digest
from hilum.train.image_reading import findings_of
from hilum.train.image_set import ImageSet
from hilum.train.loop import LoopSettings, Machine


def spec_of(config: ClassifierTraining, images: ImageSet) -> ClassifierSpec:
    """The spec of the classifier that a training makes; one that goes on from a checkpoint keeps that one's.

    Raises InputError when the checkpoint has other outputs or findings without labels.
    """
    if config.checkpoint is None:
        return ClassifierSpec(
            findings=findings_of(config, images),
            vocabulary=images.vocabulary.name,
            size_px=config.size_px,
            fit=config.fit,
            normalisation=config.normalisation,
            channels=config.channels,
            architecture=config.architecture,
            outputs=outputs_of(config.uncertain),
        )
    spec = load_classifier(config.checkpoint).spec
    given = (spec.outputs, spec.size_px, spec.fit, spec.vocabulary)
    wanted = (outputs_of(config.uncertain), config.size_px, config.fit, images.vocabulary.name)
    if given != wanted or set(spec.findings) - set(images.findings):
        raise InputError(
            f"{config.checkpoint} has {_told(given)} and the findings {', '.join(spec.findings)}; this training has "
            f"{_told(wanted)} and labels of {', '.join(images.findings)}. Next step: --init {config.checkpoint} takes "
            "its backbone alone, with a new head."
        )
    return replace(spec, temperatures=None, thresholds=None)


def _told(given: tuple[str, int, str, str]) -> str:
    return "{} outputs, {} px, fit {}, vocabulary {}".format(*given)


def deciding(config: ClassifierTraining, images: ImageSet, dev: ImageSet | None) -> dict[str, Any]:
    """Everything that decides the weights, as plain JSON values."""
    digests = {"images": images.digest()}
    if dev is not None:
        digests["dev"] = dev.digest()
    for name, path in (("pretrained", config.pretrained), ("checkpoint", config.checkpoint)):
        if path is not None and Path(path).exists():
            digests[name] = digest(Path(path))
    return {"training": config.deciding(), "data": digests, "versions": versions()}


def machine_of(config: ClassifierTraining, spec: ClassifierSpec, accelerator: Any) -> Machine:
    """The model with its first weights, its average and its optimizer, on the device."""
    seed = int(rng_for(config.seed, "first weights").integers(2**62))
    if config.checkpoint is not None:
        bare = load_classifier(config.checkpoint).model.train()
        bare.spec = spec
    else:
        bare = new_classifier(spec, pretrained=config.pretrained, seed=seed)
    bare = bare.to(accelerator.device)
    bare.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = copy.deepcopy(bare).eval().requires_grad_(False) if config.average else None
    learned = [parameter for parameter in bare.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=config.learning_rate, weight_decay=config.weight_decay)
    model, prepared = accelerator.prepare(bare, optimizer)
    return Machine(accelerator, model, bare, prepared, average, config.average)


def settings_of(config: ClassifierTraining) -> LoopSettings:
    """How the loop goes through a task."""
    return LoopSettings(
        epochs=config.epochs, parts=config.parts, learning_rate=config.learning_rate, schedule=config.schedule,
        warmup=config.warmup, clip_norm=config.clip_norm, patience=config.patience, seed=config.seed,
        save_every=config.save_every,
    )  # fmt: skip
