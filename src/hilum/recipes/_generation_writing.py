"""Test images to reports: maps that are worked out once, the nearest training image, and what generators write."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError, OutputError
from hilum.core.rng import rng_for
from hilum.recipes._generation_attention import MENTION, Boxes, Word, Written, mentions, side_of
from hilum.recipes._generation_sets import GenerationSet
from hilum.recipes._stages import read_json, write_json, write_table
from hilum.recipes._visualchexbert_models import device_of
from hilum.recipes._visualchexbert_sets import label_texts
from hilum.text.report_words import Sentences, joined
from hilum.train.generator_data import ReportSet
from hilum.train.image_cache import decode, one_opencv_thread

if TYPE_CHECKING:
    from hilum.recipes.generation import GenerationStudy

REPORTS = "reports.csv"
COLUMNS = ("id", "report", "reference", "sentences", "repeated")
_AT_ONCE = 64
_NEAREST = "nearest.csv"
Ints = npt.NDArray[np.int64]
Tell = Callable[[str], object]


@dataclass(frozen=True, eq=False)
class Reports:
    """The reports of one system in the order of the test set; sentences that were written, and repeats among them."""

    texts: tuple[str, ...]
    sentences_N: Ints
    repeated_N: Ints


@dataclass(frozen=True, eq=False)
class Looked:
    """What the frozen encoder sees: maps of test images float32 [N, K, F], vectors of training images [M, F].

    `test_places` and `train_places` are those of the images that could be read; `test_pixels` uint8 [N, S, S].
    """

    test_maps: npt.NDArray[np.float32]
    test_pixels: npt.NDArray[np.uint8]
    train_vectors: npt.NDArray[np.float32]
    test_places: list[int]
    train_places: list[int]
    notes: tuple[str, ...]

    @classmethod
    def read(cls, folder: Path) -> Looked:
        """What `look_at` wrote."""
        about = read_json(folder / "about.json")
        return cls(
            np.load(folder / "test-maps.npy", mmap_mode="r"), np.load(folder / "test-pixels.npy", mmap_mode="r"),
            np.load(folder / "train-vectors.npy"), about["test"], about["train"], tuple(about["notes"]),
        )  # fmt: skip


def look_at(
    classifier: Path,
    *,
    train: ReportSet,
    test: ReportSet,
    folder: Path,
    cache: Path,
    device: str,
    workers: int,
    tell: Tell,
) -> None:
    """Work out the maps of all test images and the mean of the map of all training images."""
    from hilum.models.classifier import load_classifier  # noqa: PLC0415

    loaded: Any = load_classifier(classifier, device=device)
    spec, convolve = loaded.spec, loaded.model.backbone.features_map
    about: dict[str, Any] = {"notes": []}
    for role, one in (("train", train), ("test", test)):
        decoded = decode(
            one.sources,
            cache,
            size=spec.size_px,
            fit=spec.fit,
            workers=workers,
            tell=lambda s: (tell(s), None)[1],
        )
        good = decoded.good()
        about[role] = good.tolist()
        if decoded.failed:
            first = decoded.failed[0]
            about["notes"].append(
                f"{role}: {len(decoded.failed):,} images could not be read and were left out, e.g. "
                f"{one.ids[first.place]}: {first.reason}"
            )
        if not len(good):
            raise InputError(f"--{role}: no image can be read: {decoded.failed[0].reason}.")
        tell(f"the encoder looks at {len(good):,} images of {role}")
        found = _seen(decoded.pixels_NHW, good, spec, convolve, folder / f"{role}-maps.npy", device=device)
        if role == "train":
            np.save(folder / "train-vectors.npy", np.stack([one_map.mean(axis=0) for one_map in found]))
            (folder / "train-maps.npy").unlink()
        else:
            np.save(folder / "test-pixels.npy", np.asarray(decoded.pixels_NHW[good]))
    write_json(folder / "about.json", about)


def _seen(
    pixels_NHW: npt.NDArray[np.uint8], places: Any, spec: Any, convolve: Any, path: Path, *, device: str
) -> npt.NDArray[np.float32]:
    import torch  # noqa: PLC0415

    from hilum.train.classifying import normalised  # noqa: PLC0415
    from hilum.train.image_data import ImageRows  # noqa: PLC0415

    rows, found = ImageRows(pixels_NHW, places), None
    with torch.no_grad(), one_opencv_thread():
        for start in range(0, len(rows), _AT_ONCE):
            some = np.arange(start, min(start + _AT_ONCE, len(rows)))
            map_BFHW = convolve(normalised(torch.from_numpy(rows.plain(some)).to(device), spec))
            map_BKF = map_BFHW.flatten(2).transpose(1, 2).float().cpu().numpy()
            if found is None:
                shape = (len(rows), *map_BKF.shape[1:])
                found = np.lib.format.open_memmap(path, "w+", np.float32, shape)
            found[some] = map_BKF
    if found is None:
        raise OutputError(f"{path}: there is nothing to see.")
    found.flush()
    kept: npt.NDArray[np.float32] = found
    return kept


# --- 1-NN ---


def nearest(looked: Looked, train: GenerationSet, test: GenerationSet, folder: Path, *, threads: int) -> None:
    """The report of the most similar training image, by the cosine of the means of their maps."""
    from hilum.models.retrieval import Row, build_index  # noqa: PLC0415

    index = build_index(looked.train_vectors, [Row(one) for one in train.ids], threads=threads)
    found = index.search(looked.test_maps.mean(axis=1), 1)
    near = [one.neighbours[0] for one in found]
    texts = train.plain
    rows = []
    for i, one in enumerate(near):
        said = train.sentences[one.place]
        rows.append((test.ids[i], texts[one.place], test.texts[i], len(said), _repeats(said)))
    write_table(folder / REPORTS, COLUMNS, rows)
    write_table(
        folder / _NEAREST, ("id", "nearest", "similarity"),
        [(test.ids[i], one.id, one.similarity) for i, one in enumerate(near)],
    )  # fmt: skip


def _repeats(sentences: Sentences) -> int:
    return len(sentences) - len(set(sentences))


# --- generators ---


def write_system(
    model: Path,
    looked: Looked,
    test: GenerationSet,
    boxes: Boxes,
    folder: Path,
    *,
    examples: Sequence[int],
    study: GenerationStudy,
    tell: Tell,
) -> None:
    """Greedy reports of all test images, and for every mention of a finding where its words looked."""
    import torch  # noqa: PLC0415

    from hilum.models.report_generator import load_generator  # noqa: PLC0415

    if study.threads:
        torch.set_num_threads(study.threads)
    loaded = load_generator(model, device=device_of(study.device))
    looks: list[tuple[float, ...]] = []
    words: list[Word] = []
    rows: list[tuple[Any, ...]] = []
    draws = torch.Generator().manual_seed(int(rng_for(study.seed, "noise", "test").integers(2**62)))
    has_places = loaded.spec.sees and side_of(looked.test_maps.shape[1]) > 0
    for start in range(0, len(test), _AT_ONCE):
        some = range(start, min(start + _AT_ONCE, len(test)))
        written = _written(loaded, looked.test_maps[some.start : some.stop], study, draws)
        texts = [joined(sentences) for sentences, *_ in written]
        labels = label_texts(texts, labeler=study.labeler) if has_places else [None] * len(texts)
        for row, text, one, said in zip(some, texts, written, labels, strict=True):
            kept, places, all_of_it, attention = one
            rows.append((test.ids[row], text, test.texts[row], len(all_of_it), _repeats(all_of_it)))
            if said is not None:
                shown = words if row in examples else None
                looks += mentions(row, Written(kept, places, text, said, attention), boxes, words=shown)
        tell(f"{len(rows):,} of {len(test):,} reports written")
    write_table(folder / REPORTS, COLUMNS, rows)
    if has_places:
        np.save(folder / "looks.npy", np.array(looks, dtype=np.float64).reshape(len(looks), len(MENTION)))
        write_json(folder / "words.json", {"words": [list(one) for one in words]})


def _written(loaded: Any, maps_BKF: Any, study: GenerationStudy, draws: Any) -> list[tuple[Any, ...]]:
    """For each image: kept sentences, where they stand among all, all sentences, and attention [S, W, K1]."""
    import torch  # noqa: PLC0415

    from hilum.models.report_generator import Decoding  # noqa: PLC0415

    model, device = loaded.model, loaded.device
    how = Decoding(way="greedy", no_repeat_sentences=study.repeats == "forbid")
    with torch.no_grad():
        if loaded.spec.sees:
            visual = model.encoder.projected(torch.from_numpy(np.array(maps_BKF)).to(device))
        else:
            visual = model.noise(len(maps_BKF), generator=draws)
        found = model.decode(visual, how=how)
    words_BSW, attention = found.words_BSW.cpu().numpy(), found.attention_BSWK1.float().cpu().numpy()
    every = [[loaded.spec.decode(words_SW[None, None]) for words_SW in words] for words in words_BSW]
    written = []
    for sentences, attention_SWK1 in zip(every, attention, strict=True):
        said = [(place, one[0][0]) for place, one in enumerate(sentences) if one[0]]
        seen: set[tuple[str, ...]] = set()
        kept = []
        for place, words in said:
            if study.repeats != "remove" or words not in seen:
                kept.append((place, words))
            seen.add(words)
        written.append(
            (
                tuple(words for _, words in kept), tuple(place for place, _ in kept),
                tuple(words for _, words in said), attention_SWK1,
            )
        )  # fmt: skip
    return written


def read_reports(path: Path) -> Reports:
    """What `write_table` wrote of a system."""
    with io.StringIO(path.read_text(encoding="utf-8"), newline="") as file:
        _, *rows = csv.reader(file)
    return Reports(
        tuple(row[1] for row in rows),
        np.array([int(row[3]) for row in rows], dtype=np.int64),
        np.array([int(row[4]) for row in rows], dtype=np.int64),
    )
