"""Images to logits of findings: a DenseNet or a backbone of transformers, and one linear head.

Importing this module imports torch; whoever may be asked without it imports `models.classifier_spec` alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError
from hilum.models._backbones import HfBackbone, blank_hf, densenet_config, inner
from hilum.models._classifier_files import (
    digest_of,
    load_parts,
    read_config,
    read_spec,
    read_tensors,
    write_folder,
)
from hilum.models._classifier_start import load_densenet, start_hf
from hilum.models._neural import torch
from hilum.models._weight_files import WEIGHTS
from hilum.models.classifier_spec import ClassifierSpec
from hilum.models.densenet import DenseNet

__all__ = [
    "ClassifierSpec",
    "ImageClassifier",
    "LoadedClassifier",
    "as_input",
    "load_classifier",
    "new_classifier",
    "save_classifier",
]


class ImageClassifier(torch.nn.Module):
    """Normalised images to logits. Keys of its state dict are `backbone.*` and `head.weight|bias`."""

    def __init__(self, backbone: DenseNet | HfBackbone, head: torch.nn.Linear, spec: ClassifierSpec) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.spec = spec

    def forward(self, pixels_BCHW: torch.Tensor) -> torch.Tensor:
        """Logits [B, C], C `spec.columns`: those of a finding side by side, findings in the order of the spec."""
        return self._logits(self.backbone.pooled(pixels_BCHW))

    def with_activations(self, pixels_BCHW: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits [B, C], and the activations that Grad-CAM differentiates by (see `backbone.grid`)."""
        pooled_BD, activations = self.backbone.activations(pixels_BCHW)
        return self._logits(pooled_BD), activations

    def _logits(self, pooled_BD: torch.Tensor) -> torch.Tensor:
        """The head in float32, also under mixed precision: probabilities near each other stay apart."""
        with torch.autocast(pooled_BD.device.type, enabled=False):
            found: torch.Tensor = self.head(pooled_BD.to(self.head.weight.dtype))
        return found

    def split(self, logits_BC: torch.Tensor) -> torch.Tensor:
        """Logits by finding, [B, F, K]."""
        return logits_BC.reshape(len(logits_BC), len(self.spec.findings), self.spec.classes)

    def spare_memory(self, on: bool = True) -> None:
        """Gradient checkpointing: less memory while training, slower, the same gradients.

        Raises InputError for a backbone that cannot.
        """
        self.backbone.spare_memory(on)


@dataclass(frozen=True, eq=False)
class LoadedClassifier:
    """An image classifier that is ready to predict.

    `digest` is the SHA-256 of all files that decide its probabilities: equal digests, equal probabilities.
    """

    model: ImageClassifier
    spec: ClassifierSpec
    folder: Path
    digest: str

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next(self.model.parameters()).device


