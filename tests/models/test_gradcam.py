from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_image_classifier import HF_CONFIGS, batch, hf_classifier, tiny_classifier

from hilum.core.errors import InputError
from hilum.models.gradcam import grad_cam


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def class_activation(model: torch.nn.Module, x: torch.Tensor, row: torch.Tensor) -> np.ndarray:
    """Zhou et al. 2016: behind a mean and one linear head, Grad-CAM is the head's own sum over the map."""
    with torch.no_grad():
        feature_map = model.backbone.features_map(x)
        heat = torch.relu(torch.einsum("d,bdhw->bhw", row, feature_map))
        heat = torch.nn.functional.interpolate(heat[:, None], size=x.shape[2:], mode="bilinear")[:, 0]
    most = heat.amax(dim=(1, 2), keepdim=True)
    return torch.where(most > 0, heat / most, torch.zeros(())).numpy()


@pytest.mark.parametrize("finding", [0, 1, 2])
def test_heat_of_a_densenet_is_the_class_activation_map(finding: int) -> None:
    model, x = tiny_classifier(seed=2), batch(4, size=64)
    found = grad_cam(model, x, finding)
    assert (found.shape, found.dtype) == ((4, 64, 64), np.float32)
    np.testing.assert_allclose(found, class_activation(model, x, model.head.weight[finding]), atol=1e-5)
    assert found.min() >= 0
    assert set(found.max(axis=(1, 2)).tolist()) <= {0.0, 1.0}


def test_heat_with_three_outputs_is_of_positive_against_negative() -> None:
    model, x = tiny_classifier(outputs="three"), batch(2, size=64)
    row = model.head.weight[4] - model.head.weight[3]
    np.testing.assert_allclose(grad_cam(model, x, 1), class_activation(model, x, row), atol=1e-5)


def test_each_image_can_have_its_own_finding() -> None:
    model, x = tiny_classifier(seed=1), batch(3)
    found = grad_cam(model, x, [2, 0, 1])
    for place, finding in enumerate((2, 0, 1)):
        np.testing.assert_allclose(found[place], grad_cam(model, x, finding)[place], atol=1e-6)


def test_the_hottest_place_is_where_the_image_is_not_empty() -> None:
    model = tiny_classifier(seed=1)
    x = torch.zeros(1, 1, 128, 128)
    with torch.no_grad():
        for parameter in (model.head.weight, model.head.bias):
            parameter.fill_(0.1)
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.zero_()
                module.bias.zero_()
    x[0, 0, 88:104, 24:40] = batch(1, size=16)[0, 0]
    y, across = np.unravel_index(int(grad_cam(model, x, 0)[0].argmax()), (128, 128))
    assert 70 <= y <= 122
    assert 6 <= across <= 58


def test_an_image_in_which_nothing_speaks_for_a_finding_has_no_heat() -> None:
    model = tiny_classifier()
    with torch.no_grad():
        model.head.weight[1] = -1.0
    assert not grad_cam(model, batch(), 1).any()


@pytest.mark.parametrize("kind", HF_CONFIGS)
def test_backbones_of_transformers_have_heat(kind: str) -> None:
    model, x = hf_classifier(kind, seed=4), batch(3)
    found = np.stack([grad_cam(model, x, finding) for finding in range(3)])
    assert found.shape == (3, 3, 32, 32)
    assert found.min() >= 0
    assert found.max() == 1
    assert np.isfinite(found).all()


def test_tokens_before_the_patches_have_no_place() -> None:
    model = hf_classifier("vit")
    _, activations = model.backbone.activations(batch())
    assert activations.shape == (2, 17, 16)
    grid = model.backbone.grid(activations)
    assert grid.shape == (2, 16, 4, 4)
    assert torch.equal(grid[0, :, 1, 2], activations[0, 1 + 4 + 2])


@pytest.mark.parametrize("training", [True, False])
def test_weights_and_mode_stay_as_they_were(training: bool) -> None:
    model = tiny_classifier().train(training)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    with torch.inference_mode():
        found = grad_cam(model, batch(), 0)
    assert found.any()
    assert model.training is training
    assert all(p.grad is None for p in model.parameters())
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name


@pytest.mark.parametrize("index", [3, -1, [0], [0, 1, 2]])
def test_classes_that_are_none_are_refused(index: int | list[int]) -> None:
    with pytest.raises(InputError, match="from 0 to 2"):
        grad_cam(tiny_classifier(), batch(), index)


def test_pixels_of_another_shape_are_refused() -> None:
    with pytest.raises(InputError, match="must be \\[B, 1, H, W\\]"):
        grad_cam(tiny_classifier(), batch(channels=3), 0)
