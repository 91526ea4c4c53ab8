"""What an image classifier predicts: its findings, the frame it wants, and what turns outputs into probabilities.

No torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError
from hilum.core.imaging import Pixels
from hilum.core.vocabulary import SHIPPED
from hilum.images.transforms import FITS, NORMALISATIONS, normalise, resize
from hilum.models._spec_checks import (
    check_calibration,
    check_findings,
    check_vocabulary,
    is_a,
    is_whole,
    number,
    parsed,
)

FORMAT, FORMAT_VERSION = "hilum image classifier", 1
"""The first two fields of hilum_classifier.json; a reader refuses other versions."""

BINARY, THREE = "binary", "three"
OUTPUTS: Mapping[str, str] = MappingProxyType(
    {
        BINARY: "one logit per finding, of positive",
        THREE: "three logits per finding: negative, positive, uncertain (U-MultiClass of CheXpert)",
    }
)
"""What stands for a finding among the outputs."""

NEGATIVE_OUTPUT, POSITIVE_OUTPUT, UNCERTAIN_OUTPUT = 0, 1, 2
"""Places of the three logits of a finding."""

DENSENET = "densenet"
_SIZES = ("blocks", "growth", "first", "bottleneck")
DENSENET121: Mapping[str, Any] = MappingProxyType(
    {"kind": DENSENET, "blocks": (6, 12, 24, 16), "growth": 32, "first": 64, "bottleneck": 4}
)
"""The architecture of DenseNet-121 (Huang et al. 2017, table 1)."""

SMALL_DENSENET: Mapping[str, Any] = MappingProxyType(
    {"kind": DENSENET, "blocks": (3, 6, 12, 8), "growth": 12, "first": 24, "bottleneck": 4}
)
"""A DenseNet that a processor trains in minutes: half of the layers of DenseNet-121, growth 12 (our choice)."""

LEAST_PX, MOST_PX = 32, 4096
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ClassifierSpec:
    """The findings of an image classifier in order, and how images go in and probabilities come out.

    An image becomes `size_px` by `size_px` pixels by `fit` (a name of `images.transforms.FITS`), is normalised by
    `normalisation` (a name of NORMALISATIONS) and given in `channels` equal channels. `architecture`: the sizes of a
    DenseNet (as DENSENET121), or the id or folder of a backbone of transformers. `outputs`: a name of OUTPUTS.
    Optional: `temperatures`, one per finding, by which logits are divided; `thresholds`, finding -> probability from
    which on it is positive. Raises InputError for a spec that contradicts itself.
    """

    findings: tuple[str, ...]
    vocabulary: str = "chexpert14"
    size_px: int = 320
    fit: str = "pad"
    normalisation: str = "imagenet"
    channels: int = 3
    architecture: Mapping[str, Any] | str = field(default_factory=lambda: DENSENET121)
    outputs: str = BINARY
    temperatures: tuple[float, ...] | None = None
    thresholds: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "architecture", _architecture(self.architecture))
        _check(self)

    @property
    def classes(self) -> int:
        """K: logits per finding, 1 or 3."""
        return 3 if self.outputs == THREE else 1

    @property
    def columns(self) -> int:
        """C: logits of one image, F by K; those of a finding stand side by side."""
        return len(self.findings) * self.classes

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values; `from_json` gives the same spec back."""
        found = {f.name: getattr(self, f.name) for f in fields(self)}
        for name in ("temperatures", "thresholds"):
            if found[name] is None:
                del found[name]
        return dict(json.loads(json.dumps(found, default=dict)))

    @classmethod
    def from_json(cls, values: Mapping[str, Any] | str, *, where: str = "the spec") -> ClassifierSpec:
        """The spec that `to_json` gave, as a mapping or as JSON text.

        Raises InputError, with `where` and the field, for a field that is missing, unknown or of a wrong form.
        """
        try:
            return cls(**_arguments(_parsed(values, where)))
        except TypeError as error:
            raise InputError(f"{where} has a field of a wrong form: {str(error)[:160]}.") from error
        except InputError as error:
            raise InputError(f"{where}: {error}") from error


def densenet_architecture(
    *, blocks: Sequence[int], growth: int, first: int, bottleneck: int = 4
) -> dict[str, Any]:
    """The architecture of a DenseNet of these sizes, for a spec."""
    return {
        "kind": DENSENET,
        "blocks": tuple(blocks),
        "growth": growth,
        "first": first,
        "bottleneck": bottleneck,
    }


def prepare(pixels: Pixels, spec: ClassifierSpec) -> npt.NDArray[np.float32]:
    """What the model gets of an image [1, H, W] in [0, 1]: float32 [channels, size_px, size_px]."""
    framed = resize(pixels, spec.size_px, fit=spec.fit).pixels
    return channels_of(framed, spec)


def channels_of(framed: Pixels, spec: ClassifierSpec) -> npt.NDArray[np.float32]:
    """An image that has its size already, normalised: float32 [channels, H, W]."""
    normal = normalise(framed, spec.normalisation)
    return normal if len(normal) == spec.channels else np.repeat(normal, spec.channels, axis=0)


