"""Backbones of image classifiers: a DenseNet of our own, or any image model of transformers."""

from __future__ import annotations

import inspect
import math
from pathlib import Path
from typing import Any, Protocol

from hilum.core.errors import InputError
from hilum.models._neural import safetensors, torch, transformers
from hilum.models.classifier_spec import ClassifierSpec
from hilum.models.densenet import DenseNetConfig

_POOLER = "pooler."
_COUNTER = "num_batches_tracked"
_SHOWN = 5


class Backbone(Protocol):
    """What `ImageClassifier` asks of its backbone; `DenseNet` and `HfBackbone` have it."""

    def pooled(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Features [B, D]."""
        ...

    def activations(self, x_BCHW: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Features [B, D], and the activations that Grad-CAM differentiates by."""
        ...

    def grid(self, values: torch.Tensor) -> torch.Tensor:
        """Activations, or their gradients, by place: [B, D, h, w]."""
        ...

    def spare_memory(self, on: bool = True) -> None:
        """Work activations out twice while training instead of keeping them."""
        ...


def densenet_config(spec: ClassifierSpec) -> DenseNetConfig:
    """The sizes of the DenseNet of a spec whose architecture is one."""
    if isinstance(spec.architecture, str):
        raise InputError(f"The architecture {spec.architecture!r} is no DenseNet of hilum.")
    sizes = {name: value for name, value in spec.architecture.items() if name != "kind"}
    return DenseNetConfig(**sizes, channels=spec.channels)


def inner(backbone: torch.nn.Module) -> torch.nn.Module:
    """The module whose tensors are written: the model of transformers, or the DenseNet itself."""
    return backbone.model if isinstance(backbone, HfBackbone) else backbone


class HfBackbone(torch.nn.Module):
    """An image model of transformers, seen as a backbone.

    The features are its pooled output; where it has none, the mean over all places. Images of another size than the
    model was made for are given with interpolated positions where the model can.
    """

    def __init__(self, model: Any, spec: ClassifierSpec) -> None:
        super().__init__()
        self.model = model
        parameters = inspect.signature(model.forward).parameters
        own = getattr(model.config, "image_size", None)
        other = own is not None and own not in (spec.size_px, (spec.size_px, spec.size_px))
        can = "interpolate_pos_encoding" in parameters
        self._options = {"interpolate_pos_encoding": True} if can and other else {}
        self.features_count = self._probe(spec)

    def _probe(self, spec: ClassifierSpec) -> int:
        """D, by one black image. Raises InputError when the model cannot use images of the spec."""
        wanted = getattr(self.model.config, "num_channels", spec.channels)
        if wanted != spec.channels:
            raise InputError(
                f"The backbone {spec.architecture} takes {wanted} channels, and the spec has {spec.channels}. "
                f"Next step: set channels to {wanted}."
            )
        before, black = self.model.training, torch.zeros(1, spec.channels, spec.size_px, spec.size_px)
        try:
            with torch.no_grad():
                self.model.eval()
                return int(self.pooled(black).shape[1])
        except (ValueError, RuntimeError, TypeError, AttributeError, IndexError) as error:
            raise InputError(
                f"The backbone {spec.architecture} cannot use images of {spec.size_px} px: "
                f"{' '.join(str(error).split())[:200]}. Next step: another size_px, or another backbone."
            ) from error
        finally:
            self.model.train(before)

    def pooled(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Features [B, D]."""
        return _pooled(self.model(pixel_values=x_BCHW, **self._options))

    def activations(self, x_BCHW: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Features [B, D], and the last activations that have places and that they depend on.

        Tokens with others before them (a class token) come from before the last layer, since only the class token is
        read after it.
        """
        output = self.model(pixel_values=x_BCHW, output_hidden_states=True, **self._options)
        last = output.last_hidden_state
        apart = last.dim() == 3 and _side(last)[1] > 0
        return _pooled(output), output.hidden_states[-2] if apart else last

    def grid(self, values: torch.Tensor) -> torch.Tensor:
        """Activations, or their gradients, by place: [B, D, h, w]; tokens before the square of patches are left out."""
        if values.dim() == 4:
            return values
        side, before = _side(values)
        kept_BDT = values[:, before:].transpose(1, 2)
        return kept_BDT.reshape(*kept_BDT.shape[:2], side, side)

    def spare_memory(self, on: bool = True) -> None:
        """Gradient checkpointing of transformers. Raises InputError for a model that has none."""
        if not self.model.supports_gradient_checkpointing:
            if not on:
                return
            raise InputError(
                f"{type(self.model).__name__} has no gradient checkpointing. Next step: leave it out; a smaller batch, "
                "or more parts of a batch, takes less memory too."
            )
        kind = "activation" if hasattr(self.model, "activation_checkpointing_enable") else "gradient"
        if on:
            options = {f"{kind}_checkpointing_kwargs": {"use_reentrant": False}}
            getattr(self.model, f"{kind}_checkpointing_enable")(**options)
        else:
            getattr(self.model, f"{kind}_checkpointing_disable")()


def _pooled(output: Any) -> torch.Tensor:
    found = getattr(output, "pooler_output", None)
    if found is None:
        last = output.last_hidden_state
        found = last.mean(dim=1) if last.dim() == 3 else last.mean(dim=(2, 3))
    pooled_BD: torch.Tensor = found.flatten(1)
    return pooled_BD


def _side(tokens_BTD: torch.Tensor) -> tuple[int, int]:
    """Side of the square of patches, and how many tokens stand before it."""
    count = tokens_BTD.shape[1]
    side = math.isqrt(count)
    return side, count - side * side


def blank_hf(config: Any, spec: ClassifierSpec) -> HfBackbone:
    """A backbone with random weights."""
    try:
        model = transformers.AutoModel.from_config(config)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"The backbone {spec.architecture} is none that transformers makes: {' '.join(str(error).split())[:200]}."
        ) from error
    return HfBackbone(model.float(), spec)


def pretrained_hf(source: str, spec: ClassifierSpec) -> HfBackbone:
    """A backbone of a hub id or folder (never looked up on a hub), no code of it run.

    Raises InputError when it cannot be loaded, or lacks weights (those of a pooler may be missing and are drawn).
    """
    try:
        model, told = transformers.AutoModel.from_pretrained(
            source, local_files_only=Path(source).exists(), output_loading_info=True, trust_remote_code=False
        )
    except (OSError, ValueError, RuntimeError, KeyError, safetensors.SafetensorError) as error:
        raise InputError(
            f"{source} is no backbone that transformers can load: {' '.join(str(error).split())[:300]}. Next step: "
            "give a folder that save_pretrained wrote (config.json and model.safetensors), or a hub id."
        ) from error
    missing = sorted(
        name for name in told["missing_keys"] if not name.startswith(_POOLER) and not name.endswith(_COUNTER)
    )
    if missing:
        raise InputError(
            f"{source} lacks {len(missing)} tensors of its own model ({', '.join(missing[:_SHOWN])}). Next step: check "
            "that the folder is whole."
        )
    return HfBackbone(model.float(), spec)
