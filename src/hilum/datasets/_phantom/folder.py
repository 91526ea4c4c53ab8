"""The phantom on disk: written in parts that survive a kill, the same bytes from any number of workers."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hilum.core.errors import InputError, OutputError
from hilum.core.imaging import Image, Study
from hilum.core.version import VERSION
from hilum.core.vocabulary import CSV_CODES
from hilum.datasets._phantom.files import (
    BOXES,
    IMAGES,
    MASK_NAMES,
    MASKS,
    PARTS,
    README,
    REPORTS,
    SETTINGS,
    TABLE,
)
from hilum.datasets._phantom.patient import patients
from hilum.datasets._phantom.study import PhantomOptions, studies_of
from hilum.images._opencv import opencv
from hilum.runner.local import Chunking, Progress, run_chunks
from hilum.runner.store import FolderStore, differences

_OURS = re.compile(r"P\d{6,}-\d\d(-frontal|-lateral)?\.(png|txt)(\.tmp)?")
_PATIENTS_IN_A_CHUNK = 16
_BOX_COLUMNS = ("image", "finding", "x0", "y0", "x1", "y1")
_NOTE = "synthetic chest radiograph of no patient, drawn by hilum phantom"

_ABOUT = """# Phantom: synthetic chest studies

Everything here is **synthetic**: drawn and written by `hilum` {version} from the seed {seed}. No image, report, age
or sex is of a patient, and nothing here supports a claim about patients. It is for testing methods and pipelines.

| what | where |
|---|---|
| studies, one JSON object per line, with labels by source | `{table}` |
| images, 8-bit grey PNG | `{images}/` |
| lungs and heart, one bit each in 8-bit grey PNG ({masks}) | `{mask_folder}/` |
| reports | `{reports}/` |
| boxes of what is drawn, in pixels, half-open | `{boxes}` |
| what decides every byte | `{settings}` |

Labels: 1 positive, 0 negative, -1 uncertain, null blank. `image` is what is drawn, `report` what the impression
says, `whole report` what findings and impression say. `meta.causes` says why `image` and `report` part.
"""


def write_phantom(
    folder: Path | str,
    options: PhantomOptions,
    *,
    workers: int = 1,
    progress: Callable[[Progress], None] | None = None,
    fresh: bool = False,
) -> None:
    """Write `options.n` studies below `folder`. What was done before a kill is not done again.

    The bytes do not depend on `workers` or on interruptions. Raises OutputError when the folder holds a phantom of
    other options (`fresh` replaces it) or cannot be made, ResumeError when it holds parts of another run, InputError
    for no studies at all, and MissingExtraError, before anything is written, without the package that draws.
    """
    folder = Path(folder)
    if options.n < 1:
        raise InputError(
            f"{options.n} studies cannot be written. Next step: 1 or more with --n (in Python: n)."
        )
    if _finished(folder, options, fresh=fresh):
        return
    if options.draw:
        opencv()
    _make_folders(folder, fresh=fresh)
    store = FolderStore(folder / PARTS)
    store.open({"phantom": _settings(options), "patients in a chunk": _PATIENTS_IN_A_CHUNK}, fresh=fresh)
    try:
        report = run_chunks(
            patients(options.seed, options.n),
            ChunkWriter(str(folder), options),
            store=store,
            chunking=Chunking(size=_PATIENTS_IN_A_CHUNK),
            workers=workers,
            progress=progress,
        )
        _join(store, report.chunks, folder / TABLE, "studies", b"")
        _join(store, report.chunks, folder / BOXES, "boxes", (",".join(_BOX_COLUMNS) + "\n").encode())
        _replace(folder / README, _about(options).encode())
        _replace(folder / SETTINGS, _settings_text(options).encode())
        store.remove()
    finally:
        store.close()


def _make_folders(folder: Path, *, fresh: bool) -> None:
    for place in (folder, *folder.parents):
        if place.exists() and not place.is_dir():
            raise OutputError(f"{place} is a file, no folder. Next step: choose another folder with -o.")
    try:
        for name in (IMAGES, MASKS, REPORTS):
            (folder / name).mkdir(parents=True, exist_ok=True)
            for old in (folder / name).iterdir() if fresh else ():
                if _OURS.fullmatch(old.name):
                    old.unlink()
    except OSError as error:
        raise OutputError(
            f"Cannot write in {folder}: {error.strerror or error}. Next step: choose another folder with -o."
        ) from error


def _settings(options: PhantomOptions) -> dict[str, Any]:
    found = {"synthetic": "yes", "version": VERSION, **asdict(options), "causes": sorted(options.causes)}
    if options.times == 1:  # as before there were other rates
        del found["times"]
    return found


def _settings_text(options: PhantomOptions) -> str:
    return json.dumps(_settings(options), indent=1, sort_keys=True) + "\n"


def _finished(folder: Path, options: PhantomOptions, *, fresh: bool) -> bool:
    """Whether the folder holds this very phantom already."""
    path = folder / SETTINGS
    if fresh or not path.exists():
        return False
    if path.read_bytes() == _settings_text(options).encode():
        return not (folder / PARTS).exists()
    raise OutputError(
        f"{folder} holds a phantom that was made with other options: {_differing(path, options)}. "
        "Next step: choose another folder, or replace it with --fresh (in Python: fresh=True)."
    )


def _differing(path: Path, options: PhantomOptions) -> str:
    """What a phantom on disk was made with and these options have not, in words."""
    try:
        earlier = {"times": 1, **json.loads(path.read_bytes())}
    except (ValueError, TypeError):
        return f"{SETTINGS} cannot be read"
    return "; ".join(differences(earlier, {"times": 1, **_settings(options)})) or f"{SETTINGS} was changed"


def _about(options: PhantomOptions) -> str:
    return _ABOUT.format(
        version=VERSION, seed=options.seed, table=TABLE, images=IMAGES, mask_folder=MASKS, reports=REPORTS,
        boxes=BOXES, settings=SETTINGS, masks=", ".join(f"{1 << i} {m}" for i, m in enumerate(MASK_NAMES)),
    )  # fmt: skip


def _join(store: FolderStore, chunks: int, path: Path, part: str, head: bytes) -> None:
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        file.write(head)
        for chunk in range(chunks):
            file.write(store.path(chunk, part).read_bytes())
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(content)
    temporary.replace(path)


@dataclass(frozen=True)
class ChunkWriter:
    """What a worker does: the files of some patients' studies, and their rows as parts."""

    folder: str
    options: PhantomOptions

    def build(self) -> Callable[[int, Sequence[tuple[int, int]]], Mapping[str, bytes]]:
        """The function that a worker calls for each chunk of (patient, studies)."""
        return self._write

    def _write(self, first: int, items: Sequence[tuple[int, int]]) -> Mapping[str, bytes]:  # noqa: ARG002
        folder = Path(self.folder)
        rows, boxes = io.StringIO(), io.StringIO()
        table = csv.writer(boxes, lineterminator="\n")
        for number, taken in items:
            for study in studies_of(self.options, number, taken):
                _write_files(folder, study)
                rows.write(json.dumps(_row(study), ensure_ascii=False) + "\n")
                table.writerows(
                    [i.id, b.finding, b.x0, b.y0, b.x1, b.y1] for i in study.images for b in i.boxes
                )
        return {"studies": rows.getvalue().encode(), "boxes": boxes.getvalue().encode()}


