"""DenseNets in the files of others, read without running their code, under torchvision's names.

Styles and where they come from:

- torchvision: `features.*`, `classifier.weight|bias`; the files offered for ImageNet have names of before 2017
  (`denselayer1.norm.1` for `denselayer1.norm1`) and no counters of batches.
- chexpert: a DenseNet inside other modules (`module.densenet121.*`, `model.module.densenet121.*`), under
  `state_dict` or `model_state_dict`, the head in a Sequential (`classifier.0.*`), as public training programs for
  CheXNet and CheXpert save it.
- torchxrayvision: one channel, 18 outputs and their operating points `op_threshs` (Cohen et al. 2022).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hilum.core.errors import InputError, UnknownNameError
from hilum.models._classifier_files import COUNTER, HEAD, check_fit, read_tensors
from hilum.models._neural import torch
from hilum.models._plain_files import check_file, load_plain
from hilum.models.densenet import DenseNet, DenseNetConfig

TORCHVISION, CHEXPERT, TORCHXRAYVISION = "torchvision", "chexpert", "torchxrayvision"
STYLES: tuple[str, ...] = (TORCHVISION, CHEXPERT, TORCHXRAYVISION)

_NESTED = ("state_dict", "model_state_dict")
_ROOT = "features.conv0.weight"
_OPERATING = "op_threshs"
_LEGACY = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)")
_LAYER = re.compile(r"features\.denseblock(\d+)\.denselayer(\d+)\.norm1\.weight")

Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True, eq=False)
class ClassifierCheckpoint:
    """The tensors of a DenseNet under torchvision's names, float32, checked against its sizes.

    `outputs`: rows of its classifier, 0 when there is none. `operating_points`: one per output (torchxrayvision), NaN
    where there is none. `left_out`: tensors that decide no output.
    """

    style: str
    tensors: Tensors
    config: DenseNetConfig
    outputs: int
    operating_points: tuple[float, ...] | None
    left_out: tuple[str, ...]


def read_classifier_checkpoint(path: str | Path, *, style: str | None = None) -> ClassifierCheckpoint:
    """The DenseNet in a file of torch.save or safetensors, whatever its sizes; see STYLES.

    The style is found by the names and shapes when it is not given. Raises InputError when the file cannot be read,
    holds anything but numbers in tensors, lists and dictionaries (no code of it is run), is of another style, or
    tensors are missing, extra, wrongly shaped or not finite; UnknownNameError for a style that is none.
    """
    if style is not None and style not in STYLES:
        raise UnknownNameError("style of checkpoints", style, STYLES)
    path = Path(path)
    found = _loaded(path)
    nested = next((name for name in _NESTED if isinstance(found, Mapping) and name in found), None)
    states = _states(found[nested] if nested and isinstance(found, Mapping) else found, path)
    prefix, tensors = _without_prefix(states, path)
    tensors = {_modern(name): tensor for name, tensor in tensors.items()}
    likely = _style(tensors, wrapped=bool(prefix) or nested is not None)
    if style is not None and style != likely:
        raise InputError(
            f"{path} is of the style {likely}, and {style} was asked for. Next step: leave the style out, or give the "
            "other checkpoint."
        )
    return _checked(tensors, likely, path)


def _checked(tensors: Tensors, style: str, path: Path) -> ClassifierCheckpoint:
    points = tensors.pop(_OPERATING, None)
    left_out = tuple(name for name in tensors if name.endswith(COUNTER))
    kept = {_head_name(name): tensor for name, tensor in tensors.items() if name not in left_out}
    config = _config(kept, path)
    weight = kept.get(f"{HEAD}weight")
    outputs = int(weight.shape[0]) if weight is not None and weight.dim() == 2 else 0
    has_head = any(name.startswith(HEAD) for name in kept)
    with torch.device("meta"):
        blank = DenseNet(config, outputs=max(1, outputs) if has_head else 0)
    wanted = {n: tuple(t.shape) for n, t in blank.state_dict().items() if not n.endswith(COUNTER)}
    check_fit(kept, wanted, where=str(path))
    return ClassifierCheckpoint(
        style,
        {name: tensor.float() for name, tensor in kept.items()},
        config,
        outputs,
        _operating_points(points, outputs, path),
        left_out,
    )


def _operating_points(points: torch.Tensor | None, outputs: int, path: Path) -> tuple[float, ...] | None:
    if points is None:
        return None
    if tuple(points.shape) != (outputs,):
        raise InputError(
            f"{path}: {_OPERATING} has the shape {list(points.shape)}, and there are {outputs} outputs."
        )
    return tuple(float(value) for value in points)


# --- reading ---


def _loaded(path: Path) -> object:
    check_file(path, give="the file of a checkpoint")
    return read_tensors(path) if path.suffix == ".safetensors" else load_plain(path, why_refused=_why_refused)


def _why_refused(asked: str | None, said: str) -> str:
    if asked is None:
        return f"it is no plain checkpoint ({said}). Next step: check that the file is whole."
    return (
        f"it asks for {asked}, so it is a whole pickled model or has one in it, and loading "
        "that could run code. Only tensors and plain values are read. Next step: where the file can be trusted and the "
        "program that wrote it is installed, load it there and save its tensors alone: "
        "torch.save(model.state_dict(), 'weights.pt')."
    )


def _states(found: object, path: Path) -> Tensors:
    if not isinstance(found, Mapping) or not found or not all(isinstance(key, str) for key in found):
        raise InputError(
            f"{path} holds no tensors by name. Next step: give a file with a state dict, plain or under "
            f"{' or '.join(_NESTED)}."
        )
    strange = [key for key, value in found.items() if not isinstance(value, torch.Tensor)]
    if strange:
        raise InputError(
            f"{path}: {strange[0]!r} is no tensor, so this is no state dict. Known places of one are the top and "
            f"{', '.join(_NESTED)}."
        )
    return dict(found)


def _without_prefix(states: Tensors, path: Path) -> tuple[str, Tensors]:
    """What stands before all names, and the tensors without it."""
    roots = [name for name in states if name.endswith(_ROOT)]
    if len(roots) != 1:
        raise InputError(
            f"{path} has {len(roots)} tensors whose names end in {_ROOT}, and a DenseNet has one. Next step: give a "
            f"DenseNet's state dict; this one begins with {next(iter(states))!r}."
        )
    prefix = roots[0].removesuffix(_ROOT)
    others = [name for name in states if not name.startswith(prefix)]
    if others or (prefix and not prefix.endswith(".")):
        name = others[0] if others else roots[0]
        raise InputError(
            f"{path}: most names begin with {prefix!r}, and {len(others)} do not ({name!r}). Next step: save the state "
            "dict of the DenseNet alone."
        )
    return prefix, {name.removeprefix(prefix): tensor for name, tensor in states.items()}


def _modern(name: str) -> str:
    return _LEGACY.sub(r"\1\2", name)


def _head_name(name: str) -> str:
    return name.replace(f"{HEAD}0.", HEAD) if name.startswith(f"{HEAD}0.") else name


def _style(tensors: Tensors, *, wrapped: bool) -> str:
    if _OPERATING in tensors or (tensors[_ROOT].dim() == 4 and tensors[_ROOT].shape[1] == 1):
        return TORCHXRAYVISION
    in_sequence = any(name.startswith(f"{HEAD}0.") for name in tensors)
    return CHEXPERT if wrapped or in_sequence else TORCHVISION


def _config(tensors: Tensors, path: Path) -> DenseNetConfig:
    """The sizes that the shapes tell."""
    first = _shape(tensors, _ROOT, path)
    inner = _shape(tensors, "features.denseblock1.denselayer1.conv1.weight", path)
    outer = _shape(tensors, "features.denseblock1.denselayer1.conv2.weight", path)
    places = [(int(m[1]), int(m[2])) for name in tensors if (m := _LAYER.fullmatch(name))]
    blocks = tuple(
        max((layer for block, layer in places if block == number), default=0)
        for number in range(1, max((block for block, _ in places), default=0) + 1)
    )
    if not blocks or 0 in blocks or inner[0] % outer[0]:
        raise InputError(f"{path} is no DenseNet: its blocks or their layers are not all there.")
    return DenseNetConfig(blocks, outer[0], first[0], inner[0] // outer[0], first[1])


def _shape(tensors: Tensors, name: str, path: Path) -> tuple[int, ...]:
    tensor = tensors.get(name)
    if tensor is None or tensor.dim() != 4:
        got = "is missing" if tensor is None else f"has the shape {list(tensor.shape)}"
        raise InputError(
            f"{path} does not fit a DenseNet: {name} {got}. Next step: check that the file is whole."
        )
    return tuple(tensor.shape)
