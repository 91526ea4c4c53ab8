from __future__ import annotations

import re

import pytest
import torch
from torch.nn import functional as fn
from torch.utils.flop_counter import FlopCounterMode

from hilum.core.errors import InputError
from hilum.models.densenet import DenseNet, DenseNetConfig, densenet121, multiplications

TINY = DenseNetConfig(blocks=(2, 3, 2), growth=4, first=8, bottleneck=2, channels=1)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def tiny(*, outputs: int = 5, seed: int = 0, config: DenseNetConfig = TINY) -> DenseNet:
    """A DenseNet whose norms have seen something, so that none of their numbers is at its start."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = DenseNet(config, outputs=outputs)
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                torch.nn.init.uniform_(module.weight, 0.5, 1.5)
                torch.nn.init.normal_(module.bias, 0, 0.2)
                torch.nn.init.normal_(module.running_mean, 0, 0.2)
                torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    return model.eval()


def images(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def straightforward(state: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """DenseNet-BC from the tensors alone, read off table 1 of Huang et al. 2017 and the names of torchvision."""

    def norm_relu(x: torch.Tensor, name: str) -> torch.Tensor:
        mean, var, weight, bias = (
            state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        scale = weight / torch.sqrt(var + 1e-5)
        return fn.relu((x - mean[:, None, None]) * scale[:, None, None] + bias[:, None, None])

    x = fn.conv2d(x, state["features.conv0.weight"], stride=2, padding=3)
    x = fn.max_pool2d(norm_relu(x, "features.norm0"), 3, stride=2, padding=1)
    blocks = sorted({int(m[1]) for name in state if (m := re.match(r"features\.denseblock(\d+)\.", name))})
    for block in blocks:
        start = f"features.denseblock{block}.denselayer"
        layers = sorted({int(name[len(start) :].split(".")[0]) for name in state if name.startswith(start)})
        for layer in layers:
            at = f"{start}{layer}"
            inner = fn.conv2d(norm_relu(x, f"{at}.norm1"), state[f"{at}.conv1.weight"])
            new = fn.conv2d(norm_relu(inner, f"{at}.norm2"), state[f"{at}.conv2.weight"], padding=1)
            x = torch.cat((x, new), 1)
        if block != blocks[-1]:
            at = f"features.transition{block}"
            x = fn.avg_pool2d(fn.conv2d(norm_relu(x, f"{at}.norm"), state[f"{at}.conv.weight"]), 2, stride=2)
    pooled = fn.adaptive_avg_pool2d(norm_relu(x, "features.norm5"), 1).flatten(1)
    return fn.linear(pooled, state["classifier.weight"], state["classifier.bias"])


def test_densenet121_has_the_parameters_that_torchvision_states() -> None:
    with torch.device("meta"):
        model = DenseNet(densenet121())
    assert sum(p.numel() for p in model.parameters()) == 7_978_856


def test_densenet121_has_the_names_and_shapes_of_torchvision() -> None:
    with torch.device("meta"):
        shapes = {name: tuple(t.shape) for name, t in DenseNet(densenet121()).state_dict().items()}
    norm = {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}
    wanted: dict[str, tuple[int, ...]] = {"features.conv0.weight": (64, 3, 7, 7)}

    def add_norm(name: str, width: int) -> None:
        wanted.update({f"{name}.{part}": () if part == "num_batches_tracked" else (width,) for part in norm})

    add_norm("features.norm0", 64)
    width = 64
    for block, layers in enumerate((6, 12, 24, 16), start=1):
        for layer in range(1, layers + 1):
            at = f"features.denseblock{block}.denselayer{layer}"
            add_norm(f"{at}.norm1", width)
            wanted[f"{at}.conv1.weight"] = (128, width, 1, 1)
            add_norm(f"{at}.norm2", 128)
            wanted[f"{at}.conv2.weight"] = (32, 128, 3, 3)
            width += 32
        if block < 4:
            add_norm(f"features.transition{block}.norm", width)
            wanted[f"features.transition{block}.conv.weight"] = (width // 2, width, 1, 1)
            width //= 2
    add_norm("features.norm5", 1024)
    wanted |= {"classifier.weight": (1000, 1024), "classifier.bias": (1000,)}
    assert shapes == wanted
    assert len(shapes) == 727


@pytest.mark.parametrize("size", [32, 45, 64])
def test_outputs_equal_a_straightforward_implementation(size: int) -> None:
    model, x = tiny(), images(3, 1, size, size)
    with torch.no_grad():
        torch.testing.assert_close(model(x), straightforward(model.state_dict(), x), rtol=1e-5, atol=1e-5)


def test_outputs_of_densenet121_equal_a_straightforward_implementation() -> None:
    model, x = tiny(outputs=14, config=densenet121()), images(1, 3, 64, 64)
    with torch.no_grad():
        found = model(x)
        torch.testing.assert_close(found, straightforward(model.state_dict(), x), rtol=1e-4, atol=1e-4)
        assert model.features_map(x).shape == (1, 1024, 2, 2)


def test_the_feature_map_is_what_the_classifier_reads() -> None:
    model, x = tiny(), images(2, 1, 64, 64)
    with torch.no_grad():
        pooled, feature_map = model.activations(x)
        assert feature_map.shape == (2, TINY.features, 4, 4)  # three blocks: 1/16 of the size
        assert bool((feature_map >= 0).all())
        torch.testing.assert_close(model.classifier(pooled), model(x))
        torch.testing.assert_close(feature_map.mean(dim=(2, 3)), model.pooled(x))


def test_without_outputs_there_is_no_classifier() -> None:
    model = tiny(outputs=0)
    assert not any(name.startswith("classifier") for name in model.state_dict())
    assert model(images(1, 1, 32, 32)).shape == (1, TINY.features)


def test_sparing_memory_changes_no_gradient_and_no_statistic() -> None:
    found = []
    for sparing in (False, True):
        model = tiny().train()
        model.spare_memory(sparing)
        model(images(4, 1, 32, 32)).square().sum().backward()
        found.append((model.state_dict(), {n: p.grad for n, p in model.named_parameters()}))
    for plain, spared in zip(*found, strict=True):
        assert plain.keys() == spared.keys()
        for name, value in plain.items():
            torch.testing.assert_close(spared[name], value, rtol=0, atol=0, msg=name)


def test_sparing_memory_keeps_fewer_activations() -> None:
    kept = []
    for sparing in (False, True):
        model = tiny(config=DenseNetConfig((6, 6), 4, 8, 2, 1)).train()
        model.spare_memory(sparing)
        sizes: list[int] = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t, sizes=sizes: (sizes.append(t.numel()), t)[1], lambda t: t
        ):
            model(images(2, 1, 64, 64))
        kept.append(sum(sizes))
    assert kept[1] < 0.75 * kept[0]


def test_batches_and_memory_layout_change_nothing_but_noise() -> None:
    model, x = tiny(), images(4, 1, 48, 48)
    with torch.no_grad():
        whole = model(x)
        torch.testing.assert_close(torch.cat([model(one[None]) for one in x]), whole, rtol=1e-5, atol=1e-5)
        last = model.to(memory_format=torch.channels_last)(x.to(memory_format=torch.channels_last))
        torch.testing.assert_close(last, whole, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [32, 50, 64])
def test_multiplications_are_those_that_torch_counts(size: int) -> None:
    model = tiny(outputs=7)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(images(1, 1, size, size))
    assert 2 * multiplications(TINY, size, outputs=7) == counter.get_total_flops()


def test_densenet121_needs_2_8_billion_multiplications() -> None:
    assert multiplications(densenet121(), 224) == 2_834_161_664


@pytest.mark.parametrize("sizes", [{"blocks": ()}, {"blocks": (2, 0)}, {"growth": 0}, {"channels": True}])
def test_sizes_below_one_are_refused(sizes: dict[str, object]) -> None:
    with pytest.raises(InputError, match="whole numbers from 1"):
        DenseNetConfig(**sizes)  # type: ignore[arg-type]
