"""DenseNet of any size, with the tensor names of torchvision's.

Source: Huang et al. 2017, Densely Connected Convolutional Networks (DenseNet-BC, table 1); names, initial values and
order of operations as torchvision's `densenet121`, so that its state dicts load.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch.utils.checkpoint import checkpoint

from hilum.core.errors import InputError
from hilum.models._neural import torch

nn = torch.nn
functional = torch.nn.functional


@dataclass(frozen=True)
class DenseNetConfig:
    """The sizes of a DenseNet; the default is DenseNet-121.

    `blocks`: layers of each dense block. `growth`: channels that a layer adds. `first`: channels of the first
    convolution. `bottleneck`: a layer's inner channels by `growth`. `channels`: of the image. Raises InputError for
    sizes below 1.
    """

    blocks: tuple[int, ...] = (6, 12, 24, 16)
    growth: int = 32
    first: int = 64
    bottleneck: int = 4
    channels: int = 3

    def __post_init__(self) -> None:
        sizes = (*self.blocks, self.growth, self.first, self.bottleneck, self.channels)
        if not self.blocks or any(isinstance(s, bool) or not isinstance(s, int) or s < 1 for s in sizes):
            raise InputError(f"All sizes of a DenseNet must be whole numbers from 1; got {self}.")

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels at the end of each dense block, before its transition halves them."""
        found, width = [], self.first
        for layers in self.blocks:
            found.append(width + layers * self.growth)
            width = found[-1] // 2
        return tuple(found)

    @property
    def features(self) -> int:
        """D: channels of the last feature map."""
        return self.widths[-1]


def densenet121(channels: int = 3) -> DenseNetConfig:
    """The sizes of DenseNet-121 (Huang et al. 2017, table 1)."""
    return DenseNetConfig(channels=channels)


class _DenseLayer(nn.Module):
    """Norm, ReLU, 1x1; norm, ReLU, 3x3: [B, C, H, W] to [B, growth, H, W]."""

    def __init__(self, width: int, config: DenseNetConfig) -> None:
        super().__init__()
        inner = config.bottleneck * config.growth
        self.norm1 = nn.BatchNorm2d(width)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(width, inner, kernel_size=1, bias=False)
        self.norm2 = nn.BatchNorm2d(inner)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(inner, config.growth, kernel_size=3, padding=1, bias=False)

    def squeeze(self, *parts: torch.Tensor) -> torch.Tensor:
        """What comes before norm2; this part of a layer holds nearly all of its memory."""
        found: torch.Tensor = self.conv1(self.relu1(self.norm1(torch.cat(parts, 1))))
        return found

    def forward(self, parts: Sequence[torch.Tensor], *, sparing: bool = False) -> torch.Tensor:
        if sparing and any(part.requires_grad for part in parts):
            inner = checkpoint(
                self.squeeze,
                *parts,
                use_reentrant=False,
                preserve_rng_state=False,
                context_fn=lambda: (contextlib.nullcontext(), _still(self.norm1)),
            )
        else:
            inner = self.squeeze(*parts)
        found: torch.Tensor = self.conv2(self.relu2(self.norm2(inner)))
        return found


@contextlib.contextmanager
def _still(norm: nn.BatchNorm2d) -> Iterator[None]:
    """The running mean and variance stay as they are: a batch that is worked out twice counts once."""
    momentum, counter = norm.momentum, norm.num_batches_tracked
    norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        norm.momentum, norm.num_batches_tracked = momentum, counter


class _DenseBlock(nn.ModuleDict):
    """Layers that each see what all before them made."""

    def __init__(self, width: int, layers: int, config: DenseNetConfig) -> None:
        super().__init__()
        self.sparing = False
        for place in range(layers):
            self[f"denselayer{place + 1}"] = _DenseLayer(width + place * config.growth, config)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        parts = [x_BCHW]
        for layer in self.values():
            parts.append(layer(parts, sparing=self.sparing and self.training))
        return torch.cat(parts, 1)


