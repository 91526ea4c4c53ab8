"""What works out logits with torch: packed where the encoder is a BERT, else the model itself without padding."""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

from hilum.models._neural import torch
from hilum.models._packed import PackedEncoder, can_pack
from hilum.models._precision import BFLOAT16, INT8, Int8Linear, check_precision
from hilum.models.batches import equal_lengths

Engine = Callable[[Sequence[Sequence[int]]], torch.Tensor]
"""Sequences of ids to logits [B, C] on the device of the model."""

BATCH_TOKENS = {"cpu": 1024, "cuda": 65_536}
"""Tokens of a batch on each kind of device: what fits the caches of a processor, and what fills a GPU."""

_BUILT: weakref.WeakKeyDictionary[Any, dict[str, tuple[object, Engine]]] = weakref.WeakKeyDictionary()


def engine_for(model: Any, precision: str) -> Engine:
    """The engine of a ReportEncoder under a precision; built once for weights as they are now.

    Raises as `check_precision` does.
    """
    device = next(model.parameters()).device
    check_precision(precision, device)
    state = _state(model)
    built = _BUILT.setdefault(model, {})
    if precision not in built or built[precision][0] != state:
        with torch.inference_mode():
            kind = PackedEncoder if can_pack(model.bert) else GenericEncoder
            built[precision] = (state, kind(model, precision))
    return built[precision][1]


def _state(model: Any) -> object:
    """Changes whenever weights are replaced or changed in place."""
    tensors = list(model.parameters())
    versions = (0 if tensor.is_inference() else tensor._version for tensor in tensors)
    return tuple(zip((tensor.data_ptr() for tensor in tensors), versions, strict=True))


class GenericEncoder:
    """Any encoder of transformers: one call for each length of a batch, so that nothing is padded."""

    def __init__(self, model: Any, precision: str) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.device = next(model.parameters()).device
        self.precision = precision
        if precision == INT8:
            _quantise(self.model.bert)

    def __call__(self, sequences: Sequence[Sequence[int]]) -> torch.Tensor:
        """Logits [B, C], float32, in the order of `sequences`."""
        found: list[torch.Tensor] = []
        groups = equal_lengths(sequences)
        with (
            torch.autocast(self.device.type, torch.bfloat16) if self.precision == BFLOAT16 else nullcontext()
        ):
            for group in groups:
                ids_BT = torch.tensor([list(sequences[place]) for place in group]).to(self.device)
                found.append(self.model(ids_BT, torch.ones_like(ids_BT)).float())
        logits_BC = torch.cat(found)
        ordered_BC = torch.empty_like(logits_BC)
        ordered_BC[torch.tensor([place for group in groups for place in group], device=self.device)] = (
            logits_BC
        )
        return ordered_BC


def _quantise(module: Any) -> None:
    for name, child in module.named_children():
        if isinstance(child, torch.nn.Linear):
            setattr(module, name, Int8Linear(child.weight, child.bias))
        else:
            _quantise(child)
