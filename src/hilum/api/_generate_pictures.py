"""Where the words of a generated report looked: pictures for a folder and for the page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.api._heat import enlarged
from hilum.api._image_job import file_name
from hilum.api._predict_images import Item
from hilum.core.imaging import Pixels
from hilum.core.records import Evidence, Labels, strongest
from hilum.core.vocabulary import State
from hilum.images._opencv import opencv
from hilum.images.overlay import overlay, png_of
from hilum.images.read import read_image
from hilum.images.transforms import resize
from hilum.models.generator_spec import GeneratorSpec
from hilum.models.write_reports import Word, WrittenReport
from hilum.pages.pictures import Map, Pictures, data_uri

if TYPE_CHECKING:
    from hilum.api.generate import GenerateJob

MOST_MAPS = 32
"""Maps of one report on the page; the folder of pictures has all."""

_FILE_PX, _IMAGE_PX, _MAP_PX, _QUALITY = 320, 384, 192, 85
_NAME_LENGTH = 80


class Named(NamedTuple):
    """A word whose map is drawn: its place in the report from 0, and the mentions that it is part of."""

    number: int
    word: Word
    mentions: tuple[Evidence, ...]

    @property
    def state(self) -> State:
        """The strongest state that is said of it; BLANK outside mentions."""
        return strongest(*(mention.state for mention in self.mentions))


def named_words(report: WrittenReport, labels: Labels, *, everything: bool = False) -> list[Named]:
    """The words that evidence names, in the order of the text; or all words."""
    found = []
    for number, word in enumerate(report.words):
        mentions = tuple(e for e in labels.evidence if e.start < word.end and word.start < e.end)
        if mentions or everything:
            found.append(Named(number, word, mentions))
    return found


def write_maps(
    place: int,
    item: Item,
    named: Sequence[Named],
    *,
    spec: GeneratorSpec,
    job: GenerateJob,
) -> int:
    """One PNG per word, IMAGE-NAME-wNUMBER-WORD[-STATE].png, and how many. Numbers of words count from 1."""
    if not named:
        return 0
    folder = Path(str(job.attention))
    shown = _framed(item, spec, job, _FILE_PX)
    stem = file_name(Path(item.name).stem)[:_NAME_LENGTH]
    for one in named:
        state = "" if one.state is State.BLANK else f"-{one.state.name.lower()}"
        word = file_name(one.word.text)[:_NAME_LENGTH] if one.word.text.strip(".-") else "mark"
        name = f"{place + 1:06d}-{stem}-w{one.number + 1:03d}-{word}{state}.png"
        (folder / name).write_bytes(png_of(_heated(shown, one.word)))
    return len(named)


def pictures_of(
    item: Item, report: WrittenReport, labels: Labels, spec: GeneratorSpec, job: GenerateJob
) -> Pictures:
    """The image of a report and the maps of the words that evidence names, small enough for a page."""
    image = _framed(item, spec, job, _IMAGE_PX)
    small = _framed(item, spec, job, _MAP_PX)
    named = named_words(report, labels) if spec.sees else []
    maps = tuple(
        Map(_jpeg(_heated(small, one.word)), one.word.text, one.state, _lines(one))
        for one in named[:MOST_MAPS]
    )
    caption = (
        f"The model sees {spec.size_px} x {spec.size_px} pixels. Mean word: p {report.word_probability:.2f}"
    )
    grey = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    return Pictures(_jpeg(np.repeat(grey[0][..., None], 3, axis=2)), caption, maps, len(named) - len(maps))


def _lines(one: Named) -> tuple[str, ...]:
    """What to know of a map: what is said, and how strongly it looks anywhere."""
    said = dict.fromkeys(f"{mention.finding}, {mention.state.name.lower()}" for mention in one.mentions)
    attention = one.word.map_HW
    peak = float(attention.max()) / max(float(attention.mean()), 1e-12)
    return (
        *said,
        f"hottest place {peak:.1f} times the mean",
        f"{one.word.sentinel:.1%} of attention on no place",
    )


def _framed(item: Item, spec: GeneratorSpec, job: GenerateJob, size: int) -> Pixels:
    whole = read_image(Path(item.path), crop_borders=job.crop_borders).pixels
    return resize(whole, size, fit=spec.fit).pixels


def _heated(pixels: Pixels, word: Word) -> npt.NDArray[np.uint8]:
    """A word's map over the image; its hottest place has heat 1."""
    highest = float(word.map_HW.max())
    heat = word.map_HW / highest if highest > 0 else word.map_HW
    return overlay(pixels, enlarged(heat.astype(np.float32), pixels.shape[1:]))


def _jpeg(colours: npt.NDArray[np.uint8]) -> str:
    """RGB [H, W, 3] as the address of a JPEG."""
    cv2 = opencv()
    _, encoded = cv2.imencode(
        ".jpg", np.ascontiguousarray(colours[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    )
    return data_uri(bytes(encoded.tobytes()), "jpeg")