def probabilities(logits_NC: npt.ArrayLike, spec: ClassifierSpec, *, calibrated: bool = True) -> Floats:
    """Probabilities of positive, float64 [N, F], from logits [N, C].

    Three logits: the softmax over negative and positive alone (Irvin et al. 2019, CheXpert, section 4.1). Logits are
    divided by `spec.temperatures`, where there are any, unless `calibrated` is off.
    """
    odds_NF = log_odds(logits_NC, spec)
    if calibrated and spec.temperatures is not None:
        odds_NF = odds_NF / np.asarray(spec.temperatures)
    return np.asarray(np.exp(-np.logaddexp(0.0, -odds_NF)))


def log_odds(logits_NC: npt.ArrayLike, spec: ClassifierSpec) -> Floats:
    """Log odds of positive against negative, not calibrated, float64 [N, F], from logits [N, C].

    Raises InputError when the logits do not fit the spec.
    """
    values_NC = np.asarray(logits_NC, dtype=np.float64)
    if values_NC.ndim != 2 or values_NC.shape[1] != spec.columns:
        raise InputError(
            f"Logits {list(values_NC.shape)} do not fit the spec, which has {spec.columns} columns."
        )
    if spec.outputs == BINARY:
        return values_NC
    three_NFK = values_NC.reshape(len(values_NC), len(spec.findings), spec.classes)
    return three_NFK[..., POSITIVE_OUTPUT] - three_NFK[..., NEGATIVE_OUTPUT]


# --- checks ---


def _architecture(given: object) -> Mapping[str, Any] | str:
    """The id of a backbone as it is, or the sizes of a DenseNet, blocks as a tuple."""
    if isinstance(given, str):
        if not given.strip():
            raise InputError("The architecture is empty. Next step: give the id or folder of a backbone.")
        return given
    if not isinstance(given, Mapping) or given.get("kind") != DENSENET or set(given) != {"kind", *_SIZES}:
        raise InputError(
            f"The architecture {str(given)[:120]} is not known. Allowed: kind {DENSENET!r} with {', '.join(_SIZES)}; "
            "or the id or folder of a backbone of transformers."
        )
    blocks = given["blocks"]
    sizes = (*(blocks if isinstance(blocks, list | tuple) else (None,)), *(given[n] for n in _SIZES[1:]))
    if not blocks or any(isinstance(s, bool) or not isinstance(s, int) or s < 1 for s in sizes):
        raise InputError(f"All sizes of a DenseNet must be whole numbers from 1; got {dict(given)}.")
    return {"kind": DENSENET, "blocks": tuple(blocks), **{name: given[name] for name in _SIZES[1:]}}


def _check(spec: ClassifierSpec) -> None:
    check_vocabulary(spec.vocabulary)
    check_findings("findings", spec.findings, SHIPPED[spec.vocabulary].names)
    for what, got, allowed in (
        ("fit", spec.fit, FITS),
        ("normalisation", spec.normalisation, NORMALISATIONS),
        ("kind of outputs", spec.outputs, OUTPUTS),
    ):
        if got not in allowed:
            raise InputError(f"There is no {what} {got!r}. Known: {', '.join(allowed)}.")
    if not is_whole(spec.size_px) or not LEAST_PX <= spec.size_px <= MOST_PX:
        raise InputError(f"size_px is {spec.size_px!r}; allowed: {LEAST_PX} to {MOST_PX} pixels.")
    has = len(NORMALISATIONS[spec.normalisation].mean)
    if spec.channels not in (1, 3) or not is_whole(spec.channels) or has > spec.channels:
        raise InputError(
            f"channels is {spec.channels!r}, and the normalisation {spec.normalisation!r} gives {has}; allowed: 1 or "
            "3, and no fewer than the normalisation gives."
        )
    check_calibration(spec.temperatures, spec.thresholds, spec.findings, each="finding")


# --- JSON ---


def _parsed(values: Mapping[str, Any] | str, where: str) -> Mapping[str, Any]:
    known = [f.name for f in fields(ClassifierSpec)]
    return parsed(values, where, required=known[:-2], optional=known[-2:], called="it")


def _arguments(values: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(values)
    for name in ("vocabulary", "fit", "normalisation", "outputs"):
        is_a(found[name], str, name)
    found["findings"] = tuple(is_a(v, str, "findings") for v in is_a(found["findings"], list, "findings"))
    for name in ("temperatures", "thresholds"):
        if found.get(name) is None:
            found.pop(name, None)
    if "temperatures" in found:
        heat = is_a(found["temperatures"], list, "temperatures")
        found["temperatures"] = tuple(number(v, "temperatures") for v in heat)
    if "thresholds" in found:
        given = is_a(found["thresholds"], dict, "thresholds")
        found["thresholds"] = {is_a(k, str, "thresholds"): number(v, k) for k, v in given.items()}
    return found
