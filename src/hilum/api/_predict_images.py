"""What `hilum predict` starts from: the images that were named, and whether all that it needs is there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from hilum.api._image_job import check_installed, check_model_folder
from hilum.core.errors import ImageError, InputError
from hilum.core.vocabulary import SHIPPED
from hilum.tables._label_rows import counted
from hilum.tables.image_tables import PATH_COLUMNS, image_rows

if TYPE_CHECKING:
    from hilum.api.predict import PredictJob

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".dcm", ".dicom")
"""Endings of files that are taken from a folder; files without an ending, as DICOM often is, are told by content."""

TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".gz")
_SPEC = "hilum_classifier.json"
_SHOWN = 3


class ImageJob(Protocol):
    """What finding the images of a job needs of it; see `PredictJob`. `output`: None for standard output."""

    @property
    def images(self) -> tuple[str | Path, ...]: ...
    @property
    def path_column(self) -> str | None: ...
    @property
    def root(self) -> str | Path | None: ...
    @property
    def output(self) -> str | Path | None: ...


class Item(NamedTuple):
    """One image: its file, what messages call it, and the cells that stand before its probabilities."""

    path: str
    name: str
    cells: tuple[Any, ...]


class Items(NamedTuple):
    """All images of a job, the columns of their cells, and the files of folders that are no images, with the reason."""

    items: tuple[Item, ...]
    columns: tuple[str, ...]
    notes: tuple[str, ...]
    others: tuple[tuple[str, str], ...] = ()


def check_ready(job: PredictJob) -> None:
    """Raises InputError when there is no such classifier, MissingExtraError when a package is not installed."""
    check_model_folder(
        Path(job.weights), _SPEC, option="--weights", called="classifier", writer="hilum train classifier"
    )
    if job.findings and job.grad_cam is None:
        raise InputError(
            f"--finding {', '.join(job.findings)} says what --grad-cam draws, and there is no --grad-cam; "
            "probabilities are written for all findings. Next step: add --grad-cam DIR, or leave --finding out."
        )
    check_installed()


def find_images(job: ImageJob) -> Items:
    """The images of a job in order: those of a table, or files and the files of folders, sorted.

    Raises InputError when there is none.
    """
    given = [Path(one) for one in job.images]
    if given and not any(path.exists() for path in given):
        raise InputError(
            f"There is no file or folder {', '.join(map(str, given[:_SHOWN]))}. Next step: check the path."
        )
    if len(given) == 1 and given[0].is_file() and given[0].suffix.lower() in TABLE_SUFFIXES:
        return _of_table(given[0], job)
    items: list[Item] = []
    others: list[tuple[str, str]] = []
    for path in given:
        inside = (
            sorted(p for p in path.rglob("*") if p.is_file() and not _hidden(p, path))
            if path.is_dir()
            else [path]
        )
        for one in inside:
            why = _no_image(one) if path.is_dir() else ""
            if why:
                others.append((str(one), why))
            else:
                items.append(Item(str(one), str(one), (str(one),)))
    if not items:
        raise InputError(
            f"There is no image in {', '.join(map(str, given)) or 'nothing'}{_first(others)}. Next step: name image "
            f"files ({' '.join(IMAGE_SUFFIXES)}, or DICOM without an ending), folders of them, or a table with a "
            "column of image files."
        )
    return Items(tuple(items), ("path",), tuple(_told(job, others)), tuple(others))


def _told(job: ImageJob, others: list[tuple[str, str]]) -> list[str]:
    if not others:
        return []
    number = counted(len(others), "file that is no image was", "files that are no images were")
    listed = "" if job.output is None else f"; listed in {failed_file(job.output).name}"
    return [f"{number} left out{_first(others)}{listed}"]


def _first(others: list[tuple[str, str]]) -> str:
    """The names of the first few."""
    if not others:
        return ""
    names = ", ".join(Path(name).name for name, _ in others[:_SHOWN])
    return f" ({names}{', ...' if len(others) > _SHOWN else ''})"


def failed_file(output: str | Path) -> Path:
    """Where images that could not be used are listed: `probs.csv.failed.csv` for `probs.csv`."""
    path = Path(output)
    return path.with_name(f"{path.name}.failed.csv")


def _hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)


def _no_image(path: Path) -> str:
    """Why a file of a folder is not taken; "" for one that is. A number, as in a DICOM UID, is no ending."""
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return ""
    if suffix and not suffix[1:].isdigit():
        return f"its name ends in {suffix}; taken are {' '.join(IMAGE_SUFFIXES)}, and DICOM without an ending"
    from hilum.images._source import detect, opened  # noqa: PLC0415

    try:
        with opened(path, None) as file:
            detect(file)
    except ImageError as error:
        return bare_reason(str(error), str(path))
    return ""


def bare_reason(why: str, *names: str) -> str:
    """A reason on one line, without the name of the image in front, which stands beside it."""
    text = " ".join(why.split())
    for name in names:
        text = text.removeprefix(" ".join(name.split())).lstrip(": ")
    return text


def _of_table(path: Path, job: ImageJob) -> Items:
    columns, place, rows = image_rows(path, path_column=job.path_column)
    root = path.parent if job.root is None else Path(job.root)
    findings = {name for vocabulary in SHIPPED.values() for name in vocabulary.names}
    kept = [i for i, name in enumerate(columns) if name not in findings]
    items = [
        Item(str(root / str(row[place])), str(row[place]), tuple(row[i] for i in kept))
        for row in rows
        if row[place]
    ]
    if not items:
        raise InputError(
            f"{path}: no row names an image in the column {columns[place]!r} (also {PATH_COLUMNS[0]})."
        )
    notes = []
    if empty := len(rows) - len(items):
        notes.append(
            f"{counted(empty, 'row names no image and was', 'rows name no image and were')} left out"
        )
    if twice := len(items) - len({item.path for item in items}):
        said = counted(twice, "row names an image that an", "rows name images that an")
        notes.append(f"{said} earlier row names; each row has its probabilities")
    if dropped := [name for name in columns if name in findings]:
        notes.append(f"columns of labels of the table were not kept: {', '.join(dropped)}")
    return Items(tuple(items), tuple(columns[i] for i in kept), tuple(notes))
