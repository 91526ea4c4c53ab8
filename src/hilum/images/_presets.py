"""What augmentation and normalisation are, and those that have a name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType

from hilum.core.errors import InputError
from hilum.images.geometry import KEEP

DEGREES = ("rotate_degrees", "shear_degrees")
SHARES = ("shift", "flip", "brightness", "contrast", "gamma", "noise", "cutout_side", "fill", "keep_box")


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far images are changed at random; the default changes nothing.

    Geometry: `rotate_degrees` and `shear_degrees` to either side; `shift` to either side as a share of height and
    of width; `scale` lowest and highest factor; `flip` the probability of swapping left and right. Flipping is
    off unless asked for: it puts the heart on the wrong side and makes left and right of a report untrue.
    Grey values in [0, 1]: `gamma`, `contrast` and `brightness` draw an exponent and a factor in [1 - a, 1 + a]
    and a summand in [-a, a]; contrast turns about the mean of the image. `noise` and `blur` draw a standard
    deviation in [0, a], of grey values and in pixels. `cutouts` squares of up to `cutout_side` of the shorter
    side become `fill`, which is also the value of what comes in from outside the frame. `keep_box`: boxes with
    a smaller share left in the frame are dropped and counted. Raises InputError for values that make no sense.
    """

    rotate_degrees: float = 0.0
    shear_degrees: float = 0.0
    shift: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    flip: float = 0.0
    gamma: float = 0.0
    contrast: float = 0.0
    brightness: float = 0.0
    blur: float = 0.0
    noise: float = 0.0
    cutouts: int = 0
    cutout_side: float = 0.2
    fill: float = 0.0
    keep_box: float = KEEP

    def __post_init__(self) -> None:
        for name in SHARES:
            self._must(name, 0.0 <= getattr(self, name) <= 1.0, "a number from 0 to 1")
        for name in DEGREES:
            self._must(name, 0.0 <= getattr(self, name) <= 180.0, "degrees from 0 to 180")
        self._must("shear_degrees", self.shear_degrees <= 60.0, "degrees from 0 to 60")
        self._must("gamma", self.gamma < 1.0, "a number from 0 to less than 1")
        self._must(
            "scale", 0.05 <= self.scale[0] <= self.scale[1] <= 20.0, "a lower and an upper factor, 0.05 to 20"
        )
        self._must("blur", 0.0 <= self.blur <= 50.0, "pixels from 0 to 50")
        self._must("cutouts", 0 <= self.cutouts <= 100, "a count from 0 to 100")

    def _must(self, name: str, good: bool, allowed: str) -> None:
        if not good:
            raise InputError(f"Augmentation: {name} is {getattr(self, name)!r}; allowed: {allowed}.")

    @property
    def moves(self) -> bool:
        """Whether anything but grey values may change."""
        return bool(
            self.rotate_degrees or self.shear_degrees or self.shift or self.flip or self.scale != (1.0, 1.0)
        )

    def changes(self) -> dict[str, object]:
        """What differs from changing nothing: name -> value."""
        plain = Augmentation()
        return {
            f.name: getattr(self, f.name)
            for f in fields(self)
            if getattr(self, f.name) != getattr(plain, f.name)
        }


LIGHT = Augmentation(
    rotate_degrees=7.0, shift=0.04, scale=(0.95, 1.05), gamma=0.1, contrast=0.1, brightness=0.05, noise=0.01
)
STRONG = Augmentation(
    rotate_degrees=15.0,
    shear_degrees=5.0,
    shift=0.1,
    scale=(0.85, 1.15),
    gamma=0.25,
    contrast=0.25,
    brightness=0.1,
    blur=1.0,
    noise=0.03,
    cutouts=2,
)
AUGMENTATIONS: Mapping[str, Augmentation] = MappingProxyType(
    {
        "none": Augmentation(),
        "light": LIGHT,
        "strong": STRONG,
        "chexnet-like": Augmentation(flip=0.5),
    }
)
"""Augmentations by name. `light`: what differs between two films of one patient (our choice). `strong`: several times
as much, with blur and cut-outs (our choice). `chexnet-like`: random horizontal flips and nothing else, as the text of
CheXNet says (Rajpurkar et al. 2017, section 3.1, with 224 x 224 pixels and ImageNet's mean and deviation)."""


@dataclass(frozen=True, slots=True)
class Normalisation:
    """What is subtracted and then divided by, one number per channel that the model wants."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


NORMALISATIONS: Mapping[str, Normalisation] = MappingProxyType(
    {
        "none": Normalisation((0.0,), (1.0,)),
        "minus-one-to-one": Normalisation((0.5,), (0.5,)),
        "minus-1024-to-1024": Normalisation((0.5,), (1 / 2048,)),
        "imagenet": Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    }
)
"""Normalisations by name. `imagenet`: three equal channels, mean and deviation of ImageNet's training images (RGB), as
most pretrained models want. `minus-1024-to-1024`: the range that the models of TorchXRayVision want (Cohen et al.
2022). `none`: [0, 1] as it is."""
