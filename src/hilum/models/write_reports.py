"""Images to generated reports, with where each word looked; a bad image costs no good one.

An image goes through the encoder alone, and words are decoded in float64: what batches add to the last digits, about
1e-15, is far below everything that is compared or told. So a report is the same whatever stands beside it. Drawn
words, and the noise of a generator that sees no image, are drawn from the seed and the pixels of their own image.
"""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError
from hilum.core.rng import rng_for
from hilum.models._neural import torch
from hilum.models._read_ahead import Failed, Progress, ReadAhead, Source
from hilum.models.classifier import as_input
from hilum.models.decoding import SAMPLE, Decoding, remove_repeats
from hilum.models.generating import Generated, Visual
from hilum.models.generator_spec import END, PAD
from hilum.models.noise_rnn import NoiseRnn
from hilum.models.report_generator import LoadedGenerator
from hilum.text.report_words import Sentences, joined

Pixels = npt.NDArray[np.float32]
_SEEDS = 2**63 - 1


class Word(NamedTuple):
    """A word of a generated report: its characters [start, end) of the text, and where it looked.

    `map_HW` adds up, with `sentinel`, to 1: the share of attention on each place, and on no place at all. It is
    [0, 0] for a generator that sees no image.
    """

    text: str
    start: int
    end: int
    map_HW: Pixels
    sentinel: float


@dataclass(frozen=True, eq=False)
class WrittenReport:
    """A report as it was generated.

    `log_probability` (natural) is that of all words, ends of sentences and stops as they were decoded, those of
    sentences that were removed included; `word_probability` the geometric mean of the words and ends. `stopped`:
    whether it ended by a stop, and not because it had its most sentences.
    """

    text: str
    sentences: Sentences
    words: tuple[Word, ...]
    log_probability: float
    word_probability: float
    stopped: bool


@dataclass(frozen=True, eq=False)
class WrittenReports:
    """Reports of the images that could be used, their places among the sources, and what became of the others."""

    reports: tuple[WrittenReport, ...]
    places: tuple[int, ...]
    failed: tuple[Failed, ...]


def write_reports(
    writer: ReportWriter,
    sources: Sequence[Source],
    *,
    ids: Sequence[str] | None = None,
    batch_size: int = 16,
    workers: int = 2,
    on_error: str = "skip",
    crop_borders: bool = False,
    progress: Progress | None = None,
) -> WrittenReports:
    """Reports of images: files, bytes of files, images of studies, or pixels float32 [1, H, W] in [0, 1].

    `ids` names the sources, else the id of an image, the path, or the place from 1. `batch_size` images are decoded
    together, and `workers` threads read ahead; neither changes anything that is written. `crop_borders`: as in
    `images.read.read_image`. Images that cannot be used are in `failed`; `on_error="raise"` raises the first one's
    ImageError instead.

    Raises InputError and UnknownNameError for options that cannot be used.
    """
    read = ReadAhead(
        sources, writer.spec.image, ids=ids, batch_size=batch_size, workers=workers, on_error=on_error,
        crop_borders=crop_borders, progress=progress,
    )  # fmt: skip
    reports: list[WrittenReport] = []
    places: list[int] = []
    for batch in read:
        reports += writer.write(batch.pixels)
        places += batch.places
    return WrittenReports(tuple(reports), tuple(places), tuple(read.failed))


