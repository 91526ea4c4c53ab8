"""The products of a packed encoder under each precision: y = x W^T + b.

float32 and bfloat16 go through oneDNN on x86 processors, whose float32 product is about twice as fast as that of
MKL on processors of AMD and equal to it up to float noise. int8 quantises each row of x by its own largest value
and each column of the product by the largest weight in it; between them stand exact sums of whole numbers. A row's
result does not depend on the other rows of its batch.
"""

from __future__ import annotations

import functools
import platform
from typing import Protocol

from hilum.core.errors import InputError, UnknownNameError
from hilum.models._neural import torch

FLOAT32, BFLOAT16, INT8 = "float32", "bfloat16", "int8"
PRECISIONS: tuple[str, ...] = (FLOAT32, BFLOAT16, INT8)

_TYPICAL_ROWS = 512
_LEAST = 1e-12


class Linear(Protocol):
    """A product with fixed weights: float32 [T, K] in; [T, N] out, bfloat16 under bfloat16, else float32."""

    def __call__(self, x_TK: torch.Tensor) -> torch.Tensor:
        """The product."""
        ...


def check_precision(precision: str, device: torch.device) -> None:
    """Raises UnknownNameError for another precision, InputError for int8 on a GPU or where torch lacks it."""
    if precision not in PRECISIONS:
        raise UnknownNameError("precision", precision, PRECISIONS)
    if precision == INT8 and device.type != "cpu":
        raise InputError(
            f"int8 is for processors, and the model is on {device}. Next step: bfloat16, or --device cpu."
        )
    if precision == INT8 and not _has_int8():
        raise InputError(
            f"torch {torch.__version__} multiplies no int8 matrices here. Next step: a newer torch, or bfloat16."
        )


def linear(weight_NK: torch.Tensor, bias_N: torch.Tensor, precision: str) -> Linear:
    """The product with these weights under a precision, on the device of the weights."""
    weight_NK, bias_N = weight_NK.detach().contiguous(), bias_N.detach()
    if precision == INT8:
        return Int8Linear(weight_NK, bias_N)
    kind = torch.bfloat16 if precision == BFLOAT16 else torch.float32
    weight_NK, bias_N = weight_NK.to(kind), bias_N.to(kind)
    if weight_NK.device.type == "cpu" and _has_onednn():
        return _OneDnnLinear(weight_NK, bias_N)
    return _PlainLinear(weight_NK, bias_N)


class _PlainLinear:
    def __init__(self, weight_NK: torch.Tensor, bias_N: torch.Tensor) -> None:
        self.weight_NK, self.bias_N = weight_NK, bias_N

    def __call__(self, x_TK: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.linear(x_TK.to(self.bias_N.dtype), self.weight_NK, self.bias_N)


class _OneDnnLinear:
    def __init__(self, weight_NK: torch.Tensor, bias_N: torch.Tensor) -> None:
        self.weight_NK = torch.ops.mkldnn._reorder_linear_weight(weight_NK, _TYPICAL_ROWS)
        self.bias_N = bias_N

    def __call__(self, x_TK: torch.Tensor) -> torch.Tensor:
        x_TK = x_TK.to(self.bias_N.dtype).contiguous()
        found: torch.Tensor = torch.ops.mkldnn._linear_pointwise(
            x_TK, self.weight_NK, self.bias_N, "none", [], ""
        )
        return found


class Int8Linear(torch.nn.Module):
    """A product of int8 matrices with float32 in and out; takes any number of leading axes."""

    def __init__(self, weight_NK: torch.Tensor, bias_N: torch.Tensor | None) -> None:
        super().__init__()
        self.scale_N = weight_NK.detach().abs().amax(dim=1).div(127).clamp_min(_LEAST)
        self.weight_KN = (weight_NK.detach() / self.scale_N[:, None]).round().to(torch.int8).t()
        self.bias_N = torch.zeros_like(self.scale_N) if bias_N is None else bias_N.detach()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The product."""
        x_TK = x.reshape(-1, x.shape[-1])
        scale_T1 = x_TK.abs().amax(dim=1, keepdim=True).div_(127).clamp_min_(_LEAST)
        whole_TK = torch.div(x_TK, scale_T1).round_().to(torch.int8)
        sums_TN = torch._int_mm(whole_TK, self.weight_KN).float()
        y_TN = sums_TN.mul_(scale_T1).mul_(self.scale_N).add_(self.bias_N)
        return y_TN.view(*x.shape[:-1], -1)


@functools.cache
def _has_onednn() -> bool:
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    try:
        _OneDnnLinear(torch.ones(16, 16), torch.zeros(16))(torch.ones(2, 16))
    except (AttributeError, RuntimeError, TypeError):
        return False
    return True


@functools.cache
def _has_int8() -> bool:
    try:
        Int8Linear(torch.ones(16, 16), torch.zeros(16))(torch.ones(2, 16))
    except (AttributeError, RuntimeError):
        return False
    return True
