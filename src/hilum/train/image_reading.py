"""Tables of images and data sets to an `ImageSet`: names, patients, labels and where the pixels are."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError
from hilum.core.imaging import Image, Study, View
from hilum.core.matrix import LEFT_OUT, LabelMatrix
from hilum.core.vocabulary import SHIPPED, State, Vocabulary
from hilum.datasets import DATA_SETS, DataSet, get_data_set
from hilum.tables._label_rows import counted
from hilum.tables.image_tables import read_image_table
from hilum.tables.labels import read_labels
from hilum.train.classifier_config import ClassifierTraining
from hilum.train.image_cache import grey
from hilum.train.image_set import ImageSet, Source

_SHOWN = 3
_TELL_EVERY = 1_000
Tell = Callable[[str], None]


def read_image_sets(config: ClassifierTraining, *, tell: Tell) -> tuple[ImageSet, ImageSet | None]:
    """The images to learn from and, where they were named, those to choose by.

    Raises InputError when there is no input, or none of it has labels.
    """
    if config.data is not None:
        learned = read_data_set(config, split=config.split, tell=tell)
        chosen = (
            None if config.dev_split is None else read_data_set(config, split=config.dev_split, tell=tell)
        )
        return learned, chosen
    if config.images is None:
        raise InputError(
            "There are no images to learn from. Next step: a table with --images FILE, or a data set with --data NAME "
            "--root DIR (`hilum doctor` lists them)."
        )
    learned = read_table(config.images, config)
    return learned, None if config.dev_images is None else read_table(config.dev_images, config)


# --- tables ---


def read_table(path: Path, config: ClassifierTraining) -> ImageSet:
    """The images of a table with a path, labels and maybe a patient in each row.

    Paths are relative to `config.root`, else to the folder of the table. With `config.labels`, the labels are those
    of that file, joined by key.
    """
    table = read_image_table(path, path_column=config.path_column, patient_column=config.patient_column)
    notes = list(table.notes)
    if config.labels is None:
        read = read_labels(
            path, vocabulary=config.vocabulary, key=table.path_column, texts=False, left_out=True
        )
        matrix, rows = read.matrix, np.arange(len(table.paths))
    else:
        matrix, rows, told = _joined(path, config, table.paths)
        notes += told
    root = config.root or path.parent
    base = ImageSet(
        path.name,
        matrix.vocabulary,
        matrix.findings,
        table.paths,
        table.paths,
        table.patients or ("",) * len(table.paths),
        tuple(root / one for one in table.paths),
        np.full((len(table.paths), len(matrix.findings)), LEFT_OUT, dtype=np.int8),
    )
    placed = replace(base.take(rows), states_NF=matrix.states_NF)
    named = np.array([bool(one) for one in placed.ids])
    if not named.all():
        lost = counted(
            int((~named).sum()),
            "row of labels names no image and was",
            "rows of labels name no image and were",
        )
        notes.append(f"{lost} left out")
        placed = placed.take(np.flatnonzero(named))
    notes += _noteworthy(placed, named=table.patients is not None)
    return _finished(placed, notes)


def _noteworthy(images: ImageSet, *, named: bool) -> list[str]:
    """Notes on images that rows name again, and on patients that no column names."""
    notes = []
    if twice := len(images.ids) - len(set(images.ids)):
        said = counted(twice, "row names an image that an", "rows name images that an")
        notes.append(f"{said} earlier row names; all are used")
    if not named:
        notes.append(
            "no column of patients was found: images of one patient can stand on both sides of the split"
        )
    return notes


def _joined(
    path: Path, config: ClassifierTraining, paths: Sequence[str]
) -> tuple[LabelMatrix, npt.NDArray[np.intp], list[str]]:
    """Labels of another file, and the row of the table that each is of."""
    where = config.labels
    assert where is not None  # noqa: S101  (asked for by the caller)
    labels = read_labels(where, vocabulary=config.vocabulary, key=config.key, texts=False, left_out=True)
    if labels.key is None:
        raise InputError(
            f"{where} has no key column. Next step: name the column that joins it with --key COLUMN."
        )
    table = read_image_table(
        path,
        path_column=config.path_column,
        patient_column=config.patient_column,
        more=(config.key or labels.key,),
    )
    keys = table.more[0] or paths
    matrix, rows, notes = join_labels(labels.matrix, keys, where=str(where), images=str(path))
    return matrix, rows, notes


def join_labels(
    matrix: LabelMatrix, keys: Sequence[str], *, where: str, images: str
) -> tuple[LabelMatrix, npt.NDArray[np.intp], list[str]]:
    """Labels for the images whose keys they have, the places of these images, and notes on what is left over.

    Several images can share a key (a study). Raises InputError when nothing joins, or a key has two labels.
    """
    place: dict[str, int] = {}
    for row, key in enumerate(matrix.ids):
        first = place.setdefault(key, row)
        if key and not np.array_equal(matrix.states_NF[first], matrix.states_NF[row]):
            raise InputError(
                f"{where}: the key {key!r} stands in rows {first + 1} and {row + 1} with other labels. Next step: name "
                "a column that is different for each with --key COLUMN."
            )
    rows = np.array([i for i, key in enumerate(keys) if key and key in place], dtype=np.intp)
    if not len(rows):
        raise InputError(
            f"No image of {images} ({_some(keys)}) has labels in {where} ({_some(matrix.ids)}). Next step: name the "
            "column that both share with --key COLUMN."
        )
    used = {keys[i] for i in rows}
    notes = [f"{len(rows):,} images were joined with labels by key"]
    if len(rows) < len(keys):
        notes.append(f"{len(keys) - len(rows):,} images have no labels and were left out")
    if len(used) < len(place):
        notes.append(f"{len(place) - len(used):,} rows of labels have no image and were left out")
    return matrix.take(np.array([place[keys[i]] for i in rows])), rows, notes


def _some(keys: Sequence[str]) -> str:
    return ", ".join(repr(one) for one in keys[:_SHOWN]) + (", ..." if len(keys) > _SHOWN else "")


# --- data sets ---


def read_data_set(config: ClassifierTraining, *, split: str | None, tell: Tell) -> ImageSet:
    """The images of a data set, with labels of `config.source` or of the file `config.labels`."""
    assert config.data is not None  # noqa: S101  (asked for by the caller)
    found = _data_set(config.data, config)
    source = _source_of(config.data, found.card.labels, config)
    read = from_studies(
        found.studies(split),
        source=source,
        config=config,
        tell=tell,
        name=f"{config.data} {split or ''}".strip(),
    )
    return replace(read, notes=(*read.notes, *found.dropped.lines()))


def _data_set(name: str, config: ClassifierTraining) -> DataSet:
    takes = inspect.signature(DATA_SETS.get(name)).parameters
    unknown = [one for one in config.data_options if one not in takes or one == "root"]
    if unknown:
        options = ", ".join(one for one in takes if one != "root") or "none"
        raise InputError(f"The data set {name} has no option {unknown[0]!r}. Options: {options}.")
    if config.root is not None:
        return get_data_set(name, config.root, **dict(config.data_options))
    if "root" in takes and takes["root"].default is inspect.Parameter.empty:
        raise InputError(
            f"The data set {name} is read from files. Next step: name its folder with --root DIR."
        )
    return DATA_SETS.get(name)(**dict(config.data_options))


def _source_of(name: str, sources: Sequence[str], config: ClassifierTraining) -> str:
    """The source of labels that was asked for, else the only one of the data set; "" with labels of a file."""
    if config.labels is not None:
        return ""
    wanted = config.source
    if wanted in sources or (wanted is None and len(sources) == 1):
        return wanted or sources[0]
    got = "" if wanted is None else f"There is no label file {wanted} and no label source of that name. "
    if not sources:
        raise InputError(
            f"{got}The data set {name} has no labels of its own. Next step: --labels FILE, with a row of labels for "
            "each image or study."
        )
    raise InputError(
        f"{got}The data set {name} has labels of: {', '.join(sources)}. Next step: choose with --labels SOURCE, such "
        f"as --labels '{sources[0]}', or give a label file with --labels FILE."
    )


def from_studies(
    studies: Any,
    *,
    source: str,
    config: ClassifierTraining,
    tell: Tell = lambda _: None,
    name: str = "studies",
) -> ImageSet:
    """The images of studies, with the labels of `source`, or of the file `config.labels` by study or image id.

    Pixels in memory are brought to the size of the model at once; files are read later. Raises InputError when no
    image with labels is left.
    """
    kept: list[tuple[Study, Image, Source]] = []
    dropped: Counter[str] = Counter()
    for number, study in enumerate(studies, start=1):
        if number % _TELL_EVERY == 0:
            tell(f"{number:,} studies were looked through")
        if config.labels is None and source not in study.labels:
            dropped[f"studies without labels of {source!r}"] += 1
            continue
        dropped["studies without images"] += not study.images
        for image in study.images:
            if config.views == "frontal" and image.view is View.LATERAL:
                dropped["lateral images"] += 1
                continue
            pixels = _source(image, config)
            if pixels is None:
                dropped["images with neither file nor pixels"] += 1
                continue
            kept.append((_lean(study), image, pixels))
    notes = [f"{n:,} {what} were left out" for what, n in dropped.items() if n]
    if not kept:
        raise InputError(
            f"{name}: no image has labels to learn from ({'; '.join(notes) or 'there are no studies'})."
        )
    if config.labels is not None:
        return _with_file(kept, notes, config, name)
    vocabulary = kept[0][0].labels[source].vocabulary
    states_NF = np.array([_states(study, source, vocabulary) for study, _, _ in kept], dtype=np.int8)
    return _finished(_set(name, vocabulary, vocabulary.names, kept, states_NF), notes)


def _lean(study: Study) -> Study:
    """The study without its images, so that their pixels can be forgotten."""
    return replace(study, images=(), report=None)


def _source(image: Image, config: ClassifierTraining) -> Source | None:
    if image.pixels is None:
        return image.path
    return grey(image.pixels, config.size_px, fit=config.fit)


def _states(study: Study, source: str, vocabulary: Vocabulary) -> list[int]:
    labels = study.labels[source]
    if labels.vocabulary == vocabulary:
        return [int(one) for one in labels.states]
    same = vocabulary.counterparts(labels.vocabulary)
    return [int(labels[same[name]]) if name in same else LEFT_OUT for name in vocabulary.names]


def _set(
    name: str,
    vocabulary: Vocabulary,
    findings: tuple[str, ...],
    kept: Sequence[tuple[Study, Image, Source]],
    states_NF: npt.NDArray[np.int8],
) -> ImageSet:
    return ImageSet(
        name,
        vocabulary,
        findings,
        tuple(image.id for _, image, _ in kept),
        tuple(study.id for study, _, _ in kept),
        tuple(study.patient for study, _, _ in kept),
        tuple(source for _, _, source in kept),
        states_NF,
    )


def _with_file(
    kept: Sequence[tuple[Study, Image, Source]], notes: list[str], config: ClassifierTraining, name: str
) -> ImageSet:
    where = config.labels
    assert where is not None  # noqa: S101  (asked for by the caller)
    matrix = read_labels(
        where, vocabulary=config.vocabulary, key=config.key, texts=False, left_out=True
    ).matrix
    known = set(matrix.ids)
    keys = [image.id if image.id in known and study.id not in known else study.id for study, image, _ in kept]
    labels, rows, told = join_labels(matrix, keys, where=str(where), images=name)
    chosen = [kept[i] for i in rows]
    found = _set(name, labels.vocabulary, labels.findings, chosen, labels.states_NF)
    return _finished(found, [*notes, *told])


# --- both ---


def _finished(images: ImageSet, notes: Sequence[str]) -> ImageSet:
    """Without the images that have no label at all; these are counted."""
    empty = np.all((images.states_NF == LEFT_OUT) | (images.states_NF == State.BLANK), axis=1)
    if images.vocabulary.no_finding not in images.findings:
        empty &= np.all(images.states_NF == LEFT_OUT, axis=1)
    told = list(notes)
    if empty.any():
        told.append(
            f"{counted(int(empty.sum()), 'image without any label was', 'images without any label were')} left out"
        )
    if empty.all():
        raise InputError(
            f"{images.name}: no image has a label, so there is nothing to learn. Next step: check its columns."
        )
    return replace(images.take(np.flatnonzero(~empty)), notes=tuple(told))


def findings_of(config: ClassifierTraining, images: ImageSet) -> tuple[str, ...]:
    """The findings to learn: those asked for, else those of the labels. Raises InputError for one without labels."""
    vocabulary = SHIPPED[config.vocabulary] if config.vocabulary else images.vocabulary
    wanted = tuple(vocabulary.names[vocabulary.index(one)] for one in config.findings) or images.findings
    lacking = [name for name in wanted if name not in images.findings]
    if lacking:
        raise InputError(
            f"{images.name} has no labels for {', '.join(lacking)}. Findings there are: {', '.join(images.findings)}. "
            "Next step: --findings with some of these."
        )
    return wanted