class ReportWriter:
    """A generator that writes reports of prepared images; the one it was loaded as stays as it is.

    `how` None: greedy, and no sentence twice. `repeats_removed`: sentences that stand before already are taken out
    afterwards, as in Liu et al. 2019. `seed` is for what is drawn.
    """

    def __init__(
        self,
        loaded: LoadedGenerator,
        *,
        how: Decoding | None = None,
        repeats_removed: bool = False,
        seed: int = 0,
    ) -> None:
        self.spec, self.device = loaded.spec, loaded.device
        self.how = Decoding(no_repeat_sentences=True) if how is None else how
        self._removed, self._seed = repeats_removed, seed
        model = copy.deepcopy(loaded.model).eval()
        self._encoder, model.encoder = model.encoder, None
        self._model = model.double()

    def write(self, pixels: Sequence[Pixels]) -> list[WrittenReport]:
        """The reports of images [channels, size, size], normalised as the spec says."""
        with torch.inference_mode():
            seen = [self._seen(one) for one in pixels]
            if self.how.way == SAMPLE:  # each from its own draws
                found = [
                    self._model.decode(visual, how=self.how, generator=self._draws(one))
                    for visual, one in zip(seen, pixels, strict=True)
                ]
            elif seen:
                visual = Visual(*(torch.cat(parts) for parts in zip(*seen, strict=True)))
                found = [self._model.decode(visual, how=self.how)]
            else:
                found = []
        return [report for one in found for report in self._reports(one)]

    def _seen(self, pixels: Pixels) -> Visual:
        if self._encoder is None:
            if not isinstance(self._model, NoiseRnn):
                raise InputError(f"A {self.spec.kind} without an image encoder cannot write reports.")
            return self._model.noise(1, generator=self._draws(pixels))
        visual: Visual = self._encoder(as_input(pixels[None], self.device))
        return Visual(visual.map_BKD.double(), visual.mean_BD.double())

    def _draws(self, pixels: Pixels) -> torch.Generator:
        """The generator of one image: equal pixels draw alike, wherever they stand."""
        digest = hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()
        return torch.Generator().manual_seed(
            int(rng_for(self._seed, "generate", digest).integers(_SEEDS, dtype=np.int64))
        )

    def _reports(self, found: Generated) -> list[WrittenReport]:
        values = (found.words_BSW, found.log_words_BSW, found.log_stops_BS, found.attention_BSWK1)
        words, logs, stops, looked = (value.cpu().numpy() for value in values)
        ended = found.stops_BS.sum(1).cpu().numpy() > 0
        return [
            self._report(words[b], looked[b], float(logs[b].astype(np.float64).sum()),
                         float(stops[b].astype(np.float64).sum()), bool(ended[b]))
            for b in range(len(words))
        ]  # fmt: skip

    def _report(
        self,
        words_SW: npt.NDArray[np.int64],
        looked_SWK1: Pixels,
        log_words: float,
        log_stops: float,
        stopped: bool,
    ) -> WrittenReport:
        rows = [_length(ids) for ids in words_SW.tolist()]
        said = [
            (row, tuple(self.spec.words[i] for i in words_SW[row, :size]))
            for row, size in enumerate(rows)
            if size
        ]
        if self._removed:
            kept = remove_repeats(words for _, words in said)
            first = {words: row for row, words in reversed(said)}
            said = [(first[words], words) for words in kept]
        sentences = tuple(words for _, words in said)
        looked = [looked_SWK1[row, place] for row, words in said for place in range(len(words))]
        text, spans = located(sentences)
        named = [word for words in sentences for word in words]
        return WrittenReport(
            text,
            sentences,
            tuple(
                Word(word, *span, *_seen_by(weights))
                for word, span, weights in zip(named, spans, looked, strict=True)
            ),
            log_words + log_stops,
            math.exp(log_words / max(1, int((words_SW != PAD).sum()))),
            stopped,
        )


def located(sentences: Sentences) -> tuple[str, list[tuple[int, int]]]:
    """The text of sentences (`text.report_words.joined`), and the characters [start, end) of each of their words."""
    text, end = joined(sentences), 0
    spans = []
    for word in (word for words in sentences for word in words):
        start = text.index(word, end)
        end = start + len(word)
        spans.append((start, end))
    return text, spans


def _length(ids: Iterable[int]) -> int:
    """Words before the first END or PAD."""
    size = 0
    for word in ids:
        if word in (PAD, END):
            break
        size += 1
    return size


def _seen_by(weights_K1: Pixels) -> tuple[Any, float]:
    """The places as a square map, and the share of no place."""
    side = math.isqrt(len(weights_K1) - 1)
    if side * side != len(weights_K1) - 1:
        raise InputError(f"{len(weights_K1) - 1} places are no square map; images must be square.")
    return weights_K1[:-1].astype(np.float32).reshape(side, side), float(weights_K1[-1])
