"""Classifiers of a few hundred numbers, and images that are invented."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from transformers import ConvNextConfig, ResNetConfig, ViTConfig

from hilum.core.imaging import Pixels
from hilum.models.classifier import ImageClassifier, new_classifier
from hilum.models.classifier_spec import ClassifierSpec, densenet_architecture

FINDINGS = ("Cardiomegaly", "Edema", "Pleural Effusion")
ARCHITECTURE = densenet_architecture(blocks=(2, 2), growth=4, first=8, bottleneck=2)


def tiny_spec(**changes: Any) -> ClassifierSpec:
    fields = {
        "size_px": 32,
        "normalisation": "none",
        "channels": 1,
        "architecture": ARCHITECTURE,
        **changes,
    }
    return ClassifierSpec(fields.pop("findings", FINDINGS), **fields)


def stirred(model: torch.nn.Module, seed: int = 3) -> Any:
    """The model with norms that have seen something."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
    return model.eval()


def tiny_classifier(*, seed: int = 0, **changes: Any) -> ImageClassifier:
    return stirred(new_classifier(tiny_spec(**changes), seed=seed))


def vit_config(**changes: Any) -> ViTConfig:
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    return ViTConfig(**{**sizes, "image_size": 32, "patch_size": 8, "num_channels": 1, **changes})


def convnext_config() -> ConvNextConfig:
    return ConvNextConfig(num_channels=1, hidden_sizes=[8, 16], depths=[1, 1], num_stages=2, patch_size=4)


def resnet_config() -> ResNetConfig:
    return ResNetConfig(
        num_channels=1, embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic"
    )


HF_CONFIGS = {"vit": vit_config, "convnext": convnext_config, "resnet": resnet_config}


def hf_classifier(kind: str, *, seed: int = 0, **changes: Any) -> ImageClassifier:
    spec = tiny_spec(architecture=f"tiny-{kind}", **changes)
    return stirred(new_classifier(spec, config=HF_CONFIGS[kind](), seed=seed))


def batch(count: int = 2, *, channels: int = 1, size: int = 32, seed: int = 5) -> torch.Tensor:
    return torch.rand(count, channels, size, size, generator=torch.Generator().manual_seed(seed))


def picture(seed: int = 0, *, height: int = 40, width: int = 50) -> Pixels:
    return np.random.default_rng(seed).random((1, height, width), dtype=np.float32)
