"""The folder of a report generator: what is written, and what is checked when it is read. Never pickle."""

from __future__ import annotations

from pathlib import Path

from hilum.models import _weight_files as files
from hilum.models._classifier_files import COUNTER
from hilum.models._neural import torch
from hilum.models._weight_files import WEIGHTS, FolderKind
from hilum.models.generator_spec import FORMAT, FORMAT_VERSION, GeneratorSpec

SPEC = "hilum_generator.json"

GENERATOR = FolderKind(
    name="report generator",
    a_name="a report generator",
    format=FORMAT,
    version=FORMAT_VERSION,
    spec=SPEC,
    files=(SPEC, WEIGHTS),
    writers="`hilum train generator`",
    none_given="report generator was",
    a_file_given="a report generator is",
    convert="it into one with `hilum train generator`: {path} is no folder of one",
    other_version="use the hilum that wrote it",
    broken="check that the file is whole",
    made_for="this vocabulary and these sizes",
)


def write_folder(folder: Path, model: torch.nn.Module, spec: GeneratorSpec) -> None:
    """Write all files of a generator; see `report_generator.save_generator`."""
    with files.written(folder):
        kept = {n: t for n, t in model.state_dict().items() if not n.endswith(COUNTER)}
        files.write_tensors(folder / WEIGHTS, kept)
        files.write_spec(folder, spec.to_json(), GENERATOR)


def read_spec(folder: str | Path | None) -> tuple[Path, GeneratorSpec]:
    """The folder and its spec. Raises InputError when it is no report generator."""
    path = files.folder_of(folder, GENERATOR)
    file = path / SPEC
    return path, GeneratorSpec.from_json(files.read_fields(file, GENERATOR), where=str(file))


def load_weights(folder: Path, model: torch.nn.Module) -> None:
    """Put the weights of a folder into a model. Raises InputError when they are not exactly its own."""
    tensors = files.tensors_of(folder / WEIGHTS, GENERATOR)
    own = model.state_dict()
    wanted = {name: tuple(tensor.shape) for name, tensor in own.items() if not name.endswith(COUNTER)}
    counted = [name for name in wanted if name in tensors]
    files.check_shapes(tensors, wanted, counted=counted, where=str(folder / WEIGHTS), kind=GENERATOR)
    counters = {name: tensor for name, tensor in own.items() if name.endswith(COUNTER)}
    model.load_state_dict({**counters, **{name: tensors[name].float() for name in wanted}})


def digest_of(folder: Path) -> str:
    """SHA-256, in hex, over names and bytes of the files that decide what a generator writes."""
    return files.digest_of_files(folder, (WEIGHTS, SPEC))