def _write_files(folder: Path, study: Study) -> None:
    if study.report is not None:
        _replace(folder / REPORTS / f"{study.id}.txt", study.report.text.encode())
    for image in study.images:
        if image.pixels is None:
            continue
        grey = np.rint(image.pixels[0] * 255).astype(np.uint8)
        _replace(folder / IMAGES / f"{image.id}.png", png(grey, _NOTE))
        if image.masks:
            bits = np.zeros(grey.shape, np.uint8)
            for place, name in enumerate(MASK_NAMES):
                if name in image.masks:
                    bits |= image.masks[name].astype(np.uint8) << place
            _replace(folder / MASKS / f"{image.id}.png", png(bits, _NOTE))


def png(grey: np.ndarray, note: str) -> bytes:
    """An 8-bit grey PNG of a uint8 array [H, W], with a text chunk that says what it is."""
    height, width = grey.shape
    lines = np.zeros((height, width + 1), np.uint8)
    lines[:, 1:] = grey
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"tEXt", b"Description\0" + note.encode("latin-1")),
        (b"IDAT", zlib.compress(lines.tobytes(), 4)),
        (b"IEND", b""),
    )
    body = (struct.pack(">I", len(c)) + t + c + struct.pack(">I", zlib.crc32(t + c)) for t, c in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def _row(study: Study) -> dict[str, Any]:
    return {
        "id": study.id,
        "synthetic": "yes",
        "patient": study.patient,
        "split": study.split,
        "sex": study.sex,
        "race": study.race,
        "age_years": study.age_years,
        "priors": study.priors,
        "licence": study.licence,
        "labels": {
            source: {name: CSV_CODES[state] for name, state in labels.as_dict().items()}
            for source, labels in study.labels.items()
        },
        "images": [_image_row(image) for image in study.images],
        "meta": dict(study.meta),
    }


def _image_row(image: Image) -> dict[str, Any]:
    return {
        "id": image.id,
        "view": image.view.value,
        "is_drawn": image.pixels is not None,
        "masks": sorted(image.masks),
        "spacing_mm": image.spacing_mm,
        "boxes": [[b.finding, b.x0, b.y0, b.x1, b.y1] for b in image.boxes],
    }
