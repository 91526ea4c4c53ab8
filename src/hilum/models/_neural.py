"""torch, transformers and safetensors, or an error that says how to install them."""

from __future__ import annotations

from typing import Any

from hilum.core.errors import MissingExtraError

try:
    import safetensors
    import safetensors.torch
    import torch
    import transformers as _transformers
except ImportError as error:
    raise MissingExtraError(error.name or "torch", "neural") from error

__all__ = ["safetensors", "torch", "transformers"]

transformers: Any = _transformers
"""Not all of it is typed."""