def new_classifier(
    spec: ClassifierSpec, *, pretrained: str | Path | None = None, config: Any = None, seed: int = 0
) -> ImageClassifier:
    """An image classifier for training: float32, on the CPU, in training mode, with a new head.

    A DenseNet is made from scratch, or its backbone is taken from `pretrained`: a checkpoint file in one of the
    styles of `classifier_checkpoint`, or the folder of an image classifier; a first convolution for one or three
    channels is made to fit. Another architecture is a hub id or folder for AutoModel, or the folder of an image
    classifier: `pretrained` when given, else `spec.architecture`; with `config`, a transformers configuration, it is
    made from scratch. Everything random is drawn from `seed`, and torch's own generator is left as it was.

    Raises InputError when weights cannot be loaded or do not fit.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head_seed = int(torch.randint(2**31, ()).item())
        backbone: DenseNet | HfBackbone
        if isinstance(spec.architecture, str):
            backbone, spec = _hf_backbone(spec.architecture, spec, pretrained, config)
        else:
            backbone = _densenet(spec, pretrained)
        torch.manual_seed(head_seed)  # the same head whatever the backbone drew
        model = ImageClassifier(backbone, _head(backbone, spec), spec)
    return model.train()


def _densenet(spec: ClassifierSpec, pretrained: str | Path | None) -> DenseNet:
    backbone = DenseNet(densenet_config(spec), outputs=0)
    if pretrained is not None:
        load_densenet(backbone, pretrained)
    return backbone


def _hf_backbone(
    architecture: str, spec: ClassifierSpec, pretrained: str | Path | None, config: Any
) -> tuple[HfBackbone, ClassifierSpec]:
    """The backbone, and the spec without the path of a folder: where it lay decides nothing."""
    if config is not None and pretrained is not None:
        raise InputError("A new backbone needs either pretrained weights or a configuration, and not both.")
    source = str(pretrained) if pretrained is not None else architecture
    backbone = blank_hf(config, spec) if config is not None else start_hf(source, spec)
    name = Path(architecture).resolve().name if Path(architecture).exists() else architecture
    return backbone, replace(spec, architecture=name)


def _head(backbone: DenseNet | HfBackbone, spec: ClassifierSpec) -> torch.nn.Linear:
    width = backbone.config.features if isinstance(backbone, DenseNet) else backbone.features_count
    head = torch.nn.Linear(width, spec.columns)
    torch.nn.init.zeros_(head.bias)
    return head


def as_input(pixels_BCHW: npt.NDArray[np.float32], device: torch.device | str = "cpu") -> torch.Tensor:
    """Prepared images as a tensor [B, C, H, W] on `device`, its channels last in memory: convolutions are faster so."""
    last_BHWC = pixels_BCHW.transpose(0, 2, 3, 1)
    copied_BHWC = np.empty(
        last_BHWC.shape, dtype=np.float32
    )  # a new array: one channel has no order of its own
    copied_BHWC[...] = last_BHWC
    return torch.from_numpy(copied_BHWC).to(device, non_blocking=True).permute(0, 3, 1, 2)


def save_classifier(folder: str | Path, model: ImageClassifier) -> Path:
    """Write a classifier into `folder` (made when it is not there) and return the folder.

    `model.safetensors` has the backbone's tensors under its own names (torchvision's for a DenseNet) and the head's
    as `classifier.weight|bias`; `hilum_classifier.json` the spec; `config.json` the configuration of a backbone of
    transformers. Equal weights give equal bytes. Raises OutputError when it cannot be written.
    """
    path = Path(folder)
    write_folder(path, backbone=inner(model.backbone), head=model.head, spec=model.spec)
    return path


def load_classifier(folder: str | Path | None, *, device: str = "cpu") -> LoadedClassifier:
    """The classifier that `save_classifier` wrote: float32, in evaluation mode, on `device`.

    Nothing but the folder is read, no code of it is run, and torch's generator is left as it was. Raises InputError
    when there is no such folder, a file is missing or broken, or a tensor is missing, extra or wrongly shaped.
    """
    path, spec = read_spec(folder)
    tensors = read_tensors(path / WEIGHTS)
    with torch.random.fork_rng(devices=[]):  # weights are drawn before they are loaded
        backbone = (
            blank_hf(read_config(path), spec)
            if isinstance(spec.architecture, str)
            else DenseNet(densenet_config(spec), outputs=0)
        )
        model = ImageClassifier(backbone, _head(backbone, spec), spec)
    where = str(path / WEIGHTS)
    load_parts(inner(backbone), model.head, tensors, where=where)
    try:
        model = model.float().eval().to(device)
    except (RuntimeError, AssertionError, ValueError) as error:
        raise InputError(
            f"The device {device!r} cannot be used: {' '.join(str(error).split())[:200]}. Next step: cpu, or a device "
            "that torch sees, e.g. cuda or cuda:1."
        ) from error
    return LoadedClassifier(model, spec, path, digest_of(path))
