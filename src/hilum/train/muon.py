"""Muon for the weight matrices of hidden layers, AdamW for all else, as one optimizer."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any

import torch

_Base: Any = torch.optim.Optimizer


class MuonWithAdamW(_Base):  # type: ignore[misc]
    """`matrices` (2-dimensional) learn by Muon, `others` by AdamW, at one learning rate and decay; a side may be empty.

    Muon replaces the momentum of a matrix by the nearest matrix with equal singular values, by Newton-Schulz steps in
    bfloat16. Its step is scaled to that of AdamW (0.2 sqrt(max(rows, columns))), so that one learning rate serves both.
    Schedulers, clipping and `state_dict` see one list of groups and one state. Source: Jordan et al. 2024, Muon: an
    optimizer for hidden layers in neural networks; the scale: Liu et al. 2025, Muon is scalable for LLM training.
    """

    def __init__(
        self, matrices: Iterable[Any], others: Iterable[Any], *, lr: float, weight_decay: float
    ) -> None:
        same: Any = {"lr": lr, "weight_decay": weight_decay}
        sides = (
            (list(matrices), functools.partial(torch.optim.Muon, adjust_lr_fn="match_rms_adamw")),
            (list(others), torch.optim.AdamW),
        )
        self._parts: list[Any] = [part(learned, **same) for learned, part in sides if learned]
        super().__init__([group for part in self._parts for group in part.param_groups], {})
        self._share()

    def step(self, closure: Any = None) -> Any:
        """One step of both."""
        loss = closure() if closure is not None else None
        for part in self._parts:
            part.step()
        return loss

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        super().load_state_dict(dict(state_dict))
        self._share()

    def _share(self) -> None:
        """Both parts work on the groups and the state that are seen from outside."""
        for part, group in zip(self._parts, self.param_groups, strict=True):
            part.param_groups = [group]
            part.state = self.state


def matrices_and_others(model: Any) -> tuple[list[Any], list[Any]]:
    """The parameters that learn: weights of linear layers but the last, and embeddings, vectors and the last layer."""
    last = model.get_output_embeddings()
    inner = {
        id(module.weight)
        for module in model.modules()
        if isinstance(module, torch.nn.Linear) and module is not last
    }
    learned = [one for one in model.parameters() if one.requires_grad]
    return [one for one in learned if id(one) in inner], [one for one in learned if id(one) not in inner]
