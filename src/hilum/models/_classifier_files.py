"""The folder of an image classifier: what is written, and what is checked when it is read. Never pickle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hilum.core.errors import InputError
from hilum.models import _weight_files as files
from hilum.models._neural import torch
from hilum.models._weight_files import CONFIG, WEIGHTS, FolderKind, Tensors
from hilum.models.classifier_spec import FORMAT, FORMAT_VERSION, ClassifierSpec

SPEC = "hilum_classifier.json"
HEAD = "classifier."
"""The tensors of the head; all others are the backbone's, under its own names."""

COUNTER = "num_batches_tracked"
"""How many batches a norm has seen; it decides no output and is not written."""

CLASSIFIER = FolderKind(
    name="image classifier",
    a_name="an image classifier",
    format=FORMAT,
    version=FORMAT_VERSION,
    spec=SPEC,
    files=(SPEC, WEIGHTS),
    writers="`hilum train classifier`",
    none_given="image classifier was",
    a_file_given="an image classifier is",
    convert="a checkpoint into one with hilum.models.classifier_checkpoint.convert_classifier",
    other_version="use the hilum that wrote it",
    broken="check that the file is whole",
    made_for="this architecture",
)


def write_folder(
    folder: Path, *, backbone: torch.nn.Module, head: torch.nn.Module, spec: ClassifierSpec
) -> None:
    """Write all files of a classifier; see `classifier.save_classifier`."""
    own = dict(backbone.state_dict())
    own |= {HEAD + name: tensor for name, tensor in head.state_dict().items()}
    with files.written(folder):
        files.write_tensors(
            folder / WEIGHTS, {name: tensor for name, tensor in own.items() if not name.endswith(COUNTER)}
        )
        if isinstance(spec.architecture, str):
            config: Any = backbone.config
            files.write_config(folder, config.to_diff_dict())
        else:
            (folder / CONFIG).unlink(missing_ok=True)
        files.write_spec(folder, spec.to_json(), CLASSIFIER)


def read_spec(folder: str | Path | None) -> tuple[Path, ClassifierSpec]:
    """The folder and its spec. Raises InputError when it is no image classifier."""
    path = files.folder_of(folder, CLASSIFIER)
    file = path / SPEC
    spec = ClassifierSpec.from_json(files.read_fields(file, CLASSIFIER), where=str(file))
    if isinstance(spec.architecture, str) and not (path / CONFIG).is_file():
        raise InputError(f"{path} lacks {CONFIG}, which the backbone {spec.architecture} needs.")
    return path, spec


def read_config(folder: Path) -> Any:
    """The configuration of a backbone of transformers."""
    with files.config_read(folder, CLASSIFIER) as config:
        return config


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file. Raises InputError when it is none."""
    return files.tensors_of(path, CLASSIFIER)


def load_parts(backbone: torch.nn.Module, head: torch.nn.Module, tensors: Tensors, *, where: str) -> None:
    """Put the tensors of `write_folder` into the model. Raises InputError when they are not exactly its own."""
    own = {name: tensor for name, tensor in backbone.state_dict().items() if not name.endswith(COUNTER)}
    own |= {HEAD + name: tensor for name, tensor in head.state_dict().items()}
    check_fit(tensors, {name: tuple(tensor.shape) for name, tensor in own.items()}, where=where)
    load_backbone(backbone, {name: t for name, t in tensors.items() if not name.startswith(HEAD)})
    head.load_state_dict({n.removeprefix(HEAD): t for n, t in tensors.items() if n.startswith(HEAD)})


def load_backbone(backbone: torch.nn.Module, tensors: Tensors) -> None:
    """Put checked tensors into a backbone; its counters stay."""
    counters = {name: tensor for name, tensor in backbone.state_dict().items() if name.endswith(COUNTER)}
    backbone.load_state_dict({**counters, **{name: tensor.float() for name, tensor in tensors.items()}})


def check_fit(tensors: Tensors, wanted: Mapping[str, tuple[int, ...]], *, where: str) -> None:
    """Raises InputError, which names a few, when tensors are missing, extra, wrongly shaped or not finite."""
    counted = [name for name in wanted if name in tensors]
    files.check_shapes(tensors, wanted, counted=counted, where=where, kind=CLASSIFIER)


def digest_of(folder: Path) -> str:
    """SHA-256, in hex, over names and bytes of the files that decide the probabilities of a classifier's folder."""
    return files.digest_of_files(folder, (CONFIG, WEIGHTS, SPEC))
