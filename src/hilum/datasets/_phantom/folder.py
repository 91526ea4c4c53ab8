"""The phantom on disk: written in parts that survive a kill, the same bytes from any number of workers, read back."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hilum.core.errors import InputError, OutputError
from hilum.core.imaging import Box, Image, Mask, Study, View
from hilum.core.records import Labels, Report
from hilum.core.version import VERSION
from hilum.core.vocabulary import CHEXPERT14, CSV_CODES, state_from_csv
from hilum.datasets._phantom.patient import patients
from hilum.datasets._phantom.study import PhantomOptions, studies_of
from hilum.runner.local import Chunking, Progress, run_chunks
from hilum.runner.store import FolderStore

TABLE, BOXES, SETTINGS, README = "studies.jsonl", "boxes.csv", "phantom.json", "README.md"
IMAGES, MASKS, REPORTS = "images", "masks", "reports"
_PARTS = ".hilum-parts"
_OURS = re.compile(r"P\d{6,}-\d\d(-frontal|-lateral)?\.(png|txt)(\.tmp)?")
_PATIENTS_IN_A_CHUNK = 16
_BOX_COLUMNS = ("image", "finding", "x0", "y0", "x1", "y1")
_NOTE = "synthetic chest radiograph of no patient, drawn by hilum phantom"
_MASK_NAMES = ("left lung", "right lung", "heart")

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
    other options (`fresh` replaces it), ResumeError when it holds parts of another run.
    """
    folder = Path(folder)
    if _finished(folder, options, fresh=fresh):
        return
    for name in (IMAGES, MASKS, REPORTS):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for old in (folder / name).iterdir() if fresh else ():
            if _OURS.fullmatch(old.name):
                old.unlink()
    store = FolderStore(folder / _PARTS)
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


def _settings(options: PhantomOptions) -> dict[str, Any]:
    found = {"synthetic": "yes", "version": VERSION, **asdict(options), "causes": sorted(options.causes)}
    if options.times == 1:  # as before there were other rates
        del found["times"]
    return found


def population(folder: Path | str) -> str:
    """Whose patients a written phantom has: those of its seed; "" where that is not known."""
    try:
        return f"seed {json.loads((Path(folder) / SETTINGS).read_bytes())['seed']}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _settings_text(options: PhantomOptions) -> str:
    return json.dumps(_settings(options), indent=1, sort_keys=True) + "\n"


def _finished(folder: Path, options: PhantomOptions, *, fresh: bool) -> bool:
    """Whether the folder holds this very phantom already."""
    path = folder / SETTINGS
    if fresh or not path.exists():
        return False
    if path.read_text("utf-8") == _settings_text(options):
        return not (folder / _PARTS).exists()
    raise OutputError(
        f"{folder} holds a phantom that was made with other options ({SETTINGS} says which). "
        "Next step: choose another folder, or replace it with fresh=True."
    )


def _about(options: PhantomOptions) -> str:
    return _ABOUT.format(
        version=VERSION, seed=options.seed, table=TABLE, images=IMAGES, mask_folder=MASKS, reports=REPORTS,
        boxes=BOXES, settings=SETTINGS, masks=", ".join(f"{1 << i} {m}" for i, m in enumerate(_MASK_NAMES)),
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
            for place, name in enumerate(_MASK_NAMES):
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


# ---- reading -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MaskFile(Mapping[str, Mask]):
    """Masks in a file, read when one is asked for."""

    path: Path
    names: tuple[str, ...]

    def __getitem__(self, name: str) -> Mask:
        if name not in self.names:
            raise KeyError(name)
        from hilum.images.read import read_image  # noqa: PLC0415  (labels and reports need no image package)

        bits = np.rint(read_image(self.path).pixels[0] * 255).astype(np.uint8)
        mask: Mask = (bits >> _MASK_NAMES.index(name)) & 1 == 1
        return mask

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def read_phantom(table: Path, split: str | None = None) -> Iterator[Study]:
    """The studies of `studies.jsonl`; images and masks are not read. Raises InputError for a bad row."""
    folder = table.parent
    with table.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                study = _study(folder, json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
                raise InputError(
                    f"{table}, line {number}: this is no study of the phantom ({type(error).__name__}: {error}). "
                    "Next step: write the phantom again with fresh=True."
                ) from error
            if split is None or study.split == split:
                yield study


def _study(folder: Path, row: Mapping[str, Any]) -> Study:
    report = folder / REPORTS / f"{row['id']}.txt"
    text = report.read_bytes().decode() if report.is_file() else None
    labels = {
        source: Labels(CHEXPERT14, tuple(state_from_csv(codes[name]) for name in CHEXPERT14.names))
        for source, codes in row["labels"].items()
    }
    return Study(
        id=row["id"],
        patient=row["patient"],
        images=tuple(_image(folder, image) for image in row["images"]),
        report=None if text is None else Report(row["id"], text, meta={"synthetic": "yes"}),
        labels=labels,
        priors=tuple(row["priors"]),
        sex=row["sex"],
        race=row["race"],
        age_years=row["age_years"],
        split=row["split"],
        licence=row["licence"],
        meta=row["meta"],
    )


def _image(folder: Path, row: Mapping[str, Any]) -> Image:
    name, masks = f"{row['id']}.png", tuple(row["masks"])
    path = folder / IMAGES / name
    return Image(
        id=row["id"],
        path=path if row["is_drawn"] and path.is_file() else None,
        view=View(row["view"]),
        boxes=tuple(Box(*box) for box in row["boxes"]),
        masks=MaskFile(folder / MASKS / name, masks) if masks else {},
        spacing_mm=tuple(row["spacing_mm"]) if row["spacing_mm"] else None,
    )