class DenseNet(nn.Module):
    """Images [B, C, H, W] to logits [B, outputs]; H and W at least 32.

    State dict: `features.conv0`, `features.norm0`, `features.denseblockN.denselayerM.norm1|conv1|norm2|conv2`,
    `features.transitionN.norm|conv`, `features.norm5`, `classifier`. With `outputs` 0 there is no classifier and
    `forward` gives the pooled features [B, D].
    """

    def __init__(self, config: DenseNetConfig, *, outputs: int = 1000) -> None:
        super().__init__()
        self.config = config
        self.features = nn.Sequential(_layers(config))
        self.classifier = nn.Linear(config.features, outputs) if outputs else nn.Identity()
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
        if outputs:
            nn.init.zeros_(self.classifier.bias)  # type: ignore[arg-type]

    def spare_memory(self, on: bool = True) -> None:
        """Keep a dense layer's inputs alone while training and work it out again for gradients: less memory, slower.

        Gradients and running statistics are the same (Pleiss et al. 2017, Memory-Efficient Implementation of
        DenseNets).
        """
        for module in self.modules():
            if isinstance(module, _DenseBlock):
                module.sparing = on

    def features_map(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """The last feature map [B, D, H/32, W/32] (rounded down), after the last norm and ReLU."""
        return functional.relu(self.features(x_BCHW))

    def pooled(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """The mean of the feature map over its places, [B, D]."""
        return self.features_map(x_BCHW).mean(dim=(2, 3))

    def activations(self, x_BCHW: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The pooled features [B, D] and the feature map [B, D, h, w] that they are the mean of."""
        map_BDHW = self.features_map(x_BCHW)
        return map_BDHW.mean(dim=(2, 3)), map_BDHW

    def grid(self, values_BDHW: torch.Tensor) -> torch.Tensor:
        """Activations, or their gradients, by place: they are so already."""
        return values_BDHW

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Logits [B, outputs]."""
        found: torch.Tensor = self.classifier(self.pooled(x_BCHW))
        return found


def _layers(config: DenseNetConfig) -> OrderedDict[str, nn.Module]:
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv0=nn.Conv2d(config.channels, config.first, kernel_size=7, stride=2, padding=3, bias=False),
        norm0=nn.BatchNorm2d(config.first),
        relu0=nn.ReLU(inplace=True),
        pool0=nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
    )
    width, last = config.first, len(config.blocks)
    for number, (count, end) in enumerate(zip(config.blocks, config.widths, strict=True), start=1):
        layers[f"denseblock{number}"] = _DenseBlock(width, count, config)
        if number < last:
            width = end // 2
            layers[f"transition{number}"] = nn.Sequential(
                OrderedDict(
                    norm=nn.BatchNorm2d(end),
                    relu=nn.ReLU(inplace=True),
                    conv=nn.Conv2d(end, width, kernel_size=1, bias=False),
                    pool=nn.AvgPool2d(kernel_size=2, stride=2),
                )
            )
    layers["norm5"] = nn.BatchNorm2d(config.features)  # 5 whatever the number of blocks, as torchvision
    return layers


def multiplications(config: DenseNetConfig, size_px: int, *, outputs: int = 1000) -> int:
    """Multiply-adds of one forward pass of one square image, by the convolutions and the classifier alone.

    A floating point count is twice that; a training step takes about three times a forward pass.
    """
    side = (size_px - 1) // 2 + 1
    total = side * side * 49 * config.channels * config.first
    side = (side - 1) // 2 + 1
    width, inner = config.first, config.bottleneck * config.growth
    for number, (count, end) in enumerate(zip(config.blocks, config.widths, strict=True), start=1):
        for place in range(count):
            seen = width + place * config.growth
            total += side * side * (seen * inner + 9 * inner * config.growth)
        if number < len(config.blocks):
            width = end // 2
            total += side * side * end * width
            side //= 2
    return total + config.features * outputs
