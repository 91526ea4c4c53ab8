"""Where in an image a classifier saw a finding: Grad-CAM."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError
from hilum.models._neural import torch
from hilum.models.classifier import ImageClassifier
from hilum.models.classifier_spec import NEGATIVE_OUTPUT, POSITIVE_OUTPUT, THREE


def grad_cam(
    model: ImageClassifier, pixels_BCHW: torch.Tensor, class_index: int | Sequence[int]
) -> npt.NDArray[np.float32]:
    """Heat [B, H, W] in [0, 1], float32: how much each place spoke for a finding; the hottest place of an image is 1.

    `pixels_BCHW` are normalised as for the model and on its device; `class_index` is the place of the finding in
    `model.spec.findings`, one for all images or one each. An image in which no place speaks for the finding has heat 0
    everywhere; heat says nothing of how likely the finding is. For backbones of tokens the places are the patches,
    before the last layer. With three outputs the heat is that of positive against negative. Weights and mode of the
    model stay as they are. Source: Selvaraju et al. 2017, Grad-CAM, equations 1 and 2, upsampled bilinearly.

    Raises InputError for another class, or pixels of another shape.
    """
    places = _places(model, pixels_BCHW, class_index)
    before = model.training
    model.eval()
    try:
        with torch.inference_mode(False), torch.enable_grad():
            x_BCHW = pixels_BCHW.detach().clone().requires_grad_(True)
            logits_BC, activations = model.with_activations(x_BCHW)
            rows = torch.arange(len(places), device=logits_BC.device)
            score = _scores(model, logits_BC)[rows, places].sum()
            (gradients,) = torch.autograd.grad(score, activations)
    finally:
        model.train(before)
    map_BDHW = model.backbone.grid(activations.detach()).float()
    weight_BD11 = model.backbone.grid(gradients).float().mean(dim=(2, 3), keepdim=True)
    heat_B1HW = torch.relu((weight_BD11 * map_BDHW).sum(dim=1, keepdim=True))
    size = tuple(pixels_BCHW.shape[2:])
    heat_B1HW = torch.nn.functional.interpolate(heat_B1HW, size=size, mode="bilinear", align_corners=False)
    return _to_one(heat_B1HW[:, 0].cpu().numpy())


def _places(model: ImageClassifier, pixels_BCHW: torch.Tensor, class_index: int | Sequence[int]) -> list[int]:
    if pixels_BCHW.dim() != 4 or pixels_BCHW.shape[1] != model.spec.channels:
        raise InputError(
            f"Pixels must be [B, {model.spec.channels}, H, W], got {list(pixels_BCHW.shape)}. Next step: prepare "
            "images with hilum.models.classifier_spec.prepare."
        )
    count = len(pixels_BCHW)
    places = [class_index] * count if isinstance(class_index, int) else list(class_index)
    most = len(model.spec.findings)
    if len(places) != count or any(not 0 <= place < most for place in places):
        raise InputError(
            f"class_index is {class_index!r}; allowed: a place from 0 to {most - 1}, one for all or one for each of "
            f"the {count} images."
        )
    return places


def _scores(model: ImageClassifier, logits_BC: torch.Tensor) -> torch.Tensor:
    """What speaks for each finding, [B, F]."""
    if model.spec.outputs != THREE:
        return logits_BC
    three_BFK = model.split(logits_BC)
    return three_BFK[..., POSITIVE_OUTPUT] - three_BFK[..., NEGATIVE_OUTPUT]


def _to_one(heat_BHW: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    most_B11 = heat_BHW.max(axis=(1, 2), keepdims=True)
    scaled_BHW: npt.NDArray[np.float32] = np.zeros_like(heat_BHW)
    np.divide(heat_BHW, most_B11, out=scaled_BHW, where=most_B11 > 0)
    return scaled_BHW
