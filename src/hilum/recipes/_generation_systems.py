"""The systems of the study of report generation: trained in stages, each with its reports of the test set."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError
from hilum.core.matrix import LEFT_OUT
from hilum.core.rng import rng_for
from hilum.core.vocabulary import State
from hilum.models.generator_spec import NOISE_RNN
from hilum.models.generator_spec import TIENET as TIENET_KIND
from hilum.recipes._generation_attention import Boxes, Word, example_rows, find_boxes, side_of
from hilum.recipes._generation_sets import FINDINGS, TEST, TRAIN, VALID, GenerationSet
from hilum.recipes._generation_trainings import CLASSIFIER, RUN, Trainings
from hilum.recipes._generation_writing import (
    REPORTS,
    Looked,
    Reports,
    look_at,
    nearest,
    read_reports,
    write_system,
)
from hilum.recipes._stages import Stages, checksum, read_json, text_checksum
from hilum.recipes._visualchexbert_models import device_of
from hilum.recipes.generation import LIKELY, MAJOR, NEAREST, NOISE, TIENET, GenerationStudy
from hilum.train.baselines import Classes, train_baseline
from hilum.train.classifier import train_classifier
from hilum.train.data import digest
from hilum.train.generator import train_generator
from hilum.train.generator_config import GeneratorTraining
from hilum.train.generator_data import ReportSet
from hilum.train.image_reading import from_studies

if TYPE_CHECKING:
    from hilum.train.loop import Progress

LABELED = "labels to learn"
SPENT = "seconds.jsonl"
_RESULT, _MODEL = "result.json", "model"
_SECONDS_BETWEEN_LINES = 10.0
Tell = Callable[[str], object]


@dataclass(frozen=True, eq=False)
class Found:
    """All that values and pages are made of; `sets["test"]` has the images that could be read.

    `reports` are those of each system that writes any, `looks` [M, columns of MENTION] and `words` those of the systems
    with attention. `tables` are the dev tables of the trainings, `notes` what was told of the inputs.
    """

    study: GenerationStudy
    sets: Mapping[str, GenerationSet]
    examples: tuple[int, ...]
    pixels_NHW: npt.NDArray[np.uint8]
    boxes: Boxes
    reports: Mapping[str, Reports]
    looks: Mapping[str, npt.NDArray[np.float64]]
    words: Mapping[str, tuple[Word, ...]]
    notes: tuple[str, ...]

    @property
    def test(self) -> GenerationSet:
        """The test images."""
        return self.sets[TEST]


def run_systems(
    study: GenerationStudy,
    sets: Mapping[str, GenerationSet],
    stages: Stages,
    *,
    tell: Tell,
    meter: Callable[[Progress], None],
) -> Found:
    """Train what is to be trained, and let every system write its reports.

    Raises InputError and UnknownNameError for choices that a training does not have, before the first one begins.
    """
    learner = Learner(study, sets, stages, tell, meter)
    learner.trainings.check()
    looked = learner.looked
    kept = {**sets, TEST: sets[TEST].take(looked.test_places)}
    examples = example_rows(kept[TEST], min(study.examples, len(kept[TEST])), rng_for(study.seed, "examples"))
    boxes = learner.boxes(kept[TEST])
    reports: dict[str, Reports] = {}
    looks: dict[str, npt.NDArray[np.float64]] = {}
    words: dict[str, tuple[Word, ...]] = {}
    for name in study.chosen:
        if name == MAJOR:
            continue
        folder = learner.written(name, kept[TEST], examples, boxes)
        reports[name] = read_reports(folder / REPORTS)
        if (folder / "looks.npy").exists():
            looks[name] = np.load(folder / "looks.npy")
            found = read_json(folder / "words.json")["words"]
            words[name] = tuple(Word(*one) for one in found)
    notes = (*(f"{role}: {line}" for role, one in sets.items() for line in one.studies.told), *looked.notes)
    return Found(study, kept, examples, looked.test_pixels, boxes, reports, looks, words, notes)


@dataclass(frozen=True)
class Learner:
    """What all stages share."""

    study: GenerationStudy
    sets: Mapping[str, GenerationSet]
    stages: Stages
    tell: Tell
    meter: Callable[[Progress], None]
    _last: list[float] = field(default_factory=lambda: [0.0])

    def run(self, name: str, decides: Mapping[str, Any], make: Callable[[Path], None], **more: Any) -> Path:
        """A stage, with the seconds that this start spent on it beside the stages."""
        since = time.monotonic()

        def timed(path: Path) -> None:
            try:
                make(path)
            finally:
                line = json.dumps({"stage": name, "seconds": round(time.monotonic() - since, 2)})
                with (self.stages.folder / SPENT).open("a", encoding="utf-8") as file:
                    file.write(f"{line}\n")

        return self.stages.run(name, decides, timed, **more)

    @property
    def trainings(self) -> Trainings:
        """What is trained, and how."""
        return Trainings(self.study, self.stages.folder)

    # --- the image encoder ---

    @cached_property
    def classifier(self) -> Path:
        """The folder of the image classifier whose convolutions everything sees with."""
        if self.study.classifier is not None:
            return self.study.classifier
        train = self.sets[TRAIN]
        folder = self.stages.folder / CLASSIFIER
        config = self.trainings.classifier()
        labels = dict(zip((row.study for row in train.rows), train.labels, strict=True))
        studies = [
            replace(one, labels={LABELED: labels[place]})
            for place, one in enumerate(train.studies.studies)
            if place in labels
        ]
        rows = from_studies(studies, source=LABELED, config=config, name=train.studies.source.said)

        def make(_: Path) -> None:
            self.end(train_classifier(config, images=rows, progress=self.meter, tell=self.said).finished)

        decides = {"images": rows.digest(), "training": config.deciding()}
        self.run(folder.name, decides, make, keeps=True, files=(f"{RUN}/{_RESULT}",))
        return folder / RUN / _MODEL

    @cached_property
    def image_spec(self) -> Any:
        """How images go in."""
        from hilum.models.classifier import load_classifier  # noqa: PLC0415  (loads torch)

        spec = load_classifier(self.classifier).spec
        if isinstance(spec.architecture, str):
            raise InputError(
                f"{self.classifier} has the backbone {spec.architecture}; the image encoder of a generator is a "
                "DenseNet. Next step: --classifier with a DenseNet of `hilum train classifier`, or leave it out."
            )
        return spec

    @cached_property
    def _reports(self) -> dict[str, ReportSet]:
        spec = self.image_spec
        return {role: one.reports(size=spec.size_px, fit=spec.fit) for role, one in self.sets.items()}

    @cached_property
    def looked(self) -> Looked:
        """Maps of the test images and vectors of the training images, worked out once."""
        images = {role: self._reports[role].digest() for role in (TRAIN, TEST)}
        decides = {"classifier": digest(self.classifier), "images": images}

        def make(folder: Path) -> None:
            look_at(
                self.classifier, train=self._reports[TRAIN], test=self._reports[TEST], folder=folder,
                cache=self.stages.folder / "pixels", device=device_of(self.study.device),
                workers=self.study.workers or 2, tell=self.tell,
            )  # fmt: skip

        return Looked.read(self.run("maps", decides, make))

    def boxes(self, test: GenerationSet) -> Boxes:
        """Where boxes are on the maps."""
        grid = side_of(self.looked.test_maps.shape[1])
        known = [f"{row.image.id} {row.image.boxes}" for one in (test, self.sets[TRAIN]) for row in one.rows]
        spec = self.image_spec
        decides = {"boxes": text_checksum(*known), "grid": grid, "size": spec.size_px, "fit": spec.fit}

        def make(folder: Path) -> None:
            found = find_boxes(test, self.sets[TRAIN], grid=grid, size=spec.size_px, fit=spec.fit)
            np.save(folder / "own.npy", found.own_NFK)
            np.save(folder / "typical.npy", found.typical_FK)

        folder = self.run("boxes", decides, make)
        return Boxes(np.load(folder / "own.npy"), np.load(folder / "typical.npy"))

    # --- the generators ---

    def generator(self, name: str) -> Path:
        """The folder of the generator of a system that learns."""
        if name == NOISE:
            return self.trained(name, self.trainings.noise(self.image_spec), kind=NOISE_RNN)
        if name in (LIKELY, TIENET):
            config = self.trainings.likelihood(name, classifier=self.classifier)
            return self.trained(name, config, kind=TIENET_KIND if name == TIENET else None)
        return self.trained(name, self.trainings.reinforce(name, init=self.generator(LIKELY)), kind=None)

    def trained(self, name: str, config: GeneratorTraining, *, kind: str | None) -> Path:
        """Train into the stage of a name, or find it done."""
        learned, dev = self._reports[TRAIN], self._reports[VALID]

        def make(_: Path) -> None:
            given: dict[str, Any] = {
                "learned": learned,
                "dev": dev,
                "progress": self.meter,
                "tell": self.said,
            }
            if kind is None:
                result = train_generator(config, **given)
            else:
                classes = self.classes() if kind == TIENET_KIND else None
                result = train_baseline(kind, config, classes=classes, **given)
            self.end(result.finished)

        decides: dict[str, Any] = {
            "training": config.deciding(), "kind": kind, "learned": learned.digest(), "dev": dev.digest(),
        }  # fmt: skip
        for key in ("classifier", "init"):
            if getattr(config, key) is not None:
                decides[key] = digest(getattr(config, key))
        self.run(name, decides, make, keeps=True, files=(f"{RUN}/{_RESULT}",))
        return config.output / _MODEL

    def classes(self) -> Classes:
        """What the TieNet-like model is taught to classify: labels of the reports; uncertain ones are not counted."""
        found: dict[str, Any] = {}
        for role in (TRAIN, VALID):
            one = self.sets[role]
            states_NF = one.states_NF
            targets_NF = np.where(states_NF == State.UNCERTAIN, LEFT_OUT, states_NF == State.POSITIVE)
            found |= dict(zip(one.ids, targets_NF.astype(int).tolist(), strict=True))
        return Classes(FINDINGS, found)

    # --- what they write ---

    def written(self, name: str, test: GenerationSet, examples: tuple[int, ...], boxes: Boxes) -> Path:
        """The folder with the reports of a system, and where its words looked."""
        looked, study = self.looked, self.study
        about: dict[str, Any] = {"test": text_checksum(*test.ids, *test.texts), "repeats": study.repeats}
        maps = checksum(self.stages.folder / "maps" / "test-maps.npy")
        if name == NEAREST:
            train = self.sets[TRAIN].take(looked.train_places)

            def make(folder: Path) -> None:
                nearest(looked, train, test, folder, threads=study.threads or 1)

            texts = text_checksum(*train.ids, *train.texts)
            return self.run(f"reports-of-{name}", {**about, "maps": maps, "train": texts}, make)
        model = self.generator(name)
        regions = text_checksum(boxes.own_NFK.tobytes().hex(), boxes.typical_FK.tobytes().hex())
        about |= {"generator": digest(model), "maps": maps, "seed": study.seed, "examples": list(examples)}
        about |= {"labeler": study.labeler, "boxes": regions}

        def write(folder: Path) -> None:
            write_system(model, looked, test, boxes, folder, examples=examples, study=study, tell=self.said)

        return self.run(f"reports-of-{name}", about, write)

    def end(self, finished: bool) -> None:
        """Raises KeyboardInterrupt after a training that was asked to stop."""
        if not finished:
            raise KeyboardInterrupt

    def said(self, line: str) -> None:
        """A line of a stage, not more often than every ten seconds."""
        now = time.monotonic()
        if now - self._last[0] >= _SECONDS_BETWEEN_LINES:
            self._last[0] = now
            self.tell(line)
