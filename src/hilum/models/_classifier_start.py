"""The backbone that a new classifier begins with: of others, or of an earlier image classifier."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hilum.core.errors import InputError
from hilum.models._backbones import HfBackbone, blank_hf, pretrained_hf
from hilum.models._classifier_files import (
    COUNTER,
    HEAD,
    SPEC,
    check_fit,
    load_backbone,
    read_config,
    read_spec,
    read_tensors,
)
from hilum.models._classifier_weights import read_classifier_checkpoint
from hilum.models._neural import torch
from hilum.models._weight_files import WEIGHTS
from hilum.models.classifier_spec import ClassifierSpec
from hilum.models.densenet import DenseNet

_FIRST = "features.conv0.weight"


def load_densenet(backbone: DenseNet, source: str | Path) -> None:
    """Put the backbone at `source`, a checkpoint file or the folder of an image classifier, into a DenseNet.

    Raises InputError when it is no DenseNet of these sizes; the number of channels is made to fit.
    """
    path = Path(source)
    if path.is_dir():
        folder, _ = read_spec(path)
        tensors = read_tensors(folder / WEIGHTS)
    else:
        tensors = read_classifier_checkpoint(path).tensors
    if _FIRST in tensors:
        tensors = {**tensors, _FIRST: fit_channels(tensors[_FIRST], backbone.config.channels)}
    _put(backbone, tensors, where=str(path))


def start_hf(source: str, spec: ClassifierSpec) -> HfBackbone:
    """The backbone of transformers at `source`: an image classifier of hilum, or what AutoModel can load.

    Raises InputError when it cannot be loaded, or its tensors are not exactly its own.
    """
    if not (Path(source) / SPEC).is_file():
        return pretrained_hf(source, spec)
    folder, earlier = read_spec(source)
    if not isinstance(earlier.architecture, str):
        raise InputError(
            f"{source} is a DenseNet, and the architecture {spec.architecture!r} is a backbone of transformers. Next "
            "step: take the architecture of the earlier classifier."
        )
    backbone = blank_hf(read_config(folder), spec)
    _put(backbone.model, read_tensors(folder / WEIGHTS), where=str(folder / WEIGHTS))
    return backbone


def _put(backbone: torch.nn.Module, tensors: Mapping[str, torch.Tensor], *, where: str) -> None:
    kept = {name: tensor for name, tensor in tensors.items() if not name.startswith(HEAD)}
    wanted = {n: tuple(t.shape) for n, t in backbone.state_dict().items() if not n.endswith(COUNTER)}
    check_fit(kept, wanted, where=where)
    load_backbone(backbone, kept)


def fit_channels(weight_OCHW: torch.Tensor, channels: int) -> torch.Tensor:
    """The first convolution for another number of channels: equal channels give what they gave before.

    Raises InputError for anything but three to one and one to three.
    """
    has = weight_OCHW.shape[1]
    if has == channels:
        return weight_OCHW
    if has == 3 and channels == 1:
        return weight_OCHW.float().sum(dim=1, keepdim=True)
    if has == 1 and channels == 3:
        return weight_OCHW.float().expand(-1, 3, -1, -1) / 3
    raise InputError(f"A first convolution for {has} channels cannot be made to fit {channels}.")
