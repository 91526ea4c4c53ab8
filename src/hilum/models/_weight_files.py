"""The folder of a model, whatever the model is: what is written, and what is checked when it is read. Never pickle."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from hilum.core.errors import InputError, OutputError
from hilum.core.version import VERSION
from hilum.models._neural import safetensors, torch, transformers

CONFIG, WEIGHTS = "config.json", "model.safetensors"
_SHOWN = 5

Tensors = Mapping[str, torch.Tensor]


class FolderKind(NamedTuple):
    """What folders of one kind of model are called and have, and what is said where one is not as it should be.

    `spec`: the file of the spec, whose first two fields are `format` and `version`; `files`: those without which it
    is no such folder; `writers`: what writes it. `convert` may have {path}.
    """

    name: str
    a_name: str
    format: str
    version: int
    spec: str
    files: tuple[str, ...]
    writers: str
    none_given: str
    a_file_given: str
    convert: str
    other_version: str
    broken: str
    made_for: str


# --- written ---


@contextmanager
def written(folder: Path) -> Iterator[None]:
    """Makes the folder; what goes wrong while files are written to it is an OutputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except (OSError, safetensors.SafetensorError) as error:
        raise OutputError(f"{folder} cannot be written: {error}. Next step: name another folder.") from error


def write_tensors(path: Path, tensors: Tensors) -> None:
    """Float32 copies in the order of their names; tensors that share memory are stored apart."""
    kept = {
        name: tensor.detach().to("cpu", torch.float32, copy=True).contiguous()
        for name, tensor in sorted(tensors.items())
    }
    path.write_bytes(safetensors.torch.save(kept, metadata={"format": "pt"}))


def write_config(folder: Path, fields: Mapping[str, Any]) -> None:
    """The configuration of a model of transformers, without fields of one process."""
    kept = {name: value for name, value in fields.items() if not name.startswith("_")}
    text = json.dumps(kept, indent=2, sort_keys=True, default=str) + "\n"
    (folder / CONFIG).write_text(text, encoding="utf-8", newline="\n")


def write_spec(folder: Path, fields: Mapping[str, Any], kind: FolderKind) -> None:
    """The fields of a spec after format, version and hilum's version."""
    known = {"format": kind.format, "format_version": kind.version, "hilum": VERSION, **fields}
    text = json.dumps(known, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    (folder / kind.spec).write_text(text, encoding="utf-8", newline="\n")


def check_free(dest: Path, kind: FolderKind, *, force: bool, forced_by: str) -> None:
    """Raises OutputError when `dest` holds anything but a folder of this kind, or that without `force`."""
    if not dest.exists() and not dest.is_symlink():
        return
    if dest.is_dir() and not any(dest.iterdir()):
        return
    if not (dest.is_dir() and (dest / kind.spec).is_file()):
        raise OutputError(
            f"{dest} is there and is no {kind.name}, so it is left alone. Next step: name another folder."
        )
    if not force:
        raise OutputError(
            f"{dest} already holds {kind.a_name}. Next step: name another folder, or {forced_by}."
        )


def write_at_once(dest: Path, save: Callable[[Path], object]) -> None:
    """`save` writes all files into a folder beside `dest` first, which then takes its name."""
    new, old = (dest.with_name(f".{dest.name}.hilum-{word}") for word in ("unfinished", "replaced"))
    try:
        for left in (new, old):
            shutil.rmtree(left, ignore_errors=True)
        save(new)
        if dest.exists():
            dest.rename(old)
        new.rename(dest)
    except OSError as error:
        if old.exists() and not dest.exists():
            old.rename(dest)
        raise OutputError(f"{dest} cannot be written: {error}. Next step: name another folder.") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


# --- read ---


def folder_of(folder: str | Path | None, kind: FolderKind) -> Path:
    """The folder as a path. Raises InputError when it is none of this kind."""
    if folder is None or not str(folder):
        raise InputError(
            f"No {kind.none_given} given. Next step: --weights DIR with a folder that {kind.writers} wrote."
        )
    path = Path(folder)
    if path.is_file():
        raise InputError(
            f"{path} is a file, and {kind.a_file_given} a folder. Next step: turn {kind.convert.format(path=path)}."
        )
    if not path.is_dir():
        raise InputError(f"There is no folder {path}. Next step: check the path that was given as weights.")
    missing = [name for name in kind.files if not (path / name).is_file()]
    if missing:
        raise InputError(
            f"{path} is no {kind.name}: it lacks {', '.join(missing)}. Next step: give a folder that {kind.writers} "
            "wrote."
        )
    return path


def read_fields(path: Path, kind: FolderKind) -> dict[str, Any]:
    """The fields of a spec, without format and versions, which are checked."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise broken(path, error, kind) from error
    if not isinstance(fields, dict) or fields.pop("format", None) != kind.format:
        raise InputError(f"{path} is no {kind.format} of hilum: its field 'format' says otherwise.")
    version = fields.pop("format_version", None)
    if version != kind.version:
        raise InputError(
            f"{path} has format version {version!r}, and this hilum reads {kind.version}. Next step: "
            f"{kind.other_version}."
        )
    fields.pop("hilum", None)
    return fields


@contextmanager
def config_read(folder: Path, kind: FolderKind) -> Iterator[Any]:
    """The configuration of a model of transformers; what goes wrong with it is an InputError."""
    try:
        yield transformers.AutoConfig.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError) as error:
        raise broken(folder / CONFIG, error, kind) from error


def tensors_of(path: Path, kind: FolderKind) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file. Raises InputError when it is none."""
    try:
        return safetensors.torch.load_file(path)
    except (OSError, safetensors.SafetensorError, ValueError) as error:
        raise broken(path, error, kind) from error


def broken(path: Path, error: Exception, kind: FolderKind) -> InputError:
    """What to raise for a file that cannot be read."""
    said = " ".join(str(error).split())[:200]
    return InputError(f"{path} cannot be read: {said}. Next step: {kind.broken}.")


def check_shapes(
    tensors: Tensors,
    wanted: Mapping[str, tuple[int, ...]],
    *,
    counted: Iterable[str],
    where: str,
    kind: FolderKind,
) -> None:
    """Raises InputError, which names a few, when tensors are missing, extra, wrongly shaped or not finite.

    `counted`: names of the tensors whose values must be finite.
    """
    said = [
        _listed("lacks", [name for name in wanted if name not in tensors]),
        _listed("has unknown", [name for name in tensors if name not in wanted]),
        _listed(
            "has wrongly shaped",
            [
                f"{name} {list(tensors[name].shape)}, not {list(shape)}"
                for name, shape in wanted.items()
                if name in tensors and tuple(tensors[name].shape) != shape
            ],
        ),
        _listed(
            "has values that are no finite numbers in", [n for n in counted if not _is_finite(tensors[n])]
        ),
    ]
    problems = "; ".join(part for part in said if part)
    if problems:
        raise InputError(
            f"{where} does not fit the model: it {problems}. Next step: check that the file is whole, and that it was "
            f"made for {kind.made_for}."
        )


def _is_finite(tensor: torch.Tensor) -> bool:
    return bool(tensor.is_floating_point()) and bool(tensor.isfinite().all())


def _listed(verb: str, names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{verb} {len(names)} tensors ({', '.join(names[:_SHOWN])}{more})"


def digest_of_files(folder: Path, names: Iterable[str]) -> str:
    """SHA-256, in hex, over names and bytes of those files that are there, in the order of `names`."""
    digest = hashlib.sha256()
    for name in names:
        if (folder / name).is_file():
            with (folder / name).open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            digest.update(f"{name}\0{content}\n".encode())
    return digest.hexdigest()
