"""A small model of our own, not CheXbert: its weights come with the package, or from training.

How it was made and how good it is stands in its model card, beside the weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from hilum.core.errors import InputError
from hilum.labelers._neural import NeuralLabeler, no_weights

SHIPPED_WEIGHTS = Path(__file__).parent / "mini_weights"


class Mini(NeuralLabeler):
    """Labels of the small model; without `weights` those of the package."""

    name: ClassVar[str] = "mini"
    section: ClassVar[str] = "both"
    prefers: ClassVar[str] = "int8"

    def __post_init__(self) -> None:
        if self.weights is None:
            if not SHIPPED_WEIGHTS.is_dir():
                raise InputError(f"No weights come with the package yet. {no_weights(self.name)}")
            self.weights = SHIPPED_WEIGHTS
        super().__post_init__()


build = Mini
