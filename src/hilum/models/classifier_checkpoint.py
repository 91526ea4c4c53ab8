"""DenseNets of others as image classifiers of hilum: ImageNet's, CheXpert-style, torchxrayvision-style."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from hilum.core.errors import InputError
from hilum.models._classifier_files import CLASSIFIER, HEAD, load_backbone
from hilum.models._classifier_weights import (
    CHEXPERT,
    STYLES,
    TORCHVISION,
    TORCHXRAYVISION,
    ClassifierCheckpoint,
    read_classifier_checkpoint,
)
from hilum.models._neural import torch
from hilum.models._weight_files import check_free, write_at_once
from hilum.models.classifier import ImageClassifier, save_classifier
from hilum.models.classifier_spec import ClassifierSpec, densenet_architecture
from hilum.models.densenet import DenseNet

__all__ = [
    "FRAMES",
    "STYLES",
    "ClassifierCheckpoint",
    "ConvertedClassifier",
    "convert_classifier",
    "read_classifier_checkpoint",
]

FRAMES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        TORCHVISION: {"size_px": 224, "fit": "crop", "normalisation": "imagenet"},
        CHEXPERT: {"size_px": 320, "fit": "squash", "normalisation": "imagenet"},
        TORCHXRAYVISION: {"size_px": 224, "fit": "crop", "normalisation": "minus-1024-to-1024"},
    }
)
"""How images go in, by style, where nothing else is said: 320 x 320 px as Irvin et al. 2019, section 4.1; 224 px of the
middle in [-1024, 1024] as Cohen et al. 2022; 224 px as the models for ImageNet."""


class ConvertedClassifier(NamedTuple):
    """What `convert_classifier` wrote: the folder, the spec, the number of weights, and what was left out."""

    folder: Path
    spec: ClassifierSpec
    parameters: int
    left_out: tuple[str, ...]


def convert_classifier(
    path: str | Path,
    out: str | Path,
    *,
    findings: Sequence[str | None],
    vocabulary: str = "chexpert14",
    style: str | None = None,
    frame: Mapping[str, Any] | None = None,
    force: bool = False,
) -> ConvertedClassifier:
    """Turn a checkpoint of another program into a folder for `load_classifier` at `out`, whole or not at all.

    `findings` names each output of the checkpoint in its order, None for one that is left out: no file says what its
    outputs mean. Names are those of `vocabulary`. How images go in is as FRAMES says, but for what `frame` says of
    size_px, fit and normalisation. Operating points of torchxrayvision become thresholds; its own programs rescale
    probabilities by them, which is not done here. An earlier classifier at `out` is replaced only with `force`, and
    anything else there never.

    Raises InputError when the file cannot be used or the findings do not fit it, OutputError when `out` is taken or
    cannot be written.
    """
    dest = Path(out)
    check_free(dest, CLASSIFIER, force=force, forced_by="give force")
    found = read_classifier_checkpoint(path, style=style)
    rows = _rows(found, findings, where=str(path))
    unknown = [name for name in frame or {} if name not in FRAMES[found.style]]
    if unknown:
        raise InputError(f"frame has {unknown[0]!r}; allowed: {', '.join(FRAMES[found.style])}.")
    spec = _spec(found, rows, vocabulary, {**FRAMES[found.style], **(frame or {})})
    model = _model(found, spec, list(rows.values()))
    write_at_once(dest, lambda folder: save_classifier(folder, model))
    dropped = tuple(f"{HEAD}* row {place}" for place, name in enumerate(findings) if name is None)
    parameters = sum(p.numel() for p in model.parameters())
    return ConvertedClassifier(dest, spec, parameters, (*found.left_out, *dropped))


def _rows(found: ClassifierCheckpoint, findings: Sequence[str | None], *, where: str) -> dict[str, int]:
    """Finding -> its place among the outputs."""
    if found.outputs != len(findings):
        has = f"{found.outputs} outputs" if found.outputs else "no classifier, so no outputs"
        raise InputError(
            f"{where} has {has}, and {len(findings)} findings were named. Next step: name one for each output, None "
            "for those to leave out; or, to begin a training with its backbone, give it as pretrained weights."
        )
    named = [name for name in findings if name is not None]
    if not named or len(set(named)) < len(named):
        raise InputError(
            f"findings must name at least one output, and no finding twice; got {', '.join(named)}."
        )
    return {name: place for place, name in enumerate(findings) if name is not None}


def _spec(
    found: ClassifierCheckpoint, rows: Mapping[str, int], vocabulary: str, frame: Mapping[str, Any]
) -> ClassifierSpec:
    sizes, points = found.config, found.operating_points
    thresholds = (
        {name: points[place] for name, place in rows.items() if not math.isnan(points[place])}
        if points
        else None
    )
    architecture = densenet_architecture(
        blocks=sizes.blocks, growth=sizes.growth, first=sizes.first, bottleneck=sizes.bottleneck
    )
    return ClassifierSpec(
        tuple(rows),
        vocabulary,
        channels=sizes.channels,
        architecture=architecture,
        thresholds=thresholds or None,
        **frame,
    )


def _model(found: ClassifierCheckpoint, spec: ClassifierSpec, places: list[int]) -> ImageClassifier:
    with torch.random.fork_rng(devices=[]):
        backbone = DenseNet(found.config, outputs=0)
        head = torch.nn.Linear(found.config.features, len(places))
    load_backbone(backbone, {n: t for n, t in found.tensors.items() if not n.startswith(HEAD)})
    head.load_state_dict({name: found.tensors[HEAD + name][places] for name in ("weight", "bias")})
    return ImageClassifier(backbone, head, spec).eval()
